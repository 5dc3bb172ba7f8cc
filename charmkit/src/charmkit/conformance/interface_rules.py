"""What operators and other charms meet: options, actions, relations, and how the charm is upgraded. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .. import declaration, options, releases
from ..relations import loadbalancer
from . import asking, code
from .asking import asks
from .view import LIFECYCLE, View, table, text, texts

_TYPES: Mapping[str, tuple[type, ...]] = {
    'string': (str,),
    'int': (int,),
    'float': (int, float),
    'boolean': (bool,),
    'secret': (),
}
_INTERFACES = {
    'shared-db': 'mysql-shared',
    'amqp': 'rabbitmq',
    'identity-service': 'keystone',
    'image-service': 'glance',
    'cloud-compute': 'nova-compute',
    'cinder-volume-service': 'cinder',
    'storage-backend': 'cinder-backend',
    'neutron-api': 'neutron-api',
    'neutron-plugin': 'neutron-plugin',
    'neutron-plugin-api': 'neutron-plugin-api',
    'neutron-plugin-api-subordinate': 'neutron-plugin-api-subordinate',
    'nova-ceilometer': 'nova-ceilometer',
    'ovsdb': 'ovsdb',
    'ovsdb-cms': 'ovsdb-cms',
    'quantum-network-service': 'quantum',
    'domain-backend': 'keystone-domain-backend',
    'juju-info': 'juju-info',
    'public-backend': 'openstack-api-endpoints',
    'internal-backend': 'openstack-api-endpoints',
    'admin-backend': 'openstack-api-endpoints',
    'certificates': 'tls-certificates',
}
"""Endpoints by the name that each has in every charm, with the interface."""
_SECOND_INTERFACES = {('neutron-plugin', 'neutron-plugin-api-subordinate')}
"""Charmed OpenStack's plugins of neutron's API have the name that agents of compute nodes have."""
_OF_PRINCIPALS = (
    'cinder-backend', 'neutron-plugin', 'neutron-plugin-api-subordinate', 'nova-ceilometer', 'keystone-domain-backend',
    'mount_info', 'juju-info',
)  # fmt: skip
_ELSEWHERE = {
    'openstack_origin': 'openstack-origin', 'openstack-release': 'openstack-origin',
    'install-source': 'openstack-origin',
    'verbose-logging': 'debug', 'debug-mode': 'debug', 'log-debug': 'debug', 'worker-multiplier': 'workers',
    'num-workers': 'workers', 'virtual-ip': 'vip', 'vips': 'vip', 'region-name': 'region',
    'public-hostname': 'os-public-hostname',
    'admin-hostname': 'os-admin-hostname', 'internal-hostname': 'os-internal-hostname', 'extra-config': 'config-flags',
}  # fmt: skip
"""Names that other charms have for options, each with the family's."""
_KNOWN_KEYS = frozenset(
    {'version', 'provides', 'after', 'way', 'ways', 'releases', 'actions', 'behind', 'may-not-mix', 'mix-needs',
     'holds', 'own-units', 'own-shrinks'}
)  # fmt: skip
_WAYS = ('replace', 'in-place', 'own', 'stay')


def _common(view: View) -> tuple[options.Option, ...]:
    return {'api': options.API, 'website': options.WEBSITE, 'agent': options.AGENT}.get(
        view.kind, ()
    )


@asks(
    'options-described',
    'Each option says what it is for, has a type that Juju knows, and a default of that type.',
    'Declare it in code with charmkit.options.Option, and run charmkit generate.',
)
def options_described(view: View) -> Iterator[str]:
    """Options that do not."""
    for option, said in view.entries('config', 'options').items():
        kind = text(said, 'type') or 'string'
        if not text(said, 'description').strip():
            yield f'{option} has no description'
        if kind not in _TYPES:
            yield f'{option} has the type {kind[:40]!r}'
            continue
        default = said.get('default')
        good = isinstance(default, _TYPES[kind]) and isinstance(default, bool) == (
            kind == 'boolean'
        )
        if default is not None and not good:
            yield f'{option} is of type {kind}, its default is not'


@asks(
    'options-known',
    'The options that operators know from every charm are there, under the same names, of the same types.',
    'Run charmkit generate, which writes them; an option of your own of the same name keeps its type.',
    of=asking.declared,
)
def options_known(view: View) -> Iterator[str]:
    """Those that are missing, or others."""
    there = view.entries('config', 'options')
    for option in _common(view):
        if option.name not in there:
            yield f'no option {option.name}'
        elif (kind := text(there[option.name], 'type')) != option.kind.juju:
            yield f'{option.name} is of type {kind[:40] or "string"}, not {option.kind.juju}'


@asks(
    'options-names',
    'An option that the family has is called as the family calls it, in small letters with dashes.',
    'Rename it; keep the old name for one release, if there are deployments that set it.',
)
def options_names(view: View) -> Iterator[str]:
    """Names that are others'."""
    for option in view.entries('config', 'options'):
        if option in _ELSEWHERE:
            yield f'{option}: the family has it as {_ELSEWHERE[option]}'
        elif view.kind and not re.fullmatch(r'[a-z][a-z0-9]*(-[a-z0-9]+)*', option):
            yield f'{option[:80]!r} is no name of small letters, digits and dashes'


@asks(
    'secret-default',
    'No password, token or key has a default: it would be the same in every cloud.',
    'Leave the default empty, and have the charm choose a random value: ServiceSpec(chosen=…), or a Juju secret.',
)
def secret_default(view: View) -> Iterator[str]:
    """Options that have one."""
    for option, said in view.entries('config', 'options').items():
        default = said.get('default')
        if code.is_secret(option) and isinstance(default, str) and default.strip():
            yield option


@asks(
    'actions-known',
    'The actions that operators and tools know are there: pause, resume, openstack-upgrade, and db-expand of an API.',
    'Run charmkit generate, which writes them.',
    of=asking.declared,
)
def actions_known(view: View) -> Iterator[str]:
    """Those that are missing."""
    wanted = ['pause', 'resume', 'openstack-upgrade']
    if view.kind in ('api', 'website'):
        wanted.append('db-expand')
    there = view.entries('actions')
    yield from (f'no action {action}' for action in wanted if action not in there)
    yield from (
        f'{action} has no description'
        for action, said in there.items()
        if not text(said, 'description').strip()
    )


@asks(
    'drains',
    'Pause takes a unit out of service once its last request has ended; resume brings it back.',
    'Have the actions pause and resume, and name them as drain and admit in lifecycle.yaml: charmkit generate does.',
    of=asking.api,
)
def drains(view: View) -> Iterator[str]:
    """It is not, as far as can be seen."""
    there = view.entries('actions')
    yield from (f'no action {action}' for action in ('pause', 'resume') if action not in there)
    if view.lifecycle is not None:
        said = table(view.lifecycle, 'actions')
        yield from (
            f'lifecycle.yaml: {what} is {str(said.get(what))[:40]}, not {action}'
            for what, action in (('drain', 'pause'), ('admit', 'resume'))
            if said.get(what) != action
        )


@asks(
    'action-limits',
    'A number that an action takes has a least and a most.',
    'Write minimum: and maximum: beside type: in charmcraft.yaml.',
)
def action_limits(view: View) -> Iterator[str]:
    """Those that have not."""
    for action in view.entries('actions'):
        for name, schema in view.entries('actions', action, 'params').items():
            if schema.get('type') in ('integer', 'number') and not {'minimum', 'maximum'} <= {
                *schema
            }:
                yield f'{action} {name}'


@asks(
    'actions-closed',
    'An action refuses parameters that it does not know: one that is misspelt is not taken for one that was left out.',
    'Write additionalProperties: false under the action.',
    level='should',
)
def actions_closed(view: View) -> Iterator[str]:
    """Those that take any."""
    yield from (
        action
        for action, said in view.entries('actions').items()
        if said.get('additionalProperties') is not False
    )


@asks(
    'relations-known',
    'A relation that the family has is called as in every charm, and speaks the interface that goes by that name.',
    'Rename the endpoint, or correct its interface; docs/reference/charmkit.md lists them.',
)
def relations_known(view: View) -> Iterator[str]:
    """Endpoints of other names or interfaces."""
    for endpoint in view.endpoints:
        if not endpoint.interface:
            yield f'{endpoint.name} has no interface'
            continue
        known = _INTERFACES.get(endpoint.name)
        if (endpoint.name, endpoint.interface) in _SECOND_INTERFACES:
            continue
        if known and endpoint.interface != known and endpoint.role != 'peers':
            yield f'{endpoint.name} speaks {endpoint.interface[:60]}, not {known}'
    for name in ('shared-db', 'amqp', 'identity-service'):
        interface = _INTERFACES[name]
        mine = [
            e.name for e in view.endpoints if e.role == 'requires' and e.interface == interface
        ]
        if mine and name not in mine:
            yield f'{mine[0]} speaks {interface}: it is called {name}'


@asks(
    'behind-load-balancers',
    'A load balancer can be related for each endpoint type, and need not be.',
    'Run charmkit generate, which writes public-backend, internal-backend and admin-backend.',
    of=asking.api,
)
def behind_load_balancers(view: View) -> Iterator[str]:
    """Endpoints that are not there."""
    there = {e.name: e for e in view.endpoints if e.role == 'provides'}
    optional = view.entries('provides')
    for name in loadbalancer.ENDPOINTS:
        if name not in there:
            yield f'no relation {name}'
        elif optional[name].get('optional') is not True:
            yield f'{name} is not optional'
    if view.lifecycle is not None and (
        missing := {*loadbalancer.ENDPOINTS} - {*texts(view.lifecycle.get('behind'))}
    ):
        yield f'lifecycle.yaml: behind lacks {", ".join(sorted(missing))}'


@asks(
    'bindings',
    'Where it serves each kind of client can be bound to a space: public, internal, admin.',
    'Write extra-bindings: with internal:, public: and admin: into charmcraft.yaml; charmkit generate does.',
    of=asking.declared_api,
)
def bindings(view: View) -> Iterator[str]:
    """Those that cannot."""
    there = view.table('extra-bindings')
    yield from (
        f'no binding {name}' for name in ('public', 'internal', 'admin') if name not in there
    )


@asks(
    'peers',
    'Units of one application know of one another, over the relation peers.',
    'Run charmkit generate, which writes it.',
    of=asking.declared,
)
def peers(view: View) -> Iterator[str]:
    """They do not."""
    if not any(e.role == 'peers' and e.name == 'peers' for e in view.endpoints):
        yield 'no relation peers'


@asks(
    'subordinate-scope',
    'A subordinate requires one relation of container scope, as Juju wants, and so is each to its principal.',
    'Write scope: container under it, and require juju-info where nothing else is required of the principal.',
    of=asking.subordinate,
)
def subordinate_scope(view: View) -> Iterator[str]:
    """It does not."""
    if not any(e.role == 'requires' and e.container for e in view.endpoints):
        yield 'no relation that it requires has scope: container'
    for e in view.endpoints:
        if e.interface in _OF_PRINCIPALS and e.role != 'peers' and not e.container:
            yield f'{e.name} is of another scope than container'


@asks(
    'lifecycle',
    'A charm declares how it is upgraded with the rest of a cloud: lifecycle.yaml, version 1.',
    'Run charmkit generate, which writes it from the spec; docs/reference/charmkit.md has its keys.',
)
def lifecycle(view: View) -> Iterator[str]:
    """It does not, or in words that nobody knows."""
    if view.lifecycle is None:
        if LIFECYCLE not in view.unreadable:
            yield 'there is no lifecycle.yaml'
        return
    if view.lifecycle.get('version') != declaration.VERSION:
        yield f'its version is {str(view.lifecycle.get("version"))[:40]}, not {declaration.VERSION}'
    yield from (
        f'nobody knows its key {str(key)[:40]!r}'
        for key in view.lifecycle
        if key not in _KNOWN_KEYS
    )
    ways = texts(view.lifecycle.get('ways'))
    yield from (f'nobody knows the way {way[:40]!r}' for way in ways if way not in _WAYS)
    if not ways or view.lifecycle.get('way') != ways[0]:
        yield 'way is not the first of ways'
    if view.subordinate and ways != ['stay']:
        yield 'a subordinate goes with its principal: its only way is stay'
    if view.kind in ('api', 'agent', 'website'):
        for base, release in table(view.lifecycle, 'releases').items():
            known = releases.OF_BASE.get(base)
            if known and release != known.name:
                yield f'{base} has {known.name}, not {str(release)[:40]}'


@asks(
    'lifecycle-packed',
    'lifecycle.yaml goes into the packed charm: it is read where the charm runs.',
    'Have a part that primes it: charmkit generate writes it into charmcraft.yaml.',
    of=asking.folder,
)
def lifecycle_packed(view: View) -> Iterator[str]:
    """It does not."""
    if view.lifecycle is None:
        return
    primed = [name for part in view.entries('parts').values() for name in texts(part.get('prime'))]
    if LIFECYCLE not in primed:
        yield 'no part of charmcraft.yaml primes it'


@asks(
    'lifecycle-names',
    'What lifecycle.yaml names is there: its actions, its relations, and what comes before it.',
    'Correct the names; charmkit generate writes those that follow from the spec.',
)
def lifecycle_names(view: View) -> Iterator[str]:
    """What is not."""
    said = view.lifecycle or {}
    for what, action in table(said, 'actions').items():
        if action not in view.entries('actions'):
            yield f'{what}: there is no action {str(action)[:60]}'
    there = {e.name for e in view.endpoints}
    for name in (*texts(said.get('behind')), *table(said, 'mix-needs')):
        if name not in there:
            yield f'there is no relation {name[:60]}'
    wanted = {'shared-db': 'database', 'amqp': 'message-queue', 'identity-service': 'identity'}
    after = texts(said.get('after'))
    for e in view.endpoints:
        if (
            view.lifecycle is not None
            and e.role == 'requires'
            and e.name in wanted
            and wanted[e.name] not in after
        ):
            yield f'it needs {e.name}, and after does not name {wanted[e.name]}'


RULES = (
    options_described, options_known, options_names, secret_default, actions_known, drains, action_limits,
    actions_closed, relations_known, behind_load_balancers, bindings, peers, subordinate_scope, lifecycle,
    lifecycle_packed, lifecycle_names,
)  # fmt: skip
