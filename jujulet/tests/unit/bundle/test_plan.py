"""A plan makes the model match the bundle, in an order that works, and asks for nothing that is there."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jujulet.core import bundle, charm, model, requests
from tests.examples import examples

from .conftest import CHARMS, Carrier, make_charm

TEXT = """
default-base: debian@12
applications:
  mysql: {charm: ./mysql, num_units: 2, to: ["0", "1"], options: {port: 3306}, annotations: {x: "1"}}
  keystone: {charm: ./keystone, num_units: 3, to: [mysql], expose: true, bindings: {"": alpha}}
  glance: {charm: ./glance, num_units: 1, to: ["lxd:0"], constraints: mem=1G}
  hacluster: {charm: ./hacluster}
machines: {"0": {constraints: cores=2}, "1": }
relations: [[keystone, mysql], ["glance:identity", keystone], [glance, "mysql:shared-db"], [hacluster, keystone]]
"""


def plan(text: str, carrier: Carrier, **more: object) -> tuple[bundle.Step, ...]:
    found = bundle.parse(text, path='b.yaml')
    charms = {name: CHARMS[name] for name in found.applications}
    return bundle.plan(carrier.model, found, charms, **more)  # pyright: ignore[reportArgumentType]


def refusal(text: str, carrier: Carrier | None = None, **more: object) -> str:
    with pytest.raises(bundle.Invalid) as caught:
        plan(text, carrier or Carrier(), **more)
    return str(caught.value)


def test_a_whole_bundle_in_words(carrier: Carrier):
    steps = plan(TEXT, carrier, bases=dict.fromkeys(CHARMS, charm.Base('debian', '12')))
    assert (
        bundle.describe(steps, dry_run=True)
        == """\
Changes to deploy bundle:
- deploy application glance on debian@12/stable
- deploy application hacluster on debian@12/stable
- deploy application keystone on debian@12/stable
- expose all endpoints of keystone and allow access from CIDRs 0.0.0.0/0 and ::/0
- deploy application mysql on debian@12/stable
- set annotations for mysql
- add new machine 0
- add new machine 1
- add relation keystone:shared-db - mysql:shared-db
- add relation glance:identity - keystone:identity-service
- add relation glance:shared-db - mysql:shared-db
- add relation hacluster:ha - keystone:ha
- add unit glance/0 to new machine 2 to satisfy [lxd:0]
- add unit mysql/0 to new machine 0
- add unit mysql/1 to new machine 1
- add unit keystone/0 to new machine 0 to satisfy [mysql]
- add unit keystone/1 to new machine 1 to satisfy [mysql]
- add unit keystone/2 to new machine 3"""
    )


def test_units_land_where_the_bundle_says(carrier: Carrier):
    carrier.carry_out(plan(TEXT, carrier))
    where = {name: unit.machine for name, unit in carrier.model.units.items()}
    assert where['keystone/0'] == where['mysql/0'] == '0'
    assert where['keystone/1'] == where['mysql/1'] == '1'


def test_every_relation_is_there_before_the_first_unit(carrier: Carrier):
    carrier.carry_out(plan(TEXT, carrier))
    kinds = [type(r).__name__ for r in carrier.done]
    last_relation = max(i for i, kind in enumerate(kinds) if kind == 'Integrate')
    assert last_relation < kinds.index('AddUnit')


def test_the_same_bundle_again_plans_nothing(carrier: Carrier):
    carrier.carry_out(plan(TEXT, carrier))
    assert plan(TEXT, carrier) == ()
    assert bundle.describe(()) == 'No changes to apply.'


def test_a_difference_is_planned_again(carrier: Carrier):
    """The twin of the test above: were nothing ever planned, that one would pass too."""
    carrier.carry_out(plan(TEXT, carrier))
    changed = TEXT.replace('3306', '3307').replace('num_units: 1', 'num_units: 2')
    words = [s.words for s in plan(changed, carrier)]
    assert words[0] == 'set application options for mysql'
    assert words[1] == 'add unit glance/1 to new machine 4 to satisfy [lxd:0]'


def test_nothing_is_ever_removed(carrier: Carrier):
    carrier.carry_out(plan(TEXT, carrier))
    fewer = 'applications: {mysql: {charm: ./mysql, num_units: 1}}'
    assert plan(fewer, carrier) == ()


def test_a_new_charm_is_a_refresh(carrier: Carrier):
    carrier.carry_out(plan(TEXT, carrier))
    newer = dataclasses.replace(CHARMS['mysql'], url='local:mysql-1', digest='other')
    found = bundle.parse(TEXT, path='b.yaml')
    (step,) = bundle.plan(carrier.model, found, {**CHARMS, 'mysql': newer})
    assert step.request == requests.Refresh(application='mysql', charm='local:mysql-1')


def test_a_new_resource_is_attached(carrier: Carrier):
    declared = {'dump': charm.ResourceMeta('dump', filename='d.sql')}
    charms = {'mysql': dataclasses.replace(CHARMS['mysql'], resources=declared)}
    text = 'applications: {mysql: {charm: ./mysql, num_units: 1, resources: {dump: ./x}}}'
    found = bundle.parse(text, path='b.yaml')
    one = {'mysql': {'dump': model.Resource('dump', 'd.sql', 'aa', 1)}}
    two = {'mysql': {'dump': model.Resource('dump', 'd.sql', 'bb', 1)}}
    carrier.carry_out(bundle.plan(carrier.model, found, charms, resources=one))
    assert bundle.plan(carrier.model, found, charms, resources=one) == ()
    (step,) = bundle.plan(carrier.model, found, charms, resources=two)
    assert isinstance(step.request, requests.AttachResource)


def test_the_last_placement_stands_for_the_rest(carrier: Carrier):
    text = """
applications: {mysql: {charm: ./mysql, num_units: 3, to: ["0"]}}
machines: {"0": }
"""
    carrier.carry_out(plan(text, carrier))
    assert {u.machine for u in carrier.model.units.values()} == {'0'}


def test_circles_of_placements_are_refused():
    text = """
applications:
  mysql: {charm: ./mysql, num_units: 1, to: [keystone]}
  keystone: {charm: ./keystone, num_units: 1, to: ["mysql/0"]}
"""
    assert refusal(text) == 'b.yaml: cycle in placement directives for: keystone, mysql'


def test_machines_that_hold_the_bundles_units_are_found_again(carrier: Carrier):
    carrier.addmachine(requests.AddMachine())
    carrier.carry_out(plan(TEXT, carrier))
    more = TEXT.replace(
        'glance: {charm: ./glance, num_units: 1', 'glance: {charm: ./glance, num_units: 2'
    )
    more = more.replace('to: ["lxd:0"]', 'to: ["lxd:0", "0"]')
    carrier.carry_out(plan(more, carrier))
    assert carrier.model.units['glance/1'].machine == carrier.model.units['mysql/0'].machine == '1'


def test_machines_can_be_mapped_by_hand(carrier: Carrier):
    for _ in range(3):
        carrier.addmachine(requests.AddMachine())
    text = 'applications: {mysql: {charm: ./mysql, num_units: 2, to: ["0", "1"]}}\nmachines: {0: , 1: }'
    carrier.carry_out(plan(text, carrier, machines='existing,1=2'))
    assert [u.machine for u in carrier.model.units_of('mysql')] == ['0', '2']


@pytest.mark.parametrize('flag', ['all', '0=', '0=9', '7=0'])
def test_a_mapping_that_means_nothing_is_refused(flag: str):
    text = 'applications: {mysql: {charm: ./mysql, num_units: 1, to: "0"}}\nmachines: {0: }'
    carrier = Carrier()
    carrier.addmachine(requests.AddMachine())
    assert 'map-machines' in refusal(text, carrier, machines=flag)


def test_a_new_machine_is_in_every_space_that_its_units_need(carrier: Carrier):
    carrier.put(spaces={'dmz': model.Space('dmz', '10.0.0.0/24')})
    text = """
applications: {mysql: {charm: ./mysql, num_units: 1, to: "0", bindings: {shared-db: dmz}}}
machines: {0: {constraints: mem=1G}}
"""
    steps = plan(text, carrier)
    (machine,) = [s.request for s in steps if isinstance(s.request, requests.AddMachine)]
    assert machine.constraints == {'mem': 1024, 'spaces': ['dmz']}


@pytest.mark.parametrize(
    ('fields', 'says'),
    [
        (
            'options: {prot: 1}',
            'b.yaml:1: application "mysql": charm "mysql" has no option "prot"; did you mean',
        ),
        ('options: {port: lots}', 'expected int, got "lots"'),
        ('options: {debug: 1}', 'expected boolean'),
        ('bindings: {shraed-db: alpha}', 'did you mean "shared-db"?'),
        ('bindings: {"": dmz}', 'create it with "juju add-space dmz"'),
        ('storage: {data: 1G}', 'has no storage "data"'),
        (
            'offers: {mine: {endpoints: [shared-db, shraed]}}',
            'offer "mine": charm "mysql" has no endpoint "shraed"',
        ),
        (
            'offers: {mine: {endpoints: [cluster]}}',
            'b.yaml:1: application "mysql": offer "mine": "cluster" is a peer relation of charm "mysql"; '
            'can be offered: shared-db',
        ),
        ('resources: {x: 3}', 'has no resources "x"'),
        ('trust: true', 'repeat the deploy command with the --trust argument'),
    ],
)
def test_what_does_not_fit_the_charm_is_found_before_the_first_step(fields: str, says: str):
    assert says in refusal(f'applications: {{mysql: {{charm: ./mysql, {fields}}}}}')


def test_an_offer_is_of_one_application(carrier: Carrier):
    """As ``juju offer`` says of it, which would be in mid-deployment."""
    offered = 'offers: {db: {endpoints: [shared-db]}}'
    one = f'applications:\n  mysql: {{charm: ./mysql, {offered}}}'
    two = f'\n  keystone: {{charm: ./k, {offered}}}'
    says = 'application "keystone": offer "db" is of application "mysql" already'
    assert f'b.yaml:3: {says}' in refusal(one + two)
    carrier.carry_out(plan(one, carrier))
    assert f'b.yaml:2: {says}' in refusal(f'applications:{two}', carrier)
    assert plan(one, carrier) == ()


def test_trust_is_given_when_asked_for(carrier: Carrier):
    text = 'applications: {mysql: {charm: ./mysql, trust: true}}'
    carrier.carry_out(plan(text, carrier, trust=True))
    assert carrier.model.applications['mysql'].trust
    assert plan(text, carrier) == ()


def test_a_subordinate_takes_no_units():
    told = refusal('applications:\n  hacluster: {charm: ./h, num_units: 1, to: new}')
    assert told.count('subordinate') == 2


def test_relations_that_cannot_be_are_refused():
    text = 'applications: {mysql: {charm: ./m}, hacluster: {charm: ./h}}\nrelations: [[mysql, hacluster]]'
    assert 'b.yaml:2: no relations found between "mysql" and "hacluster"' in refusal(text)
    text = 'applications: {mysql: {charm: ./m}, glance: {charm: ./g}}\nrelations: [["mysql:db", glance]]'
    assert 'has no "db" relation' in refusal(text)


def test_an_ambiguous_relation_lists_the_choices():
    two = dataclasses.replace(
        CHARMS['glance'],
        relations={
            **CHARMS['glance'].relations,
            'other-db': charm.RelationMeta('other-db', 'requirer', 'mysql-shared'),
        },
    )
    text = (
        'applications: {mysql: {charm: ./m}, glance: {charm: ./g}}\nrelations: [[mysql, glance]]'
    )
    found = bundle.parse(text, path='b.yaml')
    with pytest.raises(bundle.Invalid, match='ambiguous relation') as caught:
        bundle.plan(Carrier().model, found, {'mysql': CHARMS['mysql'], 'glance': two})
    assert '"mysql:shared-db glance:other-db"' in str(caught.value)


def test_offers_and_saas(carrier: Carrier):
    text = """
applications:
  mysql: {charm: ./mysql, offers: {db: {endpoints: [shared-db]}}}
  glance: {charm: ./glance}
saas: {sso: {url: admin/other.sso}}
relations: [["glance:identity", sso]]
"""
    carrier.carry_out(plan(text, carrier))
    assert carrier.model.offers['db'].endpoints == ('shared-db',)
    assert carrier.model.remotes['sso'].url == 'admin/other.sso'
    assert plan(text, carrier) == ()


NAMES = ('mysql', 'keystone', 'glance')


@st.composite
def bundles(draw: st.DrawFn) -> str:
    """Bundles with machines, placements of every kind, options and relations; no circles: targets come before."""
    machines = draw(st.integers(0, 3))
    lines = ['applications:']
    used: set[str] = set()
    units: dict[str, int] = {}
    for position, name in enumerate(NAMES):
        count = draw(st.integers(0, 4))
        targets = ['new', 'lxd', *(str(m) for m in range(machines))]
        targets += [f'lxd:{m}' for m in range(machines)]
        for earlier in NAMES[:position]:
            targets += [f'{earlier}/{u}' for u in range(units[earlier])] + [earlier]
        to = draw(st.lists(st.sampled_from(targets), max_size=count))
        used |= {t.rpartition(':')[2] for t in to} & {str(m) for m in range(machines)}
        units[name] = count
        port = draw(st.sampled_from(['80', '"81"', '82']))
        lines.append(
            f'  {name}: {{charm: ./{name}, num_units: {count}, to: {to!r}, options: {{port: {port}}}, '
            f'expose: {draw(st.sampled_from(["true", "false"]))}}}'
        )
    lines.append('machines: {' + ', '.join(f'"{m}": ' for m in sorted(used)) + '}')
    wanted = [
        r
        for r in ('[keystone, mysql]', '[glance, mysql]', '[glance, keystone]')
        if draw(st.booleans())
    ]
    lines.append(f'relations: [{", ".join(wanted)}]')
    return '\n'.join(lines)


@settings(max_examples=examples(150), deadline=None)
@given(first=bundles(), second=bundles())
def test_any_bundle_over_any_other_converges_in_one_go(first: str, second: str):
    carrier = Carrier()
    carrier.carry_out(plan(first, carrier))
    carrier.carry_out(plan(second, carrier))
    assert plan(second, carrier) == ()
    wanted = bundle.parse(second, path='b.yaml').applications
    for name, app in wanted.items():
        assert len(carrier.model.units_of(name)) >= app.num_units


@settings(max_examples=examples(100), deadline=None)
@given(text=bundles())
def test_names_in_words_are_the_names_that_come_true(text: str):
    carrier = Carrier()
    steps = plan(text, carrier)
    carrier.carry_out(steps)
    told = [s.words.split()[2] for s in steps if s.words.startswith('add unit')]
    assert told == list(carrier.model.units)
    assert all('{' not in place for r in carrier.done for place in getattr(r, 'to', ()))


@pytest.mark.parametrize(
    ('directive', 'said'),
    [
        ('1x', 'unrecognized storage constraint "1x" not valid'),
        ('3', 'charm storage "data": at most 2 instances supported, 3 specified'),
        ('ebs', 'pool "ebs" not found'),
    ],
)
def test_storage_is_looked_at_before_anything_is_deployed(
    monkeypatch: pytest.MonkeyPatch, directive: str, said: str
):
    data = charm.StorageMeta('data', maximum=2)
    monkeypatch.setitem(CHARMS, 'store', make_charm('store', storage={'data': data}))
    text = f'applications: {{store: {{charm: ./store, storage: {{data: "{directive}"}}}}}}'
    assert refusal(text) == f'b.yaml:1: application "store": {said}'
