"""A deployed bundle as openstacksdk sees it, against a keystone of a few lines."""

from __future__ import annotations

import dataclasses
import http.server
import json
import pathlib
import threading
from collections.abc import Generator

import openstack.config
import pytest

from tools import cloud as cloud_

PASSWORD = 'Sésame, "ouvre"-toi: #1'


@dataclasses.dataclass
class Keystone:
    """What it answers to validations, in turn; 200 when there is no more; and how often it was asked."""

    url: str = ''
    answers: list[int] = dataclasses.field(default_factory=list[int])
    asked: int = 0
    logins: int = 0
    enough: threading.Event = dataclasses.field(default_factory=threading.Event)


def _handler(keystone: Keystone) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
            password = body['auth']['identity']['password']['user']['password']
            keystone.logins += 1
            said = b'{"token": {"expires_at": "2999-01-01T00:00:00.000000Z", "catalog": []}}'
            self._answer(201 if password == PASSWORD else 401, said)

        def do_GET(self) -> None:
            keystone.asked += 1
            status = keystone.answers.pop(0) if keystone.answers else 200
            if not keystone.answers:
                keystone.enough.set()
            self._answer(status, b'{}')

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header('X-Subject-Token', 'a-token')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = '-', size: int | str = '-') -> None:
            pass

    return Handler


@pytest.fixture
def keystone() -> Generator[Keystone]:
    """A keystone that listens on this machine alone."""
    keystone = Keystone()
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), _handler(keystone)) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        keystone.url = f'http://127.0.0.1:{server.server_port}'
        yield keystone
        server.shutdown()


def cloud(keystone: Keystone, password: str = PASSWORD) -> cloud_.Cloud:
    return cloud_.Cloud({'keystone': {'public': keystone.url}}, password)


def test_the_administrator_gets_a_token(keystone: Keystone):
    assert cloud_.token(cloud(keystone)) == 'a-token'


def test_a_wrong_password_is_told_without_the_password(keystone: Keystone):
    with pytest.raises(RuntimeError, match='401') as told:
        cloud_.token(cloud(keystone, 'wrong-password'))
    assert 'wrong-password' not in str(told.value)


def test_nobody_there_is_told_with_the_address():
    with pytest.raises(RuntimeError, match=r'no token from http://127\.0\.0\.1:1/v3'):
        cloud_.token(cloud_.Cloud({'keystone': {'public': 'http://127.0.0.1:1'}}, PASSWORD))


def test_a_status_is_an_answer_and_not_an_error(keystone: Keystone):
    keystone.answers = [503]
    assert cloud_.status(cloud(keystone), keystone.url) == 503
    assert keystone.logins == 0


@pytest.mark.parametrize('failure', [401, 500, 503])
def test_what_is_lost_is_counted_and_not_asked_again(keystone: Keystone, failure: int):
    keystone.answers = [200, failure, 200]
    tally = validated_until_enough(keystone)
    assert len(tally.lost) == 1
    assert str(failure) in tally.lost[0]
    assert tally.asked == keystone.asked
    assert keystone.logins == 1


def test_nothing_is_lost_when_all_is_well(keystone: Keystone):
    keystone.answers = [200, 200, 200]
    assert validated_until_enough(keystone).lost == []


def validated_until_enough(keystone: Keystone) -> cloud_.Tally:
    """What was tallied until all of the keystone's answers were given."""
    tally = cloud_.Tally()
    asking = threading.Thread(
        target=cloud_.ask_until, args=(keystone.enough, cloud(keystone), tally), daemon=True
    )
    asking.start()
    asking.join(30)
    return tally


def test_clients_read_the_same_login_from_clouds_yaml(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ('OS_CLOUD', 'OS_CLIENT_CONFIG_FILE'):
        monkeypatch.delenv(name, raising=False)
    there = cloud_.Cloud({'keystone': {'public': 'http://10.0.0.1:5000'}}, PASSWORD)
    file = tmp_path / 'clouds.yaml'
    file.write_text(cloud_.clouds_yaml(there))
    read = openstack.config.OpenStackConfig(config_files=[str(file)], load_envvars=False)
    found = read.get_one('rambla')
    assert found.config['auth'] == cloud_.login(there)['auth']
    assert found.config['auth']['auth_url'] == 'http://10.0.0.1:5000/v3'


def test_what_is_to_be_trusted_is_in_a_file_that_clients_are_told_of(tmp_path: pathlib.Path):
    cloud = cloud_.Cloud({'keystone': {'public': 'https://10.0.0.1:5000'}}, PASSWORD, 'a root\n')
    assert pathlib.Path(cloud_.login(cloud)['cacert']).read_text() == 'a root\n'
    kept = str(tmp_path / 'ca.pem')
    path = tmp_path / 'clouds.yaml'
    path.write_text(cloud_.clouds_yaml(cloud, kept))
    found = openstack.config.OpenStackConfig(config_files=[str(path)]).get_one('rambla')
    assert found.get_requests_verify_args()[0] == kept
    assert 'cacert' not in cloud_.login(dataclasses.replace(cloud, ca=''))
