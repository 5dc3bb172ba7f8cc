"""The edge: what is asked of the `juju` command, in which words, and what becomes of its answers."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from lifecycle import cli, juju
from lifecycle import client as client_
from lifecycle.problem import ProblemError
from lifecycle.world import NotYetError, UnchangedError, WorldError

PROGRAM = """#!{python}
import json, pathlib, sys, time
here = pathlib.Path(__file__).parent
words = [w for w in sys.argv[1:] if w not in ('--format', 'json')]
if '--model' in words:
    at = words.index('--model')
    del words[at:at + 2]
if '--file' in words:
    at = words.index('--file')
    words[at:at + 2] = [pathlib.Path(words[at + 1]).read_text()]
with (here / 'asked').open('a') as asked:
    asked.write(json.dumps(words) + chr(10))
for said in json.loads((here / 'answers').read_text()):
    if words[:len(said['words'])] == said['words']:
        began = time.monotonic()
        time.sleep(said.get('sleeps', 0))
        with (here / 'times').open('a') as times:
            times.write(json.dumps([began, time.monotonic()]) + chr(10))
        print(said.get('out', ''))
        print(said.get('err', ''), file=sys.stderr)
        sys.exit(said.get('code', 0))
sys.exit('ERROR no answer to ' + ' '.join(words))
"""


class Fake:
    """A program that answers as it is told, and keeps what it was asked."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.program = folder / 'juju'
        self.program.write_text(PROGRAM.format(python=sys.executable))
        self.program.chmod(0o755)

    def answers(self, *said: dict[str, Any]) -> juju.Live:
        (self.folder / 'answers').write_text(json.dumps(said))
        return juju.Live('m', str(self.program))

    @property
    def asked(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / 'asked').read_text().splitlines()]

    @property
    def at_once(self) -> int:
        """How many commands were under way at once, at most."""
        times = [json.loads(line) for line in (self.folder / 'times').read_text().splitlines()]
        return max(sum(a <= at < b for a, b in times) for at, _ in times)


@pytest.fixture
def fake(tmp_path: pathlib.Path) -> Fake:
    return Fake(tmp_path)


def said(words: str, out: object = '', **more: Any) -> dict[str, Any]:
    text = out if isinstance(out, str) else json.dumps(out)
    return {'words': words.split(), 'out': text, **more}


@pytest.mark.parametrize('text', ['hello', '[' * 100_000, '\x00'])
def test_what_is_no_json_is_told_whatever_it_is(fake: Fake, text: str):
    live = fake.answers(said('status', text), said('run', text, code=1, err='it failed'))
    with pytest.raises(WorldError, match='juju answered with no JSON'):
        live.status()
    with pytest.raises(WorldError, match='it failed'):
        live.run_action('k/0', 'pause', 60.0, lambda: None)


def test_a_command_that_does_not_end_is_ended(fake: Fake):
    client = client_.Client(model='m', cli_binary=str(fake.program), running=set())
    fake.answers(said('status', sleeps=30))
    with pytest.raises(WorldError, match='juju status did not end within'):
        client.ask('status', within=0.3)


def test_what_fails_says_what_juju_said(fake: Fake):
    live = fake.answers(said('add-unit', err='ERROR application "x" not found', code=1))
    with pytest.raises(WorldError, match='juju add-unit: ERROR application "x" not found'):
        live.add_unit('x')


@pytest.mark.parametrize(
    ('words', 'kind'),
    [
        ('Nothing was handed over: mysql/1 does not answer', UnchangedError),
        ('not all units run epoxy: x/0 runs zed', NotYetError),
        ('Whether anybody has taken over is not known', WorldError),
    ],
)
def test_an_action_that_fails_is_of_the_kind_that_its_charm_says(
    fake: Fake, words: str, kind: type[WorldError]
):
    task = {'k/0': {'status': 'failed', 'message': words}}
    live = fake.answers(said('run', task, err='ERROR the following task failed', code=1))
    with pytest.raises(WorldError, match=words) as caught:
        live.run_action('k/0', 'switch-over', 60, lambda: None)
    assert type(caught.value) is kind


def test_an_action_that_fails_says_its_own_reason(fake: Fake):
    task = {'k/0': {'status': 'failed', 'message': 'keystone/1 still runs the older release'}}
    live = fake.answers(said('run', task, err='ERROR the following task failed', code=1))
    with pytest.raises(WorldError, match='keystone/1 still runs the older release'):
        live.run_action('k/0', 'db-contract', 60, lambda: None)
    assert fake.asked == [['run', 'k/0', 'db-contract', '--wait', '60s']]


def test_what_an_action_answers_is_one_line_each(fake: Fake):
    results = {'rehearsed': 'keystone (1.0 MiB)\x1b[2J;\nexpand 3.0 s', 'return-code': 0}
    live = fake.answers(said('run', {'k/0': {'status': 'completed', 'results': results}}))
    found = live.run_action('k/0', 'rehearse-migrations', 60, lambda: None)
    assert found == {'rehearsed': 'keystone (1.0 MiB)?[2J; expand 3.0 s', 'return-code': '0'}
    live = fake.answers(said('run', {'k/0': {'status': 'completed', 'results': ['x']}}))
    assert live.run_action('k/0', 'pause', 60, lambda: None) == {}


def test_an_action_that_was_not_completed_is_not_taken_for_one_that_was(fake: Fake):
    live = fake.answers(said('run', {'k/0': {'status': 'running'}}))
    with pytest.raises(WorldError, match='db-expand on k/0: running'):
        live.run_action('k/0', 'db-expand', 60, lambda: None)


def test_a_charm_without_a_declaration_is_not_one_that_cannot_be_read(fake: Fake):
    live = fake.answers(
        said('exec', {'k/0': {'results': {'return-code': 0, 'stdout': '#none\n'}}})
    )
    assert live.declarations(['k/0']) == {'k/0': None}
    live = fake.answers(said('exec', {'k/0': {'results': {'stdout': 'version: 1\n'}}}))
    assert live.declarations(['k/0']) == {'k/0': 'version: 1\n'}
    live = fake.answers(said('exec', {'k/0': {'status': 'failed'}}))
    assert 'no answer' in str(live.declarations(['k/0'])['k/0'])


def test_room_on_a_disk_is_what_df_says(fake: Fake):
    line = 'Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x y 9 3 2048 60% /\n'
    live = fake.answers(said('exec', {'k/0': {'results': {'stdout': line}}}))
    assert live.disks(['k/0']) == {'k/0': 2048 * 1024}
    live = fake.answers(said('exec', {'k/0': {'results': {'stdout': 'df: no such thing'}}}))
    assert live.disks(['k/0']) == {}
    live = fake.answers(said('exec', err='ERROR no agent', code=1))
    assert live.disks(['k/0']) == {}


def test_a_backup_is_as_old_as_the_last_operation_that_made_one(fake: Fake):
    def of(summary: str, at: str) -> dict[str, Any]:
        return {'summary': summary, 'status': 'completed', 'timing': {'completed': at}}

    every = {
        '3': of('backup run on mysql/0', '2026-11-28 12:00:00 +0000 UTC'),
        '5': of('backup run on mysql/0', '2026-11-29T12:00:00Z'),
        '7': of('list-backups run on mysql/0', '2026-11-30 12:00:00 +0000 UTC'),
        '9': of('backup run on mysql/0', 'never'),
    }
    live = fake.answers(said('operations', every))
    assert live.last_run('mysql', 'backup') == 1795953600.0
    live = fake.answers(said('operations', {}))
    assert live.last_run('mysql', 'backup') is None


def test_units_are_asked_several_at_once_and_not_all(fake: Fake):
    live = fake.answers(said('exec', {'x': {'results': {'stdout': 'version: 1\n'}}}, sleeps=1))
    units = [f'k{number}/0' for number in range(juju.AT_ONCE + 3)]
    found = live.declarations(units)
    assert found == dict.fromkeys(units, 'version: 1\n')
    assert 1 < fake.at_once <= juju.AT_ONCE


def test_who_interrupts_does_not_wait_for_units_that_do_not_answer(fake: Fake):
    live = fake.answers(said('exec', sleeps=50))
    timer = threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGINT])
    # Tests that run in the background of a shell are begun with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            live.declarations([f'k/{number}' for number in range(20)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(fake.asked) <= juju.AT_ONCE


def test_what_is_asked_of_a_charm_is_a_shell_line_that_works(tmp_path: pathlib.Path):
    line = juju._CAT  # pyright: ignore[reportPrivateUsage]
    done = subprocess.run(
        ['sh', '-c', line], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == '#none\n'
    (tmp_path / 'lifecycle.yaml').write_text('version: 1\n')
    done = subprocess.run(
        ['sh', '-c', line], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == 'version: 1\n'


def test_a_unit_that_has_gone_is_left_out(fake: Fake):
    live = fake.answers(
        said('show-unit k/0 k/1', err='ERROR unit "k/1" not found', code=1),
        said('show-unit k/0', {'k/0': {}}),
        said('show-unit k/1', err='ERROR unit "k/1" not found', code=1),
    )
    assert live.show_units(['k/0', 'k/1']) == {'k/0': {}}


def test_units_that_juju_does_not_tell_of_are_not_taken_for_gone(fake: Fake):
    live = fake.answers(said('show-unit', err='ERROR connection is shut down', code=1))
    with pytest.raises(WorldError, match='connection is shut down'):
        live.show_units(['k/0', 'k/1'])


def test_an_action_that_juju_says_nothing_of_has_not_run(fake: Fake):
    live = fake.answers(said('run', '{}'))
    with pytest.raises(
        WorldError, match='db-contract on k/0: juju does not say what became of it'
    ):
        live.run_action('k/0', 'db-contract', 60, lambda: None)


def test_while_an_action_runs_its_caller_is_heard(fake: Fake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client_, 'BEAT_S', 0.2)
    task = {'k/0': {'status': 'completed'}}
    live = fake.answers(said('run', task, sleeps=1.5), said('status', {'model': {'name': 'm'}}))
    heard: list[str] = []
    live.run_action('k/0', 'db-online', 60, lambda: heard.append(live.model()))
    assert len(heard) >= 2
    assert set(heard) == {'m'}


def test_what_is_said_while_an_action_runs_ends_it(fake: Fake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client_, 'BEAT_S', 0.2)
    live = fake.answers(said('run', {}, sleeps=30))

    def taken() -> None:
        raise ProblemError('taken over')

    with pytest.raises(ProblemError):
        live.run_action('k/0', 'db-online', 60, taken)


def test_the_record_is_a_secret_of_the_user(fake: Fake):
    live = fake.answers(said('secrets', {}), said('add-secret', 'secret:x'))
    assert live.kept() is None
    live.keep({'record-0': '{}'}, first=True)
    verb, name, *_ = fake.asked[-1]
    assert (verb, name) == ('add-secret', 'lifecycle')
    assert "record-0: '{}'" in ' '.join(fake.asked[-1]) or 'record-0' in ' '.join(fake.asked[-1])
    live = fake.answers(
        said('secrets', {'x': {'name': 'lifecycle'}}),
        said(
            'show-secret lifecycle',
            {'x': {'revision': 3, 'content': {'Data': {'record-0': '{}'}}}},
        ),
    )
    kept = live.kept()
    assert kept is not None
    assert (kept.revision, kept.content) == (3, {'record-0': '{}'})


REFUSED = 'ERROR base "debian@13" not supported by charm "k", supported bases are: ubuntu@24.04'


def test_a_base_that_only_the_declaration_names_is_set_by_force(fake: Fake):
    refused = said('set-application-base k', err=REFUSED, code=1)
    live = fake.answers(said('set-application-base --force'), refused)
    live.set_base('k', 'debian@13', declared=True)
    assert fake.asked[-1] == ['set-application-base', '--force', 'k', 'debian@13']
    with pytest.raises(WorldError, match='not supported by charm'):
        live.set_base('k', 'debian@13', declared=False)


def test_a_juju_that_has_no_force_for_that_is_heard_for_its_reason(fake: Fake):
    unknown = said(
        'set-application-base --force',
        err='ERROR option provided but not defined: --force',
        code=2,
    )
    live = fake.answers(unknown, said('set-application-base k', err=REFUSED, code=1))
    with pytest.raises(WorldError, match='not supported by charm'):
        live.set_base('k', 'debian@13', declared=True)


def test_it_is_known_of_this_machine_alone_that_a_process_has_ended():
    live = juju.Live('m')
    assert not live.is_gone(live.me)
    child = subprocess.Popen(['true'])
    child.wait()
    place = live.me.rpartition(' process ')[0]
    assert live.is_gone(f'{place} process {child.pid}')
    assert not live.is_gone(f'ann@elsewhere process {child.pid}')
    assert not live.is_gone('somebody')


@pytest.mark.skipif(not pathlib.Path('/proc/self').exists(), reason='only /proc tells of zombies')
def test_a_process_that_ended_and_that_its_parent_never_asked_about_has_ended():
    live = juju.Live('m')
    place = live.me.rpartition(' process ')[0]
    with subprocess.Popen(['true'], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read()  # It has ended, or is about to: nobody has asked how.
        ends = time.monotonic() + 10
        while not (gone := live.is_gone(f'{place} process {child.pid}')):
            assert time.monotonic() < ends
        assert gone
        assert child.returncode is None


# --- The command.


@pytest.fixture
def on_path(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Fake:
    monkeypatch.setenv('PATH', f'{fake.folder}:{os.environ["PATH"]}')
    monkeypatch.setenv('XDG_STATE_HOME', str(fake.folder / 'state'))
    return fake


STATUS = {
    'model': {'name': 'm'},
    'machines': {'0': {'base': {'name': 'debian', 'channel': '12'}}},
    'applications': {
        'k': {
            'charm-name': 'k',
            'base': {'name': 'debian', 'channel': '12'},
            'units': {
                'k/0': {
                    'machine': '0',
                    'workload-status': {'current': 'active'},
                    'juju-status': {'current': 'idle'},
                }
            },
        }
    },
}
DECLARED = {'k/0': {'results': {'stdout': 'version: 1\nprovides: [k]\n'}}}


def test_plan_shows_steps_and_changes_nothing(on_path: Fake, capsys: pytest.CaptureFixture[str]):
    on_path.answers(said('secrets', {}), said('status', STATUS), said('exec', DECLARED))
    assert cli.main(['plan', '--to', 'debian@13']) == 0
    shown = capsys.readouterr().out
    assert '▶ k.base' in shown
    assert 'juju set-application-base k debian@13' in shown
    assert {words[0] for words in on_path.asked} <= {'secrets', 'status', 'exec'}


def test_plan_is_there_for_programs(on_path: Fake, capsys: pytest.CaptureFixture[str]):
    on_path.answers(said('secrets', {}), said('status', STATUS), said('exec', DECLARED))
    assert cli.main(['plan', '--to', 'debian@13', '--format', 'json']) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [step['id'] for step in shown['steps']][:3] == ['k.base', 'k.add.1', 'k.admit.1']


def test_nothing_is_begun_where_nobody_can_be_asked(
    on_path: Fake, capsys: pytest.CaptureFixture[str]
):
    on_path.answers(said('secrets', {}), said('status', STATUS), said('exec', DECLARED))
    assert cli.main(['upgrade', '--to', 'debian@13']) == 1
    assert 'add --yes' in capsys.readouterr().err
    assert 'add-secret' not in {words[0] for words in on_path.asked}


def test_status_of_a_model_without_an_upgrade_says_so(
    on_path: Fake, capsys: pytest.CaptureFixture[str]
):
    on_path.answers(said('secrets', {}))
    assert cli.main(['status']) == 0
    assert capsys.readouterr().out == 'no upgrade was begun in this model\n'


def test_what_is_no_base_is_refused_at_once(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as left:
        cli.main(['plan', '--to', 'trixie'])
    assert left.value.code == 2
    assert 'trixie is no base; one is debian@13' in capsys.readouterr().err


def test_a_juju_that_is_not_there_is_one_sentence(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv('PATH', str(tmp_path))
    assert cli.main(['status']) == 1
    said_ = capsys.readouterr().err
    assert said_.startswith('ERROR juju cannot be run')
    assert said_.count('\n') == 1
