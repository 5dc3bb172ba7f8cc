"""Several subordinates of one principal: what they want is put together by rule, and who does not get his is named."""

from __future__ import annotations

import dataclasses
import json
import random

import pytest
from charmkit import api, host, service, state
from charmkit.migration import Commands
from charmkit.relations import Relation, Site, merging, neutron_plugins, subordinate
from charmkit.why import Action, Hook
from hypothesis import given
from hypothesis import strategies as st

APPS = st.sampled_from(['calico', 'ovn', 'trunk', 'zuul'])
WORDS = st.sampled_from(['a', 'b', 'c'])
OPTIONS = st.dictionaries(WORDS, st.sampled_from(['1', '2', '3']), max_size=3)
SECTIONS = st.dictionaries(
    st.sampled_from(['/etc/x.conf', '/etc/y.conf']),
    st.dictionaries(st.sampled_from(['DEFAULT', 'own']), OPTIONS, max_size=2),
    max_size=2,
)


@st.composite
def contributions(draw: st.DrawFn) -> list[subordinate.Contribution]:
    apps = draw(st.lists(APPS, unique=True, max_size=4))
    return [
        subordinate.Contribution(
            app,
            draw(SECTIONS),
            packages=tuple(draw(st.lists(WORDS, unique=True, max_size=3))),
            restart=draw(st.sampled_from(['', 'r1', 'r2'])),
            migrate=draw(st.sampled_from(['', 'm1', 'm2'])),
        )
        for app in apps
    ]


def wanted(found: list[subordinate.Contribution]) -> dict[tuple[str, str, str], dict[str, str]]:
    """By file, section and option: who wants what."""
    out: dict[tuple[str, str, str], dict[str, str]] = {}
    for c in found:
        for path, sections in c.sections.items():
            for section, options in sections.items():
                for option, value in options.items():
                    out.setdefault((path, section, option), {})[c.app] = value
    return out


@given(contributions(), st.randoms(use_true_random=False))
def test_the_order_in_which_they_come_does_not_matter(
    found: list[subordinate.Contribution], chance: random.Random
):
    shuffled = [*found]
    chance.shuffle(shuffled)
    assert merging.merge(shuffled) == merging.merge(found)


@given(contributions())
def test_what_any_wants_is_there_or_he_is_named_with_who_has_it(
    found: list[subordinate.Contribution],
):
    merged = merging.merge(found)
    refused = {(d.app, d.what): d.holder for d in merged.disagreements}
    assert len(refused) == len(merged.disagreements), 'each is named once'
    for (path, section, option), by in wanted(found).items():
        value = merged.sections[path][section][option]
        assert value == by[min(by)], 'who is first by name has it'
        for app, mine in by.items():
            holder = refused.pop((app, f'{path}: [{section}] {option}'), None)
            assert holder == (min(by) if mine != value else None)
    assert not refused
    assert {*merged.packages} == {p for c in found for p in c.packages}


@given(contributions())
def test_one_alone_gets_all_that_he_wants(found: list[subordinate.Contribution]):
    for c in found:
        merged = merging.merge([c])
        assert merged.sections == {p: s for p, s in c.sections.items() if s}
        assert not merged.disagreements


@given(contributions(), contributions())
def test_a_trigger_of_any_is_another_one_for_all(
    before: list[subordinate.Contribution], after: list[subordinate.Contribution]
):
    def said(found: list[subordinate.Contribution]) -> list[tuple[str, str]]:
        return sorted((c.app, c.restart) for c in found if c.restart)

    same = merging.merge(before).restarts == merging.merge(after).restarts
    assert same is (said(before) == said(after))


@given(st.dictionaries(APPS, st.lists(WORDS, max_size=3).map(','.join)))
def test_lists_have_what_each_names_once(said: dict[str, str]):
    found = [w for w in merging.together(said.items()).split(',') if w]
    assert len(found) == len({*found})
    assert {*found} == {w for text in said.values() for w in text.split(',') if w}


@given(st.dictionaries(APPS, st.sampled_from(['', 'ml2', 'calico'])))
def test_a_choice_is_the_firsts_and_who_wants_another_is_named(said: dict[str, str]):
    value, refused = merging.choice('core-plugin', said.items())
    there = sorted(app for app, wants in said.items() if wants)
    assert value == (said[there[0]] if there else '')
    assert [d.app for d in refused] == [app for app in there if said[app] != value]


def test_no_value_is_in_a_sentence():
    (d,) = merging.merge(
        subordinate.Contribution(app, {'/etc/x.conf': {'own': {'password': f'pw-of-{app}'}}})
        for app in ('a', 'b')
    ).disagreements
    assert str(d) == (
        "b: /etc/x.conf: [own] password is a's already, with another value; set both alike"
    )


def test_neutron_has_the_drivers_of_both_and_one_core_plugin():
    said = {
        'calico': neutron_plugins.Backend(
            core_plugin='calico', mechanism_drivers='openvswitch,calico'
        ),
        'ovn': neutron_plugins.Backend(
            core_plugin='ml2', mechanism_drivers='openvswitch,ovn', name='ovn'
        ),
    }
    found, refused = neutron_plugins.merge(said)
    assert found.mechanism_drivers == 'openvswitch,calico,ovn'
    assert (found.core_plugin, found.name) == ('calico', 'ovn')
    assert [str(d) for d in refused] == [
        "ovn: core-plugin is calico's already, with another value; set both alike"
    ]


# A whole principal.

CONF = '/etc/neutron/neutron.conf'
SECTION = subordinate.need(neutron_plugins.RELATION, neutron_plugins.SERVICE)
SPEC = service.ServiceSpec(
    name='neutron',
    user='neutron',
    packages=('neutron-api',),
    needs=(neutron_plugins.backend(),),
    sections=(SECTION,),
    apps=(service.WsgiApp('neutron-api', '/usr/bin/neutron', 9696, type='network'),),
    config={CONF: lambda ready: {'DEFAULT': {'ours': '1'}}},
    migrations=Commands(sync=('neutron-db-manage upgrade head',)),
    offers=(
        service.Offer(
            neutron_plugins.RELATION,
            lambda ready, r: neutron_plugins.principal_databag(
                {}, **(subordinate.migrated(r) if ready.migrated else {})
            ),
        ),
    ),
)
PEM = '-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n'
MORE = subordinate.extras(
    packages=('python3-calico',), release='zed', restart='r1', migrate='n1', ca=PEM
)


def run(
    *bags: tuple[str, dict[str, str]],
    leader: bool = True,
    peers: dict[str, str] | None = None,
    why: Hook | Action | None = None,
) -> state.Desired:
    found = tuple(
        Relation(id=n, name=neutron_plugins.RELATION, app=name, units={f'{name}/0': bag})
        for n, (name, bag) in enumerate(bags, 1)
    )
    inputs = state.Inputs(
        site=Site(unit='neutron-api/0', leader=leader, address='10.0.0.7'),
        relations={neutron_plugins.RELATION: found},
        versions={'neutron-api': '21.0'},
        fresh='f' * 64,
        peers=peers or {},
    )
    return api.run(SPEC, why or Hook('config-changed'), inputs)


def bag(**options: str) -> dict[str, str]:
    return neutron_plugins.databag(
        neutron_plugins.Backend(name='x'), {CONF: {'own': options}}, **MORE
    )


def file(desired: state.Desired, path: str = CONF) -> host.File:
    (found,) = (f for f in desired.host.files if f.path == path)
    return found


def test_its_packages_are_installed_and_upgraded_with_the_principals():
    desired = run(('calico', bag()))
    assert {'neutron-api', 'python3-calico'} <= desired.host.packages
    upgraded = run(('calico', bag()), why=Action('openstack-upgrade', {'force': True}, '1'))
    assert upgraded.host.upgrade
    assert 'python3-calico' in upgraded.host.upgrade.packages


def test_a_restart_that_it_asks_for_is_one_of_all_that_read_the_file():
    before, after = run(('calico', bag())), run(('calico', {**bag(), 'restart-trigger': 'r2'}))
    typed = run(('calico', {**bag(), 'restart-trigger-neutron': 'r2'}))
    assert len({file(d).digest for d in (before, after, typed)}) == 3
    assert file(before).notify
    assert 'r1' not in file(before).content
    assert file(run(('calico', bag()))) == file(before)


def test_a_migration_that_it_asks_for_is_run_once_more_by_the_leader_and_said_back():
    first = run(('calico', bag()))
    again = run(('calico', {**bag(), subordinate.MIGRATE: 'n2'}))
    (one,), (two,) = first.host.commands, again.host.commands
    assert one.argv == two.argv
    assert one.key != two.key
    assert again.unit_data[1][subordinate.MIGRATE] == 'n2'
    done = {'schema': str(again.app_data['peers']['schema'])}
    asked = ('calico', {**bag(), subordinate.MIGRATE: 'n2'})
    follower = run(asked, leader=False, peers=done)
    assert follower.unit_data[1][subordinate.MIGRATE] == 'n2'
    assert not follower.host.commands
    old = {'schema': str(first.app_data['peers']['schema'])}
    waits = run(asked, leader=False, peers=old)
    assert subordinate.MIGRATE not in waits.unit_data[1], 'the leader has not migrated yet'
    (apache,) = (s for s in waits.host.services if s.name == 'apache2')
    assert apache.state == 'running', 'and nobody stops serving for that'


def test_its_authorities_are_in_a_file_of_their_own():
    assert file(run(('calico', bag())), '/etc/neutron/subordinate-calico.pem').content == PEM
    bad = run(('calico', {**bag(), subordinate.CA: 'no certificate'}))
    assert (
        state.Status('blocked', 'calico: ca: not certificates in PEM: there is none') in bad.status
    )
    assert not [f for f in bad.host.files if f.path.endswith('.pem')]


def test_one_of_another_release_is_named():
    desired = run(('calico', {**bag(), subordinate.RELEASE: 'epoxy'}))
    said = 'calico is of epoxy, this unit of zed: upgrade both'
    assert state.Status('active', said) in desired.status
    assert not [s for s in run(('calico', bag())).status if 'upgrade both' in s.message]


def test_two_that_disagree_are_both_in_the_status_and_the_service_goes_on():
    desired = run(('calico', bag(a='1', b='1')), ('ovn', bag(a='2', c='2')))
    assert '[own]\na = 1\nb = 1\nc = 2\n' in file(desired).content
    said = f"ovn: {CONF}: [own] a is calico's already, with another value; set both alike"
    assert state.Status('blocked', said) in desired.status
    (apache,) = (s for s in desired.host.services if s.name == 'apache2')
    assert apache.state == 'running'


def test_sabotaged_nobody_is_named(monkeypatch: pytest.MonkeyPatch):
    right = merging.merge

    def backwards(found: object) -> merging.Merged:
        merged = right(found)  # type: ignore[arg-type]
        return dataclasses.replace(merged, disagreements=())

    monkeypatch.setattr(merging, 'merge', backwards)
    desired = run(('calico', bag(a='1')), ('ovn', bag(a='2')))
    assert not [s for s in desired.status if 'already' in s.message]


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        (subordinate.PACKAGES, 'good ../../bad'),
        (subordinate.PACKAGES, '--allow-unauthenticated'),
        (subordinate.PACKAGES, ' '.join(f'p{n}' for n in range(40))),
        (subordinate.CA, PEM.replace('TUlJQg==', '$(reboot)')),
    ],
)
def test_what_will_not_do_is_refused_by_name_and_the_rest_is_taken(key: str, value: str):
    desired = run(('calico', {**bag(a='1'), key: value}))
    assert any(
        s.kind == 'blocked' and s.message.startswith(f'calico: {key}: ') for s in desired.status
    )
    assert 'a = 1' in file(desired).content
    assert not {p for p in desired.host.packages if p.startswith(('-', '.'))}


@given(
    st.dictionaries(
        st.sampled_from([*MORE, subordinate.KEY, 'restart-trigger-x']), st.text(max_size=80)
    )
)
def test_nonsense_is_survived(said: dict[str, str]):
    relation = Relation(id=1, name=SECTION.relation, app='x', units={'x/0': said})
    (found,) = tuple(SECTION.read((relation,), Site(unit='n/0', leader=True, address='')) or ())
    assert all(word.isprintable() for word in (*found.packages, found.restart, found.migrate))
    json.dumps(dataclasses.asdict(merging.merge([found])))
