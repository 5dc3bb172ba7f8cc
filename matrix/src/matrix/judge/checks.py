"""What a check is: a function from the journal of one test to a verdict. Pure.

A check that found nothing to judge says unknown, never pass: it has to have been able to fail. Those of matrix stand
beside this module; `panel.py` says which apply. Others are named by entry points (`matrix.checks`) or by the bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from matrix.history import journal, notes
from matrix.judge import stats, verdict

percentile = stats.percentile

Check = Callable[[journal.Journal], verdict.Verdict]

_UNKNOWN = verdict.Outcome.UNKNOWN


def run(checks: Mapping[str, Check], read: journal.Journal) -> tuple[verdict.Verdict, ...]:
    """The verdict of every check. One that breaks is unknown, and so is a journal with lines that say nothing."""
    found = [_one(name, check, read) for name, check in checks.items()]
    if read.problems:
        sentence = (
            f'{len(read.problems)} line(s) of the journal cannot be read, first {read.problems[0]}'
        )
        found.append(verdict.Verdict('journal', _UNKNOWN, sentence))
    elif wrong := _says_nothing(read):
        found.append(verdict.Verdict('journal', _UNKNOWN, wrong))
    return tuple(found)


def _says_nothing(read: journal.Journal) -> str:
    """The first note that is not of the shape of its kind: whoever wrote it was not this matrix."""
    for entry in read.entries:
        if isinstance(entry.what, journal.Note) and (
            why := notes.wrong(entry.what.kind, entry.what.value)
        ):
            return f'line {entry.seq} of the journal cannot be understood: {why}'
    return ''


def _one(name: str, check: Check, read: journal.Journal) -> verdict.Verdict:
    try:
        found = cast('object', check(read))
    except Exception as error:  # A check of someone's own may break; a broken check is not a pass.
        return verdict.Verdict(name, _UNKNOWN, f'the check broke: {type(error).__name__}: {error}')
    if not isinstance(found, verdict.Verdict):
        return verdict.Verdict(
            name, _UNKNOWN, f'the check returned {found!r}, which is no verdict'
        )
    return found
