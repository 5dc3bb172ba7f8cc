"""What a user's secret may hold, as Juju's client checks it.

Source: core/secrets/createsecret.go of Juju 3.6, whose texts are kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .model import Refused

LARGEST = 1000 * 1000
"""Bytes of a secret's content, base64 encoded as Juju keeps it: three quarters of that as typed.

Since 3.6.9; before, 8 KiB a value and 64 KiB for all of them.
"""

_KEY = re.compile(r'[a-z](?:-?[a-z0-9]){2,}', re.ASCII)


def check(content: Mapping[str, str]) -> None:
    """Raises Refused (exit code 2) for a key or a size that Juju does not take."""
    total = 0
    for key, value in content.items():
        if not _KEY.fullmatch(key):
            raise Refused(f'key "{key}" not valid', code=2)
        size = encoded(len(value.encode('utf-8', 'surrogateescape')))
        if size > LARGEST:
            raise Refused(
                f'base64 encoded secret content for key "{key}" too large: {size} bytes', code=2
            )
        total += size
    if total > LARGEST:
        raise Refused(f'base64 encoded secret content too large: {total} bytes', code=2)


def encoded(size: int) -> int:
    """Length of *size* bytes in base64."""
    return -(-size // 3) * 4
