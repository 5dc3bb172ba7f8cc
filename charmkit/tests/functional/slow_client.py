"""A client that takes its time, run in the machine: `slow_client.py INPUTS.json`; prints what it saw as JSON."""

from __future__ import annotations

import json
import pathlib
import re
import socket
import sys
import time
from typing import Any

PIECE = 50_000


def connect(given: dict[str, Any]) -> socket.socket:
    return socket.create_connection((given['host'], given['port']), timeout=30)


def head(method: str, path: str, *fields: str) -> bytes:
    return '\r\n'.join((f'{method} {path} HTTP/1.1', 'Host: demo', *fields, '', '')).encode()


def answer(sock: socket.socket, timeout_s: float = 30) -> bytes:
    """All that comes until the other side closes, or nothing comes any more."""
    sock.settimeout(timeout_s)
    data = bytearray()
    try:
        while more := sock.recv(65536):
            data += more
    except OSError:
        pass
    return bytes(data)


def status(data: bytes) -> int:
    """0 for no answer."""
    found = re.match(rb'HTTP/1.1 (\d+)', data)
    return int(found[1]) if found else 0


def body(data: bytes) -> bytes:
    return data.partition(b'\r\n\r\n')[2]


def begin(given: dict[str, Any]) -> dict[str, Any]:
    """Send the head of an upload and nothing more: is it refused at once?"""
    with connect(given) as sock:
        sock.sendall(head('PUT', '/', f'Content-Length: {given["bytes"]}', 'Connection: close'))
        return {'status': status(answer(sock, 2))}


def upload(given: dict[str, Any]) -> dict[str, Any]:
    """Send a body, with a pause in it; how much of it the service says to have read."""
    length = 'Transfer-Encoding: chunked' if given.get('chunked') else None
    with connect(given) as sock:
        field = length or f'Content-Length: {given["bytes"]}'
        sock.sendall(head('PUT', '/', field, 'Connection: close'))
        try:
            for at in range(0, given['bytes'], PIECE):
                piece = b'x' * min(PIECE, given['bytes'] - at)
                sock.sendall(b'%x\r\n%s\r\n' % (len(piece), piece) if length else piece)
                if not at:
                    time.sleep(given.get('pause_s', 0))
            if length:
                sock.sendall(b'0\r\n\r\n')
            last = body(answer(sock)).split()[-1:]
            return {'body': int(last[0]) if last and last[0].isdigit() else 0}
        except OSError as e:
            return {'body': 0, 'error': str(e)}


def download(given: dict[str, Any]) -> dict[str, Any]:
    """Read a part of an answer, pause, and read the rest; how much of its padding came."""
    with connect(given) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.sendall(head('GET', f'/?size={given["bytes"]}', 'Connection: close'))
        data = sock.recv(10_000)
        time.sleep(given['pause_s'])
        return {'body': (data + answer(sock)).count(b'x')}


def fill(given: dict[str, Any]) -> dict[str, Any]:
    """Keep clients waiting for *path*, and ask for other things meanwhile; their statuses."""
    waiting = [connect(given) for _ in range(given['clients'])]
    for sock in waiting:
        sock.sendall(head('GET', given['path'], 'Connection: close'))
    time.sleep(1)
    seen: dict[str, int] = {}
    for path in given['ask']:
        with connect(given) as sock:
            sock.sendall(head('GET', path, 'Connection: close'))
            seen[path] = status(answer(sock, 4))
    return seen


def memcached(given: dict[str, Any]) -> dict[str, Any]:
    """What memcached says of its own settings."""
    with connect(given) as sock:
        sock.sendall(b'stats settings\r\nquit\r\n')
        lines = answer(sock).decode().splitlines()
    return {line.split()[1]: line.split()[2] for line in lines if len(line.split()) == 3}


def main() -> None:
    given = json.loads(pathlib.Path(sys.argv[1]).read_text())
    does = {f.__name__: f for f in (begin, upload, download, fill, memcached)}
    print(json.dumps(does[given.pop('does')](given)))


if __name__ == '__main__':
    main()
