"""Users, virtual hosts and permissions: desired, observed, and what is in between. Pure.

A user is the charm's own when it bears the tag :data:`TAG`: only those are ever dropped. A virtual host never is.
RabbitMQ gives a user one password. So that a rotation loses nobody, a user that goes by the name in the answer has two
accounts, ``nova`` and ``nova.2``, which are in force in turn; the one that is not has a password that only those know
who cannot take another name: they have ``nova`` always.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from charmkit import passwords, rotation
from charmkit.relations import rabbitmq, wire

TAG = 'charm'
ALGORITHM = 'rabbit_password_hashing_sha256'
NOTIFICATIONS = 'charm-notifications'
"""The policy that lets messages end which nobody fetches."""
_ALL = ('.*', '.*', '.*')


@dataclasses.dataclass(frozen=True)
class User:
    """A user that there is, or is to be."""

    name: str
    password_hash: str = dataclasses.field(repr=False)
    tags: tuple[str, ...] = (TAG,)


@dataclasses.dataclass(frozen=True)
class Observed:
    """What the cluster has."""

    users: Mapping[str, User] = dataclasses.field(default_factory=dict[str, User])
    vhosts: frozenset[str] = frozenset()
    complete: frozenset[tuple[str, str]] = frozenset()
    """User and virtual host, where the user may do all."""
    partial: frozenset[tuple[str, str]] = frozenset()
    """The same, where it may do some."""
    ttls: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int])
    """Of notifications, by virtual host; milliseconds."""


@dataclasses.dataclass(frozen=True)
class Keys:
    """The passwords of all users, each derived from one seed and the number of times that it was rotated."""

    seed: str = dataclasses.field(repr=False)
    turns: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int])
    """How often each user's password was rotated; a user that is not in it: never."""
    overlapping: frozenset[str] = frozenset()
    """Users whose last account but one still lets them in with its password."""

    def accounts(self, user: str) -> dict[str, str]:
        """The password of each account of *user*, by name."""
        turn = self.turns.get(user, 0)
        current = {_name(user, turn): self._at(user, turn)}
        if not turn:
            return current
        other = (
            self._at(user, turn - 1) if user in self.overlapping else self._at(user, turn, 'other')
        )
        return current | {_name(user, turn - 1): other}

    def account(self, request: rabbitmq.Request) -> rabbitmq.Account:
        """What *request* is answered."""
        turn = self.turns.get(request.user, 0)
        name = _name(request.user, turn) if request.takes_username else request.user
        return rabbitmq.Account(name, self.accounts(request.user)[name], turn)

    def _at(self, user: str, turn: int, *more: str) -> str:
        purpose = (user, *((str(turn),) if turn else ()), *more)
        return passwords.derive(self.seed, 'rabbitmq-user', *purpose)


def keys(seed: str, rotations: Mapping[str, rotation.Rotation], now: float) -> Keys:
    """The passwords that are in force at *now*."""
    turns = {user: r.turn for user, r in rotations.items()}
    return Keys(seed, turns, rotation.overlapping(rotations, now))


def _name(user: str, turn: int) -> str:
    return user + rabbitmq.SECOND if turn % 2 else user


@dataclasses.dataclass(frozen=True)
class Desired:
    """What the related applications ask for."""

    passwords: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str], repr=False)
    """By name of the account."""
    permissions: frozenset[tuple[str, str]] = frozenset()
    """Account and virtual host, in which it may do all."""
    ttl_ms: int = 0
    """How long a notification is kept that nobody fetches; 0 is for good."""

    @property
    def vhosts(self) -> frozenset[str]:
        """All virtual hosts that somebody uses."""
        return frozenset(vhost for _, vhost in self.permissions)


def desired(requests: Iterable[rabbitmq.Request], held: Keys, ttl_ms: int = 0) -> Desired:
    """Everything that *requests* need to hold."""
    every = tuple(requests)
    return Desired(
        {name: p for r in every for name, p in held.accounts(r.user).items()},
        frozenset((name, r.vhost) for r in every for name in held.accounts(r.user)),
        ttl_ms,
    )


def observed(definitions: str) -> Observed:
    """Understand what ``rabbitmqctl export_definitions`` says (RabbitMQ's documentation of definitions)."""
    output = wire.load_object(definitions)
    grants = {
        (wire.text(p.get('user')), wire.text(p.get('vhost'))): tuple(
            wire.text(p.get(key)) for key in ('configure', 'write', 'read')
        )
        for p in _objects(output, 'permissions')
    }
    return Observed(
        {
            name: User(name, wire.text(u.get('password_hash')), wire.texts(u.get('tags')))
            for u in _objects(output, 'users')
            if (name := wire.text(u.get('name')))
        },
        frozenset(wire.text(v.get('name')) for v in _objects(output, 'vhosts')),
        frozenset(pair for pair, rights in grants.items() if rights == _ALL),
        frozenset(pair for pair, rights in grants.items() if rights != _ALL),
        {
            wire.text(p.get('vhost')): _ttl(p.get('definition'))
            for p in _objects(output, 'policies')
            if p.get('name') == NOTIFICATIONS
        },
    )


def _objects(output: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    return [
        cast('Mapping[str, Any]', x) for x in wire.items(output.get(key)) if isinstance(x, dict)
    ]


def _ttl(definition: object) -> int:
    if not isinstance(definition, dict):
        return 0
    return wire.number(cast('Mapping[str, object]', definition).get('message-ttl'))


@dataclasses.dataclass(frozen=True)
class Change:
    """What has to change. Of passwords there are only hashes in it."""

    definitions: str = dataclasses.field(default='', repr=False)
    """To import, in JSON; '' for nothing."""
    summary: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    """To run after that: arguments of ``rabbitmqctl``."""


def plan(want: Desired, seen: Observed, *, leader: bool) -> Change:
    """What takes the cluster from *seen* to *want*; nothing when they agree.

    Those who do not lead only add what is missing, so that a newcomer's clients need not wait: one that has not heard
    of a rotation yet must not undo it.
    """
    users = [
        User(name, hashed(password, _salt(name, password)))
        for name, password in sorted(want.passwords.items())
        if name not in seen.users or (leader and not _right(seen.users[name], password))
    ]
    permissions = sorted(want.permissions - seen.complete)
    vhosts = sorted(want.vhosts - seen.vhosts)
    ttls = [
        v
        for v in sorted(want.vhosts)
        if leader and want.ttl_ms and seen.ttls.get(v) != want.ttl_ms
    ]
    summary = (
        *(f'set user {u.name}' for u in users),
        *(f'make virtual host {v}' for v in vhosts),
        *(f'let {u} into {v}' for u, v in permissions),
        *(f'limit notifications in {v}' for v in ttls),
    )
    definitions: dict[str, list[dict[str, object]]] = {
        'users': [
            {
                **{'name': u.name, 'password_hash': u.password_hash, 'tags': [TAG], 'limits': {}},
                'hashing_algorithm': ALGORITHM,
            }
            for u in users
        ],
        'vhosts': [{'name': v} for v in vhosts],
        'permissions': [
            {'user': u, 'vhost': v, 'configure': '.*', 'write': '.*', 'read': '.*'}
            for u, v in permissions
        ],
        'policies': [_policy(v, want.ttl_ms) for v in ttls],
    }
    commands = _removals(want, seen) if leader else ()
    return Change(
        json.dumps(definitions, sort_keys=True) if summary else '',
        (*summary, *(' '.join(c) for c in commands)),
        commands,
    )


def _removals(want: Desired, seen: Observed) -> tuple[tuple[str, ...], ...]:
    ours = {name for name, u in seen.users.items() if TAG in u.tags}
    # The packages' own user has a password that everybody knows.
    gone = sorted(ours - want.passwords.keys()) + sorted({'guest'} & seen.users.keys())
    left = (seen.complete | seen.partial) - want.permissions
    return (
        *(('delete_user', name) for name in gone),
        *(
            ('clear_permissions', '-p', vhost, user)
            for user, vhost in sorted(left)
            if user in want.passwords
        ),
        *(
            ('clear_policy', '-p', vhost, NOTIFICATIONS)
            for vhost in sorted(seen.ttls)
            if not want.ttl_ms
        ),
    )


def holds(request: rabbitmq.Request, held: Keys, seen: Observed) -> bool:
    """Whether the account that *request* is answered lets in, and may do all in its virtual host."""
    account = held.account(request)
    user = seen.users.get(account.name)
    return (
        user is not None
        and _right(user, account.password)
        and (account.name, request.vhost) in seen.complete
    )


def hashed(password: str, salt: bytes) -> str:
    """As RabbitMQ keeps it (its documentation of passwords: salt and SHA-256 of salt and password, in Base64)."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _salt(name: str, password: str) -> bytes:
    return hashlib.sha256(f'salt {name} {password}'.encode()).digest()[:4]


def _right(user: User, password: str) -> bool:
    try:
        kept = base64.b64decode(user.password_hash, validate=True)
    except ValueError:
        return False
    return hashed(password, kept[:4]) == user.password_hash and TAG in user.tags


def _policy(vhost: str, ttl_ms: int) -> dict[str, object]:
    return {
        'vhost': vhost,
        'name': NOTIFICATIONS,
        'pattern': r'^(versioned_)?notifications\.',
        'apply-to': 'queues',
        'definition': {'message-ttl': ttl_ms},
        'priority': 1,
    }
