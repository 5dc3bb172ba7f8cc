"""Checks of what users of Jepsen know: is the history of a register, counter, set, list or bank possible at all? Pure.

A load says in its note which kinds of operation are done to which thing: `models: {NAME: {is: register, write: KIND,
read: KIND, cas: KIND}}`. An operation is invoked with a mapping of `key` (where there are several) and what it is
asked: `value` of write, add and append; `old` and `new` of cas; `from`, `to` and `amount` of transfer. A read's answer
is what it read: a value, a number, a list, or for a bank a mapping from accounts to what they hold.
"""

from __future__ import annotations

import collections
import enum
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import cast

from matrix.grammar import problem
from matrix.history import journal, notes
from matrix.judge import exercised, late, linear, stats, things, trial, verdict

_FAIL, _UNKNOWN, _PASS = verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN, verdict.Outcome.PASS

NAMES: Mapping[str, tuple[str, ...]] = {
    'register': ('write', 'read', 'cas'),
    'counter': ('add', 'read'),
    'set': ('add', 'read'),
    'list': ('append', 'read'),
    'bank': ('transfer', 'read'),
}
"""What can be done to each thing."""

_SHOWN = 6
_LEAST_STEPS = 20_000
"""Steps of the search of a key when those before it have used up all."""


def wrong(models: object) -> str:
    """What is wrong with what a load says of its things; '' when nothing is. What is not understood is not judged."""
    if not isinstance(models, Mapping):
        return f'the models of a load are a mapping of names, not {models!r}'
    for name, value in cast('Mapping[object, object]', models).items():
        if not isinstance(value, Mapping):
            return f'{name} is a mapping such as {{is: register, write: put, read: get}}, not {value!r}'
        said = cast('Mapping[object, object]', value)
        kind = said.get('is')
        if kind not in NAMES:
            near = problem.suggestion(str(kind), NAMES)
            return f'{name} is one of {", ".join(NAMES)}, not {kind!r}{near}'
        known = ('is', 'first', *NAMES[cast('str', kind)])
        for key, kinds in said.items():
            if key not in known:
                near = problem.suggestion(str(key), known)
                return f'{name}, a {kind}, has {", ".join(known)}, and no {key!r}{near}'
            if key != 'first' and not (isinstance(kinds, str) and kinds):
                return f'{key!r} of {name} is a kind of operation, not {kinds!r}'
        makes = [key for key in NAMES[cast('str', kind)] if key != 'read' and key in said]
        if 'read' not in said or not makes:
            others = ' or '.join(one for one in NAMES[cast('str', kind)] if one != 'read')
            return f"{name}, a {kind}, needs 'read' and {others}: otherwise nothing is compared"
        if kind == 'bank' and not _accounts(said.get('first')):
            return f"'first' of {name}, a bank, is a mapping from its accounts to what they hold"
    return ''


def _accounts(first: object) -> bool:
    held = trial.mapping(first)
    return bool(held) and all(type(amount) in {int, float} for amount in held.values())


def named(of: trial.Trial) -> dict[str, object]:
    """The things of a test's loads, by name, as they are written."""
    found: dict[str, object] = {}
    for value in of.values(notes.LOAD):
        models = trial.mapping(value).get('models')
        if models and not isinstance(models, Mapping):
            found['the load'] = models
        found.update((str(name), said) for name, said in trial.mapping(models).items())
    return found


def history(of: trial.Trial, name: str, thing: object) -> verdict.Verdict:
    """The history of a thing is one that it could have had, were each operation done at one moment within its time."""
    check = f'history of {name}'
    if why := wrong({name: thing}):
        return verdict.Verdict(check, _UNKNOWN, why)
    said = trial.mapping(thing)
    kind = str(said.get('is'))
    model = _model(kind, said)
    if odd := _odd(of, kind, said, name):
        return odd
    by_key = _calls(of, kind, said)
    unknown: list[Hashable] = []
    left = linear.MOST
    for key, calls in sorted(by_key.items(), key=lambda pair: str(pair[0])):
        if of.expect.stale:
            found = late.judged(linear.evidently(late.calls(of, calls), model), calls)
        else:
            found = linear.check(calls, model, most=max(left, _LEAST_STEPS))
        left -= found.steps
        if found.how == 'impossible':
            return _impossible(check, kind, key, found)
        if found.how == 'unknown':
            unknown.append(key)
    if unknown:
        sentence = (
            f'too much went on at once to tell whether the history of {unknown[0]!r} is possible'
        )
        return verdict.Verdict(check, _UNKNOWN, sentence)
    if why := exercised.shows_nothing(by_key, name, kind, model.first):
        return verdict.Verdict(check, _UNKNOWN, why)
    return _possible(of, name, kind, by_key)


def _possible(
    of: trial.Trial, name: str, kind: str, by_key: Mapping[Hashable, Sequence[linear.Call]]
) -> verdict.Verdict:
    """A history with which nothing is wrong, if it shows enough to say so."""
    check, stale = f'history of {name}', of.expect.stale
    met = '' if stale else exercised.met_nothing(by_key, name, kind)
    lacks = [one for one in (exercised.unread(by_key, name, of.healed), met) if one]
    if lacks and not _own(of, name):
        return verdict.Verdict(check, _UNKNOWN, lacks[0])
    if stale:
        sentence = late.sentence(of, [*by_key.values()], kind)
    else:
        count = sum(map(len, by_key.values()))
        keys = f' on {len(by_key)} keys' if len(by_key) > 1 else ''
        sentence = f'{count} operations{keys} are those of a {kind} that does one at a time'
    return verdict.Verdict(check, _PASS, '; '.join((sentence, *lacks)))


def _own(of: trial.Trial, name: str) -> bool:
    """Whether it is a thing of a load of the bundle's own, which decides by itself what it asks, and when."""
    loads = [trial.mapping(value) for value in of.values(notes.LOAD)]
    return any(
        one.get('own') is True and name in trial.mapping(one.get('models')) for one in loads
    )


def _odd(
    of: trial.Trial, kind: str, said: Mapping[str, object], name: str
) -> verdict.Verdict | None:
    """What was asked or answered that is nothing of the kind: a number of a set, a word of a counter."""
    check = f'history of {name}'
    names = _names(kind, said)
    for one in of.done:
        what = names.get(one.invoke.kind)
        asked = trial.mapping(one.invoke.value)
        amount = asked.get('amount' if kind == 'bank' else 'value')
        if what in {'add', 'transfer'} and kind in {'counter', 'bank'} and not _is_number(amount):
            sentence = f'{one.invoke.kind} does not say by how much {name} changes, but {amount!r}'
            return verdict.Verdict(check, _UNKNOWN, sentence, (one.seq,))
        if what != 'read' or one.how != 'ok' or one.end is None:
            continue
        value = _value(one.end.value)
        if value is not None and not _SHAPES.get(kind, _anything)(value):
            sentence = (
                f'{one.invoke.kind} answered {value!r} at {one.at:.1f} s, which is no {kind}'
            )
            signature = verdict.Signature('history', name, 'impossible')
            return verdict.Verdict(check, _FAIL, sentence, (one.seq,), signature)
    return None


def _anything(_: object) -> bool:
    return True


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


_SHAPES: Mapping[str, Callable[[object], bool]] = {
    'counter': _is_number, 'set': _is_list, 'list': _is_list, 'bank': _accounts,
}  # fmt: skip
"""What an answer to a read looks like; of a register, anything does."""


def _impossible(check: str, kind: str, key: Hashable, found: linear.Found) -> verdict.Verdict:
    calls = found.impossible
    described = '; '.join(_text(one) for one in calls[-_SHOWN:])
    more = f'{len(calls) - _SHOWN} before, ' if len(calls) > _SHOWN else ''
    where = f' of {key!r}' if key is not None else ''
    sentence = f'no {kind}{where} can do this, in whatever order: {more}{described}'
    if found.left_out:
        sentence += '; the many writes are left out that led to what each cas found'
    # It was possible until the last of them was answered so.
    last = max(calls, key=lambda one: (one.sure, one.end, one.start))
    context = tuple(one.seq for one in calls if one is not last)
    signature = verdict.Signature('history', check.removeprefix('history of '), 'impossible')
    return verdict.Verdict(check, _FAIL, sentence, (last.seq,), signature, context=context)


def _text(one: linear.Call) -> str:
    asked = '' if one.name == 'read' else f' {_plainly(one.asked)}'
    if not one.sure:
        return f'{one.name}{asked} ({one.start:.2f} s, never answered)'
    said = f' → {_plainly(one.response)}' if one.name in {'read', 'cas', 'transfer'} else ''
    return f'{one.name}{asked}{said} ({one.start:.2f} to {one.end:.2f} s)'


def _plainly(value: Hashable) -> str:
    if isinstance(value, frozenset):
        return '{' + ', '.join(sorted(map(str, cast('frozenset[Hashable]', value)))) + '}'
    return str(value)


def _model(kind: str, said: Mapping[str, object]) -> linear.Model:
    first = said.get('first')
    match kind:
        case 'counter':
            return things.counter(first if isinstance(first, int) else 0)
        case 'set':
            return things.grow_only_set()
        case 'list':
            return things.appended()
        case 'bank':
            held = trial.mapping(first)
            return things.bank({str(name): int(trial.number(n)) for name, n in held.items()})
        case _:
            return things.register(_frozen(first))


def _names(kind: str, said: Mapping[str, object]) -> dict[str, str]:
    """What each kind of operation does to the thing."""
    return {str(said[name]): name for name in NAMES[kind] if said.get(name)}


def _calls(
    of: trial.Trial, kind: str, said: Mapping[str, object]
) -> dict[Hashable, list[linear.Call]]:
    names = _names(kind, said)
    found: dict[Hashable, list[linear.Call]] = collections.defaultdict(list)
    for one in of.done:
        name = names.get(one.invoke.kind)
        # What certainly was not done, and a read that nobody answered, show nothing.
        if name is None or one.how == 'fail' or (name == 'read' and one.how != 'ok'):
            continue
        asked = trial.mapping(one.invoke.value)
        found[_frozen(asked.get('key'))].append(_call(one, name, kind, asked))
    return found


def _call(one: journal.Done, name: str, kind: str, asked: Mapping[str, object]) -> linear.Call:
    parts = {'cas': ('old', 'new'), 'transfer': ('from', 'to', 'amount')}.get(name)
    what = (
        _frozen(asked.get('value'))
        if parts is None
        else tuple(_frozen(asked.get(p)) for p in parts)
    )
    end = math.inf if one.how != 'ok' or one.ended_at is None else one.ended_at
    response = None if one.end is None else _response(one.end.value, name, kind)
    return linear.Call(one.seq, one.at, end, name, what, response, one.invoke.process)


def _value(value: object) -> object:
    held = trial.mapping(value)
    return held['value'] if 'value' in held and 'key' in held else value


def _response(value: object, name: str, kind: str) -> Hashable:
    value = _value(value)
    if name != 'read':
        return value is not False  # Of cas and transfer: whether it did.
    if kind in {'set', 'list'}:
        found = cast('tuple[Hashable, ...]', _frozen(value) or ())  # Not there yet: empty.
        return frozenset(found) if kind == 'set' else found
    return _frozen(value)


class _Truth(enum.Enum):
    """A truth value of JSON, which is no number, as Python's is."""

    true = True
    false = False

    def __str__(self) -> str:
        return self.name


def _frozen(value: object) -> Hashable:
    if isinstance(value, bool):
        return _Truth(value)
    if isinstance(value, list | tuple):
        return tuple(_frozen(one) for one in cast('Sequence[object]', value))
    if isinstance(value, Mapping):
        pairs = cast('Mapping[str, object]', value)
        return tuple(sorted((str(key), _frozen(one)) for key, one in pairs.items()))
    return cast('Hashable', value)


def session(of: trial.Trial, name: str, thing: object) -> verdict.Verdict:
    """Each client sees what it wrote itself, and never less than it saw before; across a VIP, too.

    Terry et al., Session Guarantees for Weakly Consistent Replicated Data, 1994: read your writes, monotonic reads.
    """
    check = f'session of {name}'
    if why := wrong({name: thing}):
        return verdict.Verdict(check, _UNKNOWN, why)
    said = trial.mapping(thing)
    kind = str(said.get('is'))
    looked = 0
    for key, calls in _calls(of, kind, said).items():
        for mine in _by_process(calls):
            for earlier, later in _steps(mine):
                looked += 1
                if why := _forgotten(kind, earlier, later, calls):
                    where = f' of {key!r}' if key is not None else ''
                    sentence = f'client {later.process}{where} {why}: {_text(earlier)}, then {_text(later)}'
                    signature = verdict.Signature('session', name, why)
                    return verdict.Verdict(
                        check, _FAIL, sentence, (later.seq,), signature, context=(earlier.seq,)
                    )
    if not looked:
        return verdict.Verdict(check, _UNKNOWN, f'no client read {name} after it wrote or read it')
    return verdict.Verdict(
        check, _PASS, f'{stats.count(looked, "read")} of clients that had been there before'
    )


def _by_process(calls: Sequence[linear.Call]) -> Iterator[list[linear.Call]]:
    found: dict[str, list[linear.Call]] = collections.defaultdict(list)
    for one in calls:
        if one.process and one.sure:
            found[one.process].append(one)
    for mine in found.values():
        yield sorted(mine, key=lambda one: one.start)


def _steps(mine: Sequence[linear.Call]) -> Iterator[tuple[linear.Call, linear.Call]]:
    """Each read with the last write and the last read that were over before it began."""
    for n, later in enumerate(mine):
        if later.name != 'read':
            continue
        before = [one for one in mine[:n] if one.end <= later.start]
        for wanted in ('read', 'write'):
            found = [one for one in before if (one.name == 'read') == (wanted == 'read')]
            if found:
                yield found[-1], later


def _forgotten(
    kind: str, earlier: linear.Call, later: linear.Call, calls: Sequence[linear.Call]
) -> str:
    """How a later read has less than an earlier call of the same client; '' when it has not."""
    own = earlier.name != 'read'
    why = 'did not read its own write' if own else 'read what is older than it had read'
    if kind in {'set', 'list'}:
        had = {earlier.asked} if own else {*cast('Sequence[Hashable]', earlier.response or ())}
        return why if had - {*cast('Sequence[Hashable]', later.response or ())} else ''
    if kind == 'register' and earlier.name in {'read', 'write'}:
        known = earlier.asked if own else earlier.response
        return why if later.response != known and _older(later.response, known, calls) else ''
    return ''


def _older(value: Hashable, than: Hashable, calls: Sequence[linear.Call]) -> bool:
    """Whether every write of a value was over before every write of another began."""
    first = [one for one in calls if one.name == 'write' and one.asked == value]
    second = [one for one in calls if one.name == 'write' and one.asked == than]
    if not second or any(one.name == 'cas' for one in calls):
        return False
    return max((one.end for one in first), default=-math.inf) < min(one.start for one in second)
