"""What a hook tool's client and the controller say to each other."""

from __future__ import annotations

import asyncio
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jujulet import wire
from jujulet.core import context as context_
from jujulet.core import model


@given(st.lists(st.binary(max_size=50), max_size=6))
def test_fields_come_out_as_they_went_in(fields: list[bytes]) -> None:
    message = wire.encode(*fields)
    assert wire.length(message[: wire.HEADER]) == len(message) - wire.HEADER
    assert wire.decode(message[wire.HEADER :]) == fields


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for read in (wire.decode, wire.read_call):
        try:
            read(body)
        except wire.Malformed as error:
            assert str(error)


def test_a_message_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(wire.Malformed, match='at most'):
        wire.length((wire.LIMIT + 1).to_bytes(4, 'big'))


def incoming(*argv: bytes) -> wire.Incoming:
    return wire.read_call(wire.encode(b'call', b'ctx', *argv)[wire.HEADER :])


def test_only_what_a_call_names_is_asked_for() -> None:
    assert wire.need(incoming(b'is-leader')) is None
    assert wire.need(incoming(b'relation-set', b'--file', b'-')) == wire.encode(b'need', b'1')
    assert wire.need(
        incoming(b'secret-add', b'--file=y', b'k#file=/tmp/\xff', b'plain=v')
    ) == wire.encode(b'need', b'0', b'y', b'/tmp/\xff')
    assert wire.need(incoming(b'relation-set', b'--file')) is None  # Refused anyway.
    assert wire.need(incoming(b'no-such-tool', b'--file', b'x')) is None


def test_what_was_asked_for_becomes_part_of_the_call() -> None:
    call = incoming(b'state-set', b'--file', b'f')
    given_ = wire.give(call, wire.encode(b'give', b'', b'k: v')[wire.HEADER :])
    assert given_.context_id == 'ctx'
    assert given_.call.files == {'f': b'k: v'}
    assert given_.call.stdin is None
    for body in (b'', wire.encode(b'give')[4:], wire.encode(b'give', b'', b'a', b'b')[4:]):
        with pytest.raises(wire.Malformed):
            wire.give(call, body)


def test_an_answer_says_where_it_goes() -> None:
    context = context_.Context('ctx', 'a/0', model.Hook('start'), 0.0, {})
    result = context_.Result(
        model.Model('u', 'm'), context, stdout=b'\xff', stderr=b'e', code=2, output='o'
    )
    assert wire.decode(wire.encode_result(result)[4:]) == [b'done', b'2', b'\xff', b'e', b'o']
    assert wire.decode(wire.encode_error('no')[4:]) == [b'done', b'1', b'', b'ERROR no\n', b'']


def test_a_client_that_leaves_in_the_middle_is_no_error() -> None:
    whole = wire.encode(b'call', b'ctx', b'relation-set', b'--file', b'-')

    async def receive(raw: bytes) -> wire.Incoming | None:
        path = f'\0jujulet-test-wire-{os.getpid()}-{len(raw)}'
        found: asyncio.Future[wire.Incoming | None] = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            found.set_result(await wire.receive(reader, writer))
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_unix_server(serve, path):
            _, writer = await asyncio.open_unix_connection(path)
            writer.write(raw)
            writer.close()
            await writer.wait_closed()
            return await found

    for cut in (0, 2, 9, len(whole)):
        assert asyncio.run(receive(whole[:cut])) is None


def test_an_error_about_bytes_that_are_no_text_reaches_the_client() -> None:
    incoming = wire.read_call(wire.encode(b'call', b'\xff', b'is-leader')[wire.HEADER :])
    said = wire.encode_error(f'unknown context id "{incoming.context_id}"')
    assert wire.decode(said[wire.HEADER :])[3] == b'ERROR unknown context id "\xff"\n'


def test_a_call_is_as_large_as_what_its_client_handed_over() -> None:
    call = context_.Call(('ab', 'c'), b'1234', {'f': b'56789'})
    assert wire.Incoming('x', call).size == 3 + 4 + 5
