"""A hook that waits for a person, in a real tmux."""

from __future__ import annotations

import os
import pathlib
import pty
import signal
import subprocess
import time
import uuid as uuids
from collections.abc import Callable, Generator

import pytest

from jujulet.core import debugging

pytestmark = pytest.mark.functional

UNIT = 'app/0'
PATIENCE_S = 20.0


class Bench:
    """A session of a unit, and a charm whose hook writes down what it was given."""

    def __init__(self, folder: pathlib.Path):
        self.uuid = uuids.uuid4().hex
        self.folder = folder
        self.program = folder / 'dispatch'
        self.program.write_text(
            '#!/bin/sh\necho "$JUJU_HOOK_NAME at=$JUJU_DEBUG_AT" >>ran\nexit ${CODE:-0}\n'
        )
        self.program.chmod(0o755)

    def tmux(self, *words: str) -> str:
        argv = ['tmux', '-L', debugging.socket(self.uuid, UNIT), *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout

    def there(self) -> bool:
        argv = debugging.present(self.uuid, UNIT)
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0

    def hook(self, session: debugging.Session, **env: str) -> subprocess.Popen[bytes]:
        """What the machine's agent runs, with a hook's environment."""
        script = debugging.server_script(self.uuid, UNIT, str(self.program), session)
        process = subprocess.Popen(
            ['/bin/bash', '-s'],
            stdin=subprocess.PIPE,
            cwd=self.folder,
            env={
                'PATH': os.environ['PATH'],
                'JUJU_UNIT_NAME': UNIT,
                'JUJU_HOOK_NAME': 'config-changed',
                'JUJU_DISPATCH_PATH': 'hooks/config-changed',
                'TEXT': 'two\nlines $HOME `id`',
                **env,
            },
        )
        assert process.stdin is not None
        process.stdin.write(script.encode())
        process.stdin.close()
        return process

    def type(self, words: str) -> None:
        until(
            lambda: (
                'yours to run' in self.tmux('capture-pane', '-p', '-t', f'{UNIT}:config-changed')
            )
        )
        self.tmux('send-keys', '-t', f'{UNIT}:config-changed', words, 'Enter')

    @property
    def ran(self) -> str:
        return (self.folder / 'ran').read_text() if (self.folder / 'ran').exists() else ''


def until(so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not so():
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(0.05)


@pytest.fixture
def bench(tmp_path: pathlib.Path) -> Generator[Bench]:
    found = Bench(tmp_path)
    yield found
    found.tmux('kill-server')


@pytest.fixture
def session(bench: Bench) -> Bench:
    bench.tmux('new-session', '-d', '-s', UNIT)
    return bench


def test_a_hook_waits_until_its_window_is_left_and_ends_as_that_does(session: Bench):
    process = session.hook(debugging.Session())
    session.type('./dispatch; printenv TEXT >text; exit 3')
    assert process.wait(PATIENCE_S) == 3
    assert session.ran == 'config-changed at=\n'
    assert (session.folder / 'text').read_text() == 'two\nlines $HOME `id`\n'
    assert session.there()


def test_a_charm_that_stops_by_itself_is_run_at_once(session: Bench):
    process = session.hook(debugging.Session(at='hook'), CODE='4')
    assert process.wait(PATIENCE_S) == 4
    assert session.ran == 'config-changed at=hook\n'


def test_a_session_that_ends_lets_the_hook_end_with_what_was_run_last(session: Bench):
    process = session.hook(debugging.Session())
    session.type('./dispatch; tmux kill-session -t $JUJU_UNIT_NAME')
    assert process.wait(PATIENCE_S) == 0
    assert session.ran == 'config-changed at=\n'


# A tmux that never waits for the processes of its windows: a real one now and then misses one.
NEGLECTFUL = """\
#!/bin/sh
for last; do :; done
case "$*" in *new-window*) python3 -c '
import subprocess, sys, time
process = subprocess.Popen(sys.argv[1].split())
time.sleep(60)' "$last" >/dev/null 2>&1 & echo $! >neglects ;; esac
"""


def test_a_process_that_tmux_has_not_waited_for_has_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    tmux = bench.folder / 'bin/tmux'
    tmux.parent.mkdir()
    tmux.write_text(NEGLECTFUL)
    tmux.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmux.parent}:{os.environ["PATH"]}')
    process = bench.hook(debugging.Session(at='hook'), CODE='4')
    try:
        assert process.wait(PATIENCE_S) == 4
    finally:
        os.kill(int((bench.folder / 'neglects').read_text()), signal.SIGKILL)


def test_without_a_session_the_hook_fails_and_does_not_hang(bench: Bench):
    assert not bench.there()
    assert bench.hook(debugging.Session()).wait(PATIENCE_S) != 0


def test_the_session_ends_when_the_user_goes(bench: Bench):
    pid, terminal = pty.fork()
    if pid == 0:
        script = debugging.client_script(bench.uuid, UNIT)
        path = os.environ['PATH']  # Alone, as in a machine that is a process.
        os.execve('/bin/bash', ['/bin/bash', '-c', script], {'PATH': path})  # noqa: S606
    until(bench.there)
    until(lambda: 'prefix C-a' in bench.tmux('show-options', '-t', UNIT))
    bench.tmux('detach-client', '-s', UNIT)
    until(lambda: not bench.there())
    os.close(terminal)
    os.waitpid(pid, 0)
