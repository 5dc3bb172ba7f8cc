"""What it takes to run an OpenStack API service: data in, data out. Pure."""

from __future__ import annotations

import dataclasses
from typing import Any

from . import apache, conf, front, host, memcached, migration, releases, state
from .relations import Databag, Need, loadbalancer
from .spec import Ready as Ready
from .spec import ServiceSpec as ServiceSpec
from .spec import WsgiApp as WsgiApp


def desired_state(spec: ServiceSpec, inputs: state.Inputs) -> state.Desired:
    """Work out everything from *inputs*: no Juju, no machine, no clock."""
    try:
        release = releases.of_base(inputs.facts.base)
    except ValueError as e:
        return state.Desired(status=(state.Status('blocked', str(e)),))
    spec = spec.on(release)
    place = front.place(spec, inputs)
    inputs = dataclasses.replace(inputs, site=place.site)
    found = {n: n.find(inputs.of(n.relation), inputs.site) for n in spec.needs}
    unmet = [_unmet(n, inputs) for n, data in found.items() if data is None and _due(n, inputs)]
    base = _always(spec, inputs.facts)
    requests, app_requests = _requests(spec, inputs), _app_requests(spec, inputs)
    installed = inputs.versions.get(spec.packages[0], '')
    version = _upstream(installed)
    if unmet:
        return state.Desired(
            host=host.merge(base, _idle(spec)),
            unit_data={**requests, **place.unit_data},
            app_data={**app_requests, **place.app_data},
            status=tuple(unmet),
            version=version,
        )
    ready = Ready(inputs, found)
    decision = migration.decide(
        spec.migrations, inputs, user=spec.user, wanted=_schema(spec, release, ready)
    )
    objection = spec.objection(inputs)
    serving = decision.usable and not objection and not place.out_of_service
    unannounced = not serving and not place.told
    return state.Desired(
        host=host.merge(
            base,
            host.Host(
                files=_config_files(spec, ready),
                commands=decision.commands,
                services=_daemons(spec, serving, installed),
            ),
            apache.desired(
                _sites(spec, inputs, place.addresses),
                running=serving,
                version=installed,
                linger_s=loadbalancer.NOTICE_S if unannounced else 0,
            ),
            apache.drain(unannounced),
            place.host,
            spec.also(ready),
        ),
        unit_data={
            **requests,
            **place.unit_data,
            'peers': {**decision.unit_data, **place.peer_data},
        },
        app_data={**app_requests, **place.app_data, 'peers': decision.app_data},
        ports=frozenset(app.port for app in spec.apps),
        status=_status(objection, decision.message, place.status),
        version=version,
    )


def schema(spec: ServiceSpec, inputs: state.Inputs) -> migration.Schema | None:
    """The schema that this unit wants; None while it has no database."""
    release = releases.of_base(inputs.facts.base)
    found = {n: n.find(inputs.of(n.relation), inputs.site) for n in spec.needs}
    if any(data is None and _due(n, inputs) for n, data in found.items()):
        return None
    return _schema(spec.on(release), release, Ready(inputs, found))


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
    daemons = tuple(host.Service(name, 'stopped') for name in spec.daemons)
    api = host.Service(
        apache.SERVICE,
        'stopped',
        linger_s=loadbalancer.NOTICE_S,
        configured_by=apache.DROP_IN,
    )
    return host.merge(apache.drain(True), host.Host(services=(api, *daemons)))


def _daemons(spec: ServiceSpec, serving: bool, version: str) -> tuple[host.Service, ...]:
    wanted = 'running' if serving else 'stopped'
    return tuple(host.Service(name, wanted, version=version) for name in spec.daemons)


def _requests(spec: ServiceSpec, inputs: state.Inputs) -> dict[str | int, Databag]:
    # Everything at once, whatever is still missing: it saves round trips.
    out: dict[str | int, dict[str, str]] = {}
    for need in spec.needs:
        if inputs.of(need.relation):
            out.setdefault(need.relation, {}).update(need.request(inputs.site))
    return dict(out)


def _app_requests(spec: ServiceSpec, inputs: state.Inputs) -> dict[str | int, Databag]:
    out: dict[str | int, dict[str, str]] = {}
    for need in spec.needs:
        if need.request_app and inputs.of(need.relation):
            out.setdefault(need.relation, {}).update(need.request_app(inputs.site))
    return dict(out)


def _due(need: Need[Any], inputs: state.Inputs) -> bool:
    return not need.optional or bool(inputs.of(need.relation))


def _unmet(need: Need[Any], inputs: state.Inputs) -> state.Status:
    if not inputs.of(need.relation):
        return state.Status('blocked', f'missing relation: {need.relation}')
    return state.Status('waiting', f'waiting for {need.relation} to grant {need.name}'.rstrip())


def _status(objection: str, waiting: str, place: state.Status | None) -> tuple[state.Status, ...]:
    out = [place] if place else []
    if objection:
        out.append(state.Status('blocked', objection))
    if waiting:
        out.append(state.Status('waiting', waiting))
    return tuple(out)


def _config_files(spec: ServiceSpec, ready: Ready) -> tuple[host.File, ...]:
    return tuple(
        host.File(
            path=path,
            content=conf.render(make(ready)),
            group=spec.user,
            mode=0o640,
            notify=(*(apache.group(app.name) for app in spec.apps), *spec.daemons),
        )
        for path, make in spec.config.items()
    )


def _sites(
    spec: ServiceSpec, inputs: state.Inputs, addresses: tuple[str, ...]
) -> list[apache.Site]:
    return [
        apache.Site(
            name=app.name,
            script=app.script,
            port=app.port,
            addresses=addresses,
            user=spec.user,
            size=apache.size(
                inputs.facts.cpus,
                inputs.facts.memory_mib // len(spec.apps),
                one_thread=app.one_thread,
                processes=int(inputs.options.get('workers', 0)),
                threads=int(inputs.options.get('threads', 0)),
            ),
            health=app.health,
            chunked=app.chunked,
            body_limit=app.body_limit,
            grace_s=app.grace_s,
        )
        for app in spec.apps
    ]


def _upstream(version: str) -> str:
    """The upstream part of a Debian version: ``2:25.1.0-2+deb12u1`` is ``25.1.0``."""
    return version.rpartition(':')[2].partition('-')[0].partition('+')[0]
