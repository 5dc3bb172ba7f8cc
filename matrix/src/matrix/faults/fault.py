"""What a fault is. Data and four questions; `inject.py` drives it, `shell.py` makes one from four scripts.

The contract (docs/adr/0013-a-fault-proves-itself.md): its heal is armed before it bites, on the machine itself and
by a timer of the machine's own; it must show that it landed, and that it is healed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping

from matrix.juju import link
from matrix.plans import plan


@dataclasses.dataclass(frozen=True)
class Injection:
    """One event of a plan at work: who is struck, among whom, and with what.

    `peers` are the addresses of everything in the model that is not struck. `parameters` are those of the event.
    `memory` is the event's own, kept from one question to the next (a process id before the kill, for the proof).
    """

    event: plan.FaultEvent
    targets: tuple[str, ...]
    peers: tuple[str, ...]
    link: link.Link
    parameters: Mapping[str, float | int | str | bool]
    memory: dict[str, str] = dataclasses.field(default_factory=dict[str, str])


class HopelessError(link.LinkError):
    """What is waited for cannot come any more; says why. Ends the wait for a proof."""


Proof = str
"""One sentence of what was seen; empty: not seen (yet)."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Args:
        kind: its name, selectors, hold and parameters: what plans are made of.
        sentence: what it does, for people; `{target}` is who was struck.
        colour: of its bands in reports.
        unable: why these targets cannot be struck so (a tool, a kernel feature, a container); '' when they can.
        arm: prepares the heal on the machine so that it comes by itself, whatever becomes of the runner and network.
        inject: bites.
        landed: what was seen of it biting; asked again until something is, or its time is over.
        heal: undoes it; does nothing where there is nothing to undo, and may be called twice.
        healed: what was seen of it being undone.
        spare: how many units of the application must be left alone.
        exclusive: two faults with the same word here never strike the same machine at once; '' means none.
        needs: words that the facts of a target's machine must hold (`facts.py`) for a plan to strike there.
        reversible: False for what changes the model (a removed unit): the shrinker treats it as a barrier.
        within: seconds for `landed`, and for `healed`.
        undo: the `juju` commands that undo what no machine can; written down before it bites.
        asked: chosen by chance only where a suite names it.
    """

    kind: plan.Kind
    sentence: str
    colour: str
    unable: Callable[[Injection], Awaitable[str]]
    arm: Callable[[Injection], Awaitable[None]]
    inject: Callable[[Injection], Awaitable[None]]
    landed: Callable[[Injection], Awaitable[Proof]]
    heal: Callable[[Injection], Awaitable[None]]
    healed: Callable[[Injection], Awaitable[Proof]]
    spare: int = 1
    exclusive: str = ''
    needs: frozenset[str] = frozenset()
    reversible: bool = True
    within: tuple[float, float] = (15.0, 60.0)
    undo: Callable[[Injection], tuple[tuple[str, ...], ...]] | None = None
    asked: bool = False
