"""Which password of each user is in force: how often it was rotated, and until when the one before lets in too. Pure.

A client takes up a new password when its next hook runs, and until then goes on with the old one. So after a rotation
both let in for a while. What was rotated stands in the application's data on the peer relation, written at the end of
the hook that changed the accounts: when that hook dies, the next finds the old record, and the accounts get back the
old password, which everybody still has.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping

from . import state
from .relations import wire
from .why import Action, Why, action

KEY = 'rotated'

MOST_OVERLAP_MIN = 7 * 24 * 60
_OVERLAP_MIN = 60


@dataclasses.dataclass(frozen=True)
class Rotation:
    """The last rotation of one user's password."""

    turn: int
    """How many there were."""
    until: int
    """When the password before it ceases to let in; seconds since the epoch."""


def read(text: str) -> dict[str, Rotation]:
    """By user, from what :func:`write` wrote."""
    every = wire.load_object(text)
    return {
        user: Rotation(wire.number(data.get('turn')), wire.number(data.get('until')))
        for user, data in wire.objects(every)
    }


def write(rotations: Mapping[str, Rotation]) -> str:
    """*rotations* as a value of a databag."""
    return wire.dump({user: dataclasses.asdict(r) for user, r in rotations.items()})


def overlapping(rotations: Mapping[str, Rotation], now: float) -> frozenset[str]:
    """Users whose password before is in force at *now*."""
    return frozenset(user for user, r in rotations.items() if now < r.until)


def rotated(
    rotations: Mapping[str, Rotation], users: Iterable[str], until: float
) -> dict[str, Rotation]:
    """*rotations* and one more of each of *users*."""
    turns = {u: rotations[u].turn if u in rotations else 0 for u in users}
    return {**rotations, **{u: Rotation(turn + 1, int(until)) for u, turn in turns.items()}}


def overlap_min(rotate: Action) -> int:
    """How long the action ``rotate-password`` lets the former password in; minutes."""
    return int(rotate.params.get('overlap-minutes', _OVERLAP_MIN))


def chosen(rotate: Action, users: Iterable[str]) -> list[str]:
    """The users whose password the action ``rotate-password`` is to renew: one of *users*, or all of them."""
    user = str(rotate.params.get('user', ''))
    return [user] if user else sorted(users)


def of(why: Why, inputs: state.Inputs, users: Iterable[str]) -> dict[str, Rotation]:
    """The rotations that hold in this run, of an application whose clients' users are *users*.

    They are those before, and with the action ``rotate-password`` the one that it asks for.
    """
    before = read(inputs.peers.get(KEY, ''))
    rotate = action(why, 'rotate-password')
    if not rotate:
        return before
    return rotated(before, chosen(rotate, users), inputs.now + 60 * overlap_min(rotate))


def recorded(
    desired: state.Desired, rotate: Action, inputs: state.Inputs, users: Iterable[str]
) -> state.Desired:
    """*desired* with the record of what the action has rotated, and its results."""
    there = [*users]
    after, renewed = of(rotate, inputs, there), chosen(rotate, there)
    peers = {**desired.app_data['peers'], KEY: write(after)}
    return dataclasses.replace(
        desired,
        app_data={**desired.app_data, 'peers': peers},
        results={
            'users': ' '.join(renewed),
            'former-passwords-until': utc(after[renewed[0]].until),
        },
    )


def refusal(
    rotate: Action, users: Iterable[str], before: Mapping[str, Rotation], now: float
) -> str:
    """Why the action ``rotate-password`` cannot be done, in words for the operator; '' when it can."""
    there = sorted(users)
    user, overlap = str(rotate.params.get('user', '')), overlap_min(rotate)
    if (user and user not in there) or not there:
        return (
            f'No related application has a user {user!r}; there are: {" ".join(there) or "none"}'
        )
    if not 0 <= overlap <= MOST_OVERLAP_MIN:
        return f'overlap-minutes is {overlap}: set it from 0 to {MOST_OVERLAP_MIN}'
    for busy in sorted(overlapping(before, now) & {*chosen(rotate, there)}):
        if overlap:
            return (
                f'{busy} was rotated before, and its password before that lets in until '
                f'{utc(before[busy].until)}: wait, or lose requests with overlap-minutes=0'
            )
    return ''


def utc(at: float) -> str:
    """*at*, seconds since the epoch, as ISO 8601 has it."""
    return f'{datetime.datetime.fromtimestamp(at, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}'
