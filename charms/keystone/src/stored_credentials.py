"""Credentials that keystone stores, such as those for EC2: in which keys they are, and what came from another keystone.

They are encrypted anew on the leader, once keystone runs, after each rotation of their keys and whenever what is in the
database is not what it was: it may have been restored from the backup of a keystone with other keys. Those that no key
decrypts are named, and nothing waits for them.
"""

from __future__ import annotations

import dataclasses

import charmkit
import keys
from charmkit import state
from charmkit.machine import Machine
from charmkit.relations import wire
from charmkit.why import action

PROGRAM = '/etc/keystone/reencryption.py'
DONE = 'credentials'
"""Under which the leader says in the peer relation which keys all credentials of which data are in."""
UNREADABLE = 'unreadable-credentials'
ADOPT = 'adopt-credential-keys'
REMOVE = 'remove-unreadable-credentials'
ACTIONS = (ADOPT, REMOVE)
_TIMEOUT_S = 900.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reencrypted:
    """What came of it."""

    anew: int = 0
    unreadable: int = 0
    """How many are left that no key decrypts."""
    removed: int = 0
    failure: str = ''
    """Why it was not done, in words."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reencrypt:
    """Encrypt all credentials with the newest of the keys that *key* stands for; *remove* those that none decrypts."""

    key: str
    ring: str
    """The digest of those keys: with others on its disk a unit encrypts nothing anew, and removes nothing."""
    remove: bool = False
    name: str = 'credentials'

    def carry_out(self, machine: Machine) -> Reencrypted:
        """Run the program as keystone's user, which can read its keys and its configuration."""
        argv = ('python3', PROGRAM, self.ring, *(('--remove',) if self.remove else ()))
        ended = machine.program(*argv, user=keys.USER, timeout_s=_TIMEOUT_S)
        lines = [line for line in ended.output.splitlines() if line.strip()] or ['']
        if ended.status:
            return Reencrypted(failure=f'credentials were not encrypted anew: {lines[-1][:300]}')
        found = wire.load_object(lines[-1])
        return Reencrypted(
            anew=wire.number(found.get('anew')),
            unreadable=wire.number(found.get('unreadable')),
            removed=wire.number(found.get('removed')),
        )


def task(why: charmkit.Why, inputs: charmkit.Inputs, ring: keys.Ring, database: str) -> Reencrypt:
    """The leader's work on credentials; *database* stands for the data that they are in."""
    return Reencrypt(
        key=f'{ring.digest} {database}',
        ring=ring.digest,
        remove=action(why, REMOVE) is not None,
    )


def is_due(wanted: Reencrypt, peers: charmkit.relations.Databag) -> bool:
    """Whether some credentials may be in other keys than the newest: those that were unreadable are tried again."""
    return peers.get(DONE) != wanted.key or bool(peers.get(UNREADABLE))


def record(
    key: str, outcome: Reencrypted, peers: charmkit.relations.Databag
) -> charmkit.relations.Databag:
    """*peers* with what the leader keeps of it."""
    if outcome.failure:
        return peers
    kept = {k: v for k, v in peers.items() if k != UNREADABLE}
    left = {UNREADABLE: str(outcome.unreadable)} if outcome.unreadable else {}
    return {**kept, DONE: key, **left}


def results(outcome: Reencrypted) -> dict[str, str]:
    """What an action shows of it."""
    return {
        'encrypted-anew': str(outcome.anew),
        'unreadable': str(outcome.unreadable),
        'removed': str(outcome.removed),
    }


def statuses(outcome: Reencrypted) -> tuple[state.Status, ...]:
    """What the operator should know of it."""
    if outcome.failure:
        return (state.Status('blocked', outcome.failure),)
    if not outcome.unreadable:
        return ()
    many = (
        'a stored credential is'
        if outcome.unreadable == 1
        else f'{outcome.unreadable} stored credentials are'
    )
    words = f'{many} encrypted with keys of another keystone: run {ADOPT}, or {REMOVE}'
    return (state.Status('blocked', words),)


def adopted(why: charmkit.Why, inputs: charmkit.Inputs) -> keys.Ring | str | None:
    """The keys of another keystone that the operator gives; a text says why they are none; None: nobody gives any."""
    asked = action(why, ADOPT)
    if asked is None:
        return None
    uri = str(asked.params.get('secret', ''))[:200]
    if not uri.startswith('secret:'):
        return f'{uri!r} is no secret: give the URI that `juju add-secret` prints, secret:…'
    content = inputs.secrets.get(uri)
    if content is None:
        return f'keystone cannot read {uri}: `juju grant-secret` it to keystone'
    try:
        ring = keys.load(content.get('ring', ''))
    except (ValueError, AttributeError, TypeError):
        ring = None
    if ring is None or not all(map(keys.is_key, ring.keys.values())):
        return f"{uri} has no credential keys: its field `ring` is to be that of the other keystone's secret"
    return ring
