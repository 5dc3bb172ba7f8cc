"""A fault made of shell scripts, which run as root on the machine of each target.

    prepare   looks around before anything is broken, and keeps what the others need to know (`keep NAME VALUE`)
    inject    bites
    landed    prints what is seen of it biting; prints nothing, or fails, while nothing is
    heal      undoes it; also run by the machine's own timer, so it may ask nobody
    healed    prints what is seen of it being undone
    unable    prints why this machine cannot be struck so; nothing when it can

Values reach a script through its environment alone and are checked before: no text of a plan is ever part of a script.
What a script can use is at the top of `scripts/common.sh`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import importlib.resources
import math
import re
from collections.abc import Mapping
from typing import TypeAlias

from matrix.faults import fault
from matrix.juju import link
from matrix.plans import plan

Value: TypeAlias = float | int | str | bool
Values: TypeAlias = Mapping[str, Value]

GRACE = 15.0
"""Seconds that a machine's own timer leaves the runner to heal first."""

_NAME = re.compile(r'[a-z][a-z0-9_]{0,30}')
_KEPT = re.compile(r'keep ([A-Z][A-Z0-9_]{0,30})=(.*)')
_VALUE = re.compile(r'[A-Za-z0-9@%+,.:/_ -]{0,400}')
_EVENT = re.compile(r'[A-Za-z0-9][A-Za-z0-9_-]{0,40}')
_OURS = frozenset(
    {
        'event',
        'target',
        'peers',
        'hold',
        'deadman',
        'pick',
        'state',
        'undo',
        'probe',
        'path',
        'ifs',
    }
)


def read(name: str) -> str:
    """One of the scripts that come with matrix."""
    return importlib.resources.files('matrix.faults').joinpath('scripts', name).read_text()


@dataclasses.dataclass(frozen=True)
class Scripts:
    """What happens on the machine; each as the module says."""

    inject: str
    landed: str
    heal: str = ':'
    healed: str = 'echo "nothing is left to undo"'
    prepare: str = ''
    unable: str = ''


def fault_of(
    kind: plan.Kind,
    sentence: str,
    colour: str,
    scripts: Scripts,
    *,
    defaults: Values | None = None,
    spare: int = 0,
    exclusive: str = '',
    needs: frozenset[str] = frozenset(),
    within: tuple[float, float] = (15.0, 60.0),
    asked: bool = False,
) -> fault.Fault:
    """The fault that does this; `defaults` are parameters that a plan need not say."""
    work = _Work(scripts, defaults or dict[str, Value](), within)
    return fault.Fault(
        kind=kind,
        sentence=sentence,
        colour=colour,
        unable=work.unable,
        arm=work.arm,
        inject=work.inject,
        landed=work.landed,
        heal=work.heal,
        healed=work.healed,
        spare=spare,
        exclusive=exclusive,
        needs=needs | {'systemd', 'python3'},
        within=within,
        asked=asked,
    )


@dataclasses.dataclass(frozen=True)
class _Work:
    scripts: Scripts
    defaults: Values
    within: tuple[float, float]

    async def unable(self, injection: fault.Injection) -> str:
        try:
            _ = [environment(injection, target, self.defaults) for target in injection.targets]
        except ValueError as error:
            return str(error)
        ran = await self._each(
            injection, f'{_ABLE}\n{self.scripts.unable}', seconds=150.0, quiet=True
        )
        reasons = (
            f'{target}: {said}'
            for target, one in ran.items()
            if (said := _last(one.output) or ('' if one.code == 0 else 'cannot be looked at'))
        )
        return '; '.join(reasons)

    async def arm(self, injection: fault.Injection) -> None:
        seconds = math.ceil(injection.event.hold + self.within[0] + GRACE)
        more = {
            'UNDO': read('common.sh') + self.scripts.heal,
            'DEADMAN': str(seconds),
            'MATRIX_MODEL': injection.link.model,
        }
        text = f'prepare() {{\n:\n{self.scripts.prepare}\n}}\n{read("arm.sh")}'
        ran = await self._each(injection, text, more, seconds=60.0)
        _all_well(ran, 'could not be armed')
        for target, one in ran.items():
            for line in one.output.splitlines():
                if kept := _KEPT.fullmatch(line):
                    injection.memory[f'{target} {kept[1]}'] = kept[2]
            injection.memory[f'{target} DEADMAN'] = str(seconds)

    async def inject(self, injection: fault.Injection) -> None:
        _all_well(
            await self._each(injection, _BEFORE_HEAL + self.scripts.inject),
            'could not be injected',
        )

    async def landed(self, injection: fault.Injection) -> fault.Proof:
        seconds = max(5.0, self.within[0])
        return _proof(
            await self._each(injection, self.scripts.landed, seconds=seconds, quiet=True)
        )

    async def heal(self, injection: fault.Injection) -> None:
        text = '[ ! -e "$STATE/heal" ] || sh "$STATE/heal" </dev/null'
        _all_well(await self._each(injection, text, seconds=60.0), 'could not be healed')

    async def healed(self, injection: fault.Injection) -> fault.Proof:
        looks = f'seen() {{\n{self.scripts.healed}\n}}\nproof=$(seen)\n[ -n "$proof" ]\n'
        text = f'{looks}{read("forget.sh")}printf "%s\\n" "$proof"'
        seconds = max(5.0, self.within[1])
        return _proof(await self._each(injection, text, seconds=seconds, quiet=True))

    async def _each(
        self,
        injection: fault.Injection,
        text: str,
        more: Mapping[str, str] | None = None,
        *,
        seconds: float = 30.0,
        quiet: bool = False,
    ) -> dict[str, link.ScriptResult]:
        """Run a script for every target at once, each whole or not at all: a shell reads a group to its end first."""
        noise = ' 2>/dev/null' if quiet else ''
        script = f'{{\n{read("common.sh")}\n{text}\n}} </dev/null{noise}\n'

        async def one(target: str) -> link.ScriptResult:
            variables = {**environment(injection, target, self.defaults), **(more or {})}
            return await injection.link.script(target, script, env=variables, within=seconds)

        tasks = [asyncio.ensure_future(one(target)) for target in injection.targets]
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        except asyncio.CancelledError:
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        return {
            target: task.result() for target, task in zip(injection.targets, tasks, strict=True)
        }


# A script that a cut link delays must not bite after the heal has been there.
_BEFORE_HEAL = """\
exec 9>"$STATE/lock"
flock 9
[ ! -e "$STATE/undone" ] || { echo 'it has been healed already'; exit 1; }
"""
_ABLE = """\
[ -d /run/systemd/system ] || { echo 'systemd does not run there, so nothing would heal by itself'; exit 0; }
have python3 || { echo 'python3 is not installed there'; exit 0; }
"""


def environment(injection: fault.Injection, target: str, defaults: Values) -> dict[str, str]:
    """What a script gets.

    Raises:
        ValueError: a name or value could mean something to a shell; says which.
    """
    if not _EVENT.fullmatch(injection.event.id):
        raise ValueError(f'{injection.event.id!r} cannot name an event that runs on a machine')
    variables = {
        'EVENT': injection.event.id,
        'TARGET': target,
        'PEERS': ' '.join(injection.peers),
        'HOLD': str(math.ceil(injection.event.hold)),
        'PICK': str(int(hashlib.sha256(injection.event.id.encode()).hexdigest()[:6], 16)),
        'PROBE': read('probe.py'),
    }
    for name, value in {**defaults, **injection.parameters}.items():
        if not _NAME.fullmatch(name) or name in _OURS:
            raise ValueError(f'{name!r} cannot name a parameter')
        said = str(int(value) if isinstance(value, bool) else value)
        variables[name.upper()] = _validated(name, said) if name in injection.parameters else said
    for key, value in injection.memory.items():
        whose, _, name = key.partition(' ')
        if whose == target:
            variables[name] = value
    return variables


def _validated(name: str, value: str) -> str:
    if not _VALUE.fullmatch(value):
        raise ValueError(
            f'{name.lower()!r} cannot be {value!r}: letters, digits and @%+,.:/_- only'
        )
    return value


def _all_well(ran: Mapping[str, link.ScriptResult], what: str) -> None:
    wrong = [
        f'{target} {what}: {_last(one.output) or f"exit code {one.code}"}'
        for target, one in ran.items()
        if one.code
    ]
    if wrong:
        raise link.LinkError('; '.join(wrong))


def _proof(ran: Mapping[str, link.ScriptResult]) -> fault.Proof:
    """What was seen at every target; nothing, if at one of them nothing was."""
    said = {target: '' if one.code else _last(one.output) for target, one in ran.items()}
    if not said or not all(said.values()):
        return ''
    return '; '.join(f'{target}: {proof}' for target, proof in said.items())


def _last(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ''
