"""What storage this unit has, and whether it is up: a driver may fail while its daemon runs. Pure, but for the task."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

import charmkit
from charmkit import cinder, conf, host, keystone, openstack
from charmkit.machine import Machine

BACKENDS = cinder.backends()
SECTIONS = cinder.sections()
HOME = '/var/lib/cinder'
NAME = 'storage'
"""Of the task, and in the unit's memory: the backends that were up when cinder was asked last."""
DAEMON = 'cinder-volume'
WAIT_S = 60.0
"""How long storage may take to come up after its daemon's start."""
_PAUSE_S = 2.0
_LOG = '/var/log/cinder/cinder-volume.log'


@dataclasses.dataclass(frozen=True)
class ProbeServices:
    """Ask which of *services* (``HOST@BACKEND``) are up; the result is a frozenset of them, or why it is not known."""

    services: frozenset[str]
    identity: keystone.Identity
    wait_s: float
    name: str = NAME

    def carry_out(self, machine: Machine) -> frozenset[str] | str:
        """Ask, by *machine*; again while one is not up."""
        end = machine.now() + self.wait_s
        while True:
            found = self._asked(machine)
            if found == self.services or machine.now() >= end:
                return found
            machine.sleep(_PAUSE_S)

    def _asked(self, machine: Machine) -> frozenset[str] | str:
        try:
            client = openstack.login(machine, self.identity, cinder.TYPE)
            known: Any = client.ask('GET', f'/os-services?binary={DAEMON}')
            up = {str(s['host']) for s in known['services'] if s['state'] == 'up'}
            return self.services & up
        except openstack.RefusedError as e:
            return str(e)
        except (KeyError, TypeError):
            return 'cinder answers what nobody can read'


def backends(ready: charmkit.Ready) -> dict[str, dict[str, str]]:
    """The sections of this unit's storage: one that any unit can reach is served under the application's name."""
    if not (ready.has(BACKENDS) and ready.has(SECTIONS)):
        return {}
    theirs = _theirs(ready)
    return {
        b.name: {'backend_host': ready.inputs.site.app}
        if b.stateless and 'backend_host' not in theirs[b.name]
        else {}
        for b in ready[BACKENDS]
        if b.name in theirs
    }


def services(ready: charmkit.Ready) -> frozenset[str]:
    """What cinder calls their services."""
    theirs, own = _theirs(ready), ready.inputs.facts.hostname
    return frozenset(
        f'{said.get("backend_host") or theirs[name].get("backend_host") or own}@{name}'
        for name, said in backends(ready).items()
    )


def _theirs(ready: charmkit.Ready) -> conf.Ini:
    found = ready[SECTIONS] if ready.has(SECTIONS) else ()
    return conf.merge(*(c.sections.get(cinder.CONF, {}) for c in found))


def tasks(ready: charmkit.Ready, identity: keystone.Identity) -> tuple[ProbeServices, ...]:
    """Ask while some storage is not known to be up, where the daemon was started, and as time passes."""
    inputs, wanted = ready.inputs, services(ready)
    started = DAEMON in inputs.started
    known = wanted <= _kept(inputs) and not started and not ready.time_passes
    if not wanted or known or inputs.failed:
        return ()
    return (ProbeServices(wanted, identity, WAIT_S if started else 0.0),)


def memory(ready: charmkit.Ready) -> Mapping[str, Any]:
    """Those that are up; while cinder does not say, those that were."""
    found = ready.inputs.seen.get(NAME)
    up = cast('frozenset[str]', found) if isinstance(found, frozenset) else _kept(ready.inputs)
    return {NAME: sorted(up & services(ready))}


def notes(ready: charmkit.Ready) -> tuple[charmkit.Status, ...]:
    """Which are not up, as far as cinder says it."""
    found = ready.inputs.seen.get(NAME)
    if not isinstance(found, frozenset):
        return ()
    down = sorted(services(ready) - cast('frozenset[str]', found))
    names = ', '.join(service.rpartition('@')[2] for service in down)
    text = f'waiting for storage to come up: {names}: see {_LOG}'
    return (charmkit.Status('waiting', text),) if down else ()


def locks(_: charmkit.Ready) -> host.Host:
    """Where the unit's processes wait for one another."""
    lock = host.Directory(path=f'{HOME}/lock', owner='cinder', group='cinder', mode=0o750)
    return host.Host(directories=(lock,))


def _kept(inputs: charmkit.Inputs) -> frozenset[str]:
    kept = inputs.memory.get(NAME)
    every = cast('list[object]', kept) if isinstance(kept, list) else []
    return frozenset(each for each in every if isinstance(each, str))
