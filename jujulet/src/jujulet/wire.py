"""What a hook tool's client and the controller say to each other on a unit's socket.

A message is its length (4 bytes, big-endian), then fields, each its length (4 bytes) and its bytes: binary safe, and
within reach of any language without a library. The client speaks first; a connection serves one call.

    client      ``call``, context id, tool's name, arguments…
    controller  ``need``, ``1`` if stdin is wanted else ``0``, paths of files… (only when the call names some)
    client      ``give``, stdin, contents of the files in that order
    controller  ``done``, exit code, stdout, stderr, name of the file that stdout goes to (empty: to stdout)

A file that the client cannot read ends the call there, with an error of its own. The functions below are pure.
"""

from __future__ import annotations

import asyncio
import dataclasses

from .core import context as context_
from .core import hooktools

LIMIT = 16 * 1024 * 1024
"""Longest message in bytes; also the size of databags and secrets that a charm can send at once."""

HEADER = 4


class Malformed(ValueError):  # noqa: N818 -- named for what the bytes are
    """Bytes that are no message of this protocol; the text says why."""


@dataclasses.dataclass(frozen=True)
class Incoming:
    """A call that has come in whole."""

    context_id: str
    """Empty when the client runs outside of a hook (``juju-exec``)."""
    call: context_.Call

    @property
    def size(self) -> int:
        """Bytes that the client has handed over: words, input, files."""
        files = sum(map(len, self.call.files.values()))
        return sum(map(len, self.call.argv)) + len(self.call.stdin or b'') + files


def length(header: bytes) -> int:
    """Bytes that follow a header of :data:`HEADER` bytes. Raises Malformed when they are too many."""
    if len(header) != HEADER:
        raise Malformed('truncated header')
    size = int.from_bytes(header, 'big')
    if size > LIMIT:
        raise Malformed(f'message of {size} bytes; at most {LIMIT} are taken')
    return size


def encode(*fields: bytes) -> bytes:
    """A whole message, its header included."""
    body = b''.join(len(field).to_bytes(4, 'big') + field for field in fields)
    return len(body).to_bytes(HEADER, 'big') + body


def decode(body: bytes) -> list[bytes]:
    """The fields of a message without its header. Raises Malformed."""
    fields: list[bytes] = []
    position = 0
    while position < len(body):
        end = position + 4
        size = int.from_bytes(body[position:end], 'big')
        if end > len(body) or end + size > len(body):
            raise Malformed('truncated field')
        fields.append(body[end : end + size])
        position = end + size
    return fields


def read_call(body: bytes) -> Incoming:
    """A ``call`` without stdin and files yet. Raises Malformed."""
    fields = decode(body)
    if len(fields) < 3 or fields[0] != b'call':
        raise Malformed('not a call')
    words = [field.decode('utf-8', 'surrogateescape') for field in fields[1:]]
    return Incoming(words[0], context_.Call(tuple(words[1:])))


def need(incoming: Incoming) -> bytes | None:
    """The ``need`` that asks for a call's stdin and files; None if it names none."""
    stdin, files = hooktools.wants(incoming.call.argv)
    if not stdin and not files:
        return None
    return encode(b'need', b'1' if stdin else b'0', *(_bytes(path) for path in files))


def give(incoming: Incoming, body: bytes) -> Incoming:
    """The call with what the client gave. Raises Malformed."""
    stdin, files = hooktools.wants(incoming.call.argv)
    fields = decode(body)
    if not fields or fields[0] != b'give' or len(fields) != 2 + len(files):
        raise Malformed('not what was asked for')
    call = dataclasses.replace(
        incoming.call,
        stdin=fields[1] if stdin else None,
        files=dict(zip(files, fields[2:], strict=True)),
    )
    return dataclasses.replace(incoming, call=call)


def encode_result(result: context_.Result) -> bytes:
    """A ``done`` for the client."""
    code = str(result.code).encode()
    return encode(b'done', code, result.stdout, result.stderr, _bytes(result.output))


def encode_error(message: str, code: int = 1) -> bytes:
    """A ``done`` that says nothing but ``ERROR`` and *message*."""
    return encode(b'done', str(code).encode(), b'', _bytes(f'ERROR {message}\n'), b'')


async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Incoming | None:
    """One call with all that belongs to it; None when the client is gone before it is whole.

    Raises:
        Malformed: the peer speaks something else; close the connection.
    """
    try:
        incoming = read_call(await _message(reader))
        wanted = need(incoming)
        if wanted is not None:
            writer.write(wanted)
            await writer.drain()
            incoming = give(incoming, await _message(reader))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return incoming


async def _message(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(length(await reader.readexactly(HEADER)))


def _bytes(text: str) -> bytes:
    return text.encode('utf-8', 'surrogateescape')
