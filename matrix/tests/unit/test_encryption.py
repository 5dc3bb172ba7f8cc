"""A password goes to no server in the clear: what the driver itself would send is refused before."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import pathlib
import struct
import subprocess

import pytest

from matrix.load import accounts, database, load, places, statements

PASSWORD = 'correct-horse'
TRANSACTION = [statements.Statement('SELECT 1')]


def _packet(number: int, payload: bytes) -> bytes:
    return struct.pack('<I', len(payload))[:3] + bytes([number]) + payload


def _greeting(plugin: bytes) -> bytes:
    """The first packet of a server that offers no TLS (MySQL 8.4, Protocol::HandshakeV10)."""
    flags = 0xFFFFFFFF & ~(1 << 11) & ~(1 << 5)
    low, high = struct.pack('<H', flags & 0xFFFF), struct.pack('<H', flags >> 16)
    salt = b'12345678'
    payload = b'\x0a' + b'8.4.0\0' + struct.pack('<I', 7) + salt + b'\0' + low + b'\x2d'
    return _packet(
        0, payload + b'\2\0' + high + b'\x15' + bytes(10) + b'abcdefghijkl\0' + plugin + b'\0'
    )


def _told(plugin: bytes, switch: bytes, authority: str = '') -> tuple[bytes, str, str]:
    """What such a server is told, and how a transaction and a statement end."""
    heard = bytearray()
    serving: list[asyncio.Task[None]] = []

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            serving.append(task)
        writer.write(_greeting(plugin))
        heard.extend(first := await reader.read(4096))
        if first:
            writer.write(_packet(2, b'\xfe' + switch + b'\0' + b'12345678abcdefghijkl\0'))
            heard.extend(await reader.read(4096))
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def go() -> tuple[str, str]:
        server = await asyncio.start_server(client, '127.0.0.1', 0)
        at = places.Address('127.0.0.1', server.sockets[0].getsockname()[1])
        said = database.Database('test', accounts.Login('clerk', PASSWORD, authority))
        async with server, asyncio.timeout(10):
            with pytest.raises(load.Refused) as refused:
                await said.transact(at, TRANSACTION, within=10)
            with pytest.raises(database.ServerError) as told:
                await said.execute(at, TRANSACTION[0])
            await asyncio.gather(*serving)
        return str(refused.value), str(told.value)

    return (bytes(heard), *asyncio.run(go()))


@pytest.mark.parametrize(
    ('plugin', 'switch'),
    [
        (b'mysql_native_password', b'mysql_clear_password'),
        (b'mysql_clear_password', b'mysql_native_password'),
    ],
)
def test_a_server_without_tls_that_asks_for_the_password_itself_gets_none(
    plugin: bytes, switch: bytes
) -> None:
    heard, refused, told = _told(plugin, switch)
    assert PASSWORD.encode() not in heard
    assert refused == 'no tls'
    assert told.endswith(': it asks for the password itself, and has no TLS')


def test_with_an_authority_a_server_without_tls_is_told_nothing(tmp_path: pathlib.Path) -> None:
    authority = tmp_path / 'ca.pem'
    argv = 'openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=ca -days 2 -keyout /dev/null -out'
    subprocess.run((*argv.split(), str(authority)), check=True, capture_output=True, timeout=60)
    heard, refused, told = _told(b'mysql_native_password', b'mysql_clear_password', str(authority))
    assert heard == b''
    assert refused == 'no tls'
    assert told.endswith(': it has no TLS, which ssl-ca asks for')


def test_a_driver_that_logs_in_otherwise_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = importlib.import_module(database.DRIVER)
    monkeypatch.delattr(driver.Connection, '_process_auth')
    with pytest.raises(database.ServerError, match='has no _process_auth'):
        database.Database('test', accounts.Login('clerk', PASSWORD))
