"""A check that the operator has changed is tried before haproxy has it: one that no unit passes takes a service away.

haproxy takes any path, and a misspelt one would have every unit of the service fail. So each changed check is asked of
the units as haproxy would ask. Where all fail it that pass the one in force, the option's last good value stays.
"""

from __future__ import annotations

import dataclasses

from charmkit.machine import HttpRequest, Machine
from charmkit.proxy.config import Check
from charmkit.relations import host_in_url

from . import decision, interface, layout, options

_MOST_UNITS = 4
_PATIENCE_S = 2.0
TASK = 'check-trial'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """A changed check of one service, and the units that it is tried on."""

    service: str
    now: Check
    """The one in force."""
    wanted: Check
    servers: tuple[interface.Server, ...]


@dataclasses.dataclass(frozen=True)
class CheckTrial:
    """Ask units as changed checks would. Result: in words, what is wrong with them; '' for nothing."""

    asked: tuple[Asked, ...]
    name: str = TASK

    def carry_out(self, machine: Machine) -> str:
        """Ask them, by *machine*."""
        return next((wrong for each in self.asked if (wrong := _wrong(each, machine))), '')


def wanted(known: decision.RunInputs, now: decision.Decision) -> CheckTrial | None:
    """The trial of what is to be in force *now*; None where it was made, or no check is changed."""
    good = options.parsed(options.SERVICE_OPTIONS, known.good.get(options.SERVICE_OPTIONS))
    if TASK in known.inputs.seen or good is None or good == now.opts.exposure.service_options:
        return None
    exposure = dataclasses.replace(now.opts.exposure, service_options=good)
    requests = [a for a in now.asked if isinstance(a, interface.Request)]
    before = layout.lay_out(requests, dataclasses.replace(now.around, exposure=exposure))
    checks = {b.name: b.behaviour.check for b in before.backends}
    asked = {
        b.service: Asked(
            service=b.service,
            now=checks[b.name],
            wanted=b.behaviour.check,
            servers=tuple(
                s
                for s in b.servers
                # One that serves TLS wants a certificate that this program does not show.
                if not s.server_name and now.wants.get((b.name, s.name)) == 'ready'
            )[:_MOST_UNITS],
        )
        for b in now.layout.backends
        if b.name in checks and _asks(checks[b.name]) != _asks(b.behaviour.check)
        if not (b.behaviour.check.tcp or b.behaviour.check.tls)
    }
    return CheckTrial(tuple(asked.values())) if asked else None


def _asks(check: Check) -> tuple[object, ...]:
    """What a unit can tell two checks by."""
    return check.method, check.path, check.expect, check.host, check.port, check.tcp, check.tls


def _wrong(asked: Asked, machine: Machine) -> str:
    said: dict[str, str] = {}
    for server in asked.servers:
        said[server.unit] = _reply(asked.service, asked.wanted, server, machine)
        if not said[server.unit]:
            return ''
    for server in asked.servers:
        if asked.now.tcp or not _reply(asked.service, asked.now, server, machine):
            check = asked.wanted
            return (
                f'no unit of {asked.service} passes the check {check.method} {check.path} '
                f'({server.unit} {said[server.unit]})'
            )
    return ''


def _reply(service: str, check: Check, server: interface.Server, machine: Machine) -> str:
    """'' when *server* passes *check*, else what it does."""
    request = HttpRequest(
        method=check.method,
        url=f'http://{host_in_url(server.address)}:{check.port or server.port}{check.path}',
        headers={'Host': check.host or service},
        timeout_s=min(check.timeout_ms / 1000, _PATIENCE_S),
    )
    found = machine.http(request)
    if any(_matches(found.status, each) for each in check.expect):
        return ''
    return f'answers {found.status}' if found.status else f'does not answer: {found.reason}'


def _matches(status: int, expected: str) -> bool:
    low, _, high = expected.partition('-')
    return int(low) <= status <= int(high or low)
