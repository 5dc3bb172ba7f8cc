"""What is impossible of a history is drawn: each operation that shows it, as a bar in time."""

from __future__ import annotations

import importlib.resources
import re

import chronicle as c
import pytest

from matrix.grammar import located
from matrix.history import journal
from matrix.report import impossible, page, story, write


def _op(
    at: float, kind: str, asked: located.Plain, told: located.Plain = None, *, sure: bool = True
) -> c.Line:
    invoke = journal.Operation(f'{at}', kind, 'invoke', 'c1', asked)
    end = journal.Operation(f'{at}', kind, 'ok', 'c1', told)
    return [(at, invoke), (at + 0.5, end)] if sure else [(at, invoke)]


@pytest.fixture
def report() -> story.Story:
    """A run in which a register was read back to what it had been."""
    register: located.Plain = {'is': 'register', 'write': 'w', 'read': 'r', 'first': 0}
    models: located.Plain = {'kv': register}
    load: located.Plain = {'kinds': ['w', 'r'], 'rate': 0, 'own': True, 'models': models}
    read = c.of_parts(
        c.note(0, 'test.start', 't'),
        c.note(0, 'load', load),
        _op(1, 'w', {'key': 'k', 'value': 1}),
        _op(2, 'r', {'key': 'k'}, 1),
        _op(3, 'w', {'key': 'k', 'value': '<b>2</b>'}),
        _op(4, 'r', {'key': 'k'}, '<b>2</b>'),
        _op(5, 'r', {'key': 'k'}, 1),
        _op(6, 'r', {'key': 'other'}, 0),
        c.note(9, 'test.complete', 't'),
    )
    return write.rebuilt(read, 'x')


def test_only_what_shows_it_is_drawn_in_order_and_in_scale(report: story.Story) -> None:
    drawings = impossible.drawings(report.tests[0])
    found = next(one for one in drawings if one.check == 'history of kv')
    assert [bar.text for bar in found.bars] == [
        'w key k value 1', 'w key k value <b>2</b>', 'r key k → 1',
    ]  # fmt: skip
    assert (found.start, found.end) == (1, 5.5)
    assert [bar.y for bar in found.bars] == [0, impossible.ROW, 2 * impossible.ROW]
    first, second, last = found.bars
    assert last.x + last.width == pytest.approx(impossible.WIDTH - first.x, abs=0.2)
    assert (second.x - first.x) / (last.x - first.x) == pytest.approx(0.5, abs=0.01)
    assert all(bar.completed for bar in found.bars)


def test_the_page_has_it_as_text_that_no_model_can_break(report: story.Story) -> None:
    folder = importlib.resources.files('matrix.report') / 'assets'
    names = ('page.html.jinja', 'page.css', 'page.js', 'timeline.html')
    parts = [(folder / name).read_text() for name in names]
    text = page.render(report, page.Assets(*parts))
    drawn = re.findall(r'<svg class="history".*?</svg>', text, re.S)
    assert drawn
    assert 'w key k value &lt;b&gt;2&lt;/b&gt;' in drawn[0]
    assert '<b>2' not in drawn[0]
    assert drawn[0].count('<rect') == 3


def test_what_nobody_answered_is_drawn_to_the_end_and_a_run_without_histories_has_none() -> None:
    invoke = journal.Operation('1', 'w', 'invoke', 'c1', {'value': 1})
    done = journal.Done(invoke, 1.0, 1, 'info', None, None)
    text = impossible._text(done)  # pyright: ignore[reportPrivateUsage]
    assert text == 'w value 1: never answered'
    plain = write.rebuilt(c.of_parts(c.note(0, 'test.start', 't'), c.op(1)), 'x')
    assert impossible.drawings(plain.tests[0]) == ()
