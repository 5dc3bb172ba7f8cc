"""A service behind the load balancer: answers at once or slowly, and dies abruptly when told to.

usage: serve.py ADDRESS PORT NAME
Paths: /healthcheck, /slow/MILLISECONDS, /headers (what arrived, as JSON), anything else.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys


class Server(asyncio.Protocol):
    name = ''

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b''

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            head, end, rest = self.buffer.partition(b'\r\n\r\n')
            if not end:
                return
            length = 0
            for line in head.split(b'\r\n')[1:]:
                if line.lower().startswith(b'content-length:'):
                    length = int(line[15:])
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            path = head.split(b' ', 2)[1].decode()
            if path.startswith('/slow/'):
                delay = int(path.rpartition('/')[2]) / 1000
                asyncio.get_running_loop().call_later(delay, self.answer, head)
            else:
                self.answer(head)

    def answer(self, head: bytes) -> None:
        body = self.name.encode()
        if b' /headers' in head.split(b'\r\n')[0]:
            lines = [line.decode('latin-1').split(': ', 1) for line in head.split(b'\r\n')[1:]]
            body = json.dumps(lines).encode()
        self.transport.write(
            b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s'
            % (len(body), body)
        )


async def main(address: str, port: int, name: str) -> None:
    Server.name = name
    loop = asyncio.get_running_loop()
    # As a process that is killed: what is under way is lost.
    loop.add_signal_handler(signal.SIGTERM, os._exit, 0)
    server = await loop.create_server(Server, address, port, backlog=1024)
    await server.serve_forever()


if __name__ == '__main__':
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
