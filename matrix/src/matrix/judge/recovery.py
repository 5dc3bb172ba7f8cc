"""What becomes of the model: rules, faults, that it comes back, and that nothing else broke on the way. Pure."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import cast

from matrix.grammar import located
from matrix.history import journal, notes
from matrix.judge import stats, trial, verdict

_FAIL, _UNKNOWN, _PASS = verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN, verdict.Outcome.PASS

_ILL = frozenset({'error'})
_PROVE = frozenset({'matrix.tasks.chaos', 'matrix.tasks.end_to_end'})
_NO_FAULTS = frozenset({'sleep'})
"""Kinds of fault that break nothing, as their name says."""
_ILL_AGENT = frozenset({'error', 'lost', 'failed'})


def rules(of: trial.Trial) -> verdict.Verdict:
    """Every rule did what the suite asks of it. One that does not gate is named, and does not count."""
    if overdue := of.values('test.overdue'):
        return _rule_failed('', f'not over in time: {overdue[-1]}', 'overdue', ())
    said: list[str] = []
    for entry, value in of.notes.get(notes.RULE_DONE, ()):
        done = trial.mapping(value)
        task, phase, message = (str(done.get(key) or '') for key in ('task', 'phase', 'message'))
        sentence = f'{task.rpartition(".")[2] or task} {_did(phase)}: {message}'
        if phase in {'failed', 'stuck', 'broken'} and done.get('gates', True) is not False:
            return _rule_failed(task, sentence, phase, (entry.seq,))
        if phase == 'failed':
            said.append(f'{sentence} (which does not count)')
    if not of.notes.get(notes.RULE_DONE):
        return verdict.Verdict('rules', _UNKNOWN, 'no rule came to its end: nothing was done')
    if not of.notes.get(notes.TEST_COMPLETE):
        return verdict.Verdict('rules', _UNKNOWN, 'the test did not come to its end')
    if never := _never_ran(of):
        return verdict.Verdict('rules', _UNKNOWN, never)
    count = len(of.notes.get(notes.RULE_DONE, ()))
    found = [f'{count} rule{"s" * (count != 1)} done', *said]
    return verdict.Verdict('rules', _PASS, '; '.join(found))


def _never_ran(of: trial.Trial) -> str:
    """What was to break, use or check the bundle, and was skipped; '' where nothing was."""
    for _, value in of.notes.get(notes.RULE_DONE, ()):
        done = trial.mapping(value)
        task = str(done.get('task') or '')
        checks = task in _PROVE or not task.startswith('matrix.')
        if not checks or done.get('gates', True) is False:
            continue
        name = task.rpartition('.')[2] or task
        if done.get('phase') == 'skipped':
            return f'{name} never ran: {done.get("message")}'
        if done.get('phase') == 'cancelled':
            return (
                f'{name} was broken off: {done.get("message") or "the test ended before it did"}'
            )
    return ''


def _did(phase: str) -> str:
    return {
        'failed': 'failed',
        'stuck': 'could never start',
        'broken': 'could not be carried out',
    }.get(phase, phase)


def _rule_failed(
    task: str, sentence: str, phase: str, evidence: tuple[int, ...]
) -> verdict.Verdict:
    # What cannot be carried out says nothing of the bundle; the ending of the test says that it is the infrastructure.
    outcome = _UNKNOWN if phase == 'broken' else _FAIL
    signature = verdict.Signature('rules', task, phase)
    return verdict.Verdict('rules', outcome, sentence, evidence, signature)


def faults(of: trial.Trial) -> verdict.Verdict:
    """Every fault of the plan was seen to land and seen to heal."""
    plans = [_events(value) for value in of.values(notes.PLAN)]
    for events in plans:
        if (names := len({name for name, _ in events})) < len(events):
            sentence = f'{len(events)} faults of the plan have {names} names: nobody can tell which was seen'
            return verdict.Verdict('faults', _UNKNOWN, sentence)
    if wrong := _all_unproven(of, [event for events in plans for event in events]):
        more = f' (and {len(wrong) - 2} more)' if len(wrong) > 2 else ''
        return verdict.Verdict('faults', _UNKNOWN, '; '.join(wrong[:2]) + more)
    if of.notes.get(notes.SHORT):
        short = trial.mapping(of.values(notes.SHORT)[-1])
        sentence = f'only {short.get("planned")} of {short.get("asked")} faults could be planned: {short.get("why")}'
        return verdict.Verdict('faults', _UNKNOWN, sentence)
    if not of.strikes:
        if of.notes.get(notes.CONTROL_RUN):
            return verdict.Verdict('faults', _PASS, 'no fault was injected, as was asked')
        return verdict.Verdict('faults', _UNKNOWN, 'the plan has no fault: nothing was broken')
    if all(strike.band.kind in _NO_FAULTS for strike in of.strikes):
        return verdict.Verdict('faults', _UNKNOWN, 'nothing was broken: the plan only waits')
    kinds = collections.Counter(strike.band.kind for strike in of.strikes)
    what = ', '.join(kind if n == 1 else f'{n} {kind}' for kind, n in kinds.items())
    return verdict.Verdict('faults', _PASS, f'{what}: each was seen to land and to heal')


def _events(plan: located.Plain) -> list[tuple[str, str]]:
    """The name and kind of each fault of a plan."""
    events = cast('Sequence[object]', trial.mapping(plan).get('events') or ())
    said = map(trial.mapping, events)
    return [(str(one.get('id', '')), str(one.get('fault', ''))) for one in said]


def _all_unproven(of: trial.Trial, events: Sequence[tuple[str, str]]) -> list[str]:
    """Of each fault that was planned or armed, and was not seen to land and heal, why."""
    expected: dict[str, list[str]] = collections.defaultdict(list)
    for name, kind in events:
        expected[name].append(kind)
    refused = {
        str(trial.mapping(value).get('event', '')): trial.mapping(value)
        for value in of.values(notes.REFUSED)
    }
    bands = {strike.band.id: strike for strike in of.strikes}
    said = (
        _unproven(name, bands.get(name), refused.get(name), expected.get(name, ()))
        or _seen_less_often(of, name, expected.get(name, ()))
        for name in dict.fromkeys([*expected, *bands])
    )
    return [why for why in said if why]


def _seen_less_often(of: trial.Trial, name: str, kinds: Sequence[str]) -> str:
    """Which fault that several plans call alike, as those of older runs did, was not seen for each; '' where none."""
    if len(kinds) < 2:
        return ''
    seen = collections.Counter(
        (one.what.kind, one.what.phase)
        for one in of.read.entries
        if isinstance(one.what, journal.Fault) and one.what.id == name
    )
    for kind, times in collections.Counter(kinds).items():
        for phase, edge in (('landed', 'land'), ('healed', 'heal')):
            if (fewer := seen[kind, phase]) < times:
                return f'{name} is of {len(kinds)} plans: {kind} was seen to {edge} {fewer} of {times} times'
    return ''


def _unproven(
    name: str,
    strike: trial.Strike | None,
    refused: Mapping[str, located.Plain] | None,
    planned: Sequence[str],
) -> str:
    if strike is None:
        if refused is not None:
            return f'{name} ({refused.get("fault")}) was not carried out: {refused.get("reason")}'
        return f'{name} was never armed'
    of = f'{name} ({strike.sentence})'
    if strike.band.landed is None:
        why = f': {refused.get("reason")}' if refused is not None else ''
        return f'{of} was not seen to land{why}'
    if not strike.targets and strike.band.kind not in _NO_FAULTS:
        return f'{name} ({strike.band.kind}) struck nobody'
    if any(planned) and strike.band.kind not in planned:
        return f'{name} was to be {" and ".join(planned)}, and was {strike.band.kind}'
    if strike.band.healed is None or strike.band.healed < strike.band.landed:
        return f'{of} was not seen to heal'
    return ''


def effects(of: trial.Trial) -> verdict.Verdict:
    """Everything that had to happen at least once did."""
    seen = {entry.what.name for entry in of.read.entries if isinstance(entry.what, journal.Effect)}
    wanted = {*of.expect.effects}
    if missing := sorted(wanted - seen):
        return verdict.Verdict('effects', _UNKNOWN, f'never seen: {", ".join(missing)}')
    if not wanted:
        return verdict.Verdict('effects', _UNKNOWN, 'no effect was expected')
    return verdict.Verdict('effects', _PASS, f'seen: {", ".join(sorted(wanted))}')


def fingerprint(of: trial.Trial) -> verdict.Verdict:
    """After the chaos the model is as it was before, but for units that faults added or removed."""
    by: dict[str, tuple[journal.Entry, Mapping[str, located.Plain]]] = {}
    for entry, value in of.notes.get(notes.FINGERPRINT, ()):
        said = trial.mapping(value)
        by[str(said.get('moment'))] = (entry, trial.mapping(said.get('applications')))
    if 'before' not in by or 'after' not in by:
        return verdict.Verdict(
            'fingerprint', _UNKNOWN, 'the model was not looked at before and after'
        )
    (_, before), (last, after) = by['before'], by['after']
    if not before:
        sentence = 'the model had no application when it was looked at before the chaos'
        return verdict.Verdict('fingerprint', _UNKNOWN, sentence)
    wrong = [
        (name, difference)
        for name in sorted({*before, *after})
        if name not in of.expect.changes
        and (difference := _difference(before.get(name), after.get(name)))
    ]
    if wrong:
        name, difference = wrong[0]
        more = f' (and {len(wrong) - 1} more)' if len(wrong) > 1 else ''
        sentence = f'{name} did not come back: {difference}{more}'
        signature = verdict.Signature('fingerprint', name)
        other_signatures = tuple(verdict.Signature('fingerprint', other) for other, _ in wrong[1:])
        evidence = (last.seq,)
        return verdict.Verdict(
            'fingerprint', _FAIL, sentence, evidence, signature, other_signatures
        )
    were = 'is as it was' if len(after) == 1 else 'are as they were'
    sentence = f'{stats.count(len(after), "application")} {were}'
    return verdict.Verdict('fingerprint', _PASS, sentence)


def _difference(before: located.Plain, after: located.Plain) -> str:
    if before == after:
        return ''
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return 'it was not there before' if after else 'it is gone'
    said: list[str] = []
    for key in sorted({*before, *after}):
        old, new = (_nameless(value.get(key)) for value in (before, after))
        if old == new:
            continue
        if isinstance(old, list) and isinstance(new, list):
            gone = collections.Counter(map(str, old)) - collections.Counter(map(str, new))
            came = collections.Counter(map(str, new)) - collections.Counter(map(str, old))
            was, now = ', '.join(gone.elements()), ', '.join(came.elements())
            said.append(f'{key} {was or "(nothing)"} → {now or "(nothing)"}')
        else:
            said.append(f'{key} {old!s} → {new!s}')
    return '; '.join(said)


def _nameless(value: located.Plain) -> located.Plain:
    """Units are counted, not named: one that took another's place, on another machine, is as good."""
    if not isinstance(value, Mapping) or not all(
        isinstance(one, Mapping) for one in value.values()
    ):
        return value
    said = sorted(
        ', '.join(str(one[key]) for key in ('workload', 'message', 'ports') if one.get(key))
        for one in value.values()
        if isinstance(one, Mapping)
    )
    return [*said]


def quiet(of: trial.Trial) -> verdict.Verdict:
    """No unit is in error and no hook fails, but while a fault strikes; and none is left in error."""
    last: dict[str, tuple[journal.Entry, journal.Status]] = {}
    wrong: list[tuple[journal.Entry, str, str]] = []
    for entry in of.read.entries:
        what = entry.what
        if isinstance(what, journal.Status):
            last[what.of] = (entry, what)
            if _ill(what) and not of.why(entry.at, entry.at):
                wrong.append((entry, what.of, _status(what)))
        elif isinstance(what, journal.Hook) and what.code and not of.why(entry.at, entry.at):
            wrong.append((entry, what.unit, f'hook {what.hook} failed with {what.code}'))
    left = [(entry, name, _status(what)) for name, (entry, what) in last.items() if _ill(what)]
    if left:
        entry, name, said = left[0]
        sentence = f'{name} was left so: {said}'
        return _loud(sentence, name, 'left', (entry.seq,))
    if wrong:
        entry, name, said = wrong[0]
        more = f' (and {len(wrong) - 1} more)' if len(wrong) > 1 else ''
        sentence = f'{name}: {said} at {entry.at:.1f} s, when no fault struck{more}'
        return _loud(sentence, name, 'hook' if 'hook' in said else 'error', (entry.seq,))
    if not any('/' in name for name in last):
        return verdict.Verdict('quiet', _UNKNOWN, 'the status of no unit was ever seen')
    return verdict.Verdict('quiet', _PASS, 'no unit was in error while no fault struck')


def _ill(what: journal.Status) -> bool:
    return what.workload in _ILL or what.agent in _ILL_AGENT


def _status(what: journal.Status) -> str:
    state = what.workload if what.workload in _ILL else f'agent {what.agent}'
    return f'{state} ({what.message})' if what.message else state


def _loud(sentence: str, name: str, error: str, evidence: tuple[int, ...]) -> verdict.Verdict:
    signature = verdict.Signature('quiet', name.partition('/')[0], error)
    return verdict.Verdict('quiet', _FAIL, sentence, evidence, signature)
