"""Names in DNS where no charm keeps them: a server takes updates of them, signed."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from balancer import dns_options, dns_update, nsupdate, reply, validation
from charmkit import testing as machines
from charmkit.machine import Finished, HttpResponse, UnreachableError
from hypothesis import given
from hypothesis import strategies as st
from ops import testing

from .test_charm import HERE, charm, ctx, keystone, machine
from .test_dns_records import ASKED, NAME, SERVES, peers

__all__ = ['charm', 'ctx', 'machine']  # fixtures

KEY = base64.b64encode(b'0123456789abcdef0123456789abcdef').decode()
SERVER = 'server 192.0.2.53 53'
BOTH = [
    'update delete cloud.example.com. A',
    'update add cloud.example.com. 30 A 10.1.0.5',
    'update add cloud.example.com. 30 A 10.1.0.6',
    'update delete cloud.example.com. AAAA',
    'update add cloud.example.com. 30 AAAA 2001:db8::6',
]


@dataclasses.dataclass
class Server:
    """A DNS server, by the program that updates it."""

    status: int = 0
    says: str = ''
    scripts: list[str] = dataclasses.field(default_factory=list[str])
    argvs: list[tuple[str, ...]] = dataclasses.field(default_factory=list[tuple[str, ...]])

    def shell(self, argv: tuple[str, ...], stdin: str) -> Finished:
        if argv[0] != 'nsupdate':
            return Finished(0)
        self.scripts.append(stdin)
        self.argvs.append(argv)
        return Finished(self.status, self.says)

    @property
    def updates(self) -> list[str]:
        """What the scripts wanted changed."""
        words = ('update', 'zone')
        return [x for s in self.scripts for x in s.splitlines() if x.startswith(words)]


@pytest.fixture
def server(machine: machines.FakeMachine) -> Iterator[Server]:
    found = Server()
    machine.shell = found.shell
    machine.web = lambda _: HttpResponse(200)
    yield found
    assert KEY not in repr(found.argvs)


def state(*others: reply.Member, key: str = KEY, **options: Any) -> testing.State:
    secret = testing.Secret({'key': key}, owner=None)
    config = {
        'hostnames': NAME,
        'dns-server': '192.0.2.53',
        'dns-key-name': 'lb.example.com',
        'dns-key': secret.id,
        **{k.replace('_', '-'): v for k, v in options.items()},
    }
    return testing.State(
        leader=True,
        networks=HERE,
        relations={keystone(), peers(*others)},
        secrets={secret},
        config=config,
    )


def again(out: testing.State, **options: Any) -> testing.State:
    return dataclasses.replace(out, config={**out.config, **options})


def test_a_name_leads_to_every_unit_that_serves(ctx: Any, server: Server):
    out = ctx.run(ctx.on.config_changed(), state(ASKED))
    assert out.unit_status == testing.ActiveStatus('1 frontend')
    (script,) = server.scripts
    key = f'key hmac-sha256:lb.example.com {KEY}'
    assert script.splitlines() == [SERVER, key, *BOTH, 'send']


def test_a_unit_that_goes_or_does_not_answer_is_in_no_name(
    ctx: Any, machine: machines.FakeMachine, server: Server
):
    out = ctx.run(ctx.on.config_changed(), state(ASKED))
    server.scripts.clear()
    machine.web = lambda _: HttpResponse(503)
    ctx.run(ctx.on.update_status(), out)
    assert server.updates == [BOTH[0], BOTH[1], BOTH[3]]
    server.scripts.clear()
    machine.web = lambda _: HttpResponse(200)
    ctx.run(ctx.on.action('drain-self'), out)
    assert server.updates == [BOTH[0], BOTH[2], BOTH[3], BOTH[4]], 'the leader itself'


def test_a_leader_whose_haproxy_does_not_answer_is_in_no_name(
    ctx: Any, machine: machines.FakeMachine, server: Server
):
    def silent(socket: str, text: str, timeout_s: float = 5.0) -> str:
        raise UnreachableError('nobody listens')

    machine.ask = silent
    ctx.run(ctx.on.config_changed(), state(ASKED))
    assert server.updates == [BOTH[0], BOTH[2], BOTH[3], BOTH[4]]


def test_a_name_leads_to_all_vips_and_stays_in_the_zone_that_is_listed(ctx: Any, server: Server):
    options: dict[str, Any] = {
        'vip': '10.1.0.99 10.1.0.98',
        'dns_zones': 'example.com',
        'dns_ttl': 60,
    }
    ctx.run(ctx.on.config_changed(), state(SERVES, **options))
    assert server.updates == [
        'zone example.com.',
        'update delete cloud.example.com. A',
        'update add cloud.example.com. 60 A 10.1.0.99',
        'update add cloud.example.com. 60 A 10.1.0.98',
        'update delete cloud.example.com. AAAA',
    ]


def test_a_name_that_hostnames_has_no_more_is_taken_away_once(ctx: Any, server: Server):
    out = ctx.run(ctx.on.config_changed(), state(ASKED))
    server.scripts.clear()
    out = ctx.run(ctx.on.config_changed(), again(out, hostnames='public=new.example.com'))
    assert {x for x in server.updates if 'cloud' in x} == {BOTH[0], BOTH[3]}
    server.scripts.clear()
    out = ctx.run(ctx.on.config_changed(), again(out, hostnames='public=new.example.com'))
    assert not any('cloud' in x for x in server.updates)


def test_while_nobody_serves_nothing_is_changed(ctx: Any, server: Server):
    out = ctx.run(ctx.on.config_changed(), state(ASKED))
    bags = {r for r in out.relations if r.id == 1000}
    published = json.loads(out.get_relation(1000).local_app_data[dns_update.PUBLISHED])
    assert published == {'cloud.example.com': ['10.1.0.5', '10.1.0.6', '2001:db8::6']}
    server.scripts.clear()
    out = ctx.run(ctx.on.config_changed(), dataclasses.replace(out, relations=bags))
    assert json.loads(out.get_relation(1000).local_app_data[dns_update.PUBLISHED]) == published
    assert all(line in BOTH for line in server.updates)


def test_what_was_taken_is_sent_again_by_and_by_and_not_with_each_hook(
    ctx: Any, machine: machines.FakeMachine, server: Server
):
    out = ctx.run(ctx.on.config_changed(), state(ASKED))
    out = ctx.run(ctx.on.config_changed(), out)
    assert len(server.scripts) == 1
    machine.clock += dns_update.ANEW_S
    ctx.run(ctx.on.update_status(), out)
    assert len(server.scripts) == 2


@pytest.mark.parametrize(
    ('status', 'says', 'shown'),
    [
        (2, 'update failed: REFUSED\n', 'update failed: REFUSED'),
        (
            1,
            '; Communication with 192.0.2.53#53 failed: timed out\ncould not reach any name server\n',
            'Communication with 192.0.2.53#53 failed: timed out; could not reach any name server',
        ),
        (-1, '', 'no answer within 20 s'),
        (1, f'cannot use {KEY}\x07', 'cannot use …'),
        (127, '', 'nsupdate ended with 127'),
    ],
)
def test_what_the_server_says_is_in_the_status_and_it_is_asked_again(
    ctx: Any, machine: machines.FakeMachine, server: Server, status: int, says: str, shown: str
):
    server.status, server.says = status, says
    out = ctx.run(ctx.on.config_changed(), state(ASKED))
    assert out.unit_status.message.startswith(f'DNS server 192.0.2.53 takes no update: {shown}')
    assert KEY not in out.unit_status.message
    out = ctx.run(ctx.on.config_changed(), out)
    assert len(server.scripts) == 1, 'a server that is away delays no hook'
    assert shown in out.unit_status.message
    machine.clock += dns_update.RETRY_S
    server.status, server.says = 0, ''
    out = ctx.run(ctx.on.update_status(), out)
    assert out.unit_status == testing.ActiveStatus('1 frontend')


@pytest.mark.parametrize(
    ('options', 'says'),
    [
        ({'key': 'no base64'}, 'option dns-key: its key is not base64 of 16 bytes or more'),
        ({'key': 'c2hvcnQ='}, 'option dns-key: its key is not base64 of 16 bytes or more'),
        ({'key': f'{KEY}\nserver x'}, 'option dns-key: its key is not base64'),
        ({'dns_key_name': ''}, 'option dns-server needs dns-key-name: updates are signed'),
        ({'dns_key': 'secret:cvq3a0kn8j1s73d1p7ag'}, 'option dns-key: it cannot be read'),
    ],
)
def test_without_a_key_nothing_is_sent(
    ctx: Any, server: Server, options: dict[str, str], says: str
):
    out = ctx.run(ctx.on.config_changed(), state(ASKED, **options))
    assert says in out.unit_status.message
    assert server.scripts == []


@pytest.mark.parametrize(
    ('says', 'sent'),
    [('update failed: REFUSED', 2), ('; Communication with 192.0.2.53#53 failed: timed out', 1)],
)
def test_a_zone_that_is_refused_keeps_none_from_the_others_and_a_server_that_is_away_is_asked_once(
    ctx: Any, server: Server, says: str, sent: int
):
    server.status, server.says = 2, says
    api = keystone(changes={'endpoint-types': ['public', 'internal']})
    names = 'public=cloud.example.com internal=api.internal'
    start = state(hostnames=names, dns_zones='example.com internal')
    given = dataclasses.replace(start, relations={api, peers()})
    ctx.run(ctx.on.config_changed(), given)
    assert len(server.scripts) == sent


def test_only_the_leader_sends(ctx: Any, server: Server):
    given = dataclasses.replace(state(ASKED), leader=False)
    out = ctx.run(ctx.on.config_changed(), given)
    assert server.scripts == []
    assert 'DNS' not in out.unit_status.message


def test_no_log_or_record_has_the_key(ctx: Any, machine: machines.FakeMachine, server: Server):
    out = ctx.run(ctx.on.config_changed(), state(ASKED))
    task = nsupdate.Update(
        server='s', port=53, messages=('x',), key_name='n', algorithm='a', key=KEY
    )
    seen = [repr(task), repr(machine.programs), repr(ctx.juju_log), repr(out.relations)]
    seen += [repr(out.stored_states), repr(machine.kept), repr(machine.desired)]
    assert not any(KEY in text for text in seen)


@given(st.text(max_size=40))
def test_whatever_an_option_holds_it_is_read_or_refused(text: str):
    for name, (reader, default) in dns_options.READERS.items():
        reader(default, name)
        try:
            found = reader(text, name)
        except validation.InvalidError as e:
            assert name in str(e)
            continue
        assert '\n' not in str(found)


@pytest.mark.parametrize(
    ('text', 'found'),
    [
        ('ns.example.com', ('ns.example.com', 53)),
        ('192.0.2.53:5353', ('192.0.2.53', 5353)),
        ('2001:db8::53', ('2001:db8::53', 53)),
        ('[2001:db8::53]:5353', ('2001:db8::53', 5353)),
        ('', ('', 53)),
    ],
)
def test_a_server_is_a_host_and_may_have_a_port(text: str, found: tuple[str, int]):
    assert dns_options.READERS['dns-server'][0](text, 'dns-server') == found


@pytest.mark.parametrize(
    ('text', 'good'),
    [('lb_key', True), ('lb.example.com.', True), ('Lb-1', True), ('-k', False), ('a;b', False),
     ('"a"', False), ('a b', False), ('hmac-md5:a', False)],
)  # fmt: skip
def test_a_key_has_a_name_that_says_nothing_else_to_the_program(text: str, good: bool):
    reader = dns_options.READERS['dns-key-name'][0]
    if good:
        assert reader(text, 'dns-key-name') == text.lower()
    else:
        with pytest.raises(validation.InvalidError, match='dns-key-name'):
            reader(text, 'dns-key-name')
