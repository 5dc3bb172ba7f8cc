"""Which password of each user is in force: how often it was rotated, and until when the one before lets in too. Pure.

A client takes up a new password when its next hook runs, and until then goes on with the old one. So after a rotation
an account has both for a while; MariaDB tries each in turn. What was rotated stands in the application's data on the
peer relation, written at the end of the hook that changed the accounts: when that hook dies, the next finds the old
record, and the accounts get back the old password, which everybody still has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import grants
from charmkit.relations import wire

KEY = 'rotated'


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


def keys(seed: str, rotations: Mapping[str, Rotation], now: float) -> grants.Keys:
    """The passwords that are in force at *now*."""
    turns = {user: r.turn for user, r in rotations.items()}
    return grants.Keys(seed, turns, overlapping(rotations, now))
