"""Faults for machines without systemd. Each undoes itself by a process of the machine's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from matrix.faults import fault
from matrix.plans import plan, selectors

_UNITS = (selectors.Selector('units'), selectors.Selector('one'))


def _on_each(script: str) -> Callable[[fault.Injection], Awaitable[str]]:
    async def run(injection: fault.Injection) -> str:
        said = ''
        for target in injection.targets:
            ran = await injection.link.script(target, script)
            if ran.code:
                return ''
            said = ran.output.strip()
        return said

    return run


async def _able(injection: fault.Injection) -> str:
    return ''


def _fault(name: str, inject: str, landed: str, heal: str, healed: str) -> fault.Fault:
    async def arm(injection: fault.Injection) -> None:
        seconds = injection.event.hold + 5
        await _on_each(f'cd "$HOME"; (sleep {seconds:g}; {heal}) >/dev/null 2>&1 &')(injection)

    async def bite(injection: fault.Injection) -> None:
        await _on_each(f'cd "$HOME"; {inject}')(injection)

    async def undo(injection: fault.Injection) -> None:
        await _on_each(f'cd "$HOME"; {heal}; true')(injection)

    return fault.Fault(
        kind=plan.Kind(name, _UNITS, hold=(1.0, 2.0)),
        sentence=f'{name} strikes {{target}}',
        colour='#a0b1e9',
        unable=_able,
        arm=arm,
        inject=bite,
        landed=_on_each(f'cd "$HOME"; {landed}'),
        heal=undo,
        healed=_on_each(f'cd "$HOME"; {healed}'),
        within=(2.0, 10.0),
    )


HIDE = _fault(
    'hide',
    'mv word hidden',
    'test ! -e word && echo "the word is gone"',
    'test -e hidden && mv hidden word',
    'test -e word && echo "the word is back"',
)
TOUCH = _fault(
    'touch',
    'touch mark',
    'test -e mark && echo "the mark is there"',
    'rm -f mark',
    'test ! -e mark && echo "the mark is gone"',
)
# It says that it bites, and does nothing: only its proof can tell.
LIE = _fault('lie', 'true', 'test -e never', 'true', 'echo "nothing to undo"')

FAULTS = [HIDE, TOUCH, LIE]
