"""Certificates and keys in a text: PEM blocks (RFC 7468), whatever stands around them. Pure, in linear time.

What makes certificates writes more than the blocks: what they say in words, before each (``openssl x509 -text``,
easy-rsa), comments in a bundle, the parameters of a key. Whether a block is a certificate that can be read is for
:func:`charmkit.relations.certificates.readable`.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator

CERTIFICATE = ('CERTIFICATE',)
KEY = ('PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY')
"""Without a password."""
LONGEST = 100_000
"""Characters of a text that is looked at."""
_BEGIN, _END, _RULE = '-----BEGIN ', '-----END ', '-----'


def blocks(text: str, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """The blocks of *kinds* in *text*, in order, each in lines as it stands there, with a line end; none where none is.

    Raises:
        ValueError: one of them is cut off, or has something else in it, or *text* is longer than :data:`LONGEST`; in
            words that quote nothing of it.
    """
    if len(text) > LONGEST:
        raise ValueError(f'longer than {LONGEST} characters')
    return tuple(_blocks(text, kinds))


def _blocks(text: str, kinds: tuple[str, ...]) -> Iterator[str]:
    kind, body = '', list[str]()
    for line in map(str.strip, text.splitlines()):
        if line.startswith(_BEGIN):
            if kind:
                break
            name = line.removeprefix(_BEGIN).removesuffix(_RULE)
            kind, body = name if name in kinds else '', []
        elif kind and line == f'{_END}{kind}{_RULE}':
            if not _is_base64(''.join(body)):
                break
            yield '\n'.join((f'{_BEGIN}{kind}{_RULE}', *body, line, ''))
            kind = ''
        elif kind and line:
            body.append(line)
    if kind:
        raise ValueError(f'a block {kind} that is cut off, or has something else in it')


def _is_base64(text: str) -> bool:
    try:
        return bool(binascii.a2b_base64(text, strict_mode=True))
    except (binascii.Error, ValueError):
        return False
