"""What a keystone unit is to be: what its leader shares, what is asked of it, what it answers. Pure.

The leader makes a seed, of which every password is derived, and two rings of keys. They are Juju
secrets whose URIs stand in the peer relation's application data; a unit serves once it has them. Nothing
is used before Juju has kept it, so a hook that dies leaves no password behind that nobody knows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import charmkit
import keys
from charmkit import api, conf, front, host, passwords, releases, service, state
from charmkit.relations import ENDPOINT_TYPES, Databag, EndpointType, keystone, mysql, wire

PORT = 5000
DB = mysql.need('keystone')
RELATION = 'identity-service'
SEED = 'seed'
ACCOUNTS = 'accounts'
BOOTSTRAP = 'bootstrap'
TOKEN_EXPIRATION_S = 3600
CACHE_S = 60
CACHE_CHANGES_S = 10
UNSHARED = 'waiting for the leader to share its keys'

_JUJUS_OWN = frozenset({'egress-subnets', 'ingress-address', 'private-address'})


@dataclasses.dataclass(frozen=True)
class Shared:
    """What Juju keeps for all units."""

    seed: str = dataclasses.field(repr=False)
    rings: Mapping[keys.Kind, keys.Ring]

    @property
    def admin_password(self) -> str:
        """The admin's."""
        return passwords.derive(self.seed, 'admin')


def shared(inputs: charmkit.Inputs) -> Shared | None:
    """What the leader has shared; None while some of it is not there."""
    seed = _secret(inputs, SEED).get('seed', '')
    rings = {kind: keys.load(_secret(inputs, kind.label).get('ring', '')) for kind in keys.KINDS}
    known = {kind: ring for kind, ring in rings.items() if ring}
    return Shared(seed, known) if seed and len(known) == len(rings) else None


def refusal(inputs: charmkit.Inputs) -> str:
    """Why this unit cannot serve yet, whatever else is there."""
    return '' if shared(inputs) else UNSHARED


def keystone_conf(ready: service.Ready) -> conf.Ini:
    """What goes into keystone.conf."""
    expiration = token_expiration_s(ready.inputs)
    return conf.merge(
        conf.common('keystone', debug=ready.debug),
        conf.database(ready[DB]),
        conf.cache(),
        # Each unit has a cache of its own: what another unit changed is unseen for this long.
        {
            'cache': {'expiration_time': CACHE_S},
            'catalog': {'cache_time': CACHE_CHANGES_S},
            'revoke': {'cache_time': CACHE_CHANGES_S},
        },
        {
            'token': {'provider': 'fernet', 'expiration': expiration},
            'fernet_tokens': {
                'key_repository': keys.FERNET.repository,
                'max_active_keys': keys.keep(keys.FERNET, expiration),
            },
            'credential': {'key_repository': keys.CREDENTIAL.repository},
            'oslo_policy': {'policy_dirs': '/etc/keystone/policy.d'},
        },
    )


def token_expiration_s(inputs: charmkit.Inputs) -> int:
    """How long a token lives, in seconds."""
    return max(60, int(inputs.options.get('token-expiration', TOKEN_EXPIRATION_S)))


def machine(ready: service.Ready) -> host.Host:
    """Keys on disk; and on the leader the admin, and credentials in their newest encryption."""
    known = shared(ready.inputs)
    if known is None:
        return host.Host()
    disk = [keys.on_disk(kind, ring) for kind, ring in known.rings.items()]
    if not ready.inputs.site.leader or not ready.inputs.versions.get('keystone'):
        # Without the package there is no schema either, in which the admin could be.
        return host.merge(*disk)
    bootstrap = host.Command(
        name=BOOTSTRAP,
        argv=('keystone-manage', 'bootstrap', '--bootstrap-username', 'admin'),
        key=_admin_key(known, ready[DB]),
        user=keys.USER,
        environment={'OS_BOOTSTRAP_PASSWORD': known.admin_password},
    )
    credentials = known.rings[keys.CREDENTIAL]
    migrate = host.Command(
        name='credential-migrate',
        argv=('keystone-manage', 'credential_migrate'),
        key=credentials.digest,
        user=keys.USER,
    )
    commands: list[host.Command] = []
    # Another unit may have led before, and made the admin.
    if ready.inputs.peers.get(BOOTSTRAP) != bootstrap.key:
        commands.append(bootstrap)
    # A first ring has encrypted nothing yet.
    if credentials.primary > 1:
        commands.append(migrate)
    return host.merge(*disk, host.Host(commands=tuple(commands)))


def _admin_key(known: Shared, database: mysql.Database) -> str:
    """Stands for the admin's password, and for the database that the admin is in."""
    return f'{passwords.fingerprint(known.admin_password)} {host.digest(database.url)}'


def desired_state(
    spec: service.ServiceSpec,
    why: charmkit.Why,
    inputs: charmkit.Inputs,
    due: Iterable[str] = (),
) -> charmkit.Desired:
    """What the service's spec says, with what its units share.

    *due* are labels of secrets that Juju wants rotated now.
    """
    inputs, secrets, late = _rotated(inputs, {*due, *inputs.peers.get('due', '').split()})
    desired = api.run(spec, why, inputs)
    if desired.failure:
        return desired
    known = shared(inputs)
    status = tuple(
        state.Status('waiting', s.message) if s.message == UNSHARED else s for s in desired.status
    )
    mine = desired.unit_data.get('peers', _without_jujus(inputs.my_peer_data))
    have = {kind.name: ring.digest for kind, ring in known.rings.items()} if known else {}
    app = {
        **inputs.peers,
        **desired.app_data.get('peers', {}),
        **{label: inputs.peers.get(label) or state.secret_uri(label) for label in secrets},
        'due': ' '.join(sorted(late)),
        **{c.name: c.key for c in desired.host.commands if c.name == BOOTSTRAP},
    }
    return dataclasses.replace(
        desired,
        unit_data={**desired.unit_data, 'peers': {**mine, **have}},
        app_data={**desired.app_data, 'peers': {k: v for k, v in app.items() if v}},
        secrets=secrets,
        status=(*status, *_late(inputs, late), *_refusals(inputs)),
    )


def urls(spec: service.ServiceSpec, inputs: charmkit.Inputs) -> Mapping[str, str]:
    """Where clients reach keystone, by endpoint type, without a path."""
    release = releases.of_base(inputs.facts.base)
    return front.place(spec.on(release), inputs, front.Course()).site.urls['keystone']


def own_services(own: Mapping[str, str], region: str) -> tuple[keystone.Service, ...]:
    """Keystone's own place in the catalogue; *region* may name several, with blanks between."""
    where: tuple[tuple[EndpointType, str], ...] = tuple(
        (t, f'{own[t]}/v3') for t in ENDPOINT_TYPES
    )
    return tuple(keystone.Service('keystone', 'identity', r, where) for r in region.split())


def requests(
    inputs: charmkit.Inputs,
) -> tuple[tuple[keystone.Request, ...], tuple[keystone.Refusal, ...]]:
    """What is asked for, and what of that is refused: a service belongs to the first to ask."""
    met: list[keystone.Request] = []
    refused: list[keystone.Refusal] = []
    owners: dict[tuple[str, str], str] = {}
    for relation in inputs.of(RELATION):
        request = keystone.request(relation)
        if isinstance(request, keystone.Refusal):
            refused.append(request)
        elif request:
            wanted = [(s.name, s.region) for s in request.services]
            taken = [(s, owners[s]) for s in wanted if s in owners]
            for (name, region), owner in taken[:1]:
                reason = f'{owner} has the service {name} in {region} already'
                refused.append(keystone.Refusal(request.app, reason))
            if not taken:
                owners |= dict.fromkeys(wanted, request.app)
                met.append(request)
    return tuple(met), tuple(refused)


def answers(
    inputs: charmkit.Inputs,
    own: Mapping[str, str],
    accounts: Mapping[int, keystone.Account],
) -> dict[str | int, Databag]:
    """What this unit says on each relation: every unit says the same."""
    region = inputs.site.region.split()[0]
    said = {
        request.relation: keystone.answer(request, own, region, accounts[request.relation])
        for request in requests(inputs)[0]
        if request.relation in accounts
    }
    return {relation.id: said.get(relation.id, {}) for relation in inputs.of(RELATION)}


def dump_accounts(accounts: Mapping[int, keystone.Account]) -> str:
    """For the other units, without passwords: those can be derived."""
    return wire.dump(
        {
            str(relation): {**dataclasses.asdict(account), 'password': ''}
            for relation, account in sorted(accounts.items())
        }
    )


def load_accounts(text: str, password_of: Mapping[str, str]) -> dict[int, keystone.Account]:
    """What :func:`dump_accounts` wrote, with passwords by user name."""
    out: dict[int, keystone.Account] = {}
    for relation, fields in wire.objects(wire.load_object(text)):
        values = {str(k): wire.text(v) for k, v in fields.items()}
        values['password'] = password_of.get(values.get('username', ''), '')
        out[int(relation)] = keystone.Account(**values)
    return out


def _secret(inputs: charmkit.Inputs, label: str) -> Mapping[str, str]:
    return inputs.secrets.get(inputs.peers.get(label, ''), {})


def _without_jujus(data: Databag) -> Databag:
    return {k: v for k, v in data.items() if k not in _JUJUS_OWN}


def _rotated(
    inputs: charmkit.Inputs, due: set[str]
) -> tuple[charmkit.Inputs, dict[str, state.Secret], set[str]]:
    """Make what is not there, rotate what is *due*, and say what must wait.

    Returns the inputs as they are after a rotation, the secrets to keep, and the labels that
    are still due.
    """
    secrets: dict[str, state.Secret] = {}
    # Before there is a peer relation the URIs of secrets could not be kept.
    if not inputs.site.leader or not inputs.my_peer_data:
        return inputs, secrets, set()
    if not inputs.peers.get(SEED):
        content = {'seed': state.password(inputs, SEED, 64)}
        secrets[SEED] = state.Secret(content=content, description='what passwords come from')
    late: set[str] = set()
    for kind in keys.KINDS:
        ring = keys.load(_secret(inputs, kind.label).get('ring', ''))
        random = state.password(inputs, kind.label, 64)
        if not inputs.peers.get(kind.label):
            secrets[kind.label] = _kept(kind, keys.make(random))
        elif ring and kind.label in due:
            if _lacking(inputs, kind, ring):
                late.add(kind.label)
                continue
            ring = keys.rotate(ring, random, keys.keep(kind, token_expiration_s(inputs)))
            secrets[kind.label] = _kept(kind, ring)
            uri = inputs.peers[kind.label]
            after = {**inputs.secrets, uri: {'ring': keys.dump(ring)}}
            inputs = dataclasses.replace(inputs, secrets=after)
    return inputs, secrets, late


def _kept(kind: keys.Kind, ring: keys.Ring) -> state.Secret:
    content = {'ring': keys.dump(ring)}
    return state.Secret(content=content, description=f'{kind.name} keys', rotate=kind.rotate)


def _lacking(inputs: charmkit.Inputs, kind: keys.Kind, ring: keys.Ring) -> tuple[str, ...]:
    have = {unit: data.get(kind.name, '') for unit, data in inputs.peer_units.items()}
    have[inputs.site.unit] = inputs.my_peer_data.get(kind.name, '')
    return keys.may_rotate(ring, have)


def _late(inputs: charmkit.Inputs, late: Iterable[str]) -> list[state.Status]:
    out: list[state.Status] = []
    for kind in keys.KINDS:
        ring = keys.load(_secret(inputs, kind.label).get('ring', ''))
        if ring and kind.label in late:
            units = ', '.join(_lacking(inputs, kind, ring))
            out.append(state.Status('active', f'{kind.name} keys wait for {units} to have them'))
    return out


def _refusals(inputs: charmkit.Inputs) -> list[state.Status]:
    if not inputs.site.leader:
        return []
    return [state.Status('blocked', f'refused {r.app}: {r.reason}') for r in requests(inputs)[1]]
