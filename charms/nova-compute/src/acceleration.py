"""Whether guests run with KVM, or in QEMU's emulator. Pure, but for the program that tries it.

That ``/dev/kvm`` is there says little: in some virtual machines a guest's firmware runs with it and its kernel hangs.
So it is tried once for each version of the packages, and what came of it is kept.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import json
from collections.abc import Mapping
from typing import Any, cast

import charmkit
from charmkit import host, options
from charmkit.machine import Machine

NAME = 'kvm'
"""Of the task, and of what is kept."""
PROGRAM = '/usr/local/lib/charmkit/kvm-trial'
_WITHIN_S = 120.0
OPTION = options.Option(
    'virt-type',
    options.one_of('auto', 'kvm', 'qemu'),
    'auto',
    'How guests run: `kvm`, or `qemu` for its emulator, many times slower. `auto` takes KVM only where '
    'something was seen to boot with it.',
)


@dataclasses.dataclass(frozen=True)
class Trial:
    """Boot something with KVM. The result is '' when it came up, else why not, in words."""

    name: str = NAME

    def carry_out(self, machine: Machine) -> str:
        """Try it, by *machine*."""
        done = machine.program('/usr/bin/python3', PROGRAM, timeout_s=_WITHIN_S)
        if done.status == 0:
            return ''
        lines = [line.strip() for line in done.output.splitlines() if line.strip()]
        return lines[-1][:200] if lines else f'its trial ended with {done.status}'


def tasks(ready: charmkit.Ready) -> tuple[charmkit.Task, ...]:
    """The trial, while it is not known what comes of it."""
    return () if _asked(ready) != 'auto' or _kept(ready) is not None else (Trial(),)


def memory(ready: charmkit.Ready) -> Mapping[str, Any]:
    """What came of the trial."""
    said = _said(ready)
    return {} if said is None else {NAME: {'for': _version(ready), 'said': said}}


def decided(ready: charmkit.Ready) -> bool:
    """Whether it is known how guests run."""
    return _asked(ready) != 'auto' or _said(ready) is not None


def virt_type(ready: charmkit.Ready) -> str:
    """``kvm`` or ``qemu``, as nova and libvirt call them."""
    asked = _asked(ready)
    if asked == 'auto':
        return 'kvm' if _said(ready) == '' else 'qemu'
    return asked


def notes(ready: charmkit.Ready) -> tuple[charmkit.Status, ...]:
    """That guests are slow, and why."""
    if virt_type(ready) == 'kvm' or not decided(ready):
        return ()
    why = f' ({said})' if (said := _said(ready)) else ''
    return (charmkit.Status('active', f'qemu emulates, no KVM{why}'),)


def program() -> host.File:
    """The program of the trial."""
    text = (importlib.resources.files('kvm_trial').joinpath('trial.py')).read_text()
    return host.File(path=PROGRAM, content=text, mode=0o755)


def _asked(ready: charmkit.Ready) -> str:
    return str(ready.inputs.options.get(OPTION.name, 'auto'))


def _said(ready: charmkit.Ready) -> str | None:
    """What the trial of this run or of an earlier one has said; None while there was none."""
    seen = ready.inputs.seen.get(NAME)
    return seen if isinstance(seen, str) else _kept(ready)


def _kept(ready: charmkit.Ready) -> str | None:
    kept = ready.inputs.memory.get(NAME)
    if not isinstance(kept, Mapping):
        return None
    kept = cast('Mapping[str, object]', kept)
    said = kept.get('said')
    return said if isinstance(said, str) and kept.get('for') == _version(ready) else None


def _version(ready: charmkit.Ready) -> str:
    return json.dumps(sorted(ready.inputs.versions.items()))
