"""What a load makes, looks at and lets go, whatever becomes of each operation."""

from __future__ import annotations

import cloudstage
from hypothesis import given, settings
from hypothesis import strategies as st

from matrix.load import leftovers, stock

SORTS = cloudstage.EVERYTHING
NAMES = tuple(one.name for one in SORTS)

turns = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(('make', 'look', 'let go')),
    st.sampled_from(('ok', 'ok', 'ok', 'refused', 'unclear', 'open')),
)


def _turn(now: stock.Stock, sort: str, what: str, how: str) -> stock.Stock:
    """One turn of the load, and what comes of it; `open`: it is never answered."""
    if what == 'look':
        found = stock.to_look(now, sort)
        return now if found is None else stock.looked(now, found.name)
    if what == 'make':
        made = stock.to_make(now, sort)
        if made is None:
            return now
        _check_new(now, made)
        now = stock.begin(now, made)
        ends: dict[str, stock.State] = {'ok': 'held', 'refused': 'gone', 'unclear': 'unsure'}
        return stock.become(now, made.name, ends[how], 'key') if how in ends else now
    going = stock.to_let_go(now, sort)
    if going is None:
        return now
    _check_going(now, going)
    now = stock.become(now, going.name, 'going')
    ends = {'ok': 'gone', 'refused': 'held', 'unclear': 'unsure'}
    return stock.become(now, going.name, ends[how]) if how in ends else now


def _check_new(now: stock.Stock, made: stock.Thing) -> None:
    assert made.name not in {one.name for one in now.things}
    below = [now.thing(name) for name in made.on]
    assert tuple(one.sort for one in below) == now.sort(made.sort).on
    assert all(one.state == 'held' for one in below)
    if made.stays:
        assert all(one.stays for one in below)


def _check_going(now: stock.Stock, going: stock.Thing) -> None:
    assert going.state == 'held'
    assert not going.stays
    assert going.looks >= stock.LOOKS
    assert not any(going.name in one.on and one.state != 'gone' for one in now.things)


def _check(now: stock.Stock) -> None:
    for sort in SORTS:
        known = now.of(sort.name, 'making', 'held', 'going')
        assert len(known) <= sort.most
        assert sum(one.stays for one in now.of(sort.name, 'making', 'held')) <= 1
    there = [one for one in now.things if one.state in {'making', 'held', 'going'}]
    for one in there:
        assert all(now.thing(name).state == 'held' for name in one.on), 'nothing stands on air'
    volumes = [now.thing(one.on[1]).name for one in there if one.sort == 'attachment']
    assert len(volumes) == len({*volumes}), 'a volume is attached once'


@settings(max_examples=150, deadline=None)
@given(st.lists(turns, max_size=120))
def test_nothing_stands_on_air_whatever_becomes_of_operations(
    some: list[tuple[str, str, str]],
) -> None:
    now = stock.Stock('r1', SORTS)
    for sort, what, how in some:
        now = _turn(now, sort, what, how)
        _check(now)
    closed = stock.close(now)
    assert all(stock.to_make(closed, name) is None for name in NAMES)
    assert all(stock.to_let_go(closed, name) is None for name in NAMES)
    assert all(stock.to_look(closed, name) is None for name in NAMES)


@settings(max_examples=50, deadline=None)
@given(st.permutations([(name, what) for name in NAMES for what in ('make', 'look', 'let go')]))
def test_where_all_goes_well_one_of_each_stays_and_of_each_some_go(
    order: list[tuple[str, str]],
) -> None:
    now = stock.Stock('r1', SORTS)
    stayed: set[str] = set()
    for n in range(80):
        for sort, what in order:
            now = _turn(now, sort, what, 'ok')
        if n == 10:
            assert now.begun
            stayed = {one.name for one in now.things if one.stays}
    assert {one.name for one in now.things if one.stays} == stayed
    assert all(now.thing(name).state == 'held' for name in stayed)
    for name in NAMES:
        assert now.of(name, 'gone'), f'no {name} ever went'


def test_of_unknown_outcome_there_are_few() -> None:
    now = stock.Stock('r1', SORTS[:1])
    for _ in range(10):
        now = _turn(now, 'network', 'make', 'unclear')
    assert len(now.things) == SORTS[0].most + 2


def test_what_of_unknown_outcome_stands_on_something_explains_that_it_cannot_go() -> None:
    now = stock.Stock('r1', SORTS)
    for sort, how in (('network', 'ok'), ('port', 'unclear'), ('server', 'ok')):
        now = _turn(now, sort, 'make', how)
    assert stock.doubtful(now, 'matrix-r1-network-1') == ('matrix-r1-port-1',)
    assert stock.doubtful(now, 'matrix-r1-port-1') == ('matrix-r1-port-1',)
    assert stock.doubtful(now, 'matrix-r1-server-1') == ()


keys = st.sets(st.sampled_from('abcdef'))


@given(there=keys, gone=keys, leaked=st.fixed_dictionaries({
    'allocation': keys, 'port': keys, 'attachment': keys,
}))  # fmt: skip
def test_orphans_are_what_belongs_to_servers_that_are_gone_and_no_more(
    there: set[str], gone: set[str], leaked: dict[str, set[str]]
) -> None:
    gone -= there
    ours = {one: f'matrix-r1-server-{one}' for one in there | gone}
    somewhere = there | gone
    seen = leftovers.Seen(
        servers=tuple({'id': one} for one in sorted(there)),
        allocations=frozenset(leaked['allocation'] & somewhere),
        ports=tuple(
            {'id': f'p{one}', 'device_id': one, 'network_id': 'n'}
            for one in sorted(leaked['port'] & somewhere)
        ),
        networks=({'id': 'n'},),
        volumes=({'id': 'v'},),
        attachments=tuple(
            {'id': f't{one}', 'instance': one, 'volume_id': 'v'}
            for one in sorted(leaked['attachment'] & somewhere)
        ),
    )
    found = {(one.what, one.id[-1]) for one in leftovers.orphans(seen, ours, frozenset())}
    assert found == {(what, one) for what, some in leaked.items() for one in some & gone}


def test_a_port_of_a_network_that_is_gone_is_an_orphan_and_one_of_others_is_not() -> None:
    seen = leftovers.Seen(
        servers=(),
        ports=(
            {'id': 'p1', 'network_id': 'n1', 'device_owner': 'network:dhcp'},
            {'id': 'p2', 'network_id': 'theirs'},
            {'id': 'p3', 'network_id': 'n2'},
        ),
        networks=({'id': 'n2'},),
    )
    ours = {'n1': 'matrix-r1-network-1', 'n2': 'matrix-r1-network-2'}
    [found] = leftovers.orphans(seen, ours, frozenset())
    assert (found.id, found.name, found.state) == ('p1', 'matrix-r1-network-1', 'network:dhcp')


def test_what_could_not_be_listed_is_named_by_its_service() -> None:
    asked = {'compute': ('servers',), 'network': ('ports', 'networks')}
    assert leftovers.unseen(leftovers.Seen(servers=(), ports=()), asked) == ('network',)
    assert leftovers.unseen(leftovers.Seen(servers=(), ports=(), networks=()), asked) == ()
