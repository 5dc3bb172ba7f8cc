# ruff: noqa: E501  # a table is read by its lines
"""Plans that cover: everything with everything, within few seeds; and what was tried is told from journals."""

from __future__ import annotations

import math

from chronicle import fault, note, of_parts
from hypothesis import given, settings
from hypothesis import strategies as st

from matrix.grammar import located
from matrix.plans import covering, plan, selectors, snapshot

_PLACES = {'kill': ('api', 'db', 'lb'), 'freeze': ('api', 'db'), 'vip-loss': ('lb',), 'netsplit': ('api', 'db', 'lb')}  # fmt: skip
_NAMES = st.sampled_from(['a', 'b', 'c', 'd', 'e'])


def covered(found: tuple[covering.Row, ...], count: int) -> set[covering.Cell]:
    """What rows cover, plan by plan."""
    done: set[covering.Cell] = set()
    for n, row in enumerate(found):
        done |= covering.covers(row, found[n - 1] if n % count else None)
    return done


def test_all_comes_within_few_seeds_and_no_seed_brings_nothing_new() -> None:
    found = covering.rows(_PLACES, 5)
    every = covering.cells(_PLACES)
    assert covered(found, 5) >= every
    # No array could do with fewer rows than there are pairs of kind and application, nor than pairs of kinds.
    assert math.ceil(len(found) / 5) <= 5
    seen: set[covering.Cell] = set()
    for start in range(0, len(found), 5):
        new = covered(found[: start + 5], 5) - seen
        assert new
        seen |= new


@settings(max_examples=40)
@given(
    st.dictionaries(_NAMES, st.lists(_NAMES, min_size=1, max_size=4, unique=True).map(tuple), min_size=1, max_size=5),
    st.integers(2, 6),
    st.booleans(),
)  # fmt: skip
def test_rows_cover_all_that_can_be_for_any_bundle(
    places: dict[str, tuple[str, ...]], count: int, serial: bool
) -> None:
    phases: tuple[covering.Phase, ...] = ('alone', 'after') if serial else covering.PHASES
    found = covering.rows(places, count, phases=phases)
    left = covering.cells(places, phases) - covered(found, count)
    lonely = len({one for some in places.values() for one in some}) == 1
    # With one application, nothing can strike it while it is struck.
    assert all(lonely and ('overlap' in cell or cell[0] == 'with') for cell in left)
    assert all(row.application in places[row.kind] for row in found)
    for n, row in enumerate(found):
        assert n % count or row.phase == 'alone'


def test_seeds_one_after_the_other_have_plans_one_after_the_other() -> None:
    found = covering.rows(_PLACES, 5)
    plans = math.ceil(len(found) / 5)
    drawn = [row for seed in range(100, 100 + plans) for row in covering.chosen(found, seed, 5)]
    assert sorted(map(str, drawn)) == sorted(map(str, found))


def _kind(name: str, *apps: str) -> plan.Kind:
    of = selectors.Selector('of', (('applications', ' '.join(apps)),))
    return plan.Kind(
        name, (selectors.Selector('units'), of, selectors.Selector('one')), (10.0, 10.0)
    )


def test_a_row_becomes_an_event_on_its_application_in_its_phase() -> None:
    units = {name: tuple(snapshot.Unit(f'{name}/{n}', f'{name}{n}') for n in range(2)) for name in ('api', 'db')}  # fmt: skip
    model = snapshot.Model(tuple(snapshot.Application(name, some) for name, some in units.items()))
    kinds = (_kind('kill', 'api', 'db'), _kind('freeze', 'api', 'db'))
    assert covering.places(kinds, ['api', 'db', 'x']) == {'kill': ('api', 'db'), 'freeze': ('api', 'db')}  # fmt: skip
    rows = (
        covering.Row('kill', 'api', 'alone'),
        covering.Row('freeze', 'db', 'overlap'),
        covering.Row('kill', 'db', 'after'),
        covering.Row('freeze', 'api', 'alone'),
    )
    first, second, third, fourth = covering.events(rows, kinds, model, 7, gap=30)
    assert [one.targets[0][:2] for one in (first, second, third, fourth)] == ['ap', 'db', 'db', 'ap']  # fmt: skip
    assert first.at < second.at < first.at + first.hold
    over = max(first.at + first.hold, second.at + second.hold)
    assert third.at == round(over + covering.SOON, 1)
    assert fourth.at == round(third.at + third.hold + 30, 1)


def test_what_was_tried_is_what_landed_when_it_did() -> None:
    cells: located.Plain = {
        'places': {'kill': ['api', 'db'], 'freeze': ['api']},
        'phases': ['alone', 'overlap', 'after'],
    }
    journal = of_parts(
        note(1, 'cells', cells),
        fault(10, 11, 20, id='e1', kind='kill', targets=('api/0',)),
        fault(15, 16, 25, id='e2', kind='freeze', targets=('api/1',)),
        fault(30, 31, 40, id='e3', kind='kill', targets=('db/0',)),
        fault(90, None, 99, id='e4', kind='freeze', targets=('api/0',)),
    ).entries
    found = covering.coverage([journal, journal])
    assert (found.runs, found.of('on')) == (2, (3, 3))
    assert found.tried['with', 'freeze', 'kill'] == 2
    assert ('in', 'kill', 'after') in found.tried
    assert ('in', 'freeze', 'alone') in found.never  # e4 was not seen to land.
