"""The daemons of a service, as systemd units. Pure."""

from __future__ import annotations

from . import host
from .spec import Ready, ServiceSpec


def wanted(
    spec: ServiceSpec, ready: Ready, *, usable: bool, paused: bool
) -> tuple[host.Service, ...]:
    """Which are to run on this unit: none while the service is not *usable*."""
    version = ready.inputs.versions.get(spec.packages[0], '')
    return tuple(
        host.Service(
            d.name,
            'running',
            version=version,
            probe=d.probe,
            stays_s=0 if d.probe else _STAYS_S,
        )
        if usable and d.when(ready) and not (paused and d.pauses)
        else host.Service(d.name, 'stopped', version=version)
        for d in spec.daemons
    )


_STAYS_S = 3.0
"""One that cannot start (a wrong option, say) has ended by then, and systemd starts it again for ever."""


def stop_times(spec: ServiceSpec) -> host.Host:
    """How long those may take to stop that say so."""
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
