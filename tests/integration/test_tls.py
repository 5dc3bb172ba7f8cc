"""bundles/tls.yaml: clients that verify, certificates that are replaced under load, and the way to TLS and back."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
import time
import urllib.parse
import warnings
from collections.abc import Generator
from typing import Any

import jubilant
import pytest

from tools import secret_search

from .accounts import accounts_with_tls
from .conftest import BUNDLES, Model, settle

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(2400)]

CERTIFICATE = '/etc/haproxy/certificates/public/certificate.pem'


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def juju(request: pytest.FixtureRequest, model: Model) -> Generator[jubilant.Juju]:
    with model(request.param) as juju:
        juju.deploy(BUNDLES / 'tls.yaml')
        settle(juju)
        yield juju


def frontend(
    juju: jubilant.Juju, service: str = 'keystone', kind: str = 'public'
) -> dict[str, Any]:
    """What *service* was told of its endpoint of a *kind*."""
    for relation in juju.show_unit(f'{service}/0').relation_info:
        if relation.endpoint == f'{kind}-backend':
            return json.loads(relation.app_data['frontends'])[service][kind]
    raise AssertionError(f'there is no {kind}-backend')


def trusting(juju: jubilant.Juju) -> ssl.SSLContext:
    """A client that trusts the authority, and nobody else."""
    root = juju.run('ca/0', 'get-ca').results['ca-certificate']
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=root)
    return context


class Client:
    """Asks keystone for its versions."""

    def __init__(self, url: str, context: ssl.SSLContext | None):
        found = urllib.parse.urlsplit(url)
        assert found.hostname
        self.connection = (
            http.client.HTTPSConnection(found.hostname, found.port, timeout=20, context=context)
            if context
            else http.client.HTTPConnection(found.hostname, found.port, timeout=20)
        )

    def ask(self) -> tuple[int, dict[str, Any]]:
        self.connection.request('GET', '/v3')
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            return answer.status, {'error': body.decode(errors='replace')}
        return answer.status, json.loads(body)

    def serial(self) -> str:
        """Of the certificate that is shown."""
        sock: Any = self.connection.sock
        return sock.getpeercert()['serialNumber']

    def close(self) -> None:
        self.connection.close()


def ask(url: str, context: ssl.SSLContext | None) -> tuple[int, dict[str, Any]]:
    """By a connection of its own."""
    with contextlib.closing(Client(url, context)) as client:
        return client.ask()


def serial_at(url: str, context: ssl.SSLContext) -> str:
    """Of the certificate that a new client is shown."""
    with contextlib.closing(Client(url, context)) as client:
        client.connection.connect()
        return client.serial()


@contextlib.contextmanager
def load(url: str, context: ssl.SSLContext | None) -> Generator[dict[str, Any]]:
    """Clients on connections of their own each time, and on one that is kept; what is lost is told."""
    stop = threading.Event()
    found: dict[str, Any] = {'sent': 0, 'lost': [], 'serials': set()}

    def keep_asking(*, keep: bool) -> None:
        client = Client(url, context)
        while not stop.is_set():
            found['sent'] += 1
            try:
                status, said = client.ask()
                if context and client.connection.sock:
                    found['serials'].add(client.serial())
                if status != 200:
                    found['lost'].append(f'{time.strftime("%H:%M:%S")} {status} {said}')
            except (OSError, http.client.HTTPException) as e:
                found['lost'].append(f'{time.strftime("%H:%M:%S")} {e!r}')
                client.close()
            if not keep:
                client.close()
        client.close()

    threads = [threading.Thread(target=keep_asking, kwargs={'keep': n % 2 == 0}) for n in range(4)]
    for t in threads:
        t.start()
    try:
        time.sleep(1)
        yield found
        time.sleep(1)
    finally:
        stop.set()
        for t in threads:
            t.join()


def workers(juju: jubilant.Juju) -> str:
    """haproxy's processes: a reload makes another."""
    return juju.cli('ssh', 'lb/0', 'pgrep -x haproxy | sort')


def until(what: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, what
        time.sleep(1)


def test_clients_that_verify_are_served_and_others_are_not(juju: jubilant.Juju) -> None:
    said = frontend(juju)
    assert said['url'].startswith('https://')
    status, versions = ask(said['url'], trusting(juju))
    assert status == 200
    # Links are those of the way that the client came.
    assert versions['version']['links'][0]['href'].startswith(said['url'])
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(said['url'], ssl.create_default_context())
    with pytest.raises((OSError, http.client.HTTPException)):
        ask(said['url'].replace('https', 'http'), None)


def log_in(juju: jubilant.Juju) -> str:
    """A token of the admin's, by verified TLS."""
    password = juju.run('keystone/0', 'get-admin-password').results['password']
    domain = {'id': 'default'}
    body = {
        'auth': {
            'identity': {
                'methods': ['password'],
                'password': {'user': {'name': 'admin', 'domain': domain, 'password': password}},
            },
            'scope': {'project': {'name': 'admin', 'domain': domain}},
        }
    }
    with contextlib.closing(Client(frontend(juju)['url'], trusting(juju))) as client:
        headers = {'Content-Type': 'application/json'}
        client.connection.request('POST', '/v3/auth/tokens', json.dumps(body), headers)
        response = client.connection.getresponse()
        assert response.status == 201, response.read()
        return response.headers['X-Subject-Token']


def resource_providers(juju: jubilant.Juju, token: str) -> int:
    """The status of a request to placement, which has to ask keystone for whom the token is."""
    url = frontend(juju, 'placement', 'internal')['url']
    with contextlib.closing(Client(url, trusting(juju))) as client:
        client.connection.request('GET', '/resource_providers', headers={'X-Auth-Token': token})
        return client.connection.getresponse().status


def test_a_service_that_trusts_the_authority_reaches_keystone_and_one_that_does_not_is_told(
    juju: jubilant.Juju,
) -> None:
    configuration = juju.exec(
        'grep ^auth_url /etc/placement/placement.conf', unit='placement/0'
    ).stdout
    assert 'https://' in configuration
    assert resource_providers(juju, log_in(juju)) == 200
    juju.remove_relation('placement:receive-ca-cert', 'ca:send-ca-cert')
    settle(juju)
    assert resource_providers(juju, log_in(juju)) in (500, 503)
    juju.integrate('placement:receive-ca-cert', 'ca:send-ca-cert')
    settle(juju)
    assert resource_providers(juju, log_in(juju)) == 200


def servers(juju: jubilant.Juju, service: str) -> list[str]:
    """The lines of haproxy's configuration that name units of *service*."""
    text = juju.exec('cat /etc/haproxy/haproxy.cfg', unit='lb/0').stdout
    return [line.strip() for line in text.splitlines() if f' server {service}-' in line]


def listens(juju: jubilant.Juju, unit: str) -> set[str]:
    """Addresses and ports on which Apache listens, but for loopback."""
    found = juju.exec("ss -Hltnp | grep apache2 | awk '{print $4}'", unit=unit).stdout.split()
    return {where.rpartition(':')[2] for where in found if not where.startswith('127.')}


def test_units_are_reached_by_tls_alone_and_their_certificates_are_verified(
    juju: jubilant.Juju,
) -> None:
    for service, port in (('keystone', '15000'), ('placement', '18778')):
        until(lambda s=service, p=port: listens(juju, f'{s}/0') == {p})
        lines = servers(juju, service)
        assert lines and all(
            f':{port} ' in line and 'verify required' in line and f'{service}-0.internal' in line
            for line in lines
        ), lines
    settle(juju)
    assert 'http inside' not in juju.status().apps['lb'].units['lb/0'].workload_status.message
    # The client's address, and not the load balancer's, is in the services' logs, over TLS too.
    ask(frontend(juju)['url'], trusting(juju))
    log = juju.exec('tail -n 50 /var/log/openstack-apache/keystone-access.log', unit='keystone/0')
    balancer = juju.status().apps['lb'].units['lb/0'].public_address
    ours = [line for line in log.stdout.splitlines() if '"GET /v3 ' in line]
    assert ours and all(line.split()[1] != balancer for line in ours), ours


def test_old_versions_of_tls_are_refused(juju: jubilant.Juju) -> None:
    context = trusting(juju)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert ask(frontend(juju)['url'], context)[0] == 200
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)  # It is what this is about.
        context.set_ciphers('ALL:@SECLEVEL=0')
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r'(?i)protocol version|unsupported protocol'):
        ask(frontend(juju)['url'], context)


def test_keys_are_for_root_alone_and_in_no_databag_log_or_argument(juju: jubilant.Juju) -> None:
    mode = juju.exec(f'stat -c %a:%U {CERTIFICATE}', unit='lb/0').stdout.strip()
    assert mode == '600:root'
    for unit in ('lb/0', 'ca/0', 'keystone/0'):
        shown = juju.cli('show-unit', unit)
        assert 'BEGIN CERTIFICATE' in shown or unit == 'keystone/0'
        assert 'PRIVATE KEY' not in shown
    assert 'PRIVATE KEY' not in juju.debug_log(limit=0)
    found = juju.exec(
        "grep -rl 'PRIVATE KE[Y]' /etc /var/log /var/lib/juju /run 2>/dev/null | sort", unit='lb/0'
    ).stdout.split()
    # The distribution's own aside, and the libraries that write such files.
    others = ('/etc/ssl/', '/etc/ssh/', '/venv/')
    ours = [f for f in found if not any(one in f for one in others)]
    assert all(f.startswith('/etc/haproxy/certificates/') for f in ours), ours


def test_no_secret_lies_where_others_can_read_it(juju: jubilant.Juju) -> None:
    """Nor in arguments while passwords and certificates are replaced; what is planted is found."""
    secret_search.watch(juju, 120)
    juju.run('keystone/0', 'rotate-password', {'user': 'admin'})
    juju.run('ca/0', 'renew', {'what': 'certificates'})
    settle(juju)
    known, found = secret_search.search(juju)
    assert known >= 10
    assert found == []
    plant = 'umask 022; cat /etc/placement/placement.conf > /opt/planted; logger < /opt/planted'
    juju.exec(plant, unit='placement/0')
    found = secret_search.search(juju)[1]
    assert {
        where for line in found for where in ('/opt/planted', 'the journal') if where in line
    } == {
        '/opt/planted',
        'the journal',
    }
    juju.exec(
        'rm /opt/planted; journalctl --rotate; journalctl --vacuum-time=1s', unit='placement/0'
    )


def test_no_request_is_lost_while_certificates_are_replaced(
    juju: jubilant.Juju,
) -> None:
    url, context = frontend(juju)['url'], trusting(juju)
    before, serial = workers(juju), serial_at(url, context)
    serials = {serial}
    with load(url, context) as found:
        for what in ('certificates', 'issuer', 'certificates'):
            juju.run('ca/0', 'renew', {'what': what})
            until(lambda: serial_at(url, context) not in serials)
            serials.add(serial_at(url, context))
    assert found['lost'] == []
    assert found['sent'] > 100
    assert len(found['serials']) == 4
    assert workers(juju) == before, 'haproxy was reloaded'


def test_what_is_revoked_is_replaced_with_another_key(juju: jubilant.Juju) -> None:
    url, context = frontend(juju)['url'], trusting(juju)
    key = 'openssl x509 -noout -pubkey -in ' + CERTIFICATE
    before, serial = juju.exec(key, unit='lb/0').stdout, serial_at(url, context)
    juju.run('ca/0', 'revoke', {'serial': serial})
    until(lambda: serial_at(url, context) != serial)
    assert juju.exec(key, unit='lb/0').stdout != before


def test_a_unit_with_a_certificate_that_is_not_its_own_gets_no_request_and_is_named(
    juju: jubilant.Juju,
) -> None:
    """Apache's file is replaced by hand: as if somebody else answered at the unit's address."""
    make = (
        'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 '
        '-subj /CN=placement-0.internal -addext subjectAltName=DNS:placement-0.internal '
        '-keyout /root/k.pem -out /root/c.pem 2>/dev/null && cat /root/c.pem /root/k.pem '
        '> /etc/ssl/private/openstack.pem && systemctl reload apache2'
    )
    juju.exec('cp -p /etc/ssl/private/openstack.pem /root/good.pem', unit='placement/0')
    juju.exec(make, unit='placement/0')
    said = 'placement/0 gets no requests: its certificate is not accepted'
    until(lambda: said in juju.status().apps['lb'].units['lb/0'].workload_status.message)
    log = '/var/log/openstack-apache/placement-api-access.log'
    count = f'grep -c stranger {log} || true'
    with contextlib.closing(
        Client(frontend(juju, 'placement', 'internal')['url'], trusting(juju))
    ) as client:
        client.connection.request('GET', '/stranger')
        assert client.connection.getresponse().status == 503
    assert juju.exec(count, unit='placement/0').stdout.strip() == '0'
    juju.exec(
        'cp -p /root/good.pem /etc/ssl/private/openstack.pem && systemctl reload apache2 && rm /root/*.pem',
        unit='placement/0',
    )
    until(lambda: said not in juju.status().apps['lb'].units['lb/0'].workload_status.message)
    settle(juju)


def two_keystones(juju: jubilant.Juju) -> tuple[str, str]:
    """So that each is out of rotation while its Apache changes: a lone one is never taken out."""
    units = ('keystone/0', 'keystone/1')
    if units[1] not in juju.status().get_units('keystone'):
        juju.cli('add-unit', 'keystone')
        settle(juju)
    until(lambda: all(listens(juju, u) == {'15000'} for u in units), 300)
    return units


def test_units_go_to_http_inside_and_back_and_lose_nothing(juju: jubilant.Juju) -> None:
    units = two_keystones(juju)
    url, context = frontend(juju)['url'], trusting(juju)
    with load(url, context) as found:
        juju.remove_relation('keystone:certificates', 'ca:certificates')
        until(lambda: all(listens(juju, u) == {'5000'} for u in units), 300)
        assert not any('verify' in line for line in servers(juju, 'keystone'))
        settle(juju)
        message = juju.status().apps['lb'].units['lb/0'].workload_status.message
        assert 'http inside, to keystone' in message
        juju.integrate('keystone:certificates', 'ca:certificates')
        until(lambda: all(listens(juju, u) == {'15000'} for u in units), 300)
    assert found['lost'] == [] and found['sent'] > 100
    settle(juju)


def test_the_way_to_http_and_back_loses_nothing(juju: jubilant.Juju) -> None:
    url, context = frontend(juju)['url'], trusting(juju)
    juju.config('lb', {'tls-transition': '20'})
    settle(juju)
    with load(url, context) as found:
        juju.remove_relation('lb:certificates', 'ca:certificates')
        until(lambda: frontend(juju)['url'].startswith('http://'))
    assert found['lost'] == []
    plain = frontend(juju)['url']
    with load(plain, None) as found:
        until(
            lambda: 'ssl crt' not in juju.exec('cat /etc/haproxy/haproxy.cfg', unit='lb/0').stdout
        )
        juju.integrate('lb:certificates', 'ca:certificates')
        until(lambda: frontend(juju)['url'].startswith('https://'))
    assert found['lost'] == [] and found['sent'] > 100
    # Who asked would use it, and it would stay.
    until(
        lambda: '.any.plain' not in juju.exec('cat /etc/haproxy/haproxy.cfg', unit='lb/0').stdout
    )
    assert not _answers(plain)
    assert ask(url, trusting(juju))[0] == 200


def _answers(url: str) -> bool:
    try:
        return ask(url, None)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


PLAIN_LOGIN = """
import pymysql, re
text = open('/etc/keystone/keystone.conf').read()
user, password, host, name = re.search(r'pymysql://(.*?):(.*?)@(.*?)/(.*?)[?]', text).groups()
try:
    pymysql.connect(user=user, password=password, host=host, database=name)
except pymysql.err.OperationalError as e:
    print(e.args[0])
else:
    print('let in')
"""


def test_services_come_to_the_database_by_verified_tls_and_by_nothing_else(
    juju: jubilant.Juju,
) -> None:
    """The last one here: what came before is without it."""
    two_keystones(juju)
    juju.integrate('mysql:certificates', 'ca:certificates')
    until(
        lambda: (
            accounts_with_tls(juju, 'keystone', 'placement') == {'keystone': '1', 'placement': '1'}
        ),
        300,
    )
    for path, unit in (
        ('/etc/keystone/keystone.conf', 'keystone/0'),
        ('/etc/placement/placement.conf', 'placement/0'),
    ):
        assert 'ssl_ca=' in juju.exec(f"grep -o 'ssl_ca=.*' {path}", unit=unit).stdout
    said = juju.cli('ssh', 'keystone/0', f'sudo python3 - <<"END"\n{PLAIN_LOGIN}\nEND')
    assert said.strip() == '1045'  # Access denied.
    assert log_in(juju)
    process = 'systemctl show --property=MainPID mariadb'
    show = 'openssl x509 -noout -serial -in /etc/mysql/charm-certificate.pem'
    before = [juju.exec(command, unit='mysql/0').stdout for command in (process, show)]
    with load(frontend(juju)['url'], trusting(juju)) as found:
        juju.run('ca/0', 'renew', {'what': 'certificates'})
        until(lambda: juju.exec(show, unit='mysql/0').stdout != before[1])
        settle(juju)
        assert log_in(juju)
    assert found['lost'] == []
    juju.exec('systemctl restart apache2', unit='keystone/0')  # All connections are new.
    until(lambda: ask(frontend(juju)['url'], trusting(juju))[0] == 200)
    assert log_in(juju)
    assert juju.exec(process, unit='mysql/0').stdout == before[0], 'MariaDB was restarted'
