"""Passwords derived from a seed: the same each time, and each purpose its own."""

from __future__ import annotations

import pytest
from charmkit import passwords
from hypothesis import given
from hypothesis import strategies as st

SEED = 's' * 64
purposes = st.lists(st.text(max_size=5), min_size=1, max_size=3).map(tuple)


@given(purposes, purposes)
def test_each_purpose_has_its_own(a: tuple[str, ...], b: tuple[str, ...]):
    assert (passwords.derive(SEED, *a) == passwords.derive(SEED, *b)) == (a == b)


def test_it_is_safe_in_every_configuration_file():
    assert passwords.derive(SEED, 'glance').isalnum()
    assert len(passwords.derive(SEED, 'glance')) == 32


def test_another_seed_gives_another():
    assert passwords.derive(SEED, 'a') != passwords.derive('t' * 64, 'a')
    assert passwords.fingerprint('a') != passwords.fingerprint('b')


def test_a_short_seed_is_refused():
    with pytest.raises(ValueError, match='too short'):
        passwords.derive('short', 'a')
