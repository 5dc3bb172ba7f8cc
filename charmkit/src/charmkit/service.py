"""What it takes to run an OpenStack API service: data in, data out. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, cast

from . import (
    apache,
    archive,
    conf,
    front,
    health,
    host,
    memcached,
    migration,
    releases,
    settings,
    state,
)
from .relations import Databag, Need, keystone, loadbalancer, subordinate
from .spec import Daemon as Daemon
from .spec import Ready as Ready
from .spec import ServiceSpec as ServiceSpec
from .spec import WsgiApp as WsgiApp
from .why import Action, Why, action


def desired_state(spec: ServiceSpec, why: Why, inputs: state.Inputs) -> state.Desired:
    """Work out everything from *why* this run is and from *inputs*: no Juju, no machine, no clock."""
    try:
        release = release_of(spec, inputs)
    except ValueError as e:
        return state.Desired(status=(state.Status('blocked', str(e)),))
    spec = spec.on(release)
    source = archive.decide(spec.packages, why, inputs)
    course = front.course(why, inputs)
    place = front.place(spec, inputs, course)
    inputs = dataclasses.replace(inputs, site=place.site)
    found = _found(spec, inputs)
    unmet = _unmet(found, inputs)
    installed = inputs.versions.get(spec.packages[0], '')
    outset = state.Desired(
        host=host.merge(_always(spec, inputs.facts), source.host),
        unit_data={**_settled(_requests(spec, inputs), place), **place.unit_data},
        app_data={**_settled(_app_requests(spec, inputs), place), **place.app_data},
        version=_upstream(installed),
        memory={
            front.PAUSED: course.paused,
            front.BALANCED: front.balanced(spec, inputs),
            front.VIP: place.vips,
            **source.memory,
        },
        status=source.status,
    )
    if unmet:
        return dataclasses.replace(
            outset, host=host.merge(outset.host, _idle(spec)), status=(*unmet, *source.status)
        )
    ready = Ready(inputs, found)
    decision = migration.decide(
        spec.migrations,
        inputs,
        user=spec.user,
        wanted=_schema(spec, release, ready),
        ready=ready,
        order=_order(spec, why, ready),
    )
    refusal = spec.refusal(inputs)
    serving = decision.usable and not refusal and not place.out_of_service
    unannounced = not serving and not place.announced
    return dataclasses.replace(
        outset,
        host=host.merge(
            outset.host,
            host.Host(
                files=_config_files(spec, ready),
                commands=decision.commands,
                services=_daemons(spec, ready, course, usable=decision.usable and not refusal),
            ),
            _stop_times(spec),
            _no_rules(spec, inputs),
            apache.desired(
                _sites(spec, inputs, place.addresses),
                running=serving,
                version=installed,
                linger_s=loadbalancer.NOTICE_S if unannounced else 0,
            ),
            apache.drain(unannounced),
            place.host,
            spec.machine(ready),
        ),
        unit_data={
            **outset.unit_data,
            'peers': {**decision.unit_data, **place.peer_data},
        },
        app_data={**outset.app_data, 'peers': decision.app_data},
        ports=frozenset(app.port for app in spec.apps),
        status=(
            *_status(refusal, decision.message, place.status),
            *source.status,
            *_unhealthy(inputs),
            *_contributions(spec, ready),
            *_refusals(spec, inputs),
        ),
        tasks=(_health(spec, inputs, place),) if serving and not inputs.failed else (),
    )


def _found(spec: ServiceSpec, inputs: state.Inputs) -> dict[Need[Any], object]:
    return {
        n: n.read(related, inputs.site) if (related := inputs.of(n.relation)) else None
        for n in spec.every_need
    }


def _unmet(found: Mapping[Need[Any], object], inputs: state.Inputs) -> list[state.Status]:
    return [_missing(n, inputs) for n, data in found.items() if data is None and _due(n, inputs)]


def release_of(spec: ServiceSpec, inputs: state.Inputs) -> releases.Release:
    """The release that is installed here, or that is going to be. Raises ValueError for a base that is not known."""
    package = spec.packages[0]
    return releases.of_package(inputs.facts.base, package, inputs.versions.get(package, ''))


def schema(spec: ServiceSpec, inputs: state.Inputs) -> migration.Schema | None:
    """The schema that this unit wants; None while it has no database."""
    release = release_of(spec, inputs)
    spec = spec.on(release)
    found = _found(spec, inputs)
    return None if _unmet(found, inputs) else _schema(spec, release, Ready(inputs, found))


def ordered(spec: ServiceSpec, why: Why) -> migration.Steps | migration.MakeSteps | None:
    """The steps of the migration that an operator's action asks for; None when it asks for none."""
    if action(why, 'db-expand'):
        return spec.migrations.expand or spec.migrations.sync
    return spec.migrations.contract if action(why, 'db-contract') else None


def _order(spec: ServiceSpec, why: Why, ready: Ready) -> migration.Order | None:
    """What an operator's action has this unit migrate."""
    steps = ordered(spec, why)
    if steps is None or not isinstance(why, Action):
        return None
    return migration.Order(steps=migration.resolve(steps, ready), id=f'{why.name} {why.id}')


def _health(spec: ServiceSpec, inputs: state.Inputs, place: front.Place) -> health.Health:
    serves = {apache.SERVICE, *(apache.group(a.name) for a in spec.apps)}
    patient = place.coming_back or not serves.isdisjoint(inputs.started)
    return health.Health(
        tuple(health.App(a.name, a.port, f'{apache.LOGS}/{a.name}-error.log') for a in spec.apps),
        health.COMES_UP_S if patient else health.AT_REST_S,
    )


def _unhealthy(inputs: state.Inputs) -> list[state.Status]:
    said = inputs.seen.get(front.HEALTH)
    return [state.Status('blocked', said)] if isinstance(said, str) and said else []


def _refusals(spec: ServiceSpec, inputs: state.Inputs) -> list[state.Status]:
    """What the other side of a relation does not do as it is asked now, though it may have before."""
    said = [(n, n.refusal(inputs.of(n.relation), inputs.site)) for n in spec.needs if n.refusal]
    return [state.Status('blocked', f'{n.relation}: {text}') for n, text in said if text]


def _contributions(spec: ServiceSpec, ready: Ready) -> list[state.Status]:
    found = [(need, c) for need in spec.sections for c in _contributed(ready, need)]
    return [
        *(state.Status('blocked', f'{c.app}: {c.refused}') for _, c in found if c.refused),
        *(
            state.Status('waiting', f'{need.relation}: {c.app} has said nothing yet')
            for need, c in found
            if c.silent
        ),
    ]


def _contributed(ready: Ready, need: Need[Any]) -> tuple[subordinate.Contribution, ...]:
    found = ready.found.get(need)
    return cast('tuple[subordinate.Contribution, ...]', found) if found is not None else ()


def _schema(spec: ServiceSpec, release: releases.Release, ready: Ready) -> migration.Schema:
    """Another server is another schema."""
    databases = sorted(repr(ready[n]) for n in spec.needs if n.relation == 'shared-db')
    return migration.Schema(
        release=release.number,
        version=ready.inputs.versions.get(spec.packages[0], ''),
        databases=host.digest(' '.join(databases)),
    )


def prepared(spec: ServiceSpec, facts: state.Facts) -> host.Host:
    """What a machine needs for the service, wherever it is going to be."""
    try:
        spec = spec.on(releases.of_base(facts.base))
    except ValueError:
        return host.Host()  # The next hook says so, in the unit's status.
    return host.merge(_always(spec, facts), _idle(spec))


def _always(spec: ServiceSpec, facts: state.Facts) -> host.Host:
    """What is wanted from the first hook on, so that only configuration is left for later."""
    return host.merge(
        host.Host(
            packages=frozenset({*spec.packages, *apache.PACKAGES}),
            services=tuple(host.Service(name, 'masked') for name in spec.masked),
        ),
        memcached.desired(facts.memory_mib),
    )


def _idle(spec: ServiceSpec) -> host.Host:
    """Out of service for want of something: it may have served until now, and nobody knows."""
    daemons = tuple(host.Service(d.name, 'stopped') for d in spec.daemons)
    api = host.Service(
        apache.SERVICE,
        'stopped',
        linger_s=loadbalancer.NOTICE_S,
        configured_by=apache.DROP_IN,
    )
    return host.merge(apache.drain(True), host.Host(services=(api, *daemons)))


def _daemons(
    spec: ServiceSpec, ready: Ready, course: front.Course, *, usable: bool
) -> tuple[host.Service, ...]:
    version = ready.inputs.versions.get(spec.packages[0], '')
    return tuple(
        host.Service(
            d.name,
            'running',
            version=version,
            probe=d.probe,
            stays_s=0 if d.probe else _DAEMON_STAYS_S,
        )
        if usable and d.when(ready) and not (course.paused and d.pauses)
        else host.Service(d.name, 'stopped', version=version)
        for d in spec.daemons
    )


_DAEMON_STAYS_S = 3.0
"""One that cannot start (a wrong option, say) has ended by then, and systemd starts it again for ever."""


def _stop_times(spec: ServiceSpec) -> host.Host:
    return host.Host(
        files=tuple(
            host.File(
                path=f'/etc/systemd/system/{d.name}.service.d/charm.conf',
                content=f'# Written by the charm.\n[Service]\nTimeoutStopSec={d.stop_s}\n',
            )
            for d in spec.daemons
            if d.stop_s
        )
    )


def _settled(
    requests: Mapping[str | int, Databag], place: front.Place
) -> dict[str | int, Databag]:
    """Nothing of endpoints while it is not known what is right: what was said stays as it is."""
    return {k: v for k, v in requests.items() if place.settled or k != keystone.RELATION}


def _requests(spec: ServiceSpec, inputs: state.Inputs) -> dict[str | int, Databag]:
    # Everything at once, whatever is still missing: it saves round trips.
    out: dict[str | int, dict[str, str]] = {}
    for need in spec.every_need:
        if inputs.of(need.relation):
            out.setdefault(need.relation, {}).update(need.request(inputs.site))
    return dict(out)


def _app_requests(spec: ServiceSpec, inputs: state.Inputs) -> dict[str | int, Databag]:
    out: dict[str | int, dict[str, str]] = {}
    for need in spec.every_need:
        if need.request_app and inputs.of(need.relation):
            out.setdefault(need.relation, {}).update(need.request_app(inputs.site))
    return dict(out)


def _due(need: Need[Any], inputs: state.Inputs) -> bool:
    return not need.optional or bool(inputs.of(need.relation))


def _missing(need: Need[Any], inputs: state.Inputs) -> state.Status:
    if not inputs.of(need.relation):
        return state.Status('blocked', f'missing relation: {need.relation}')
    if need.refusal and (said := need.refusal(inputs.of(need.relation), inputs.site)):
        return state.Status('blocked', f'{need.relation}: {said}')
    return state.Status('waiting', f'waiting for {need.relation} to grant {need.name}'.rstrip())


def _status(refusal: str, waiting: str, place: state.Status | None) -> tuple[state.Status, ...]:
    out = [place] if place else []
    if refusal:
        out.append(state.Status('blocked', refusal))
    if waiting:
        out.append(state.Status('waiting', waiting))
    return tuple(out)


def _config_files(spec: ServiceSpec, ready: Ready) -> tuple[host.File, ...]:
    apps = tuple(apache.group(app.name) for app in spec.apps)
    files = [
        _config_file(spec, ready, path, make, (*apps, *(d.name for d in spec.daemons)))
        for path, make in spec.config.items()
    ]
    if checks := settings.rules(str(ready.inputs.options.get('policy-overrides') or '')):
        files.append(
            host.File(
                path=_policy_path(spec),
                content=settings.render_rules(checks),
                group=spec.user,
                mode=0o640,
                notify=apps,
            )
        )
    for app in spec.apps:
        for path, make in app.config.items():
            files.append(_config_file(spec, ready, path, make, (apache.group(app.name),)))
    for daemon in spec.daemons:
        for path, make in daemon.config.items():
            files.append(_config_file(spec, ready, path, make, (daemon.name,)))
    return tuple(files)


def _config_file(
    spec: ServiceSpec,
    ready: Ready,
    path: str,
    make: Callable[[Ready], conf.Ini],
    notify: tuple[str, ...],
) -> host.File:
    contributed = (c.sections.get(path, {}) for n in spec.sections for c in _contributed(ready, n))
    return host.File(
        path=path,
        # What the service's own charm says wins.
        content=conf.render(conf.merge(*contributed, make(ready), _operators(spec, ready, path))),
        group=spec.user,
        mode=0o640,
        notify=notify,
    )


def _operators(spec: ServiceSpec, ready: Ready, path: str) -> conf.Ini:
    """What the operator has for the service's first file: it goes over all else."""
    if path != next(iter(spec.config)):
        return {}
    said = ready.inputs.options
    policy = {'policy_dirs': _policy_path(spec).rpartition('/')[0]}
    return conf.merge(
        conf.cors(str(said.get('cors-allowed-origins') or '').split()),
        {'oslo_policy': policy} if said.get('policy-overrides') else {},
        settings.sections(str(said.get('config-flags') or '')),
    )


def _policy_path(spec: ServiceSpec) -> str:
    """After what the package has there: the last file wins (oslo.policy)."""
    return f'{next(iter(spec.config)).rpartition("/")[0]}/policy.d/charm.yaml'


def _no_rules(spec: ServiceSpec, inputs: state.Inputs) -> host.Host:
    if inputs.options.get('policy-overrides') or not spec.config:
        return host.Host()
    apps = tuple(apache.group(app.name) for app in spec.apps)
    return host.Host(absent=(host.Absent(path=_policy_path(spec), notify=apps),))


def _sites(
    spec: ServiceSpec, inputs: state.Inputs, addresses: tuple[str, ...]
) -> list[apache.VirtualHost]:
    trusted = front.trusted(inputs)
    return [
        apache.VirtualHost(
            name=app.name,
            script=app.script,
            port=app.port,
            addresses=addresses,
            user=spec.user,
            size=front.size(spec, app, inputs),
            health=app.health,
            silence=app.silence,
            trusted=trusted,
            body_limit=app.body_limit,
            grace_s=app.grace_s,
        )
        for app in spec.apps
    ]


def _upstream(version: str) -> str:
    """The upstream part of a Debian version: ``2:25.1.0-2+deb12u1`` is ``25.1.0``."""
    return version.rpartition(':')[2].partition('-')[0].partition('+')[0]
