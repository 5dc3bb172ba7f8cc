"""What `juju status` shows, and that the checks of it notice when it would not."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any, cast

import pytest
import simulation
from jubilant import statustypes
from simulation import REL, World

from jujulet.core import (
    charm,
    context,
    derived,
    display,
    filtering,
    model,
    requests,
    status,
    tabular,
)

PRINCIPAL = (
    REL('ha', 'requirer', 'hacluster', scope='container'),
    REL('website', 'provider', 'http'),
    REL('peers', 'peer', 'haproxy-peer'),
)
STORAGE = {'files': charm.StorageMeta('files', location='/srv/files')}


def alone(_uuid: str) -> model.Model | None:
    return None


def shown_status(world: World) -> dict[str, Any]:
    return status.status(world.model, world.now, alone)


@pytest.fixture
def world(settled: World) -> World:
    return settled.copy()


@pytest.fixture(scope='module')
def settled() -> World:
    """A principal of two units with storage and ports, its subordinate, and an application without units."""
    world = World()

    def talks(_model: model.Model, found: context.Context) -> simulation.Done:
        ports = (model.Port('tcp', 443, 443), model.Port('tcp', 80, 80), model.Port('udp', 5, 9))
        return simulation.Done(context.Writes(ports=ports))

    world.deploy(
        simulation.a_charm('haproxy', *PRINCIPAL, storage=STORAGE, version='abc123'),
        script=talks,
    )
    world.deploy(
        simulation.a_charm(
            'hacluster', REL('ha', 'provider', 'hacluster', scope='container'), subordinate=True
        ),
        num_units=0,
    )
    world.deploy(simulation.a_charm('empty', REL('web', 'requirer', 'http')), num_units=0)
    world.integrate('haproxy:ha', 'hacluster:ha')
    world.integrate('haproxy:website', 'empty:web')
    world.settle()
    world.ask(requests.AddUnit(application='haproxy'))
    world.settle()
    return world


def parsed_by_jubilant(value: dict[str, Any]) -> statustypes.Status:
    return statustypes.Status._from_dict(value)  # pyright: ignore[reportPrivateUsage] -- what it runs


def set_unit(world: World, name: str, **fields: Any) -> None:
    unit = dataclasses.replace(world.model.units[name], **fields)
    world.model = dataclasses.replace(world.model, units={**world.model.units, name: unit})


def nulls(value: Any, path: str = '') -> Iterator[str]:
    """Where something is null, or a container is empty that Juju would leave out."""
    if value is None:
        yield path
    if isinstance(value, dict):
        for key, item in cast('dict[str, Any]', value).items():
            yield from nulls(item, f'{path}.{key}')
    if isinstance(value, list):
        for number, item in enumerate(cast('list[Any]', value)):
            yield from nulls(item, f'{path}[{number}]')


def test_nothing_is_null_from_the_first_moment_to_the_last(world: World):
    fresh = World()
    assert list(nulls(shown_status(fresh))) == []
    fresh.deploy(simulation.a_charm('a', *PRINCIPAL, storage=STORAGE))
    while fresh.step():
        assert list(nulls(shown_status(fresh))) == []
        parsed_by_jubilant(json.loads(json.dumps(shown_status(fresh))))
    world.ask(requests.DestroyModel(destroy_storage=True))
    while world.step():
        assert list(nulls(shown_status(world))) == []
        parsed_by_jubilant(json.loads(json.dumps(shown_status(world))))


@pytest.mark.parametrize('key', ['units', 'relations', 'application-status', 'base'])
def test_sabotage_a_null_is_noticed_by_us_and_by_jubilant(world: World, key: str):
    broken = copy.deepcopy(shown_status(world))
    broken['applications']['haproxy'][key] = None
    assert list(nulls(broken)) == [f'.applications.haproxy.{key}']
    with pytest.raises((TypeError, AttributeError)):
        parsed_by_jubilant(broken)


def test_jubilant_reads_everything_that_there_is(world: World):
    parsed = parsed_by_jubilant(shown_status(world))
    haproxy = parsed.apps['haproxy']
    assert (haproxy.charm, haproxy.charm_origin, haproxy.charm_rev) == (
        'local:haproxy-0',
        'local',
        0,
    )
    assert (haproxy.base, haproxy.charm_version) == (
        statustypes.FormattedBase('debian', '12'),
        'abc123',
    )
    unit = haproxy.units['haproxy/0']
    assert unit.leader
    assert unit.machine == '0'
    assert unit.public_address == '10.9.0.10'
    assert unit.open_ports == ['80/tcp', '443/tcp', '5-9/udp']
    assert parsed.machines['0'].network_interfaces['eth0'].gateway == '10.9.0.1'
    assert parsed.machines['0'].juju_status.current == 'started'
    assert parsed.storage.storage['files/0'].attachments
    assert parsed.storage.filesystems['0/0'].attachments.machines['0'].mount_point == '/srv/files'
    assert haproxy.endpoint_bindings == {
        '': 'alpha',
        'ha': 'alpha',
        'peers': 'alpha',
        'website': 'alpha',
    }


def test_a_subordinate_is_seen_below_its_principal_only(world: World):
    parsed = parsed_by_jubilant(shown_status(world))
    assert parsed.apps['hacluster'].subordinate_to == ['haproxy']
    assert parsed.apps['hacluster'].units == {}
    assert set(parsed.get_units('hacluster')) == {'hacluster/0', 'hacluster/1'}
    below = shown_status(world)['applications']['haproxy']['units']['haproxy/0']['subordinates']
    assert 'machine' not in below['hacluster/0']
    assert below['hacluster/0']['public-address'] == '10.9.0.10'


def test_relations_name_the_other_side_and_peers_themselves(world: World):
    related = shown_status(world)['applications']['haproxy']['relations']
    assert related == {
        'ha': [
            {'related-application': 'hacluster', 'interface': 'hacluster', 'scope': 'container'}
        ],
        'peers': [
            {'related-application': 'haproxy', 'interface': 'haproxy-peer', 'scope': 'global'}
        ],
        'website': [{'related-application': 'empty', 'interface': 'http', 'scope': 'global'}],
    }


def test_a_failed_hook_is_the_workloads_error_and_the_agent_is_idle(world: World):
    world.scripts['haproxy'] = lambda _model, _context: simulation.FAIL
    world.ask(requests.SetConfig(application='haproxy', options={'level': '2'}))
    world.settle()
    unit = shown_status(world)['applications']['haproxy']['units']['haproxy/0']
    assert unit['workload-status']['current'] == 'error'
    assert unit['workload-status']['message'] == 'hook failed: "config-changed"'
    assert unit['juju-status']['current'] == 'idle'
    assert (
        shown_status(world)['applications']['haproxy']['application-status']['current'] == 'error'
    )


def test_who_changes_something_never_sees_the_rest_from_before(world: World):
    assert parsed_by_jubilant(shown_status(world)).apps['haproxy']

    def agents() -> set[str]:
        return {
            u['juju-status']['current'] for u in tabular.all_units(shown_status(world)).values()
        }

    assert agents() == {'idle'}
    world.ask(requests.SetConfig(application='haproxy', options={'level': '3'}))
    units = tabular.all_units(shown_status(world))
    assert units['haproxy/0']['juju-status']['current'] == 'executing'
    assert units['haproxy/0']['juju-status']['message'] == 'running config-changed hook'
    assert units['hacluster/0']['juju-status']['current'] == 'idle'
    world.settle()
    assert agents() == {'idle'}


@pytest.mark.parametrize(
    ('version', 'current', 'worst'),
    [
        ('3.6.12', ('active', 'maintenance'), 'maintenance'),
        ('3.6.12', ('maintenance', 'waiting'), 'waiting'),
        ('4.0.1', ('maintenance', 'waiting'), 'maintenance'),
        ('3.6.12', ('waiting', 'blocked'), 'blocked'),
        ('3.6.12', ('unknown', 'active'), 'active'),
        ('3.6.12', ('terminated', 'unknown'), 'terminated'),
    ],
)
def test_an_application_is_as_well_as_its_worst_unit(
    world: World, version: str, current: tuple[str, str], worst: str
):
    world.model = dataclasses.replace(world.model, juju_version=version)
    for number, word in enumerate(current):
        set_unit(world, f'haproxy/{number}', workload=model.Status(word, f'I am {word}', 5.0))
    found = derived.of_application(world.model, 'haproxy', world.now)
    assert (found.current, found.message) == (worst, f'I am {worst}')


def test_what_the_leader_has_set_wins_and_no_units_are_unknown(world: World):
    app = dataclasses.replace(
        world.model.applications['haproxy'], status=model.Status('blocked', 'x')
    )
    world.model = dataclasses.replace(
        world.model, applications={**world.model.applications, 'haproxy': app}
    )
    assert derived.of_application(world.model, 'haproxy', world.now).current == 'blocked'
    assert derived.of_application(world.model, 'empty', world.now).current == 'unknown'


def test_a_lost_machine_makes_its_units_lost_unless_it_was_told_to_reboot(world: World):
    world.lose('0')
    units = tabular.all_units(shown_status(world))
    assert units['haproxy/0']['juju-status']['current'] == 'lost'
    assert units['haproxy/0']['workload-status']['current'] == 'unknown'
    assert 'show-status-log haproxy/0' in units['haproxy/0']['workload-status']['message']
    agent = dataclasses.replace(world.model.units['haproxy/0'].agent, reboot='now')
    set_unit(world, 'haproxy/0', agent=agent)
    assert tabular.all_units(shown_status(world))['haproxy/0']['juju-status']['current'] != 'lost'


def test_dying_things_say_so(world: World):
    world.ask(requests.RemoveUnit(units=('haproxy/1',)))
    unit = shown_status(world)['applications']['haproxy']['units']['haproxy/1']
    assert unit['juju-status']['life'] == 'dying'
    world.ask(requests.RemoveApplication(applications=('haproxy',)))
    assert shown_status(world)['applications']['haproxy']['life'] == 'dying'


def test_a_unit_on_a_newer_charm_says_what_it_comes_from(world: World):
    newer = simulation.a_charm('haproxy', *PRINCIPAL, storage=STORAGE, digest='2')
    url = world.ask(requests.AddCharm(charm=newer))['url']
    world.ask(requests.Refresh(application='haproxy', charm=url))
    unit = shown_status(world)['applications']['haproxy']['units']['haproxy/0']
    assert unit['upgrading-from'] == 'local:haproxy-0'
    world.settle()
    assert (
        'upgrading-from'
        not in shown_status(world)['applications']['haproxy']['units']['haproxy/0']
    )


def test_moments_are_written_as_juju_writes_them():
    assert display.since(0) == '01 Jan 1970 00:00:00Z'
    assert display.since(1_795_338_000) == '22 Nov 2026 09:00:00Z'
    assert display.iso(1_795_338_000.9) == '2026-11-22T09:00:00Z'
    assert display.clock(1_795_338_123) == '09:02:03Z'


TABLE = """\
Model  Controller  Cloud/Region         Version  SLA          Timestamp
t      local       localhost/localhost  3.6.12   unsupported  00:00:00Z

App        Version  Status   Scale  Charm      Channel  Rev  Exposed  Message
empty               unknown      0  empty                 0  no
hacluster           unknown      2  hacluster             0  no
haproxy             unknown      2  haproxy               0  no

Unit            Workload  Agent  Machine  Public address  Ports                 Message
haproxy/0*      unknown   idle   0        10.9.0.10       80/tcp,443/tcp,5-9/udp
  hacluster/0*  unknown   idle            10.9.0.10
haproxy/1       unknown   idle   1        10.9.0.11       80/tcp,443/tcp,5-9/udp
  hacluster/1   unknown   idle            10.9.0.11

Machine  State    Address    Inst id        Base       AZ  Message
0        started  10.9.0.10  juju-663cb8-0  debian@12      Running
1        started  10.9.0.11  juju-663cb8-1  debian@12      Running

Integration provider  Requirer       Interface     Type         Message
haproxy:peers         haproxy:peers  haproxy-peer  peer
haproxy:website       empty:web      http          regular
hacluster:ha          haproxy:ha     hacluster     subordinate

Storage Unit  Storage ID  Type        Pool    Mountpoint  Size     Status    Message
haproxy/0     files/0     filesystem  rootfs  /srv/files  1.0 GiB  attached
haproxy/1     files/1     filesystem  rootfs  /srv/files  1.0 GiB  attached
"""


def test_the_table_is_the_one_that_people_know(world: World):
    value = shown_status(world)
    value['controller'] = {'timestamp': '00:00:00Z'}
    found = tabular.status_table(value, False, relations=True, storage=True)
    # A header is as wide as what is below it; its trailing blanks say nothing.
    lines = [' '.join(line.split()) for line in found.splitlines()]
    wanted = [' '.join(line.split()) for line in TABLE.splitlines()]
    assert sorted(lines) == sorted(wanted)
    assert not any(line != line.rstrip() for line in found.splitlines())


def test_columns_stand_under_their_headers(world: World):
    lines = tabular.status_table(shown_status(world), False).splitlines()
    header = next(line for line in lines if line.startswith('Unit'))
    row = next(line for line in lines if line.startswith('haproxy/0*'))
    for title, text in (('Workload', 'unknown'), ('Machine', '0 '), ('Public', '10.9.0.10')):
        assert row.index(text, header.index(title)) == header.index(title)


def test_colours_change_no_column(world: World):
    value = shown_status(world)
    plain, coloured = tabular.status_table(value, False), tabular.status_table(value, True)
    assert '\x1b[' in coloured
    assert re.sub(r'\x1b\[\d+m', '', coloured) == plain


def test_what_a_charm_says_cannot_draw_on_the_terminal(world: World):
    set_unit(world, 'haproxy/0', workload=model.Status('active', 'a\x1b[2Jb\nc', 1.0))
    found = tabular.status_table(shown_status(world), False)
    assert 'a?[2Jb c' in found
    assert '\x1b' not in found


@pytest.mark.parametrize(
    ('selectors', 'applications', 'machines'),
    [
        (['haproxy'], {'haproxy', 'hacluster'}, {'0', '1'}),
        (['haproxy/1'], {'haproxy', 'hacluster'}, {'1'}),
        (['hacluster'], {'haproxy', 'hacluster'}, {'0', '1'}),
        (['ha*'], {'haproxy', 'hacluster'}, {'0', '1'}),
        (['0'], {'haproxy', 'hacluster'}, {'0'}),
        (['unknown'], {'haproxy', 'hacluster'}, {'0', '1'}),
        (['empty'], {'empty'}, set[str]()),
        (['nothing'], set[str](), set[str]()),
    ],
)
def test_selectors_choose_what_is_shown(
    world: World, selectors: list[str], applications: set[str], machines: set[str]
):
    found = filtering.status(shown_status(world), selectors)
    assert set(found['applications']) == applications
    assert set(found['machines']) == machines
    tabular.status_table(found, False, relations=True, storage=True)


def test_oneline_and_summary_hold_every_unit(world: World):
    value = shown_status(world)
    assert '- haproxy/0: 10.9.0.10 (agent:idle, workload:unknown) 80/tcp' in tabular.oneline(value)
    assert '  - hacluster/1: ' in tabular.oneline(value)
    assert 'Units: (4)' in tabular.summary(value)
