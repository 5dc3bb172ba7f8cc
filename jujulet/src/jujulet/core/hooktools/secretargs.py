"""Arguments about secrets, read: identifiers, content, expiry, rotation. Source: secret-*.go in Juju's runner/jujuc."""

from __future__ import annotations

import base64
import binascii
import datetime
import re

from .. import gnuflag
from . import settings
from .tool import BAD_ARGUMENTS, Ask, Failure

LARGEST = 1024 * 1024
"""Bytes of content that one revision may hold."""

ROTATIONS = ('never', 'hourly', 'daily', 'weekly', 'monthly', 'quarterly', 'yearly')

_URI = re.compile(r'(?:secret:)?(?://[0-9a-f-]{36}/)?([0-9a-v]{20})', re.ASCII)
_KEY = re.compile(r'[a-z](?:-?[a-z0-9]){2,}', re.ASCII)


def identifier(text: str) -> str:
    """The 20 characters of ``secret:ID``, ``secret://MODEL/ID`` or ``ID``. Raises Failure."""
    match = _URI.fullmatch(text)
    if match is None:
        raise Failure(f'secret URI {gnuflag.quote(text)} not valid', BAD_ARGUMENTS)
    return match[1]


def content(ask: Ask, words: tuple[str, ...]) -> dict[str, str]:
    """Content from ``key=value``, ``key#base64=…``, ``key#file=path`` and ``--file``. Raises Failure.

    Bytes that are no UTF-8 are kept as lone surrogates; see :func:`raw`.
    """
    out: dict[str, str] = {}
    for word in words:
        key, value = _pair(word)
        name, _, kind = key.partition('#')
        if kind == 'file':
            value = ask.contents(value).decode('utf-8', 'surrogateescape')
        elif kind == 'base64':
            value = _plain(name, value)
        elif kind:
            raise Failure(f'key {gnuflag.quote(key)} not valid', BAD_ARGUMENTS)
        out[_key(name)] = value
    if path := ask.args['file']:
        for key, value in settings.read(ask.contents(path)).items():
            name, _, kind = key.partition('#')
            out[_key(name)] = _plain(name, value) if kind == 'base64' else value
    size = sum(len(raw(value)) for value in out.values())
    if size > LARGEST:
        raise Failure(f'secret content too large: {size} bytes', BAD_ARGUMENTS)
    return out


def files(args: gnuflag.Parsed) -> tuple[str, ...]:
    """Files that a call names in ``key#file=path`` and ``--file``."""
    named = (args['file'],) if args['file'] else ()
    for word in args.positionals:
        key, equals, path = word.partition('=')
        if equals and key.endswith('#file') and path:
            named = (*named, path)
    return tuple(dict.fromkeys(named))


def raw(value: str) -> bytes:
    """The bytes of a value of some content."""
    return value.encode('utf-8', 'surrogateescape')


def expiry(text: str, now: float) -> float | None:
    """When a secret expires, of RFC 3339, a time without zone (UTC) or a duration from *now*. Raises Failure."""
    if not text:
        return None
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is not None and 'T' in text:
        if found.tzinfo is None:
            found = found.replace(tzinfo=datetime.UTC)
        return found.timestamp()
    try:
        seconds = gnuflag.duration(text)
    except ValueError:
        raise Failure(
            f'expire time or duration {gnuflag.quote(text)} not valid', BAD_ARGUMENTS
        ) from None
    if seconds <= 0:
        raise Failure(f'negative expire duration {gnuflag.quote(text)} not valid', BAD_ARGUMENTS)
    return now + seconds


def rotation(text: str) -> str | None:
    """A rotation policy; None if the call names none. Raises Failure."""
    if not text:
        return None
    if text not in ROTATIONS:
        raise Failure(f'rotate policy {gnuflag.quote(text)} not valid', BAD_ARGUMENTS)
    return text


def _pair(word: str) -> tuple[str, str]:
    key, equals, value = word.partition('=')
    if not equals or not key:
        raise Failure(f'key value {gnuflag.quote(word)} not valid', BAD_ARGUMENTS)
    return key, value


def _key(name: str) -> str:
    if not _KEY.fullmatch(name):
        raise Failure(f'key {gnuflag.quote(name)} not valid', BAD_ARGUMENTS)
    return name


def _plain(name: str, value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode('utf-8', 'surrogateescape')
    except (binascii.Error, ValueError):
        raise Failure(
            f'base64 value of key {gnuflag.quote(name)} not valid', BAD_ARGUMENTS
        ) from None
