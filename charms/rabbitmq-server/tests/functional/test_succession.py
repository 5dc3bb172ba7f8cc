"""A RabbitMQ of a newer series takes the place of an older one under OpenStack's own remote calls: on real brokers."""

from __future__ import annotations

import handing
import pytest
import succession_run

from . import brokers

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(900)]


def test_it_takes_over_and_no_call_is_lost():
    with brokers.cloud('moved') as cloud:
        app, old, new = cloud.app, cloud.old, cloud.new
        cloud.load()
        cloud.calls(40)
        assert app.action(old.unit, 'switch-over').failure.startswith(succession_run.NOTHING)
        app.members[new.unit] = new
        app.hooks(3)
        assert app.status[new.unit].startswith(f'active: follows {old.unit}'), app.status
        assert app.broker().hosts == (old.address,)
        cloud.calls(20)
        done = app.action(old.unit, 'switch-over')
        assert not done.failure, done.failure
        cloud.calls(40)
        # Clients still come by the former server.
        assert handing.Watch().carry_out(old) > 0  # pyright: ignore[reportArgumentType]
        app.hooks(2)
        assert app.broker().hosts == (new.address,)
        assert 'still connected through this unit:' in app.status[old.unit]
        journal = cloud.end()
        print('slowest call', max(seconds for _, seconds, _ in journal), 'of', len(journal))
        assert [said for *_, said in journal if said] == []
        assert cloud.noted() >= {number for number, _, said in journal if not said}
        cloud.load()
        cloud.calls(20)
        assert app.action(old.unit, 'drain').results == {'clients': 'none', 'server': new.unit}
        assert app.status[old.unit].startswith('maintenance')
        assert [said for *_, said in cloud.end() if said] == []


def test_without_waiting_for_what_is_under_way_calls_are_lost(monkeypatch: pytest.MonkeyPatch):
    """The twin: what waits in queues that are consumed goes with the former server."""
    monkeypatch.setattr(handing.HandOver, 'carry_out', lambda *_: '')  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    with brokers.cloud('twin') as cloud:
        app, old = cloud.app, cloud.old
        cloud.load()
        cloud.calls(20)
        app.members[cloud.new.unit] = cloud.new
        app.hooks(3)
        cloud.client.sh('systemctl kill -s STOP rpc-server')
        cloud.client.sh('sleep 2')
        assert not app.action(old.unit, 'switch-over').failure
        cloud.client.sh('systemctl kill -s CONT rpc-server')
        cloud.client.sh('sleep 70')
        assert [said for *_, said in cloud.end() if 'Timeout' in said]
