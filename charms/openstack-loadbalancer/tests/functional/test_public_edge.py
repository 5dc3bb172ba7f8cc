"""A real haproxy at a public edge, and in front of units with certificates of all kinds."""

from __future__ import annotations

import sys
from typing import Any

import pytest

pytestmark = pytest.mark.functional


@pytest.fixture(scope='module')
def edge(machine: Any) -> dict[str, Any]:
    return machine.scenario('public_edge')


def test_no_client_says_who_it_is_by_the_headers_of_services(edge: dict[str, Any]) -> None:
    assert edge['claimed'] == [] and edge['lost'] == []
    assert edge['hardened'] == ['nosniff', None]


def test_methods_and_bodies_that_are_not_allowed_are_refused(edge: dict[str, Any]) -> None:
    assert (edge['method'], edge['bodies']) == (405, [200, 413])


def test_after_some_wrong_passwords_none_is_tried_any_more_at_any_unit(
    edge: dict[str, Any],
) -> None:
    assert edge['wrong passwords'] == [401, 401, 401, 429]
    assert edge['a right one then'] == [429, '60'] and edge['spelt otherwise'] == 429
    assert edge['not a login'] == 200 and edge['at the other unit'] == 429


def test_a_client_that_asks_too_much_is_told_when_to_come_back(edge: dict[str, Any]) -> None:
    assert edge['too many'] == [429, '10']


def test_the_log_is_json_with_request_ids_and_without_queries(edge: dict[str, Any]) -> None:
    (row,) = edge['logged']
    assert (row['request_id'], row['method'], row['path']) == ('req-"1"', 'GET', '/v3')
    assert (row['client'], row['server'], row['status']) == ('127.0.0.1', 'keystone-0', 200)
    assert not edge['secret is logged'] and edge['syslog']


def test_without_all_that_clients_would_be_believed_and_served(machine: Any) -> None:
    found = machine.scenario('public_edge', public=False, rate=0, logins=0)
    assert len(found['claimed']) == 16 and found['lost'] == []
    assert found['wrong passwords'] == [401] * 4 and found['at the other unit'] == 200
    assert found['too many'] == [200, None]


@pytest.fixture(scope='module')
def own_python(boot: Any) -> Any:
    """Of the base whose Python is this one: `cryptography` comes from here."""
    return boot('debian-12' if sys.version_info[:2] == (3, 11) else 'debian-13')


def test_a_unit_with_a_wrong_certificate_gets_no_request(own_python: Any) -> None:
    assert own_python.scenario('several_certificates') == {
        'good': [200, 200, 2],
        'of another name': [503, 503, 0],
        'ended': [503, 503, 0],
        'of a stranger': [503, 503, 0],
    }


def test_if_nobody_looked_at_certificates_all_of_them_would(own_python: Any) -> None:
    found = own_python.scenario('several_certificates', verify=False)
    assert all(each == [200, 200, 2] for each in found.values())
