"""The plan: the same each time, in the order that the charms declare, and quick."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import pytest
import simulated
from hypothesis import given
from hypothesis import strategies as st

from lifecycle import admission, declared, observed, order, plan, preflight, record, shown
from lifecycle.observed import Application, Unit
from lifecycle.problem import ProblemError
from lifecycle.step import Target

TARGET = Target(base='debian@13')
WELL = admission.Admission('admitted')
DECLARED = declared.parse(simulated.DECLARED.format(name='identity', after=''), 'keystone')


def application(name: str = 'keystone', units: int = 2, **more: Any) -> Application:
    every = tuple(
        Unit(
            name=f'{name}/{number}',
            base='debian@12',
            leader=number == 0,
            workload='active',
            agent='idle',
            admission=WELL,
        )
        for number in range(units)
    )
    known: dict[str, Any] = {
        'name': name,
        'base': 'debian@12',
        'units': every,
        'declaration': DECLARED,
        'related': {'public-backend': ('lb',)},
    }
    return Application(**{**known, **more})


def model(*apps: Application, kept: record.Record = record.EMPTY) -> observed.Observed:
    return observed.Observed(model='m', applications={app.name: app for app in apps}, record=kept)


def says(provides: str = '', after: str = '', **more: Any) -> declared.Declaration:
    return declared.Declaration(
        provides=tuple(provides.split()), after=tuple(after.split()), **more
    )


def test_each_application_comes_after_those_that_provide_what_it_needs():
    apps = [
        application('a-dashboard', declaration=says(after='identity compute')),
        application('nova', declaration=says('compute', 'identity placement')),
        application('placement', declaration=says('placement', 'identity')),
        application('keystone', declaration=says('identity', 'database')),
        application('a-third-party', declaration=declared.UNDECLARED),
    ]
    assert [app.name for app in order.ordered(apps)] == [
        'keystone',
        'placement',
        'nova',
        'a-dashboard',
        'a-third-party',
    ]


def test_charms_that_come_after_one_another_are_named():
    apps = [
        application('a', declaration=says('x', 'y')),
        application('b', declaration=says('y', 'x')),
        application('c', declaration=says('z', 'x')),
    ]
    with pytest.raises(ProblemError, match='a comes after b comes after a'):
        order.ordered(apps)


@given(st.permutations(['keystone', 'glance', 'nova', 'placement']), st.randoms())
def test_the_plan_does_not_depend_on_the_order_of_what_is_seen(names: list[str], _: object):
    def made(of: list[str]) -> plan.Plan:
        return plan.plan(model(*(application(name) for name in of)), TARGET)

    assert made(names) == made(sorted(names))


def test_the_leader_goes_last():
    leads = application(units=3)
    steps = plan.plan(model(leads), TARGET).steps
    assert [s.unit for s in steps if s.verb == 'remove'] == [
        'keystone/1',
        'keystone/2',
        'keystone/0',
    ]


def test_a_skipped_step_is_left_out_with_its_reason():
    kept = record.with_skip(record.EMPTY, 'keystone.base', 'done by hand')
    steps = plan.plan(model(application(), kept=kept), TARGET).steps
    assert (steps[0].state, steps[0].note) == ('skipped', 'done by hand')
    assert steps[1].state == 'next'


def test_an_application_that_is_there_already_is_left_alone():
    units = tuple(Unit(name=f'keystone/{n}', base='debian@13') for n in range(2))
    made = plan.plan(model(application(units=0, **{'base': 'debian@13'})), TARGET)
    assert made.left[0].why == 'has no units'
    there = Application(name='keystone', base='debian@13', units=units, declaration=DECLARED)
    assert plan.plan(model(there), TARGET).left[0].why == 'is on debian@13'


def test_what_cannot_be_moved_is_told_and_why():
    apps = [
        application('database', declaration=says(way='own', ways=('own',))),
        application('agent', subordinate=True),
        application('stateful', declaration=declared.UNDECLARED, stored=True),
        application('broken', unread='broken: lifecycle.yaml: no YAML'),
    ]
    why = {one.application: one.why for one in plan.plan(model(*apps), TARGET).left}
    assert why == {
        'database': 'its way is own, and its charm names no action for switch and drain',
        'agent': 'is a subordinate: it goes where its principals go',
        'stateful': 'has storage, and its charm has no lifecycle.yaml that says how it is moved',
        'broken': 'its declaration could not be read: broken: lifecycle.yaml: no YAML',
    }


def test_an_application_that_is_not_there_is_named():
    with pytest.raises(
        ProblemError, match='nova is no application of this model; there are keystone'
    ):
        plan.plan(model(application()), TARGET, ['nova'])


def test_a_model_of_500_units_is_planned_in_a_moment():
    """Half a thousand in ten applications: the work does not grow with their square. Figures: docs/benchmarks.md."""
    apps = [application(f'app-{n}', units=50) for n in range(10)]
    began = time.process_time()
    made = plan.plan(model(*apps), TARGET)
    print(f'{time.process_time() - began:.2f} s of a processor')
    assert len(made.steps) == 10 * (1 + 2 + 2 + 4 * 50)


# --- What stands in the way.


def found(*apps: Application) -> dict[str, preflight.Finding]:
    seen = model(*apps)
    return {one.id: one for one in preflight.findings(seen, plan.plan(seen, TARGET))}


def changed(app: Application, number: int, **more: Any) -> Application:
    units = tuple(dataclasses.replace(u, **more) if u.number == number else u for u in app.units)
    return dataclasses.replace(app, units=units)


def test_nothing_stands_in_the_way_of_a_model_that_is_well():
    assert found(application()) == {}


def test_units_that_are_not_well_stand_in_the_way():
    ill = changed(application(), 1, workload='error', message='hook failed: "install"')
    assert found(ill)['keystone.error.1'].blocking
    assert 'juju resolved keystone/1' in found(ill)['keystone.error.1'].cure
    assert found(changed(application(), 1, workload='blocked'))['keystone.status.1'].blocking
    late = changed(application(), 0, admission=admission.Admission('waiting', 'lb/0 does not yet'))
    assert (
        found(late)['keystone.admission.0'].sentence
        == 'keystone/0 is not in rotation: lb/0 does not yet'
    )


def test_a_charm_that_does_not_support_the_base_stands_in_the_way():
    only = says(releases={'debian@12': 'zed'})
    assert found(application(declaration=only))['keystone.base'].blocking


def test_so_does_a_subordinate_that_does_not():
    below = application(
        'telegraf', subordinate=True, declaration=says(releases={'debian@12': '1'})
    )
    principal = changed(application(), 0, subordinates=('telegraf/0',))
    assert found(principal, below)['keystone.base.telegraf'].sentence == (
        'the charm of telegraf does not support debian@13; it supports debian@12'
    )


def test_no_load_balancer_stands_in_the_way_unless_it_is_accepted():
    alone = application(related={})
    assert found(alone)['keystone.balancer'].blocking
    kept = record.with_skip(record.EMPTY, 'keystone.balancer', 'nobody uses it')
    seen = model(alone, kept=kept)
    every = preflight.findings(seen, plan.plan(seen, TARGET))
    assert preflight.blocking(every) == ()


def test_a_load_balancer_that_does_not_say_whom_it_sends_requests_stands_in_the_way():
    silent = admission.Admission('unbalanced', 'lb knows no drain')
    assert found(changed(application(), 1, admission=silent))['keystone.balancer'].sentence == (
        'the load balancer of keystone does not say whom it sends requests: lb knows no drain'
    )


def test_what_is_accepted_is_shown_with_the_reason():
    alone = application(related={})
    kept = record.with_skip(record.EMPTY, 'keystone.balancer', 'nobody uses it')
    seen = model(alone, kept=kept)
    made = plan.plan(seen, TARGET)
    text = [*shown.table(seen, made, preflight.findings(seen, made)).splitlines()]
    at = text.index('Accepted:')
    assert text[at + 1].startswith('  keystone.balancer: keystone has no load balancer')
    assert text[at + 2] == '    nobody uses it'
    assert 'In the way:' not in text


def test_an_application_that_was_begun_is_not_looked_at_again():
    started = record.Started(base='debian@12', units=2, old=('keystone/0', 'keystone/1'))
    kept = record.with_started(record.EMPTY, 'keystone', started)
    ill = model(changed(application(), 1, workload='blocked'), kept=kept)
    assert preflight.findings(ill, plan.plan(ill, TARGET)) == ()


def test_a_charm_whose_file_is_not_known_is_the_folder_of_its_name():
    seen = model(application(charm='keystone-k8s'))
    (refresh,) = [
        step
        for step in plan.plan(seen, Target(charms='/c', digest='1')).steps
        if step.verb == 'refresh'
    ]
    assert refresh.command == 'juju refresh keystone --path /c/keystone-k8s'


def test_a_plan_is_shown(snapshot: Any):
    seen = model(application(), application('mysql', declaration=says(way='own', ways=('own',))))
    made = plan.plan(seen, TARGET)
    text = shown.table(seen, made, preflight.findings(seen, made))
    assert text == snapshot
    assert shown.as_json(seen, made, ()) == snapshot


# --- What comes from the model.


def relation(**more: Any) -> Mapping[str, Any]:
    known = simulated.relation(simulated.Unit('k/0', '0', 'debian@12', state='ready'))
    return {**known, **more}


def test_a_unit_is_admitted_when_every_load_balancer_unit_says_so_of_its_newest_word():
    related = {'public-backend': 1}
    assert admission.read('k/0', [relation()], related).state == 'admitted'
    acks = {'lb/0': {'data': {'acks': '{"k/0": {"token": "an older one", "state": "ready"}}'}}}
    assert admission.read('k/0', [relation(**{'related-units': acks})], related).state == 'waiting'
    two = {'interface-versions': '[2]', 'lb-units': '["lb/0", "lb/1"]'}
    late = admission.read('k/0', [relation(**{'application-data': two})], related)
    assert late == admission.Admission('waiting', 'lb/1 does not send requests to k/0 yet')


def test_a_relation_that_is_not_there_yet_says_nothing_good():
    assert admission.read('k/0', [], {'public-backend': 1}).state == 'waiting'
    assert admission.read('k/0', [], {}).state == 'unbalanced'
    assert (
        admission.read('k/0', [relation()], {'public-backend': 1, 'internal-backend': 1}).state
        == 'waiting'
    )


def test_without_its_own_application_data_each_related_unit_counts():
    """Juju 4 shows a unit its own application's databag there."""
    theirs = {'application-data': {'endpoints': '[]'}}
    assert admission.read('k/0', [relation(**theirs)], {'public-backend': 1}).state == 'admitted'


def test_a_drain_that_is_refused_says_why():
    unit = simulated.relation(simulated.Unit('k/0', '0', 'debian@12', state='draining'))
    grants = '{"k/0": {"token": "k/0 drain", "state": "refused", "reason": "k would have 0 of 1 units left"}}'
    data = {**unit['application-data'], 'grants': grants}
    said = admission.read('k/0', [{**unit, 'application-data': data}], {'public-backend': 1})
    assert said == admission.Admission(
        'draining', 'lb has refused the drain of k/0: k would have 0 of 1 units left'
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON, JSON, JSON)
def test_whatever_stands_in_a_databag_is_read_or_refused(one: Any, other: Any, third: Any):
    said = {
        'endpoint': 'public-backend',
        'application-data': one,
        'related-units': {'lb/0': {'data': {'acks': other}}},
        'local-unit': {'data': {'lifecycle': third}},
    }
    assert admission.read('k/0', [said], {'public-backend': 1}).state != 'admitted'


@given(JSON)
def test_a_status_that_is_none_is_refused(anything: Any):
    with pytest.raises(ProblemError):
        observed.read({'applications': anything})


def test_bases_are_read_without_their_risk():
    assert observed.base_of({'name': 'ubuntu', 'channel': '24.04/stable'}) == 'ubuntu@24.04'


def test_subordinates_are_read_below_their_principals_and_are_on_their_machines():
    status = {
        'model': {'name': 'm'},
        'machines': {'0': {'base': {'name': 'debian', 'channel': '12/stable'}}},
        'applications': {
            'keystone': {
                'units': {
                    'keystone/0': {
                        'machine': '0',
                        'workload-status': {'current': 'active', 'message': 'serves'},
                        'juju-status': {
                            'current': 'executing',
                            'message': 'running update-status hook',
                        },
                        'subordinates': {
                            'telegraf/3': {
                                'workload-status': {'current': 'blocked', 'message': 'no rules'},
                                'juju-status': {'current': 'idle'},
                            }
                        },
                    }
                }
            },
            'telegraf': {'subordinate-to': ['keystone']},
        },
    }
    apps = observed.read(status).applications
    (above,), (below,) = apps['keystone'].units, apps['telegraf'].units
    assert (apps['keystone'].subordinate, apps['telegraf'].subordinate) == (False, True)
    assert above.subordinates == ('telegraf/3',)
    assert (above.message, above.doing) == ('serves', 'running update-status hook')
    assert (below.name, below.base, below.workload, below.message, below.agent) == (
        'telegraf/3', 'debian@12', 'blocked', 'no rules', 'idle',
    )  # fmt: skip


# --- What a charm declares.


def test_a_declaration_is_read():
    assert DECLARED.provides == ('identity',)
    assert DECLARED.actions['expand'] == 'db-expand'
    assert DECLARED.releases == {'debian@12': 'zed', 'debian@13': 'epoxy'}


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('a: [', 'no YAML'),
        ('[]', 'must be a mapping'),
        ('version: 2', 'version: 2 is not known'),
        ('version: 1\nprovide: [x]', 'provide: no such key; there are actions, after'),
        ('version: 1\nway: replce', 'way: replce: is none of replace, in-place, own, stay'),
        ('version: 1\nway: own\nways: [replace]', 'own is not among its ways: replace'),
        ('version: 1\nprovides: [Not A Name]', 'lower-case letters'),
        ('version: 1\nreleases: {debian: zed}', 'must be a base, such as debian@13'),
        ('version: 1\nactions: {expand: "x; rm -rf /"}', 'actions: expand: x; rm -rf /: must be'),
        (f'version: 1\n{"x" * 100}: 1', f'lifecycle.yaml: {"x" * 39}…: no such key'),
        (f'version: {"x" * 100}', f'version: {"x" * 39}… is not known'),
        ('version: 1\nafter: ' + str(['x'] * 65), 'a list of at most 64'),
        ('version: 1\n#' + 'x' * 40000, 'longer than'),
    ],
)
def test_a_declaration_that_is_wrong_says_where_and_what_would_be_right(text: str, said: str):
    with pytest.raises(ProblemError) as raised:
        declared.parse(text, 'keystone: lifecycle.yaml')
    assert str(raised.value).startswith('keystone: lifecycle.yaml: ')
    assert said in str(raised.value)


@given(st.text(max_size=200))
def test_any_text_is_a_declaration_or_a_problem(text: str):
    with contextlib.suppress(ProblemError):
        declared.parse(f'version: 1\n{text}', 'x')


# --- What is remembered.


def test_a_record_is_read_as_it_was_written():
    kept = record.Record(
        base='debian@13',
        began=5,
        holder=record.Holder(who='ann@here process 1', nonce='n', until=9),
        started={'keystone': record.Started(base='debian@12', units=2, old=('keystone/0',))},
        ran={'keystone': (record.Ran(verb='expand', unit='keystone/2', at=7),)},
        skips={'keystone.base': 'done by hand'},
    )
    assert record.load(record.dump(kept)) == kept


def test_a_record_of_many_units_is_kept_in_pieces():
    started = {
        f'app-{n}': record.Started(
            base='debian@12', units=150, old=tuple(f'app-{n}/{u}' for u in range(150))
        )
        for n in range(10)
    }
    kept = record.Record(started=started)
    written = record.dump(kept)
    assert len(written) > 1
    assert max(map(len, written.values())) <= 6000
    assert record.load(written) == kept


def test_a_secret_that_is_no_record_is_told():
    for content in ({}, {'record-0': '{"version": 9}'}, {'record-0': '[]'}, {'password': 'x'}):
        with pytest.raises(ProblemError, match='is no record of juju-lifecycle'):
            record.load(content)


def test_a_skip_needs_a_reason():
    with pytest.raises(ProblemError, match='a reason is needed'):
        record.with_skip(record.EMPTY, 'keystone.base', ' ')
