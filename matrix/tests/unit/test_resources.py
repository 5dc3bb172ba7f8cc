# ruff: noqa: E501  # sentences and tables are read by their lines
"""What services have: how it is looked at, and which growth is a leak."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
from collections.abc import Callable

import chronicle as c
import pytest
from faultstage import FakeLink
from hypothesis import given, settings
from hypothesis import strategies as st

from matrix.grammar import located, problem
from matrix.history import journal
from matrix.judge import expect, panel, resources, verdict
from matrix.juju import link
from matrix.load import resources as looking

PASS, FAIL, UNKNOWN = verdict.Outcome.PASS, verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN


def _looks(
    of: Callable[[float], float],
    *,
    what: str = 'descriptors',
    end: float = 600,
    every: float = 15,
    started: Callable[[float], int] = lambda _: 7,
) -> c.Line:
    """What a service had at each look."""
    found: c.Line = []
    at = 0.0
    while at <= end:
        one: located.Plain = {what: round(of(at)), 'started': started(at), 'limit': 1024}
        found += c.note(
            at, 'resources', {'machine': '3', 'units': ['front/0'], 'services': {'front.service': one}}
        )  # fmt: skip
        at += every
    return found


def _judged(*parts: c.Line, **held: tuple[tuple[str, float], ...]) -> verdict.Verdict:
    return resources.resources(c.trial_of(*parts, expected=expect.Expect(**held)))  # pyright: ignore[reportArgumentType]


def test_a_slow_leak_is_found_within_ten_minutes_and_says_when_it_kills() -> None:
    found = _judged(_looks(lambda at: 40 + at / 5))
    assert found == verdict.Verdict(
        'resources',
        FAIL,
        'descriptors of front on front/0 grew from 40 to 160 in 600 s and went on growing: 120 in ten minutes, allowed 60; '
        'its limit, 1024, would be reached in 72 min',
        tuple(range(1, 42)),
        verdict.Signature('resources', 'front', 'descriptors'),
    )
    # Half of it is allowed; what is allowed is for the bundle to say.
    assert _judged(_looks(lambda at: 40 + at / 12)).outcome is PASS
    assert (
        _judged(_looks(lambda at: 40 + at / 12), resources=(('descriptors', 10.0),)).outcome
        is FAIL
    )
    assert (
        _judged(_looks(lambda at: 40 + at / 5), resources=(('descriptors', 900.0),)).outcome
        is PASS
    )


def test_of_two_leaks_the_one_that_is_further_beyond_what_is_allowed_is_told() -> None:
    small = _looks(lambda at: 40 + at / 8, what='descriptors')
    large = _looks(lambda at: 10 + at / 5, what='processes')
    for parts in ((small, large), (large, small)):
        assert _judged(*parts).sentence.startswith('processes of front on front/0 grew')
    # Where nothing is allowed, whatever grows is beyond it.
    none = _judged(small, large, resources=(('descriptors', 0.0),))
    assert none.sentence.startswith('descriptors of front on front/0 grew')


def test_a_machine_without_units_is_told_by_its_number() -> None:
    services: located.Plain = {}
    looks: c.Line = []
    for n in range(41):
        services = {'x.service': {'processes': 10 + n * 3, 'started': 1}}
        looks += c.note(n * 15, 'resources', {'machine': '3', 'units': [], 'services': services})
    found = _judged(looks)
    assert found.sentence.startswith('processes of x on machine 3 grew from 10 to 130 in 600 s')
    assert found.signature == verdict.Signature('resources', 'x', 'processes')


@pytest.mark.parametrize(
    ('values', 'deviations'),
    [
        # By hand: S = 10, variance = 5*4*15/18; S = 13, ties of two and two; and what does not grow.
        ([1, 2, 3, 4, 5], 9 / (300 / 18) ** 0.5),
        ([5, 4, 3, 2, 1], -9 / (300 / 18) ** 0.5),
        ([1, 1, 2, 3, 3, 4], 12 / ((510 - 36) / 18) ** 0.5),
        ([1, 1, 1, 2, 3], 6 / ((300 - 66) / 18) ** 0.5),
        ([1, 2], 0.0),
        ([2, 2, 2], 0.0),
        ([2], 0.0),
        ([], 0.0),
        ([1, 2, 1], 0.0),
    ],
)
def test_the_statistic_of_mann_and_kendall(values: list[float], deviations: float) -> None:
    assert resources.trend(values) == pytest.approx(deviations)


def test_growth_is_the_median_of_all_slopes() -> None:
    line = [(n * 15.0, 100 + n * 3.0) for n in range(20)]
    assert resources.growth(line) == pytest.approx(0.2)
    odd = [*line[:10], (line[10][0], 9999.0), *line[11:]]
    assert resources.growth(odd) == pytest.approx(0.2)
    assert resources.growth([(0.0, n) for n in range(20)]) == 0.0
    assert resources.growth(line[:11]) == 0.0
    assert resources.growth([(at, -value) for at, value in line]) == 0.0


MIB = 1 << 20
CLEAN: dict[str, Callable[[float], float]] = {
    'what stays': lambda at: 300,
    'what warms up': lambda at: 40 + 400 * (1 - 2.718 ** (-at / 60)),
    'what a fault piled up once': lambda at: 40 if at < 300 else 500,
    'what a fault piled up and gave back': lambda at: 500 if 200 < at < 300 else 40,
    'what goes up and down': lambda at: 100 + (at % 60) * 5,
    'what only shrinks': lambda at: 900 - at,
    'noise': lambda at: random.Random(int(at)).randrange(40, 500),  # noqa: S311  # the same each time
}


@pytest.mark.parametrize('name', CLEAN)
def test_what_does_not_grow_all_the_time_is_no_leak(name: str) -> None:
    assert _judged(_looks(CLEAN[name])).outcome is PASS


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.15, 5), st.integers(0, 20))
def test_a_leak_is_found_under_noise_and_its_clean_twin_is_not(
    seed: int, rate: float, noise: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    shake = [chance.uniform(-noise, noise) for _ in range(50)]
    assert _judged(_looks(lambda at: 100 + rate * at + shake[int(at / 15)])).outcome is FAIL
    assert _judged(_looks(lambda at: 100 + shake[int(at / 15)])).outcome is PASS


def test_a_restart_begins_anew() -> None:
    # It leaks, and is killed in time: no life of it is long enough to tell.
    each = _looks(lambda at: 40 + (at % 150), started=lambda at: int(at // 150))
    found = _judged(each)
    assert (found.outcome, 'within one life' in found.sentence) == (UNKNOWN, True)
    late = _looks(lambda at: 40 + at, started=lambda at: int(at > 300))
    assert _judged(late).outcome is FAIL


def test_of_too_few_looks_or_too_short_a_time_nothing_is_said() -> None:
    assert _judged(_looks(lambda at: at, end=150)).outcome is UNKNOWN
    assert _judged(_looks(lambda at: at, end=170, every=5)).outcome is UNKNOWN
    assert _judged(_looks(lambda at: at, end=180, every=10)).outcome is FAIL
    short = c.of_parts(c.note(0, 'test.start', 't'), _looks(lambda at: at, end=100))
    assert 'resources' not in [one.check for one in panel.judge(short).tests[0].verdicts]
    asked = expect.Expect(resources=(('disk', 1.0),))
    held = panel.judge(short, expected=asked).tests[0].verdicts
    assert [one.outcome for one in held if one.check == 'resources'] == [UNKNOWN]
    full = c.of_parts(c.note(0, 'test.start', 't'), _looks(lambda at: at))
    assert any(one.check == 'resources' and one.outcome is FAIL for one in panel.judge(full).tests[0].verdicts)  # fmt: skip


def test_memory_and_disk_are_in_mebibytes_and_a_disk_may_fill_unless_something_is_said() -> None:
    leak = _looks(lambda at: MIB * (100 + at), what='memory')
    assert '600 MiB in ten minutes, allowed 256' in _judged(leak).sentence
    disk: c.Line = []
    for n in range(41):
        disk += c.note(n * 15, 'resources', {'machine': '3', 'services': {}, 'disk': n * 15 * MIB})
    assert _judged(disk).outcome is PASS
    found = _judged(disk, resources=(('disk', 100.0),))
    assert found.sentence.startswith('disk of the disk on machine 3 grew from 0 to 600 MiB')
    assert found.signature == verdict.Signature('resources', 'the disk', 'disk')


def test_while_the_load_grows_nothing_is_a_leak() -> None:
    ramp: located.Plain = {'kinds': ['get'], 'rate': 1, 'stages': [[400, 100]], 'writes': []}
    parts = (c.note(0, 'load', ramp), _looks(lambda at: 40 + min(at, 400)))
    assert _judged(*parts).outcome is PASS
    assert _judged(c.note(0, 'load', ramp), _looks(lambda at: 40 + at)).outcome is FAIL


def test_growth_of_many_samples_is_that_of_some_of_them() -> None:
    points = [(float(n), n * 2.0) for n in range(1000)]
    assert resources.growth(points) == pytest.approx(2)
    assert resources.growth([(1.0, 5.0)] * 20) == 0
    assert resources.trend([1, 2, 3]) == -resources.trend([3, 2, 1])


def test_what_is_expected_of_growth_is_read() -> None:
    found = expect.read(located.load('resources: {memory: 64, disk: 5}', 't'))
    assert found.resources == (('memory', 64.0), ('disk', 5.0))
    assert expect.read(located.load('ha: true', 't'), otherwise=found).resources == found.resources
    with pytest.raises(problem.RefusedError, match=r"unknown key 'memroy'.*did you mean 'memory'"):
        expect.read(located.load('resources: {memroy: 64}', 't'))


# How it is looked at.


def test_the_script_of_a_machine_runs_and_this_host_is_none_of_the_models() -> None:
    done = subprocess.run(
        ['sh', '-c', looking.script()], capture_output=True, text=True, check=True
    )
    assert done.stderr == ''
    assert looking.read(done.stdout, '3', ['web/0']) == {}


def test_what_a_machine_says_of_its_services_is_noted_with_its_units() -> None:
    said = {'host': 'elsewhere', 'services': {'a.service': {'memory': 1}}, 'took': 0.1}
    found = looking.read(f'warning\n{json.dumps(said)}\n', '3', ['web/0'])
    services = {'a.service': {'memory': 1}}
    assert found == {'machine': '3', 'units': ['web/0'], 'services': services, 'took': 0.1}
    here = {**said, 'host': os.uname().nodename}
    assert looking.read(json.dumps(here), '3', ['web/0']) == {}


@pytest.mark.parametrize('output', ['', 'python3: not found', '{"services": 3}', '{broken'])
def test_a_machine_that_says_nothing_is_passed_over(output: str) -> None:
    assert looking.read(output, '3', []) == {}


def test_every_machine_is_looked_at_until_it_is_over() -> None:
    said = json.dumps({'services': {'a.service': {'memory': 1}}, 'took': 0.1})

    def answer(target: str, _text: str, _env: object) -> link.ScriptResult:
        if target == '1':
            raise link.LinkError('cannot be reached')
        return link.ScriptResult(0, f'{said}\n')

    written: list[journal.What] = []

    async def go() -> None:
        async with looking.watching(FakeLink(answer), written.append):
            await asyncio.sleep(0.05)

    asyncio.run(go())
    notes = [one.value for one in written if isinstance(one, journal.Note)]
    assert [(one['machine'], one['units']) for one in notes if isinstance(one, dict)] == [
        ('0', ['db/0']), ('2', ['web/0']),
    ]  # fmt: skip
