"""A real bind9 takes the updates of names."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.functional


@pytest.fixture(scope='module')
def updates(machine: Any) -> dict[str, Any]:
    return machine.scenario('dns_updates')


def test_a_name_leads_to_what_was_sent_and_nothing_else(updates: dict[str, Any]) -> None:
    assert updates['first'] == ['', ['10.1.0.5', '10.1.0.6']]
    assert updates['AAAA'] == ['2001:db8::6']
    assert updates['one goes'] == ['', ['10.1.0.6']] and updates['its AAAA'] == []
    assert updates['gone'] == ['', []]


def test_what_the_zone_has_already_is_no_change_for_its_other_servers(
    updates: dict[str, Any],
) -> None:
    assert updates['the same again is no change']


def test_what_is_not_taken_is_said_and_keeps_nothing_from_other_zones(
    updates: dict[str, Any],
) -> None:
    assert updates['not granted'] == 'update failed: REFUSED'
    assert updates['and the next zone'] == ['10.2.0.5']
    assert updates['no such zone'].startswith('update failed: NOTAUTH')
    assert 'BADSIG' in updates['another key'] and 'BADKEY' in updates['unknown key']
    assert 'connection refused' in updates['nobody there']


def test_the_key_is_in_no_argument(updates: dict[str, Any]) -> None:
    assert not updates['key in arguments']
