"""The identifiers by which an operation of the load is found among a bundle's own traces. Pure.

They follow from the load's own word and the operation's id, so that a journal is enough to know them again.
"""

from __future__ import annotations

import hashlib


def trace(word: str, operation: str) -> str:
    """The trace of an operation: 32 hexadecimal digits, of which a load's `word` (16 of them) is the first half."""
    return word + _digits(operation)[:16]


def span(operation: str) -> str:
    """Its span: 16 hexadecimal digits, never all zero."""
    return _digits(operation)[16:31] + '1'


def parent(word: str, operation: str) -> str:
    """The header `traceparent` that a request of the operation carries (W3C Trace Context, version 00; sampled)."""
    return f'00-{trace(word, operation)}-{span(operation)}-01'


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
