"""Keeps secrets out of what is written down. Pure."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping, Sequence

from matrix.grammar import located

HIDDEN = '[secret]'

_SECRET_KEY = re.compile(
    r'pass(word|wd|phrase)|secret|token|credential|authorization|cookie|private.?key|api.?key',
    re.I,
)
_SECRET_TEXT = (
    # What a request's or a command's text shows: an option, a header, a fernet token, a PEM key.
    re.compile(
        r'(?P<kept>(?:password|passwd|passphrase|secret|token|api[_-]?key)["\']?\s*[=:]\s*["\']?)[^\s"\',;&]+',
        re.I,
    ),
    re.compile(r'(?P<kept>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}', re.I),
    re.compile(r'(?P<kept>://[^\s/:@]*:)[^\s/@]+(?=@)'),
    re.compile(r'(?P<kept>)\bgAAAA[A-Za-z0-9_=-]{16,}'),
    re.compile(
        r'(?P<kept>)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)',
        re.S,
    ),
)
# Most texts hold none of it: one look instead of many.
_ANY = re.compile(
    r'(?:password|passwd|passphrase|secret|token|api[_-]?key)["\']?\s*[=:]|(?:bearer|basic)\s|://[^\s/:@]*:[^\s/@]+@'
    r'|gAAAA|-----BEGIN',
    re.I,
)
SHORTEST = 4  # A shorter secret would hide half of all words.


@dataclasses.dataclass(frozen=True)
class Secrets:
    """The secrets that are known by value; never shown."""

    values: tuple[str, ...] = dataclasses.field(default=(), repr=False)


def secrets(values: Iterable[str]) -> Secrets:
    """Secrets to keep out, the longest first so that none hides a part of another.

    Raises:
        ValueError: one is shorter than four characters.
    """
    found = sorted({*values}, key=lambda one: (-len(one), one))
    if any(len(one) < SHORTEST for one in found):
        raise ValueError(
            f'a secret of fewer than {SHORTEST} characters cannot be kept out of text'
        )
    return Secrets(tuple(found))


def text(value: str, known: Secrets) -> str:
    """A text without what is known or looks like a secret."""
    for secret in known.values:
        value = value.replace(secret, HIDDEN)
    if _ANY.search(value) is None:
        return value
    for pattern in _SECRET_TEXT:
        value = pattern.sub(rf'\g<kept>{HIDDEN}', value)
    return value


@functools.lru_cache(maxsize=4096)
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def plain(value: located.Plain, known: Secrets) -> located.Plain:
    """A value without secrets at any depth; what stands under a key such as `password` is hidden whole."""
    if isinstance(value, str):
        return text(value, known)
    if isinstance(value, Mapping):
        return {
            text(key, known): HIDDEN
            if _is_secret(key) and inner is not None
            else plain(inner, known)
            for key, inner in value.items()
        }
    if isinstance(value, Sequence):
        return [plain(inner, known) for inner in value]
    if isinstance(value, int | float) and str(value) in known.values:
        return HIDDEN
    return value
