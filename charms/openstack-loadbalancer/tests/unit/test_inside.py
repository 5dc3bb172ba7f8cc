"""TLS to the units behind: whom the load balancer believes, what it sends nothing to, and what it says of it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from typing import Any

import pki
import pytest
from balancer import (
    configuration,
    credentials,
    decision,
    inside,
    interface,
    layout,
    options,
    programs,
    run,
    stats,
)
from charmkit import Hook, Inputs, state
from charmkit.proxy import haproxy
from charmkit.relations import Network, Relation, Site, certificates, loadbalancer

ROOT = pki.Authority(now=time.time()).root
OTHER = pki.Authority('another', now=time.time()).root
READY = loadbalancer.Lifecycle(state='ready', token='t')
API = loadbalancer.Api(
    name='keystone', type='identity', frontend_port=5000, backend_port=5000, tls_port=15000
)
SECURE = 'keystone-0.internal'


def relation(**names: str) -> Relation:
    """keystone, with two units; *names* are what those that serve TLS have certificates for, by ``uNUMBER``."""
    return Relation(
        id=1,
        name='backend',
        app='keystone',
        app_data=loadbalancer.app_request([API], 'public'),
        units={
            f'keystone/{n}': {
                'ingress-address': f'10.1.0.{n + 1}',
                **loadbalancer.unit_request(
                    [API], 'public', [f'10.1.0.{n + 1}'], READY, server_name=names.get(f'u{n}', '')
                ),
            }
            for n in range(2)
        },
    )


def inputs(*pems: str, given: dict[str, Any] | None = None, **more: Any) -> Inputs:
    trusted = Relation(
        id=8, name='receive-ca-cert', app='ca', app_data=dict(certificates.transfer(pems))
    )
    here = (Network('eth0', '10.1.0.100', '10.1.0.0/24'),)
    related = {
        'backend': (relation(u0=SECURE, **(given or {})),),
        **({'receive-ca-cert': (trusted,)} if pems else {}),
    }
    return state.Inputs(
        site=Site(unit='lb/0', leader=True, address='10.1.0.100', networks={'public': here}),
        relations=related,
        now=1_800_000_000.0,
        **more,
    )


def decided(found: Inputs) -> tuple[decision.RunInputs, decision.Decision]:
    known = run.gather(Hook('update-status'), found)
    return known, decision.decide(known)


def text(found: Inputs) -> haproxy.Rendered:
    from balancer import files

    return files.rendered(*decided(found))


def server(found: Inputs, name: str) -> str:
    return next(x.strip() for x in text(found).text.splitlines() if f' server {name} ' in x)


def test_a_unit_with_tls_is_verified_by_name_in_requests_and_in_checks():
    line = server(inputs(ROOT), 'keystone-0')
    assert line.startswith('server keystone-0 10.1.0.1:15000 ')
    for part in (
        ' ssl verify required ca-file ', f' verifyhost {SECURE} ', f' sni str({SECURE}) ',
        ' check-ssl ', f' check-sni {SECURE} ',
    ):  # fmt: skip
        assert part in line
    plain = server(inputs(ROOT), 'keystone-1')
    assert plain.startswith('server keystone-1 10.1.0.2:5000 ') and 'ssl' not in plain
    assert '    ssl-default-server-options ssl-min-ver TLSv1.2\n' in text(inputs(ROOT)).text


def test_another_authority_is_another_file_so_that_haproxy_reads_it():
    first, second = text(inputs(ROOT)), text(inputs(ROOT, OTHER))
    (path,) = [p for p, content in first.lists.items() if ROOT in content]
    assert f'ca-file {path} ' in first.text and f'ca-file {path} ' not in second.text
    assert any(ROOT in content and OTHER in content for content in second.lists.values())
    assert haproxy.mark(first.text) != haproxy.mark(second.text)


def test_without_an_authority_nothing_is_sent_to_a_unit_with_tls_and_it_is_named():
    _, now = decided(inputs())
    assert [s.unit for b in now.layout.backends for s in b.servers] == ['keystone/1']
    (asked,) = now.asked
    assert isinstance(asked, interface.Request)
    assert 'nobody says who may have issued its certificate' in asked.refused_units['keystone/0']
    assert 'ca-file' not in text(inputs()).text


def test_the_authority_that_was_known_stays_while_nobody_says_anything_but_nobody_new_is_invited():
    known, _ = decided(inputs(ROOT))
    kept = json.loads(json.dumps(dict(known.authorities.memory)))
    after, now = decided(inputs(memory={inside.MEMORY: kept[inside.MEMORY]}))
    assert after.authorities.certificates == (ROOT,) and not after.authorities.known_now
    assert len(now.layout.backends[0].servers) == 2
    # Units serve TLS for as long as it comes to them by it, and are told that it wants HTTP.
    ends = {loadbalancer.TLS_TO: '["keystone/0"]', loadbalancer.TLS_ENDS: 'yes'}
    assert inside.reply('keystone', after.authorities, now.layout, {}, in_force=True) == ends
    assert inside.reply('keystone', after.authorities, now.layout, ends, in_force=False) == ends
    assert inside.reply('glance', after.authorities, now.layout, {}, in_force=True) == {}
    assert inside.reply('glance', after.authorities, now.layout, {}, in_force=False) == {}


@pytest.mark.parametrize('relation', ['certificates', 'receive-ca-cert'])
def test_units_hear_that_it_is_going_to_verify_once_it_is_told_whom_to_believe(relation: str):
    silent = Relation(id=40, name=relation, app='ca')
    waits = inputs()
    waits = dataclasses.replace(waits, relations={**waits.relations, relation: (silent,)})
    found, now = decided(waits)
    said = inside.reply('keystone', found.authorities, now.layout, {}, in_force=True)
    assert said == {loadbalancer.TLS_BEGINS: 'yes'}
    statuses = inside.statuses(found.authorities, now.layout, [], edge=False)
    # Of a certificate that is waited for, the status speaks already.
    words = ['waiting for ca to say whom to believe'] if relation == 'receive-ca-cert' else []
    assert [s.message for s in statuses if s.kind == 'waiting'] == words
    known = dataclasses.replace(waits, memory={inside.MEMORY: [ROOT]})
    assert not decided(known)[0].authorities.awaited


@pytest.mark.parametrize(
    ('relation', 'said'),
    [
        ('certificates', {'request_errors': '[{"csr": "x", "error": {"code": 1}}]'}),
        ('receive-ca-cert', {'certificates': '[]'}),
    ],
)
def test_units_wait_for_nobody_who_has_answered(relation: str, said: dict[str, str]):
    answered = Relation(id=40, name=relation, app='ca', app_data=said)
    waits = inputs()
    waits = dataclasses.replace(waits, relations={**waits.relations, relation: (answered,)})
    assert not decided(waits)[0].authorities.awaited
    assert not decided(inputs())[0].authorities.awaited


def test_units_without_tls_are_refused_where_the_operator_says_so():
    _, now = decided(inputs(ROOT, options={'http-backends': False}))
    assert [s.unit for b in now.layout.backends for s in b.servers] == ['keystone/0']
    (asked,) = now.asked
    assert isinstance(asked, interface.Request)
    assert asked.refused_units == {
        'keystone/1': 'keystone: it serves no TLS, and http-backends is false'
    }


def test_what_is_said_to_units_is_what_is_in_force():
    known, now = decided(inputs(ROOT))
    said = inside.reply('keystone', known.authorities, now.layout, {}, in_force=True)
    assert said == {loadbalancer.TLS_TO: '["keystone/0"]'}
    assert inside.reply('glance', known.authorities, now.layout, {}, in_force=True) == {
        loadbalancer.TLS_TO: '[]'
    }
    before = {loadbalancer.TLS_TO: '["keystone/9"]'}
    late = inside.reply('keystone', known.authorities, now.layout, before, in_force=False)
    assert late == before


def test_the_root_of_its_own_provider_is_believed_too_and_nonsense_is_not():
    def of(ca: str) -> credentials.Credentials:
        one = credentials.Credential(
            chain='', digest='', fingerprint='', not_before=0, not_after=1, ca=ca
        )
        return credentials.Credentials(configured=True, by_type={'public': one})

    provider = Relation(id=9, name='certificates', app='ca')
    related = inputs()
    related = state.Inputs(site=related.site, relations={'certificates': (provider,)})
    assert inside.read(related, of(ROOT)).certificates == (ROOT,)
    assert inside.read(related, of('nonsense')).certificates == ()
    assert inside.read(inputs(), of(ROOT)).certificates == ()


@pytest.mark.parametrize(
    ('tls', 'why'),
    [
        ({'mode': 'noverify'}, 'tls mode'),
        ({'mode': 'verify'}, 'server-name'),
        ({'mode': 'verify', 'server-name': 'a b'}, 'server-name'),
        ({'mode': 'verify', 'server-name': 'a\n    stats enable'}, 'server-name'),
        ({'mode': 'verify', 'server-name': 7}, 'server-name'),
        ('verify', 'tls'),
    ],
)
def test_what_a_unit_says_of_its_tls_is_not_believed_as_it_comes(tls: Any, why: str):
    bag = dict(relation().units['keystone/0'])
    rows = json.loads(bag['endpoints'])
    bag['endpoints'] = json.dumps([{**rows[0], 'tls': tls}])
    found = interface.parse(
        Relation(
            id=1, name='backend', app='keystone',
            app_data=loadbalancer.app_request([API], 'public'), units={'keystone/0': bag},
        )
    )  # fmt: skip
    assert isinstance(found, interface.Request)
    assert why in found.refused_units['keystone/0'] and found.servers == ()


STAT = (
    '# pxname,svname,scur,qcur,status,check_status,last_chk\n'
    'keystone.public,keystone-0,0,0,{},{},SSL handshake failure\n'
)
STATES = '# be_name srv_name srv_admin_state\nkeystone.public keystone-0 0\n'


def said(status: str, check: str, *, edge: bool = True) -> list[str]:
    known, now = decided(inputs(ROOT))
    worker = stats.worker(stats.Process(pid=1, current=True), STAT.format(status, check), STATES)
    found = inside.statuses(known.authorities, now.layout, [worker], edge=edge)
    return [f'{s.kind}: {s.message}' for s in found]


def test_a_unit_whose_certificate_is_not_accepted_is_named_with_haproxys_words():
    named = 'blocked: keystone/0 gets no requests: its certificate is not accepted (SSL handshake failure)'
    plain = 'active: http inside, to keystone'
    assert said('DOWN', 'L6RSP') == [named, plain]
    assert said('DOWN', '* L6RSP') == [named, plain]
    assert said('DOWN', 'L7STS') == [plain] and said('UP', 'L6RSP') == [plain]
    assert said('UP', 'L7OK', edge=False) == []


def test_what_a_stopped_unit_had_is_left_out_of_the_configuration():
    server_ = interface.Server(unit='a/0', service='a', address='10.1.0.1', port=1)
    backend = layout.Backend(
        name='a.public', service='a', app='a', protocol='http',
        behaviour=interface.behaviour.UNKNOWN, servers=(server_,),
    )  # fmt: skip
    unit = configuration.Unit(name='lb/0', authorities=(ROOT,))
    made = configuration.configuration(layout.Layout(backends=(backend,)), unit)
    assert made.authorities == () and options.NAMES


@pytest.mark.parametrize(('served_by', 'use_ssl'), [('ssl verify required', '1'), ('', '0')])
def test_a_reload_takes_from_the_configuration_whether_tls_is_spoken(
    tmp_path: Any, served_by: str, use_ssl: str
):
    """Else the state that haproxy keeps would go over it: a token in clear to a port of TLS."""
    (tmp_path / 'cfg').write_text(
        f'backend b\n    server s 10.1.0.1:15000 weight 100 {served_by}\n'
    )
    columns = 'be_id be_name srv_id srv_name srv_port srvrecord srv_use_ssl srv_check_port'
    for before in '01':
        states = f'1\n# {columns}\n4 b 1 s 5000 - {before} 0\n'
        program = (
            programs.SAVE.replace("state = ask('@1 show servers state')", f'state = {states!r}')
            .replace(haproxy.CONFIG, f'{tmp_path}/cfg')
            .replace(haproxy.STATE_FILE, f'{tmp_path}/state')
        )
        subprocess.run([sys.executable, '-c', program], check=True)
        assert (tmp_path / 'state').read_text().splitlines()[-1] == f'4 b 1 s 15000 - {use_ssl} 0'
