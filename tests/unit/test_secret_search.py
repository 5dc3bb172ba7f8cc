"""A secret that lies where others can read it is found, and is not shown."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile
import types
from collections.abc import Generator
from typing import Any

import pytest

from tools import secret_search, secret_search_machine

PASSWORD = 'correct-horse-battery'
KEY = """-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj
MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu
NMoSfm76oqFvAp8Gy0iz5sxjZmSnXyCdPEovGhLa0VzMaQ8s+CLOyS56YyCFGeJZ
-----END PRIVATE KEY-----
"""


@pytest.mark.parametrize(
    ('text', 'found'),
    [
        (f'[keystone_authtoken]\npassword = {PASSWORD}\n', {PASSWORD}),
        (f'memcache_secret_key={PASSWORD}\n', {PASSWORD}),
        (f'  metadata_proxy_shared_secret = "{PASSWORD}"  # kept', {PASSWORD}),
        (f'connection = mysql+pymysql://nova:{PASSWORD}@10.0.0.1/nova?ssl', {PASSWORD}),
        (f'transport_url = rabbit://n:{PASSWORD}@a:5672,n:{PASSWORD}2@b:5672/v', {PASSWORD, PASSWORD + '2'}),
        (KEY, {'MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu'}),
        ('dZl5hW0gUTWHQXb7CxMZTb7GQ9rNVDxQjC1cfNEVBvI=\n', {'dZl5hW0gUTWHQXb7CxMZTb7GQ9rNVDxQjC1cfNEVBvI='}),
        ('password = short\n', set[str]()),
        ('#password = <None>\npassword_hash_rounds = 12\n', set[str]()),
        ('auth_url = http://10.0.0.1:5000/v3\npassword_file = /etc/keystone/secret-password', set[str]()),
        ('-----BEGIN CERTIFICATE-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nMzEfYyjiWA4R4\n', set[str]()),
    ],
)  # fmt: skip
def test_secrets_of_configuration_files_are_known(text: str, found: set[str]):
    assert secret_search_machine.secrets_in(text.encode()) == {f.encode() for f in found}


@pytest.fixture
def top() -> Generator[pathlib.Path]:
    """A folder that everybody can enter, as pytest's own are not."""
    made = pathlib.Path(tempfile.mkdtemp(prefix='secret-search-'))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def looked(top: pathlib.Path, known: str = PASSWORD) -> list[str]:
    """Where *known* was found below *top*, as names of files; and in arguments."""
    watched = top.with_name(f'{top.name}-watched')
    found = secret_search_machine.places([known], str(watched), str(top))
    return [place.removeprefix(f'{top}/') for place, index in found if index == 0]


def write(path: pathlib.Path, mode: int, text: str = f'password = {PASSWORD}\n') -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def test_what_everybody_can_read_is_found_and_nothing_else(top: pathlib.Path):
    write(top / 'kept.conf', 0o640)
    write(top / 'open.conf', 0o644)
    write(top / 'a/b/open.conf', 0o604)
    write(top / 'closed/open.conf', 0o644)
    (top / 'closed').chmod(0o750)
    write(top / 'clean.conf', 0o644, 'password = another-one-altogether')
    (top / 'link.conf').symlink_to(top / 'kept.conf')
    assert sorted(looked(top)) == [
        'a/b/open.conf, which everybody can read',
        'open.conf, which everybody can read',
    ]


def test_arguments_of_a_process_are_looked_at(top: pathlib.Path):
    write(top / 'kept.conf', 0o640)
    secret = f'{PASSWORD}-of-a-process'
    code = 'import sys; print(flush=True); sys.stdin.read()'
    argv = [sys.executable, '-c', code, f'--password={secret}']
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert looked(top, secret) == [f'arguments of {sys.executable}']
        process.communicate()
    assert looked(top, secret) == []


def test_a_process_that_has_ended_was_seen(top: pathlib.Path):
    secret = f'{PASSWORD}-of-one-that-ended'
    watched = top / 'watched'
    code = 'import sys; print(flush=True); sys.stdin.read()'
    with subprocess.Popen(
        [sys.executable, '-c', code, secret], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        secret_search_machine.watch(str(watched), 0.2)
        process.communicate()
    assert watched.stat().st_mode & 0o777 == 0o600
    found = secret_search_machine.places([secret], str(watched), str(top / 'nothing'))
    assert found == [[f'arguments of {sys.executable}, seen', 0]]


def test_a_finding_says_where_and_not_what():
    known = {PASSWORD: 'a secret of mysql/0', 'of-nobody-else': 'a secret of keystone/0'}
    places = [('the status', f'blocked: access denied with {PASSWORD}'), ("Juju's log", 'nothing')]
    assert secret_search.findings(known, places) == ['a secret of mysql/0 is in the status']


def test_what_is_kept_is_gathered_and_what_everybody_reads_is_no_secret(
    top: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    write(top / 'kept.conf', 0o640)
    write(top / 'example.conf', 0o644, 'password = of-the-example-in-the-package\n')
    monkeypatch.setattr(secret_search_machine, 'KEPT', (str(top),))
    assert secret_search_machine.gather() == [PASSWORD]


def test_relation_data_may_hold_passwords_where_the_interface_has_them_and_nowhere_else():
    shown = {
        'keystone/0': {
            'workload-version': '22.0.2',
            'relation-info': [
                {
                    'related-units': {
                        'mysql/0': {
                            'data': {
                                'password': PASSWORD,
                                'nova_password': PASSWORD,
                                'shared-metadata-secret': PASSWORD,
                                'db_host': f'10.0.0.1?{PASSWORD}',
                            }
                        }
                    },
                    'application-data': {'key': KEY},
                }
            ],
        }
    }
    each = dict(secret_search.texts(shown))
    assert each['key'] == KEY
    assert each['db_host'].endswith(PASSWORD)
    taken = {key for key in each if secret_search.BY_INTERFACE.fullmatch(key)}
    assert taken == {'password', 'nova_password', 'shared-metadata-secret'}
    assert not secret_search.BY_INTERFACE.fullmatch('password_hint')


def test_a_file_that_goes_meanwhile_is_no_finding_and_no_end(
    top: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    write(top / 'kept.conf', 0o640)

    def with_one_gone(*_: object) -> list[str]:
        return [str(top / 'gone.MYI'), str(top / 'kept.conf')]

    monkeypatch.setattr(secret_search_machine, 'files', with_one_gone)
    assert secret_search_machine.gather() == [PASSWORD]


def test_each_machine_is_looked_through_once():
    def app(**machines: str) -> Any:
        units = {
            n.replace('_', '/'): types.SimpleNamespace(machine=m) for n, m in machines.items()
        }
        return types.SimpleNamespace(units=units)

    apps = {
        'mysql': app(mysql_0='0'),
        'nova': app(nova_0='1', nova_1='0'),
        'plugin': app(plugin_0=''),
    }
    status: Any = types.SimpleNamespace(apps=apps)
    assert secret_search.principals(status) == ['mysql/0', 'nova/0']
