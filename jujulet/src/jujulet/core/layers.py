"""The install cache: when a machine may start from what another unit's ``install`` left behind.

A hook's calls are recorded with their answers. For a new unit they are made again, purely, against its own context: if
every answer is the same, the hook would have gone the same way, so its layer is used and the replayed context is
committed. What a hook read through its tools is thus exactly the key. What it can read without them is in
:func:`family`, but for its own name and addresses: a hook that speaks of those is not replayed.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from collections.abc import Mapping

from . import context as context_
from . import environment, hooktools
from . import model as model_

VERSION = 3
"""Of the way in which recordings are made; a change forgets older ones."""

_PERSONAL = frozenset({'secret-add', 'secret-set', 'secret-get', 'juju-reboot'})
"""Calls of which something is left on disk, or in the machine, that is for one unit only."""


@dataclasses.dataclass(frozen=True)
class Recorded:
    """One call and what came back; bytes as base64, so that it can be kept as JSON."""

    argv: tuple[str, ...] = dataclasses.field(repr=False)
    stdin: str | None = dataclasses.field(default=None, repr=False)
    files: Mapping[str, str] = dataclasses.field(default_factory=model_.frozen_map, repr=False)
    stdout: str = dataclasses.field(default='', repr=False)
    stderr: str = ''
    code: int = 0


@dataclasses.dataclass(frozen=True)
class Recording:
    """All calls of one hook, in order."""

    calls: tuple[Recorded, ...] = ()
    personal: bool = False
    """What the hook did was for its own unit alone: never replayed."""


def family(model: model_.Model, unit: str) -> str:
    """What must be alike for a layer to be looked at: charm, base, resources, and what a hook's environment tells."""
    mine = model.units[unit]
    application = model.applications[mine.application]
    charm = model.charms[application.charm]
    machine = model.machines.get(mine.machine)
    base = machine.base if machine else application.base
    resources = sorted((r.name, r.digest) for r in application.resources.values())
    proxies = sorted((k, str(v)) for k, v in model.config.items() if 'proxy' in k)
    alike = [
        VERSION,
        charm.digest_on(base),
        str(base) + (f' as {machine.lsb_release}' if machine and machine.lsb_release else ''),
        application.name,
        model.juju_version,
        resources,
        proxies,
        # A machine has the memory that it may have, where LXCFS runs: what a hook writes may be sized by it.
        *([machine.constraints['mem']] if machine and machine.constraints.get('mem') else ()),
    ]
    return hashlib.sha256(json.dumps(alike).encode()).hexdigest()


def recorded(recording: Recording, call: context_.Call, result: context_.Result) -> Recording:
    """*recording* with one more call and what it was answered. What is only logged leaves nothing behind."""
    if call.argv[:1] == ('juju-log',):
        return recording
    personal = (
        recording.personal
        or (bool(call.argv) and call.argv[0] in _PERSONAL)
        or _speaks_of(call, identities(result.model, result.context.unit))
    )
    one = Recorded(
        call.argv,
        None if call.stdin is None else _text(call.stdin),
        {path: _text(data) for path, data in call.files.items()},
        _text(result.stdout),
        _text(result.stderr),
        result.code,
    )
    return Recording((*recording.calls, one), personal)


def replay(
    model: model_.Model,
    context: context_.Context,
    recording: Recording,
    now: float,
    *,
    prefix: str = '',
) -> tuple[model_.Model, context_.Context] | None:
    """Make the calls of a recording in another unit's context.

    The model and context in which the hook would have ended; None if any answer differs, for then so might the hook.
    """
    if recording.personal:
        return None
    for each in _telling(recording.calls):
        call = _call(each)
        result = hooktools.call(model, context, call, now, prefix=prefix)
        if (_text(result.stdout), _text(result.stderr), result.code) != (
            each.stdout,
            each.stderr,
            each.code,
        ):
            return None
        model, context = result.model, result.context
    return model, context


def _telling(calls: tuple[Recorded, ...]) -> tuple[Recorded, ...]:
    """Calls whose answers can have made a difference.

    Every charm on ops ends each hook with ``is-leader``, when all its handlers have run, to see whether to collect the
    application's status; without a collector nothing follows. So as the last call it tells nothing.
    """
    return calls[:-1] if calls and calls[-1].argv[0] == 'is-leader' else calls


def identities(model: model_.Model, unit: str) -> tuple[str, ...]:
    """Texts by which a unit can tell itself from others without asking a hook tool."""
    mine = model.units[unit]
    machine = model.machines.get(mine.machine)
    names = [unit, environment.tag(unit), model.uuid]
    if machine is not None:
        names.append(machine.hostname)
        names += [ip for a in machine.addresses for ip in (a.ipv4, a.ipv6, a.mac)]
    return tuple(name for name in names if name)


def _speaks_of(call: context_.Call, texts: tuple[str, ...]) -> bool:
    said = [word.encode('utf-8', 'surrogateescape') for word in call.argv[1:]]
    said += [call.stdin or b'', *call.files.values()]
    return any(text.encode() in piece for text in texts for piece in said)


def _call(each: Recorded) -> context_.Call:
    return context_.Call(
        each.argv,
        None if each.stdin is None else base64.b64decode(each.stdin),
        {path: base64.b64decode(data) for path, data in each.files.items()},
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
