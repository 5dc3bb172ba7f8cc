"""The charms of OpenStack's services, with an API or as agents: a subclass says what the service is, and no more."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from . import (
    charm,
    front,
    host,
    memcached,
    migration,
    mixed_releases,
    options,
    policy,
    rehearsal,
    releases,
    service,
    service_account,
    state,
)
from .why import Action, Why, action


class ApiCharm(charm.Charm):
    """Charm for an OpenStack API service: a subclass only sets :attr:`spec`.

    The actions that it knows: ``pause``, ``resume``, ``openstack-upgrade``, ``db-expand``, and
    ``db-online``, ``db-contract`` and ``rehearse-migrations`` where the service has such migrations
    (:mod:`charmkit.generate`).
    """

    spec: ClassVar[service.ServiceSpec]

    @classmethod
    def declared_options(cls, facts: state.Facts | None = None) -> tuple[options.Option, ...]:
        """Those that every API charm has, and the service's own."""
        return options.declared(*cls.spec.options)

    def run(self, why: Why, inputs: state.Inputs) -> state.Desired:
        """What the service's spec says."""
        return run(self.spec, why, inputs)

    def decide(self, why: Why, inputs: state.Inputs) -> state.Desired:
        """The run, by rules that its release has, and with an account that keystone takes."""
        desired = policy.judged(super().decide, why, inputs)
        return service_account.followed(self.spec, inputs, desired)

    def written_to(self) -> tuple[str, ...]:
        """Where all do, and the service."""
        return (*super().written_to(), *_home(self.spec))

    def prepared(self, facts: state.Facts) -> host.Host:
        """The packages of the service, of Apache and of memcached; none of the package's own servers runs."""
        return service.prepared(self.spec, facts)


class WebsiteCharm(ApiCharm):
    """Charm for a web site for people: served as an API is, but in no catalogue, and not configured by oslo.config.

    A subclass only sets :attr:`spec`. The actions are those of an API.
    """

    @classmethod
    def declared_options(cls, facts: state.Facts | None = None) -> tuple[options.Option, ...]:
        """Those that every site has, and the service's own."""
        return options.declared(*cls.spec.options, common=options.WEBSITE)


class AgentCharm(charm.Charm):
    """Charm for daemons without an API of their own, such as OpenStack's agents on compute nodes.

    A subclass only sets :attr:`spec`, which has no applications; it may be a subordinate. The actions that it knows:
    ``pause``, ``resume`` and ``openstack-upgrade``.
    """

    spec: ClassVar[service.ServiceSpec]

    @classmethod
    def declared_options(cls, facts: state.Facts | None = None) -> tuple[options.Option, ...]:
        """Those that every charm of OpenStack's has, and the service's own."""
        return options.declared(*cls.spec.options, common=options.AGENT)

    def run(self, why: Why, inputs: state.Inputs) -> state.Desired:
        """What the service's spec says."""
        return run(self.spec, why, inputs)

    def decide(self, why: Why, inputs: state.Inputs) -> state.Desired:
        """The run, with an account that keystone takes."""
        return service_account.followed(self.spec, inputs, super().decide(why, inputs))

    def written_to(self) -> tuple[str, ...]:
        """Where all do, and the service."""
        return (*super().written_to(), *_home(self.spec))

    def prepared(self, facts: state.Facts) -> host.Host:
        """The packages of the service; none of its daemons runs."""
        return service.prepared(self.spec, facts)


def _home(spec: service.ServiceSpec) -> tuple[str, ...]:
    return (f'/var/lib/{spec.user}',) if spec.user != 'root' else ()


def run(spec: service.ServiceSpec, why: Why, inputs: state.Inputs) -> state.Desired:
    """One run of an API charm or of an agent's; pure."""
    rehearsed = rehearsal.rehearsed(spec, why, inputs)
    if rehearsed is not None:
        return rehearsed
    refused = _refused(spec, why, inputs)
    if refused:
        return state.Desired(failure=refused)
    desired = service.desired_state(spec, why, inputs)
    return dataclasses.replace(
        desired,
        status=(*desired.status, *_notes(inputs)),
        results=_results(spec, why, inputs, desired),
        log=tuple(c.name for c in desired.host.commands) if isinstance(why, Action) else (),
    )


def _refused(spec: service.ServiceSpec, why: Why, inputs: state.Inputs) -> str:
    """Why the action cannot be done; '' when it can."""
    upgrade = action(why, 'openstack-upgrade')
    if upgrade and not upgrade.params.get('force') and front.serves_clients(inputs):
        return 'a load balancer sends clients to this unit: run the pause action first'
    if inputs.unrun and migration.asked(spec.migrations, why):
        return migration.failure(inputs.unrun, spec.user, 'run the action again').message
    if inputs.unrun and upgrade:
        return migration.failure(inputs.unrun, spec.user).message
    if not migration.asked(spec.migrations, why):
        return ''
    try:
        release = service.release_of(spec, inputs)
    except ValueError as e:
        return str(e)
    spec = spec.on(release)
    kind, steps = migration.asked(spec.migrations, why) or ('', ())
    if not steps:
        return f'{spec.name} has no such migration'
    wanted = service.schema(spec, inputs)
    if wanted is None:
        return 'there is no database yet'
    if migration.newer(inputs, wanted):
        return (
            f'a newer release than {release.name}, which this unit runs, has migrated the database'
        )
    return _early(spec, kind, inputs, release, wanted)


def _early(
    spec: service.ServiceSpec,
    kind: str,
    inputs: state.Inputs,
    release: releases.Release,
    wanted: migration.Schema,
) -> str:
    """What must come before a migration of *kind*; '' when nothing is left."""
    if kind == 'expand':
        return ''
    if mixed := mixed_releases.refusal(spec, inputs, release.name):
        return mixed
    found = migration.found(inputs, wanted)
    if found is None or found.release < wanted.release:
        return 'run the action db-expand first'
    if kind == 'contract' and spec.migrations.online and found.online < wanted.release:
        return 'run the action db-online first'
    return ''


def _results(
    spec: service.ServiceSpec, why: Why, inputs: state.Inputs, desired: state.Desired
) -> dict[str, str]:
    if not isinstance(why, Action):
        return {}
    match why.name:
        case 'pause' | 'resume':
            wrong = state.troubles(inputs, desired.status)
            return {'status': state.summary([*desired.status, *wrong]).message}
        case 'openstack-upgrade':
            before, after = inputs.versions_before, inputs.versions
            changed = sorted(p for p in after if after[p] != before.get(p))
            return {'upgraded': ' '.join(changed) or 'none'}
        case 'db-expand' | 'db-online' | 'db-contract':
            schema = service.schema(spec, inputs)
            return (
                {'schema-release': str(schema.release), 'schema-version': schema.version}
                if schema
                else {}
            )
        case _:
            return {}


def _notes(inputs: state.Inputs) -> list[state.Status]:
    """Say it when the token cache had died: nothing else would ever show it."""
    if inputs.started.get(memcached.SERVICE) == 'start' and inputs.versions_before.get(
        memcached.SERVICE
    ):
        return [state.Status('active', 'the token cache had stopped: started it again')]
    return []
