"""A step of an upgrade as an event: `juju lifecycle upgrade --until STEP`, so that faults fall into the middle of it.

matrix knows nothing of upgrades but that command: what it prints, and how it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re

from matrix import programs
from matrix.faults import changing, fault, kinds
from matrix.plans import plan, selectors

_UNITS = (selectors.Selector('units'), selectors.Selector('one'))
_WORDS = ('to', 'origin', 'charms')
_LINE = re.compile(r'\d\d:\d\d:\d\d (?P<kind>\w+) +(?P<step>[a-z][a-z0-9-]*(?:\.[\w-]+)+)')
_CHECK = 300.0  # seconds for the plan
_BEGINS = 600.0  # seconds until the first step begins: a preflight looks at the whole model
_LONGEST = 3600.0  # seconds for all of it


@dataclasses.dataclass
class _Upgrade:
    """The command at work: what it has said, and its exit code once it is over."""

    lines: list[str] = dataclasses.field(default_factory=list[str])
    code: int | None = None
    task: asyncio.Task[None] | None = None


_AT_WORK: dict[tuple[str, str], _Upgrade] = {}
"""By model and event: a fault keeps only text of its own."""


def steps(lines: list[str]) -> list[str]:
    """The steps that the command has told of, in order, each once. Pure."""
    found = [told['step'] for line in lines if (told := _LINE.match(line))]
    return list(dict.fromkeys(found))


def words(injection: fault.Injection) -> list[str]:
    """What the command is called with.

    Raises:
        ValueError: a parameter cannot be a word of a command.
    """
    found = ['--model', injection.link.model]
    for name in _WORDS:
        if (said := injection.parameters.get(name, '')) != '':
            found += [f'--{name}', changing.word(said)]
    return [*found, injection.targets[0].partition('/')[0]]


async def _unable(injection: fault.Injection) -> str:
    step = injection.parameters.get('until', '')
    if step == '' or not any(injection.parameters.get(name, '') != '' for name in _WORDS):
        return "it needs 'until' (a step, as juju lifecycle plan names it) and 'to', 'origin' or 'charms'"
    if len(injection.targets) != 1:
        return 'one application is upgraded at a time'
    said: list[str] = []
    try:
        step = changing.word(step)
        async with (
            asyncio.timeout(_CHECK),
            programs.running('juju', 'lifecycle', 'plan', *words(injection)) as process,
        ):
            await asyncio.gather(
                programs.follow(process.stdout, said.append),
                programs.follow(process.stderr, said.append),
            )
            code = await process.wait()
    except TimeoutError:
        return f'juju lifecycle plan did not end within {_CHECK:g} s'
    except (OSError, ValueError) as error:
        return f'juju lifecycle cannot be asked: {error}'
    if code:
        return f'juju lifecycle plan: {said[-1] if said else f"exit code {code}"}'
    if not any(step in line.split() for line in said):
        return f'juju lifecycle plan has no step {step}'
    return ''


async def _arm(injection: fault.Injection) -> None:
    injection.memory['until'] = changing.word(injection.parameters['until'])


async def _inject(injection: fault.Injection) -> None:
    upgrade = _Upgrade()
    argv = ('juju', 'lifecycle', 'upgrade', '--yes', '--until', injection.memory['until'])

    async def go() -> None:
        try:
            async with programs.running(*argv, *words(injection)) as process:
                await asyncio.gather(
                    programs.follow(process.stdout, upgrade.lines.append),
                    programs.follow(process.stderr, upgrade.lines.append),
                )
                upgrade.code = await process.wait()
        except (OSError, ValueError) as error:
            upgrade.lines.append(str(error))
            upgrade.code = 1

    upgrade.task = asyncio.create_task(go(), name=f'upgrade {injection.event.id}')
    _AT_WORK[injection.link.model, injection.event.id] = upgrade


def _at_work(injection: fault.Injection) -> _Upgrade:
    found = _AT_WORK.get((injection.link.model, injection.event.id))
    if found is None:
        raise fault.HopelessError('the upgrade was never begun')
    return found


def _last(lines: list[str]) -> str:
    said = [line for line in lines if line and not line.startswith(('journal: ', 'page: '))]
    return said[-1] if said else 'it said nothing'


async def _landed(injection: fault.Injection) -> fault.Proof:
    upgrade = _at_work(injection)
    if begun := steps(upgrade.lines):
        return f'juju lifecycle is at {begun[0]}'
    if upgrade.code is not None:
        raise fault.HopelessError(f'juju lifecycle did nothing: {_last(upgrade.lines)}')
    return ''


async def _heal(injection: fault.Injection) -> None:
    """Nothing: an upgrade goes on by itself. One that was broken off goes on by the same command."""


async def _healed(injection: fault.Injection) -> fault.Proof:
    upgrade = _at_work(injection)
    if upgrade.code is None:
        return ''
    with contextlib.suppress(KeyError):
        del _AT_WORK[injection.link.model, injection.event.id]
    told = steps(upgrade.lines)
    if upgrade.code:
        raise fault.HopelessError(f'juju lifecycle stopped: {_last(upgrade.lines)}')
    if injection.memory['until'] not in told:
        raise fault.HopelessError(f'juju lifecycle never reported {injection.memory["until"]}')
    return f'juju lifecycle is done with {told[-1]} ({len(told)} steps)'


UPGRADE = fault.Fault(
    kind=plan.Kind('upgrade-step', _UNITS, (1.0, 1.0)),
    sentence='the application of {target} is upgraded until a step',
    colour=kinds.MODEL,
    unable=_unable,
    arm=_arm,
    inject=_inject,
    landed=_landed,
    heal=_heal,
    healed=_healed,
    spare=0,
    reversible=False,
    within=(_BEGINS, _LONGEST),
)

ONLY_IN_PLANS: tuple[fault.Fault, ...] = (UPGRADE,)
"""Known by name, never chosen by chance."""
