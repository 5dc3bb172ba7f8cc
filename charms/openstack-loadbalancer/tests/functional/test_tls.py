"""A real haproxy that ends TLS: changed to and back, and given other certificates, under load."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from charmkit.proxy import tls

pytestmark = pytest.mark.functional


@pytest.fixture(scope='module')
def machine(boot: Any) -> Any:
    """Of the base whose Python is this one: `cryptography` comes from here."""
    return boot('debian-12' if sys.version_info[:2] == (3, 11) else 'debian-13')


def test_clients_change_to_tls_and_back_and_lose_nothing(machine: Any) -> None:
    found = machine.scenario('secured')
    assert found['told'] == 'https://10.66.0.1:5000'
    assert found['plain']['sent'] > 100 and found['plain']['lost'] == 0
    assert found['secure']['sent'] > 100 and found['secure']['lost'] == 0
    assert found['secure']['serials'] == 4
    assert found['held, secure'] and found['held, plain']
    assert not found['TLS in the end']
    assert not found['reloaded'], 'a certificate has cost a reload'
    assert not found['plain is answered']
    assert not found['a stranger is trusted']
    assert found['mode'] == '600:root'
    assert found['told in the end'] == 'http://10.66.0.1:5000'


@pytest.mark.slow
def test_without_the_time_to_change_over_clients_are_lost(machine: Any) -> None:
    assert machine.scenario('secured', transition_s=0)['plain']['lost'] > 0


@pytest.mark.slow
def test_what_a_former_worker_has_accepted_would_be_lost_if_it_were_forgotten(
    machine: Any,
) -> None:
    found = machine.scenario('secured', forget=True)
    assert not found['held, secure'] and not found['held, plain']


@pytest.mark.parametrize('minimum', ['1.2', '1.3'])
def test_nothing_is_offered_that_mozilla_does_not_advise(machine: Any, minimum: str) -> None:
    found = machine.scenario('offered', minimum=minimum)
    assert found['protocols'] == [v for v in ('TLSv1.2', 'TLSv1.3') if v >= f'TLSv{minimum}']
    assert {*found['suites']} <= {*tls.CIPHERS.split(':')}
    assert bool(found['suites']) == (minimum == '1.2')


def test_what_is_offered_beyond_that_is_seen(machine: Any) -> None:
    found = machine.scenario('offered', suites='ALL')
    assert not {*found['suites']} <= {*tls.CIPHERS.split(':')}


def test_certificates_are_taken_however_they_are_written_and_bad_ones_block_nothing(
    machine: Any,
) -> None:
    found = machine.scenario('odd_certificates')
    assert all(found['shown'].values()) and len({*found['shown'].values()}) == 6, found
    assert 'tls-secret for public: the private key: its RSA key has 1024 bits' in str(
        found['refused']
    )
    assert found['later changes'] and found['served in the end']


def test_unread_they_would_take_every_service_away(machine: Any) -> None:
    found = machine.scenario('odd_certificates', check=False)
    assert len({*found['shown'].values()}) < 6
    assert not found['served in the end'], found
