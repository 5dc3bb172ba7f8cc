"""CI tries all examples of what hypothesis makes up; who works tries some."""

from __future__ import annotations

import os

import hypothesis
import pytest

from tests.examples import examples


@pytest.mark.parametrize(
    ('ci', 'wanted', 'tried'), [('true', 300, 300), ('', 300, 60), ('', 30, 10), ('true', 3, 3)]
)
def test_how_many_are_tried(monkeypatch: pytest.MonkeyPatch, ci: str, wanted: int, tried: int):
    monkeypatch.setenv('CI', ci)
    assert examples(wanted) == tried


def test_every_test_that_does_not_say_how_many_goes_by_the_same_rule():
    assert hypothesis.settings().max_examples == examples(100)


def test_ci_tries_the_same_ones_each_time():
    assert hypothesis.settings().derandomize == bool(os.environ.get('CI'))
