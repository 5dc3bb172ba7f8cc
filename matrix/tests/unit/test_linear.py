# ruff: noqa: E501  # a table is read by its lines
"""Histories: known ones, those that were made right, and every small one against all orders there are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterable, Sequence

import pytest
from chronicle import Line, fault, note, of_parts, op, trial_of
from hypothesis import given, settings
from hypothesis import strategies as st

from matrix.blame import suspects
from matrix.grammar import located
from matrix.history import journal
from matrix.judge import histories, linear, panel, things, trial, verdict
from matrix.plans import streams


def call(
    start: float, end: float, name: str, asked: Hashable = None, answer: Hashable = None
) -> linear.Call:
    """One operation; its start tells it from others."""
    return linear.Call(int(start * 1000), start, end, name, asked, answer)


NEVER = math.inf
W, R, C = 'write', 'read', 'cas'
KNOWN: dict[str, tuple[linear.Model, list[linear.Call], str]] = {
    'a read while it is written sees either': (
        things.register(0), [call(0, 9, W, 1), call(1, 2, R, answer=0), call(3, 4, R, answer=1)], 'possible',
    ),
    'new, then old, while it is written': (
        things.register(0), [call(0, 9, W, 1), call(1, 2, R, answer=1), call(3, 4, R, answer=0)], 'impossible',
    ),
    'a stale read': (things.register(0), [call(0, 1, W, 1), call(2, 3, R, answer=0)], 'impossible'),
    'a write that nobody answered may have been': (
        things.register(0), [call(0, NEVER, W, 1), call(2, 3, R, answer=0), call(8, 9, R, answer=1)], 'possible',
    ),
    'and may not be undone': (
        things.register(0), [call(0, NEVER, W, 1), call(2, 3, R, answer=1), call(8, 9, R, answer=0)], 'impossible',
    ),
    # Herlihy and Wing 1990, figure 1 (a) and (b), of a register in place of a queue.
    'two writers, and two readers of one order': (
        things.register(), [call(0, 4, W, 'x'), call(1, 3, W, 'y'), call(5, 6, R, answer='x'), call(7, 8, R, answer='x')], 'possible',
    ),
    'two writers, and two readers of two orders': (
        things.register(), [call(0, 4, W, 'x'), call(1, 3, W, 'y'), call(5, 6, R, answer='x'), call(7, 8, R, answer='y')], 'impossible',
    ),
    'two that both take a lock': (
        things.register('free'), [call(0, 3, C, ('free', 'a'), True), call(1, 2, C, ('free', 'b'), True)], 'impossible',
    ),
    'one that takes a lock and one that does not': (
        things.register('free'), [call(0, 3, C, ('free', 'a'), True), call(1, 2, C, ('free', 'b'), False)], 'possible',
    ),
    'a cas that nobody answered': (
        things.register(1), [call(0, NEVER, C, (1, 2)), call(1, 2, R, answer=1), call(3, 4, R, answer=2)], 'possible',
    ),
    'a counter that lost one': (
        things.counter(), [call(0, 1, 'add', 1), call(0.5, 1.5, 'add', 1), call(2, 3, R, answer=1)], 'impossible',
    ),
    'a counter amid an addition': (
        things.counter(), [call(0, 1, 'add', 1), call(0.5, 9, 'add', 1), call(2, 3, R, answer=1), call(4, 5, R, answer=2)], 'possible',
    ),
    'a set that lost an element': (
        things.grow_only_set(), [call(0, 1, 'add', 'a'), call(0, 1, 'add', 'b'), call(2, 3, R, answer=frozenset({'a'}))], 'impossible',
    ),
    'a list in two orders': (
        things.appended(),
        [call(0, 2, 'append', 1), call(1, 3, 'append', 2), call(4, 5, R, answer=(1, 2)), call(6, 7, R, answer=(2, 1))], 'impossible',
    ),
    'a bank in the middle of a transfer': (
        things.bank({'a': 10, 'b': 0}),
        [call(0, 9, 'transfer', ('a', 'b', 4), True), call(1, 2, R, answer=(('a', 6), ('b', 0)))], 'impossible',
    ),
    'a bank that refuses what is not there': (
        things.bank({'a': 3, 'b': 0}),
        [call(0, 1, 'transfer', ('a', 'b', 4), False), call(2, 3, R, answer=(('a', 3), ('b', 0)))], 'possible',
    ),
}  # fmt: skip


@pytest.mark.parametrize('name', KNOWN)
def test_a_known_history(name: str) -> None:
    model, calls, how = KNOWN[name]
    found = linear.check(calls, model)
    assert found.how == how
    assert bool(found.impossible) == (how == 'impossible')


def orders(calls: Sequence[linear.Call], model: linear.Model) -> bool:
    """Whether any order of the calls that respects time is one that the model allows; by trying them all."""
    sure = [one for one in calls if one.sure]
    unsure = [one for one in calls if not one.sure]
    for size in range(len(unsure) + 1):
        for some in itertools.combinations(unsure, size):
            for order in itertools.permutations([*sure, *some]):
                if any(
                    later.end < one.start
                    for n, one in enumerate(order)
                    for later in order[n + 1 :]
                ):
                    continue
                state, fine = model.first, True
                for one in order:
                    able, state = model.step(state, one)
                    fine = fine and able
                if fine:
                    return True
    return False


_CALLS = st.lists(
    st.tuples(
        st.integers(0, 12), st.integers(1, 6) | st.none(), st.sampled_from([W, R, C]), st.integers(0, 2), st.integers(0, 2),
    ),
    max_size=6,
)  # fmt: skip


def _made(some: list[tuple[int, int | None, str, int, int]]) -> list[linear.Call]:
    found: list[linear.Call] = []
    for n, (start, took, name, a, b) in enumerate(some):
        at, end = start + n / 100, math.inf if took is None else start + took + n / 100 + 0.5
        if name == R and took is None:
            continue
        asked = {W: a, R: None, C: (a, b)}[name]
        answer = {W: None, R: a, C: b == 1}[name] if took is not None else None
        found.append(linear.Call(n + 1, at, end, name, asked, answer))
    return found


@settings(max_examples=300, deadline=None)
@given(_CALLS)
def test_every_small_history_is_judged_as_all_its_orders_say(
    some: list[tuple[int, int | None, str, int, int]],
) -> None:
    calls, model = _made(some), things.register(0)
    found = linear.check(calls, model)
    assert (found.how == 'possible') == orders(calls, model)
    if found.impossible:
        # What is shown is itself impossible, and without any call that only looked it is not.
        assert not orders(found.impossible, model)
        for one in found.impossible:
            rest = [other for other in found.impossible if other is not one]
            if one.name == R:
                assert orders(rest, model)


def served(operations: int, keys: int, seed: int, *, clients: int = 5) -> list[linear.Call]:
    """What a register of each key really did, some of it never answered."""
    chance = streams.stream(seed, 'served')
    state: dict[int, int] = {}
    free = [0.0] * clients
    found: list[linear.Call] = []
    happenings: list[tuple[float, int, float, float, int, str]] = []
    for n in range(operations):
        who = n % clients
        start = free[who] + chance.random() * 0.1
        end = start + 0.01 + chance.random()
        free[who] = end
        at = start + (end - start) * chance.random()
        name = chance.choice((W, R, R, C))
        happenings.append((at, n, start, end, chance.randrange(keys), name))
    for _, n, start, end, key, name in sorted(happenings):
        now, new = state.get(key, 0), chance.randrange(1, 9)
        lost = chance.random() < 0.02
        asked: Hashable = None
        answer: Hashable = None
        if name == W:
            asked, state[key] = new, new
        elif name == R:
            answer = now
        else:
            old = chance.choice((now, new))
            asked, answer = (old, new), old == now
            state[key] = new if old == now else now
        if lost and name != R:
            end, answer = math.inf, None
        found.append(linear.Call(n * 1000 + key, start, end, name, asked, answer))
    return found


def by_key(calls: Sequence[linear.Call]) -> list[list[linear.Call]]:
    """The calls of each key, which `served` kept in their numbers."""
    keys = {one.seq % 1000 for one in calls}
    return [[one for one in calls if one.seq % 1000 == key] for key in sorted(keys)]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_what_a_register_really_did_is_possible_and_one_lie_is_found(seed: int) -> None:
    calls = served(300, 3, seed)
    for some in by_key(calls):
        assert linear.check(some, things.register(0)).how == 'possible'
        last = max(one.start for one in some)
        lie = linear.Call(9999, last + 50, last + 51, R, None, 77)
        assert linear.check([*some, lie], things.register(0)).how == 'impossible'


def test_ten_thousand_operations_on_a_hundred_keys_are_checked() -> None:
    calls = served(10_000, 100, 1)
    found = [linear.check(some, things.register(0)).how for some in by_key(calls)]
    assert found == ['possible'] * 100


def test_a_search_that_would_not_end_says_that_nobody_knows() -> None:
    calls = [call(0, 100 + n, 'add', 2) for n in range(12)]
    odd = call(1, 99, R, answer=9)
    assert linear.check([*calls, odd], things.counter(), most=500).how == 'unknown'


def _lasting(
    kind: str, operations: int, lost: float, *, seed: int = 1, wrong: bool = False
) -> list[linear.Call]:
    """What a thing of a kind did for so many operations, some of them never answered; at the end it goes wrong."""
    chance = streams.stream(seed, kind)
    found: list[linear.Call] = []
    done: list[int] = []
    for n in range(operations):
        at = n / 10
        start, end = at - chance.random() / 10, at + chance.random() / 3
        name = {'register': W, 'set': 'add', 'list': 'append', 'counter': 'add'}[kind]
        if chance.random() < 0.5:
            gone = chance.random() < lost
            if not gone or chance.random() < 0.5:
                done.append(n)
            found.append(linear.Call(n, start, math.inf if gone else end, name, n))
            continue
        held = done[1:] if wrong and n > operations * 0.9 else done
        read: dict[str, Hashable] = {
            'register': (done[0] if held is not done else done[-1]) if done else None,
            'set': frozenset(held),
            'list': tuple(held),
            'counter': sum(held),
        }
        found.append(linear.Call(n, start, end, R, None, read[kind]))
    return found


_OF = {
    'register': things.register(),
    'set': things.grow_only_set(),
    'list': things.appended(),
    'counter': things.counter(),
}


@pytest.mark.parametrize('lost', [0.0, 0.2])
@pytest.mark.parametrize('kind', ['register', 'set', 'list'])
def test_what_is_stale_or_lost_is_shown_by_a_few_calls_however_much_was_never_answered(
    kind: str, lost: float
) -> None:
    right = _lasting(kind, 1500, lost)
    assert linear.check(right, _OF[kind], most=20_000).how == 'possible'
    found = linear.check(_lasting(kind, 1500, lost, wrong=True), _OF[kind], most=20_000)
    assert found.how == 'impossible'
    assert 1 < len(found.impossible) <= 4, found.impossible
    assert linear.check(found.impossible, _OF[kind]).how == 'impossible'


EVIDENT: dict[str, tuple[linear.Model, list[linear.Call], int]] = {
    # The thing, its history, and how many calls show that it is impossible; 0: nothing is evident.
    'a value that nobody wrote': (things.register(0), [call(0, 1, W, 1), call(2, 3, R, answer=7)], 1),
    'a value before it is written': (things.register(0), [call(4, 5, W, 1), call(2, 3, R, answer=1)], 1),
    'a value as it is written': (things.register(0), [call(3, 5, W, 1), call(2, 3, R, answer=1)], 0),
    'the first value after a write': (things.register(0), [call(0, 1, W, 1), call(2, 3, R, answer=0)], 2),
    'the first value as a write ends': (things.register(0), [call(0, 2, W, 1), call(2, 3, R, answer=0)], 0),
    'the first value again': (things.register(0), [call(0, 1, W, 1), call(1.5, 1.7, W, 0), call(2, 3, R, answer=0)], 0),
    'an old value': (things.register(), [call(0, 1, W, 1), call(2, 3, W, 2), call(4, 5, R, answer=1)], 3),
    'an old value, written twice': (
        things.register(), [call(0, 1, W, 1), call(1.1, 1.2, W, 1), call(2, 3, W, 2), call(4, 5, R, answer=1)], 4,
    ),
    'a value that may be the later one': (things.register(), [call(0, 2.5, W, 1), call(2, 3, W, 2), call(4, 5, R, answer=1)], 0),
    'what began as the last one ended': (things.register(), [call(0, 2, W, 1), call(2, 3, W, 2), call(4, 5, R, answer=1)], 0),
    'a value whose write nobody answered': (things.register(), [call(0, NEVER, W, 1), call(2, 3, W, 2), call(4, 5, R, answer=1)], 0),
    'overwritten by what nobody answered': (things.register(), [call(0, 1, W, 1), call(2, NEVER, W, 2), call(4, 5, R, answer=1)], 0),
    'overwritten by a cas': (things.register(), [call(0, 1, W, 1), call(2, 3, C, (1, 2), True), call(4, 5, R, answer=1)], 3),
    'not overwritten by a cas': (things.register(), [call(0, 1, W, 1), call(2, 3, C, (9, 2), False), call(4, 5, R, answer=1)], 0),
    'a cas from what is old': (things.register(), [call(0, 1, W, 1), call(2, 3, W, 2), call(4, 5, C, (1, 3), True)], 3),
    'a cas from what nobody wrote': (things.register(), [call(4, 5, C, (1, 3), True)], 1),
    'a cas from what it writes itself': (things.register(), [call(4, 5, C, (1, 1), True)], 1),
    'a cas that is refused': (things.register(), [call(0, 1, W, 1), call(4, 5, C, (7, 3), False)], 0),
    'what only a refused cas would have written': (things.register(0), [call(0, 1, C, (5, 1), False), call(4, 5, R, answer=1)], 1),
    'what an unanswered cas may have written': (things.register(0), [call(0, NEVER, C, (0, 1)), call(4, 5, R, answer=1)], 0),
    'an element that nobody added': (things.grow_only_set(), [call(0, 1, 'add', 'a'), call(2, 3, R, answer=frozenset('ab'))], 1),
    'an element before it is added': (things.grow_only_set(), [call(4, 5, 'add', 'a'), call(2, 3, R, answer=frozenset('a'))], 1),
    'an element as it is added': (things.grow_only_set(), [call(3, 5, 'add', 'a'), call(2, 3, R, answer=frozenset('a'))], 0),
    'a lost element': (things.grow_only_set(), [call(0, 1, 'add', 'a'), call(2, 3, R, answer=frozenset[str]())], 2),
    'an element that comes later': (things.grow_only_set(), [call(0, 2, 'add', 'a'), call(2, 3, R, answer=frozenset[str]())], 0),
    'an element that was seen and is gone': (
        things.grow_only_set(), [call(0, NEVER, 'add', 'a'), call(2, 3, R, answer=frozenset('a')), call(4, 5, R, answer=frozenset[str]())], 3,
    ),
    'an element that was never seen, nor answered': (things.grow_only_set(), [call(0, NEVER, 'add', 'a'), call(4, 5, R, answer=frozenset[str]())], 0),
    'two orders': (
        things.appended(),
        [call(0, 9, 'append', 1), call(0, 9, 'append', 2), call(0, 9, 'append', 3), call(1, 2, R, answer=(1, 3)), call(1, 2, R, answer=(1, 2))], 4,
    ),
    'one order': (
        things.appended(), [call(0, 9, 'append', 1), call(0, 9, 'append', 2), call(1, 2, R, answer=(1,)), call(1, 2, R, answer=(1, 2))], 0,
    ),
    'an element of a list that is gone': (things.appended(), [call(0, 1, 'append', 1), call(2, 3, R, answer=())], 2),
    'too little': (things.counter(1), [call(0, 1, 'add', 2), call(0, 9, 'add', 4), call(2, 3, R, answer=2)], 3),
    'as little as can be': (things.counter(1), [call(0, 1, 'add', 2), call(0, 9, 'add', 4), call(2, 3, R, answer=3)], 0),
    'as much as can be': (things.counter(1), [call(0, 1, 'add', 2), call(3, 9, 'add', 4), call(2, 3, R, answer=7)], 0),
    'too much': (things.counter(1), [call(0, 1, 'add', 2), call(3, 9, 'add', 4), call(2, 3, R, answer=8)], 3),
    'what is added later is no reason': (things.counter(), [call(4, 5, 'add', 4), call(2, 3, R, answer=4)], 1),
    'less by what is taken away': (things.counter(), [call(0, 9, 'add', -4), call(2, 3, R, answer=-4)], 0),
    'more, while less is added': (things.counter(), [call(0, 9, 'add', -4), call(2, 3, R, answer=1)], 2),
    'no number': (things.counter(), [call(2, 3, R, answer='x')], 1),
    'money that is gone': (things.bank({'a': 3, 'b': 0}), [call(2, 3, R, answer=(('a', 1), ('b', 1)))], 1),
    'money that is there': (things.bank({'a': 3, 'b': 0}), [call(0, 9, 'transfer', ('a', 'b', 1), True), call(2, 3, R, answer=(('a', 2), ('b', 1)))], 0),
}  # fmt: skip


@pytest.mark.parametrize('name', EVIDENT)
def test_what_is_evident_needs_no_search(name: str) -> None:
    model, calls, count = EVIDENT[name]
    found = model.evident(sorted(calls, key=lambda one: one.start))
    assert len(found) == count, found
    assert {*found} <= {*calls}
    assert linear.check(calls, model).how == ('impossible' if count else 'possible')
    if count:
        # By itself it is impossible as well, as every order says.
        assert not orders(found, model)


@settings(max_examples=300, deadline=None)
@given(_CALLS)
def test_nothing_is_evident_of_what_is_possible(
    some: list[tuple[int, int | None, str, int, int]],
) -> None:
    calls, model = _made(some), things.register(0)
    if found := model.evident(sorted(calls, key=lambda one: one.start)):
        assert not orders(calls, model)
        assert model.makers is not None
        assert not orders((*found, *model.makers(found, calls)), model)


def test_what_a_refusal_needs_is_not_left_out() -> None:
    # Whoever was refused found something else: the write that nobody read is why. What is impossible is the lock.
    calls = [
        call(0, 1, W, 5), call(1.1, 2, C, (0, 1), False), call(3, 4, C, (5, 6), True), call(3, 5, C, (5, 7), True),
    ]  # fmt: skip
    found = linear.check(calls, things.register(0))
    assert found.how == 'impossible'
    assert {one.asked for one in found.impossible} == {5, (5, 6), (5, 7)}


def _one_lock_for_two() -> list[linear.Call]:
    """Two that both take the same lock, at the end of a long history that has nothing to do with it."""
    before = [
        call(n, n + 0.5, W, n) if n % 2 else call(n, n + 0.5, R, answer=n - 1 if n else None)
        for n in range(300)
    ]
    return [
        *before,
        call(300, 301, W, 'free'),
        call(302, 303, C, ('free', 'a'), True),
        call(302, 303.5, C, ('free', 'b'), True),
    ]


def test_what_is_shown_of_a_long_history_is_short() -> None:
    calls = [one for one in _one_lock_for_two() if one.name != R]
    found = linear.check(calls, things.register())
    assert [one.asked for one in found.impossible] == ['free', ('free', 'a'), ('free', 'b')]


def test_what_is_shown_is_looked_for_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [one for one in _one_lock_for_two() if one.name != R]
    lengths: list[int] = []
    for most in (0, 400, 2000, 300_000):
        monkeypatch.setattr(linear, '_MOST_TO_SHRINK', most)
        found = linear.check(calls, things.register())
        assert found.how == 'impossible'
        lengths.append(len(found.impossible))
    assert lengths[0] == len(calls)
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] == 3


def test_what_nobody_answered_and_nobody_saw_needs_no_search() -> None:
    unseen = [call(n / 10, NEVER, W, 100 + n) for n in range(40)]
    calls = [*unseen, call(5, 6, W, 1), call(5, 6.5, W, 2), call(7, 8, R, answer=1), call(9, 10, R, answer=2)]  # fmt: skip
    found = linear.check(calls, things.register(), most=200)
    assert (found.how, len(found.impossible)) == ('impossible', 4)


# In a journal.

_LOAD: dict[str, located.Plain] = {
    'kinds': ['w', 'r'],
    'rate': 0,
    'own': True,
    'models': {'kv': {'is': 'register', 'write': 'w', 'read': 'r', 'first': 0}},
}


def done(
    at: float,
    kind: str,
    value: located.Plain = None,
    answer: located.Plain = None,
    who: str = 'c1',
) -> Line:
    """An operation of a client on the key k."""
    asked: located.Plain = {'key': 'k'} if value is None else {'key': 'k', 'value': value}
    invoke = journal.Operation(f'{at}', kind, 'invoke', who, asked)
    return [(at, invoke), (at + 0.1, journal.Operation(f'{at}', kind, 'ok', who, answer))]


def asked(
    at: float, kind: str, value: located.Plain, answer: located.Plain = None, *, how: str = 'ok'
) -> Line:
    """An operation as any load may write it."""
    return op(at, kind, how, value=value, answer=answer)


def _verdict(check: str, *parts: Line) -> verdict.Verdict:
    of = trial_of(note(0, 'load', _LOAD), *parts)
    found = histories.named(of)
    function = histories.history if check == 'history' else histories.session
    return function(of, 'kv', found['kv'])


def test_the_history_in_a_journal_is_judged_with_what_shows_it() -> None:
    good = (done(1, 'w', 1), done(2, 'r', answer=1), done(3, 'w', 2), done(4, 'r', answer=2))
    assert _verdict('history', *good).outcome is verdict.Outcome.PASS
    bad = _verdict('history', *good, done(5, 'r', answer=1))
    assert bad.outcome is verdict.Outcome.FAIL
    assert "no register of 'k' can do this" in bad.sentence
    assert 'write 2 (3.00 to 3.10 s)' in bad.sentence
    assert 'read → 1 (5.00 to 5.10 s)' in bad.sentence
    # Both writes and the last read; the reads between showed nothing.
    assert len((*bad.evidence, *bad.context)) == 3
    assert _verdict('history', done(1, 'w', 1)).outcome is verdict.Outcome.UNKNOWN
    read = of_parts(note(0, 'test.start', 't'), note(0, 'load', _LOAD), *good, done(5, 'r', answer=1), note(9, 'test.complete', 't'))  # fmt: skip
    assert panel.judge(read).sentence == bad.sentence


def test_a_client_that_reads_less_than_it_wrote_or_read_is_found() -> None:
    wrote = (done(1, 'w', 1), done(2, 'w', 2))
    own = _verdict('session', *wrote, done(3, 'r', answer=1))
    assert (own.outcome, 'did not read its own write' in own.sentence) == (
        verdict.Outcome.FAIL,
        True,
    )
    other = (done(3, 'r', answer=2, who='c2'), done(4, 'r', answer=1, who='c2'))
    back = _verdict('session', *wrote, *other)
    assert 'client c2' in back.sentence
    assert 'read what is older than it had read' in back.sentence
    late = (done(3, 'r', answer=1, who='c2'), done(4, 'r', answer=2, who='c2'))
    assert _verdict('session', *wrote, *late).outcome is verdict.Outcome.PASS
    assert _verdict('session', done(1, 'r', answer=0)).outcome is verdict.Outcome.UNKNOWN


# Each thing, as a load says what it does: in a journal, where values are what JSON has.

_THINGS: dict[str, tuple[located.Plain, list[Line], list[Line], str]] = {
    # What is said of it, a history that it can have, what makes it impossible, and what the sentence then has.
    'register': (
        {'is': 'register', 'write': 'w', 'read': 'r', 'cas': 'c', 'first': [0]},
        [
            asked(1, 'r', {'key': 'k'}, [0]), asked(2, 'w', {'key': 'k', 'value': [1]}),
            asked(3, 'c', {'key': 'k', 'old': [1], 'new': {'a': 2}}, True), asked(4, 'r', {'key': 'k'}, {'key': 'k', 'value': {'a': 2}}),
            asked(5, 'c', {'key': 'k', 'old': [1], 'new': 3}, False), asked(6, 'r', {'key': 'other'}, [0]),
            asked(6.2, 'r', {'key': 'k'}, {'value': 1}, how='fail'), asked(6.4, 'w', {'key': 'k', 'value': 9}, how='info'),
        ],
        [asked(7, 'c', {'key': 'k', 'old': {'a': 2}, 'new': 4}, False), asked(8, 'r', {'key': 'k'}, {'a': 2})],
        "no register of 'k' can do this",
    ),
    'counter': (
        {'is': 'counter', 'add': 'w', 'read': 'r', 'first': 5},
        [asked(1, 'r', None, 5), asked(2, 'w', {'value': 2}), asked(3, 'r', None, 7), asked(4, 'w', {'value': -1}), asked(5, 'r', {}, 6)],
        [asked(6, 'r', None, 7)],
        'no counter can do this, in whatever order: add 2',
    ),
    'a counter from nothing': (
        {'is': 'counter', 'add': 'w', 'read': 'r'},
        [asked(1, 'r', None, 0), asked(2, 'w', {'value': 2}), asked(3, 'r', None, 2)],
        [asked(6, 'r', None, 3)],
        'read → 3 (6.00 to 6.10 s)',
    ),
    'set': (
        {'is': 'set', 'add': 'w', 'read': 'r'},
        [asked(1, 'r', None, []), asked(2, 'w', {'value': 'a'}), asked(3, 'w', {'value': 'b'}), asked(4, 'r', None, ['b', 'a', 'a'])],
        [asked(5, 'r', None, ['b'])],
        'in whatever order: add a (2.00 to 2.10 s); read → {b} (5.00 to 5.10 s)',
    ),
    'a set of nothing': (
        {'is': 'set', 'add': 'w', 'read': 'r'},
        [asked(1, 'r', None, None), asked(2, 'w', {'value': 'a'}), asked(4, 'r', None, ['a'])],
        [asked(5, 'r', None, None)],
        'read → {} (5.00 to 5.10 s)',
    ),
    'list': (
        {'is': 'list', 'append': 'w', 'read': 'r'},
        [asked(2, 'w', {'value': 'a'}), asked(3, 'w', {'value': 'b'}), asked(4, 'r', None, ['a', 'b'])],
        [asked(5, 'r', None, ['b', 'a'])],
        "read → ('b', 'a')",
    ),
    'bank': (
        {'is': 'bank', 'transfer': 'w', 'read': 'r', 'first': {'a': 5, 'b': 0}},
        [
            asked(1, 'r', None, {'a': 5, 'b': 0}), asked(2, 'w', {'from': 'a', 'to': 'b', 'amount': 3}, True),
            asked(3, 'w', {'from': 'a', 'to': 'b', 'amount': 3}, False), asked(4, 'r', None, {'b': 3, 'a': 2}),
        ],
        [asked(5, 'w', {'from': 'b', 'to': 'a', 'amount': 4}, True), asked(6, 'r', None, {'a': 6, 'b': -1})],
        'no bank can do this',
    ),
    'a bank that loses money': (
        {'is': 'bank', 'transfer': 'w', 'read': 'r', 'first': {'a': 5, 'b': 0}},
        [asked(2, 'w', {'from': 'a', 'to': 'b', 'amount': 3}, True), asked(4, 'r', None, {'b': 3, 'a': 2})],
        [asked(6, 'r', None, {'b': 3, 'a': 1})],
        "read → (('a', 1), ('b', 3))",
    ),
}  # fmt: skip


@pytest.mark.parametrize('name', _THINGS)
def test_each_thing_is_judged_by_its_journal(name: str) -> None:
    said, good, bad, sentence = _THINGS[name]
    load = note(0, 'load', {'kinds': ['w', 'r'], 'rate': 0, 'own': True, 'models': {'it': said}})
    before = trial_of(load, *good)
    found = histories.history(before, 'it', histories.named(before)['it'])
    assert found.outcome is verdict.Outcome.PASS, found.sentence
    assert f'are those of a {trial.mapping(said)["is"]} that does one at a time' in found.sentence
    after = trial_of(load, *good, *bad)
    wrong = histories.history(after, 'it', histories.named(after)['it'])
    assert wrong.outcome is verdict.Outcome.FAIL, wrong.sentence
    assert sentence in wrong.sentence
    assert wrong.signature == verdict.Signature('history', 'it', 'impossible')
    assert {*wrong.context} <= {one.seq for one in after.done}
    # What was answered last is wrong, and not what was before it.
    (last,) = wrong.evidence
    assert last > max(one.seq for one in before.done)
    assert last not in wrong.context


@pytest.mark.parametrize('own', [True, False])
@pytest.mark.parametrize('took', [0.1, 1.1])
def test_what_never_met_anything_shows_not_whether_one_change_undoes_another(
    own: bool, took: float
) -> None:
    """A load of the bundle's own decides what it does at once; it is told, and no more."""
    models: located.Plain = {'it': {'is': 'counter', 'add': 'w', 'read': 'r'}}
    said: located.Plain = {'kinds': [], 'rate': 0, 'own': own, 'models': models}
    adds = [op(n, 'w', value={'value': 1}, took=took) for n in (2, 3)]
    of = trial_of(note(0, 'load', said), *adds, asked(9, 'r', None, 2))
    found = histories.history(of, 'it', models['it'])
    met = took > 1
    assert found.outcome is (verdict.Outcome.PASS if met or own else verdict.Outcome.UNKNOWN)
    assert ('no two changes of it went on at once' in found.sentence) is not met


@pytest.mark.parametrize(('thing', 'name'), [('list', 'append'), ('set', 'add')])
def test_a_client_that_misses_its_own_element_or_what_it_had_read_is_found(
    thing: str, name: str
) -> None:
    models: located.Plain = {'kv': {'is': thing, name: 'w', 'read': 'r'}}
    load = note(0, 'load', {**_LOAD, 'models': models})

    def session(*parts: Line) -> verdict.Verdict:
        of = trial_of(load, *parts)
        return histories.session(of, 'kv', histories.named(of)['kv'])

    wrote = (done(1, 'w', 'a'), done(2, 'w', 'b'))
    good = session(*wrote, done(3, 'r', answer=['a', 'b']), done(4, 'r', answer=['a', 'b', 'c']))
    assert (good.outcome, good.sentence) == (
        verdict.Outcome.PASS,
        '3 reads of clients that had been there before',
    )
    own = session(*wrote, done(3, 'r', answer=['a']))
    assert own.sentence.startswith("client c1 of 'k' did not read its own write: ")
    other = (done(3, 'r', answer=['a', 'b'], who='c2'), done(4, 'r', answer=None, who='c2'))
    back = session(*wrote, *other)
    assert back.sentence.startswith("client c2 of 'k' read what is older than it had read: read")
    assert back.signature == verdict.Signature(
        'session', 'kv', 'read what is older than it had read'
    )


def test_what_was_written_before_any_fault_and_is_read_wrongly_under_one_is_suspected_of_it() -> (
    None
):
    parts = (
        note(0, 'load', _LOAD), done(1, 'w', 1), done(2, 'w', 2), done(3, 'r', answer=2),
        fault(), done(12, 'r', answer=1), done(30, 'r', answer=2),
    )  # fmt: skip
    of, entries = trial_of(*parts), of_parts(*parts).entries
    for check in (histories.history, histories.session):
        found = check(of, 'kv', histories.named(of)['kv'])
        assert found.outcome is verdict.Outcome.FAIL
        assert found.context
        assert not suspects.before_any_fault(entries, found.evidence)
        assert [one.at for one in entries if one.seq in found.evidence] == [12]
        assert suspects.rank(entries, found.evidence)[0].score > 0


def test_how_many_keys_there_were_is_told() -> None:
    one = [*asked(1, 'w', {'key': 'a', 'value': 1}), *asked(2, 'r', {'key': 'a'}, 1)]
    more = [*asked(3, 'w', {'key': 'b', 'value': 1}), *asked(4, 'r', {'key': 'b'}, 1)]
    assert _verdict('history', one).sentence.startswith('2 operations are those')
    assert _verdict('history', one, more).sentence.startswith('4 operations on 2 keys are those')


def test_one_key_that_takes_all_steps_leaves_some_to_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linear, 'MOST', 300)
    given_to: list[int] = []
    check = linear.check

    def counted(
        calls: Iterable[linear.Call], model: linear.Model, *, most: int = linear.MOST
    ) -> linear.Found:
        given_to.append(most)
        return check(calls, model, most=300)

    monkeypatch.setattr(linear, 'check', counted)
    monkeypatch.setattr(histories, '_LEAST_STEPS', 50)
    models: located.Plain = {'kv': {'is': 'counter', 'add': 'w', 'read': 'r'}}
    hard = [
        line
        for key in 'ab'
        for n in range(12)
        for line in op(1 + n / 10, 'w', value={'key': key, 'value': 2}, took=50)
    ]
    odd = [line for key in 'ab' for line in op(5, 'r', value={'key': key}, answer=9, took=60)]
    early = asked(0.5, 'w', {'key': 'b', 'value': 0})
    of = trial_of(note(0, 'load', {**_LOAD, 'models': models}), early, hard, odd)
    found = histories.history(of, 'kv', histories.named(of)['kv'])
    assert (found.outcome, "of 'a' is possible" in found.sentence) == (
        verdict.Outcome.UNKNOWN,
        True,
    )
    assert given_to[0] == 300
    assert given_to[1] == 50


WRONG: dict[str, tuple[object, str]] = {
    'no mapping': ([['w', 'r']], 'are a mapping of names'),
    'a thing that is none': ({'kv': 'register'}, 'kv is a mapping such as'),
    'a word that is misspelt': ({'kv': {'is': 'registre', 'write': 'w', 'read': 'r'}}, "did you mean 'register'?"),
    'no word at all': ({'kv': {'write': 'w', 'read': 'r'}}, 'not None'),
    'an operation that it has not': ({'kv': {'is': 'set', 'append': 'w', 'read': 'r'}}, "no 'append'"),
    'an operation that is misspelt': ({'kv': {'is': 'register', 'wirte': 'w', 'read': 'r'}}, "did you mean 'write'?"),
    'a kind that is none': ({'kv': {'is': 'register', 'write': ['w'], 'read': 'r'}}, "'write' of kv is a kind of operation, not ['w']"),
    'an empty kind': ({'kv': {'is': 'register', 'write': 'w', 'read': ''}}, "'read' of kv is a kind of operation"),
    'nothing that reads': ({'kv': {'is': 'register', 'write': 'w'}}, "needs 'read' and write or cas"),
    'nothing that writes': ({'kv': {'is': 'counter', 'read': 'r'}}, "needs 'read' and add"),
    'a bank without accounts': ({'kv': {'is': 'bank', 'transfer': 'w', 'read': 'r'}}, "'first' of kv, a bank"),
    'a bank whose accounts hold words': ({'kv': {'is': 'bank', 'transfer': 'w', 'read': 'r', 'first': {'a': 'x'}}}, "'first' of kv, a bank"),
}  # fmt: skip


@pytest.mark.parametrize('name', WRONG)
def test_what_is_wrong_with_what_is_said_of_things_is_told(name: str) -> None:
    models, said = WRONG[name]
    assert said in histories.wrong(models)
    if isinstance(models, dict):
        of = trial_of(
            note(0, 'load', {**_LOAD, 'models': models}), done(1, 'w', 1), done(2, 'r', 1)
        )
        for check in (histories.history, histories.session):
            found = check(of, 'kv', histories.named(of)['kv'])
            assert (found.outcome, said in found.sentence) == (verdict.Outcome.UNKNOWN, True)


def test_models_that_are_no_mapping_are_told_by_the_judge_too() -> None:
    models: located.Plain = [['w', 'r']]
    of = trial_of(note(0, 'load', {**_LOAD, 'models': models}), done(1, 'w', 1))
    ((name, thing),) = histories.named(of).items()
    found = histories.history(of, name, thing)
    assert (found.outcome, 'is a mapping such as' in found.sentence) == (
        verdict.Outcome.UNKNOWN,
        True,
    )


def test_what_is_right_is_not_wrong() -> None:
    assert not histories.wrong({})
    for said, *_ in _THINGS.values():
        assert not histories.wrong({'it': said})
    assert not histories.wrong({'it': {'is': 'register', 'cas': 'c', 'read': 'r'}})


def test_what_was_read_before_it_was_written_shows_nothing() -> None:
    early = _verdict('history', done(1, 'r', answer=0), done(2, 'w', 1))
    assert (early.outcome, 'after it had been written' in early.sentence) == (
        verdict.Outcome.UNKNOWN,
        True,
    )
    elsewhere = [*asked(1, 'w', {'key': 'a', 'value': 1}), *asked(2, 'r', {'key': 'b'}, 0)]
    assert _verdict('history', elsewhere).outcome is verdict.Outcome.UNKNOWN
    failed = [*asked(1, 'w', {'key': 'k', 'value': 1}, how='fail'), *done(2, 'r', answer=0)]
    assert _verdict('history', failed).outcome is verdict.Outcome.UNKNOWN


def test_a_read_may_be_stale_where_that_is_promised() -> None:
    read = of_parts(
        note(0, 'test.start', 't'),
        note(0, 'expect', {'stale': True}),
        note(0, 'load', _LOAD),
        done(1, 'w', 1),
        done(2, 'w', 2),
        done(3, 'r', answer=1),
        note(9, 'test.complete', 't'),
    )
    checks = {one.check: one for one in panel.judge(read).tests[0].verdicts}
    assert checks['history of kv'].outcome is not verdict.Outcome.FAIL
    assert 'how late each read was is not judged' in checks['history of kv'].sentence
    assert not any(one.startswith('session') for one in checks)


def test_a_list_that_is_not_there_yet_is_empty() -> None:
    models: located.Plain = {'it': {'is': 'list', 'append': 'w', 'read': 'r'}}
    of = trial_of(note(0, 'load', {**_LOAD, 'own': True, 'models': models}), done(1, 'r', answer=None), done(2, 'w', 'x'), done(3, 'r', answer=['x']))  # fmt: skip
    assert histories.history(of, 'it', models['it']).outcome is verdict.Outcome.PASS


def test_who_wrote_what_a_compare_and_set_found_is_shown_with_it() -> None:
    calls = [call(0, NEVER, W, 1), call(0.01, 1.5, C, (1, 1), True), call(2, 3, R, answer=0)]
    assert linear.check(calls, things.register(0)).impossible == tuple(calls)


def _swaps(count: int) -> list[linear.Call]:
    """A register that clients only swap, each time for the next number, and at last a read of an old one."""
    swaps = [call(n, n + 0.5, C, (n, n + 1), True) for n in range(count)]
    return [*swaps, call(count + 1, count + 2, R, answer=7)]


def test_an_example_that_many_writes_led_to_is_shown_without_them() -> None:
    long = _swaps(3000)
    found = linear.check(long, things.register(0))
    assert (found.how, found.left_out) == ('impossible', True)
    assert found.impossible == (long[6], *long[-2:])
    # Where they are few, all of it is shown: it is impossible by itself.
    short = linear.check(_swaps(12), things.register(0))
    assert (len(short.impossible), short.left_out) == (9, False)
    assert not orders(short.impossible, things.register(0))


def test_the_sentence_says_that_writes_are_left_out() -> None:
    models: located.Plain = {'it': {'is': 'register', 'first': 0, 'cas': 'c', 'read': 'r'}}
    for count, left_out in ((60, True), (12, False)):
        swaps = [one for n in range(count) for one in op(n, 'c', value={'old': n, 'new': n + 1}, answer=True)]  # fmt: skip
        of = trial_of(note(0, 'load', {**_LOAD, 'models': models}), swaps, op(90, 'r', answer=7))
        found = histories.history(of, 'it', models['it'])
        assert found.outcome is verdict.Outcome.FAIL
        assert ('writes are left out' in found.sentence) == left_out
