"""One unit after the other takes up whose word on a client's address counts: a reload of Apache makes clients wait."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit import relations, state, trust
from charmkit.machine import Facts
from charmkit.trust import TRUSTED, TRUSTS, Trust
from hypothesis import given
from hypothesis import strategies as st

OLD, NEW = ('10.0.0.8/32',), ('10.0.0.8/32', '10.0.0.9/32')


def known(unit: str = 'demo/1', *, kept: Any = OLD, **peers: str) -> state.Inputs:
    """What a unit knows; *peers*: by number, what each says that it has."""
    return state.Inputs(
        site=relations.Site(unit=unit, leader=False, address='10.0.0.2'),
        facts=Facts(base='debian@12'),
        memory={} if kept is None else {TRUSTED: list(kept)},
        peer_units={
            f'demo/{number[1:]}': {TRUSTS: said} if said else {} for number, said in peers.items()
        },
    )


HAS_OLD, HAS_NEW = trust.stands_for(OLD), trust.stands_for(NEW)


@pytest.mark.parametrize(
    ('peers', 'waits'),
    [
        ({}, False),
        ({'_0': HAS_OLD}, True),
        ({'_0': HAS_NEW}, False),
        ({'_0': HAS_NEW, '_2': HAS_OLD, '_10': HAS_OLD}, False),
        ({'_0': ''}, False),
    ],
    ids=['alone', 'before it', 'has it', 'behind it', 'of an earlier revision'],
)
def test_it_waits_for_those_before_it_alone(peers: dict[str, str], waits: bool):
    got = trust.decide(NEW, known(**peers), now=False)
    assert got == Trust(networks=OLD if waits else NEW, waits=waits)
    assert got.memory == {TRUSTED: list(got.networks)}
    assert got.unit_data == {TRUSTS: HAS_OLD if waits else HAS_NEW}
    assert got.unheeded == (frozenset() if waits else {TRUSTS})


def test_without_clients_nothing_waits():
    behind = {'_0': HAS_OLD}
    assert trust.decide(NEW, known(**behind), now=True).networks == NEW
    assert trust.decide(NEW, known(kept=None, **behind), now=False).networks == NEW


def test_what_is_the_same_waits_for_nobody():
    got = trust.decide(OLD, known(_0=HAS_NEW), now=False)
    assert got == Trust(networks=OLD)


@given(
    st.lists(st.integers(0, 4), max_size=80),
    st.lists(st.sampled_from([OLD, NEW, ()]), min_size=1, max_size=4),
)
def test_whatever_the_order_of_their_runs_one_reloads_at_a_time_and_all_have_the_same_in_the_end(
    order: list[int], lists: list[tuple[str, ...]]
):
    kept: dict[int, tuple[str, ...]] = dict.fromkeys(range(3), OLD)
    said = dict(kept)
    wanted = OLD
    for wanted in lists:
        for unit in [*(n % 3 for n in order), 0, 1, 2, 0, 1, 2, 0, 1, 2]:
            others = {f'_{n}': trust.stands_for(said[n]) for n in said if n != unit}
            inputs = known(f'demo/{unit}', kept=kept[unit], **others)
            got = trust.decide(wanted, inputs, now=False)
            if got.networks != kept[unit]:
                # Whoever comes before has it already, and has said so at the end of a run.
                assert all(said[n] == wanted for n in range(unit))
            kept[unit] = said[unit] = got.networks
        assert set(kept.values()) == {wanted}


def test_the_list_is_remembered_as_juju_keeps_it():
    memory = json.loads(json.dumps(Trust(networks=NEW).memory))
    inputs = dataclasses.replace(known(_0=HAS_OLD), memory=memory)
    assert trust.decide(NEW, inputs, now=False).networks == NEW
