"""What a machine's agent and the controller say to each other: one JSON object a line, on a Unix socket.

The agent speaks first (:func:`hello`), then carries out requests, several at a time, each known by a number that
the controller chose. Pure, standard library only, Python 3.9: the agent carries this file with it into the machine.

Controller to agent::

    {"type": "run", "id": 1, "argv": [...], "env": {...}, "cwd": "/", "stdin": base64, "timeout": seconds}
    {"type": "kill", "id": 1, "signal": 15}     to the process group of that run
    {"type": "ping", "id": 2}

Agent to controller::

    {"type": "hello", "machine": "0", "boots": 1, "pid": 42, "boot": "…", "version": 1}
    {"type": "started", "id": 1, "pid": 77}
    {"type": "output", "id": 1, "stream": "stdout", "data": base64}
    {"type": "exit", "id": 1, "code": 0, "signal": 0, "timed_out": false}
    {"type": "refused", "id": 1, "message": "…"}       the program could not be started
    {"type": "pong", "id": 2}
"""

from __future__ import annotations

import base64
import json
from typing import Any

VERSION = 1
LIMIT = 16 * 1024 * 1024
"""Longest line that either side takes, in bytes."""

Message = dict[str, Any]


class Malformed(ValueError):  # noqa: N818 -- named for what the line is
    """A line that is no message; the text says why."""


def encode(message: Message) -> bytes:
    """A message as one line, its end included."""
    return json.dumps(message, separators=(',', ':')).encode() + b'\n'


def decode(line: bytes) -> Message:
    """The message on a line.

    Raises:
        Malformed: it is not a JSON object with a ``type``.
    """
    try:
        message: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Malformed(f'not JSON: {error}') from None
    if not isinstance(message, dict):
        raise Malformed('not an object')
    found: Message = message  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(found.get('type'), str):
        raise Malformed('without a type')
    return found


def data(raw: bytes) -> str:
    """Bytes as a message carries them."""
    return base64.b64encode(raw).decode('ascii')


def raw(text: str) -> bytes:
    """The bytes that :func:`data` packed.

    Raises:
        Malformed: they are not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Malformed('not base64') from None


def hello(machine: str, boots: int, pid: int, boot: str) -> Message:
    """The agent's first words. *boots* counts the starts of the machine's system; *boot* names this one."""
    return {
        'type': 'hello',
        'machine': machine,
        'boots': boots,
        'pid': pid,
        'boot': boot,
        'version': VERSION,
    }


def run(
    number: int,
    argv: list[str],
    env: dict[str, str],
    cwd: str,
    stdin: bytes = b'',
    timeout: float = 0.0,
) -> Message:
    """Run a program; *timeout* in seconds, 0 for none."""
    return {
        'type': 'run',
        'id': number,
        'argv': argv,
        'env': env,
        'cwd': cwd,
        'stdin': data(stdin),
        'timeout': timeout,
    }


def kill(number: int, signal: int) -> Message:
    """Send a signal to the process group of a run."""
    return {'type': 'kill', 'id': number, 'signal': signal}


def ping(number: int) -> Message:
    """Ask whether the agent is there."""
    return {'type': 'ping', 'id': number}


def pong(number: int) -> Message:
    """It is."""
    return {'type': 'pong', 'id': number}


def started(number: int, pid: int) -> Message:
    """The program runs."""
    return {'type': 'started', 'id': number, 'pid': pid}


def output(number: int, stream: str, chunk: bytes) -> Message:
    """It wrote something; *stream* is ``stdout`` or ``stderr``."""
    return {'type': 'output', 'id': number, 'stream': stream, 'data': data(chunk)}


def ended(number: int, code: int, signal: int, *, timed_out: bool) -> Message:
    """It ended: by *code*, or by *signal* (then not 0)."""
    return {'type': 'exit', 'id': number, 'code': code, 'signal': signal, 'timed_out': timed_out}


def refused(number: int, message: str) -> Message:
    """It could not be started."""
    return {'type': 'refused', 'id': number, 'message': message}
