"""What was made in a cloud stays as it was, and nothing is left of it once it is deleted. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import cast

from matrix.grammar import located
from matrix.history import journal, notes
from matrix.judge import trial, verdict

_FAIL, _UNKNOWN, _PASS = verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN, verdict.Outcome.PASS

STATUS = 'status'
"""The one fact that may be another while faults strike, so long as it comes back."""


def kinds(of: trial.Trial) -> tuple[tuple[str, str, str], ...]:
    """Kinds of operation that make what lasts, each with those that look at it and let it go; as the load said."""
    found: dict[tuple[str, str, str], None] = {}
    for value in of.values(notes.LOAD):
        for some in cast('Sequence[object]', trial.mapping(value).get('keeps') or ()):
            if isinstance(some, list) and len(cast('list[object]', some)) == 3:
                make, look, let_go = (str(one) for one in cast('list[object]', some))
                found[make, look, let_go] = None
    return tuple(found)


@dataclasses.dataclass(frozen=True)
class _Life:
    """One thing: who made it, the looks at it between that and its deletion."""

    name: str
    made: journal.Done
    looks: tuple[journal.Done, ...]

    @property
    def facts(self) -> Mapping[str, located.Plain]:
        """What was seen of it when it was made."""
        return trial.mapping(self.made.end.value if self.made.end else None)

    def changed(self, look: journal.Done) -> tuple[str, ...]:
        """The facts that are not as they were; all where it is not there."""
        seen = trial.mapping(look.end.value if look.end else None)
        return tuple(key for key, value in self.facts.items() if seen.get(key) != value)


def kept(of: trial.Trial, make: str, look: str, let_go: str) -> verdict.Verdict:
    """What was made is there, with all that was seen of it when it was made, until somebody lets it go.

    No fault explains that it is gone, or that a fact of it is another: an address, what is attached. Its status may be
    another while faults strike; before the first it may not, nor when it is looked at for the last time.
    """
    sort = make.partition('.')[0]
    name = f'kept {sort}'
    lives = _lives(of, make, look, let_go)
    for one in lives:
        if wrong := _wrong(of, name, look, one):
            return wrong
    if not lives:
        return verdict.Verdict(name, _UNKNOWN, f'no {make} was acknowledged')
    healed = max((one.band.healed or math.inf for one in of.strikes), default=0.0)
    met = [one for one in lives if trial.ended(one.made) <= of.first]
    if of.strikes and not any(any(each.at >= healed for each in one.looks) for one in met):
        what = (
            f'no {sort} that was there before the faults was looked at after them'
            if met
            else f'no {sort} was there before the first fault'
        )
        return verdict.Verdict(name, _UNKNOWN, what)
    count = sum(len(one.looks) for one in lives)
    if not count:
        return verdict.Verdict(name, _UNKNOWN, f'no {sort} was looked at after it was made')
    s = 's' * (len(lives) != 1)
    said = f'{len(lives)} {sort}{s} kept all that was seen of {"them" if s else "it"}, in {count} looks'
    away = sum(bool(one.changed(each)) for one in lives for each in one.looks)
    times = 'once it' if away == 1 else f'{away} times one'
    more = f'; {times} had another status, after the first fault' if away else ''
    return verdict.Verdict(name, _PASS, said + more)


def _lives(of: trial.Trial, make: str, look: str, let_go: str) -> list[_Life]:
    going: dict[str, float] = {}
    looks: dict[str, list[journal.Done]] = {}
    for one in of.done:
        key = str(one.invoke.value)
        if one.invoke.kind == let_go:
            going.setdefault(key, one.at)
        elif one.invoke.kind == look and one.how == 'ok':
            looks.setdefault(key, []).append(one)
    found: list[_Life] = []
    for one in of.done:
        if one.invoke.kind == make and one.how == 'ok':
            key = str(one.invoke.value)
            some = tuple(
                each
                for each in looks.get(key, ())
                if each.at >= trial.ended(one) and trial.ended(each) <= going.get(key, math.inf)
            )
            found.append(_Life(key, one, some))
    return found


def _wrong(of: trial.Trial, name: str, look: str, life: _Life) -> verdict.Verdict | None:
    last = max(life.looks, key=lambda one: one.at, default=None)
    for one in life.looks:
        if not (one.end and one.end.value):
            return _lost(of, name, look, life, one, 'is not there any more', 'gone')
        changed = life.changed(one)
        firm = [key for key in changed if key != STATUS]
        if firm:
            return _lost(of, name, look, life, one, _became(life, one, firm[0]), firm[0])
        if changed and (one is last or one.at < of.first):  # Without a fault, all are before it.
            return _lost(of, name, look, life, one, _became(life, one, STATUS), STATUS)
    return None


def _became(life: _Life, look: journal.Done, key: str) -> str:
    seen = trial.mapping(look.end.value if look.end else None)
    return f'had {key} {_said(life.facts.get(key))}, and has {_said(seen.get(key))}'


def _said(value: located.Plain) -> str:
    if isinstance(value, list):
        return ', '.join(map(str, value)) or 'none'
    return 'none' if value is None else str(value)


def _lost(
    of: trial.Trial,
    name: str,
    look: str,
    life: _Life,
    one: journal.Done,
    what: str,
    error: str,
) -> verdict.Verdict:
    why = of.why(one.at, trial.ended(one))
    during = f', while {why[-1].sentence}' if why else ''
    sentence = (
        f'{life.name} {what} (made at {life.made.at:.1f} s, seen so at {one.at:.1f} s{during})'
    )
    signature = verdict.Signature('kept', look, error)
    return verdict.Verdict(name, _FAIL, sentence, (one.seq,), signature)


def left(of: trial.Trial) -> verdict.Verdict:
    """When all that lasts was let go, nothing of it was there: in nova, placement, neutron or cinder.

    What belongs to something that is gone (an orphan) fails, whatever struck. What is there by its own name and cannot
    be deleted fails as well, but where one of its own operations was lost while a fault struck: then an operator has to
    repair it, and that is reported.
    """
    said = [(entry, trial.mapping(value)) for entry, value in of.notes.get(notes.LEFT, ())]
    if not said:
        sentence = 'nobody looked what is left of what was made: there was no chaos, or it did not come to its end'
        return verdict.Verdict('left', _UNKNOWN, sentence)
    entry, value = said[-1]
    found = [trial.mapping(one) for one in cast('Sequence[object]', value.get('left') or ())]
    excused = [one for one in found if one.get('how') == 'stuck' and _explained(of, one)]
    wrong = [one for one in found if one not in excused]
    if wrong:
        more = f' (and {len(wrong) - 1} more)' if len(wrong) > 1 else ''
        first = verdict.Signature('left', str(wrong[0].get('what')), str(wrong[0].get('how')))
        others = dict.fromkeys(
            verdict.Signature('left', str(one.get('what')), str(one.get('how'))) for one in wrong
        )
        return verdict.Verdict(
            'left',
            _FAIL,
            _left(wrong[0]) + more,
            (entry.seq,),
            first,
            tuple(one for one in others if one != first),
        )
    unseen = [str(one) for one in cast('Sequence[object]', value.get('unseen') or ())]
    if unseen:
        sentence = f'{", ".join(unseen)} did not say what is left of what was made'
        return verdict.Verdict('left', _UNKNOWN, sentence, (entry.seq,))
    made = {key: trial.number(count) for key, count in trial.mapping(value.get('made')).items()}
    if not any(made.values()):
        return verdict.Verdict('left', _UNKNOWN, 'nothing was made that could have been left')
    what = ', '.join(
        f'{count:g} {key}{"s" * (count != 1)}' for key, count in made.items() if count
    )
    where = ', '.join(str(one) for one in cast('Sequence[object]', value.get('asked') or ()))
    described = tuple(f'{_left(one)}; an operation on it was lost' for one in excused)
    sentence = '; '.join([f'nothing is left of {what} in {where}', *described])
    return verdict.Verdict('left', _PASS, sentence, excused=described)


def _left(one: Mapping[str, located.Plain]) -> str:
    what, name, state = (str(one.get(key) or '') for key in ('what', 'name', 'state'))
    state = f' ({state})' if state else ''
    if one.get('how') == 'stuck':
        return f'the {what} {name} could not be deleted{state}'
    return f'{one.get("service")} has the {what} {one.get("id")}{state} of {name}, which is gone'


def _explained(of: trial.Trial, one: Mapping[str, located.Plain]) -> bool:
    """One of its own operations, or of what stands on it, was lost while a fault struck."""
    names = {str(one.get('name')), *map(str, cast('Sequence[object]', one.get('because') or ()))}
    return any(
        str(done.invoke.value) in names and done.how != 'ok' and of.why(done.at, trial.ended(done))
        for done in of.done
    )
