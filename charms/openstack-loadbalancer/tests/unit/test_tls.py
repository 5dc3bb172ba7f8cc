"""TLS at the edge, as an operator sees it: certificates come, are refused and replaced; clients change over."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import charmkit
import pki
import pytest
from balancer import credentials, schemes
from charmkit import testing as machines
from charmkit import x509 as certs
from charmkit.proxy import haproxy
from ops import testing

from . import test_charm as usual

Ctx = testing.Context[Any]
CA = pki.Authority()
DAY = 86_400
PUBLIC = credentials.path('public')


class Haproxy(usual.FakeHaproxy):
    """It has certificates, too: those of the files when it was started or reloaded, and what it was told since."""

    def __init__(self, machine: machines.FakeMachine) -> None:
        super().__init__(machine)
        self.shown: dict[str, str] = {}
        self.next: dict[str, str] = {}
        self.deaf = False
        """It takes no certificate while it runs."""
        self.reloads = 0
        self.disk: dict[str, str] = {}
        self.ends: dict[str, float] = {}

    def ask(self, path: str, text: str) -> str:
        if ' set map ' in text:
            _, _, file, of, when = text.removeprefix('@!1 ').split()
            assert file == haproxy.ENDS
            self.ends[of] = float(when)
            return ''
        self.disk |= {
            f.path: f.content for f in self.machine.desired.files if f.path.endswith('.pem')
        }
        command = text.removeprefix('@!1 ')
        if ' ssl cert ' not in command:
            return super().ask(path, text)
        verb, _, _, where = command.split(maxsplit=4)[:4]
        if self.started() != self.reloads:
            self.reloads = self.started()
            self.shown = dict(self.disk)
        if verb == 'show':
            if f'crt {where.rpartition("/")[0]} ' not in self.text:
                return "Can't display the certificate: Not found or the certificate is a bundle!\n"
            (first, *_) = certs.certificates(self.shown.setdefault(where, self.disk[where]))
            return f'Filename: {where}\nSHA1 FingerPrint: {first.fingerprint.upper()}\n'
        if verb == 'set':
            _, _, content = command.partition('<<\n')
            assert content.endswith('\n\n') and '\n\n' not in content[:-2]
            self.next[where] = content
        elif verb == 'commit' and not self.deaf:
            self.shown[where] = self.next.pop(where)
        return ''

    def started(self) -> int:
        return sum(s in ('start haproxy', 'reload haproxy') for s in self.machine.steps) + sum(
            p[:3] == ('systemctl', 'reload', 'haproxy') for p in self.machine.programs
        )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> machines.FakeMachine:
    fake = machines.FakeMachine()
    fake.sockets = Haproxy(fake).ask
    monkeypatch.setattr(charmkit.Charm, 'machine', fake)
    return fake


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> Ctx:
    return testing.Context(usual.charm.LoadBalancerCharm)


def running(machine: machines.FakeMachine) -> Haproxy:
    found: Any = machine.sockets
    return found.__self__


def certificates(i: int = 20) -> testing.Relation:
    return testing.Relation('certificates', id=i, remote_app_name='ca')


def again(ctx: Ctx, state: testing.State) -> testing.State:
    return ctx.run(ctx.on.update_status(), state)


def bag(state: testing.State, i: int) -> dict[str, str]:
    relation: Any = state.get_relation(i)
    return relation.local_app_data


def with_answer(state: testing.State, i: int = 20, **how: Any) -> testing.State:
    """The provider has answered what is asked now."""
    relation: Any = state.get_relation(i)
    asked = relation.local_app_data.get('certificate_signing_requests', '')
    return with_bag(state, CA.answers(asked, **how), i)


def with_bag(state: testing.State, said: dict[str, str], i: int = 20) -> testing.State:
    relation: Any = state.get_relation(i)
    changed = dataclasses.replace(relation, remote_app_data=said)
    others = {r for r in state.relations if r.id != i}
    return dataclasses.replace(state, relations={changed, *others})


def without(state: testing.State, i: int = 20) -> testing.State:
    return dataclasses.replace(state, relations={r for r in state.relations if r.id != i})


def secured(ctx: Ctx, *, transition: int = 3600, **kwargs: Any) -> testing.State:
    """A load balancer that has its certificates, and served nothing before."""
    state = usual.state(
        usual.keystone(), certificates(), config={'tls-transition': transition}, **kwargs
    )
    return again(ctx, with_answer(again(ctx, state)))


def urls(state: testing.State) -> dict[str, str]:
    frontends = json.loads(bag(state, 10)['frontends']).get('keystone', {})
    return {t: f['url'] for t, f in frontends.items()}


def binds(machine: machines.FakeMachine, of: str = 'keystone.public') -> list[str]:
    text = machine.file(haproxy.CONFIG)
    (section,) = [s for s in text.split('\n\n') if s.startswith(f'frontend {of} from')] or ['']
    return [line.strip() for line in section.splitlines() if line.strip().startswith('bind ')]


# Off, it is as it was.


def test_without_a_certificate_there_is_no_word_of_tls(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    out = again(ctx, usual.state(usual.keystone()))
    assert ' ssl ' not in machine.file(haproxy.CONFIG)
    assert not any('certificates' in d.path for d in machine.desired.directories)
    assert urls(out)['public'] == 'http://10.1.0.5:5000/v3'
    assert not list(out.secrets)


# A certificate comes.


def test_one_is_asked_for_each_endpoint_type_with_all_its_names(ctx: Ctx) -> None:
    config = {'vip': '10.1.0.100', 'hostnames': 'public=cloud.example.com'}
    out = again(ctx, usual.state(usual.keystone(), certificates(), config=config))
    found = json.loads(bag(out, 20)['certificate_signing_requests'])
    names = {certs.read_request(r['certificate_signing_request']).names.all for r in found}
    assert names == {('cloud.example.com', '10.1.0.100')}


def test_the_key_is_in_a_secret_of_the_application_and_on_the_disk_of_root(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    out = secured(ctx)
    (secret,) = out.secrets
    assert secret.owner == 'app'
    assert 'PRIVATE KEY' in repr(dict(secret.latest_content or {}))
    assert 'PRIVATE KEY' not in repr(out.relations) + repr(out.stored_states)
    (file,) = [f for f in machine.desired.files if f.path == PUBLIC]
    assert (file.mode, file.owner) == (0o600, 'root')
    assert not file.notify
    assert {d.mode for d in machine.desired.directories if 'certificates' in d.path} == {0o700}
    assert not any('PRIVATE' in word for p in machine.programs for word in p)


def test_while_it_is_waited_for_clients_are_told_of_nothing(ctx: Ctx) -> None:
    out = again(ctx, usual.state(usual.keystone(), certificates()))
    assert urls(out) == {}
    assert out.unit_status == testing.WaitingStatus('waiting for a certificate for public')


def test_where_nothing_was_served_before_tls_is_all_that_is_taken(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    out = secured(ctx)
    assert binds(machine, 'keystone.public.plain')
    assert float(machine.file(usual.programs.WAKE_AT)) == machine.clock + 5
    out = again(ctx, out)
    assert machine.file(usual.programs.WAKE_AT) == '0\n'
    assert urls(out)['public'] == 'https://10.1.0.5:5000/v3'
    folder = f'{credentials.FOLDER}/public'
    ends = f'ssl crt {folder} alpn h2,http/1.1 ssl-min-ver TLSv1.2'
    # The second is for what the worker before the reload has accepted and not yet told apart.
    assert binds(machine) == [
        f'bind 10.1.0.5:5000 {ends}',
        f'bind abns@keystone.public accept-proxy {ends}',
    ]
    assert out.unit_status == testing.ActiveStatus('http inside, to keystone; 1 frontend')
    assert 'X-Forwarded-Proto https' in machine.file(haproxy.CONFIG)


def test_the_operator_may_have_tls_1_3_alone(ctx: Ctx, machine: machines.FakeMachine) -> None:
    config = {'tls-minimum': '1.3'}
    state = usual.state(usual.keystone(), certificates(), config=config)
    again(ctx, again(ctx, with_answer(again(ctx, state))))
    assert binds(machine)[0].endswith('ssl-min-ver TLSv1.3')


def test_browsers_that_come_by_a_name_are_told_to_stay_with_tls(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    config = {'hostnames': 'public=cloud.example.com'}
    state = usual.state(usual.keystone(), certificates(), config=config)
    out = again(ctx, again(ctx, with_answer(again(ctx, state))))
    text = machine.file(haproxy.CONFIG)
    assert (
        'set-var(txn.named) bool(true) if { req.fhdr(host) -i cloud.example.com:5000 cloud.example.com }'
        in text
    )
    assert 'Strict-Transport-Security max-age=31536000 if { var(txn.named) -m bool }' in text
    assert urls(out)['public'] == 'https://cloud.example.com:5000/v3'


def test_what_clients_are_to_trust_is_told(ctx: Ctx) -> None:
    out = secured(ctx)
    assert json.loads(bag(out, 10)['frontends'])['keystone']['public']['ca'] == CA.root


# From HTTP to TLS, and back.


def changing(ctx: Ctx, machine: machines.FakeMachine) -> testing.State:
    """It served HTTP, and has just got its certificates."""
    out = again(ctx, usual.state(usual.keystone(), config={'tls-transition': 600}))
    assert urls(out)['public'].startswith('http://')
    relations = {*out.relations, certificates()}
    out = again(ctx, dataclasses.replace(out, relations=relations))
    assert urls(out)['public'].startswith('http://'), 'it is not served yet'
    machine.clock += 5
    return again(ctx, with_answer(out))


def test_both_are_taken_on_the_port_and_then_the_catalogue_is_told(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    out = changing(ctx, machine)
    assert binds(machine, 'keystone.public.any') == ['bind 10.1.0.5:5000']
    assert binds(machine)[0].startswith('bind abns@keystone.public accept-proxy ssl crt ')
    assert binds(machine, 'keystone.public.plain') == [
        'bind abns@keystone.public.plain accept-proxy'
    ]
    assert urls(out)['public'] == 'https://10.1.0.5:5000/v3'
    assert 'http and https for public until' in out.unit_status.message or again(ctx, out)


def test_when_time_is_over_http_is_refused(ctx: Ctx, machine: machines.FakeMachine) -> None:
    out = changing(ctx, machine)
    machine.clock += 599
    out = again(ctx, out)
    assert binds(machine, 'keystone.public.plain')
    assert out.unit_status.message.startswith('http and https for public until ')
    assert float(machine.file(usual.programs.WAKE_AT)) == pytest.approx(machine.clock + 1, abs=1)
    machine.clock += 2
    out = again(ctx, out)
    assert not binds(machine, 'keystone.public.plain')
    assert 'ssl crt' in binds(machine)[0]
    assert out.unit_status == testing.ActiveStatus('http inside, to keystone; 1 frontend')


def test_the_way_back_is_the_same(ctx: Ctx, machine: machines.FakeMachine) -> None:
    out = again(ctx, again(ctx, secured(ctx, transition=600)))
    out = again(ctx, without(out))
    assert binds(machine, 'keystone.public.plain'), 'first served'
    assert urls(out)['public'] == 'http://10.1.0.5:5000/v3'
    machine.clock += 601
    out = again(ctx, out)
    assert binds(machine) == ['bind 10.1.0.5:5000', 'bind abns@keystone.public.plain accept-proxy']
    again(ctx, out)
    assert PUBLIC in {a.path for a in machine.desired.absent}


def test_https_is_told_only_when_every_unit_serves_it(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    other = {
        'addresses': json.dumps({'public': ['10.1.0.6']}),
        'served': json.dumps(['keystone.public']),
        'acks': '{}',
    }
    out = again(ctx, usual.state(usual.keystone()))
    peers = next(r for r in out.relations if r.endpoint == 'peers')

    def with_other(state: testing.State, **said: str) -> testing.State:
        mine: Any = next(r for r in state.relations if r.endpoint == 'peers')
        changed = dataclasses.replace(mine, peers_data={1: {**other, **said}})
        return dataclasses.replace(
            state, relations={changed, *(r for r in state.relations if r.id != peers.id)}
        )

    out = dataclasses.replace(out, relations={*out.relations, certificates()})
    out = again(ctx, with_answer(again(ctx, with_other(out))))
    out = again(ctx, with_answer(out))
    assert urls(out)['public'].startswith('http://')
    out = again(ctx, with_other(out, secure=json.dumps({'keystone.public': 'both'})))
    assert urls(out)['public'].startswith('https://')


@pytest.mark.parametrize('secure', [True, False])
def test_a_unit_that_comes_holds_no_vip_before_it_serves_tls_as_the_others_do(
    ctx: Ctx, machine: machines.FakeMachine, secure: bool
) -> None:
    other = {
        'addresses': json.dumps({'public': ['10.1.0.6']}),
        'served': json.dumps(['keystone.public']),
        'acks': '{}',
        'advertises-to': json.dumps(['openstack-loadbalancer/0']),
        'secure': json.dumps({'keystone.public': 'https'}) if secure else '',
    }
    said = {'members': json.dumps(['openstack-loadbalancer/0', 'openstack-loadbalancer/1'])}
    peers = testing.PeerRelation('peers', id=1000, peers_data={1: other}, local_app_data=said)
    state = testing.State(
        relations={usual.keystone(), certificates(), peers},
        networks=usual.HERE,
        config={'vip': '10.1.0.100'},
    )
    out = again(ctx, state)
    assert ('no VIPs here' in out.unit_status.message) == secure
    assert machine.service('keepalived') == ('stopped' if secure else 'running')


@pytest.mark.parametrize(
    ('wanted', 'ready', 'told', 'now', 'mode'),
    [
        (False, False, None, 0, 'http'),
        (True, False, None, 0, 'http'),
        (True, True, None, 0, 'both'),
        (True, True, schemes.PublishedScheme('http', 0), 999, 'both'),
        (True, True, schemes.PublishedScheme('https', 100), 100, 'both'),
        (True, True, schemes.PublishedScheme('https', 100), 159, 'both'),
        (True, True, schemes.PublishedScheme('https', 100), 160, 'https'),
        (False, True, schemes.PublishedScheme('https', 0), 999, 'both'),
        (False, True, schemes.PublishedScheme('http', 100), 159, 'both'),
        (False, True, schemes.PublishedScheme('http', 100), 160, 'http'),
        (False, False, schemes.PublishedScheme('https', 0), 999, 'http'),
    ],
)
def test_how_a_type_is_served(wanted: bool, ready: bool, told: Any, now: float, mode: str) -> None:
    assert (
        schemes.mode(wanted=wanted, ready=ready, published=told, now=now, transition_s=60) == mode
    )


@pytest.mark.parametrize(
    ('modes', 'mode'),
    [
        (['https', 'https'], 'https'),
        (['both', 'https'], 'both'),
        (['http', 'https'], 'http'),
        (['http'], 'http'),
    ],
)
def test_types_that_share_addresses_are_served_alike(modes: Any, mode: str) -> None:
    assert schemes.together(modes) == mode


# Replaced while it runs.


def renewed(state: testing.State) -> testing.State:
    return with_answer(state)


def test_another_certificate_is_taken_up_without_a_reload(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    out = again(ctx, secured(ctx))
    before, steps = running(machine).shown[PUBLIC], len(machine.steps)
    out = again(ctx, renewed(out))
    after = running(machine).shown[PUBLIC]
    assert certs.certificates(after)[0].serial != certs.certificates(before)[0].serial
    assert not [s for s in machine.steps[steps:] if 'haproxy' in s and 'write' not in s]
    assert (
        certs.certificates(machine.file(PUBLIC))[0].serial == certs.certificates(after)[0].serial
    )
    assert out.unit_status == testing.ActiveStatus('http inside, to keystone; 1 frontend')


def test_when_it_ends_is_shown_to_whoever_measures(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    r = testing.Relation('metrics-endpoint', id=30)
    state = usual.state(usual.keystone(), certificates(), r)
    out = again(ctx, again(ctx, with_answer(again(ctx, state))))
    first = certs.certificates(running(machine).shown[PUBLIC])[0]
    assert machine.file(haproxy.ENDS) == f'public {int(first.not_after)}\n'
    assert f'%[str(public),map({haproxy.ENDS},0)]' in machine.file(haproxy.CONFIG)
    paths = [j['metrics_path'] for j in json.loads(bag(out, 30)['scrape_jobs'])]
    assert paths == ['/metrics', '/certificates']
    again(ctx, with_answer(out, days=50))
    later = certs.certificates(running(machine).shown[PUBLIC])[0]
    assert running(machine).ends == {'public': later.not_after}


def test_a_haproxy_that_does_not_take_it_is_reloaded_and_that_is_told(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    out = again(ctx, secured(ctx))
    running(machine).deaf = True
    out = again(ctx, renewed(out))
    assert ('systemctl', 'reload', 'haproxy') in machine.programs
    assert out.unit_status.message.startswith('haproxy was reloaded for a certificate: ')


def test_what_a_killed_hook_has_left_is_found_by_asking(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    out = again(ctx, secured(ctx))
    old = running(machine).shown[PUBLIC]
    out = again(ctx, renewed(out))
    running(machine).shown[PUBLIC] = old
    again(ctx, out)
    assert running(machine).shown[PUBLIC] != old


def test_new_names_are_asked_for_and_the_old_certificate_stays_meanwhile(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    out = again(ctx, secured(ctx))
    old = running(machine).shown[PUBLIC]
    config = {**out.config, 'hostnames': 'public=new.example.com'}
    out = again(ctx, dataclasses.replace(out, config=config))
    assert len(json.loads(bag(out, 20)['certificate_signing_requests'])) == 2
    assert running(machine).shown[PUBLIC] == old
    out = again(ctx, again(ctx, with_answer(out)))
    assert 'new.example.com' in certs.certificates(running(machine).shown[PUBLIC])[0].names.all
    assert len(json.loads(bag(out, 20)['certificate_signing_requests'])) == 1


def test_one_that_the_provider_lets_grow_old_is_asked_for_anew_with_another_key(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    out = again(ctx, secured(ctx))
    before = bag(out, 20)['certificate_signing_requests']
    machine.clock += 66 * DAY
    assert bag(again(ctx, out), 20)['certificate_signing_requests'] == before
    machine.clock += 3 * DAY
    out = again(ctx, out)
    new, old = json.loads(bag(out, 20)['certificate_signing_requests'])
    assert [old] == json.loads(before)
    keys = [certs.read_request(r['certificate_signing_request']).key for r in (new, old)]
    assert keys[0] != keys[1]
    out = again(ctx, out)
    assert len(json.loads(bag(out, 20)['certificate_signing_requests'])) == 2, 'once'


def test_one_that_was_revoked_is_asked_for_anew_with_another_key(ctx: Ctx) -> None:
    out = again(ctx, secured(ctx))
    (old,) = [
        r['certificate_signing_request']
        for r in json.loads(bag(out, 20)['certificate_signing_requests'])
    ]
    out = again(ctx, with_answer(out, revoked=(old,)))
    new = json.loads(bag(out, 20)['certificate_signing_requests'])[0][
        'certificate_signing_request'
    ]
    assert certs.read_request(new).key != certs.read_request(old).key


# What is wrong is refused by name, and the last good one stays.


def other_key(state: testing.State) -> testing.State:
    (given,) = json.loads(remote(state)['certificates'])
    key = certs.own_key(certs.new_key('another', 'x')).public_key()
    given['certificate'] = CA.certify(key, certs.Names.of(['10.1.0.5']))
    given['chain'] = [given['certificate'], CA.issuer]
    return with_bag(state, {'certificates': json.dumps([given])})


def broken(state: testing.State) -> testing.State:
    (given,) = json.loads(remote(state)['certificates'])
    given['certificate'] = given['certificate'].replace('M', 'N')
    return with_bag(state, {'certificates': json.dumps([{**given, 'chain': []}])})


def ended(state: testing.State) -> testing.State:
    return with_answer(state, days=0.0001)


def remote(state: testing.State, i: int = 20) -> dict[str, str]:
    relation: Any = state.get_relation(i)
    return relation.remote_app_data


@pytest.mark.parametrize(
    ('wrong', 'words'),
    [
        (other_key, 'ca for public: the certificate does not go with its private key'),
        (broken, 'ca for public: it holds a certificate that cannot be read'),
        (ended, 'ca for public: the certificate ended on 2027-01-15'),
    ],
)
def test_a_wrong_certificate_is_refused_and_the_good_one_stays(
    ctx: Ctx, machine: machines.FakeMachine, wrong: Any, words: str
) -> None:
    out = again(ctx, secured(ctx))
    good = running(machine).shown[PUBLIC]
    steps = len(machine.steps)
    out = again(ctx, wrong(out))
    assert out.unit_status == testing.BlockedStatus(words)
    assert running(machine).shown[PUBLIC] == good
    assert PUBLIC not in {f.path for f in machine.desired.files}, 'its file is left as it is'
    assert not machine.steps[steps:]
    assert urls(out)['public'].startswith('https://')
    assert again(ctx, with_answer(out)).unit_status == testing.ActiveStatus(
        'http inside, to keystone; 1 frontend'
    )


def test_what_the_provider_refuses_is_told(ctx: Ctx) -> None:
    out = again(ctx, usual.state(usual.keystone(), certificates()))
    (asked,) = json.loads(bag(out, 20)['certificate_signing_requests'])
    error = {
        'csr': asked['certificate_signing_request'],
        'error': {'code': 101, 'name': 'x', 'message': 'no'},
    }
    out = again(ctx, with_bag(out, {'request_errors': json.dumps([error])}))
    assert out.unit_status == testing.BlockedStatus(
        'ca refuses a certificate for public: no; waiting for a certificate for public'
    )


@pytest.mark.parametrize('said', ['nonsense', '{}', '[1, null, {}]', '[{"certificate": 3}]'])
def test_nonsense_from_the_provider_is_no_certificate(ctx: Ctx, said: str) -> None:
    out = again(ctx, usual.state(usual.keystone(), certificates()))
    out = again(ctx, with_bag(out, {'certificates': said, 'request_errors': said}))
    assert out.unit_status == testing.WaitingStatus('waiting for a certificate for public')


def test_the_end_is_told_three_weeks_before_and_when_it_has_come(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    out = again(ctx, secured(ctx))
    machine.clock += 75 * DAY
    out = again(ctx, out)
    assert 'the certificate for public ends in 14 days' in out.unit_status.message
    machine.clock += 16 * DAY
    out = again(ctx, out)
    assert out.unit_status == testing.BlockedStatus('the certificate for public has ended')
    assert urls(out)['public'].startswith('https://')


# By hand.


def by_hand(**content: str) -> Iterator[Any]:
    secret = testing.Secret(content, owner=None)
    yield secret
    yield usual.state(usual.keystone(), secrets={secret}, config={'tls-secret': secret.id})


def test_a_certificate_that_is_given_by_hand_is_served(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    _, state = by_hand(**CA.secret('10.1.0.5'))
    out = again(ctx, again(ctx, state))
    assert urls(out)['public'].startswith('https://')
    assert machine.file(PUBLIC).count('BEGIN CERTIFICATE') == 2
    assert machine.file(PUBLIC).count('PRIVATE KEY') == 2
    assert not list(s for s in out.secrets if s.owner)


def test_one_for_other_names_is_served_and_not_told(ctx: Ctx) -> None:
    _, state = by_hand(**CA.secret('other.example.com'))
    state = dataclasses.replace(
        state, config={**state.config, 'hostnames': 'public=cloud.example.com'}
    )
    out = again(ctx, again(ctx, state))
    assert urls(out) == {}
    assert out.unit_status == testing.WaitingStatus(
        'the certificate for public is not for cloud.example.com'
    )


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (
            {'certificate': 'x', 'private-key': 'y'},
            'tls-secret for public: it holds no certificate in PEM',
        ),
        (
            {**CA.secret('10.1.0.5'), 'private-key': certs.new_key('z', 'z')},
            'tls-secret for public: the certificate does not go with its private key',
        ),
        (
            {**CA.secret('10.1.0.5'), 'private-key': 'none'},
            'tls-secret for public: the private key is not PEM, or has a password',
        ),
    ],
)
def test_what_is_wrong_with_it_is_said(ctx: Ctx, content: dict[str, str], words: str) -> None:
    _, state = by_hand(**content)
    out = again(ctx, state)
    assert out.unit_status.name == 'blocked'
    assert words in out.unit_status.message


def test_a_secret_that_may_not_be_read_is_told(ctx: Ctx) -> None:
    state = usual.state(usual.keystone(), config={'tls-secret': 'secret:cvq3a0kn8j1s73d1p7ag'})
    out = again(ctx, state)
    assert (
        out.unit_status.message
        == 'option tls-secret: it cannot be read: juju grant-secret lets this application; '
        'waiting for a certificate for public'
    )
