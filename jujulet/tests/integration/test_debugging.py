"""``juju debug-hooks`` in a terminal: a hook waits for its user."""

from __future__ import annotations

import os
import pathlib
import pty
import subprocess
from collections.abc import Callable

import jubilant

from jujulet.core import debugging

from .conftest import CHARMS
from .waiting import settle

WINDOW = 'testdb/0:config-changed'


def test_a_hook_waits_until_its_user_has_run_it(juju: jubilant.Juju, jujulet: pathlib.Path):
    juju.deploy(CHARMS / 'testdb')
    settle(juju, lambda s: jubilant.all_agents_idle(s, 'testdb'))
    server = debugging.socket(juju.show_model().model_uuid, 'testdb/0')

    def tmux(*words: str) -> str:
        argv = ['tmux', '-L', server, *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout

    def until(so: Callable[[], bool]) -> None:
        juju.wait(lambda _: so(), delay=0.1, successes=1, timeout=60)

    pid, terminal = pty.fork()
    if pid == 0:
        words = ['juju', 'debug-hooks', '--model', str(juju.model), 'testdb/0', 'config-changed']
        os.execvp(jujulet / 'bin' / 'juju', words)  # noqa: S606
    until(lambda: 'testdb/0' in tmux('list-sessions'))
    juju.config('testdb', {'testoption': 'by hand'})
    until(lambda: 'yours to run' in tmux('capture-pane', '-p', '-t', WINDOW))
    assert not jubilant.all_agents_idle(juju.status(), 'testdb')
    tmux('send-keys', '-t', WINDOW, 'config-get testoption >got; ./dispatch; exit', 'Enter')
    settle(juju, lambda s: jubilant.all_agents_idle(s, 'testdb'))
    assert juju.exec('cat got', unit='testdb/0').stdout == 'by hand\n'
    tmux('detach-client', '-s', 'testdb/0')
    until(lambda: 'testdb/0' not in tmux('list-sessions'))
    juju.config('testdb', {'testoption': 'by itself'})  # Nobody is there any more.
    settle(juju, lambda s: jubilant.all_agents_idle(s, 'testdb'))
    os.close(terminal)
    os.waitpid(pid, 0)
