"""What a server offers by TLS: each protocol, each cipher suite of TLS 1.2. Runs anywhere that Python does, by itself.

    python3 -I tls_offers.py ADDRESS PORT [mysql]

It prints a JSON object: ``protocols``, and ``suites`` (of TLS 1.2, as OpenSSL calls them). With ``mysql`` it asks the
server for TLS first, as clients of MariaDB do (MariaDB Server documentation, Connection: SSLRequest).
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import sys
import warnings

PROTOCOLS = {
    'TLSv1': ssl.TLSVersion.TLSv1,
    'TLSv1.1': ssl.TLSVersion.TLSv1_1,
    'TLSv1.2': ssl.TLSVersion.TLSv1_2,
    'TLSv1.3': ssl.TLSVersion.TLSv1_3,
}
_SSL, _PROTOCOL_41, _SECURE = 0x800, 0x200, 0x8000
_UTF8MB4 = 45


def offered(address: str, port: int, *, mysql: bool = False) -> dict[str, list[str]]:
    """By connecting again and again, each time without what was agreed upon before."""
    protocols = [p for p, v in PROTOCOLS.items() if _agreed(address, port, v, [], mysql=mysql)]
    suites: list[str] = []
    while suite := _agreed(address, port, ssl.TLSVersion.TLSv1_2, suites, mysql=mysql):
        suites.append(suite)
    return {'protocols': protocols, 'suites': suites}


def _agreed(
    address: str, port: int, version: ssl.TLSVersion, without: list[str], *, mysql: bool
) -> str:
    """The cipher suite; '' where there is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter(
            'ignore', DeprecationWarning
        )  # Old versions are what this looks for.
        try:
            context.set_ciphers(
                ':'.join(('ALL', 'COMPLEMENTOFALL', *(f'!{s}' for s in without), '@SECLEVEL=0'))
            )
            context.minimum_version = context.maximum_version = version
        except (ssl.SSLError, ValueError):
            return ''
    try:
        with socket.create_connection((address, port), timeout=10) as plain:
            if mysql:
                _ask_for_tls(plain)
            with context.wrap_socket(plain) as secure:
                found = secure.cipher()
                return found[0] if found else ''
    except ConnectionRefusedError:
        raise
    except OSError:
        return ''


def _ask_for_tls(plain: socket.socket) -> None:
    header = plain.recv(4, socket.MSG_WAITALL)
    plain.recv(int.from_bytes(header[:3], 'little'), socket.MSG_WAITALL)
    body = struct.pack('<IIB23x', _SSL | _PROTOCOL_41 | _SECURE, 1 << 24, _UTF8MB4)
    plain.sendall(len(body).to_bytes(3, 'little') + b'\1' + body)


if __name__ == '__main__':
    print(json.dumps(offered(sys.argv[1], int(sys.argv[2]), mysql='mysql' in sys.argv)))
