"""Units that do something one after the other."""

from __future__ import annotations

import charmkit
from charmkit import rolling


def test_a_turn_stays_until_its_unit_waits_no_more():
    assert rolling.whose(['a/10', 'a/2'], '') == 'a/2'
    assert rolling.whose(['a/10', 'a/2'], 'a/10') == 'a/10'
    assert rolling.whose(['a/10'], 'a/2') == 'a/10'
    assert rolling.whose([], 'a/2') == 'a/2'


def test_a_unit_is_gone_when_it_was_told_and_until_it_is_there_again():
    gone = charmkit.Hook('peers-relation-departed', 'a/1')
    assert rolling.departed(gone, ['a/3'], ['a/0']) == ['a/1', 'a/3']
    assert rolling.departed(gone, ['a/3'], ['a/0', 'a/3']) == ['a/1']
    other = charmkit.Hook('shared-db-relation-departed', 'a/1')
    assert rolling.departed(other, 'nonsense', ['a/0']) == []
    assert rolling.departed(charmkit.Action('x'), [], []) == []


def test_a_unit_is_where_juju_says():
    bags = {
        'a/1': {'ingress-address': '10.0.0.1'},
        'a/2': {'private-address': '10.0.0.2'},
        'a/3': {},
    }
    assert rolling.addresses(bags) == {'a/1': '10.0.0.1', 'a/2': '10.0.0.2'}
