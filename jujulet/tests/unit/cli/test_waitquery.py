"""The language of `juju wait-for`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jujulet.core import waitquery

FACTS: dict[str, Any] = {
    'name': 'mysql',
    'status': 'active',
    'life': 'alive',
    'exposed': True,
    'units': {
        'mysql/0': {'workload-status': 'active', 'leader': True, 'machine': '0'},
        'mysql/1': {'workload-status': 'active', 'leader': False, 'machine': '1'},
    },
}


def holds(text: str) -> bool:
    return waitquery.holds(waitquery.parse(text), FACTS)


@pytest.mark.parametrize(
    ('text', 'answer'),
    [
        ('name=="mysql" && status=="active"', True),
        ("name=='mysql' && status=='blocked'", False),
        ('status=="blocked" || status=="active"', True),
        ('status=="blocked" || status=="active" && name=="other"', False),
        ('(status=="blocked" || status=="active") && name=="mysql"', True),
        ('len(units) == 2', True),
        ('len(units) >= 3', False),
        ('len(name) < 5.5', True),
        ('exposed', True),
        ('!exposed', False),
        ('exposed == true', True),
        ('exposed != false && !(len(units) > 2)', True),
        ('forEach(units, unit => unit.workload-status == "active")', True),
        ('forEach(units, u => u.leader)', False),
        ('forEach(units, u => u.leader || u.machine == "1")', True),
        ('startsWith(name, "my")', True),
        ('endsWith(name, "my")', False),
    ],
)
def test_a_query_is_answered(text: str, answer: bool):
    assert holds(text) is answer


@pytest.mark.parametrize(
    'text',
    ['', '==', 'name ==', '(name', 'name "x"', 'name == $', 'frob(name)', 'forEach(units, 1 => 2)', 'x => y'],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(text: str):
    with pytest.raises(waitquery.Invalid, match='cannot parse query'):
        waitquery.parse(text)


@pytest.mark.parametrize(
    'text', ['colour == "red"', 'name.first == "x"', 'len(units) > "x"', 'len(exposed) > 0']
)
def test_what_cannot_be_asked_is_refused(text: str):
    with pytest.raises(waitquery.Invalid):
        holds(text)


@given(st.text(alphabet='abn. =!&|()<>",1\'', max_size=30))
def test_any_text_is_read_or_refused(text: str):
    try:
        query = waitquery.parse(text)
    except waitquery.Invalid:
        return
    try:
        waitquery.holds(query, FACTS)
    except waitquery.Invalid:
        return
