"""Tables, tasks and secrets as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jujulet.cli import out
from jujulet.core import display, model, secretshow, table, taskshow

TASK = model.Task(
    id='2', operation='1', receiver='a/0', name='do', status='completed', enqueued=1.0, completed=2.0,
    results={'return-code': '0', 'stdout': 'OUT\n', 'stderr': 'ERR', 'user': {'name': 'x', 'text': 'a\nb'}},
)  # fmt: skip


def test_names_are_in_the_order_in_which_people_count():
    names = ['a/10', 'a/9', 'b/1', 'a/1']
    assert sorted(names, key=display.natural) == ['a/1', 'a/9', 'a/10', 'b/1']


@given(st.lists(st.text()))
def test_any_names_can_be_put_in_order(names: list[str]):
    assert sorted(sorted(names, key=display.natural)) == sorted(names)


def test_ports_are_each_named_once():
    opened = [
        model.Port('tcp', 80, 80),
        model.Port('tcp', 80, 80, 'ep'),
        model.Port('icmp'),
        model.Port('udp', 1, 9),
    ]
    assert display.ports(opened) == ['icmp', '80/tcp', '1-9/udp']


@given(st.lists(st.lists(st.text(max_size=8), min_size=3, max_size=3), max_size=5))
def test_a_table_has_a_line_a_row_whatever_is_in_it(rows: list[list[str]]):
    text = table.render(('A', 'B', 'C'), rows, right=frozenset({1}))
    assert len(text.split('\n')) == len(rows) + 2
    assert text.replace('\n', '').isprintable()


def test_a_return_code_is_a_number_in_json():
    value = taskshow.task(TASK)
    assert value['results']['return-code'] == 0
    assert isinstance(value['results']['return-code'], int)
    assert (value['id'], value['unit'], value['status']) == ('2', 'a/0', 'completed')
    assert value['timing'] == {
        'enqueued': '1970-01-01 00:00:01 +0000 UTC',
        'completed': '1970-01-01 00:00:02 +0000 UTC',
    }


def test_people_see_what_a_task_printed():
    assert taskshow.plain([TASK]) == 'OUT\nuser:\n  name: x\n  text: |\n    a\n    b\nERR\n'
    assert taskshow.plain([TASK, TASK]).startswith('a/0:\n  OUT\n')


@pytest.mark.parametrize(('codes', 'lines'), [((0, 0), 0), ((0, 3), 1), ((1, 3), 2)])
def test_failures_name_the_tasks_that_failed(codes: tuple[int, ...], lines: int):
    tasks = [
        model.Task(id=str(n), operation='1', receiver='a/0', name='x', results={'return-code': c})
        for n, c in enumerate(codes)
    ]
    text = taskshow.failures(tasks)
    assert text.count(' - id ') == lines
    assert ('failed:' in text) is bool(lines)


def test_a_secret_is_found_by_every_name_it_has():
    secret = model.Secret('abc', '', {1: model.SecretRevision(1, {'k': 'v'})}, name='mine')
    of_charm = model.Secret('xyz', 'app', {1: model.SecretRevision(1, {'k': 'v'})}, name='theirs')
    m = model.Model('u', 't', secrets={'abc': secret, 'xyz': of_charm})
    for text in ('abc', 'secret:abc', 'secret://uuid/abc', 'mine'):
        assert secretshow.find(m, text) is secret
    with pytest.raises(model.Refused, match='secret "theirs" not found'):
        secretshow.find(m, 'theirs')
    assert set(secretshow.listing(m, 'app')) == {'xyz'}
    assert set(secretshow.listing(m, '<model>')) == {'abc'}
    assert secretshow.checksum({'a': '1', 'b': '2'}) == secretshow.checksum({'b': '2', 'a': '1'})


def test_yaml_keeps_order_and_writes_lines_as_a_block():
    value: dict[str, object] = {'b': 'x\ny\n', 'a': ['1', 1, True], 'n': {}, 'date': '2026-11-22'}
    text = out.yaml(value)
    assert text.startswith('b: |\n  x\n  y\na:\n')
    assert out.load_yaml(text) == value
