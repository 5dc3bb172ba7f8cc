"""A unit asks its own API: what it takes for well, for starting, and for broken."""

from __future__ import annotations

import pytest
from charmkit import health, testing
from charmkit.machine import HttpRequest, HttpResponse

APP = health.App('demo-api', 8778, '/var/log/demo.log', '10.0.0.2')


def asked(
    *answers: HttpResponse, within_s: float = 2.0, apps: tuple[health.App, ...] = (APP,)
) -> tuple[str, testing.FakeMachine]:
    """What is said where the API gives *answers* one after the other, the last one from then on."""
    left = [*answers]

    def web(_: HttpRequest) -> HttpResponse:
        return left.pop(0) if len(left) > 1 else left[0]

    machine = testing.FakeMachine(web=web)
    return health.Health(apps, within_s).carry_out(machine), machine


def test_one_that_is_well_is_asked_once_at_its_own_address():
    said, machine = asked(HttpResponse(200))
    assert said == ''
    (request,) = machine.requests
    assert request.url == 'http://10.0.0.2:8778/healthcheck'
    assert request.timeout_s == 5


@pytest.mark.parametrize('status', [1, 204, 404, 499])
def test_an_answer_that_will_stay_is_told_at_once(status: int):
    said, machine = asked(HttpResponse(status))
    assert said == f'demo-api answers {status} to /healthcheck on port 8778: see /var/log/demo.log'
    assert len(machine.requests) == 1


@pytest.mark.parametrize(
    'first', [HttpResponse(500), HttpResponse(503), HttpResponse(0, 'refused')]
)
def test_one_that_is_starting_is_asked_again_until_it_is_well(first: HttpResponse):
    said, machine = asked(first, first, HttpResponse(200))
    assert said == ''
    assert len(machine.requests) == 3
    assert machine.clock == 1_800_000_001


def test_one_that_does_not_come_up_in_its_time_is_told():
    said, machine = asked(HttpResponse(503))
    assert said.startswith('demo-api answers 503 to /healthcheck')
    assert machine.clock == 1_800_000_002
    said, _ = asked(HttpResponse(0, 'Connection refused'))
    assert said.startswith('demo-api does not answer /healthcheck (Connection refused) on port')


def test_all_that_are_wrong_are_told_and_no_others():
    other = health.App('demo-data', 8779, '/var/log/data.log')
    said, machine = asked(HttpResponse(404), apps=(APP, other))
    assert said.count('answers 404') == 2
    assert '; demo-data' in said
    assert machine.requests[1].url == 'http://127.0.0.1:8779/healthcheck'
    said, _ = asked(HttpResponse(404), HttpResponse(200), apps=(APP, other))
    assert 'demo-data' not in said
