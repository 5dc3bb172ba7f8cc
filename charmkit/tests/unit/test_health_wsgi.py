"""What a load balancer hears of an API that answers, is busy, hangs, or is broken."""

from __future__ import annotations

import pathlib

import pytest
from charmkit import health_wsgi, trial_wsgi


class Clock:
    """Time, what the API answers, and the CPU time that it uses each second."""

    def __init__(self) -> None:
        self.now, self.status, self.works, self.asked = 1000.0, 200, 0.0, 0
        self.ticks = 0.0
        self.api = health_wsgi.Api()

    def look(self, after_s: float = 2.0) -> int:
        self.now += after_s
        self.ticks += self.works * after_s
        status, _ = health_wsgi.look(
            self.api,
            'demo',
            1,
            ask=self.ask,
            work=lambda _: int(self.ticks),
            clock=lambda: self.now,
        )
        return status

    def ask(self, _: int) -> int:
        self.asked += 1
        return self.status


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize('status', [200, 404, 500, 503])
def test_what_it_answers_is_handed_on(clock: Clock, status: int):
    clock.status = status
    assert clock.look() == status


def test_one_that_has_not_answered_yet_is_not_well(clock: Clock):
    clock.status = 0
    assert clock.look() == 503


def test_one_that_works_and_does_not_answer_is_busy_for_as_long_as_that_takes(clock: Clock):
    assert clock.look() == 200
    clock.status, clock.works = 0, 0.5
    assert {clock.look() for _ in range(2000)} == {200}


def test_one_that_does_neither_hangs_after_a_minute(clock: Clock):
    assert clock.look() == 200
    clock.status = 0
    assert clock.look(health_wsgi.STUCK_S - 1) == 200
    assert clock.look(2) == 503
    clock.works = 10
    assert clock.look() == 503, 'work alone does not make it well again'
    clock.status = 200
    assert clock.look() == 200


def test_one_that_answered_badly_before_it_fell_silent_is_not_busy(clock: Clock):
    assert clock.look() == 200
    clock.status = 500
    assert clock.look() == 500
    clock.status, clock.works = 0, 1
    assert clock.look() == 503


def test_many_that_ask_at_once_cost_one_question(clock: Clock):
    for _ in range(10):
        assert clock.look(0.01) == 200
    assert clock.asked == 1
    clock.look(health_wsgi.FRESH_S)
    assert clock.asked == 2


def test_who_comes_by_another_way_learns_nothing():
    seen: list[str] = []

    def start(status: str, _: object) -> None:
        seen.append(status)

    body = health_wsgi.application({}, start)
    assert (seen, body) == (['404 Not Found'], [b'Not Found\n'])


def test_the_answer_is_http(monkeypatch: pytest.MonkeyPatch):
    def broken(_: int) -> int:
        return 404

    def idle(_: str) -> int:
        return 0

    monkeypatch.setattr(health_wsgi, '_ask', broken)
    monkeypatch.setattr(health_wsgi, '_work', idle)
    seen: list[tuple[str, list[tuple[str, str]]]] = []
    body = health_wsgi.application(
        {'CHARM_GROUP': 'a-test', 'CHARM_PORT': '1'}, lambda *said: seen.append(said)
    )
    assert b''.join(body) == b'answers 404\n'
    assert seen == [('404 Not Found', [('Content-Type', 'text/plain'), ('Content-Length', '12')])]


@pytest.mark.parametrize(
    ('program', 'said'),
    [
        ('def application(e, start):\n    start("200 OK", [])\n    return [b""]\n', ''),
        (
            'def application(e, start):\n    start("404 Not Found", [])\n    return []\n',
            'answers 404 Not Found',
        ),
        ('def application(e, start):\n    return []\n', 'answers nothing'),
        (
            'raise ValueError("two\\nlines of mysql+pymysql://demo:s3cr%2Ft@[::1]/demo?charset=x")\n',
            'ValueError: two lines of mysql+pymysql://…@[::1]/demo?charset=x',
        ),
        ('raise RuntimeError("no such option")\n', 'RuntimeError: no such option'),
        ('x = 1\n', "KeyError: 'application'"),
        ('import sys\nsys.exit(3)\n', 'SystemExit: 3'),
    ],
)
def test_a_trial_says_what_an_application_does(tmp_path: pathlib.Path, program: str, said: str):
    script = tmp_path / 'app.wsgi'
    script.write_text(program)
    assert trial_wsgi.trial(str(script), '/healthcheck') == said


def test_a_trial_asks_for_the_path_that_stands_for_health(tmp_path: pathlib.Path):
    script = tmp_path / 'app.wsgi'
    script.write_text(
        'def application(e, start):\n'
        '    start("200 OK" if e["PATH_INFO"] == "/well" else "404 Not Found", [])\n'
        '    return []\n'
    )
    assert trial_wsgi.trial(str(script), '/well') == ''
    assert trial_wsgi.trial(str(script), '/other') != ''
