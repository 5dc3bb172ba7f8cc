"""Passwords that are kept without a list: each is derived from one secret seed.

A hook that dies after it set a password, and before Juju kept what the hook said, finds the same
password at its next run. The seed is made once, by the leader, and lives in a Juju secret. Source
of the derivation: HMAC (RFC 2104) with SHA-256 as a pseudo-random function.
"""

from __future__ import annotations

import base64
import hashlib
import hmac


def derive(seed: str, *purpose: str) -> str:
    """The password for *purpose*: 32 characters of a-z and 2-7, which is 160 bits.

    *purpose* names one account, such as ``('service-user', 'glance')``; parts are told apart, so
    ``('a', 'bc')`` and ``('ab', 'c')`` differ. Raises ValueError when *seed* is shorter than 32
    characters.
    """
    if len(seed) < 32:
        raise ValueError('the seed of passwords is too short')
    message = b''.join(len(part.encode()).to_bytes(4, 'big') + part.encode() for part in purpose)
    digest = hmac.new(seed.encode(), message, hashlib.sha256).digest()
    return base64.b32encode(digest[:20]).decode().lower()


def fingerprint(password: str) -> str:
    """Eight hex digits that tell one derived password from another, and say nothing else of it."""
    return hashlib.sha256(b'fingerprint:' + password.encode()).hexdigest()[:8]
