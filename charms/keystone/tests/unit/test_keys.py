"""Rings of keys: no unit ever encrypts with a key that another one does not hold."""

from __future__ import annotations

import base64
from collections.abc import Iterable

import keys
import pytest
from charmkit import host, testing
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

RANDOM = 'r' * 64


def test_a_first_ring_has_a_staged_and_a_primary_key():
    ring = keys.make(RANDOM)
    assert sorted(ring.keys) == [0, 1]
    assert ring.keys[0] != ring.keys[1]
    assert {len(base64.urlsafe_b64decode(k)) for k in ring.keys.values()} == {32}


def test_a_rotation_promotes_the_staged_key():
    before = keys.make(RANDOM)
    after = keys.rotate(before, 'q' * 64, 5)
    assert after.primary == 2
    assert after.keys[2] == before.keys[0]
    assert after.keys[1] == before.keys[1]
    assert after.keys[0] not in before.keys.values()


def test_the_oldest_are_forgotten():
    ring = keys.make(RANDOM)
    for n in range(10):
        ring = keys.rotate(ring, str(n) * 64, 4)
    assert sorted(ring.keys) == [0, 9, 10, 11]


@pytest.mark.parametrize(('expiration', 'number'), [(60, 5), (3600, 5), (86_400, 5), (90_000, 6)])
def test_a_key_outlives_every_token_that_it_encrypted(expiration: int, number: int):
    # One primary, one staged; the rest must span the token's life and the two days after it.
    assert keys.keep(keys.FERNET, expiration) == number
    assert (number - 2) * 86_400 >= expiration + 172_800


def test_a_ring_comes_back_from_its_text():
    ring = keys.rotate(keys.make(RANDOM), 'q' * 64, 3)
    assert keys.load(keys.dump(ring)) == ring
    assert keys.load('') is None


@pytest.mark.parametrize('text', ['{}', '{"0": "a"}', '[]', 'nonsense', '{"1": "a"}'])
def test_what_is_no_ring_is_refused(text: str):
    with pytest.raises((ValueError, AttributeError)):
        keys.load(text)


def test_the_new_primary_is_on_disk_before_the_staged_key_changes():
    ring = keys.rotate(keys.make(RANDOM), 'q' * 64, 5)
    files = keys.on_disk(keys.FERNET, ring).files
    assert [f.path.rpartition('/')[2] for f in files] == ['2', '1', '0']
    assert {(f.owner, f.mode) for f in files} == {('keystone', 0o600)}


def test_keys_are_in_no_repr():
    ring = keys.make(RANDOM)
    assert ring.keys[0] not in repr((ring, keys.on_disk(keys.FERNET, ring)))


class Units(RuleBasedStateMachine):
    """Units that hear late of a ring, each at its own time, and a leader that rotates."""

    units = Bundle('units')

    def __init__(self) -> None:
        super().__init__()
        self.ring = keys.make(RANDOM)
        self.have: dict[str, keys.Ring] = {'a/0': self.ring}
        self.rotations = 0
        self.careless = False

    @rule(target=units, number=st.integers(1, 3))
    def joins(self, number: int) -> str:
        self.have.setdefault(f'a/{number}', self.ring)
        return f'a/{number}'

    @rule(unit=units)
    def hears(self, unit: str) -> None:
        self.have[unit] = self.ring

    @rule()
    def is_due(self) -> None:
        digests = {unit: ring.digest for unit, ring in self.have.items()}
        if keys.may_rotate(self.ring, digests) and not self.careless:
            return
        self.rotations += 1
        self.ring = keys.rotate(self.ring, f'{self.rotations:064d}', 4)
        self.have['a/0'] = self.ring

    @invariant()
    def every_unit_can_decrypt_what_any_other_encrypts_now(self) -> None:
        for mine in self.have.values():
            for other in self.have.values():
                assert mine.keys[mine.primary] in other.keys.values()


TestUnits = Units.TestCase


class Careless(Units):
    """The same with a leader that waits for nobody: the check must catch it."""

    def __init__(self) -> None:
        super().__init__()
        self.careless = True


def test_rotating_without_waiting_is_caught():
    machine = Careless()
    machine.joins(1)
    machine.is_due()
    machine.is_due()
    with pytest.raises(AssertionError):
        machine.every_unit_can_decrypt_what_any_other_encrypts_now()


@given(st.integers(1, 60), st.integers(1, 60))
def test_a_unit_that_missed_rotations_ends_with_the_ring_and_no_more(missed: int, number: int):
    rings = [keys.make(RANDOM)]
    for n in range(max(missed, number)):
        rings.append(keys.rotate(rings[-1], f'{n:064d}', 5))
    now = rings[-1]
    disk = {f'{keys.FERNET.repository}/{n}' for n in rings[max(0, len(rings) - 1 - missed)].keys}
    assert left(keys.FERNET, now, disk) == {f.path for f in keys.on_disk(keys.FERNET, now).files}


def left(kind: keys.Kind, ring: keys.Ring, there: Iterable[str]) -> set[str]:
    """The files in the repository once *ring* is on a disk that had *there*."""
    wanted = keys.on_disk(kind, ring)
    seen = host.Observed(paths=dict.fromkeys(there, 'some'))
    for step in host.plan(wanted, seen):
        seen = testing.after(step, wanted, seen)
    return {p for p in seen.paths if p != kind.repository}


@pytest.mark.parametrize('kind', keys.KINDS)
@pytest.mark.parametrize('name', ['3', '9', '4000', '09', '-1', '+7', ' 8', '1_0', '\u0667'])
def test_no_key_stays_that_is_not_of_the_ring(kind: keys.Kind, name: str):
    """Whatever keystone takes for one: the highest encrypts."""
    assert int(name) not in keys.make(RANDOM).keys
    wanted = {f'{kind.repository}/{n}' for n in (0, 1)}
    assert left(kind, keys.make(RANDOM), [f'{kind.repository}/{name}']) == wanted


@pytest.mark.parametrize('name', ['.1.new', '1.bak', 'README', 'old/7'])
def test_what_is_no_key_stays(name: str):
    other = f'{keys.FERNET.repository}/{name}'
    assert other in left(keys.FERNET, keys.make(RANDOM), [other, '/etc/keystone/7'])


def test_keys_of_another_keystone_decrypt_and_the_own_one_goes_on_encrypting():
    mine = keys.rotate(keys.make(RANDOM), 'q' * 64, 3)
    theirs = keys.rotate(keys.make('a' * 64), 'b' * 64, 3)
    both = keys.adopt(mine, theirs)
    assert {*both.keys.values()} == {*mine.keys.values(), *theirs.keys.values()}
    assert both.keys[both.primary] == mine.keys[mine.primary]
    assert both.keys[keys.STAGED] == mine.keys[keys.STAGED]
    assert keys.adopt(both, theirs) == both
    at = keys.CREDENTIAL.repository
    assert left(keys.CREDENTIAL, both, (f'{at}/{n}' for n in mine.keys)) == {
        f'{at}/{n}' for n in both.keys
    }
    assert left(keys.CREDENTIAL, mine, (f'{at}/{n}' for n in both.keys)) == {
        f'{at}/{n}' for n in mine.keys
    }


@pytest.mark.parametrize('text', ['', 'short', 'a' * 43, 'a' * 44, 'ä' * 44, '=' * 44])
def test_what_is_no_key_is_told_from_one(text: str):
    assert not keys.is_key(text)
    assert all(map(keys.is_key, keys.make(RANDOM).keys.values()))
