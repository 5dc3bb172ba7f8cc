"""What a server that offers TLS says to its clients over a relation, and what they say back; for any interface.

``ssl_ca`` is whom clients are to trust, PEM in base64, as the charms of Charmed OpenStack have it; clients verify the
server by it, with the address that they were given. Only here: ``tls-ca`` is what a unit says once all of its processes
come that way, a digest of that text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from . import Databag, certificates

CA = 'ssl_ca'
IN_FORCE = 'tls-ca'
UNREADABLE = f'{CA} is no certificate in PEM, in base64'
_LONGEST_CA = 256 * 1024
_MARK = re.compile('[0-9a-f]{16}')


def encoded(ca: str) -> str:
    """*ca*, PEM, as a value of :data:`CA`."""
    return base64.b64encode(ca.encode()).decode()


def authorities(bag: Databag) -> str:
    """Whom to trust, as text of PEM; '' where that cannot be read, or there is none."""
    try:
        text = base64.b64decode(bag.get(CA, '')[:_LONGEST_CA], validate=True).decode()
    except (binascii.Error, ValueError):
        return ''
    found = certificates.authorities(text)
    return ''.join(f'{pem}\n' for pem in found)


def mark(ca: str) -> str:
    """What a client says that verifies its server by *ca*."""
    return hashlib.sha256(ca.encode()).hexdigest()[:16]


def read_mark(bag: Databag) -> str:
    """What a client has said of that; '' for nothing, or nonsense: it may come without TLS."""
    said = bag.get(IN_FORCE, '')
    return said if _MARK.fullmatch(said) else ''
