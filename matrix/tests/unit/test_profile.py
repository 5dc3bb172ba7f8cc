"""Stages of a load: when each operation is due, how many were, and what a load must have done of them."""

from __future__ import annotations

import itertools
import math

import chronicle as c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.grammar import located, problem
from matrix.history import profile
from matrix.judge import ran, verdict
from matrix.load import openloop, spec
from matrix.plans import streams

RATES = st.floats(0.1, 500)
PROFILES = st.builds(
    profile.Profile,
    RATES,
    st.lists(
        st.builds(profile.Stage, st.floats(0.001, 300) | st.just(0.0), RATES), max_size=4
    ).map(tuple),
)


def test_a_ramp_is_due_more_and_more_often_and_a_stage_of_no_seconds_is_a_jump() -> None:
    ramp = profile.Profile(0.1, (profile.Stage(10, 20.1),))
    assert ramp.planned(0, 10) == pytest.approx(101)  # (0.1 + 20.1) / 2 a second
    assert ramp.planned(0, 5) == pytest.approx(25.5)
    assert ramp.planned(10, 12) == pytest.approx(40.2)
    jump = profile.Profile(1, (profile.Stage(4, 1), profile.Stage(0, 10), profile.Stage(2, 10)))
    assert [jump.planned(n, n + 1) for n in range(6)] == pytest.approx([1, 1, 1, 1, 10, 10])
    assert (jump.most, jump.level_from) == (10, 6)
    assert jump.planned(5, 3) == 0
    assert jump.planned(-2, 1) == 1


@given(PROFILES, st.floats(0, 1000))
def test_what_is_due_when_and_how_many_are_due_then_say_the_same(
    some: profile.Profile, count: float
) -> None:
    moment = some.when(count)
    assert some.planned(0, moment) == pytest.approx(count, rel=1e-6, abs=1e-6)
    assert some.planned(0, moment + 1) > count


@given(PROFILES, st.sampled_from(['even', 'random']), st.integers(0, 99))
def test_moments_never_go_back_and_are_as_many_as_are_due(
    some: profile.Profile, arrivals: openloop.Arrivals, seed: int
) -> None:
    stream = streams.stream(seed, 'x')
    found = [*itertools.islice(openloop.moments(some, arrivals, stream), 200)]
    assert found == sorted(found)
    assert found[0] == 0
    if arrivals == 'even':
        assert some.planned(0, found[-1]) == pytest.approx(199, rel=1e-6)


def test_a_load_without_a_rate_is_none() -> None:
    stream = streams.stream(1, 'x')
    for one in (profile.Profile(0), profile.Profile(1, (profile.Stage(1, 0),))):
        with pytest.raises(ValueError, match='is none'):
            next(openloop.moments(one, 'even', stream))
    assert profile.Profile(0).when(1) == math.inf


def test_stages_are_read_and_go_with_the_rate_that_the_command_line_says() -> None:
    text = 'rate: 5\nstages:\n- {for: 30, rate: 20}\n- {for: 60, rate: 20}\n'
    found = spec.read(located.load(text, 'test.yaml'))
    assert found.profile == profile.Profile(5, (profile.Stage(30, 20), profile.Stage(60, 20)))
    assert found.at_rate(10).stages == (profile.Stage(30, 40), profile.Stage(60, 40))
    assert spec.read(located.load('rate: 7', 't'), otherwise=found).stages == found.stages
    note = {'rate': 5, 'stages': [[30.0, 20.0], [60.0, 20.0], 'x', [1]]}
    assert profile.of_note(note) == found.profile  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('stages: [{for: 3}]', "1: error: a stage has 'rate', as in {for: 60, rate: 20}"),
        ('stages: [{rate: 3}]', "1: error: a stage has 'for'"),
        ('stages:\n- {for: 1, rate: 0}', "2: error: 'rate' is a number from 0.1 to 10000"),
        ('stages: [{for: 1, rate: 2, ramp: 3}]', "unknown key 'ramp' in a stage"),
        ('stages: fast', 'a stage is a mapping'),
    ],
)
def test_a_stage_that_says_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(problem.RefusedError) as refused:
        spec.read(located.load(text, 'test.yaml'))
    assert said in str(refused.value)


def test_a_load_is_held_to_its_stages() -> None:
    said: located.Plain = {'kinds': ['get'], 'rate': 2, 'stages': [[10, 2], [0, 20]], 'writes': []}
    over = c.note(40, 'load.end', {'seconds': 40})
    slow = c.trial_of(c.note(0, 'load', said), over, c.ops(0, 40))
    assert ran.load(slow).sentence == (
        'only 13% of the planned operations ran before any fault (80 of 620)'
    )
    many = [c.op(n / 20) for n in range(700)]
    found = ran.load(c.trial_of(c.note(0, 'load', said), over, *many))
    assert found.outcome is verdict.Outcome.PASS
