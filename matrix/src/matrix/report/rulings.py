"""How far the rules of a test came, from its notes. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from matrix.grammar import located
from matrix.history import journal, notes
from matrix.report import words


@dataclasses.dataclass(frozen=True)
class RuleOutcome:
    """A rule of a test, how far it came, and what it said last."""

    task: str
    phase: str
    message: str = ''


def rules(entries: Iterable[journal.Entry]) -> tuple[RuleOutcome, ...]:
    """The rules of one test and how far each came, in the order in which they were made."""
    found: list[RuleOutcome] = []
    for entry in entries:
        if isinstance(entry.what, journal.Note):
            advance(found, entry.what.kind, entry.what.value)
    return tuple(found)


def advance(found: list[RuleOutcome], kind: str, said: located.Plain) -> None:
    """Fold one note into the rules of a test; a note of another kind changes nothing."""
    value = words.mapping(said)
    match kind:
        case 'rule.create':
            found.append(RuleOutcome(words.text(value.get('task') or said), 'waiting'))
        case notes.STATE_CHANGE:
            name, state = words.text(value.get('name')), words.text(value.get('value'))
            _move(found, name, state if state in _STATES else '')
        case notes.RULE_DONE:
            _end(
                found,
                RuleOutcome(
                    words.text(value.get('task')),
                    words.text(value.get('phase')),
                    words.text(value.get('message')),
                ),
            )
        case _:
            pass


_STATES = ('running', 'paused', 'complete')
_OPEN = ('waiting', *_STATES)


def _move(found: list[RuleOutcome], state: str, phase: str) -> None:
    for n, one in enumerate(found):
        name = one.task if '/' in one.task else one.task.rpartition('.')[2]
        if phase and name == state and one.phase in _OPEN[:3]:
            found[n] = dataclasses.replace(one, phase=phase)


def _end(found: list[RuleOutcome], done: RuleOutcome) -> None:
    # The first rule of that task that is not over yet: two rules may run the same task.
    mine = [n for n, one in enumerate(found) if one.task == done.task]
    still = [n for n in mine if found[n].phase in _OPEN]
    if still:
        found[still[0]] = done
    elif not mine:
        found.append(done)
