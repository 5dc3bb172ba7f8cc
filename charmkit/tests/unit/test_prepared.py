"""The install hook asks Juju nothing, so that what it leaves behind can be kept for the next unit."""

from __future__ import annotations

import charmkit
import pytest
from charmkit import host, state
from charmkit import testing as charmkit_testing
from ops import testing


class Curious(charmkit.Charm):
    """A charm that wants one package at once, and later needs to know its place."""

    def prepared(self, facts: state.Facts) -> host.Host:
        return host.Host(packages=frozenset({'haproxy'}))

    def run(self, why: charmkit.Why, inputs: state.Inputs) -> state.Desired:
        return state.Desired(status=(state.Status('active', inputs.site.address),))


META = {'name': 'curious', 'peers': {'peers': {'interface': 'p'}}}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> charmkit_testing.FakeMachine:
    fake = charmkit_testing.FakeMachine()
    monkeypatch.setattr(charmkit.Charm, 'machine', fake)
    return fake


def ask_nothing(_: charmkit.Charm, why: charmkit.Why | None = None) -> state.Inputs:
    raise AssertionError('the hook asked Juju about its place')


def run(event: str) -> testing.State:
    context = testing.Context(Curious, meta=META)
    before = testing.State(relations={testing.PeerRelation('peers')})
    return context.run(getattr(context.on, event)(), before)


def test_install_brings_the_packages_and_asks_nothing(
    machine: charmkit_testing.FakeMachine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(charmkit.Charm, 'inputs', ask_nothing)
    run('install')
    assert machine.steps == ['install haproxy']


def test_any_other_hook_does_ask(
    machine: charmkit_testing.FakeMachine, monkeypatch: pytest.MonkeyPatch
):
    """The twin: the check above would notice."""
    monkeypatch.setattr(charmkit.Charm, 'inputs', ask_nothing)
    with pytest.raises(testing.errors.UncaughtCharmError, match='asked Juju about its place'):
        run('config_changed')
    assert machine.steps == []
