"""What goes along to a machine made from nothing: how to reach the world, and nothing of this host's own disk."""

from __future__ import annotations

import pathlib
import signal
import subprocess

import pytest

from tools import environment_options, fresh

ROOT = pathlib.Path(__file__).parents[2]

PIP = """\
global.index-url='https://user:secret@mirror.example/simple'
global.cert='{certificate}'
global.find-links='/opt/wheels'
global.constraint='/etc/xdg/pip/constraints.txt'
global.extra-index-url='https://more.example/simple file:///opt/pypi/simple'
install.index-url='https://install.example/simple'
:env:.timeout='180'
"""


def test_variables_that_say_how_to_reach_the_world_are_taken_and_no_others():
    given = {
        'https_proxy': 'http://proxy:3128',
        'NO_PROXY': 'localhost',
        'PIP_CERT': '/etc/ca.pem',
        'UV_DEFAULT_INDEX': 'https://mirror.example/simple',
        'SSL_CERT_FILE': '',
        'HOME': '/home/me',
        'SSH_AUTH_SOCK': '/run/me',
        'JUJULET_DATA': '/var/tmp/mine',
        'PYTHONPATH': '/opt',
    }
    assert environment_options.environment(given).keys() == {
        'https_proxy', 'NO_PROXY', 'PIP_CERT', 'UV_DEFAULT_INDEX',
    }  # fmt: skip


def test_of_pip_the_index_and_the_way_to_it_are_taken():
    found = environment_options.pip_options(PIP.format(certificate='/etc/ca.pem'))
    assert found == {
        'index-url': 'https://install.example/simple',
        'cert': '/etc/ca.pem',
        'extra-index-url': 'https://more.example/simple file:///opt/pypi/simple',
    }


def test_what_lies_on_this_hosts_disk_stays_unless_it_is_a_file_that_goes_along():
    files = {'/etc/ca.pem': '/etc/carried/0-ca.pem'}
    assert environment_options.elsewhere('/etc/ca.pem', files) == '/etc/carried/0-ca.pem'
    assert environment_options.elsewhere('/opt/wheels', files) == ''
    assert (
        environment_options.elsewhere('https://a/simple file:///opt/b', files)
        == 'https://a/simple'
    )


def test_a_machine_has_it_in_files_of_its_own_that_others_cannot_read(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    certificate, root = tmp_path / 'ca.pem', tmp_path / 'root'
    certificate.write_text('certificate')
    (root / 'etc').mkdir(parents=True)

    def run(*_args: object, **_more: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess((), 0, PIP.format(certificate=certificate), '')

    monkeypatch.setattr(subprocess, 'run', run)
    proxy = "http://user:it's secret@proxy:3128"
    environment_options.configuration(
        root, {'https_proxy': proxy, 'SSL_CERT_FILE': str(certificate)}
    )
    environment = root / 'etc/carried/environment'
    assert {
        environment.stat().st_mode & 0o777,
        (root / 'etc/pip.conf').stat().st_mode & 0o777,
    } == {0o600}
    monkeypatch.undo()
    script = f'set -a; . {environment}; echo "$https_proxy $SSL_CERT_FILE"'
    said = subprocess.run(['sh', '-c', script], capture_output=True, text=True, check=True).stdout
    assert said == f'{proxy} /etc/carried/0-ca.pem\n'
    assert (root / 'etc/carried/0-ca.pem').read_text() == 'certificate'
    conf = (root / 'etc/pip.conf').read_text()
    assert 'cert = /etc/carried/0-ca.pem\n' in conf
    assert 'find-links' not in conf and 'file:' not in conf


def test_one_line_a_base_says_what_passed_or_what_failed():
    assert fresh.Done('debian@12', (('up', 333.6), ('test', 1800.0))).line() == (
        'debian@12: passed: up 334 s, test 1800 s'
    )
    failed = fresh.Done(
        'debian@13', (('up', 400.0),), 'test, exit code 2: build/fresh/debian-13.log'
    )
    assert failed.line() == (
        'debian@13: FAILED: test, exit code 2: build/fresh/debian-13.log (passed: up 400 s)'
    )


def test_its_commands_are_the_makefiles():
    targets = (ROOT / 'Makefile').read_text()
    for script in (fresh.COMMANDS['up'], fresh.COMMANDS['test']):
        for command in script.split(' && '):
            assert f'\n{command.removeprefix("make ")}: ' in targets
    assert {'git', 'make'} == {*fresh.PACKAGES}


def test_who_interrupts_twice_does_not_interrupt_the_removal(monkeypatch: pytest.MonkeyPatch):
    now: dict[int, object] = {}
    monkeypatch.setattr(signal, 'signal', now.__setitem__)
    with pytest.raises(KeyboardInterrupt):
        fresh.interrupted(signal.SIGINT, None)
    assert now == dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), signal.SIG_IGN)
