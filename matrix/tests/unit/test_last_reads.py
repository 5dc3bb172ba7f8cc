# ruff: noqa: E501  # a table is read by its lines
"""What was acknowledged is looked for after the faults, and what must hold where reads may be late."""

from __future__ import annotations

import asyncio

import pytest
from chronicle import Line, fault, note, op, trial_of
from hypothesis import given
from hypothesis import strategies as st

from matrix.grammar import located
from matrix.history import journal
from matrix.judge import histories, trial, verdict
from matrix.load import asking, load, openloop

PASS, FAIL, UNKNOWN = verdict.Outcome.PASS, verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN
CHANGES = {
    'register': 'write',
    'counter': 'add',
    'set': 'add',
    'list': 'append',
    'bank': 'transfer',
}
BACK = note(30, 'phase', 'readback')
FIRST: dict[str, located.Plain] = {'counter': 0, 'bank': {'a': 5, 'b': 0}}


def _w(at: float, value: located.Plain, key: str = 'k') -> Line:
    return op(at, 'w', value={'key': key, 'value': value}, answer=True)


def _r(at: float, answer: located.Plain, key: str = 'k', how: str = 'ok') -> Line:
    return op(at, 'r', how, value={'key': key}, answer=answer)


def _trial(kind: str, *parts: Line, stale: bool, own: bool = False) -> trial.Trial:
    thing: located.Plain = {'is': kind, 'first': FIRST.get(kind), CHANGES[kind]: 'w', 'read': 'r'}
    said: located.Plain = {'kinds': [], 'rate': 0, 'own': own, 'models': {'it': thing}}
    return trial_of(note(0, 'expect', {'stale': stale}), note(0, 'load', said), *parts)


def _found(kind: str, *parts: Line, stale: bool = False, own: bool = False) -> verdict.Verdict:
    of = _trial(kind, *parts, stale=stale, own=own)
    return histories.history(of, 'it', histories.named(of)['it'])


BEFORE = (_w(1, 'a'), _r(2, 'a'), fault(10, 11, 20))


def test_what_was_acknowledged_and_not_read_after_the_faults_may_be_lost() -> None:
    assert _found('register', *BEFORE, _r(21, 'a')).outcome is PASS
    for more in ((), (_r(21, 'a', how='fail'),), (_r(21, 'b', 'other'), _w(20.5, 'b', 'other'))):
        found = _found('register', *BEFORE, *more)
        assert (found.outcome, 'not read after the last fault' in found.sentence) == (
            UNKNOWN,
            True,
        )


def test_a_load_of_the_bundle_s_own_is_told_so_and_no_more() -> None:
    found = _found('register', *BEFORE, own=True)
    assert (found.outcome, 'not read after the last fault' in found.sentence) == (PASS, True)


def test_what_was_written_after_the_faults_may_be_unread() -> None:
    assert _found('register', *BEFORE, _r(21, 'a'), _w(22, 'b', 'other')).outcome is PASS


MOVED = op(1, 'w', value={'key': 'k', 'from': 'a', 'to': 'b', 'amount': 3}, answer=True)
LATE: dict[str, tuple[str, tuple[Line, ...], verdict.Outcome]] = {
    'an old value, and the newest in the end': (
        'register', (_w(1, 'a'), _w(2, 'b'), _r(3, 'a'), fault(), BACK, _r(31, 'a'), _r(32, 'b')), PASS,
    ),
    'an old value in the end': ('register', (_w(1, 'a'), _w(2, 'b'), _r(3, 'b'), fault(), BACK, _r(31, 'a')), FAIL),
    'a value that nobody wrote': ('register', (_w(1, 'a'), _r(3, 'x')), FAIL),
    'a value that is written only later': ('register', (_w(1, 'a'), _r(3, 'b'), _w(4, 'b')), FAIL),
    'a sum that is late': ('counter', (_w(1, 2), _r(3, 0), _r(4, 2)), PASS),
    'a sum that is late in the end': ('counter', (_w(1, 2), _r(3, 2), fault(), BACK, _r(31, 0)), FAIL),
    'a sum of more than there was': ('counter', (_w(1, 2), _r(3, 4)), FAIL),
    'an element that is gone for a while': ('set', (_w(1, 'a'), _r(2, ['a']), _r(3, []), fault(), BACK, _r(31, ['a'])), PASS),
    'an element that is gone in the end': ('set', (_w(1, 'a'), _r(2, ['a']), fault(), BACK, _r(31, [])), FAIL),
    'an element that is not there yet': ('set', (_w(1, 'a'), _r(2, ['a']), fault(), BACK, _w(30.5, 'b'), _r(31, ['a'])), PASS),
    'two orders': ('list', (_w(1, 'a'), _w(1.01, 'b'), _r(2, ['a', 'b']), _r(3, ['b', 'a'])), FAIL),
    'a beginning': ('list', (_w(1, 'a'), _w(2, 'b'), _r(3, ['a']), _r(4, [])), PASS),
    'money that is gone': ('bank', (MOVED, _r(3, {'a': 2, 'b': 2})), FAIL),
    'money that is not there yet': ('bank', (MOVED, _r(3, {'a': 5, 'b': 0})), PASS),
}  # fmt: skip


@pytest.mark.parametrize('name', LATE)
def test_where_reads_may_be_late_all_else_is_judged(name: str) -> None:
    kind, parts, outcome = LATE[name]
    found = _found(kind, *parts, stale=True)
    assert found.outcome is outcome, found.sentence
    assert ('is not judged' in found.sentence) is (outcome is PASS)
    if name == 'an old value in the end':
        assert 'read → a (31.00 to 31.10 s)' in found.sentence, (
            'the times are those of the journal'
        )


def test_where_nothing_was_read_in_the_end_the_sentence_says_so() -> None:
    kind, parts, _ = LATE['a sum that is late']
    assert 'in the end was not seen' in _found(kind, *parts, stale=True).sentence


# What a load reads then.


@given(st.sampled_from(sorted(CHANGES)), st.lists(st.booleans(), max_size=300))
def test_every_key_that_was_changed_is_read_once_in_the_end(kind: str, reads: list[bool]) -> None:
    thing = asking.Thing('p', kind)
    changed: set[str] = set()
    for read in reads:
        does = 'read' if read else CHANGES[kind]
        asked = thing.asked(does)
        for what, value in ((does, asked), thing.beside(does, asked) or ('read', None)):
            if what != 'read' and isinstance(value, dict):
                changed.add(str(value['key']))
    last = [str(one['key']) for one in thing.last_reads() if isinstance(one, dict)]
    assert len(last) == len({*last})
    assert {*last} == changed


class Things:
    """A load of one register."""

    sentence, secrets, writes = 'a register', frozenset[str](), ()

    async def prepare(self) -> list[load.Kind]:
        async def do(_: located.Plain) -> load.Result:
            return load.Result('x')

        return [load.Kind('r', do, lambda: None)]

    async def close(self) -> None:
        pass

    def last_reads(self) -> list[tuple[str, located.Plain]]:
        return [('r', {'key': 'a'}), ('r', {'key': 'b'}), ('unknown', {'key': 'c'})]


def test_reading_back_reads_them() -> None:
    written: list[journal.What] = []

    async def go() -> int:
        async with openloop.clients(Things(), write=written.append, seed=1) as them:
            return await them.read_back(within=30)

    assert asyncio.run(go()) == 2
    ends = [one for one in written if isinstance(one, journal.Operation) and one.phase == 'ok']
    assert len(ends) == 2
