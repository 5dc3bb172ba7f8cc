"""The install cache: when a machine may start from what another unit's ``install`` left behind.

A hook's calls are recorded with their answers. For a new unit they are made again, purely, against its own context: if
every answer is the same, the hook would have gone the same way, so its layer is used and the replayed context is
committed. What a hook read through its tools is thus exactly the key; what it could read without them (its unit's
name and addresses) must not stand in what it said.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from collections.abc import Iterable
from typing import Any, cast

from . import charm as charm_
from . import context as context_
from . import hooktools
from . import model as model_

VERSION = 1
"""Of the way in which recordings are made; a change forgets older ones."""

_NEVER = frozenset({'secret-add', 'secret-set', 'juju-reboot'})
"""Calls whose effect is not for another unit: ids and contents of secrets are in what the hook wrote to disk."""


@dataclasses.dataclass(frozen=True)
class Recorded:
    """One call and what came back."""

    call: context_.Call = dataclasses.field(repr=False)
    stdout: bytes = dataclasses.field(default=b'', repr=False)
    stderr: bytes = b''
    code: int = 0


Recording = tuple[Recorded, ...]


def key(charm: charm_.Charm, base: charm_.Base, image: str, recording: Recording = ()) -> str:
    """The name of a layer: of a charm's content, the base and the image of it that it stands on, and what was read.

    Recordings of one charm, base and image share :func:`family`; those that read other things differ behind it.
    """
    digest = hashlib.sha256(dump(recording)).hexdigest()[:12]
    return f'{family(charm, base, image)}-{digest}'


def family(charm: charm_.Charm, base: charm_.Base, image: str) -> str:
    """What all layers begin with that a unit of this charm on this base may be able to use."""
    text = json.dumps([VERSION, charm.digest, str(base), image])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def record(call: context_.Call, answer: context_.Answer) -> Recorded:
    """A call as it is kept."""
    return Recorded(call, answer.stdout, answer.stderr, answer.code)


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
    if any(each.call.argv[:1] and each.call.argv[0] in _NEVER for each in recording):
        return None
    for each in recording:
        answer = hooktools.call(model, context, each.call, now, prefix=prefix)
        if (answer.stdout, answer.stderr, answer.code) != (each.stdout, each.stderr, each.code):
            return None
        model, context = answer.model, answer.context
    return model, context


def identities(model: model_.Model, unit: str) -> tuple[str, ...]:
    """Texts by which a unit can tell itself from others without asking a hook tool."""
    mine = model.units[unit]
    machine = model.machines.get(mine.machine)
    names = [unit, unit.replace('/', '-'), model.uuid]
    if machine is not None:
        names.append(machine.hostname)
        names += [ip for a in machine.addresses for ip in (a.ipv4, a.ipv6, a.mac)]
    return tuple(name for name in names if name)


def speaks_of(recording: Recording, texts: Iterable[str]) -> bool:
    """Whether a hook said any of *texts*: what it did was then for one unit, and its layer is not for others."""
    wanted = [text.encode() for text in texts]
    for each in recording:
        said = [*(w.encode('utf-8', 'surrogateescape') for w in each.call.argv[1:])]
        said += [each.call.stdin or b'', *each.call.files.values()]
        if any(text in piece for text in wanted for piece in said):
            return True
    return False


def dump(recording: Recording) -> bytes:
    """A recording as JSON."""
    rows = [
        {
            'argv': each.call.argv,
            'stdin': None if each.call.stdin is None else _text(each.call.stdin),
            'files': {path: _text(data) for path, data in each.call.files.items()},
            'stdout': _text(each.stdout),
            'stderr': _text(each.stderr),
            'code': each.code,
        }
        for each in recording
    ]
    return json.dumps({'version': VERSION, 'calls': rows}, sort_keys=True).encode()


def load(raw: bytes) -> Recording | None:
    """What :func:`dump` wrote; None if another version did."""
    found: dict[str, Any] = json.loads(raw)
    if found.get('version') != VERSION:
        return None
    return tuple(_row(row) for row in cast('list[dict[str, Any]]', found['calls']))


def _row(row: dict[str, Any]) -> Recorded:
    files = cast('dict[str, str]', row['files'])
    call = context_.Call(
        tuple(row['argv']),
        None if row['stdin'] is None else base64.b64decode(row['stdin']),
        {path: base64.b64decode(data) for path, data in files.items()},
    )
    stdout, stderr = base64.b64decode(row['stdout']), base64.b64decode(row['stderr'])
    return Recorded(call, stdout, stderr, row['code'])


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
