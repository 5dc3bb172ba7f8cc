"""Secrets rotate, expire and are told of when Juju does it, and to whom."""

from __future__ import annotations

import datetime

import pytest
import simulation
from simulation import REL, Done, World

from jujulet.core import context, hooks, model, requests, schedule, secrets, secretwrites, settle

GIVES = REL('db', 'provider', 'sql')
WANTS = REL('db', 'requirer', 'sql')
HOUR, DAY = 3600.0, 86400.0


class Charmer:
    """A charm that is told from outside what to write in its next hook."""

    def __init__(self) -> None:
        self.next: list[context.SecretWrite] = []

    def __call__(self, _model: model.Model, _context: context.Context) -> Done:
        done, self.next = tuple(self.next), []
        return Done(context.Writes(secrets=done))


@pytest.fixture
def owner() -> Charmer:
    return Charmer()


@pytest.fixture
def world(owner: Charmer, settled: World) -> World:
    world = settled.copy()
    world.scripts['b'] = owner
    return world


@pytest.fixture(scope='module')
def settled() -> World:
    """b owns what a consumes."""
    world = World()
    world.deploy(simulation.a_charm('a', WANTS), num_units=2)
    world.deploy(simulation.a_charm('b', GIVES))
    world.integrate('a', 'b')
    world.settle()
    world.trace.clear()
    return world


def do(world: World, owner: Charmer, *writes: context.SecretWrite) -> None:
    """Let b's unit commit wishes in its next hook."""
    owner.next = list(writes)
    level = world.model.applications['b'].options.get('level', 1)
    world.ask(requests.SetConfig(application='b', options={'level': level + 1}))
    world.settle()


def add(world: World, owner: Charmer, **more: object) -> None:
    write = context.SecretWrite('add', 's1', owner='b', content={'k': '1'}, **more)  # pyright: ignore[reportArgumentType]
    do(world, owner, write)


def track(world: World, unit: str = 'a/0', revision: int = 0) -> None:
    """A unit of a reads the secret, as the hook tool does at once."""
    write = context.SecretWrite('track', 's1', revision=revision)
    tracked = secretwrites.commit(world.model, unit, (write,), world.now)
    world.set(settle.settle(tracked, world.now))


def told(world: World, kind: str) -> list[str]:
    return [e.unit for e in world.trace if hooks.name(e.hook) == kind]


def test_a_new_revision_is_told_to_those_who_follow_and_to_no_one_else(
    world: World, owner: Charmer
):
    add(world, owner)
    track(world, 'a/1')
    do(world, owner, context.SecretWrite('set', 's1', content={'k': '2'}))
    assert told(world, 'secret-changed') == ['a/1']


def test_who_has_gone_on_to_the_newest_is_not_told(world: World, owner: Charmer):
    add(world, owner)
    track(world)
    world.lose('0')
    do(world, owner, context.SecretWrite('set', 's1', content={'k': '2'}))
    track(world)
    world.recover()
    assert told(world, 'secret-changed') == []


def test_the_same_content_again_is_no_revision(world: World, owner: Charmer):
    add(world, owner)
    do(world, owner, context.SecretWrite('set', 's1', content={'k': '1'}))
    assert world.model.secrets['s1'].latest == 1


def test_several_changes_in_one_hook_are_one_revision(world: World, owner: Charmer):
    add(world, owner)
    do(
        world,
        owner,
        context.SecretWrite('set', 's1', content={'k': '2'}),
        context.SecretWrite('set', 's1', content={'k': '3'}),
    )
    secret = world.model.secrets['s1']
    assert (secret.latest, secret.revisions[2].content) == (2, {'k': '3'})


def test_a_revision_that_nobody_follows_is_told_once_for_removal(world: World, owner: Charmer):
    add(world, owner)
    track(world)
    do(world, owner, context.SecretWrite('set', 's1', content={'k': '2'}))
    assert told(world, 'secret-remove') == []
    track(world)
    world.settle()
    world.pass_time(DAY)
    assert told(world, 'secret-remove') == ['b/0']
    removed = next(e.hook for e in world.trace if e.name == 'secret-remove')
    assert (removed.secret, removed.secret_revision) == ('s1', 1)


def test_rotation_comes_at_its_time_and_again(world: World, owner: Charmer):
    add(world, owner, rotate='hourly', label='pass')
    world.pass_time(0.9 * HOUR)
    assert told(world, 'secret-rotate') == []
    world.pass_time(2.2 * HOUR)
    assert told(world, 'secret-rotate') == ['b/0'] * 3
    assert {e.hook.secret_label for e in world.trace if e.name == 'secret-rotate'} == {'pass'}


def test_a_rotation_whose_hook_failed_is_not_done(world: World, owner: Charmer):
    add(world, owner, rotate='hourly')
    world.ask(requests.SetModelConfig(options={'automatically-retry-hooks': False}))
    world.scripts['b'] = lambda _m, c: (
        simulation.FAIL if c.hook.kind == 'secret-rotate' else Done()
    )
    world.pass_time(1.5 * HOUR)
    at = world.model.secrets['s1'].rotate_at
    assert at < world.now
    world.scripts['b'] = owner
    world.ask(requests.Resolved(all=True))
    world.settle()
    assert world.model.secrets['s1'].rotate_at == pytest.approx(world.now + HOUR, abs=60)


def test_expiry_is_told_again_until_the_revision_is_gone(world: World, owner: Charmer):
    add(world, owner, expires=world.now + HOUR)
    world.pass_time(HOUR + 2.5 * secrets.EXPIRY_REPEAT)
    assert told(world, 'secret-expired') == ['b/0'] * 3
    do(world, owner, context.SecretWrite('remove', 's1', revision=1))
    world.trace.clear()
    world.pass_time(DAY)
    assert told(world, 'secret-expired') == []
    assert 's1' not in world.model.secrets


def test_the_clock_wakes_for_rotation(world: World, owner: Charmer):
    world.ask(requests.SetModelConfig(options={'update-status-hook-interval': '60m'}))
    world.pass_time(DAY)
    add(world, owner, expires=world.now + 7.0)
    wake = schedule.wake_at(world.model, world.now)
    assert wake is not None
    assert wake - world.now == pytest.approx(7.0, abs=1.0)


def test_the_new_leader_gets_the_hooks_of_the_application_s_secrets(world: World, owner: Charmer):
    world.ask(requests.AddUnit(application='b'))
    world.settle()
    add(world, owner, rotate='daily')
    world.trace.clear()
    world.ask(requests.RemoveUnit(units=('b/0',)))
    world.pass_time(1.5 * DAY)
    assert told(world, 'secret-rotate') == ['b/1']


def test_a_grant_ends_with_its_relation(world: World, owner: Charmer):
    rid = next(iter(world.model.relations))
    add(world, owner)
    do(world, owner, context.SecretWrite('grant', 's1', relation=rid, target='a'))
    assert world.model.secrets['s1'].access == (model.SecretAccess('a', rid),)
    world.ask(requests.RemoveRelation(a='a', b='b'))
    world.settle()
    assert world.model.secrets['s1'].access == ()


def test_a_unit_s_secrets_go_with_it_and_the_application_s_stay(world: World, owner: Charmer):
    world.ask(requests.AddUnit(application='b'))
    world.settle()
    add(world, owner)
    do(world, owner, context.SecretWrite('add', 's2', owner='b/0', content={'k': '1'}))
    world.ask(requests.RemoveUnit(units=('b/0',)))
    world.settle()
    assert list(world.model.secrets) == ['s1']


@pytest.mark.parametrize(
    ('policy', 'then'),
    [
        ('hourly', '2024-01-31T13:00:00'),
        ('daily', '2024-02-01T12:00:00'),
        ('weekly', '2024-02-07T12:00:00'),
        ('monthly', '2024-02-29T12:00:00'),
        ('quarterly', '2024-04-30T12:00:00'),
        ('yearly', '2025-01-31T12:00:00'),
    ],
)
def test_rotation_policies_go_by_the_calendar(policy: str, then: str):
    start = datetime.datetime(2024, 1, 31, 12, tzinfo=datetime.UTC).timestamp()
    found = secrets.next_rotation(policy, start)
    assert datetime.datetime.fromtimestamp(found, datetime.UTC).isoformat() == then + '+00:00'


def test_never_is_never():
    assert secrets.next_rotation('never', 5.0) == 0.0


class TestUserSecrets:
    """What ``juju add-secret`` and its kin do."""

    def test_one_is_found_by_name_id_and_uri(self, world: World):
        sid = world.ask(requests.AddSecret(name='n', content={'k': '1'}))['id']
        assert len(sid) == 20
        for text in ('n', sid, f'secret:{sid}', f'secret://{world.model.uuid}/{sid}'):
            world.ask(requests.UpdateSecret(id=text, content={'k': text}))
        assert world.model.secrets[sid].latest == 5

    def test_a_name_is_given_once(self, world: World):
        world.ask(requests.AddSecret(name='n', content={'k': '1'}))
        with pytest.raises(model.Refused, match='already exists'):
            world.ask(requests.AddSecret(name='n', content={'k': '1'}))

    def test_ids_differ(self, world: World):
        ids = {
            world.ask(requests.AddSecret(name=f'n{i}', content={'k': '1'}))['id']
            for i in range(50)
        }
        assert len(ids) == 50

    def test_auto_prune_keeps_what_is_followed(self, world: World):
        sid = world.ask(requests.AddSecret(name='n', content={'k': '1'}))['id']
        world.ask(requests.UpdateSecret(id=sid, auto_prune=True, content={'k': '2'}))
        assert list(world.model.secrets[sid].revisions) == [2]

    def test_auto_prune_takes_a_revision_when_its_last_reader_moves_on(self, world: World):
        """Source: worker/secretspruner and ``ObsoleteUserSecrets`` of Juju 3.6."""
        sid = world.ask(requests.AddSecret(name='n', content={'k': '1'}))['id']
        world.ask(requests.GrantSecret(id='n', applications=('a',)))
        for unit in ('a/0', 'a/1'):
            self.read(world, unit, sid)
        world.ask(requests.UpdateSecret(id=sid, auto_prune=True, content={'k': '2'}))
        for unit, left in (('a/0', [1, 2]), ('a/1', [2])):
            self.read(world, unit, sid)
            assert list(world.model.secrets[sid].revisions) == left

    @staticmethod
    def read(world: World, unit: str, sid: str) -> None:
        write = context.SecretWrite('track', sid)
        tracked = secretwrites.commit(world.model, unit, (write,), world.now)
        world.set(settle.settle(tracked, world.now))

    def test_grant_and_revoke(self, world: World):
        sid = world.ask(requests.AddSecret(name='n', content={'k': '1'}))['id']
        world.ask(requests.GrantSecret(id='n', applications=('a', 'b')))
        assert {a.target for a in world.model.secrets[sid].access} == {'a', 'b'}
        world.ask(requests.GrantSecret(id='n', applications=('a',), revoke=True))
        assert {a.target for a in world.model.secrets[sid].access} == {'b'}

    def test_a_charm_s_secret_is_not_the_user_s(self, world: World, owner: Charmer):
        add(world, owner)
        with pytest.raises(model.Refused, match='permission denied'):
            world.ask(requests.RemoveSecret(id='s1'))

    def test_content_is_in_no_repr(self, world: World):
        world.ask(requests.AddSecret(name='n', content={'k': 'hush-hush'}))
        assert 'hush-hush' not in repr(world.model.secrets)
