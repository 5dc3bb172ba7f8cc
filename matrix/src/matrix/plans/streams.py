"""Randomness that belongs to one event for one purpose, so that nothing else changes it. Pure."""

from __future__ import annotations

import hashlib
import json
import random


def stream(seed: int, *purpose: str) -> random.Random:
    """A generator of its own for each seed and purpose, the same on every machine and day.

    Taking one event out of a plan therefore leaves every other as it was.
    """
    name = json.dumps([seed, *purpose]).encode()
    digest = hashlib.blake2b(name, digest_size=16).digest()
    return random.Random(int.from_bytes(digest, 'big'))  # noqa: S311  # replayed, not kept secret
