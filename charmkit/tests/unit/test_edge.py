"""The edge to the machine, as far as it needs no root: files and facts in a scratch folder."""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import grp
import os
import pathlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

import pytest
from charmkit import apply, clients, facts, files, host, packages, releases, run
from charmkit.machine import HttpRequest, HttpResponse, UnreachableError

ME = getpass.getuser()
MINE = grp.getgrgid(os.getgid()).gr_name


def wanted(path: pathlib.Path, content: str = 'x = 1\n', **more: object) -> host.File:
    given: dict[str, object] = {'owner': ME, 'group': MINE, 'mode': 0o640, **more}
    return host.File(path=str(path), content=content, **given)  # type: ignore[arg-type]


def test_a_file_that_was_put_is_observed_as_desired(tmp_path: pathlib.Path):
    f = wanted(tmp_path / 'etc' / 'a.conf')
    files.put(f)
    assert dict(files.stamps([f.path])) == {f.path: f.stamp}


@pytest.mark.parametrize('content', ['', 'é\r\n', 'x' * 100_000])
def test_whatever_its_content(tmp_path: pathlib.Path, content: str):
    f = wanted(tmp_path / 'a', content)
    files.put(f)
    assert dict(files.stamps([f.path])) == {f.path: f.stamp}


def test_another_content_or_mode_is_seen(tmp_path: pathlib.Path):
    f = wanted(tmp_path / 'a')
    files.put(f)
    (tmp_path / 'a').chmod(0o644)
    assert dict(files.stamps([f.path])) != {f.path: f.stamp}
    files.put(f)
    (tmp_path / 'a').write_text('x = 2\n')
    assert dict(files.stamps([f.path])) != {f.path: f.stamp}


def test_a_directory_that_may_stay_keeps_its_mode(tmp_path: pathlib.Path):
    path = tmp_path / 'a' / 'home'
    mine = {'path': str(path), 'owner': ME, 'group': MINE, 'mode': 0o755}
    files.make(host.Directory(**mine, kept=True))  # type: ignore[arg-type]
    path.chmod(0o700)
    files.make(host.Directory(**mine, kept=True))  # type: ignore[arg-type]
    assert path.stat().st_mode & 0o777 == 0o700
    files.make(host.Directory(**mine))  # type: ignore[arg-type]
    assert path.stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason='only root gives files away')
def test_what_a_directory_is_to_be_purged_of_is_seen_and_goes(tmp_path: pathlib.Path):
    folder = tmp_path / 'd'
    mine: dict[str, Any] = {'owner': ME, 'group': MINE}
    directory = host.Directory(path=str(folder), purge=r'\d+', **mine)
    want = host.Host(directories=(directory,), files=(wanted(folder / '1'),))
    machine = apply.LocalMachine('purging', tmp_path / 'memory')
    assert {*machine.observe(want).paths} == set(), 'it is not there yet'
    (folder / '4').mkdir(parents=True)
    for name in ('1', '2', 'other'):
        (folder / name).write_text('x')
    (folder / '3').symlink_to(tmp_path)
    for step in host.plan(want, machine.observe(want)):
        assert machine.carry_out(step, want) == ''
    assert {p.name for p in folder.iterdir()} == {'1', '4', 'other'}
    assert tmp_path.exists()
    assert host.plan(want, machine.observe(want)) == ()


@pytest.mark.parametrize('whose', [{'owner': 'no-such-one'}, {'group': 'no-such-one'}])
def test_an_account_that_is_not_there_is_told_and_leaves_the_old_file(
    tmp_path: pathlib.Path, whose: dict[str, str]
):
    files.put(wanted(tmp_path / 'a', 'old'))
    wants = host.Host(
        files=(wanted(tmp_path / 'a', 'new', **whose),),
        directories=(host.Directory(path=str(tmp_path / 'd'), **whose),),  # type: ignore[arg-type]
    )
    machine = apply.LocalMachine('demo', tmp_path / 'memory')
    said = {
        step.verb: machine.carry_out(step, wants) for step in host.plan(wants, host.Observed())
    }
    (what,) = whose
    what = {'owner': 'user'}.get(what, what)
    assert said == {
        'make': f"no such {what}: 'no-such-one', whose {tmp_path}/d is to be",
        'write': f"no such {what}: 'no-such-one', whose {tmp_path}/a is to be",
    }
    assert (tmp_path / 'a').read_text() == 'old'
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a']


def test_what_its_check_refuses_leaves_the_old_file_in_place(tmp_path: pathlib.Path):
    old = wanted(tmp_path / 'a.cfg', 'good')
    files.put(old)
    new = wanted(tmp_path / 'a.cfg', 'bad', check=('grep', '-q', 'good', '{path}'))
    with pytest.raises(files.RefusedError, match=r'a\.cfg was refused'):
        files.put(new)
    assert (tmp_path / 'a.cfg').read_text() == 'good'
    assert [p.name for p in tmp_path.iterdir()] == ['a.cfg']


def test_what_its_check_accepts_takes_its_place(tmp_path: pathlib.Path):
    files.put(wanted(tmp_path / 'a.cfg', 'old'))
    files.put(wanted(tmp_path / 'a.cfg', 'good', check=('grep', '-q', 'good', '{path}')))
    assert (tmp_path / 'a.cfg').read_text() == 'good'


def test_a_file_in_the_place_of_a_link_does_not_write_through_it(tmp_path: pathlib.Path):
    (tmp_path / 'packaged').write_text('theirs')
    (tmp_path / 'enabled').symlink_to('packaged')
    files.put(wanted(tmp_path / 'enabled', 'ours'))
    assert (tmp_path / 'packaged').read_text() == 'theirs'
    assert (tmp_path / 'enabled').read_text() == 'ours'


def test_a_link_is_observed_as_desired(tmp_path: pathlib.Path):
    link = host.Link(path=str(tmp_path / 'x.load'), target='../available/x.load')
    files.link(link)
    files.link(link)
    assert dict(files.stamps([link.path])) == {link.path: link.stamp}


def test_a_units_secret_is_its_own_and_stays(tmp_path: pathlib.Path):
    machine = apply.LocalMachine('demo', tmp_path)
    first = machine.unit_secret('demo/0')
    assert first == apply.LocalMachine('demo', tmp_path).unit_secret('demo/0')
    assert first != machine.unit_secret('demo/1')
    assert len(first) >= 32
    (secret,) = tmp_path.glob('demo/secret-demo-0')
    assert secret.stat().st_mode & 0o777 == 0o600


def root(tmp_path: pathlib.Path, **more: str) -> pathlib.Path:
    content = {
        'etc/os-release': 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n',
        'proc/meminfo': 'MemTotal:       16384000 kB\nMemFree: 1 kB\n',
        **{name.replace('__', '/').replace('_DOT_', '.'): text for name, text in more.items()},
    }
    for name, text in content.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_facts_name_the_base_as_juju_does(tmp_path: pathlib.Path):
    got = facts.read(root(tmp_path))
    assert got.base == 'debian@12'
    assert got.memory_mib == 16000
    assert releases.of_base(got.base) == releases.ZED


def test_a_cgroups_limits_count(tmp_path: pathlib.Path):
    got = facts.read(
        root(
            tmp_path,
            **{
                'sys/fs/cgroup/cpu.max': '100000 100000\n',
                'sys/fs/cgroup/memory.max': '1073741824',
            },
        )
    )
    assert (got.cpus, got.memory_mib) == (1, 1024)


def test_no_limit_is_no_limit(tmp_path: pathlib.Path):
    got = facts.read(
        root(
            tmp_path, **{'sys/fs/cgroup/cpu.max': 'max 100000', 'sys/fs/cgroup/memory.max': 'max'}
        )
    )
    assert got.memory_mib == 16000


def test_an_unknown_base_is_one_clear_error():
    with pytest.raises(ValueError, match='debian@11 is not a base of these charms'):
        releases.of_base('debian@11')


def test_dpkg_is_asked_again_when_it_has_written_and_not_before(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    status, asked = tmp_path / 'status', list[frozenset[str]]()
    status.write_text('one')
    monkeypatch.setattr(packages, '_STATUS', status)

    def versions(names: frozenset[str]) -> dict[str, str]:
        asked.append(names)
        return dict.fromkeys(names, str(len(asked)))

    monkeypatch.setattr(packages, 'versions', versions)
    one = host.Host(packages=frozenset({'a'}))
    both = host.Host(packages=frozenset({'a', 'b'}))

    def seen(desired: host.Host) -> dict[str, str]:
        return dict(apply.LocalMachine('demo', tmp_path).observe(desired).packages)

    assert seen(one) == seen(one) == {'a': '1'}
    assert seen(both) == {'a': '2', 'b': '2'}
    # As dpkg does: another file takes its place.
    (tmp_path / 'new').write_text('two')
    (tmp_path / 'new').replace(status)
    assert seen(both) == {'a': '3', 'b': '3'}
    assert len(asked) == 3


def test_a_unit_is_kept_from_starting_by_what_systemctl_enable_tolerates(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    said: list[tuple[str, ...]] = []
    monkeypatch.setattr(packages, '_UNITS', tmp_path)
    monkeypatch.setattr(run, 'program', _remember(said))
    assert not packages.held('a.service')
    packages.hold('a.service')
    assert packages.held('a.service')
    assert 'ConditionPathExists=!/\n' in (tmp_path / 'a.service.d/charm-never.conf').read_text()
    assert said == [('systemctl', 'daemon-reload')]
    packages.release('a.service')
    assert not packages.held('a.service')


def test_a_mask_of_an_older_charm_is_taken_back(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    said: list[tuple[str, ...]] = []
    monkeypatch.setattr(packages, '_UNITS', tmp_path)
    monkeypatch.setattr(run, 'program', _remember(said))
    (tmp_path / 'a.service').symlink_to('/dev/null')
    packages.hold('a.service')
    assert not packages.held('a.service')
    assert ('systemctl', 'unmask', '--quiet', 'a.service') in said


def _remember(said: list[tuple[str, ...]]) -> Callable[..., None]:
    def program(*argv: str) -> None:
        said.append(argv)

    return program


def test_a_command_that_a_signal_ends_is_not_taken_for_one_that_took_too_long():
    c = host.Command(name='migrate', argv=('sh', '-c', 'kill -KILL $$'), key='1', user=ME)
    with pytest.raises(run.CommandError, match='migrate ended with 137'):
        run.command(c)


def test_what_a_command_said_that_may_fail_is_told_and_the_rest_raises(
    caplog: pytest.LogCaptureFixture,
):
    argv = ('sh', '-c', 'echo "$A" first; head -c 3000 /dev/zero | tr "\\0" x; exit 3')
    c = host.Command(name='migrate', argv=argv, key='1', user=ME, environment={'A': 'the'})
    with pytest.raises(run.CommandError, match='migrate ended with 3'):
        run.command(c)
    said = run.command(dataclasses.replace(c, may_fail=True))
    assert said.startswith('the first'), 'what was said long before the end counts, too'
    assert 'migrate ended with 3' in caplog.text
    assert run.command(dataclasses.replace(c, may_fail=True, accepted=(3,))) == ''
    gone = dataclasses.replace(c, may_fail=True, user='nobody-here')
    assert run.command(gone) == 'there is no user nobody-here'


@pytest.mark.parametrize(
    'url', ['', 'keystone', 'ftp2://x', 'http://[::1', 'http://a..b/', 'http://h:x/']
)
def test_a_request_that_cannot_be_made_is_a_response_too(url: str):
    answer = clients.http_response(HttpRequest(url=url, timeout_s=1))
    assert (answer.status, bool(answer.reason)) == (0, True)


def test_a_body_that_cannot_be_encoded_is_a_response_too():
    answer = clients.http_response(HttpRequest(url='http://127.0.0.1:1/', body='\ud800'))
    assert answer.status == 0


@contextlib.contextmanager
def saying(
    *chunks: bytes, family: int = socket.AF_INET, at: Any = ('127.0.0.1', 0)
) -> Generator[Any]:
    """A server of one client: it sends *chunks*, a twentieth of a second apart; gives its address."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            one, _ = server.accept()
            with one:
                one.recv(65536)
                for chunk in chunks:
                    one.sendall(chunk)
                    time.sleep(0.05)

    with socket.socket(family) as server:
        server.bind(at)
        server.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()
        thread.join()


HEAD = b'HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n'


@pytest.mark.parametrize('status', [200, 404])
def test_an_answer_that_never_ends_holds_up_no_hook(status: int):
    with saying(HEAD % (status, 100), *[b'.'] * 80) as (address, port):
        request = HttpRequest(url=f'http://{address}:{port}/', timeout_s=0.2)
        answer = clients.http_response(request)
    assert answer == HttpResponse(0, 'the answer did not end in time')


@pytest.mark.parametrize('status', [200, 404])
def test_an_answer_in_pieces_is_read_whole_and_half_of_one_is_none(status: int):
    for sent, body in ((b'0123456789', '0123456789'), (b'0123', '')):
        with saying(HEAD % (status, 10), sent[:3], sent[3:]) as (address, port):
            answer = clients.http_response(HttpRequest(url=f'http://{address}:{port}/'))
        assert answer.body == body
        assert answer.status == (status if body else 0)


def test_a_socket_that_never_ends_its_answer_holds_up_no_hook(tmp_path: pathlib.Path):
    path = str(tmp_path / 'sock')
    with (
        saying(*[b'.'] * 80, family=socket.AF_UNIX, at=path),
        pytest.raises(UnreachableError, match='did not end in time'),
    ):
        clients.ask(path, 'show info', 0.2)
    path = str(tmp_path / 'other')
    with saying(b'a', b'b', family=socket.AF_UNIX, at=path):
        assert clients.ask(path, 'show info', 5) == 'ab'


def test_a_program_or_a_user_that_is_not_there_is_words():
    for c in (
        host.Command(name='migrate', argv=('/nowhere/migrate',), key='1', user=ME),
        host.Command(name='migrate', argv=('true',), key='1', user='nobody-here'),
    ):
        with pytest.raises(run.CommandError, match=r'ended with 127: .*(nowhere|nobody-here)'):
            run.command(c)


SHOWN = {
    'UnitFileState': 'enabled',
    'NeedDaemonReload': 'no',
    'ActiveState': 'active',
    'SubState': 'running',
    'NRestarts': '0',
}


@pytest.mark.parametrize(
    ('seen', 'up'),
    [
        ({}, True),
        ({'NRestarts': '7'}, True),
        ({'ActiveState': 'activating', 'SubState': 'start'}, True),
        ({'ActiveState': 'activating', 'SubState': 'start', 'NRestarts': '1'}, False),
        ({'ActiveState': 'activating', 'SubState': 'auto-restart'}, False),
        ({'ActiveState': 'failed', 'SubState': 'failed'}, False),
    ],
)
def test_what_ends_again_and_again_does_not_run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, seen: dict[str, str], up: bool
):
    monkeypatch.setattr(subprocess, 'run', systemd({**SHOWN, **seen}))
    desired = host.Host(services=(host.SystemdService('nova-scheduler'),))
    observed = apply.LocalMachine('demo', tmp_path).observe(desired)
    assert (observed.active == {'nova-scheduler'}) is up


@pytest.mark.parametrize(
    ('seen', 'said'),
    [
        ({}, ''),
        ({'NRestarts': '1'}, 'it ended within 0.01 s of its start'),
        (
            {'ActiveState': 'activating', 'SubState': 'auto-restart'},
            'it ended within 0.01 s of its start',
        ),
        ({'ActiveState': 'failed'}, 'it ended within 0.01 s of its start'),
    ],
)
def test_what_ends_soon_after_its_start_has_not_come_up(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, seen: dict[str, str], said: str
):
    monkeypatch.setattr(subprocess, 'run', systemd({**SHOWN, **seen}))
    desired = host.Host(services=(host.SystemdService('nova-scheduler', stays_s=0.01),))
    machine = apply.LocalMachine('demo', tmp_path)
    assert machine.carry_out(host.Step('start', 'nova-scheduler'), desired) == said


def systemd(shown: Mapping[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A `systemctl` for which every unit is *shown*."""
    real: Any = subprocess.run

    def ran(argv: Any, **given: Any) -> subprocess.CompletedProcess[str]:
        if argv[0] != 'systemctl':
            return real(argv, **given)
        asked = argv[3].split(',') if argv[1] == 'show' else ()
        said = ''.join(f'{name}={shown.get(name, "x")}\n' for name in asked)
        return subprocess.CompletedProcess(argv, 0, said, '')

    return ran


def test_a_program_gets_all_of_a_stream_and_what_it_puts_out_is_handed_on():
    got: list[bytes] = []
    pieces = [bytes([n]) * 300_000 for n in range(9)]
    done = run.streamed(('sh', '-c', 'cat > /dev/null; echo done'), pieces, got.append)
    assert (done.status, b''.join(got)) == (0, b'done\n')
    done = run.streamed(('wc', '-c'), pieces, got.append)
    assert b''.join(got) == b'done\n2700000\n'
    got.clear()
    done = run.streamed(('sh', '-c', 'head -c 3000000 /dev/zero'), (), got.append)
    assert len(b''.join(got)) == 3_000_000


def test_a_program_that_stops_reading_a_stream_has_the_last_word():
    endless = (b'x' * 100_000 for _ in range(10_000))
    done = run.streamed(('sh', '-c', 'head -c 9 > /dev/null; echo no >&2; exit 3'), endless, None)
    assert (done.status, done.output) == (3, 'no\n')
    assert run.streamed(('no-such-program',), (), None).status == 127


def test_a_stream_that_breaks_ends_the_program():
    def breaks(_: bytes) -> None:
        raise OSError(28, 'No space left on device')

    with pytest.raises(OSError, match='No space left'):
        run.streamed(('sh', '-c', 'yes'), (), breaks)
