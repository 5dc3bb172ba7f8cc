"""A charm's ``lxd-profile.yaml``: what a machine must have for it beyond a plain one, and what of that it has here.

Source: Juju's page on the file and ``LXDProfile`` of its charm package, whose refusals are kept; LXD's reference of the
devices ``unix-char`` and ``unix-block``. A profile's name, and where it is shown: ``core/lxdprofile`` and
``juju status`` of Juju 3.6.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from . import charm as charm_
from . import model as model_
from .refusal import Refused

FILE = 'lxd-profile.yaml'

_DEVICES = ('unix-char', 'unix-block', 'gpu', 'usb')
"""Types that Juju lets a charm ask for."""
_RESERVED = ('boot', 'limits', 'migration')
"""Beginnings of settings that are not the charm's to make."""
_THERE = {'security.nesting': 'true', 'security.privileged': 'true'}
"""What every machine here has anyway."""
_MODULES = 'linux.kernel_modules'
_NUMBER = {'mode': 8, 'uid': 10, 'gid': 10}


def parse(raw: Any) -> charm_.Profile | None:
    """A profile, from its YAML with all values as text; None where nothing stands in it.

    Raises:
        charm.Invalid: one line a problem. What Juju does not allow is no problem yet: see :func:`check`.
    """
    if not raw:
        return None
    problems: list[str] = []
    outer = _mapping(raw, '', problems)
    devices = {
        name: _texts(entry, f'devices.{name}', problems)
        for name, entry in _mapping(outer.get('devices'), 'devices', problems).items()
    }
    for name, device in devices.items():
        problems += [f'{FILE}: devices.{name}: {problem}' for problem in _faults(device)]
    profile = charm_.Profile(
        config=_texts(outer.get('config'), 'config', problems),
        description=str(outer.get('description') or ''),
        devices=devices,
    )
    if problems:
        raise charm_.Invalid('\n'.join(problems))
    return profile if profile.config or profile.devices else None


def _mapping(raw: Any, where: str, problems: list[str]) -> dict[str, Any]:
    if not raw:
        return {}
    if not isinstance(raw, dict):
        problems.append(f'{FILE}: {where + ": " if where else ""}must be a mapping')
        return {}
    return {str(k): v for k, v in cast('dict[Any, Any]', raw).items()}


def _texts(raw: Any, where: str, problems: list[str]) -> dict[str, str]:
    found = _mapping(raw, where, problems)
    wrong = [name for name, value in found.items() if not isinstance(value, str)]
    problems += [f'{FILE}: {where}.{name}: must be text' for name in wrong]
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _faults(device: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with a device that a machine here would be given."""
    if device.get('type') not in ('unix-char', 'unix-block'):
        return
    if not device.get('source') and not device.get('path'):
        yield 'needs a "source" or a "path"'
    for name in ('source', 'path'):
        value = device.get(name, '')
        if value and (posixpath.normpath(value) != value or not _NODE.fullmatch(value)):
            yield f'{name} "{value}" is not the path of a device, such as /dev/net/tun'
    for name, base in _NUMBER.items():
        if name in device and not _is_number(device[name], base):
            example = 'an octal number such as 0660' if base == 8 else 'a number such as 0'
            yield f'{name} "{device[name]}" is not {example}'


_NODE = re.compile(r'/dev/[A-Za-z0-9_./+@-]+')


def _is_number(text: str, base: int) -> bool:
    try:
        return 0 <= int(text, base) < 1 << (12 if base == 8 else 31)
    except ValueError:
        return False


def check(charm: charm_.Charm, *, force: bool) -> None:
    """Raise Refused, in Juju's words, for a charm whose profile has what is not a charm's to say."""
    if charm.profile is None or force:
        return
    for device in charm.profile.devices.values():
        if device.get('type', _DEVICES[0]) not in _DEVICES:
            raise Refused(f'invalid {FILE}: contains device type "{device["type"]}"')
    for key in charm.profile.config:
        if key.startswith(_RESERVED):
            raise Refused(f'invalid {FILE}: contains config value "{key}"')


def remarks(profile: charm_.Profile | None) -> tuple[str, ...]:
    """What is to be said of a profile to whoever deploys its charm: one line on what is there, one on what is not."""
    if profile is None:
        return ()
    there = [k for k, v in profile.config.items() if _THERE.get(k) == v]
    known = {*there, _MODULES}
    not_here = [f'{k}={v}'.partition('\n')[0] for k, v in profile.config.items() if k not in known]
    not_here += [
        f'device {name} ({device.get("type", "no type")})'
        for name, device in profile.devices.items()
        if device.get('type') not in ('unix-char', 'unix-block')
    ]
    out: list[str] = []
    if there:
        out.append(f'{FILE}: every machine here has {", ".join(there)} already')
    if not_here:
        out.append(f'{FILE}: a machine here cannot have {", ".join(not_here)}; it goes without')
    return tuple(out)


def devices(profile: charm_.Profile | None) -> tuple[charm_.Device, ...]:
    """The devices of a profile that a machine here can be given, where its host has them."""
    found: list[charm_.Device] = []
    for device in profile.devices.values() if profile else ():
        kind = device.get('type')
        if kind != 'unix-char' and kind != 'unix-block':
            continue
        source = device.get('source') or device['path']
        found.append(
            charm_.Device(
                path=device.get('path') or source,
                source=source,
                kind=kind,
                mode=int(device.get('mode', '0660'), 8),
                uid=int(device.get('uid', '0')),
                gid=int(device.get('gid', '0')),
            )
        )
    return tuple(found)


def modules(profile: charm_.Profile | None) -> tuple[str, ...]:
    """The kernel modules that a profile names."""
    text = profile.config.get(_MODULES, '') if profile else ''
    return tuple(name for part in text.split(',') if (name := part.strip()))


# A machine


def of_machine(model: model_.Model, machine: str) -> dict[str, charm_.Profile]:
    """The profiles of a machine's units by application, principals first."""
    units = sorted(model.units_on(machine), key=_order)
    return _profiles(model, [u.application for u in units])


def _order(unit: model_.Unit) -> tuple[bool, str, int]:
    return bool(unit.principal), unit.application, unit.number


def _profiles(model: model_.Model, applications: list[str]) -> dict[str, charm_.Profile]:
    found = {name: model.charm_of(name).profile for name in applications}
    return {name: profile for name, profile in found.items() if profile is not None}


def _to_come(model: model_.Model, machine: str) -> dict[str, charm_.Profile]:
    """As :func:`of_machine`, with subordinates that are related and will come: devices come with a machine's start."""
    mine = {u.application for u in model.units_on(machine)}
    below = {
        end.application
        for relation in model.relations.values()
        if any(e.application in mine for e in relation.endpoints)
        and any(e.scope == 'container' for e in relation.endpoints)
        for end in relation.endpoints
        if end.application in model.applications and model.charm_of(end.application).subordinate
    }
    return {**of_machine(model, machine), **_profiles(model, sorted(below - mine))}


def wanted_devices(model: model_.Model, machine: str) -> tuple[charm_.Device, ...]:
    """What a machine is to be given when it is made; of two devices in one place, the first."""
    every = [d for profile in _to_come(model, machine).values() for d in devices(profile)]
    return tuple({device.path: device for device in reversed(every)}.values())[::-1]


def wanted_modules(model: model_.Model, machine: str) -> tuple[str, ...]:
    """Kernel modules that are to be there before a machine is made."""
    every = [m for profile in _to_come(model, machine).values() for m in modules(profile)]
    return tuple(dict.fromkeys(every))


def lacking(model: model_.Model, machine: model_.Machine) -> str:
    """What charms ask for and a running machine is without, and why, in one line; empty if there is nothing."""
    if machine.phase != 'started':
        return ''
    host: dict[str, list[str]] = {}
    later: dict[str, list[str]] = {}
    for application, profile in of_machine(model, machine.id).items():
        asked = [(device.path, device.path) for device in devices(profile)]
        asked += [(name, f'kernel module {name}') for name in modules(profile)]
        for name, thing in asked:
            if not machine.given.get(name, False):
                where = host if name in machine.given else later
                where.setdefault(thing, []).append(application)
    said = [f'this host has no {thing} (for {", ".join(who)})' for thing, who in host.items()]
    said += [
        f'{thing} (for {", ".join(who)}) comes with the next restart of the machine'
        for thing, who in later.items()
    ]
    return '; '.join(said)


def shown_name(model: model_.Model, application: str) -> str:
    """Name of an application's profile, as Juju makes it; empty if its charm has none."""
    charm = model.charm_of(application)
    return f'juju-{model.name}-{application}-{charm.revision}' if charm.profile else ''


def shown(model: model_.Model, machine: str) -> dict[str, Any]:
    """``lxd-profiles`` of a machine, as ``juju status`` shows them."""
    return {
        shown_name(model, application): {
            'config': dict(profile.config),
            'description': profile.description,
            'devices': {name: dict(device) for name, device in profile.devices.items()},
        }
        for application, profile in of_machine(model, machine).items()
    }
