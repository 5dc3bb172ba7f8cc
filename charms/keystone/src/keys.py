"""Rings of keys that every unit shares: made, rotated, and put on disk. Pure.

Source: keystone's documentation of fernet and credential keys. The key numbered 0 is staged: it
decrypts, and is the next to encrypt. The highest number is the primary, which encrypts; those in
between only decrypt. A ring is rotated only when every unit has it, so that no unit ever encrypts with
a key that another one does not hold yet.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal

from charmkit import host
from charmkit.relations import wire

USER = 'keystone'
STAGED = 0
_KEY_FILE = r'\s*[+-]?[\d_]+\s*'
"""What keystone may take for a number, by which a file is a key to it: Python's ``int`` does."""
_DAY_S = 86_400
_ALLOWED_LATE_S = 172_800
"""Keystone's allow_expired_window: how long a service may go on using an expired token."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of keys: where keystone looks for them, and how often they are renewed."""

    name: Literal['fernet', 'credential']
    repository: str
    rotate: Literal['daily', 'monthly']

    @property
    def label(self) -> str:
        """Of the secret."""
        return f'{self.name}-keys'


FERNET = Kind('fernet', '/etc/keystone/fernet-keys', 'daily')
CREDENTIAL = Kind('credential', '/etc/keystone/credential-keys', 'monthly')
KINDS = (FERNET, CREDENTIAL)


@dataclasses.dataclass(frozen=True)
class Ring:
    """Keys by number."""

    keys: Mapping[int, str] = dataclasses.field(repr=False)

    @property
    def primary(self) -> int:
        """The number of the key that encrypts."""
        return max(self.keys)

    @property
    def digest(self) -> str:
        """Stands for the ring where units tell each other which one they have."""
        return host.digest(dump(self))


def make(random: str) -> Ring:
    """A first ring. *random* is a text of at least 256 bits that nobody can guess."""
    return Ring({STAGED: _key(random, 'staged'), 1: _key(random, 'primary')})


def rotate(ring: Ring, random: str, keep: int) -> Ring:
    """Promote the staged key, stage a new one, and forget the oldest beyond *keep* keys."""
    keys = {**ring.keys, ring.primary + 1: ring.keys[STAGED], STAGED: _key(random, 'staged')}
    kept = sorted(keys.keys() - {STAGED})[-max(keep - 1, 2) :]
    return Ring({STAGED: keys[STAGED], **{number: keys[number] for number in kept}})


def adopt(ring: Ring, other: Ring) -> Ring:
    """*ring*, with the keys of *other* that it does not have, to decrypt with: the same key as before encrypts."""
    new = [key for _, key in sorted(other.keys.items()) if key not in ring.keys.values()]
    if not new:
        return ring
    first = ring.primary + 1
    numbered = {first + n: key for n, key in enumerate((*new, ring.keys[ring.primary]))}
    kept = {number: key for number, key in ring.keys.items() if number != ring.primary}
    return Ring({**kept, **numbered})


def is_key(text: str) -> bool:
    """Whether *text* is a key as the fernet specification has it: 32 bytes in URL-safe base64."""
    try:
        return len(base64.b64decode(text, altchars=b'-_', validate=True)) == 32
    except ValueError:
        return False


def keep(kind: Kind, token_expiration_s: int) -> int:
    """How many keys to hold, so that nothing encrypted outlives its key.

    A token lives for its time, and for a service two days longer; credentials are encrypted anew
    after each rotation.
    """
    if kind == CREDENTIAL:
        return 3
    return -(-(token_expiration_s + _ALLOWED_LATE_S) // _DAY_S) + 2


def may_rotate(ring: Ring, have: Mapping[str, str]) -> tuple[str, ...]:
    """The units that must get *ring* before it is rotated. *have*: digests, by unit."""
    return tuple(sorted(unit for unit, digest in have.items() if digest != ring.digest))


def dump(ring: Ring) -> str:
    """As text, for a secret."""
    return wire.dump({str(number): key for number, key in ring.keys.items()})


def load(text: str) -> Ring | None:
    """The ring in *text*; None when there is none.

    Raises:
        ValueError: when *text* is something else.
    """
    if not text:
        return None
    data = wire.load_object(text)
    ring = Ring({int(number): wire.text(key) for number, key in data.items()})
    if STAGED not in ring.keys or len(ring.keys) < 2:  # Staged and primary.
        raise ValueError('what should be a ring of keys is none')
    return ring


def on_disk(kind: Kind, ring: Ring) -> host.Host:
    """The files of *ring*, and no other keys. The new primary comes first: until it is there the old one serves.

    Others are forgotten ones; or above it, where each would encrypt, those of a ring that Juju never kept: its hook
    died, or its action failed.
    """
    numbers = sorted(ring.keys, reverse=True)
    folder = host.Directory(
        path=kind.repository, owner=USER, group=USER, mode=0o700, purge=_KEY_FILE
    )
    return host.Host(
        directories=(folder,),
        files=tuple(
            host.File(
                path=f'{kind.repository}/{number}',
                content=ring.keys[number],
                owner=USER,
                group=USER,
                mode=0o600,
            )
            for number in numbers
        ),
    )


def _key(random: str, purpose: str) -> str:
    """32 random bytes in URL-safe base64, as the fernet specification has it."""
    mac = hmac.new(random.encode(), f'keystone {purpose}'.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac.digest()).decode()
