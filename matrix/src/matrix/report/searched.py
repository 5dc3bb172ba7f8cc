"""What the search for the smallest plan found, in words. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from matrix.grammar import located
from matrix.history import journal
from matrix.report import words

text, mapping = words.text, words.mapping

_CONTROL = 'it fails without any fault'


@dataclasses.dataclass(frozen=True)
class Smallest:
    """The smallest plan that still fails: its file's text, its events in words, and the command that replays it.

    `replays` is how many runs it took; `necessary` names the events without which a run passed.
    """

    text: str
    events: tuple[str, ...]
    command: str
    replays: int = 0
    necessary: tuple[str, ...] = ()
    minimal: bool = True

    @property
    def sentence(self) -> str:
        """How many faults still fail, and how sure that is."""
        n = len(self.events)
        said = (
            f'{words.count(n, "fault")} still {"fails" if n == 1 else "fail"}' if n else _CONTROL
        )
        found = f', found in {words.count(self.replays, "replay")}' if self.replays else ''
        without = f'; without {" or ".join(self.necessary)} it passed' if self.necessary else ''
        sure = '' if self.minimal else '; it is not sure that each of them is needed'
        return f'{said}{found}{without}{sure if n > 1 else ""}'


REPLAY, NOT_AGAIN = 'replay', 'not again'
SMALLEST = 'smallest'
"""The note of a smallest plan: {plan (its text), events (in words), command, replays, necessary (ids)}."""


def smallest(value: Mapping[str, located.Plain]) -> Smallest | None:
    """What the note of a smallest plan holds; None of nothing."""
    if not value:
        return None
    replays = value.get('replays')
    return Smallest(
        text=text(value.get('plan')),
        events=_words(value.get('events')),
        command=text(value.get('command')),
        replays=replays if isinstance(replays, int) else 0,
        necessary=_words(value.get('necessary')),
        minimal=value.get('minimal') is not False,
    )


def replays(entries: Iterable[journal.Entry]) -> Iterator[str]:
    """Each replay of a journal, in words."""
    for entry in entries:
        if isinstance(entry.what, journal.Note) and entry.what.kind == REPLAY:
            yield replayed(entry.what.value)


def replayed(value: located.Plain) -> str:
    """One replay, in words."""
    held = mapping(value)
    tried = ', '.join(_words(held.get('faults'))) or 'no fault'
    return f'replay {text(held.get("number"))} with {tried}: {text(held.get("how"))}'


def not_again(value: located.Plain) -> str:
    """Why a search found nothing, in words; '' of nothing."""
    if value is None:
        return ''
    held = mapping(value)
    if held.get('why'):
        return text(held.get('why'))
    tried, shown, dead, broken = (
        number if isinstance(number := held.get(key), int) else 0
        for key in ('replays', 'shown', 'dead', 'broken')
    )
    late = '' if held.get('in_time', True) else ', and the time for it was over'
    if shown or 'shown' not in held:
        found = words.count(shown or tried, 'replay')
        return f'the failure did not come again in {found} that could have shown it{late}'
    because = [
        f'in {words.count(dead, "replay")} the service did not work before any fault' if dead else '',
        f'{words.count(broken, "replay")} could not be carried out ({text(held.get("reason"))})' if broken else '',
        'the time for it was over' if late else '',
    ]  # fmt: skip
    said = '; '.join(one for one in because if one) or 'none was made'
    return f'nobody knows whether the failure comes again: {said}'


def _words(value: located.Plain) -> tuple[str, ...]:
    return tuple(text(one) for one in value) if isinstance(value, list) else ()
