"""An offer of one model, consumed by another."""

from __future__ import annotations

import jubilant
import pytest_jubilant

from .conftest import CHARMS
from .waiting import settle


def test_a_database_in_another_model(juju_factory: pytest_jubilant.JujuFactory):
    here, there = juju_factory.get_juju('here'), juju_factory.get_juju('there')
    there.deploy(CHARMS / 'testdb', config={'testoption': 'from afar'})
    here.deploy(CHARMS / 'testapp')
    settle(there, jubilant.all_active)
    there.offer(f'{there.model}.testdb', endpoint='db')
    here.consume(f'{there.model}.testdb', 'far')
    here.integrate('testapp', 'far')
    status = settle(here, lambda s: jubilant.all_active(s, 'testapp'))
    assert status.apps['testapp'].app_status.message.startswith('from afar ')
    assert status.app_endpoints['far'].relations == {'db': ['testapp']}
    offers = there.status().offers
    assert (offers['testdb'].app, offers['testdb'].endpoints['db'].interface) == (
        'testdb',
        'testdb',
    )
    there.config('testdb', {'testoption': 'anew'})
    settle(here, lambda s: s.apps['testapp'].app_status.message.startswith('anew '))
    here.remove_relation('testapp', 'far')
    settle(here, lambda s: jubilant.all_blocked(s, 'testapp'))
