"""Loads of a bundle's own, and which load is chosen for a model."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import os
import pathlib
import re
import socket
import stat
import time
from collections.abc import Callable, Sequence
from typing import Any

import linked
import pytest

from matrix import model
from matrix.history import journal, notes
from matrix.load import discover, external, http, openstack, record, spec
from matrix.plans import snapshot

LOG = logging.getLogger('test')


def _bundle(folder: pathlib.Path, name: str, text: str) -> pathlib.Path:
    tests = folder / 'tests'
    tests.mkdir(exist_ok=True)
    path = tests / name
    path.write_text(text)
    if not name.endswith('.py'):
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def _find(folder: pathlib.Path, said: spec.Spec | None = None, *apps: snapshot.Application) -> Any:
    at = linked.Linked(snapshot.Model(apps))
    return asyncio.run(discover.find(at, bundle=folder, said=said or spec.Spec(), run='r1'))


def _go(own: Any, until: Callable[[list[journal.What]], bool]) -> list[journal.What]:
    """What a load writes until that is enough; ten seconds at most."""
    written: list[journal.What] = []

    async def go() -> None:
        running = asyncio.create_task(
            discover.go(own, said=spec.Spec(), seed=1, write=written.append, log=LOG)
        )
        async with asyncio.timeout(10):
            while not until(written) and not running.done():
                await asyncio.sleep(0.02)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    asyncio.run(go())
    return written


def _never(_: list[journal.What]) -> bool:
    return False


def _ops(written: Sequence[journal.What]) -> collections.Counter[tuple[str, str, str]]:
    return collections.Counter(
        (one.kind, one.phase, one.error) for one in written if isinstance(one, journal.Operation)
    )


def _notes(written: Sequence[journal.What]) -> list[Any]:
    return [one.value for one in written if isinstance(one, journal.Note)]


GOOD = """
import asyncio
from matrix.load import record
WRITES = [('put', 'get')]
NOTHING = [('get', 'get of nothing')]
async def end_to_end(model, logger):
    logger.info('begins')
    with record.operation('put', value='k', endpoint='http://x'):
        await asyncio.sleep(0)
    with record.operation('get', value='k') as op:
        op.value = True
    with record.operation('get', value='k', swallow=True):
        raise record.Refused('http 409')
    with record.operation('get', value='k', swallow=True):
        raise TimeoutError
    with record.operation('slow'):
        await asyncio.sleep(60)
"""


LOAD = """
class Own:
    sentence, secrets, writes = 'asks', frozenset(), ()
    def __init__(self, link, run):
        self.run = run
    async def prepare(self):
        return ()
    async def close(self):
        pass
def load_of(link, run):
    return Own(link, run)
"""


def test_a_bundle_can_bring_a_load_that_matrix_runs(tmp_path: pathlib.Path) -> None:
    _bundle(tmp_path, 'end_to_end.py', GOOD)
    _bundle(tmp_path, 'load.py', LOAD)
    assert re.fullmatch('r1-[0-9a-f]{6}', _find(tmp_path).run)
    assert _find(tmp_path).run != _find(tmp_path).run, (
        'what one load of a run makes is not that of another'
    )
    assert isinstance(_find(tmp_path, spec.Spec(use='end_to_end')), external.Python)


def test_a_load_file_that_gives_no_load_says_why(tmp_path: pathlib.Path) -> None:
    _bundle(tmp_path, 'load.py', 'def load_of(link, run):\n    raise KeyError(run)\n')
    with pytest.raises(model.InfraFailure, match=r"load\.py cannot be used: KeyError: 'r1-"):
        _find(tmp_path)


def test_a_load_file_that_gives_something_else_says_what_it_lacks(tmp_path: pathlib.Path) -> None:
    _bundle(tmp_path, 'load.py', 'def load_of(link, run):\n    return 7\n')
    with pytest.raises(model.InfraFailure, match=r'load_of gives int, which has no sentence and'):
        _find(tmp_path)
    models = "    models = {'kv': {'is': 'registre', 'write': 'w', 'read': 'r'}}\n"
    _bundle(tmp_path, 'load.py', LOAD.replace('    def __init__', f'{models}    def __init__'))
    with pytest.raises(model.InfraFailure, match=r"load\.py: kv is one of .* mean 'register'"):
        _find(tmp_path)


_OWN = "async def end_to_end(model, logger):\n    raise AssertionError('it must not begin')\n"
SAID_WRONG = {
    # What a load says of itself, as Python and as JSON, and what is told.
    "MODELS = {'kv': {'is': 'registre'}}": ('{"models": {"kv": {"is": "registre"}}}', "did you mean 'register'"),
    'MODELS = [1]': ('{"models": [1]}', 'are a mapping of names'),
    "WRITES = ['put', 'get']": ('{"writes": ["put", "get"]}', 'WRITES of end_to_end.* is pairs'),
    "WRITES = 'put'": ('{"writes": "put"}', 'is pairs of kinds'),
    "NOTHING = [('get',)]": ('{"nothing": [["get"]]}', 'NOTHING of end_to_end.* is pairs'),
    "WRITES = [('put', 3)]": ('{"writes": [["put", 3]]}', "not .*'?put'?, 3"),
}  # fmt: skip


@pytest.mark.parametrize('said', SAID_WRONG)
def test_what_a_load_says_wrongly_of_itself_is_told_and_nothing_runs(
    said: str, tmp_path: pathlib.Path
) -> None:
    as_json, told = SAID_WRONG[said]
    _bundle(tmp_path, 'end_to_end.py', f'{said}\n{_OWN}')
    with pytest.raises(model.InfraFailure, match=told):
        _go(_find(tmp_path), _never)
    (tmp_path / 'tests' / 'end_to_end.py').unlink()
    _bundle(tmp_path, 'end_to_end', f"#!/bin/sh\necho '{as_json}'\nsleep 60\n")
    with pytest.raises(model.InfraFailure, match=told):
        _go(_find(tmp_path), _never)


def test_a_load_of_the_bundles_own_says_what_it_does(tmp_path: pathlib.Path) -> None:
    _bundle(tmp_path, 'end_to_end.py', GOOD)
    written = _go(_find(tmp_path), lambda so_far: ('slow', 'invoke', '') in _ops(so_far))
    assert _notes(written)[0]['writes'] == [['put', 'get']]
    assert _notes(written)[0]['nothing'] == [['get', 'get of nothing']]
    assert _notes(written)[0]['own'] is True
    ended = {key: n for key, n in _ops(written).items() if key[1] != 'invoke'}
    assert ended == {
        ('put', 'ok', ''): 1,
        ('get', 'ok', ''): 1,
        ('get', 'fail', 'http 409'): 1,
        ('get', 'info', 'timeout'): 1,
        ('slow', 'info', 'stopped'): 1,
    }


def test_without_a_run_nothing_is_recorded() -> None:
    with record.operation('put') as op:
        op.value = 1
    with pytest.raises(ZeroDivisionError), record.operation('put'):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ('text', 'error', 'said'),
    [
        ('async def end_to_end(model, logger):\n    return True\n', model.TestFailure, 'returned'),
        ('async def end_to_end(model, logger):\n    model.nope\n', model.TestFailure, 'AttributeError'),
        ('async def end_to_end(model, logger):\n    import nope\n', model.TestFailure, 'nope'),
        ('import nope\n', model.InfraFailure, 'nope'),
        ('x = 1\n', model.InfraFailure, 'end_to_end'),
    ],
)  # fmt: skip
def test_a_load_that_ends_or_cannot_begin_is_never_passed_over(
    tmp_path: pathlib.Path, text: str, error: type[Exception], said: str
) -> None:
    _bundle(tmp_path, 'end_to_end.py', text)
    with pytest.raises(error, match=said):
        _go(_find(tmp_path), _never)


PROGRAM = """#!/bin/sh
echo "model $1"
echo 'this is an error' >&2
echo '{"writes": [["put", "get"]], "nothing": [["get", "no get"]]}'
echo '{"op": "put", "id": "1", "phase": "invoke", "value": "k"}'
echo '{"op": "put", "id": "1", "phase": "ok", "value": "k", "endpoint": "http://x"}'
echo '{"op": "get", "id": "2", "phase": "fail", "error": "http 404"}'
echo '{"op": "get"}'
echo '{"op": '
sh -c 'echo $$ >child; exec sleep 300' &
exec sleep 300
"""


def test_an_executable_says_what_it_does_and_leaves_no_process(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    _bundle(tmp_path, 'end_to_end', PROGRAM)
    with caplog.at_level(logging.INFO):
        written = _go(
            _find(tmp_path),
            lambda _: (tmp_path / 'child').exists() and len(caplog.records) >= 4,
        )
    said = {(one.levelname, one.getMessage().partition(' (')[0]) for one in caplog.records}
    assert said >= {
        ('INFO', 'model test'), ('ERROR', 'this is an error'), ('WARNING', 'not an operation'),
    }  # fmt: skip
    assert [one for one in caplog.records if one.levelname == 'WARNING'][1:]
    assert _ops(written) == {
        ('put', 'invoke', ''): 1,
        ('put', 'ok', ''): 1,
        ('get', 'invoke', ''): 1,
        ('get', 'fail', 'http 404'): 1,
    }
    assert _notes(written)[-1]['writes'] == [['put', 'get']]
    assert _notes(written)[-1]['nothing'] == [['get', 'no get']]
    child = int((tmp_path / 'child').read_text())
    deadline = (
        time.monotonic() + 5
    )  # It has been killed; that takes effect when the machine gets to it.
    while _lives(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _lives(child)


def _lives(process: int) -> bool:
    """Whether a process is more than an entry that nobody has collected yet."""
    try:
        state = pathlib.Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in 'ZX'


def test_a_process_that_lives_is_seen() -> None:
    assert _lives(os.getpid())


def test_an_executable_that_ends_has_failed(tmp_path: pathlib.Path) -> None:
    _bundle(tmp_path, 'end_to_end', '#!/bin/sh\nexit 0\n')
    with pytest.raises(model.TestFailure, match='exited with 0'):
        _go(_find(tmp_path), _never)
    _bundle(tmp_path, 'end_to_end', 'no program')
    with pytest.raises((model.InfraFailure, model.TestFailure)):
        _go(_find(tmp_path), _never)


KEYSTONE = linked.one_unit('keystone')


def test_the_first_load_that_fits_is_chosen(tmp_path: pathlib.Path) -> None:
    assert isinstance(_find(tmp_path, None, KEYSTONE), openstack.OpenStack)
    _bundle(tmp_path, 'end_to_end', PROGRAM)
    assert isinstance(_find(tmp_path, None, KEYSTONE), external.Executable)
    _bundle(tmp_path, 'end_to_end.py', GOOD)
    assert isinstance(_find(tmp_path, None, KEYSTONE), external.Python)
    said = spec.Spec(use='http', http=(spec.Endpoint('get', 'http://x/'),))
    assert isinstance(_find(tmp_path, said, KEYSTONE), http.Http)
    assert isinstance(_find(tmp_path, spec.Spec(use='openstack'), KEYSTONE), openstack.OpenStack)
    assert _find(tmp_path, spec.Spec(use='none'), KEYSTONE).why == notes.NO_LOAD_WANTED


def test_where_there_is_no_load_the_sentence_says_what_would_be_one(
    tmp_path: pathlib.Path,
) -> None:
    with socket.socket() as silent:  # A port that is open for nobody.
        silent.bind(('127.0.0.1', 0))
        found = _find(tmp_path, None, linked.one_unit('db', silent.getsockname()[1]))
    assert 'tests/end_to_end.py' in found.why
    written = _go(found, bool)
    assert [(one.kind, one.value) for one in written if isinstance(one, journal.Note)] == [
        (notes.LOAD_NONE, found.why)
    ]
    assert 'no keystone' in _find(tmp_path, spec.Spec(use='openstack')).why
