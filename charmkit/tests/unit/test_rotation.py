"""Rotation of passwords: which turn each user is at, how long the one before lets in, and what is refused."""

from __future__ import annotations

import pytest
from charmkit import relations, rotation, state
from charmkit.rotation import Rotation
from charmkit.why import Action, Hook

NOW = 1_800_000_000.0
USERS = ('nova', 'glance')


def rotate(**params: object) -> Action:
    return Action('rotate-password', {k.replace('_', '-'): v for k, v in params.items()})


def inputs(**rotations: Rotation) -> state.Inputs:
    return state.Inputs(
        site=relations.Site(unit='mysql/0', leader=True, address='10.0.0.5'),
        peers={rotation.KEY: rotation.write(rotations)} if rotations else {},
        now=NOW,
    )


def test_what_is_written_is_read_again():
    every = {'nova': Rotation(2, 1_800_000_060), 'glance': Rotation(1, 5)}
    assert rotation.read(rotation.write(every)) == every
    assert rotation.read('') == rotation.read('nonsense') == {}


def test_a_password_overlaps_until_its_time_has_come():
    one = {'nova': Rotation(1, 100)}
    assert rotation.overlapping(one, 99.9) == {'nova'}
    assert rotation.overlapping(one, 100) == frozenset()


def test_the_action_rotates_one_user_or_all_and_the_others_stay_as_they_are():
    before = Rotation(4, 7)
    one = rotation.of(rotate(user='nova'), inputs(nova=before, glance=before), USERS)
    assert one == {'nova': Rotation(5, int(NOW) + 3600), 'glance': before}
    every = rotation.of(rotate(overlap_minutes=2), inputs(), USERS)
    assert every == dict.fromkeys(USERS, Rotation(1, int(NOW) + 120))


def test_any_other_run_rotates_nothing():
    before = {'nova': Rotation(4, 7)}
    assert rotation.of(Hook('config-changed'), inputs(**before), USERS) == before
    assert rotation.of(Action('pause'), inputs(**before), USERS) == before


def test_what_the_action_has_done_is_recorded_beside_what_peers_know_and_told():
    desired = state.Desired(app_data={'peers': {'other': 'x'}, 'amqp': {'y': 'z'}})
    after = rotation.recorded(desired, rotate(overlap_minutes=1), inputs(), USERS)
    assert after.app_data['amqp'] == {'y': 'z'}
    assert after.app_data['peers']['other'] == 'x'
    assert rotation.read(after.app_data['peers'][rotation.KEY]) == dict.fromkeys(
        USERS, Rotation(1, int(NOW) + 60)
    )
    assert after.results == {
        'users': 'glance nova',
        'former-passwords-until': '2027-01-15T08:01:00Z',
    }


@pytest.mark.parametrize(
    ('params', 'words'),
    [
        ({}, ''),
        ({'user': 'nova'}, ''),
        ({'overlap_minutes': 0}, ''),
        ({'overlap_minutes': rotation.MOST_OVERLAP_MIN}, ''),
        ({'user': 'evil'}, "No related application has a user 'evil'; there are: glance nova"),
        ({'overlap_minutes': -1}, 'overlap-minutes is -1: set it from 0 to 10080'),
        (
            {'overlap_minutes': rotation.MOST_OVERLAP_MIN + 1},
            'overlap-minutes is 10081: set it from 0 to 10080',
        ),
    ],
)
def test_what_the_action_refuses(params: dict[str, object], words: str):
    assert rotation.refusal(rotate(**params), USERS, {}, NOW) == words


def test_without_a_client_there_is_nothing_to_rotate():
    said = rotation.refusal(rotate(), (), {}, NOW)
    assert said == "No related application has a user ''; there are: none"


def test_a_user_is_not_rotated_again_while_two_passwords_are_in_force():
    before = {'nova': Rotation(1, int(NOW) + 60)}
    said = rotation.refusal(rotate(), USERS, before, NOW)
    assert said.startswith('nova was rotated before')
    assert '2027-01-15T08:01:00Z' in said
    assert rotation.refusal(rotate(user='glance'), USERS, before, NOW) == ''
    assert rotation.refusal(rotate(overlap_minutes=0), USERS, before, NOW) == ''
    assert rotation.refusal(rotate(), USERS, before, NOW + 60) == ''
