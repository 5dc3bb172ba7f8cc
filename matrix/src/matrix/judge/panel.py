"""All that is judged of a run, from its journal alone: what applies, what it says, and the one sentence. Pure."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from matrix.grammar import problem
from matrix.history import journal, notes
from matrix.judge import (
    abort,
    checks,
    expect,
    histories,
    keeping,
    probes,
    ran,
    recovery,
    resources,
    safety,
    service,
    thresholds,
    trial,
    verdict,
)

_FAIL, _UNKNOWN = verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN

# Of two failures, the one further up is the one to tell: what is lost says more than what was slow.
_WEIGHT = (
    'history', 'session', 'acknowledged', 'kept', 'reads', 'tokens', 'left', 'owners', 'abort', 'errors', 'load',
    'probe', 'thresholds', 'resources',
    'fingerprint', 'quiet', 'latency', 'rules', 'faults',
)  # fmt: skip

# Of several reasons not to know, the one that explains the others: without load nothing else can be seen.
_WEIGHT_OF_UNKNOWN = (
    'journal', 'expect', 'rules', 'load', 'faults', '', 'history', 'session', 'acknowledged', 'reads', 'kept',
    'tokens', 'left', 'owners', 'probe', 'effects', 'latency', 'thresholds', 'resources', 'fingerprint', 'quiet',
    'errors',
)  # fmt: skip

_Judge = Callable[[trial.Trial], verdict.Verdict]


@dataclasses.dataclass(frozen=True)
class Judged:
    """What was judged of one test. `skipped` says why it did not run, where it did not."""

    test: str
    verdicts: tuple[verdict.Verdict, ...] = ()
    sentence: str = ''
    skipped: str = ''
    ending: verdict.Ending = 'unknown'

    @property
    def outcome(self) -> verdict.Outcome:
        """The worst of its checks; unknown when it did not run."""
        return verdict.worst(self.verdicts)

    @property
    def worst(self) -> verdict.Verdict | None:
        """The verdict that decides, and that the sentence tells."""
        return worst(self.verdicts)

    @property
    def signature(self) -> verdict.Signature | None:
        """How it failed: what shrinking holds on to. None when it did not."""
        found = self.worst
        return found.signature if found is not None and found.outcome is _FAIL else None

    @property
    def signatures(self) -> frozenset[verdict.Signature]:
        """Every way in which it failed: a replay fails in the same way when one of these is the one looked for."""
        return frozenset(
            signature
            for one in self.verdicts
            if one.outcome is _FAIL
            for signature in (one.signature, *one.other_signatures)
            if signature is not None
        )


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What was judged of a run, test by test, and of the whole."""

    tests: tuple[Judged, ...]
    outcome: verdict.Outcome
    sentence: str

    @property
    def worst(self) -> Judged | None:
        """The test that decides."""
        return max(self.tests, key=lambda one: one.outcome, default=None)


def judge(
    read: journal.Journal,
    *,
    more: Mapping[str, checks.Check] | None = None,
    expected: expect.Expect | None = None,
) -> Judgement:
    """Judge a journal.

    Args:
        read: the journal of a whole run, or of one test.
        more: checks of others, by name; each is given one test's part of the journal.
        expected: what every test is held to, in place of what the journal says (its notes `expect`).
    """
    tests = tuple(_test(name, part, more or {}, expected) for name, part in trial.split(read))
    outcome = max((one.outcome for one in tests), default=_UNKNOWN)
    return Judgement(tests, outcome, _run_sentence(tests))


def judge_finished(
    read: journal.Journal, *, more: Mapping[str, checks.Check] | None = None
) -> Judgement:
    """Judge the journal of a run that is over: one that has a beginning and no end proves nothing of what followed."""
    found = judge(read, more=more)
    kinds = {one.what.kind for one in read.entries if isinstance(one.what, journal.Note)}
    if not found.tests or notes.RUN not in kinds or notes.RUN_END in kinds:
        return found
    sentence = 'the journal has no end: the run goes on, was killed, or its last lines are gone'
    faults = {one.what.id: one.what for one in read.entries if isinstance(one.what, journal.Fault)}
    if unhealed := [one for one in faults.values() if one.phase != 'healed']:
        names = '; '.join(' '.join((one.id, one.kind, *one.targets)) for one in unhealed)
        sentence += f'; not seen healed: {names}'
    for entry in read.entries:
        if isinstance(entry.what, journal.Note) and entry.what.kind == notes.KILLED:
            sentence = f'interrupted: the run was killed, and left {_left(entry.what.value)}'
    last = found.tests[-1]
    verdicts = (*last.verdicts, verdict.Verdict('journal', _UNKNOWN, sentence))
    decides = worst(verdicts)
    if decides is not None and decides.check == 'journal':
        last = dataclasses.replace(last, sentence=sentence, ending='unknown')
    tests = (*found.tests[:-1], dataclasses.replace(last, verdicts=verdicts))
    return Judgement(tests, max(one.outcome for one in tests), _run_sentence(tests))


def _left(value: object) -> str:
    left = cast('Mapping[str, object]', value).get('left') if isinstance(value, Mapping) else None
    return (
        '; '.join(map(str, cast('list[object]', left)))
        if isinstance(left, list) and left
        else 'no fault'
    )


def _test(
    name: str,
    part: journal.Journal,
    more: Mapping[str, checks.Check],
    expected: expect.Expect | None,
) -> Judged:
    try:
        of = trial.of(name, part, expected)
    except problem.RefusedError as error:
        sentence = f'what is expected cannot be read: {error}'
        found = verdict.Verdict('expect', _UNKNOWN, sentence)
        return Judged(name, (found,), sentence)
    if gone := _gone(of):
        # Whatever failed then, the bundle had no part in it.
        lost = verdict.Verdict('rules', _UNKNOWN, gone)
        return Judged(name, (lost,), gone, ending='infrastructure')
    own: dict[str, checks.Check] = {
        check: functools.partial(_ask, one, of)
        for check, one in _applying(of)
        if check not in of.expect.ignore
    }
    others = {check: one for check, one in more.items() if check not in of.expect.ignore}
    verdicts = checks.run({**own, **others}, part)
    return Judged(name, verdicts, _sentence(of, verdicts), ending=_ending(of, verdicts))


def _gone(of: trial.Trial) -> str:
    """That the model was destroyed in the middle of the test; '' when it was not."""
    said = [str(one) for one in of.values(notes.LOST)]
    return next((one for one in said if notes.GONE in one), '')


def _ask(one: _Judge, of: trial.Trial, _: journal.Journal) -> verdict.Verdict:
    return one(of)


def _applying(of: trial.Trial) -> Iterable[tuple[str, _Judge]]:
    """The checks that have something to say of a test, in the order in which they are shown."""
    yield 'rules', recovery.rules
    if of.values(notes.ABORTED):
        yield 'abort', abort.abort
    yield from _of_load(of)
    for name, one in probes.named(of).items():
        yield f'probe {name}', functools.partial(_probe, one)
    if of.values(notes.OWNERS):
        yield 'owners', safety.owners
    yield from _of_model(of)


def _of_load(of: trial.Trial) -> Iterable[tuple[str, _Judge]]:
    kinds = {one.invoke.kind for one in of.done}
    unloaded = [str(one) for one in of.values(notes.LOAD_NONE)]
    if of.values(notes.LOAD) or any(why != notes.NO_LOAD_WANTED for why in unloaded):
        yield 'load', ran.load
    if kinds:
        yield 'errors', service.errors
        yield 'latency', service.latency
    own = any(trial.mapping(value).get('own') for value in of.values(notes.LOAD))
    for write, read in of.writes:
        if not own and not _tried(of, write):
            continue  # Whether it had to be, the load's own check says.
        yield f'acknowledged {write}', functools.partial(_pair, safety.acknowledged, write, read)
        yield f'reads of {write}', functools.partial(_pair, safety.reads, write, read)
    if of.expect.thresholds:
        yield 'thresholds', thresholds.thresholds
    yield from _of_things(of)
    for make, look, let_go in keeping.kinds(of):
        yield f'kept {make.partition(".")[0]}', functools.partial(_life, make, look, let_go)
    if keeping.kinds(of):
        yield 'left', keeping.left
    if {safety.ISSUE, safety.VALIDATE} <= kinds:
        yield 'tokens', safety.tokens


def _of_things(of: trial.Trial) -> Iterable[tuple[str, _Judge]]:
    for name, said in histories.named(of).items():
        yield f'history of {name}', functools.partial(_thing, histories.history, name, said)
        # Where reads may be late, a client may miss what it wrote.
        if not of.expect.stale and any(one.invoke.process for one in of.done):
            yield f'session of {name}', functools.partial(_thing, histories.session, name, said)


def _tried(of: trial.Trial, write: str) -> bool:
    """A write was tried while there was time to read it back."""
    last = safety.readback(of)
    return any(one.invoke.kind == write and one.at <= last for one in of.done)


def _of_model(of: trial.Trial) -> Iterable[tuple[str, _Judge]]:
    planned = bool(of.strikes or of.values(notes.REFUSED) or of.values(notes.PLAN))
    if planned:
        yield 'faults', recovery.faults
    if of.values(notes.FINGERPRINT):
        yield 'fingerprint', recovery.fingerprint
    if planned or any(
        isinstance(one.what, journal.Status | journal.Hook) for one in of.read.entries
    ):
        yield 'quiet', recovery.quiet
    grows = of.values(notes.RESOURCES)
    if of.expect.resources or (grows and any(one.long_enough for one in resources.series(of))):
        yield 'resources', resources.resources
    if of.expect.effects:
        yield 'effects', recovery.effects


def _probe(one: probes.Probe, of: trial.Trial) -> verdict.Verdict:
    return probes.probe(of, one)


def _life(make: str, look: str, let_go: str, of: trial.Trial) -> verdict.Verdict:
    return keeping.kept(of, make, look, let_go)


def _thing(
    check: Callable[[trial.Trial, str, object], verdict.Verdict],
    name: str,
    said: object,
    of: trial.Trial,
) -> verdict.Verdict:
    return check(of, name, said)


def _pair(
    check: Callable[[trial.Trial, str, str], verdict.Verdict],
    write: str,
    read_back: str,
    of: trial.Trial,
) -> verdict.Verdict:
    return check(of, write, read_back)


def worst(verdicts: Sequence[verdict.Verdict]) -> verdict.Verdict | None:
    """The verdict to tell: the worst outcome, and of equal ones what weighs most."""

    def rank(one: verdict.Verdict) -> tuple[int, int]:
        name = one.check.partition(' ')[0]
        if one.outcome is _UNKNOWN:
            # A check of somebody's own has the place of ''.
            found = name if name in _WEIGHT_OF_UNKNOWN else ''
            return (-one.outcome, _WEIGHT_OF_UNKNOWN.index(found))
        return (-one.outcome, _WEIGHT.index(name) if name in _WEIGHT else 0)

    return min(verdicts, key=rank, default=None)


def _sentence(of: trial.Trial, verdicts: Sequence[verdict.Verdict]) -> str:
    found = worst(verdicts)
    if found is None:
        return 'nothing was checked'
    if found.outcome is not verdict.Outcome.PASS:
        return found.sentence
    parts: list[str] = []
    if of.strikes:
        parts.append(f'{len(of.strikes)} fault{"s" * (len(of.strikes) > 1)} landed and healed')
    if of.done:
        worked = sum(one.how == 'ok' for one in of.done)
        lost = len(of.done) - worked
        parts.append(
            f'{worked} of {len(of.done)} operations worked'
            if lost
            else f'all {worked} operations worked'
        )
        if lost:
            parts.append(
                'nobody asks for the rest'
                if 'errors' in of.expect.ignore
                else 'the faults explain the rest'
            )
    if of.expect.ignore:
        parts.append(f'not judged, as is asked: {", ".join(of.expect.ignore)}')
    return '; '.join(parts) or 'every rule did what it should'


def _ending(of: trial.Trial, verdicts: Sequence[verdict.Verdict]) -> verdict.Ending:
    outcome = verdict.worst(verdicts)
    if outcome is _FAIL:
        return 'failed'
    phases = {str(trial.mapping(one).get('phase')) for one in of.values(notes.RULE_DONE)}
    if 'broken' in phases:
        return 'infrastructure'
    return 'unknown' if outcome is _UNKNOWN else 'passed'


def _run_sentence(tests: Sequence[Judged]) -> str:
    if not tests:
        return 'nothing ran'
    decides = max(tests, key=lambda one: one.outcome)
    if decides.outcome is verdict.Outcome.PASS:
        failing = [one for one in tests if one.sentence != 'every rule did what it should'] or [
            tests[0]
        ]
        return failing[-1].sentence
    return f'{decides.test}: {decides.sentence}' if len(tests) > 1 else decides.sentence
