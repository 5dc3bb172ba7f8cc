"""The client that runs in machines: one file under the name of every tool."""

from __future__ import annotations

import os
import pathlib
import re
import socket
import subprocess
import threading
from collections.abc import Generator, Mapping

import pytest
import toolworld

from jujulet import tools, wire

CLIENT = pathlib.Path(tools.__file__).parent / 'hooktool'


def run(
    *argv: str, cwd: pathlib.Path, stdin: bytes = b'', env: Mapping[str, str] | None = None
) -> tuple[int, bytes, bytes]:
    found = subprocess.run(
        argv, cwd=cwd, input=stdin, capture_output=True, env=env or os.environ, timeout=20
    )
    return found.returncode, found.stdout, found.stderr


def test_files_are_read_where_the_client_runs(
    served: toolworld.World, tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'settings.yaml').write_text('a: from file\n')
    assert run('relation-set', '-r', '1', '--file', 'settings.yaml', cwd=tmp_path) == (0, b'', b'')
    (tmp_path / 'key').write_bytes(b'\x00\xff\n')
    code, out, err = run('secret-add', 'key#file=key', '--label', 'l', cwd=tmp_path)
    assert (code, err) == (0, b'')
    assert re.fullmatch(rb'secret:[0-9a-v]{20}\n', out)
    assert run('secret-get', '--label', 'l', cwd=tmp_path)[1] == 'key: "\\0�\\n"\n'.encode()
    assert served.context.writes.unit_settings == {1: {'a': 'from file'}}


def test_a_file_that_is_not_there_is_the_clients_error(
    served: toolworld.World, tmp_path: pathlib.Path
) -> None:
    said = run('relation-set', '-r', '1', '--file', 'nope', cwd=tmp_path)
    assert said == (1, b'', b'ERROR open nope: no such file or directory\n')
    assert run('is-leader', cwd=tmp_path) == (0, b'True\n', b'')


def test_output_goes_to_a_file(served: toolworld.World, tmp_path: pathlib.Path) -> None:
    said = run('config-get', 'title', '--format=json', '-o', 'out.json', cwd=tmp_path)
    assert said == (0, b'', b'')
    assert (tmp_path / 'out.json').read_text() == '"hello"\n'
    code, _, err = run('config-get', '-o', 'no/such/folder', cwd=tmp_path)
    assert code == 1
    assert err.startswith(b'ERROR open no/such/folder: ')


def test_stdin_is_read_only_when_asked_for(
    served: toolworld.World, tmp_path: pathlib.Path
) -> None:
    read, write = os.pipe()  # Stays open: a client that read it would wait for ever.
    try:
        found = subprocess.run(['is-leader'], stdin=read, capture_output=True, timeout=20)
    finally:
        os.close(read)
        os.close(write)
    assert found.stdout == b'True\n'
    big = b'{"k": "' + b'x' * 3_000_000 + b'"}'
    assert run('state-set', '--file', '-', cwd=tmp_path, stdin=big) == (0, b'', b'')


@pytest.mark.timeout(60)
def test_what_is_handed_over_has_a_limit_whatever_it_is(
    served: toolworld.World, tmp_path: pathlib.Path
) -> None:
    assert f'$LIMIT = {wire.LIMIT >> 20} << 20;' in CLIENT.read_text()
    larger = b'ERROR /dev/zero is larger than 16 MiB\n'
    assert run('relation-set', '-r', '1', '--file', '/dev/zero', cwd=tmp_path) == (1, b'', larger)
    assert run('secret-add', 'key#file=/dev/zero', cwd=tmp_path) == (1, b'', larger)
    with open('/dev/zero', 'rb') as endless:
        found = subprocess.run(
            ['state-set', '--file', '-'], stdin=endless, capture_output=True, timeout=20
        )
    assert found.stderr == b'ERROR standard input is larger than 16 MiB\n'
    for name in 'ab':
        (tmp_path / name).write_bytes(b'x' * (9 << 20))
    said = run('secret-add', 'one#file=a', 'two#file=b', cwd=tmp_path)
    assert said == (1, b'', b'ERROR what is handed over is larger than 16 MiB\n')


def test_exit_codes_and_errors_are_the_tools(
    served: toolworld.World, tmp_path: pathlib.Path
) -> None:
    code, out, err = run('relation-get', '-r', 'db:9', '-', 'mysql/0', cwd=tmp_path)
    assert (code, out) == (2, b'')
    assert err == b'ERROR invalid value "db:9" for option -r: relation not found\n'
    code, _, err = (
        run('function-get', cwd=tmp_path) if _exists('function-get') else (127, b'', b'')
    )
    assert code == 127


def _exists(name: str) -> bool:
    return any((pathlib.Path(p) / name).exists() for p in os.environ['PATH'].split(':'))


def test_odd_words_arrive_as_they_are(served: toolworld.World, tmp_path: pathlib.Path) -> None:
    words = ['', ' ', '-\n-', 'ünï', '"\'$`\\', '\udcff']
    assert run('juju-log', '--', *words, cwd=tmp_path)[0] == 0
    assert served.calls[-1].argv == ('juju-log', '--', *words)


def test_outside_of_a_hook_there_is_one_clear_error(
    served: toolworld.World, tmp_path: pathlib.Path
) -> None:
    for name, text in (
        ('JUJU_CONTEXT_ID', b'ERROR JUJU_CONTEXT_ID not set\n'),
        ('JUJU_AGENT_SOCKET_ADDRESS', b'ERROR JUJU_AGENT_SOCKET_ADDRESS not set\n'),
    ):
        env = {k: v for k, v in os.environ.items() if k != name}
        assert run('is-leader', cwd=tmp_path, env=env) == (1, b'', text)
    env = {**os.environ, 'JUJU_CONTEXT_ID': 'of another hook'}
    assert run('is-leader', cwd=tmp_path, env=env) == (1, b'', b'ERROR unknown context id\n')
    env = {**os.environ, 'JUJU_AGENT_SOCKET_ADDRESS': '/no/such.socket'}
    code, _, err = run('is-leader', cwd=tmp_path, env=env)
    assert code == 1
    assert err.startswith(b'ERROR cannot reach the controller at /no/such.socket: ')


def test_a_socket_may_have_a_long_path(served: toolworld.World, tmp_path: pathlib.Path) -> None:
    deep = tmp_path / ('d' * 100) / ('e' * 100)
    deep.mkdir(parents=True)
    (deep / 'unit.socket').symlink_to(os.environ['JUJU_AGENT_SOCKET_ADDRESS'])
    env = {**os.environ, 'JUJU_AGENT_SOCKET_ADDRESS': str(deep / 'unit.socket')}
    assert run('is-leader', cwd=tmp_path, env=env) == (0, b'True\n', b'')


def test_a_locale_that_is_not_there_is_not_spoken_of(
    served: toolworld.World, tmp_path: pathlib.Path
) -> None:
    env = {**os.environ, 'LC_ALL': 'tlh_QO.UTF-8'}
    assert run('is-leader', cwd=tmp_path, env=env) == (0, b'True\n', b'')


@pytest.fixture
def rude(tmp_path: pathlib.Path) -> Generator[pathlib.Path]:
    """A controller that dies in the middle of its answer."""
    path = tmp_path / 'rude.socket'
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        line, _ = server.accept()
        line.recv(1000)
        line.sendall(wire.encode_error('x' * 100)[:20])
        line.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield path
    thread.join()
    server.close()


def test_a_controller_that_dies_in_mid_call_is_an_error(
    rude: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    tool = tmp_path / 'is-leader'
    tool.symlink_to(CLIENT)
    env = {
        'PATH': os.environ['PATH'],
        'JUJU_CONTEXT_ID': 'c',
        'JUJU_AGENT_SOCKET_ADDRESS': str(rude),
    }
    said = run(str(tool), cwd=tmp_path, env=env)
    assert said == (1, b'', b'ERROR the controller is gone\n')


def test_the_client_needs_no_module() -> None:
    """perl-base is all that a machine has; and a module would double the time of every call."""
    words = [line.split('#')[0] for line in CLIENT.read_text().splitlines()]
    assert not [line for line in words if re.match(r'\s*(use|require)\b', line)]
