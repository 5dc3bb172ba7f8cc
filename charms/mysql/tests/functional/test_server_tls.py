"""TLS on a real MariaDB, and the driver of OpenStack's services that verifies it, on both releases."""

from __future__ import annotations

import json
import pathlib
import subprocess
from collections.abc import Iterator
from typing import cast

import charmkit
import grants
import mariadb
import pytest
import server
import server_tls
from charmkit import Facts, Inputs, host, unit_certificate
from charmkit import x509 as certs
from charmkit.proxy import tls
from charmkit.relations import Site, mysql

from charms.tests.authorities import AUTHORITIES, signed
from tools import tls_offers

from .conftest import Machine, configure

pytestmark = pytest.mark.functional

KEYS = grants.Keys('x' * 64)
CA = '/etc/ssl/nova-shared-db.pem'
ASK = """
import sqlalchemy, sys
engine = sqlalchemy.create_engine(sys.stdin.readline().strip(), connect_args={'connect_timeout': 5})
with engine.connect() as connection:
    print(connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Ssl_version'").fetchone()[1] or 'plain')
    print(flush=True)
    for line in sys.stdin:
        print(connection.exec_driver_sql('SELECT 42').fetchone()[0], flush=True)
"""


def put(machine: Machine, path: str, content: str) -> None:
    command = ('podman', 'exec', '-i', machine.name, 'sh', '-c', f'umask 022; cat > {path}')
    subprocess.run(command, input=content, text=True, check=True)


def certificate(machine: Machine, *names: str, by: str = 'first') -> str:
    key = certs.new_key('a server' * 8, by)
    asked = certs.Names.of(names or (machine.address,))
    own = signed('it', by, AUTHORITIES[by][1], certs.own_key(key).public_key(), asked)
    return f'{own}\n{key}'


def inputs(machine: Machine) -> Inputs:
    where = {'shared-db': machine.address}
    return Inputs(
        site=Site(unit='mysql/0', leader=True, address=machine.address, addresses=where),
        facts=Facts(base='debian@12', memory_mib=2048),
        memory={server_tls.MEMORY: {'on': True}},
        unit_secret='u' * 64,
    )


def show(machine: Machine, pem: str) -> None:
    put(machine, server_tls.PEM, pem)
    assert take_up(machine) == ''


def take_up(machine: Machine) -> str:
    return server_tls.TakeUp('d').carry_out(cast('charmkit.Machine', machine))


@pytest.fixture(autouse=True)
def started(machine: Machine) -> Iterator[None]:
    given = inputs(machine)
    if machine.run('test', '-e', server_tls.CONFIG).returncode:
        apt = 'apt-get install -y -q --no-install-recommends python3-pymysql python3-sqlalchemy'
        assert machine.run('sh', '-c', apt).returncode == 0
        plain = mariadb.desired_state(given).host.files[0]
        configure(machine, plain.content, plain.path)
        assert take_up(machine) == 'it is to be restarted'
        desired = charmkit.Desired(host=host.Host(files=(mariadb.config_file(given),)))
        wanted = server_tls.beside(desired, server_tls.decide(given), given).host.files
        for file in wanted:
            put(machine, file.path, file.content)
            assert machine.run('chown', f'root:{file.group}', file.path).returncode == 0
            assert machine.run('chmod', f'{file.mode:o}', file.path).returncode == 0
        configure(machine, plain.content, plain.path)
    else:
        show(machine, unit_certificate.placeholder(given))
    put(machine, CA, AUTHORITIES['first'][0])
    yield


def converge(machine: Machine, *, by_tls: bool, keys: grants.Keys = KEYS) -> server.Report:
    mark = 'a' * 16 if by_tls else ''
    asked = [mysql.Request('nova/0', '', 'nova', 'nova', (machine.address, '127.0.0.1'), mark)]
    want = grants.desired(asked, frozenset(asked) if by_tls else frozenset())
    report = server.Converge(want, keys, 'first').carry_out(cast('charmkit.Machine', machine))
    assert report.refused == '' and grants.holds(asked[0], report.seen, keys, want.secured)
    return report


def url(machine: Machine, address: str = '', ca: str = 'there is one') -> str:
    password = KEYS.password('nova')
    return mysql.Database('nova', 'nova', address or machine.address, password, '', ca, CA).url


def client(machine: Machine, where: str) -> subprocess.Popen[str]:
    """A service that has connected, and asks again for each line."""
    opened = subprocess.Popen(
        ('podman', 'exec', '-i', machine.name, 'python3', '-c', ASK),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert opened.stdin
    opened.stdin.write(f'{where}\n')
    opened.stdin.flush()
    return opened


def connect(machine: Machine, where: str) -> str:
    """The version of TLS, ``plain``, or the last line of what went wrong."""
    said, wrong = client(machine, where).communicate(timeout=60)
    return said.split()[0] if said else [x for x in wrong.splitlines() if 'Error' in x][-1]


def test_a_client_verifies_who_it_talks_to(machine: Machine):
    converge(machine, by_tls=False)
    assert 'CERTIFICATE_VERIFY_FAILED' in connect(machine, url(machine))  # The placeholder.
    show(machine, certificate(machine))
    assert connect(machine, url(machine)) in ('TLSv1.2', 'TLSv1.3')
    assert connect(machine, url(machine, ca='')) == 'plain'
    assert 'Hostname mismatch' in connect(machine, url(machine, '127.0.0.1')) or (
        'IP address mismatch' in connect(machine, url(machine, '127.0.0.1'))
    )
    put(machine, CA, AUTHORITIES['second'][0])
    assert 'CERTIFICATE_VERIFY_FAILED' in connect(machine, url(machine))


def test_programs_on_the_machine_come_by_the_socket_as_before(machine: Machine):
    show(machine, certificate(machine))
    for argv in (
        ('mariadb', '-e', 'SELECT 1'),
        ('mariadb-admin', 'ping'),
        ('mariadb-dump', '--all-databases', '--single-transaction'),
        ('mariadb-check', '--databases', 'sys'),
        ('runuser', '-u', 'nobody', '--', 'mariadb', '--help'),
    ):
        done = machine.run(*argv)
        assert done.returncode == 0, (argv, done.stderr[-500:])


def test_another_certificate_breaks_no_connection(machine: Machine):
    converge(machine, by_tls=False)
    show(machine, certificate(machine))
    opened = client(machine, url(machine))
    assert opened.stdin and opened.stdout
    while opened.stdout.readline().strip():
        pass
    put(machine, CA, '\n'.join(root for root, _ in AUTHORITIES.values()))
    before = machine.run('systemctl', 'show', '--property=MainPID', 'mariadb').stdout
    show(machine, certificate(machine, by='second'))
    assert connect(machine, url(machine)) in ('TLSv1.2', 'TLSv1.3')
    opened.stdin.write('again\n')
    opened.stdin.flush()
    assert opened.stdout.readline().strip() == '42'
    opened.communicate()
    assert machine.run('systemctl', 'show', '--property=MainPID', 'mariadb').stdout == before
    put(machine, CA, AUTHORITIES['first'][0])
    assert 'CERTIFICATE_VERIFY_FAILED' in connect(machine, url(machine)), 'it shows the old one'


def test_an_account_that_comes_by_tls_is_let_in_by_nothing_else(machine: Machine):
    show(machine, certificate(machine))
    converge(machine, by_tls=False)
    assert connect(machine, url(machine, ca='')) == 'plain'
    assert converge(machine, by_tls=True).done
    assert converge(machine, by_tls=True).done == ()
    assert 'Access denied' in connect(machine, url(machine, ca=''))
    assert connect(machine, url(machine)) in ('TLSv1.2', 'TLSv1.3')
    # A new password leaves it so.
    both = grants.Keys('x' * 64, {'nova': 1}, frozenset({'nova'}))
    assert converge(machine, by_tls=True, keys=both).done
    assert 'Access denied' in connect(machine, url(machine, ca=''))
    assert connect(machine, url(machine)) in ('TLSv1.2', 'TLSv1.3')
    converge(machine, by_tls=False)
    assert connect(machine, url(machine, ca='')) == 'plain'


@pytest.mark.parametrize('what', ['', 'nonsense', 'a key of somebody else'])
def test_a_certificate_that_cannot_be_read_leaves_the_one_before(machine: Machine, what: str):
    converge(machine, by_tls=False)
    show(machine, certificate(machine))
    good = certificate(machine).partition('-----BEGIN PRIVATE')[0]
    wrong = good + certs.new_key('b' * 64, 'other') if what.startswith('a key') else what
    put(machine, server_tls.PEM, wrong)
    assert take_up(machine)
    assert connect(machine, url(machine)) in ('TLSv1.2', 'TLSv1.3')


def offered(machine: Machine) -> dict[str, list[str]]:
    """By Mozilla's words (Server Side TLS): protocols, and cipher suites of TLS 1.2."""
    script = pathlib.Path(tls_offers.__file__).read_text()
    asked = ('podman', 'exec', '-i', machine.name, 'python3', '-I', '-', machine.address)
    done = subprocess.run(
        (*asked, '3306', 'mysql'), input=script, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_nothing_is_offered_that_mozilla_does_not_advise(machine: Machine):
    show(machine, certificate(machine))
    found = offered(machine)
    assert found['protocols'] == ['TLSv1.2', 'TLSv1.3']
    assert found['suites'] and {*found['suites']} <= {*tls.CIPHERS.split(':')}


def test_by_its_own_defaults_the_server_would_offer_more(machine: Machine):
    """The twin: what looks can see it."""
    here = server_tls.CONFIG
    mine = machine.run('cat', here).stdout
    try:
        configure(machine, ''.join(x for x in mine.splitlines(True) if 'cipher' not in x), here)
        assert not {*offered(machine)['suites']} <= {*tls.CIPHERS.split(':')}
    finally:
        configure(machine, mine, here)
