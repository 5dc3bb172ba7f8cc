"""What a machine may do to the controller over the socket of its agent: little."""

from __future__ import annotations

import asyncio
import pathlib

import pytest

from jujulet.machines import link, messages

HELLO = messages.encode(messages.hello('0', 1, 1, 'b'))
NONSENSE = {
    'no JSON': b'\xff\n',
    'too deep': b'[' * 100_000 + b'\n',
    'no object': b'[]\n',
    'no number': b'{"type": "pong", "id": null}\n',
    'an endless number': b'{"type": "pong", "id": Infinity}\n',
    'no type': b'{"id": 1}\n',
}


@pytest.mark.parametrize('what', NONSENSE)
@pytest.mark.parametrize('greeted', [False, True])
def test_a_machine_that_talks_nonsense_is_hung_up_on(
    what: str, greeted: bool, tmp_path: pathlib.Path
):
    async def run() -> list[object]:
        unforeseen: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, said: unforeseen.append(said))
        met: list[link.AgentLink] = []

        async def connected(found: link.AgentLink) -> None:
            met.append(found)

        server = await link.listen(tmp_path / 's', connected)
        reader, writer = await asyncio.open_unix_connection(tmp_path / 's')
        writer.write((HELLO if greeted else b'') + NONSENSE[what])
        assert await asyncio.wait_for(reader.read(), 5) == b''
        writer.close()
        assert [m.closed.is_set() for m in met] == ([True] if greeted else [])
        server.close()
        return unforeseen

    assert asyncio.run(run()) == []


def test_a_machine_has_only_so_many_connections(tmp_path: pathlib.Path):
    async def run() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(1))
            writer.close()

        server = await asyncio.start_unix_server(link.at_most(2, serve), tmp_path / 's')
        lines = [await asyncio.open_unix_connection(tmp_path / 's') for _ in range(3)]
        assert await asyncio.wait_for(lines[2][0].read(), 5) == b''
        for reader, writer in lines[:2]:
            writer.write(b'x')
            assert await asyncio.wait_for(reader.read(), 5) == b'x'
        reader, writer = await asyncio.open_unix_connection(tmp_path / 's')
        writer.write(b'y')  # There is room again.
        assert await asyncio.wait_for(reader.read(), 5) == b'y'
        for _, each in (*lines, (reader, writer)):
            each.close()
        server.close()

    asyncio.run(run())
