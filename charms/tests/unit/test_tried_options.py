"""An option that a service does not come up with: it is named, and all else goes on with its last good value."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from charmkit import host, proven
from charmkit import testing as machines
from ops import testing

from charms import conftest as shared

from .test_api_options import changed, ctx, state

__all__ = ['ctx']  # fixture

CONF = '/etc/placement/placement.conf'
GROUP = 'wsgi:placement-api'
GOOD = '[api]\nmax_limit = 7\n'
BAD = '[api]\nmax_limit = nope\n'
SAID = 'trial of placement-api: ValueError: nope'
REFUSED = f'option config-flags: {SAID}; its last good value is in force'


class Picky:
    """A machine on which placement does not come up with some words in its files, and says so."""

    def __init__(self, machine: machines.FakeMachine, *words: str) -> None:
        self.machine, self.words, self.tries = machine, words, 0
        self.tells = True
        """Whether Apache says at its start that what it runs does not come up; mod_wsgi tells only who asks."""
        self.before = machine.carry_out
        machine.carry_out = self.carry_out  # type: ignore[method-assign]

    def carry_out(self, step: host.Step, desired: host.Host) -> str:
        takes_up = step.verb in ('try', 'recycle', 'start', 'restart', 'reload')
        bad = any(w in f.content for f in desired.files for w in self.words)
        if takes_up and step.target in (GROUP, 'apache2'):
            self.tries += 1
            if bad and (step.target == GROUP or self.tells):
                # What it came up with last is in force.
                self.machine.failing |= {GROUP}
                return f'{SAID}; its last good files are in force again'
            self.machine.failing -= set[str]() if bad else {GROUP}
        return self.before(step, desired)


@pytest.fixture
def picky(machine: machines.FakeMachine) -> Picky:
    return Picky(machine, 'nope')


def password(before: testing.State, new: str) -> testing.State:
    """The database's server has given the service another password."""
    old = before.get_relations('shared-db')[0]
    assert isinstance(old, testing.Relation)
    bags = {n: {**bag, 'password': new} for n, bag in old.remote_units_data.items()}
    relation = dataclasses.replace(old, remote_units_data=bags)
    return dataclasses.replace(
        before, relations={relation, *(r for r in before.relations if r.id != old.id)}
    )


def test_it_is_named_and_a_password_that_is_rotated_meanwhile_is_taken_up(
    ctx: testing.Context[Any], machine: machines.FakeMachine, picky: Picky
) -> None:
    out = ctx.run(ctx.on.config_changed(), state(config_flags=GOOD))
    bad = ctx.run(ctx.on.config_changed(), changed(out, config_flags=BAD))
    assert bad.unit_status == testing.BlockedStatus(REFUSED)
    assert 'max_limit = 7\n' in machine.file(CONF)
    rotated = ctx.run(ctx.on.update_status(), password(bad, 'another-one'))
    assert rotated.unit_status == testing.BlockedStatus(REFUSED), 'it is told as long as it is so'
    assert ':another-one@' in machine.file(CONF)
    right = ctx.run(ctx.on.config_changed(), changed(rotated, config_flags='[api]\nmax_limit = 8'))
    assert right.unit_status == testing.ActiveStatus()
    assert 'max_limit = 8\n' in machine.file(CONF)


def test_it_is_not_tried_with_each_hook_but_again_after_an_hour(
    ctx: testing.Context[Any], machine: machines.FakeMachine, picky: Picky
) -> None:
    out = ctx.run(ctx.on.config_changed(), state(config_flags=GOOD))
    bad = ctx.run(ctx.on.config_changed(), changed(out, config_flags=BAD))
    tried = picky.tries
    bad = ctx.run(ctx.on.update_status(), bad)
    assert picky.tries == tried
    picky.words = ()  # The fault was elsewhere.
    machine.clock += proven.AGAIN_S
    well = ctx.run(ctx.on.update_status(), bad)
    assert well.unit_status == testing.ActiveStatus()
    assert 'max_limit = nope\n' in machine.file(CONF)


def test_several_that_were_changed_at_once_are_named_together(
    ctx: testing.Context[Any], picky: Picky
) -> None:
    out = ctx.run(ctx.on.config_changed(), state())
    both = changed(out, config_flags=BAD, policy_overrides='placement:traits:list: "role:nope"')
    said = ctx.run(ctx.on.config_changed(), both).unit_status.message
    assert said == (
        f'option policy-overrides and option config-flags: {SAID}; their last good values are in force'
    )


def test_two_that_break_one_after_the_other_are_both_held_and_named(
    ctx: testing.Context[Any], machine: machines.FakeMachine, picky: Picky
) -> None:
    out = ctx.run(ctx.on.config_changed(), state(config_flags=GOOD))
    one = ctx.run(ctx.on.config_changed(), changed(out, config_flags=BAD))
    first = machine.clock
    machine.clock += 600
    rules = 'placement:traits:list: "role:nope"'
    both = ctx.run(ctx.on.config_changed(), changed(one, policy_overrides=rules))
    tries = picky.tries
    for _ in range(3):
        machine.clock += 300
        both = ctx.run(ctx.on.update_status(), both)
        for name in ('config-flags', 'policy-overrides'):
            assert f'option {name}: {SAID}' in both.unit_status.message
    assert picky.tries == tries, 'nothing is tried again within the hour'
    # The hour of the first is over: it alone is tried again, and held again.
    machine.clock = first + proven.AGAIN_S
    both = ctx.run(ctx.on.update_status(), both)
    assert picky.tries > tries
    tries = picky.tries
    both = ctx.run(ctx.on.update_status(), both)
    assert picky.tries == tries
    right = ctx.run(ctx.on.config_changed(), changed(both, config_flags=GOOD))
    assert right.unit_status == testing.BlockedStatus(
        f'option policy-overrides: {SAID}; its last good value is in force'
    )


def test_of_several_that_were_found_together_those_that_are_right_are_in_force_once_the_other_is(
    ctx: testing.Context[Any], machine: machines.FakeMachine, picky: Picky
) -> None:
    out = ctx.run(ctx.on.config_changed(), state(config_flags=GOOD))
    rules = 'placement:traits:list: "role:member"'
    both = changed(out, config_flags=BAD, policy_overrides=rules)
    both = ctx.run(ctx.on.config_changed(), both)
    assert 'option policy-overrides and option config-flags' in both.unit_status.message
    right = ctx.run(ctx.on.config_changed(), changed(both, config_flags=GOOD))
    assert right.unit_status == testing.ActiveStatus()
    assert 'role:member' in machine.file('/etc/placement/policy.d/charm.yaml')


@pytest.mark.parametrize('tells', [True, False])
def test_what_was_changed_while_the_unit_was_paused_has_proven_nothing(
    ctx: testing.Context[Any], machine: machines.FakeMachine, picky: Picky, tells: bool
) -> None:
    picky.tells = tells
    out = ctx.run(ctx.on.config_changed(), state(config_flags=GOOD))
    paused = ctx.run(ctx.on.action('pause'), out)
    assert machine.service('apache2') == 'stopped'
    paused = ctx.run(ctx.on.config_changed(), changed(paused, config_flags=BAD))
    resumed = ctx.run(ctx.on.action('resume'), paused)
    again = ctx.run(ctx.on.update_status(), resumed)
    assert again.unit_status == testing.BlockedStatus(REFUSED)
    rotated = ctx.run(ctx.on.update_status(), password(again, 'another-one'))
    assert rotated.unit_status == testing.BlockedStatus(REFUSED)
    assert machine.service('apache2') == 'running'
    assert 'max_limit = 7\n' in machine.file(CONF)
    assert ':another-one@' in machine.file(CONF)


def test_what_was_changed_while_a_unit_waits_for_the_migration_has_proven_nothing(
    ctx: testing.Context[Any], machine: machines.FakeMachine, picky: Picky
) -> None:
    out = ctx.run(ctx.on.config_changed(), state(config_flags=GOOD))
    # The leader has not migrated to what is installed here.
    machine.version = '2.0-1'
    peers = out.get_relations('peers')[0]
    assert isinstance(peers, testing.PeerRelation)
    waits = dataclasses.replace(
        changed(out, config_flags=BAD),
        leader=False,
        relations={
            dataclasses.replace(peers, local_app_data={}),
            *(r for r in out.relations if r.id != peers.id),
        },
    )
    waits = ctx.run(ctx.on.config_changed(), waits)
    assert machine.service('apache2') == 'stopped'
    leads = dataclasses.replace(waits, leader=True)
    serves = ctx.run(ctx.on.leader_elected(), leads)
    assert machine.service('apache2') == 'running'
    assert serves.unit_status == testing.BlockedStatus(REFUSED)
    assert 'max_limit = 7\n' in machine.file(CONF)


def test_what_fails_without_it_too_is_not_its_fault(
    ctx: testing.Context[Any], picky: Picky
) -> None:
    out = ctx.run(ctx.on.config_changed(), state(config_flags=GOOD))
    picky.words = ('',)
    bad = ctx.run(ctx.on.config_changed(), changed(password(out, 'x'), config_flags='[api]\na=1'))
    assert bad.unit_status == testing.BlockedStatus(
        f'{SAID}; its last good files are in force again'
    )


def test_what_was_there_before_anything_ran_with_it_is_no_good_value(
    ctx: testing.Context[Any], machine: machines.FakeMachine, picky: Picky
) -> None:
    alone = testing.State(
        leader=True,
        relations={testing.PeerRelation('peers')},
        networks=shared.networks(),
        config={'config-flags': BAD},
    )
    out = ctx.run(ctx.on.config_changed(), alone)
    related = state().relations
    peers = out.get_relations('peers')
    out = dataclasses.replace(
        out, relations={*peers, *(r for r in related if r.endpoint != 'peers')}
    )
    bad = ctx.run(ctx.on.config_changed(), out)
    assert SAID in bad.unit_status.message
    good = ctx.run(ctx.on.config_changed(), changed(bad, config_flags=GOOD))
    assert good.unit_status == testing.ActiveStatus()
    bad = ctx.run(ctx.on.config_changed(), changed(good, config_flags=BAD))
    assert bad.unit_status == testing.BlockedStatus(REFUSED)
    assert 'max_limit = 7\n' in machine.file(CONF)
