"""What is asked of registers, counters, sets, lists and banks: it tells a right service from each wrong one."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from chronicle import Line, trial_of
from hypothesis import given
from hypothesis import strategies as st

from matrix.grammar import located
from matrix.history import journal
from matrix.judge import histories, verdict
from matrix.load import asking

KINDS = (*histories.NAMES,)
Asked = Mapping[str, located.Plain]
turns = st.lists(st.sampled_from(['read', 'change', 'cas']), min_size=1, max_size=600)


@dataclasses.dataclass
class Service:
    """Does all of them, one operation at a time. `wrong` says in which way it is not right."""

    kind: str
    wrong: str = ''
    states: dict[str, list[object]] = dataclasses.field(default_factory=dict[str, list[object]])
    count: int = 0
    before: list[object] = dataclasses.field(default_factory=list[object])

    def do(self, does: str, asked: Asked) -> located.Plain:
        key = str(asked['key'])
        before = self.states.setdefault(key, [self._first()])
        self.count += 1
        if does == 'read':
            seen = before[max(0, len(before) - 3)] if self.wrong == 'stale' else before[-1]
            return cast('located.Plain', seen)
        if does != 'cas' and self.wrong == 'loses' and self.count % 7 == 0:
            return True
        after = self._after(does, asked, before[-1])
        if after is None:
            return False
        if self.wrong == 'twice' and self.count % 7 == 0:
            after = self._after(does, asked, after) or after
        before.append(after)
        return True

    def do_at_once(self, does: str, asked: Asked, *, number: int) -> located.Plain:
        """The nth of those that are asked at once; without isolation all see what was there before the first."""
        key = str(asked['key'])
        if number and self.wrong == 'not isolated' and does != 'read':
            after, self.states[key] = self.states[key], self.before
            value = self.do(does, asked)
            if value is False:
                self.states[key] = after
            return value
        self.before = [*self.states.get(key, [self._first()])]
        return self.do(does, asked)

    def _first(self) -> object:
        firsts: Mapping[str, object] = {'register': None, 'counter': 0, 'bank': asking.ACCOUNTS}
        return firsts.get(self.kind, [])

    def _after(self, does: str, asked: Asked, now: object) -> object:
        match does:
            case 'write':
                return asked['value']
            case 'cas':
                fits = now == asked['old'] or self.wrong == 'never compares'
                return asked['new'] if fits else None
            case 'transfer':
                return self._moved(asked, cast('dict[str, int]', now))
            case 'add' if self.kind == 'counter':
                return cast('int', now) + cast('int', asked['value'])
            case _:
                old = cast('list[object]', now)
                front = self.wrong == 'reorders' and self.count % 7 == 0
                return [asked['value'], *old] if front else [*old, asked['value']]

    def _moved(self, asked: Asked, now: dict[str, int]) -> dict[str, int] | None:
        source, target, amount = str(asked['from']), str(asked['to']), cast('int', asked['amount'])
        if now[source] < amount and self.wrong != 'never compares':
            return None
        torn = self.wrong == 'torn' and self.count % 7 == 0
        moved = {**now, source: now[source] - amount}
        return moved if torn else {**moved, target: moved[target] + amount}


def _history(service: Service, rounds: int) -> verdict.Verdict:
    """What is judged of so many operations of each sort; some are asked two at once."""
    thing = asking.Thing(service.kind, service.kind)
    model = thing.model({does: does for does in thing.does})
    plan: located.Plain = {'kinds': [], 'rate': 1, 'models': {'it': model}}
    written: list[journal.What] = [journal.Note('load', plan)]
    for number in range(rounds):
        for does in thing.does:
            asked = thing.asked(does)
            if not isinstance(asked, dict):
                continue
            beside = thing.beside(does, asked)
            some = [(does, asked), *([] if beside is None else [beside])]
            for n, (what, value) in enumerate(some):
                written.append(
                    journal.Operation(f'{number}.{does}.{n}', what, 'invoke', value=value)
                )
            for n, (what, value) in enumerate(some):
                answer = service.do_at_once(what, cast('Asked', value), number=n)
                thing.learn(what, cast('Asked', value), answer)
                written.append(journal.Operation(f'{number}.{does}.{n}', what, 'ok', value=answer))
    line: Line = [(n / 100, one) for n, one in enumerate(written)]
    of = trial_of(line)
    ((name, said),) = histories.named(of).items()
    assert not histories.wrong({name: said})
    return histories.history(of, name, said)


@pytest.mark.parametrize('kind', KINDS)
def test_what_a_right_service_does_passes(kind: str) -> None:
    found = _history(Service(kind), 300)
    assert found.outcome is verdict.Outcome.PASS, found.sentence


WRONG = [
    *((kind, 'stale') for kind in KINDS),
    *((kind, 'loses') for kind in KINDS),
    *(('register', 'never compares'), ('bank', 'never compares'), ('bank', 'torn')),
    *((kind, 'not isolated') for kind in KINDS),
    *(('counter', 'twice'), ('list', 'twice'), ('list', 'reorders'), ('bank', 'twice')),
]


@pytest.mark.parametrize(('kind', 'wrong'), WRONG)
def test_what_a_wrong_one_does_is_impossible(kind: str, wrong: str) -> None:
    """What must be refused is asked for, too, and two go on at once on one key."""
    found = _history(Service(kind, wrong), 100)
    assert found.outcome is verdict.Outcome.FAIL, found.sentence
    assert found.signature is not None
    assert found.signature.error == 'impossible'


def _all(
    kind: str, some: list[str], service: Callable[[str, Asked], located.Plain]
) -> list[tuple[str, dict[str, Any]]]:
    thing = asking.Thing('p', kind)
    change = next(one for one in thing.does if one != 'read')
    found: list[tuple[str, dict[str, Any]]] = []
    for one in some:
        does = change if one == 'change' or one not in thing.does else one
        asked = thing.asked(does)
        if isinstance(asked, dict):
            thing.learn(does, asked, service(does, asked))
            found.append((does, {**asked}))
            what, beside = thing.beside(does, asked) or ('', None)
            if isinstance(beside, dict):
                assert beside['key'] == asked['key']
                thing.learn(what, beside, service(what, beside))
                found.append((what, {**beside}))
    return found


@given(st.sampled_from(KINDS), turns)
def test_no_value_is_made_twice_and_each_key_is_of_the_thing(kind: str, some: list[str]) -> None:
    found = _all(kind, some, Service(kind).do)
    assert all(str(asked['key']).startswith('p') for _, asked in found)
    if kind in {'register', 'set', 'list'}:
        made = [asked.get('value', asked.get('new')) for does, asked in found if does != 'read']
        assert len(made) == len({*made})


@given(st.sampled_from(KINDS), turns)
def test_what_goes_beside_another_is_something_that_can_be_done(
    kind: str, some: list[str]
) -> None:
    thing = asking.Thing('p', kind)
    for one in some:
        does = one if one in thing.does else next(each for each in thing.does if each != 'read')
        asked = thing.asked(does)
        found = thing.beside(does, asked, able=('read', 'append', 'add', 'transfer', 'write'))
        assert found is None or found[0] in {*thing.does} - {'cas'}
    assert thing.beside('read', None) is None


@given(st.sampled_from(['set', 'list']), turns)
def test_what_grows_is_left_behind_and_what_is_read_has_been_begun(
    kind: str, some: list[str]
) -> None:
    found = _all(kind, some, Service(kind).do)
    changes = collections.Counter(asked['key'] for does, asked in found if does != 'read')
    assert not changes or max(changes.values()) <= asking.MOST * 3 / 2
    generations = [int(str(asked['key']).split('-')[1]) for _, asked in found]
    newest = 0
    for (does, _), generation in zip(found, generations, strict=True):
        newest = max(newest, generation if does != 'read' else 0)
        assert generation <= newest


@given(turns)
def test_a_compare_and_set_asks_for_what_was_seen_there(some: list[str]) -> None:
    seen: dict[str, set[object]] = collections.defaultdict(set)
    service = Service('register')

    def do(does: str, asked: Asked) -> located.Plain:
        if does == 'cas':
            assert asked['old'] in seen[str(asked['key'])]
            assert asked['new'] not in seen[str(asked['key'])]
        value = service.do(does, asked)
        if value is not False:
            seen[str(asked['key'])].add(asked.get('value', asked.get('new', value)))
        return value

    _all('register', some, do)


@given(st.integers(1, 400))
def test_a_transfer_is_between_two_accounts(count: int) -> None:
    for does, asked in _all('bank', ['change'] * count, Service('bank').do):
        if does == 'read':
            continue
        assert {asked['from'], asked['to']} <= {*asking.ACCOUNTS}
        assert asked['from'] != asked['to']
        assert cast('int', asked['amount']) > 0


def test_every_key_is_changed_read_and_compared_whatever_the_turns_are() -> None:
    """With one count for all kinds, three that take turns would each have met a key of its own."""
    found = _all('register', ['change', 'read', 'cas'] * 30, Service('register').do)
    met = {(does, asked['key']) for does, asked in found}
    assert len(met) == 3 * asking.KEYS


@pytest.mark.parametrize(('kind', 'does'), [('register', 'cas'), ('bank', 'transfer')])
def test_some_of_what_is_asked_must_be_refused_and_some_must_not(kind: str, does: str) -> None:
    service = Service(kind)
    said: list[located.Plain] = []

    def do(what: str, asked: Asked) -> located.Plain:
        value = service.do(what, asked)
        if what == does:
            said.append(value)
        return value

    _all(kind, ['change', 'read', 'cas'] * 60, do)
    assert said.count(True) > 5
    assert said.count(False) > 5


def test_earlier_sets_are_read_again_later() -> None:
    thing = asking.Thing('set', 'set')
    for _ in range(asking.KEYS * asking.MOST * 4 + 1):
        thing.asked('add')
    reads = [thing.asked('read') for _ in range(200)]
    keys = {str(one['key']) for one in reads if isinstance(one, dict)}
    assert {key.split('-')[1] for key in keys} == {'0', '1', '2', '3', '4'}
