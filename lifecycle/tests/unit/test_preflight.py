"""What stands in the way of a plan: each finding a sentence, and what cures it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import simulated
from hypothesis import given
from hypothesis import strategies as st
from test_engine import FORWARD, cloud, run

from lifecycle import bypass, declared, engine, observed, plan, preflight, upgrade_request
from lifecycle.journal import JournalEntry
from lifecycle.problem import ProblemError
from lifecycle.step import Target

HOUR = 3600.0


def ids(
    model: simulated.Model, wish: upgrade_request.UpgradeRequest = FORWARD
) -> dict[str, preflight.Finding]:
    return {one.id: one for one in upgrade_request.survey(model, wish).findings}


# --- Who is told where a unit is, rather than its load balancer.


def told(key: str, value: str, **more: Any) -> list[dict[str, Any]]:
    relation: dict[str, Any] = {
        'endpoint': 'identity',
        'application-data': {},
        'related-units': {'keystone/0': {'data': {key: value}}},
        'local-unit': {'data': {}},
    }
    return [{**relation, **more}]


@pytest.mark.parametrize(
    ('key', 'value', 'host', 'place'),
    [
        ('auth_url', 'http://10.1.2.3:5000/v3', '10.1.2.3', 'http://10.1.2.3:5000'),
        ('auth_host', '10.1.2.3', '10.1.2.3', '10.1.2.3'),
        ('auth_host', '[fd00::3]', 'fd00::3', '[fd00::3]'),
        ('x', 'https://[fd00::3]:5000/v3', 'fd00::3', 'https://[fd00::3]:5000'),
        ('x', json.dumps({'deep': ['http://k.example/']}), 'k.example', 'http://k.example'),
        ('x', 'rabbit://nova:secret@10.1.2.3:5672//', '10.1.2.3', 'rabbit://10.1.2.3:5672'),
    ],
)
def test_an_address_that_somebody_is_told_is_found(key: str, value: str, host: str, place: str):
    (one,) = bypass.mentions('glance/0', told(key, value), ())
    assert (one.host, one.place) == (host, place)
    assert 'secret' not in repr(one)


def test_load_balancers_and_peers_must_know_where_a_unit_is():
    assert bypass.mentions('glance/0', told('url', 'http://10.1.2.3/'), ('identity',)) == ()
    assert bypass.mentions('keystone/1', told('url', 'http://10.1.2.3/'), ()) == ()


def test_an_endpoint_that_is_kept_out_of_the_catalogue_is_nobodys_way():
    bag = {
        'placement_public_url': 'http://10.1.2.3/',
        'placement_internal_url': 'http://10.1.2.4/',
        'placement_endpoint_types': 'internal,admin',
    }
    relation = told('region', 'R', **{'local-unit': {'data': bag}})
    (one,) = bypass.mentions('placement/0', relation, ())
    assert one.key == 'placement_internal_url'


def test_names_that_are_too_long_are_cut():
    relation = told(f'{"k" * 100}_host', '10.1.2.3', endpoint='e' * 100)
    assert bypass.mentions('glance/0', relation, ()) == ()  # What is cut is no such key.
    relation = told('k' * 100, 'http://10.1.2.3/', endpoint='e' * 100)
    (one,) = bypass.mentions('glance/0', relation, ())
    assert (one.endpoint, one.key) == ('e' * 59 + '…', 'k' * 59 + '…')


@given(st.text(max_size=300), st.text(max_size=20))
def test_any_value_is_read(value: str, key: str):
    for one in bypass.mentions('glance/0', told(key, value), ()):
        assert one.place.isprintable()


def balanced(mentions: tuple[bypass.Mention, ...]) -> observed.Observed:
    status = dict(cloud(keystone=2, glance=1).status())
    known = declared.parse(simulated.DECLARED.format(name='identity', after=''), 'x')
    seen = observed.read(status, declarations=dict.fromkeys(('keystone', 'glance'), known))
    apps = dict(seen.applications)
    keystone, glance = apps['keystone'], apps['glance']
    units = tuple(
        dataclasses.replace(unit, addresses=(f'10.1.2.{unit.number}',)) for unit in keystone.units
    )
    apps['keystone'] = dataclasses.replace(keystone, units=units)
    units = tuple(dataclasses.replace(unit, mentions=mentions) for unit in glance.units)
    apps['glance'] = dataclasses.replace(glance, units=units)
    return dataclasses.replace(seen, applications=apps)


def test_who_is_told_a_units_own_address_stands_in_the_way():
    seen = balanced((bypass.Mention('identity', 'auth_host', '10.1.2.1', 'http://10.1.2.1:5000'),))
    found = preflight.findings(seen, plan.plan(seen, FORWARD.target, ['keystone']))
    (one,) = [one for one in found if 'bypass' in one.id]
    assert one.id == 'keystone.bypass.glance.identity'
    assert (one.application, one.blocking) == ('keystone', True)
    assert 'juju status --relations keystone' in one.cure
    assert one.sentence == (
        'glance/0 has http://10.1.2.1:5000 in auth_host of identity: that is keystone/1 itself, not lb: '
        'who uses it is lost when that unit goes'
    )


def test_who_is_told_the_address_of_the_load_balancer_stands_in_nobodys_way():
    seen = balanced((bypass.Mention('identity', 'auth_host', '10.9.9.9', 'http://10.9.9.9'),))
    found = preflight.findings(seen, plan.plan(seen, FORWARD.target, ['keystone']))
    assert not [one for one in found if 'bypass' in one.id]


# --- Units, disks, backups, relations.


def test_one_unit_alone_is_told_and_two_are_not():
    found = ids(cloud(keystone=2, glance=1))
    assert 'should that fail meanwhile, nothing serves' in found['glance.company'].sentence
    assert not found['glance.company'].blocking
    assert 'keystone.company' not in found


def test_a_hook_under_way_is_waited_for():
    model = cloud(keystone=2)
    busy = model.apps['keystone'].units[1]
    busy.state, busy.left = 'active', 40
    model.least = {'keystone': 1}
    assert ids(model)['keystone.hook.1'].passes
    said = run(model)
    assert [(one.kind, one.said) for one in said[:1]] == [
        ('waits', 'keystone/1 is at work: a hook is under way')
    ]
    assert said[-1].kind == 'end'


def test_a_hook_that_does_not_end_is_told_in_the_end():
    model = cloud(keystone=2)
    busy = model.apps['keystone'].units[1]
    busy.state, busy.left = 'active', 10_000
    model.least = {'keystone': 1}
    with pytest.raises(ProblemError, match=r'keystone/1 is at work.*skip keystone.hook.1'):
        run(model)
    assert model.asked == []


def test_disks_that_are_nearly_full_stand_in_the_way():
    model = cloud(keystone=2)
    model.free = 512 * 1024**2
    found = ids(model)['keystone.disk.0']
    assert found.blocking
    assert found.sentence == (
        'the machine of keystone/0 has 0.5 GiB left on /, and 2 may be needed'
    )
    model.free = preflight.LEAST_FREE
    assert 'keystone.disk.0' not in ids(model)


def with_database(backed_up: float | None) -> simulated.Model:
    model = cloud(mysql=1, keystone=2)
    model.apps['keystone'].declared = simulated.DECLARED.format(name='identity', after='database')
    model.apps[
        'mysql'
    ].declared = 'version: 1\nprovides: [database]\nway: stay\nactions: {backup: dump}\n'
    model.backed_up = None if backed_up is None else model.clock - backed_up
    return model


@pytest.mark.parametrize(
    ('age', 'says'),
    [
        (None, 'mysql was not backed up, as far as Juju remembers'),
        (30 * HOUR, 'mysql was last backed up 30 hours ago'),
        (2 * HOUR, ''),
    ],
)
def test_a_database_that_others_stand_on_is_to_be_backed_up_first(age: float | None, says: str):
    chosen = upgrade_request.UpgradeRequest(target=FORWARD.target, chosen=('keystone',))
    found = ids(with_database(age), chosen).get('mysql.backup')
    assert (found.sentence if found else '').startswith(says)
    assert (found is None) == (not says)
    assert found is None or 'juju run mysql/leader dump' in found.cure


def test_a_database_that_nobody_stands_on_needs_no_backup():
    model = with_database(None)
    model.apps['keystone'].declared = simulated.DECLARED.format(name='identity', after='')
    assert 'mysql.backup' not in ids(model)


def test_what_was_begun_is_not_asked_for_a_backup_again():
    model = with_database(HOUR)
    wish = upgrade_request.UpgradeRequest(
        target=FORWARD.target, chosen=('keystone',), until='keystone.admit.1'
    )
    run(model, wish)
    model.backed_up = None
    assert 'mysql.backup' not in ids(model, wish)


def test_units_that_need_a_relation_to_stand_in_for_one_another_are_not_moved_without():
    model = cloud(glance=1)
    app = model.apps['glance']
    assert app.declared is not None
    app.declared += 'mix-needs: {shared-store: images are files of the unit that took them}\n'
    found = ids(model)['glance.mix-needs.shared-store']
    assert found.blocking
    assert found.sentence == (
        'glance:shared-store is not related: images are files of the unit that took them'
    )
    app.declared = app.declared.replace('shared-store:', 'public-backend:')
    assert 'glance.mix-needs.public-backend' not in ids(model)


def test_going_back_asks_for_none_of_this():
    model = cloud(keystone=2)
    with pytest.raises(KeyboardInterrupt):

        def tell(event: JournalEntry) -> None:
            if event.step == 'keystone.drain.1':
                raise KeyboardInterrupt

        engine.run(model, FORWARD, 'n', tell)
    model.free = 0
    run(model, upgrade_request.UpgradeRequest(target=Target(back=True)))
    assert model.wrong == []
