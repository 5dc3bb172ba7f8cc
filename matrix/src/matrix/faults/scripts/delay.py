"""Holds packets back for a while: `python3 delay.py QUEUE MILLISECONDS`. What a kernel without netem can do.

Reads packets of a netfilter queue and lets each go when its time has come. Standard library only. The rules that fill
the queue let packets through where nobody reads it, so that the end of this program is the end of the fault.
Format of the messages: linux/netfilter/nfnetlink_queue.h.
"""

from __future__ import annotations

import collections
import select
import socket
import struct
import sys
import time

NETFILTER = 12
SUBSYSTEM, PACKET, VERDICT, CONFIG = 3, 0, 1, 2
ACCEPT = 1
LENGTH = 8192
"""Packets that may wait; the kernel lets more through at once."""


def message(kind: int, queue: int, *attributes: tuple[int, bytes], flags: int = 1) -> bytes:
    """A netlink message for a queue."""
    body = struct.pack('>BBH', 0, 0, queue)
    for number, value in attributes:
        length = 4 + len(value)
        body += struct.pack('=HH', length, number) + value + b'\0' * (-length % 4)
    return struct.pack('=IHHII', 16 + len(body), SUBSYSTEM << 8 | kind, flags, 0, 0) + body


def packets(data: bytes) -> list[int]:
    """The ids of the packets that a datagram brings."""
    found: list[int] = []
    while len(data) >= 16:
        length, kind = struct.unpack_from('=IH', data)
        if kind == SUBSYSTEM << 8 | PACKET:
            at = 20
            while at + 4 <= length:
                size, number = struct.unpack_from('=HH', data, at)
                if number & 0x7FFF == 1:  # NFQA_PACKET_HDR
                    found.append(struct.unpack_from('>I', data, at + 4)[0])
                at += max(4, size + 3 & ~3)
        data = data[max(16, length + 3 & ~3) :]
    return found


def main(queue: int, seconds: float) -> None:
    """Delay until killed."""
    one = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    one.bind((0, 0))
    bind, copy_meta = struct.pack('>BBH', 1, 0, 0), struct.pack('>IB', 64, 1)
    one.send(message(CONFIG, queue, (1, bind), flags=5))
    error = struct.unpack_from('=i', one.recv(65536), 16)[0]
    if error:
        raise OSError(-error, f'queue {queue} cannot be had')
    fail_open = struct.pack('>I', 1)
    one.send(
        message(
            CONFIG,
            queue,
            (2, copy_meta),
            (3, struct.pack('>I', LENGTH)),
            (4, fail_open),
            (5, fail_open),
        )
    )
    waiting: collections.deque[tuple[float, int]] = collections.deque()
    while True:
        left = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        if select.select([one], [], [], left)[0]:
            try:
                data = one.recv(1 << 17)
            except OSError:  # ENOBUFS: some were lost to us, and let through.
                data = b''
            due = time.monotonic() + seconds
            waiting.extend((due, number) for number in packets(data))
        while waiting and waiting[0][0] <= time.monotonic():
            verdict = struct.pack('>II', ACCEPT, waiting.popleft()[1])
            one.send(message(VERDICT, queue, (2, verdict)))


if __name__ == '__main__':
    main(int(sys.argv[1]), float(sys.argv[2]) / 1000)
