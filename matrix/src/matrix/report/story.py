"""What a run came to, ready to be shown: every report is a function of this. Pure.

A journal may hold several tests, and the plan of each names its events anew: what stands between one `test.start`
and the next is shown by itself.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from matrix.blame import suspects
from matrix.grammar import located
from matrix.history import journal, notes, periods
from matrix.judge import checks, panel, verdict
from matrix.report import lanes, rulings, searched, words

_ENDINGS: dict[verdict.Ending, verdict.Outcome] = {
    'passed': verdict.Outcome.PASS,
    'failed': verdict.Outcome.FAIL,
}


Judged = panel.Judged
Blame = Mapping[str, tuple[suspects.Suspect, ...]]
"""For each check that failed, every fault that was armed, the likeliest cause first."""
_NO_BLAME: Blame = {}
Smallest = searched.Smallest
REPLAY, NOT_AGAIN, SMALLEST = searched.REPLAY, searched.NOT_AGAIN, searched.SMALLEST
replayed, not_again = searched.replayed, searched.not_again
text, mapping = words.text, words.mapping


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault of one test. `landed` and `healed` are None where that was never seen; times in seconds of the run."""

    test: str
    id: str
    kind: str
    targets: tuple[str, ...]
    start: float
    landed: float | None
    healed: float | None
    proof: str = ''
    healed_proof: str = ''

    @property
    def proven(self) -> bool:
        """Whether it was seen to bite and seen to be undone."""
        return self.landed is not None and self.healed is not None

    @property
    def name(self) -> str:
        """Its event, kind and targets, in one phrase."""
        return ' '.join((self.id, self.kind, ', '.join(self.targets))).strip()


@dataclasses.dataclass(frozen=True)
class Row:
    """The operations of one period: how many, what became of them, and latency in seconds of those answered."""

    period: periods.Period
    total: int
    failed: int
    unanswered: int
    p50: float
    p99: float


@dataclasses.dataclass(frozen=True)
class Test:
    """One test of the run, from its start to its end (seconds of the run)."""

    name: str
    start: float
    end: float
    judged: Judged
    rules: tuple[rulings.RuleOutcome, ...] = ()
    stages: tuple[lanes.Span, ...] = ()
    faults: tuple[Fault, ...] = ()
    rows: tuple[Row, ...] = ()
    suspects: tuple[suspects.Suspect, ...] = ()
    blame: Blame = dataclasses.field(default_factory=lambda: _NO_BLAME)
    operations: tuple[journal.Done, ...] = ()
    refused: tuple[str, ...] = ()
    load: str = ''
    plan: located.Plain = None

    def suspected(self, check: str = '') -> tuple[suspects.Suspect, ...]:
        """The faults that are suspected of a check's failure; without a name, of the one that decides."""
        found = self.blame.get(check, ()) if check else self.suspects
        return tuple(one for one in found if one.score > 0)

    @property
    def innocent(self) -> str:
        """Why no fault is suspected of what decides; '' where one is, or nothing is known."""
        return innocent(self.suspects)

    @property
    def outcome(self) -> verdict.Outcome:
        """How it ended: that is the worst of its checks, but for one that does not gate, which is shown alone."""
        return _ENDINGS.get(self.judged.ending, verdict.Outcome.UNKNOWN)


@dataclasses.dataclass(frozen=True)
class Story:
    """A whole run. `ending` is what the run itself said at its end; '' when it did not get to say it.

    `replays` are what shrinking tried, and `not_again` why it found nothing.
    """

    run: Mapping[str, located.Plain]
    began: str
    length: float
    tests: tuple[Test, ...]
    ending: str
    outcome: verdict.Outcome
    sentence: str
    lanes: tuple[lanes.Lane, ...] = ()
    logs: tuple[lanes.Log, ...] = ()
    smallest: Smallest | None = None
    replays: tuple[str, ...] = ()
    not_again: str = ''
    folder: str = ''
    damaged: int = 0
    coverage: Mapping[str, located.Plain] = dataclasses.field(
        default_factory=dict[str, located.Plain]
    )

    @property
    def worst(self) -> Test | None:
        """The test that a reader wants to see first: the worst outcome, then the most faults."""
        return _worst(self.tests)

    @property
    def title(self) -> str:
        """The bundle, by the name of its file."""
        return text(self.run.get('bundle')).rstrip('/').rpartition('/')[2] or 'bundle'


def innocent(ranked: Sequence[suspects.Suspect]) -> str:
    """Why no fault is suspected; '' where one is, or none was armed."""
    if not ranked or any(one.score > 0 for one in ranked):
        return ''
    if any(suspects.BEFORE in one.why for one in ranked):
        return suspects.BEFORE
    return 'nothing failed more while a fault struck than otherwise'


def summarise(
    read: journal.Journal,
    judged: Sequence[Judged],
    *,
    smallest: Smallest | None = None,
    folder: str = '',
) -> Story:
    """The story of a journal, with what was judged of it.

    Args:
        read: the journal.
        judged: one for each test; a test of the journal that is missing here counts as not judged (unknown).
        smallest: what shrinking found; without it, what the journal's note `smallest` says.
        folder: where the run's files are, for people.
    """
    entries = read.entries
    verdicts = {one.test: one for one in judged}
    tests = [_test(part, verdicts) for part in parts(entries)]
    known = {one.name for one in tests}
    end = entries[-1].at if entries else 0.0
    tests += [Test(one.test, end, end, one) for one in judged if one.test not in known]
    ran = [one for one in tests if not one.judged.skipped]
    smallest = smallest or searched.smallest(mapping(last(entries, SMALLEST)))
    ending = mapping(last(entries, notes.RUN_END))
    if not ending and last(entries, notes.KILLED) is not None:
        ending = {'ending': 'interrupted'}
    return Story(
        run=mapping(last(entries, notes.RUN)),
        began=entries[0].wall if entries else '',
        length=end,
        tests=tuple(tests),
        ending=text(ending.get('ending')),
        outcome=max((one.outcome for one in ran), default=verdict.Outcome.UNKNOWN),
        sentence=_sentence(tests, text(ending.get('ending'))),
        lanes=lanes.lanes(entries),
        logs=lanes.logs(entries),
        smallest=smallest,
        replays=tuple(searched.replays(entries)),
        not_again=not_again(last(entries, NOT_AGAIN)),
        folder=folder,
        damaged=len(read.problems),
        coverage=mapping(last(entries, notes.COVERAGE)),
    )


def parts(entries: Sequence[journal.Entry]) -> tuple[tuple[journal.Entry, ...], ...]:
    """The entries of each test, in order; a journal that names no test is one part."""
    starts = [n for n, one in enumerate(entries) if _is(one, notes.TEST_START)]
    if not starts:
        return (tuple(entries),) if entries else ()
    ends = [*starts[1:], len(entries)]
    return tuple(tuple(entries[start:end]) for start, end in zip(starts, ends, strict=True))


def faults(entries: Iterable[journal.Entry], test: str = '') -> tuple[Fault, ...]:
    """The faults of one test in the order in which they were armed, with what was seen of each."""
    entries = tuple(entries)
    said: dict[str, dict[str, journal.Fault]] = collections.defaultdict(dict)
    for entry in entries:
        if isinstance(entry.what, journal.Fault):
            said[entry.what.id].setdefault(entry.what.phase, entry.what)
    found: list[Fault] = []
    for band in periods.bands(entries):
        phases = said[band.id]
        targets = next((one.targets for one in phases.values() if one.targets), ())
        proofs = [phases[p].proof if p in phases else '' for p in ('landed', 'healed')]
        found.append(
            Fault(test, band.id, band.kind, targets, band.start, band.landed, band.healed, *proofs)
        )
    return tuple(found)


def rows(operations: Iterable[journal.Done], bands: tuple[periods.Band, ...]) -> tuple[Row, ...]:
    """What became of the operations before, during and after the faults; periods without any are there too."""
    by: dict[periods.Period, list[journal.Done]] = {one: [] for one in periods.periods(bands)}
    for done in operations:
        by.setdefault(periods.of(done, bands), []).append(done)
    return tuple(_row(period, done) for period, done in by.items())


def last(entries: Iterable[journal.Entry], kind: str) -> located.Plain:
    """The value of the last note of a kind, or None."""
    found: located.Plain = None
    for entry in entries:
        if isinstance(entry.what, journal.Note) and entry.what.kind == kind:
            found = entry.what.value
    return found


def _test(part: tuple[journal.Entry, ...], judged: Mapping[str, Judged]) -> Test:
    first = part[0]
    named = isinstance(first.what, journal.Note) and first.what.kind == notes.TEST_START
    name = text(_name(cast('journal.Note', first.what).value)) if named else 'run'
    operations = journal.operations(part)
    bands = periods.bands(part)
    said = judged.get(name, Judged(name))
    blame = suspects.of_checks(part, said.verdicts) if bands else {}
    decides = panel.worst(said.verdicts)
    load = last(part, notes.LOAD)
    return Test(
        name=name,
        start=first.at,
        end=_end_of(part),
        judged=said,
        rules=rulings.rules(part),
        stages=lanes.stages(part),
        faults=faults(part, name),
        rows=rows(operations, bands) if operations else (),
        suspects=blame.get(decides.check, ()) if decides is not None else (),
        blame=blame,
        operations=operations,
        refused=tuple(_refused(part)),
        load=text(mapping(load).get('sentence')) or text(last(part, notes.LOAD_NONE)),
        plan=last(part, notes.PLAN),
    )


def _end_of(part: Sequence[journal.Entry]) -> float:
    """Shrinking comes after the test, and is not of it."""
    over = [one.at for one in part if _is(one, notes.TEST_COMPLETE)]
    return over[-1] if over else part[-1].at


def _refused(part: Iterable[journal.Entry]) -> Iterable[str]:
    for entry in part:
        if _is(entry, notes.REFUSED):
            value = mapping(cast('journal.Note', entry.what).value)
            words = (text(value.get(key)) for key in ('event', 'fault'))
            yield f'{" ".join(words).strip()}: {text(value.get("reason"))}'


def _name(value: located.Plain) -> located.Plain:
    return mapping(value).get('test') or mapping(value).get('name') if mapping(value) else value


def _row(period: periods.Period, done: Sequence[journal.Done]) -> Row:
    latencies = sorted(one.latency for one in done if one.latency is not None)
    return Row(
        period,
        len(done),
        sum(one.how == 'fail' for one in done),
        sum(one.how == 'info' for one in done),
        checks.percentile(latencies, 0.5),
        checks.percentile(latencies, 0.99),
    )


def _worst(tests: Iterable[Test]) -> Test | None:
    return max(
        (one for one in tests if not one.judged.skipped),
        key=lambda one: (one.outcome, len(one.faults), len(one.operations)),
        default=None,
    )


def _sentence(tests: Sequence[Test], ending: str) -> str:
    """The panel's own sentence where it said one; else that of the worst check."""
    worst = _worst(tests)
    if worst is None:
        return 'no test ran' + (f' ({ending})' if ending else '')
    said = worst.judged
    if said.sentence:
        return said.sentence
    if not said.verdicts:
        return f'{worst.name} was not judged' + ('' if ending else ': the run did not end')
    if worst.outcome is verdict.Outcome.PASS:
        count = sum(len(one.faults) for one in tests)
        seen = f'{count} fault(s) landed and healed' if count else 'no fault was injected'
        return f'every check passed; {seen}'
    one = max(said.verdicts, key=lambda one: one.outcome)
    return f'{one.check}: {one.sentence}'


def _is(entry: journal.Entry, kind: str) -> bool:
    return isinstance(entry.what, journal.Note) and entry.what.kind == kind
