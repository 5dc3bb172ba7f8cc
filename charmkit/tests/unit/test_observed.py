"""A program that Juju runs for one event observes that one; without Juju's word, all."""

from __future__ import annotations

from typing import Any

import charmkit
import ops
import pytest
from charmkit import state, why
from charmkit import testing as charmkit_testing
from ops import testing


class Small(charmkit.Charm):
    """A charm that says why it runs."""

    def run(self, why: charmkit.Why, inputs: state.Inputs) -> state.Desired:
        return state.Desired(status=(state.Status('active', why.name),))


META = {
    'name': 'small',
    'peers': {'peers': {'interface': 'p'}},
    'requires': {'shared-db': {'interface': 'mysql-shared'}},
}


@pytest.fixture
def observed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the events that are observed."""
    names: list[str] = []
    observe = ops.Framework.observe

    def note(self: ops.Framework, event: ops.BoundEvent, observer: Any) -> None:
        names.append(event.event_kind)
        observe(self, event, observer)

    monkeypatch.setattr(ops.Framework, 'observe', note)
    monkeypatch.setattr(charmkit.Charm, 'machine', charmkit_testing.FakeMachine())
    return names


def context() -> testing.Context[Small]:
    return testing.Context(Small, meta=META, actions={'do-it': {}})


OPS = {'secret_remove', 'commit'}
"""What is observed each time: by every charm, and by ops itself."""
DB = testing.Relation('shared-db')


@pytest.mark.parametrize(
    ('event', 'name'),
    [
        (context().on.config_changed(), 'config_changed'),
        (context().on.relation_changed(DB), 'shared_db_relation_changed'),
        (context().on.action('do-it'), 'do_it_action'),
    ],
)
def test_it_is_what_juju_runs_it_for(observed: list[str], event: Any, name: str):
    peers = testing.PeerRelation('peers')
    out = context().run(event, testing.State(relations={peers, DB}))
    assert [one for one in observed if one not in OPS] == [name]
    assert out.unit_status == testing.ActiveStatus(name.removesuffix('_action').replace('_', '-'))


@pytest.mark.parametrize('path', [None, '', 'hooks/', 'hooks/no-such-event', 'meta'])
def test_whatever_else_is_said_all_are_observed(
    observed: list[str], monkeypatch: pytest.MonkeyPatch, path: str | None
):
    def wrong(_: str) -> str:
        return why.event_name(path or '')

    monkeypatch.setattr('charmkit.charm.event_name', wrong)
    context().run(context().on.start(), testing.State(relations={testing.PeerRelation('peers')}))
    assert {'start', 'config_changed', 'shared_db_relation_changed', 'do_it_action'} <= {*observed}


@pytest.mark.parametrize(
    ('path', 'name'),
    [
        ('hooks/config-changed', 'config_changed'),
        ('hooks/shared-db-relation-joined', 'shared_db_relation_joined'),
        ('actions/openstack-upgrade', 'openstack_upgrade_action'),
        ('', ''),
    ],
)
def test_the_name_of_an_event(path: str, name: str):
    assert why.event_name(path) == name
