"""Passwords of the admin, of service accounts and of the charm itself, and how each is renewed. Pure.

Every password is derived from the seed and a number that says how often it was renewed, so a hook that
dies leaves no password behind that nobody knows.

Keystone knows one password of a user at a time, and one that is changed ends the user's tokens: a
service whose password changes refuses its clients until it has heard so. So a service has two
accounts that take turns. The new one is there before it is published; the former one stays good for a while,
and then it is disabled, with a password that nobody has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import catalogue
from charmkit import passwords
from charmkit.relations import keystone, wire

KEY = 'rotations'
GRACE_S = 3600
"""How long the former account of a service stays good unless the operator says otherwise, in seconds."""
LEAST_GRACE_S = 60
"""In so much less all units of the service may not have heard of the new one."""


@dataclasses.dataclass(frozen=True)
class Rotation:
    """How often a password was renewed."""

    number: int = 0
    until: float = 0.0
    """Until when the former account is good, in seconds since the epoch."""


Rotations = Mapping[str, Rotation]


def dump(rotations: Rotations) -> str:
    """For :func:`load`."""
    return wire.dump(
        {name: {'number': r.number, 'until': int(r.until)} for name, r in rotations.items()}
    )


def load(text: str) -> dict[str, Rotation]:
    """What :func:`dump` wrote."""
    found: dict[str, Rotation] = {}
    for name, fields in wire.objects(wire.load_object(text)):
        until = float(wire.number(fields.get('until')))
        found[name] = Rotation(wire.number(fields.get('number')), until)
    return found


def renewed(rotations: Rotations, name: str, now: float, grace_s: float) -> dict[str, Rotation]:
    """*rotations* with another password for *name*."""
    number = rotations.get(name, Rotation()).number + 1
    return {**rotations, name: Rotation(number, now + grace_s)}


def refusal(rotations: Rotations, name: str, now: float, grace_s: float) -> str:
    """Why *name* is not to be renewed now; '' if it may be."""
    left = rotations.get(name, Rotation()).until - now
    if name not in (catalogue.ADMIN, catalogue.CHARM) and 0 < grace_s < LEAST_GRACE_S:
        return (
            f'grace={int(grace_s)} is too short for the units of {name} to hear of the new account: '
            f'at least {LEAST_GRACE_S}, or 0, which ends the former one at once'
        )
    if name in (catalogue.ADMIN, catalogue.CHARM) or left <= 0 or not grace_s:
        return ''
    return (
        f'{name} was renewed lately, and its former account is good for another {int(left)} s: '
        'wait, or run the action with grace=0, which ends both at once'
    )


def admin_password(seed: str, rotations: Rotations) -> str:
    """The admin's, as far as the charm knows."""
    return _derive(seed, rotations, catalogue.ADMIN, 'admin')


def charm_password(seed: str, rotations: Rotations) -> str:
    """Of the charm's own account."""
    return _derive(seed, rotations, catalogue.CHARM, 'charm')


def accounts(
    seed: str, rotations: Rotations, requests: Iterable[keystone.Request]
) -> dict[str, catalogue.Account]:
    """The account in use of each of *requests*, by the user name that the request builds."""
    roles: dict[str, set[str]] = {}
    for request in requests:
        if request.username:
            roles.setdefault(request.username, set()).update(request.roles)
    every = frozenset({catalogue.ADMIN_ROLE, catalogue.SERVICE_ROLE})
    return {
        user: catalogue.Account(
            catalogue.names(user)[rotations.get(user, Rotation()).number % 2],
            _derive(seed, rotations, user, 'service-user', user),
            every | wanted,
        )
        for user, wanted in roles.items()
    }


def retired(
    seed: str, rotations: Rotations, users: Iterable[str], now: float
) -> frozenset[catalogue.Account]:
    """The other accounts of *users*, once they are not to be good any longer.

    Of one that was never renewed too: in a database that came from another keystone it may be the one that is in use
    there, with a password that is known there.
    """
    return frozenset(
        catalogue.Account(
            catalogue.names(user)[(r.number - 1) % 2],
            _strong(passwords.derive(seed, 'retired', user, str(r.number))),
            frozenset(),
        )
        for user in users
        if now >= (r := rotations.get(user, Rotation())).until
    )


def _derive(seed: str, rotations: Rotations, name: str, *purpose: str) -> str:
    number = rotations.get(name, Rotation()).number
    return _strong(passwords.derive(seed, *purpose, *([str(number)] if number else [])))


def _strong(password: str) -> str:
    """*password* with one of each kind of characters that a ``password_regex`` may ask for."""
    return f'{password}-A9'
