"""A certificate and its private key that somebody gives, made fit for any server to read, or refused. Pure.

What a server does not take keeps it from starting, and whatever else is in the same configuration from coming into
force; what its clients do not take keeps them from coming. So both are refused here, with the reason, at the usual
settings of those programs: OpenSSL's security level 2, RFC 5280, RFC 9325.

The library that reads certificates is loaded when there is something to look at.
"""

from __future__ import annotations

import dataclasses
import re
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import x509

_MOST = 64 * 1024
"""Characters."""
_LEAST_HASH_BYTES = 28
_KEY = re.compile(
    r'-----BEGIN ((?:EC |RSA |ENCRYPTED )?PRIVATE KEY)-----([A-Za-z0-9+/=\s]{1,65536}?)-----END \1-----'
)


@dataclasses.dataclass(frozen=True)
class Pair:
    """What a server shows, and its private key."""

    chain: tuple[x509.Certificate, ...]
    """The certificate, then who issued it, and so on; roots left out."""
    key: str = dataclasses.field(repr=False)
    """PEM."""

    @property
    def shown(self) -> str:
        """The chain as one text, PEM."""
        return ''.join(f'{c.pem}\n' for c in self.chain)


def private_key(text: str) -> str:
    """The one private key in *text*, in lines as OpenSSL writes them; '' where there is not one."""
    found = _KEY.findall(text[:_MOST])
    if len(found) != 1:
        return ''
    kind, body = found[0]
    lines = textwrap.fill(''.join(body.split()), 64)
    return f'-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n'


def read(text: str, key: str) -> Pair:
    """What of *text* a server shows whose private key is *key*; both PEM, as somebody wrote them.

    The certificate that goes with the key is found wherever it stands.

    Raises:
        ValueError: when there is no such certificate, or it is not fit for a server; one sentence, safe to show.
    """
    from . import x509  # 60 ms, and seldom needed.

    every = x509.certificates(text)
    if not every:
        raise x509.InvalidError('it holds no certificate in PEM')
    own = private_key(key)
    if not own:
        many = len(_KEY.findall(key[:_MOST]))
        raise x509.InvalidError(
            f'there are {many} private keys, one is wanted'
            if many
            else 'the private key is not PEM, or has a password'
        )
    public: Any = x509.private_key(own).public_key()
    try:
        x509.good(public)
    except x509.InvalidError as e:
        raise x509.InvalidError(f'the private key: {e}') from None
    first = next((c for c in every if x509.belong_together(c.pem, own)), None)
    if first is None:
        raise x509.InvalidError('the certificate does not go with its private key')
    chain = x509.chain('\n'.join((first.pem, *(c.pem for c in every))))
    for one in chain:
        _fit(one, 'the certificate' if one is chain[0] else 'the certificate of its issuer')
    _for_servers(first)
    return Pair(chain, own)


def _fit(found: x509.Certificate, which: str) -> None:
    from . import x509

    try:
        details = x509.details(found.pem)
        x509.good(details.key)
    except x509.InvalidError as e:
        raise x509.InvalidError(f'{which}: {e}') from None
    if details.hashed and details.hash_bytes < _LEAST_HASH_BYTES:
        raise x509.InvalidError(f'{which} is signed with {details.hashed}, which nobody trusts')


def _for_servers(found: x509.Certificate) -> None:
    from . import x509

    details = x509.details(found.pem)
    if not details.signs:
        raise x509.InvalidError('the certificate is not for signatures, which TLS makes')
    if not details.serves:
        raise x509.InvalidError('the certificate is not for servers (serverAuth)')
    if details.unknown:
        raise x509.InvalidError(
            f'the certificate has a critical extension that clients do not know ({details.unknown})'
        )
