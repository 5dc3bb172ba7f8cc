"""What one run of a bundle cost: figures of which less is better, each from the run's journal. Pure."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, cast

from matrix.history import journal, notes
from matrix.judge import panel, stats, trial, verdict

LEAST = 20
"""Answers below which a run says nothing of the latency of a kind of operation in a period."""

_LATE = 0.1  # seconds: what the runner began later says nothing of the bundle

Sort = Literal[
    'check', 'lost', 'out', 'p50', 'p95', 'settle', 'hook', 'hooks',
    'memory', 'connections', 'files', 'processes',
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Measure:
    """What a sort of figure is, and how much more of it matters.

    A figure is compared as the logarithm of itself plus `small`, so that differences far below `small` are none; and it
    matters where that grows by `share` or more. `unit` is that of the figure and of `small`.
    """

    words: str
    unit: Literal['seconds', 'share', 'bytes', 'count', 'outcome']
    small: float
    share: float


MEASURES: Mapping[Sort, Measure] = {
    'check': Measure('the check {of}', 'outcome', 0.5, 0.5),
    'lost': Measure('operations of {of} that did not work', 'share', 0.01, 0.5),
    'out': Measure('seconds in which {of} failed', 'count', 1, 0.5),
    'p50': Measure('the median latency of {of}', 'seconds', 0.005, 0.25),
    'p95': Measure('the 95th percentile of the latency of {of}', 'seconds', 0.02, 0.5),
    'settle': Measure('until {of} is deployed and at rest', 'seconds', 5, 0.3),
    'hook': Measure('the hook {of}', 'seconds', 0.3, 0.4),
    'hooks': Measure('hooks that {of} ran', 'count', 3, 0.5),
    'memory': Measure('memory of the machines of {of}', 'bytes', 32 * 1024 * 1024, 0.25),
    'connections': Measure('open connections of the machines of {of}', 'count', 4, 0.5),
    'files': Measure('open files of the machines of {of}', 'count', 50, 0.3),
    'processes': Measure('processes of the machines of {of}', 'count', 4, 0.3),
}  # fmt: skip


@dataclasses.dataclass(frozen=True, order=True)
class Figure:
    """What a figure is of: its sort, and the kind of operation, application, hook or check; `period` of a load."""

    sort: Sort
    of: str
    period: str = ''

    @property
    def words(self) -> str:
        """What it is, for people."""
        when = f', {self.period} the faults' if self.period else ''
        return MEASURES[self.sort].words.format(of=self.of) + when


@dataclasses.dataclass(frozen=True)
class Costs:
    """One run. `broken` says why it says nothing of the bundle ('' when it does); `sentence` is what it came to.

    `outcomes` are those of its checks. `kinds` are the kinds of operation and periods that its load had.
    """

    figures: Mapping[Figure, float] = dataclasses.field(default_factory=dict[Figure, float])
    outcomes: Mapping[str, verdict.Outcome] = dataclasses.field(
        default_factory=dict[str, verdict.Outcome]
    )
    sentences: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    sentence: str = ''
    broken: str = ''

    @property
    def outcome(self) -> verdict.Outcome:
        """The worst of its checks."""
        return max(self.outcomes.values(), default=verdict.Outcome.UNKNOWN)


def of(read: journal.Journal) -> Costs:
    """What the journal of a whole run says. One that is torn, empty or of a run that could not be made is broken."""
    if read.problems:
        return Costs(broken=f'its journal is damaged: {read.problems[0]}')
    if not any(
        isinstance(one.what, journal.Note) and one.what.kind == notes.RUN_END
        for one in read.entries
    ):
        return Costs(broken='it did not come to its end')
    judged = panel.judge(read)
    for test in judged.tests:
        if test.ending in {'infrastructure', 'no-model'}:
            return Costs(broken=test.sentence)
    if not judged.tests:
        return Costs(broken='nothing ran')
    parts = trial.split(read)
    figures: dict[Figure, float] = {}
    outcomes: dict[str, verdict.Outcome] = {}
    sentences: dict[str, str] = {}
    for (name, part), test in zip(parts, judged.tests, strict=True):
        prefix = f'{name}: ' if len(parts) > 1 else ''
        for one in test.verdicts:
            outcomes[prefix + one.check] = one.outcome
            sentences[prefix + one.check] = one.sentence
            figures[Figure('check', prefix + one.check)] = (
                float(one.outcome) / verdict.Outcome.FAIL
            )
        for figure, value in _of_test(trial.of(name, part)):
            figures[dataclasses.replace(figure, of=prefix + figure.of)] = value
    return Costs(figures, outcomes, sentences, judged.sentence)


def _of_test(of: trial.Trial) -> Iterator[tuple[Figure, float]]:
    by_kind: dict[tuple[str, str], list[journal.Done]] = collections.defaultdict(list)
    for period, some in of.split.items():
        for one in some:
            by_kind[one.invoke.kind, period].append(one)
    for (kind, period), some in by_kind.items():
        yield from _of_kind(kind, period, some)
    yield from _of_hooks(of.read.entries)
    yield from _of_deployment(of.read.entries)
    for value in of.values(notes.USAGE):
        for application, used in trial.mapping(value).items():
            for sort, number in trial.mapping(used).items():
                if sort in MEASURES and isinstance(number, int | float):
                    yield Figure(cast('Sort', sort), application), float(number)


def _of_kind(
    kind: str, period: str, some: Sequence[journal.Done]
) -> Iterator[tuple[Figure, float]]:
    bad = [one for one in some if one.how != 'ok']
    yield Figure('lost', kind, period), len(bad) / len(some)
    yield Figure('out', kind, period), float(len({math.floor(one.at) for one in bad}))
    latencies = [
        one.latency
        for one in some
        if one.how == 'ok' and one.latency is not None and one.invoke.late <= _LATE
    ]
    if len(latencies) >= LEAST:
        yield Figure('p50', kind, period), stats.percentile(latencies, 0.5)
        yield Figure('p95', kind, period), stats.percentile(latencies, 0.95)


def _of_hooks(entries: Iterable[journal.Entry]) -> Iterator[tuple[Figure, float]]:
    took: dict[str, list[float]] = collections.defaultdict(list)
    ran: collections.Counter[str] = collections.Counter()
    for entry in entries:
        hook = entry.what
        if not isinstance(hook, journal.Hook) or hook.phase != 'ended':
            continue
        application = hook.unit.partition('/')[0]
        if hook.hook == 'update-status':
            continue  # It comes by the clock, not by what happens.
        ran[application] += 1
        if hook.took is not None:
            took[f'{hook.hook} of {application}'].append(hook.took)
    for name, seconds in took.items():
        yield Figure('hook', name), min(seconds)  # All the others waited for something, too.
    for application, number in ran.items():
        yield Figure('hooks', application), float(number)


def _of_deployment(entries: Sequence[journal.Entry]) -> Iterator[tuple[Figure, float]]:
    for entry in entries:
        what = entry.what
        if isinstance(what, journal.Note) and (what.kind, what.value) == (notes.PHASE, 'settled'):
            yield Figure('settle', 'the bundle'), entry.at - entries[0].at
            return
