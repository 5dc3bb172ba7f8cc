"""What Juju says of a model, as data; how a model is; what differs between two looks at it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import jubilant
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.grammar import located
from matrix.history import journal
from matrix.juju import facade, model_health, observe
from matrix.plans import snapshot

_UNIT = {
    'workload-status': {'current': 'active', 'message': 'ready'},
    'juju-status': {'current': 'idle'},
    'leader': True,
    'machine': '0',
    'open-ports': ['80/tcp'],
    'public-address': '10.0.0.1',
    'subordinates': {
        'logger/3': {
            'workload-status': {'current': 'waiting', 'message': 'for logs'},
            'juju-status': {'current': 'executing', 'message': 'running start hook'},
            'public-address': '10.0.0.1',
        }
    },
}
_APP = {
    'charm': 'local:x', 'charm-origin': 'local', 'charm-name': 'x', 'charm-rev': 1, 'exposed': False,
    'application-status': {'current': 'active', 'message': 'fine'},
}  # fmt: skip
_STATUS: dict[str, Any] = {
    'model': {'name': 'm', 'type': 'iaas', 'controller': 'c', 'cloud': 'l', 'version': '3.6'},
    'machines': {'0': {'juju-status': {'current': 'started'}, 'ip-addresses': ['10.0.0.1'], 'hostname': 'h'}},
    'applications': {
        'web': {**_APP, 'units': {'web/10': {**_UNIT, 'leader': False, 'subordinates': {}}, 'web/2': _UNIT},
                'relations': {'db': [{'related-application': 'store', 'interface': 'i', 'scope': 'global'}]}},
        'logger': {**_APP, 'subordinate-to': ['web']},
    },
}  # fmt: skip


def _seen() -> snapshot.Model:
    made: Any = jubilant.Status
    return observe.model(made._from_dict(json.loads(json.dumps(_STATUS))))


def test_a_status_becomes_applications_units_and_machines() -> None:
    web, logger = _seen().applications
    assert [one.name for one in web.units] == ['web/2', 'web/10']
    assert (web.units[0].leader, web.units[0].ports, web.units[0].address) == (
        True,
        ('80/tcp',),
        '10.0.0.1',
    )
    assert web.relations == (('db', 'store'),)
    (below,) = logger.units
    assert (below.name, below.machine, below.subordinate, logger.subordinate) == (
        'logger/3',
        '0',
        True,
        True,
    )
    assert _seen().machines == (snapshot.Machine('0', 'started', ('10.0.0.1',), 'h'),)


def _with(model: snapshot.Model, **changes: Any) -> snapshot.Model:
    first, *rest = model.applications
    units = (dataclasses.replace(first.units[0], **changes), *first.units[1:])
    return dataclasses.replace(
        model, applications=(dataclasses.replace(first, units=units), *rest)
    )


def test_only_what_changed_is_written_down() -> None:
    before = _seen()
    assert observe.changed(before, before) == ()
    after = _with(before, workload_status='error', message='hook failed')
    assert observe.changed(before, after) == (
        journal.Status('web/2', 'error', 'hook failed', 'idle'),
    )
    told = observe.changed(snapshot.Model(), before)
    assert {one.of for one in told} == {
        'web',
        'logger',
        'web/2',
        'web/10',
        'logger/3',
        'machine 0',
    }
    assert {one.workload for one in observe.changed(before, snapshot.Model())} == {'gone'}


def test_a_new_leader_is_an_effect_and_the_first_one_is_none() -> None:
    before = _seen()
    first = before.applications[0]
    units = tuple(dataclasses.replace(one, leader=not one.leader) for one in first.units)
    after = dataclasses.replace(
        before, applications=(dataclasses.replace(first, units=units), *before.applications[1:])
    )
    value: located.Plain = {'application': 'web', 'from': 'web/2', 'to': 'web/10'}
    assert observe.leaders(before, after) == (journal.Effect('leader', value),)
    assert observe.leaders(snapshot.Model(), before) == ()


def test_a_fingerprint_counts_units_and_does_not_name_them() -> None:
    before = observe.fingerprint(_seen())
    renamed = observe.fingerprint(_with(_seen(), name='web/11', machine='7'))
    assert before != renamed
    assert observe.differences(before, renamed) == ()
    ill = observe.fingerprint(_with(_seen(), workload_status='blocked', message='no db'))
    (said,) = observe.differences(before, ill)
    assert said.startswith('web: units was ')
    assert "'blocked, no db, 80/tcp'" in said
    gone = {key: value for key, value in before.items() if key != 'web'}
    assert any(one.startswith('web: ') for one in observe.differences(before, gone))


@pytest.mark.parametrize(('units', 'ha'), [((1, 1), False), ((1, 2), True), ((), False)])
def test_a_model_is_highly_available_where_something_has_a_second_unit(
    units: tuple[int, ...], ha: bool
) -> None:
    apps = tuple(
        snapshot.Application(f'a{n}', tuple(snapshot.Unit(f'a{n}/{i}') for i in range(count)))
        for n, count in enumerate(units)
    )
    assert observe.ha(snapshot.Model(apps)) is ha


@pytest.mark.parametrize(
    ('changes', 'kind', 'said'),
    [
        ({}, 'well', ''),
        ({'workload_status': 'unknown'}, 'well', ''),
        ({'agent_status': 'executing', 'agent_message': 'running update-status hook'}, 'well', ''),
        ({'agent_status': 'executing', 'agent_message': 'running x hook'}, 'at_work', 'web/2: running x hook'),
        ({'workload_status': 'waiting', 'message': 'db'}, 'unready', 'web/2 is waiting: db'),
        ({'workload_status': 'blocked', 'message': 'no db'}, 'ill', 'web/2 is blocked: no db'),
        ({'agent_status': 'lost'}, 'ill', 'the agent of web/2 is lost'),
    ],
)  # fmt: skip
def test_a_model_is_well_at_work_unready_or_ill(
    changes: dict[str, str], kind: str, said: str
) -> None:
    first, _ = _with(_seen(), **changes).applications
    look = model_health.look(snapshot.Model((first,), _seen().machines))
    assert look.well == (kind == 'well')
    assert look.sentence == said
    if kind != 'well':
        assert getattr(look, kind) == (said,)


def test_a_machine_that_is_down_is_ill_and_a_model_without_units_is_not_well() -> None:
    down = snapshot.Model(_seen().applications[:1], (snapshot.Machine('0', 'down'),))
    assert model_health.look(down).ill == ('machine 0 is down',)
    assert model_health.look(snapshot.Model()).unready == ('there is no unit',)


@given(st.sampled_from(['running update-status hook', '']))
def test_update_status_does_not_unsettle(message: str) -> None:
    agent = 'executing' if message else 'idle'
    assert model_health.settled(
        _with(_seen(), agent_status=agent, agent_message=message)
    ) == model_health.settled(_seen())
    assert model_health.settled(_with(_seen(), message='other')) != model_health.settled(_seen())


def test_custom_tasks_see_the_model_as_libjuju_showed_it() -> None:
    import asyncio

    from faultstage import FakeLink

    from matrix.juju import link

    def answer(target: str, text: str, env: object) -> link.ScriptResult:
        return link.ScriptResult(0 if text == 'true' else 3, 'said')

    fake = FakeLink(answer=answer, state=_seen(), model='c:admin/m')

    async def nothing(*_: object) -> None: ...

    async def go() -> None:
        model = facade.Model(fake, nothing, nothing)
        assert (model.info.name, sorted(model.applications), sorted(model.machines)) == (
            'm',
            ['logger', 'web'],
            ['0'],
        )
        web = model.applications['web']
        unit = web.units[0]
        assert unit is model.units['web/2']
        assert (unit.application, unit.workload_status, unit.agent_status) == (
            'web',
            'active',
            'idle',
        )
        assert (unit.subordinate, web.subordinate, web.dead, unit.dead) == (
            False,
            False,
            False,
            False,
        )
        assert await unit.is_leader()
        assert await unit.is_leader_from_status()
        assert unit.agent_status_since == unit.agent_status_since
        assert not model.all_units_idle()
        done = await unit.run('true')
        assert (done.status, (await done.wait()).results['Stdout']) == ('completed', 'said')
        assert (await unit.run('false')).results['Code'] == '3'
        assert (await unit.run_action('x', a=1)).status == 'failed'
        await web.add_unit(2)
        await unit.remove()
        await model.block_until(lambda: True, timeout=1)
        with pytest.raises(TimeoutError):
            await model.block_until(lambda: False, timeout=0.05)

    asyncio.run(go())
    assert fake.asked == ['add web 2', 'remove web/2']
