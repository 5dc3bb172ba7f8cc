"""What must hold whatever is broken: acknowledged writes stay, tokens stay valid, a VIP has one owner. Pure."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import cast

from matrix.history import journal, notes
from matrix.judge import stats, trial, verdict

_FAIL, _UNKNOWN, _PASS = verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN, verdict.Outcome.PASS

_SOME = 5  # writes, which one value cannot tell from one another
_MANY_READS = 50  # of so many, several ask for what was never written

ISSUE, VALIDATE, REVOKE = 'token.issue', 'token.validate', 'token.revoke'


def acknowledged(of: trial.Trial, write: str, read_back: str) -> verdict.Verdict:
    """Every write that was acknowledged is found by a read that began after all faults were healed.

    A write's value names what was written. A read is invoked with that name and is `ok` with a true value when found,
    `ok` with a false one when not. Writes that nobody answered may be there or not. What was written once the reading
    back had begun, or in a test without faults, may be unread.
    """
    name = f'acknowledged {write}'
    if lies := _finds_nothing_too(of, read_back) or _all_alike(of, write):
        return verdict.Verdict(name, _UNKNOWN, lies)
    healed = max((one.band.healed or 0.0 for one in of.strikes), default=0.0)
    written = _written(of, write)
    found: dict[str, bool] = {}
    missed: dict[str, journal.Done] = {}
    seen: dict[str, journal.Done] = {}
    for one in of.done:
        if one.invoke.kind == read_back and one.how == 'ok':
            key = repr(one.invoke.value)
            if key in written and one.at >= (written[key].ended_at or 0.0):
                (seen if _found(one) else missed).setdefault(key, one)
            # Looked for only after the heal, and after the write's own answer.
            if key in written and one.at >= max(healed, written[key].ended_at or 0.0):
                found[key] = _found(one)
    lost = {key: one for key, one in written.items() if found.get(key) is False}
    last = readback(of)
    unread = [one for key, one in written.items() if key not in found and trial.ended(one) <= last]
    if lost:
        what = f'write{"s" * (len(written) > 1)} {"is" if len(lost) == 1 else "are"}'
        key, first = next(iter(lost.items()))
        sentence = (
            f'{len(lost)} of {len(written)} acknowledged {what} lost, first {first.value!r} '
            f'({write} at {first.at:.1f} s, missed at {missed[key].at:.1f} s{_during(of, missed[key])})'
        )
        signature = verdict.Signature('acknowledged writes', write, 'lost')
        shown = [_lost_when(of, one, missed[key], seen.get(key)) for key, one in lost.items()]
        evidence = tuple(sorted(one.seq for one in shown))
        return verdict.Verdict(name, _FAIL, sentence, evidence, signature)
    if not written:
        return verdict.Verdict(name, _UNKNOWN, f'no {write} was acknowledged')
    if not found or (unread and of.strikes):
        sentence = f'{len(unread)} of {len(written)} acknowledged writes were never read back'
        return verdict.Verdict(name, _UNKNOWN, sentence, tuple(one.seq for one in unread))
    if never := _never_missed(of, read_back):
        return verdict.Verdict(name, _UNKNOWN, never)
    rest = len(written) - len(found)
    count = f'{len(found)} of {len(written)}' if rest else f'all {len(written)}'
    more = (
        f', {rest} {("was not looked for" if rest == 1 else "were not looked for") if unread else "came later"}'
        if rest
        else ''
    )
    return verdict.Verdict(name, _PASS, f'{count} acknowledged writes were read back{more}')


def _lost_when(
    of: trial.Trial, write: journal.Done, missed: journal.Done, seen: journal.Done | None
) -> journal.Done:
    """The operation whose moment is nearest to that of the loss: the write itself, or the read that first missed it.

    It was lost before it was first missed: a read amid the faults shows when, one after them does not. But what was
    there before any fault struck, or was found once it had been written, was not lost as it was written.
    """
    healed = max((one.band.healed or 0.0 for one in of.strikes), default=0.0)
    kept = trial.ended(write) < of.first or (seen is not None and seen.at < missed.at)
    return missed if missed.at <= healed or kept else write


def _finds_nothing_too(of: trial.Trial, read_back: str) -> str:
    """Why a read proves nothing: its like found what was never written. '' when it did not."""
    found = _finding_nothing(of, read_back)
    if not found:
        return ''
    return (
        f'{read_back} proves nothing: it also found what was never written, {_times(found)}, '
        f'first {found[0].invoke.value!r} at {found[0].at:.1f} s'
    )


def _finding_nothing(of: trial.Trial, read_back: str) -> list[journal.Done]:
    """What is like a read, asked for what was never written, and found it."""
    controls = {
        control
        for value in of.values(notes.LOAD)
        for read, control in _controls(trial.mapping(value))
        if read == read_back
    }
    return [
        one
        for one in of.done
        if one.invoke.kind in controls and one.how == 'ok' and not _found(one)
    ]


def _all_alike(of: trial.Trial, write: str) -> str:
    """Why the writes prove nothing: nothing tells one from another. '' where it does."""
    values = [one.value for one in of.done if one.invoke.kind == write and one.how == 'ok']
    if any(value is None for value in values):
        return f'{write} does not say what it wrote: nobody can tell whether it is there'
    if len(values) < _SOME:
        return ''
    counts = collections.Counter(map(repr, values))
    if len(counts) == 1:
        return f'all {len(values)} {write} wrote {values[0]!r}: nothing tells one from another'
    if 2 * len(counts) <= len(values):
        often, times = counts.most_common(1)[0]
        return (
            f'{len(values)} {write} wrote {len(counts)} values, {often} {times} times: '
            'nothing tells most of them from another'
        )
    return ''


def _never_missed(of: trial.Trial, read_back: str) -> str:
    """Why nobody knows whether a read can miss anything; '' where it is matrix that asks, or one has missed.

    What a load of the bundle's own says of a read is all that is known of it: it must have read what is not there.
    """
    loads = [trial.mapping(value) for value in of.values(notes.LOAD)]
    own = any(said.get('own') is True and _reads(said, read_back) for said in loads)
    controls = {ctrl for said in loads for read, ctrl in _controls(said) if read == read_back}
    if any(one.invoke.kind in controls and one.how == 'ok' for one in of.done):
        return ''
    # Reading back asks for what was written alone: what is never written, the load asks for before.
    begun = _readbacks(of)
    reads = sum(
        one.invoke.kind == read_back
        and one.how == 'ok'
        and not any(a <= one.at < b for a, b in begun)
        for one in of.done
    )
    if controls and reads >= _MANY_READS:
        return f'no {sorted(controls)[0]} was answered in {reads} {read_back}: it could say so of everything'
    if not own:
        return ''
    if any(
        one.invoke.kind == read_back and one.how == 'ok' and not _found(one) for one in of.done
    ):
        return ''
    return (
        f'no {read_back} has ever missed anything, and none asked for what was never written: '
        'it could say so of everything'
    )


def _reads(said: Mapping[str, object], read_back: str) -> list[str]:
    pairs = cast('Sequence[Sequence[object]]', said.get('writes') or ())
    return [str(pair[1]) for pair in pairs if len(pair) == 2 and pair[1] == read_back]


def _controls(said: Mapping[str, object]) -> list[tuple[str, str]]:
    pairs = cast('Sequence[Sequence[object]]', said.get('nothing') or ())
    return [(str(pair[0]), str(pair[1])) for pair in pairs if len(pair) == 2]


def readback(of: trial.Trial) -> float:
    """The second at which reading back began; without it: infinity."""
    begun = [entry.at for entry, value in of.notes.get(notes.PHASE, ()) if value == 'readback']
    return max(begun, default=math.inf)


def _readbacks(of: trial.Trial) -> list[tuple[float, float]]:
    """From when to when was read back: each until the phase after it."""
    phases = [(entry.at, value) for entry, value in of.notes.get(notes.PHASE, ())]
    ends = [*(at for at, _ in phases[1:]), math.inf]
    return [
        (at, end) for (at, value), end in zip(phases, ends, strict=False) if value == 'readback'
    ]


def _found(one: journal.Done) -> bool:
    return bool(one.end and one.end.value)


def _written(of: trial.Trial, write: str) -> dict[str, journal.Done]:
    return {
        repr(one.value): one for one in of.done if one.invoke.kind == write and one.how == 'ok'
    }


def _during(of: trial.Trial, one: journal.Done) -> str:
    why = of.why(one.at, trial.ended(one))
    return f', while {why[-1].sentence}' if why else ''


def reads(of: trial.Trial, write: str, read_back: str) -> verdict.Verdict:
    """A read that began after a write was acknowledged finds it: nothing stale is served."""
    name = f'reads of {write}'
    if lies := _finds_nothing_too(of, read_back):
        return verdict.Verdict(name, _UNKNOWN, lies)
    written = _written(of, write)
    looked = [
        one
        for one in of.done
        if one.invoke.kind == read_back
        and one.how == 'ok'
        and (by := written.get(repr(one.invoke.value))) is not None
        and one.at >= (by.ended_at or 0.0)
    ]
    missed = [one for one in looked if not (one.end and one.end.value)]
    if not looked:
        return verdict.Verdict(name, _UNKNOWN, 'nothing was read after it was written')
    if missed and not of.expect.stale:
        first = missed[0]
        sentence = (
            f'{read_back} missed what was acknowledged {_times(missed)}, '
            f'first {first.invoke.value!r} at {first.at:.1f} s{_during(of, first)}'
        )
        signature = verdict.Signature('reads', read_back, 'stale')
        return verdict.Verdict(name, _FAIL, sentence, tuple(one.seq for one in missed), signature)
    late = f', {len(missed)} of them late, as this bundle may' if missed else ''
    return verdict.Verdict(
        name, _PASS, f'{stats.count(len(looked), "read")} found what was written before{late}'
    )


def _times(some: Sequence[object]) -> str:
    return 'once' if len(some) == 1 else f'{len(some)} times'


def tokens(of: trial.Trial) -> verdict.Verdict:
    """A token that was issued is valid until it is revoked, wherever it is shown.

    `token.validate` is invoked with the token's name, and is `ok` with a true value when it is valid and a false one
    when it is not. No fault explains a token that is not: being unable to say is an error, saying no is wrong.
    """
    issued = {
        repr(one.value): one for one in of.done if one.invoke.kind == ISSUE and one.how == 'ok'
    }
    if invented := _finding_nothing(of, VALIDATE):
        first = invented[0]
        sentence = f'a token that nobody issued was taken for valid {_times(invented)}, first at {first.at:.1f} s'
        signature = verdict.Signature('tokens', VALIDATE, 'invented')
        seqs = tuple(one.seq for one in invented)
        return verdict.Verdict('tokens', _FAIL, sentence, seqs, signature)
    revoked: dict[str, float] = {}
    for one in of.done:
        if one.invoke.kind == REVOKE and one.how != 'fail':
            revoked.setdefault(repr(one.invoke.value), one.at)
    shown = [
        one
        for one in of.done
        if one.invoke.kind == VALIDATE
        and one.how == 'ok'
        and trial.ended(one) < revoked.get(repr(one.invoke.value), float('inf'))
        and _issued_before(issued, one)
    ]
    refused = [one for one in shown if not (one.end and one.end.value)]
    where = sorted({one.end.endpoint for one in shown if one.end and one.end.endpoint})
    if refused:
        first = refused[0]
        at = sorted({one.end.endpoint for one in refused if one.end and one.end.endpoint})
        sentence = (
            f'a valid token was refused {_times(refused)} in {first.at:.1f} to {refused[-1].at:.1f} s'
            f'{" at " + ", ".join(at) if at else ""}{_during(of, first)}'
        )
        signature = verdict.Signature('tokens', VALIDATE, 'refused')
        seqs = tuple(one.seq for one in refused)
        return verdict.Verdict('tokens', _FAIL, sentence, seqs, signature)
    if not shown:
        return verdict.Verdict('tokens', _UNKNOWN, 'no token was shown after it was issued')
    if never := _never_missed(of, VALIDATE):
        return verdict.Verdict('tokens', _UNKNOWN, never)
    at = f' at {len(where)} endpoint{"s" * (len(where) > 1)}' if where else ''
    return verdict.Verdict('tokens', _PASS, f'tokens were valid {_times(shown)}{at}')


def _issued_before(issued: Mapping[str, journal.Done], shown: journal.Done) -> bool:
    # The load's first token is issued before the load begins, and has no entry of its own.
    by = issued.get(repr(shown.invoke.value))
    return by is None or shown.at >= (by.ended_at or 0.0)


@dataclasses.dataclass(frozen=True)
class _Sample:
    at: float
    seq: int
    units: tuple[str, ...]
    unseen: tuple[str, ...]


def owners(of: trial.Trial) -> verdict.Verdict:
    """Every VIP is held by one unit: by two, or by none, no longer than a takeover takes.

    A unit that is cut off or stands still cannot know that another took over; see `Expect.owners_under_fault`.
    """
    samples: dict[str, list[_Sample]] = collections.defaultdict(list)
    for entry, value in of.notes.get(notes.OWNERS, ()):
        said = trial.mapping(value)
        at = trial.number(said.get('at'), entry.at)
        units, unseen = (_names(said.get(key)) for key in ('units', 'unseen'))
        some = samples[str(said.get('address', ''))]
        # What is told later of the same time is told by more machines.
        while some and some[-1].at >= at:
            some.pop()
        some.append(_Sample(at, entry.seq, units, unseen))
    said_: list[str] = []
    for address, some in sorted(samples.items()):
        if wrong := _two(of, address, some) or _none(of, address, some):
            return wrong
        if not any(one.units for one in some):
            return verdict.Verdict('owners', _UNKNOWN, f'nobody was ever seen to hold {address}')
        moves = sum(
            old.units != new.units
            for old, new in itertools.pairwise(some)
            if old.units and new.units
        )
        said_.append(f'{address} had one owner ({moves} takeover{"s" * (moves != 1)})')
    if not said_:
        return verdict.Verdict('owners', _UNKNOWN, 'nobody looked who holds a VIP')
    return verdict.Verdict('owners', _PASS, '; '.join(said_))


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(str(one) for one in cast('list[object]', value))


def _two(of: trial.Trial, address: str, some: Sequence[_Sample]) -> verdict.Verdict | None:
    for n, one in enumerate(some):
        if len(one.units) < 2 or (n and some[n - 1].units == one.units):
            continue
        last = next((m for m in range(n, len(some)) if some[m].units != one.units), len(some))
        # It lasted until another was seen; or, where one of them could not be asked, as long as it was seen.
        known = last < len(some) and not {*one.units} & {*some[last].unseen}
        end = some[last].at if known else some[last - 1].at
        strikes = _strikes_on(of, one.units, one.at, end)
        allowed = of.expect.owners_under_fault if strikes else of.expect.owners
        # Once it is healed, a unit knows again: from then on it counts in any case.
        healed = max((strike.band.healed or math.inf for strike in strikes), default=one.at)
        if end - one.at > allowed or end - max(healed, one.at) > of.expect.owners:
            who = ' and '.join(one.units)
            sentence = (
                f'{address} had two owners, {who}, for {end - one.at:.1f} s from {one.at:.1f} s'
                f'{f", while {strikes[-1].sentence}" if strikes else ""}'
            )
            evidence = tuple(sample.seq for sample in some[n:last])
            signature = verdict.Signature('owners', error='two')
            return verdict.Verdict('owners', _FAIL, sentence, evidence, signature)
    return None


def _none(of: trial.Trial, address: str, some: Sequence[_Sample]) -> verdict.Verdict | None:
    last = some[-1]
    if last.units or last.unseen or not any(one.units for one in some):
        return None
    sentence = f'nobody held {address} in the end'
    signature = verdict.Signature('owners', error='none')
    return verdict.Verdict('owners', _FAIL, sentence, (last.seq,), signature)


def _strikes_on(
    of: trial.Trial, units: Sequence[str], start: float, end: float
) -> list[trial.Strike]:
    named = {*units, *(unit.partition('/')[0] for unit in units)}
    return [
        strike
        for strike in of.strikes
        if named & {*strike.targets}
        and strike.band.start <= end
        and start <= (strike.band.healed or math.inf) + of.expect.owners
    ]
