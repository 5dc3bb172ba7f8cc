"""When a run is stopped before its plan is over: what it may cost at most, and whether it does. Pure."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Sequence

from matrix.grammar import fields, located
from matrix.history import journal, notes
from matrix.judge import probes, stats, trial, verdict

KEYS = ('errors', 'p99', 'over', 'least')
OVER = 20.0  # seconds that are looked at
LEAST = 20  # operations in them, below which a share says nothing


@dataclasses.dataclass(frozen=True)
class Limits:
    """What stops a run: a share of `errors`, or a 99th percentile in seconds, of the last `over` seconds.

    Of fewer than `least` operations nothing is said. Infinity: never.
    """

    errors: float = math.inf
    p99: float = math.inf
    over: float = OVER
    least: int = LEAST


def read(value: located.Value | None) -> Limits:
    """`abort` in tests/test.yaml.

    Raises:
        problem.RefusedError: with every problem, each at its line.
    """
    if value is None:
        return Limits()
    reading = fields.Fields()
    mapping = reading.mapping(value, KEYS, "'abort'")
    found = Limits()
    if mapping is not None:
        found = Limits(
            reading.number(mapping, 'errors', math.inf, most=1.0),
            reading.number(mapping, 'p99', math.inf),
            reading.number(mapping, 'over', OVER, least=1.0),
            int(reading.number(mapping, 'least', LEAST, least=1.0)),
        )
        if found.errors == 1.0:
            reading.wrong(value.where, "'errors' is less than 1: more than all never fail")
        if not (math.isfinite(found.errors) or math.isfinite(found.p99)):
            reading.wrong(
                value.where, "'abort' needs 'errors' or 'p99', or it would never stop a run"
            )
    reading.done()
    return found


class Watchdog:
    """Hears a journal as it is written, and says once why the run is to stop."""

    def __init__(self, limits: Limits, some: Sequence[probes.Probe] = ()):
        self._limits = limits
        self._probes = {one.name: one for one in some if one.abort}
        self._begun: dict[str, float] = {}
        self._ended: collections.deque[tuple[float, bool, float]] = collections.deque()

    def take(self, at: float, what: journal.What) -> str:
        """Why to stop now; '' to go on. `at` is in seconds, and never goes back."""
        if isinstance(what, journal.Operation):
            return self._operation(at, what)
        if isinstance(what, journal.Note) and what.kind == notes.PROBE:
            sample = probes.sample_of(what.value)
            one = self._probes.get(sample.name)
            why = probes.wrong(one, sample) if one is not None else ''
            return (
                f'probe {sample.name}{f" on {sample.on}" if sample.on else ""}: {why}'
                if why
                else ''
            )
        return ''

    def _operation(self, at: float, what: journal.Operation) -> str:
        if what.phase == 'invoke':
            self._begun[what.id] = at - what.late
            return ''
        began = self._begun.pop(what.id, at)
        if what.error == trial.STOPPED:
            return ''
        self._ended.append((at, what.phase == 'ok', at - began))
        while self._ended[0][0] < at - self._limits.over:
            self._ended.popleft()
        return self._exceeded()

    def _exceeded(self) -> str:
        limits, count = self._limits, len(self._ended)
        if count < limits.least:
            return ''
        bad = sum(not ok for _, ok, _ in self._ended)
        if bad / count > limits.errors:
            return (
                f'{bad} of {count} operations failed within {limits.over:g} s ({bad / count:.0%}, '
                f'allowed {limits.errors:.0%})'
            )
        if math.isfinite(limits.p99):
            p99 = stats.percentile([took for _, _, took in self._ended], 0.99)
            if p99 > limits.p99:
                return (
                    f'p99 of the last {limits.over:g} s is {p99:.2f} s, allowed {limits.p99:.2f} s'
                )
        return ''


def abort(of: trial.Trial) -> verdict.Verdict:
    """A run that was stopped has failed: it cost more than it may."""
    entry, value = of.notes[notes.ABORTED][-1]
    strikes = of.why(entry.at, entry.at)
    while_ = f', while {" and ".join(one.sentence for one in strikes)}' if strikes else ''
    sentence = f'stopped at {entry.at:.1f} s: {trial.mapping(value).get("why")}{while_}'
    signature = verdict.Signature('abort', error=str(trial.mapping(value).get('kind') or ''))
    return verdict.Verdict('abort', verdict.Outcome.FAIL, sentence, (entry.seq,), signature)
