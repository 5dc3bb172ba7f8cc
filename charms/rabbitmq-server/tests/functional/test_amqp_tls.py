"""TLS on a real RabbitMQ, and OpenStack's own library that verifies it, on both releases: nothing restarts for it."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
from collections.abc import Iterator

import listeners
import node
import pytest
from charmkit import conf, releases
from charmkit import x509 as certs
from charmkit.proxy import tls
from charmkit.relations import rabbitmq, server_tls

from charms.tests.authorities import AUTHORITIES, signed
from tools import systems, tls_offers

from . import brokers

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(900)]
CA = '/etc/ssl/nova-amqp.pem'
ELSEWHERE = certs.Names(('rabbitmq-server-0.internal',), ('10.255.255.1',))
RPC = """
import logging, sys
import oslo_messaging as om
from oslo_config import cfg
logging.basicConfig(level=logging.ERROR)
conf = cfg.CONF
conf(['--config-file', sys.argv[1]], project='nova')
class Endpoint:
    def double(self, context, number):
        return 2 * number
transport = om.get_rpc_transport(conf)
where = om.Target(topic=sys.argv[2], server='s')
om.get_rpc_server(transport, where, [Endpoint()], executor='threading').start()
make = getattr(om, 'get_rpc_client', None) or om.RPCClient
client = make(transport, om.Target(topic=sys.argv[2]), timeout=20)
print('here', flush=True)
for line in sys.stdin:
    print(client.call({}, 'double', number=int(line)), flush=True)
"""


@pytest.fixture(scope='module', params=systems.BASES)
def app(request: pytest.FixtureRequest) -> Iterator[brokers.Application]:
    """A broker of one that serves, with the client's library on the same machine."""
    base = str(request.param)
    image, name = f'localhost/rambla-amqp-tls-test:{base}', f'rambla-amqp-tls-{base}-{os.getpid()}'
    systems.build(
        image,
        f'FROM {systems.base(base)}\n'
        'RUN export DEBIAN_FRONTEND=noninteractive; echo "exit 101" > /usr/sbin/policy-rc.d; '
        'chmod 755 /usr/sbin/policy-rc.d; apt-get update -q; '
        'apt-get install -y -q --no-install-recommends rabbitmq-server python3-oslo.messaging iptables; '
        'rm /usr/sbin/policy-rc.d /var/lib/rabbitmq/.erlang.cookie; systemctl disable rabbitmq-server\n',
    )
    try:
        member = brokers.Member(name, systems.start(name, image), 'rabbitmq-server/0')
        member.version = member.sh("dpkg-query -W -f '${Version}' rabbitmq-server")
        found = brokers.Application({member.unit: member}, member.unit, member.address)
        found.hooks(2)
        assert found.status[member.unit] == 'active: ', found.status
        yield found
    finally:
        systems.remove(name)


@pytest.fixture(autouse=True)
def shown(app: brokers.Application) -> None:
    """It shows a certificate, and takes clients without TLS too."""
    app.authority, app.names, app.mark = 'first', None, ''
    app.hooks(2)
    assert said(app) == 'active: without TLS come nova/0: port 5672 stays open'


def member(app: brokers.Application) -> brokers.Member:
    return app.members[app.leader]


def said(app: brokers.Application) -> str:
    return app.status[app.leader]


def started(app: brokers.Application) -> str:
    return member(app).sh(f'systemctl show --property=MainPID,NRestarts {node.SERVICE}')


def seen(app: brokers.Application) -> listeners.Seen:
    where = listeners.Listen(member(app).address, True, '')
    return listeners.read(
        member(app)
        .program('rabbitmqctl', '-q', 'eval', listeners.look(where.address), user='root')
        .output
    )


class Service:
    """A process of OpenStack's that has read its configuration, and calls itself by the queue."""

    def __init__(self, app: brokers.Application, broker: rabbitmq.Broker, ca: str = '') -> None:
        here = member(app)
        base = 'debian@12' if here.version.startswith('3.') else 'debian@13'
        text = conf.render(conf.messaging(broker, releases.of_base(base)))
        for path, content in (
            ('/root/rpc.py', RPC),
            ('/root/nova.conf', text),
            (CA, ca or broker.ca),
        ):
            assert here.program('sh', '-c', f'cat > {path}', stdin=content).status == 0
        argv = ('timeout', '600', 'python3', '/root/rpc.py', '/root/nova.conf', f't{id(self)}')
        self.process = subprocess.Popen(
            ('podman', 'exec', '-i', here.name, *argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, number: int) -> int:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f'{number}\n')
        self.process.stdin.flush()
        while (line := self.process.stdout.readline().strip()) == 'here':
            pass
        return int(line or -1)

    def end(self) -> None:
        self.process.communicate(timeout=60)

    def refusal(self) -> str:
        """Why it does not come in; it would try for ever."""
        assert self.process.stderr
        for line in self.process.stderr:
            if 'AMQP server' in line or 'ERROR' in line:
                break
        else:
            line = ''
        self.process.kill()
        self.end()
        return line


def secure(app: brokers.Application) -> set[str]:
    """Whether those that are connected came by TLS."""
    return {*member(app).sh('rabbitmqctl -q list_connections ssl --no-table-headers').split()}


def reached(app: brokers.Application, address: str, port: int) -> bool:
    done = member(app).program('bash', '-c', f': < /dev/tcp/{address}/{port}')
    return done.status == 0


def test_clients_change_over_and_nothing_restarts(app: brokers.Application):
    before = started(app)
    answer = app.answers[app.leader]
    assert answer['ssl_port'] == '5671' and answer[server_tls.CA]
    old = {k: v for k, v in answer.items() if 'ssl' not in k}
    app.answers[app.leader], full = old, answer
    plain = Service(app, app.broker())
    assert plain.call(1) == 2 and secure(app) == {'false'}
    app.answers[app.leader] = full
    broker = app.broker()
    assert ':5671/' in broker.transport_url and broker.ca
    service = Service(app, broker)
    assert service.call(2) == 4 and secure(app) == {'false', 'true'}
    app.mark = server_tls.mark(broker.ca)
    app.hooks(1)
    here = member(app).address
    assert 'connections: port 5672 stays open' in said(app) and reached(app, here, 5672)
    assert plain.call(3) == 6, 'whoever is connected stays so'
    plain.end()
    app.hooks(1)
    assert said(app) == 'active: ' and not reached(app, here, 5672)
    assert reached(app, '127.0.0.1', 5672), 'programs on the machine come as before'
    assert service.call(4) == 8 and started(app) == before
    # A node that starts by itself listens as it did.
    member(app).sh(f'systemctl restart {node.SERVICE}')
    assert not reached(app, here, 5672) and reached(app, here, 5671)
    assert service.call(5) == 10
    again = started(app)
    app.hooks(1)
    assert said(app) == 'active: ' and started(app) == again
    # The way back: open first, then clients are told.
    app.authority = ''
    app.hooks(1)
    assert reached(app, here, 5672) and 'ssl_port' not in app.answers[app.leader]
    app.mark = ''
    back = Service(app, app.broker())
    assert back.call(6) == 12 and service.call(7) == 14
    back.end()
    service.end()
    assert started(app) == again


def test_another_authority_is_refused(app: brokers.Application):
    refused = Service(app, app.broker(), AUTHORITIES['second'][0])
    assert 'certificate verify failed' in refused.refusal()


@pytest.fixture
def elsewhere(app: brokers.Application) -> Iterator[None]:
    """It shows a certificate for another address, which the charm would not."""
    here = member(app)
    before = here.sh(f'cat {listeners.PEM}')
    key = certs.new_key('a server' * 8, 'elsewhere')
    by = AUTHORITIES['first'][1]
    own = signed('it', 'first', by, certs.own_key(key).public_key(), ELSEWHERE)
    show(here, f'{own}\n{key}')
    yield
    show(here, f'{before}\n')


def show(here: brokers.Member, pem: str) -> None:
    assert here.program('sh', '-c', f'cat > {listeners.PEM}', stdin=pem).status == 0
    here.sh(f"rabbitmqctl -q eval '{listeners.erlang('take-up', here.address)}'")


@pytest.mark.usefixtures('elsewhere')
def test_another_address_is_refused(app: brokers.Application):
    assert 'certificate verify failed' in Service(app, app.broker()).refusal()


@pytest.mark.usefixtures('elsewhere')
def test_by_the_librarys_own_defaults_it_would_not_be(
    app: brokers.Application, monkeypatch: pytest.MonkeyPatch
):
    """The twin: what looks can see it."""
    broker = app.broker()
    rendered = conf.render

    def without(ini: conf.Ini) -> str:
        return rendered(ini).replace('ssl_enforce_hostname', 'x')

    monkeypatch.setattr(conf, 'render', without)
    service = Service(app, broker)
    assert service.call(1) == 2
    service.end()


def test_another_certificate_breaks_no_connection(app: brokers.Application):
    service, before = Service(app, app.broker()), started(app)
    assert service.call(1) == 2
    first = seen(app).shown
    app.edition += 1
    app.hooks(1)
    assert seen(app).shown not in ('', first)
    assert service.call(2) == 4 and started(app) == before
    other = Service(app, app.broker())
    assert other.call(3) == 6
    other.end()
    service.end()


def test_a_node_that_goes_on_with_the_one_before_is_told_of(
    app: brokers.Application, monkeypatch: pytest.MonkeyPatch
):
    """The twin: without being told, it would."""
    first = seen(app).shown
    app.edition += 1
    erlang = listeners.erlang

    def without(verb: listeners.Verb, address: str) -> str:
        return 'ok.' if verb == 'take-up' else erlang(verb, address)

    monkeypatch.setattr(listeners, 'erlang', without)
    app.hooks(1)
    assert seen(app).shown == first
    assert 'does not show its certificate yet: it answers with another one' in said(app)


def offered(app: brokers.Application) -> dict[str, list[str]]:
    """By Mozilla's words (Server Side TLS): protocols, and cipher suites of TLS 1.2."""
    script = pathlib.Path(tls_offers.__file__).read_text()
    argv = ('python3', '-I', '-', member(app).address, '5671')
    return json.loads(member(app).program(*argv, stdin=script).output)


def test_nothing_is_offered_that_mozilla_does_not_advise(app: brokers.Application):
    found = offered(app)
    assert found['protocols'] == ['TLSv1.2', 'TLSv1.3']
    assert found['suites'] and {*found['suites']} <= {*tls.CIPHERS.split(':')}
    member(app).sh(f'systemctl restart {node.SERVICE}')
    assert offered(app) == found, 'a node that starts offers the same'


def test_an_operators_maintenance_is_left_alone(app: brokers.Application):
    here = member(app)
    here.sh('rabbitmq-upgrade -q drain')
    try:
        app.hooks(1)
        assert not reached(app, here.address, 5672) and not reached(app, here.address, 5671)
    finally:
        here.sh('rabbitmq-upgrade -q revive')
    app.hooks(1)
    assert reached(app, here.address, 5672) and reached(app, here.address, 5671)
