"""Constraints become numbers, and are refused in Juju's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jujulet.core import constraints


def test_memory_and_disks_are_mebibytes():
    assert constraints.parse('mem=1G cores=4 root-disk=20000') == {
        'mem': 1024, 'cores': 4, 'root-disk': 20000,
    }  # fmt: skip


def test_lists_truths_and_old_names():
    found = constraints.parse(['spaces=a,^b tags=x', 'allocate-public-ip=true cpu-cores=2'])
    assert found == {'spaces': ['a', '^b'], 'tags': ['x'], 'allocate-public-ip': True, 'cores': 2}


def test_an_empty_value_unsets():
    assert constraints.parse('mem= cores=2') == {'cores': 2}


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        (
            'mem=cheese',
            'bad "mem" constraint: must be a non-negative float with optional M/G/T/P suffix',
        ),
        (
            'mem=-1',
            'bad "mem" constraint: must be a non-negative float with optional M/G/T/P suffix',
        ),
        ('mem=nan', 'non-negative float'),
        ('mem=infG', 'non-negative float'),
        ('cores=two', 'bad "cores" constraint: must be a non-negative integer'),
        ('cores=1 cores=2', 'bad "cores" constraint: already set'),
        ('arch=pdp11', 'bad "arch" constraint: "pdp11" not recognized'),
        ('bananas=3', 'unknown constraint "bananas"'),
        ('mem', 'malformed constraint "mem"'),
    ],
)
def test_nonsense_is_refused(text: str, says: str):
    with pytest.raises(constraints.Invalid, match='constraint') as caught:
        constraints.parse(text)
    assert says in str(caught.value)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            'mem': st.integers(0, 10**6),
            'cores': st.integers(0, 99),
            'spaces': st.lists(st.from_regex('[a-z]{1,5}', fullmatch=True), min_size=1),
            'arch': st.sampled_from(['amd64', 'arm64']),
            'allocate-public-ip': st.booleans(),
        },
    )
)
def test_what_is_written_is_read_back(values: dict[str, object]):
    assert constraints.parse(constraints.render(values)) == values
