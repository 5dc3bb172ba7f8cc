"""`juju matrix load`: each request of a load told, and read by `juju lifecycle` as it is written."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import http.server
import json
import os
import pathlib
import signal
import stat
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from typing import Any

import linked
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix import cli, model
from matrix.grammar import located
from matrix.history import journal, redact
from matrix.juju import link, live
from matrix.load import load, outcome, requests, spec
from matrix.plans import snapshot
from matrix.run import load_only

NOTHING = redact.secrets(())


def _invoke(**more: Any) -> journal.Operation:
    return journal.Operation('c.1', 'token.issue', 'invoke', **more)


def _end(phase: Any, **more: Any) -> journal.Operation:
    return journal.Operation('c.1', 'token.issue', phase, **more)


def test_a_request_that_was_answered_is_well_and_names_who_answered():
    request = requests.ended(100.0, _invoke(), 100.5, _end('ok', endpoint='10.0.0.5:5000'))
    assert request == requests.Request(
        at=100.0, seconds=0.5, ok=True, what='token.issue 10.0.0.5:5000'
    )


@pytest.mark.parametrize('phase', ['fail', 'info'])
def test_one_that_failed_or_of_which_nobody_knows_is_lost(phase: str):
    request = requests.ended(100.0, _invoke(endpoint='a'), 110.0, _end(phase, error='timeout'))
    assert request is not None
    assert (request.ok, request.said, request.what) == (False, 'timeout', 'token.issue a')


def test_one_that_does_not_find_what_was_made_is_lost_however_well_it_was_answered():
    request = requests.ended(0.0, _invoke(), 1.0, _end('ok', value=False))
    assert request is not None
    assert (request.ok, request.said) == (False, requests.NOT_THERE)


@pytest.mark.parametrize('value', [None, 0, '', True])
def test_other_values_are_no_loss(value: located.Plain):
    request = requests.ended(0.0, _invoke(), 1.0, _end('ok', value=value))
    assert request is not None and request.ok


def test_one_that_was_under_way_when_the_load_was_stopped_is_no_request():
    assert requests.ended(0.0, _invoke(), 1.0, _end('info', error=outcome.STOPPED)) is None


def test_time_counts_from_the_planned_moment():
    request = requests.ended(100.0, _invoke(late=3.0), 101.0, _end('ok'))
    assert request is not None
    assert (request.at, request.seconds) == (97.0, 4.0)


@given(
    st.floats(0, 1e10),
    st.floats(0, 1e5),
    st.booleans(),
    st.text(max_size=50),
    st.text(max_size=50),
)
def test_each_line_is_one_object_of_json(
    at: float, seconds: float, ok: bool, what: str, said: str
):
    request = requests.Request(at=at, seconds=seconds, ok=ok, what=what, said=said)
    line = request.line(NOTHING)
    assert '\n' not in line
    read = json.loads(line)
    assert [*read] == ['at', 'seconds', 'ok', 'what', 'said']
    assert read['ok'] is ok


def test_no_secret_is_written():
    request = requests.Request(at=0, seconds=0, ok=False, what='a', said='401 for s3cret')
    assert 's3cret' not in request.line(redact.secrets(['s3cret']))


def test_what_is_counted_is_what_is_handed_on():
    told: list[requests.Request] = []
    clock = iter([0.0, 1.0, 1.0, 4.0])
    tally = requests.Tally(lambda: next(clock), told.append)
    tally.write(journal.Note('load', 'x'))
    tally.write(_invoke())
    tally.write(_end('ok'))
    tally.write(_invoke())
    tally.write(_end('fail', error='http 500'))
    assert (tally.count, tally.lost, tally.slowest) == (2, 1, 1.0)
    assert [one.ok for one in told] == [True, False]
    assert str(tally) == '2 requests, 1 lost, slowest 1.00 s'


def test_a_compare_and_set_that_is_refused_is_no_loss():
    """Of a register over HTTP and of one of SQL; a register that is read back by itself may be lost still."""
    tally = requests.Tally(lambda: 0.0)
    thing: located.Plain = {'is': 'register', 'first': None, 'write': 'w', 'read': 'r', 'cas': 'c'}
    tally.write(journal.Note('load', {'models': {'r': thing}, 'writes': [['put', 'get']]}))
    for kind, lost in (('c', 0), ('get', 1), ('token.validate', 2)):
        tally.write(journal.Operation('1', kind, 'invoke'))
        tally.write(journal.Operation('1', kind, 'ok', value=False))
        assert tally.lost == lost, kind


words = st.sampled_from(['models', 'writes', 'x'])
anything = st.recursive(st.none() | words, lambda x: st.lists(x) | st.dictionaries(words, x))


@given(anything)
def test_whatever_a_load_says_of_itself_can_be_read(said: object):
    assert requests.answering(said) == requests.answering(said)


@dataclasses.dataclass
class Cloud:
    """A load that does what it is told, of things that last if it `keeps` any."""

    do: Callable[[located.Plain], Awaitable[load.Result]]
    keeps: tuple[tuple[str, str, str], ...] = ()
    writes: tuple[tuple[str, str], ...] = ()
    secrets: frozenset[str] = frozenset({'s3cret', 'abc'})
    sentence: str = 'a load of a test'
    begun: bool = True
    did: list[str] = dataclasses.field(default_factory=list[str])

    async def prepare(self) -> Sequence[load.Kind]:
        return [load.Kind('get', self.do)]

    async def close(self) -> None:
        self.did.append('closed')

    def held(self) -> Sequence[tuple[str, located.Plain]]:
        return ()

    async def clear(self, *, within: float) -> located.Plain:
        self.did.append('cleared')
        left: located.Plain = {'what': 'port', 'name': 'p', 'id': '7', 'service': 'network'}
        return {'left': [left]}


async def _well(_: located.Plain) -> load.Result:
    return load.Result('x')


async def _refused(_: located.Plain) -> load.Result:
    raise load.Refused('http 409 of s3cret')


def _alone(what: load.Load, lines: list[str]) -> load_only.Alone:
    return load_only.Alone(what, lambda line, _: lines.append(line), lambda: 5.0)


def _run(one: load_only.Alone, **more: Any) -> None:
    asyncio.run(one.run(spec.Spec(rate=200), seed=1, **more))


def test_a_load_ends_when_its_time_is_over_and_takes_away_what_it_made():
    cloud, lines = Cloud(_well), list[str]()
    one = _alone(cloud, lines)
    _run(one, seconds=0.2)
    assert one.tally.lost == 0 < one.tally.count == len(lines)
    assert cloud.did == ['closed']


def test_what_lasts_is_deleted_first_and_what_is_left_is_told():
    cloud = Cloud(_well, keeps=(('make', 'look', 'drop'),))
    one = _alone(cloud, [])
    _run(one, seconds=0.1)
    assert cloud.did == ['cleared', 'closed']
    assert one.left == ('port p (7) of network',)


def test_one_that_is_interrupted_takes_away_what_it_made_too():
    cloud = Cloud(_well, keeps=(('make', 'look', 'drop'),))
    one = _alone(cloud, [])

    async def go() -> None:
        task = asyncio.create_task(one.run(spec.Spec(rate=200), seed=1))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
    assert cloud.did == ['cleared', 'closed']


def test_what_is_refused_is_lost_and_told_without_secrets():
    lines: list[str] = []
    one = _alone(Cloud(_refused), lines)
    _run(one, seconds=0.1)
    assert one.tally.lost == one.tally.count > 0
    assert all('http 409' in line and 's3cret' not in line for line in lines)


def test_a_load_that_cannot_begin_says_why():
    class Shut(Cloud):
        async def prepare(self) -> Sequence[load.Kind]:
            raise load.Refused('http 401')

    with pytest.raises(model.TestFailure, match='no load: http 401'):
        _run(_alone(Shut(_well), []), seconds=5)


def test_a_load_of_a_bundles_own_may_not_change_the_model():
    with pytest.raises(link.LinkError, match='a load by itself deploys nothing'):
        asyncio.run(_awaited(load_only.refuses('deploys')('bundle.yaml')))


async def _awaited(what: Awaitable[None]) -> None:
    await what


class _Service(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:  # the name that http.server calls
        self.send_response(self.status)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as http.server has it
        pass


@pytest.fixture
def bundle(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Generator[pathlib.Path]:
    """A bundle whose load is one URL of a service on loopback."""
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), _Service)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    @contextlib.asynccontextmanager
    async def opened(name: str, **_: Any) -> AsyncGenerator[linked.Linked]:
        yield linked.Linked(snapshot.Model(), model=name)

    monkeypatch.setattr(live, 'opened', opened)
    (tmp_path / 'bundle.yaml').write_text('applications:\n  a: {charm: a}\n')
    (tmp_path / 'tests').mkdir()
    url = f'http://127.0.0.1:{server.server_address[1]}/'
    (tmp_path / 'tests/test.yaml').write_text(f'load: {{http: [{{url: "{url}", name: front}}]}}\n')
    yield tmp_path
    server.shutdown()
    server.server_close()


def _load(bundle: pathlib.Path, *more: str) -> int:
    journal_ = str(bundle / 'load.jsonl')
    return cli.main(['load', '-p', str(bundle), '--rate', '50', '--journal', journal_, *more])


def test_the_command_writes_each_request_down_for_its_owner_alone(
    bundle: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    assert _load(bundle, '--for', '0.3') == 0
    path = bundle / 'load.jsonl'
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines and all(one['ok'] and one['what'].startswith('front ') for one in lines)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f'{len(lines)} requests, none lost' in capsys.readouterr().out


def test_a_lost_request_is_told_at_once_and_the_exit_code_says_so(
    bundle: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_Service, 'status', 503)
    assert _load(bundle, '--for', '0.3') == 101
    assert 'LOST front ' in capsys.readouterr().err


def test_ctrl_c_ends_it_in_order(bundle: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    assert _load(bundle) == 0
    assert 'none lost' in capsys.readouterr().out


def test_a_journal_that_is_there_is_gone_on_with(bundle: pathlib.Path):
    (bundle / 'load.jsonl').write_text('{"before": true}\n')
    assert _load(bundle, '--for', '0.2') == 0
    assert (bundle / 'load.jsonl').read_text().startswith('{"before": true}\n{"at"')


def test_where_nothing_can_be_asked_it_says_so(
    tmp_path: pathlib.Path, bundle: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(['load', '--for', '1']) == 1
    assert 'error: nothing used the bundle' in capsys.readouterr().err


def test_a_journal_that_cannot_be_written_is_an_error_before_anything_is_asked(
    bundle: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(['load', '-p', str(bundle), '--journal', str(bundle / 'no/where')]) == 1
    assert capsys.readouterr().err.startswith('error: ')
