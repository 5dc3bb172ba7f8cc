"""Every test has a limit of time, and the limit ends it; and no test asserts how long something took."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from typing import Any, cast

import pytest

from tests import clocks, limits

ROOT = pathlib.Path(__file__).parents[2]


def test_every_test_has_a_limit_of_its_kind(request: pytest.FixtureRequest):
    wrong = [item.nodeid for item in request.session.items if not fits(item)]
    assert not wrong


def fits(item: pytest.Item) -> bool:
    """Whether it has a limit; and no longer one than others of `make test` without being slow."""
    most = limits.UNIT_S if limits.kind(item) == 'unit' else limits.LONGEST_S
    return limits.of(item) > 0 and (
        limits.of(item) <= most or item.get_closest_marker('slow') is not None
    )


@pytest.mark.parametrize('marks', [[pytest.mark.timeout(0)], [pytest.mark.timeout(7200)], []])
def test_a_test_without_one_would_be_noticed(
    request: pytest.FixtureRequest, marks: list[pytest.MarkDecorator]
):
    make = cast('Any', pytest.Function).from_parent
    item: pytest.Item = make(request.node.parent, name='other', callobj=lambda: None)
    for mark in marks:
        item.add_marker(mark)
    assert not fits(item)
    if not marks:
        limits.give(item)
        assert fits(item)


def test_where_others_watch_over_the_tests_none_has_a_limit(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(limits.OFF, 'off')
    make = cast('Any', pytest.Function).from_parent
    item: pytest.Item = make(request.node.parent, name='other', callobj=lambda: None)
    item.add_marker(pytest.mark.timeout(5))
    limits.give(item)
    assert limits.of(item) == 0


COLLECT = """
import sys, pytest
from tests import limits

class Said:
    def pytest_collection_finish(self, session):
        for item in session.items:
            print('LIMIT', limits.kind(item), limits.of(item))

sys.exit(pytest.main(['-q', '--collect-only', '-p', 'no:xdist', *sys.argv[1:]], plugins=[Said()]))
"""


def test_what_a_folder_says_of_its_tests_counts():
    files = ('matrix/tests/integration/test_run.py', 'jujulet/tests/integration/test_config.py')
    done = subprocess.run(
        [sys.executable, '-c', COLLECT, *files],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = {line for line in done.stdout.splitlines() if line.startswith('LIMIT')}
    assert said == {'LIMIT integration 600.0'}


def test_a_test_that_hangs_fails_and_the_others_go_on(tmp_path: pathlib.Path):
    hung = tmp_path / 'test_hung.py'
    hung.write_text(
        'import time, pytest\n'
        '@pytest.mark.timeout(1)\n'
        'def test_hangs():\n    while True:\n        time.sleep(0.1)\n'
        'def test_other():\n    pass\n'
    )
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-c', ROOT / 'pyproject.toml', f'--rootdir={tmp_path}', hung],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert '1 failed, 1 passed' in done.stdout, done.stdout + done.stderr
    assert 'Timeout' in done.stdout


def test_no_test_asserts_how_long_something_took():
    found = [
        f'{path.relative_to(ROOT)}:{line}: {text}'
        for path in clocks.tests(ROOT)
        for line, text in clocks.asserted(path.read_text())
    ]
    assert not found, 'measure it in tests/bench, and assert what is'


@pytest.mark.parametrize(
    'body',
    [
        'began = time.monotonic(); go(); assert time.monotonic() - began < 3',
        'began = time.perf_counter(); go(); took = time.perf_counter() - began; assert took < 3',
        'took.append(time.time() - began); assert min(took) < 4',
        'took = [time.monotonic() - began for began in all]; assert statistics.median(took) <= 1',
        'end = time.monotonic() + 5; go(); assert time.monotonic() < end',
        'began = time.process_time(); x = f(time.process_time() - began); assert 1 > x',
        'def took():\n  b = time.monotonic(); go(); return time.monotonic() - b\nassert took() < 3',
        'took = timeit.timeit(go); assert took < 1',
    ],
)
def test_one_that_does_is_found(body: str):
    assert [*clocks.asserted(body)]


@pytest.mark.parametrize(
    'body',
    [
        'end = time.monotonic() + 60\nwhile not there():\n  assert time.monotonic() < end, "never"\n  time.sleep(1)',
        'assert len(found) < 3',
        'now = time.time(); assert record.expires > now',
        '_, seconds = on_virtual_clock(go()); assert seconds < 31',
    ],
)
def test_to_wait_with_patience_or_to_look_at_a_date_is_no_such_thing(body: str):
    assert not [*clocks.asserted(body)]
