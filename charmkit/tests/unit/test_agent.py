"""A service without an API of its own: its daemons, what it asks of others and what it tells them."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest
import yaml
from charmkit import (
    api,
    conf,
    front,
    generate,
    host,
    options,
    relations,
    service,
    shared_secrets,
    state,
)
from charmkit.relations import Need, first
from charmkit.why import Action, Hook

HOOK = Hook('config-changed')
SITE = relations.Site(unit='agent/0', leader=True, address='10.0.0.2')


def asked(_: relations.Site) -> relations.Databag:
    return {'hostname': 'agent-0'}


BOSS = Need('boss', asked, first(lambda bag, _: bag.get('order')), 'boss')


def told(ready: service.Ready, relation: relations.Relation) -> relations.Databag:
    return {
        'secret': ready.chosen['token'],
        'for': relation.app,
        'order': ready[BOSS],
        'release': ready.release.name,
    }


def conf_file(ready: service.Ready) -> conf.Ini:
    return {'DEFAULT': {'order': ready[BOSS]}}


SPEC = service.ServiceSpec(
    name='agent',
    user='agent',
    packages=('agent-daemon',),
    needs=(BOSS,),
    config={'/etc/agent/agent.conf': conf_file},
    daemons=(service.Daemon('agentd'),),
    offers=(service.Offer('boss', told), service.Offer('worker', told)),
    chosen=('token',),
)


class AgentCharm(api.AgentCharm):
    spec = SPEC


def related(id_: int, name: str, **said: str) -> relations.Relation:
    return relations.Relation(id=id_, name=name, app=f'{name}-app', units={f'{name}-app/0': said})


READY = state.Inputs(
    site=SITE,
    relations={
        'boss': (related(1, 'boss', order='work'),),
        'worker': (related(2, 'worker'), related(3, 'worker')),
    },
    fresh='f' * 64,
)
WAITING = dataclasses.replace(READY, relations={**READY.relations, 'boss': (related(1, 'boss'),)})


def states(desired: state.Desired) -> dict[str, str]:
    return {s.name: s.state for s in desired.host.services}


def test_an_agent_has_its_daemons_and_nothing_of_an_apis():
    desired = api.run(SPEC, HOOK, READY)
    assert states(desired) == {'agentd': 'running'}
    assert desired.host.packages == {'agent-daemon'}
    assert [f.path for f in desired.host.files] == ['/etc/agent/agent.conf']
    assert not desired.ports
    assert not desired.tasks
    assert state.summary(desired.status).kind == 'active'


def test_one_that_waits_for_messages_is_started_again_for_as_long_as_it_takes():
    # What ends once, such as what makes bridges, systemd refuses with Restart=always.
    waits = service.Daemon('waits', consumes=True)
    spec = dataclasses.replace(SPEC, daemons=(service.Daemon('ends-once'), waits))
    made = {f.path: f.content for f in api.run(spec, HOOK, READY).host.files}
    (drop_in,) = [path for path in made if path.startswith('/etc/systemd/system/')]
    assert drop_in == '/etc/systemd/system/waits.service.d/restart.conf'
    assert '[Unit]\nStartLimitIntervalSec=0\n' in made[drop_in]
    assert '[Service]\nRestart=always\n' in made[drop_in]


def test_its_daemons_stop_while_it_has_not_what_it_needs():
    desired = api.run(SPEC, HOOK, WAITING)
    assert states(desired) == {'agentd': 'stopped'}
    assert state.summary(desired.status) == state.Status(
        'waiting', 'waiting for boss to grant boss'
    )


def test_a_paused_agent_stops_and_one_that_resumes_runs():
    paused = api.run(SPEC, Action('pause'), READY)
    assert states(paused) == {'agentd': 'stopped'}
    assert state.summary(paused.status).kind == 'maintenance'
    resumed = api.run(
        SPEC, Action('resume'), dataclasses.replace(READY, memory=dict(paused.memory))
    )
    assert states(resumed) == {'agentd': 'running'}


def test_each_relation_of_an_offer_is_told_beside_what_is_asked_of_it():
    said = api.run(SPEC, HOOK, READY).unit_data
    token = said[2]['secret']
    assert token
    everybody = {'secret': token, 'order': 'work', 'release': 'zed'}
    assert said[1] == {'hostname': 'agent-0', 'for': 'boss-app', **everybody}
    assert said[2] == said[3] == {'for': 'worker-app', **everybody}
    assert not {'boss', 'worker'} & said.keys()


def test_one_that_is_not_ready_asks_and_takes_nothing_back_of_what_it_told():
    told = {'for': 'boss-app', 'hostname': 'agent-7', 'private-address': '10.0.0.2'}
    boss = dataclasses.replace(related(1, 'boss'), my_data=told)
    inputs = dataclasses.replace(WAITING, relations={**WAITING.relations, 'boss': (boss,)})
    said = api.run(SPEC, HOOK, inputs).unit_data
    assert said[1] == {'for': 'boss-app', 'hostname': 'agent-0'}
    assert not {2, 3, 'boss', 'worker'} & said.keys()


SERVED = api.run(SPEC, HOOK, READY).memory


def served(**changes: object) -> state.Inputs:
    """Of a unit that has served, and lacks what its boss has said."""
    return dataclasses.replace(WAITING, memory=dict(SERVED), **changes)  # type: ignore[arg-type]


def test_an_agent_that_served_goes_on_with_what_was_said_before():
    desired = api.run(SPEC, HOOK, served())
    assert states(desired) == {}
    assert not desired.host.files
    assert state.summary(desired.status) == state.Status(
        'waiting', 'waiting for boss to grant boss; what it said before stays in force'
    )
    assert api.run(SPEC, HOOK, served()).memory[front.SERVED], 'for more than one hook'


def test_an_agent_that_cannot_read_a_shared_secret_for_a_while_goes_on():
    inputs = dataclasses.replace(READY, memory=dict(SERVED), peers={'token': 'secret:1'})
    desired = api.run(SPEC, HOOK, inputs)
    assert states(desired) == {}
    assert 'waiting for the leader to share token' in state.summary(desired.status).message


def test_an_agent_whose_relation_has_ended_stops():
    ended = {k: v for k, v in READY.relations.items() if k != 'boss'}
    desired = api.run(SPEC, HOOK, served(relations=ended))
    assert states(desired) == {'agentd': 'stopped'}
    assert not desired.memory[front.SERVED]


def test_one_that_lacks_a_resource_waits_with_its_words_and_one_that_has_served_goes_on():
    said = (state.Status('blocked', 'no resource'),)

    def missing(_: state.Inputs) -> tuple[state.Status, ...]:
        return said

    spec = dataclasses.replace(SPEC, missing=missing)
    new = api.run(spec, HOOK, READY)
    assert states(new) == {'agentd': 'stopped'}
    assert not new.host.files
    assert 2 not in new.unit_data
    assert not new.memory[front.SERVED]
    older = api.run(spec, HOOK, served(relations=READY.relations))
    assert states(older) == {}
    assert older.memory[front.SERVED]
    assert {*new.status, *older.status} == {*said}


def test_what_lapses_is_gone_when_it_is_no_longer_said():
    lapsing = dataclasses.replace(BOSS, lapses=True)
    spec = dataclasses.replace(SPEC, needs=(lapsing,), config={}, offers=())
    assert states(api.run(spec, HOOK, served())) == {'agentd': 'stopped'}


@pytest.mark.parametrize('why', [Action('pause'), Action('openstack-upgrade'), Hook('stop')])
def test_one_that_lacks_something_stops_for_an_action_and_when_it_leaves(why: Action | Hook):
    assert states(api.run(SPEC, why, served())) == {'agentd': 'stopped'}


def test_one_that_is_paused_stays_stopped_whatever_it_lacks():
    memory = {**SERVED, **api.run(SPEC, Action('pause'), READY).memory}
    lacking = dataclasses.replace(WAITING, memory=memory)
    assert states(api.run(SPEC, HOOK, lacking)) == {'agentd': 'stopped'}


def test_what_is_chosen_is_kept_in_a_secret_of_the_application():
    desired = api.run(SPEC, HOOK, READY)
    assert desired.app_data['peers'] == {'token': state.secret_uri('token')}
    assert desired.secrets['token'].content == {'value': desired.unit_data[2]['secret']}


def kept(*, leader: bool, uri: str = 'secret:1', value: str = 'v') -> state.Inputs:
    return dataclasses.replace(
        READY,
        site=dataclasses.replace(SITE, leader=leader),
        peers={'token': uri} if uri else {},
        secrets={uri: {'value': value}} if value else {},
    )


@pytest.mark.parametrize('leader', [True, False])
def test_what_was_chosen_stays(leader: bool):
    found = shared_secrets.decide(('token',), kept(leader=leader))
    assert found.values == {'token': 'v'}
    assert found.app_data == {'token': 'secret:1'}
    assert bool(found.secrets) is leader
    assert not found.status


@pytest.mark.parametrize(
    'inputs',
    [
        kept(leader=True, value=''),
        kept(leader=False, value=''),
        kept(leader=False, uri='', value=''),
    ],
)
def test_what_cannot_be_read_is_waited_for_and_not_chosen_anew(inputs: state.Inputs):
    found = shared_secrets.decide(('token',), inputs)
    assert not found.values
    assert not found.secrets
    assert [s.kind for s in found.status] == ['waiting']
    assert states(api.run(SPEC, HOOK, inputs)) == {'agentd': 'stopped'}


def test_what_it_prepares_is_its_packages_alone():
    prepared = service.prepared(SPEC, state.Facts(base='debian@12'))
    assert prepared == host.Host(
        packages=frozenset({'agent-daemon'}), services=(host.SystemdService('agentd', 'stopped'),)
    )


def test_its_metadata_has_what_every_agent_has_and_no_endpoints():
    text = generate.metadata('name: agent\n', 'agent', AgentCharm)
    written = yaml.safe_load(text)
    assert {*written['actions']} == {'pause', 'resume', 'openstack-upgrade'}
    assert 'extra-bindings' not in written
    assert 'provides' not in written
    assert {*written['config']['options']} == {o.name for o in options.AGENT}
    assert {o.name for o in options.AGENT} < {o.name for o in options.API}


def test_the_generator_finds_an_agents_charm(tmp_path: pathlib.Path):
    (tmp_path / 'src').mkdir()
    (tmp_path / 'src/charm.py').write_text(
        'import charmkit\n\n\nclass Demo(charmkit.AgentCharm):\n    spec = charmkit.ServiceSpec(\n'
        "        name='d', user='d', packages=('d',), needs=())\n"
    )
    meta = tmp_path / 'charmcraft.yaml'
    meta.write_text('name: demo\n')
    generate.main([str(tmp_path)])
    assert {*yaml.safe_load(meta.read_text())['actions']} >= {'pause', 'resume'}


@dataclasses.dataclass(frozen=True)
class Look:
    """A task that finds something out."""

    name: str = 'look'

    def carry_out(self, machine: object) -> str:
        return 'found'


def test_what_it_finds_out_is_known_to_the_next_round_and_to_later_runs():
    def look(_: service.Ready) -> tuple[Look, ...]:
        return (Look(),)

    def keep(ready: service.Ready) -> dict[str, object]:
        return dict(ready.inputs.seen)

    def note(ready: service.Ready) -> tuple[state.Status, ...]:
        seen = ready.inputs.seen
        return (state.Status('active', str(seen['look'])),) if seen else ()

    spec = dataclasses.replace(
        SPEC,
        tasks=look,
        memory=keep,
        notes=note,
    )
    first_round = api.run(spec, HOOK, READY)
    assert first_round.tasks == (Look(),)
    found = dataclasses.replace(READY, seen={'look': 'found'})
    assert api.run(spec, HOOK, found).memory['look'] == 'found'
    assert state.summary(api.run(spec, HOOK, found).status) == state.Status('active', 'found')
    assert api.run(spec, HOOK, WAITING).tasks == ()
