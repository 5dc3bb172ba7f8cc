"""Whom a machine trusts: what the relation gives, and nothing that would break its store."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from charmkit import host, relations, service, state, trust
from charmkit.relations import certificates

from .test_whole_unit import ALONE, HOOK, SPEC
from .test_x509 import certificate

ROOT, OTHER = certificate('root', 'root').strip(), certificate('other', 'other').strip()
STRANGE = f'-----BEGIN CERTIFICATE-----\n{"A" * 64}\n-----END CERTIFICATE-----'


def said(*given: str, id_: int = 9) -> relations.Relation:
    bag = dict(certificates.transfer(given))
    return relations.Relation(id=id_, name=trust.RELATION, app='ca', app_data=bag)


def inputs(*related: relations.Relation, before: trust.Trust | None = None) -> state.Inputs:
    return state.Inputs(
        site=relations.Site(unit='demo/0', leader=True, address='10.0.0.2'),
        relations={trust.RELATION: related} if related else {},
        memory=dict(before.memory) if before else {},
    )


def paths(found: host.Host) -> list[str]:
    return [f.path for f in found.files]


def test_without_the_relation_the_machine_is_left_alone():
    found = trust.read(inputs())
    assert trust.machine(found, ('demo',)) == host.Host()
    assert found.memory == {} and not [*trust.statuses(found)]


def test_what_is_given_goes_into_the_machines_store_and_clients_take_it_up():
    found = trust.read(inputs(said(ROOT, OTHER), said(ROOT, id_=10)))
    wanted = trust.machine(found, ('demo',))
    assert [f.content.strip() for f in wanted.files] == [ROOT, OTHER]
    assert {f.path.rpartition('/')[0] for f in wanted.files} == {trust.STORE}
    assert all('/juju-demo-' in f.path and f.path.endswith('.crt') for f in wanted.files)
    assert all(f.notify == ('demo',) for f in wanted.files)
    assert [c.argv for c in wanted.commands] == [('update-ca-certificates',)]
    assert wanted.packages == {'ca-certificates'}


def test_another_certificate_is_another_file_and_another_run_of_the_command():
    first = trust.read(inputs(said(ROOT)))
    second = trust.read(inputs(said(OTHER), before=first))
    before, after = trust.machine(first), trust.machine(second)
    assert [a.path for a in after.absent] == paths(before) != paths(after)
    assert before.commands[0].key != after.commands[0].key


def test_the_end_of_the_relation_takes_it_away_once():
    first = trust.read(inputs(said(ROOT)))
    gone = trust.read(inputs(before=first))
    assert [a.path for a in trust.machine(gone).absent] == paths(trust.machine(first))
    assert trust.machine(gone).files == () and len(trust.machine(gone).commands) == 1
    assert trust.machine(trust.read(inputs(before=gone))) == host.Host()


@pytest.mark.parametrize(
    ('bad', 'why'),
    [
        (STRANGE, 'cannot be read'),
        ('password', 'no certificate in PEM'),
        (ROOT.replace('CERTIFICATE', 'PRIVATE KEY'), 'no certificate in PEM'),
        (f'{ROOT}\n{STRANGE}', 'cannot be read'),
        (ROOT[:200] + ROOT[220:], 'cannot be read'),
    ],
)
def test_what_would_break_every_client_is_refused_by_name_and_the_former_stays(bad: str, why: str):
    first = trust.read(inputs(said(ROOT)))
    second = trust.read(inputs(said(OTHER, bad), before=first))
    assert second.certificates == first.certificates
    (status,) = trust.statuses(second)
    assert status.kind == 'blocked' and why in status.message and 'ca' in status.message
    assert bad not in status.message
    assert trust.read(inputs(said(bad))).certificates == ()


def test_a_relation_that_falls_silent_takes_nothing_away():
    first = trust.read(inputs(said(ROOT)))
    silent = relations.Relation(id=9, name=trust.RELATION, app='ca')
    assert trust.read(inputs(silent, before=first)).certificates == (ROOT,)
    assert trust.read(inputs(said(id_=9), before=first)).certificates == (ROOT,)


def test_there_is_an_end_to_how_many_are_taken():
    many = [certificate(f'r{n}', f'r{n}') for n in range(21)]
    assert 'at most 20' in next(trust.statuses(trust.read(inputs(said(*many))))).message
    assert len(trust.read(inputs(said(*many[:20]))).certificates) == 20


def test_comments_and_other_line_lengths_come_out_as_openssl_writes_them():
    body = ''.join(ROOT.splitlines()[1:-1])
    odd = f'the root\n-----BEGIN CERTIFICATE-----\n{body[:100]}\n{body[100:]}\n-----END CERTIFICATE-----\nend'
    assert trust.read(inputs(said(odd))).certificates == (ROOT,)


def whole(*related: relations.Relation, **more: Any) -> state.Desired:
    found = {**ALONE.relations, **({trust.RELATION: related} if related else {})}
    return service.desired_state(SPEC, HOOK, dataclasses.replace(ALONE, relations=found, **more))


def test_every_process_of_a_service_that_asks_others_takes_it_up():
    (file,) = [f for f in whole(said(ROOT)).host.files if f.path.startswith(trust.STORE)]
    assert set(file.notify) == {
        'wsgi:demo-api', 'wsgi:demo-data', 'demo-worker', 'demo-cron', 'demo-console',
    }  # fmt: skip
    # A deployment that has no such relation is not disturbed.
    for name in file.notify:
        assert whole().host.config_digest(name) != whole(said(ROOT)).host.config_digest(name)
    assert whole().memory.get(trust.MEMORY) is None


def test_a_service_that_lacks_something_trusts_already_and_says_what_is_refused():
    missing = {k: v for k, v in ALONE.relations.items() if k != 'shared-db'}
    found = service.desired_state(
        SPEC,
        HOOK,
        dataclasses.replace(ALONE, relations={**missing, trust.RELATION: (said(ROOT),)}),
    )
    assert any(f.path.startswith(trust.STORE) for f in found.host.files)
    assert any(trust.RELATION in s.message for s in whole(said(STRANGE)).status)
