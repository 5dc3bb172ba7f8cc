"""The daemons of a service, as systemd units. Pure."""

from __future__ import annotations

from . import host
from .spec import Daemon, Ready, ServiceSpec


def wanted(
    spec: ServiceSpec, ready: Ready, *, usable: bool, paused: bool, out_of_service: bool
) -> tuple[host.SystemdService, ...]:
    """Which are to run on this unit: none while the service is not *usable*.

    A paused unit stops them at once; one that has clients of its own, when the unit is out of service.
    """
    version = ready.inputs.versions.get(spec.packages[0], '')
    return tuple(
        host.SystemdService(
            d.name,
            'running',
            version=version,
            probe=(probe := _probe(d, ready)),
            stays_s=0 if probe else _STAYS_S,
        )
        if usable and d.when(ready) and not (d.pauses and (out_of_service if d.serves else paused))
        else host.SystemdService(d.name, 'stopped', version=version)
        for d in spec.daemons
    )


def _probe(daemon: Daemon, ready: Ready) -> str:
    if daemon.probe or daemon.serves is None:
        return daemon.probe
    return f'{ready.inputs.site.listening[daemon.serves.service]}:{daemon.serves.port}'


_STAYS_S = 3.0
"""One that cannot start (a wrong option, say) has ended by then, and systemd starts it again for ever."""


def drop_ins(spec: ServiceSpec) -> host.Host:
    """The configuration of systemd for them beside their packages' units.

    One that waits for messages asks others as it starts (keystone, a database) and ends where they do not answer, some
    with 0. It is started again for as long as it takes: by itself systemd gives up after five starts in ten seconds.
    """
    return host.Host(
        files=tuple(
            host.File(
                path=f'/etc/systemd/system/{d.name}.service.d/{name}.conf',
                content=f'# Written by the charm.\n{content}',
            )
            for d in spec.daemons
            for name, content in (
                ('charm', f'[Service]\nTimeoutStopSec={d.stop_s}\n' if d.stop_s else ''),
                ('restart', RESTART if d.consumes else ''),
            )
            if content
        )
    )


RESTART = """[Unit]
StartLimitIntervalSec=0

[Service]
Restart=always
RestartSec=2
"""
