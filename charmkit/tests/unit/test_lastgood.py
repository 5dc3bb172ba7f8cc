"""What a process group of Apache finds on disk after new files that were not good."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
from typing import Any

import pytest
from charmkit import apply, drive, host, lastgood, processes

GROUP = 'wsgi:demo'


def want(root: pathlib.Path, *texts: str, vhost: str = '1') -> host.Host:
    """A server with one process group, whose trial refuses the word ``bad`` in its files."""
    paths = [str(root / f'demo-{n}.conf') for n in range(len(texts))]
    trial = f'! grep -h bad {root}/demo-*.conf'
    return host.Host(
        files=(
            host.File(path=str(root / 'vhost.conf'), content=vhost, notify=('apache2',)),
            *(
                host.File(path=path, content=text, notify=(GROUP,), mode=0o640)
                for path, text in zip(paths, texts, strict=True)
            ),
        ),
        services=(
            host.SystemdService('apache2', on_change='reload'),
            host.SystemdService(
                GROUP,
                part_of='apache2',
                trial=host.Command(name='trial of demo', argv=('sh', '-c', trial), key=''),
            ),
        ),
    )


def _all_new(service: str) -> str:
    assert service == GROUP
    return ''


def _none_new(service: str) -> str:
    assert service == GROUP
    return 'no new processes'


@pytest.fixture
def machine(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> apply.LocalMachine:
    """This machine, with a systemd that always says that all is well."""
    told: dict[str, Any] = {'up': False}

    real: Any = subprocess.run

    def systemd(argv: Any, **given: Any) -> subprocess.CompletedProcess[str]:
        if argv[0] != 'systemctl':
            return real(argv, **given)
        if {'stop', 'disable'} & set(argv):
            told['up'] = False
            return subprocess.CompletedProcess(argv, 0, '', '')
        if 'show' in argv:
            state = 'active' if told['up'] else 'inactive'
            said = f'ActiveState={state}\nSubState=running\nNeedDaemonReload=no\nUnitFileState=enabled\n'
            return subprocess.CompletedProcess(argv, 0, said, '')
        told['up'] = True
        return subprocess.CompletedProcess(argv, 0, '', '')

    monkeypatch.setattr(subprocess, 'run', systemd)
    monkeypatch.setattr(processes, 'recycle', _all_new)
    return apply.LocalMachine('demo', tmp_path / 'memory')


def texts(root: pathlib.Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in sorted(root.glob('*.conf'))}


def test_what_the_trial_refuses_is_not_left_for_the_next_start(
    machine: apply.LocalMachine, tmp_path: pathlib.Path
) -> None:
    drive.reconcile(machine, want(tmp_path, 'good'))
    bad = want(tmp_path, 'bad', 'new')
    for _ in range(2):  # It is tried again in the next hook, and is no better then.
        outcome = drive.reconcile(machine, bad)
        assert outcome.failed == {
            GROUP: 'trial of demo: bad; its last good files are in force again'
        }
        assert texts(tmp_path) == {'demo-0.conf': 'good', 'vhost.conf': '1'}
    better = drive.reconcile(machine, want(tmp_path, 'better', 'new'))
    assert better.failed == {}
    assert texts(tmp_path) == {'demo-0.conf': 'better', 'demo-1.conf': 'new', 'vhost.conf': '1'}
    assert drive.reconcile(machine, want(tmp_path, 'better', 'new')).steps == ()


def test_a_reload_of_the_server_takes_up_the_last_good_files_of_what_it_runs(
    machine: apply.LocalMachine, tmp_path: pathlib.Path
) -> None:
    drive.reconcile(machine, want(tmp_path, 'good'))
    outcome = drive.reconcile(machine, want(tmp_path, 'bad', vhost='2'))
    assert [str(s) for s in outcome.steps[-2:]] == [f'try {GROUP}', 'reload apache2']
    assert list(outcome.failed) == [GROUP]
    assert texts(tmp_path) == {'demo-0.conf': 'good', 'vhost.conf': '2'}
    # It has not come up with them: that is not forgotten for the reload.
    again = drive.reconcile(machine, want(tmp_path, 'bad', vhost='2'))
    assert [s.verb for s in again.steps] == ['write', 'recycle']
    assert list(again.failed) == [GROUP]


def test_a_start_of_the_server_takes_up_the_last_good_files_of_what_it_runs(
    machine: apply.LocalMachine, tmp_path: pathlib.Path
) -> None:
    good, bad = want(tmp_path, 'good'), want(tmp_path, 'bad')
    drive.reconcile(machine, good)
    stopped = tuple(dataclasses.replace(s, state='stopped') for s in bad.services)
    assert drive.reconcile(machine, dataclasses.replace(bad, services=stopped)).failed == {}
    assert texts(tmp_path)['demo-0.conf'] == 'bad'
    outcome = drive.reconcile(machine, bad)
    assert [str(s) for s in outcome.steps] == [f'try {GROUP}', 'start apache2']
    assert list(outcome.failed) == [GROUP]
    assert texts(tmp_path)['demo-0.conf'] == 'good'
    # It has not come up with them: that is not forgotten for the start.
    assert list(drive.reconcile(machine, bad).failed) == [GROUP]


def test_processes_that_do_not_come_up_leave_the_last_good_files(
    machine: apply.LocalMachine, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive.reconcile(machine, want(tmp_path, 'good'))
    ended: list[str] = []
    monkeypatch.setattr(processes, 'recycle', _none_new)
    monkeypatch.setattr(processes, 'end_idle', ended.append)
    outcome = drive.reconcile(machine, want(tmp_path, 'hangs'))
    assert outcome.failed == {GROUP: 'no new processes; its last good files are in force again'}
    assert texts(tmp_path)['demo-0.conf'] == 'good'
    assert ended == [GROUP]


def test_what_has_never_come_up_keeps_its_files(tmp_path: pathlib.Path) -> None:
    keeper = lastgood.LastGood(tmp_path / 'good')
    host_ = want(tmp_path, 'bad')
    (tmp_path / 'demo-0.conf').write_text('bad')
    assert not keeper.put_back(GROUP, host_)
    assert (tmp_path / 'demo-0.conf').read_text() == 'bad'


def test_copies_are_for_root_alone(tmp_path: pathlib.Path) -> None:
    keeper = lastgood.LastGood(tmp_path / 'good')
    keeper.keep(GROUP, want(tmp_path, 'password = secret'))
    (kept,) = (tmp_path / 'good').iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    assert 'secret' in ''.join(json.loads(kept.read_text()).values())
