"""What is known of a run: pass < unknown < fail. Pure.

The lattice is Jepsen's: what could not be checked is unknown, and unknown is never a pass.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable
from typing import Literal


class Outcome(enum.IntEnum):
    """Ordered by how bad it is, so that the worst of many is their `max`."""

    PASS = 0
    UNKNOWN = 1
    FAIL = 2


@dataclasses.dataclass(frozen=True, order=True)
class Signature:
    """What makes two failures the same failure: the check, the kind of operation, the kind of error."""

    check: str
    operation: str = ''
    error: str = ''


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What one check says: an outcome, one sentence, and the journal entries (`seq`) that show it.

    `signature` is what a failure is told by; `other_signatures` are the others that it has, since which of them is the
    most frequent is chance. `excused` is what else went wrong, a sentence each, that the outcome does not count.
    """

    check: str
    outcome: Outcome
    sentence: str
    evidence: tuple[int, ...] = ()
    signature: Signature | None = None
    other_signatures: tuple[Signature, ...] = ()
    excused: tuple[str, ...] = ()
    context: tuple[int, ...] = ()


def worst(verdicts: Iterable[Verdict]) -> Outcome:
    """The worst outcome; unknown when nothing was checked at all."""
    return max((verdict.outcome for verdict in verdicts), default=Outcome.UNKNOWN)


Ending = Literal['passed', 'unknown', 'failed', 'infrastructure', 'no-model']

# In juju-solutions/matrix the last writer won (its defect 13); here the worst by priority does.
_CODES: dict[Ending, tuple[int, int]] = {
    'failed': (4, 101),
    'no-model': (3, 200),
    'infrastructure': (2, 1),
    'unknown': (1, 101),
    'passed': (0, 0),
}


def exit_code(endings: Iterable[Ending], *, unknown_is: Literal['pass', 'fail'] = 'fail') -> int:
    """The exit code of a run from how its tests ended: 101, 200, 1 or 0, as juju-solutions/matrix has them.

    By priority: a failure that counts (101), no model (200), the infrastructure (1), unknown, passed (0). Unknown has
    no code in 0.10, which called it a pass. Here it counts as a failure (101) unless `unknown_is` says otherwise: a
    pipeline must not turn green on what nobody saw. What broke the run stands before it: when no test could run, the
    reader is to look at Juju first.
    """
    _, code = max(
        ((0, 0) if ending == 'unknown' and unknown_is == 'pass' else _CODES[ending])
        for ending in (*endings, 'passed')
    )
    return code
