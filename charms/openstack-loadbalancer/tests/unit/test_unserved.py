"""Services of which no unit serves: the status tells those that somebody took out from those that do not answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from balancer import publish


def said(wants: dict[tuple[str, str], str], *dead: str) -> list[str]:
    units: dict[str, list[tuple[str, str]]] = {}
    for key in wants:
        units.setdefault(key[1].replace('-', '/'), []).append(key)
    now: Any = SimpleNamespace(servers=units, wants=wants)
    return [s.message for s in publish.unserved(now, dead)]


WANTS = {
    ('a.public', 'a-0'): 'drain',
    ('a.public', 'a-1'): 'maint',
    ('b.public', 'b-0'): 'drain',
    ('b.public', 'b-1'): 'ready',
}


def test_what_was_taken_out_is_not_said_to_be_silent():
    assert said(WANTS, 'a.public') == [
        'no unit is in rotation: a.public (out: a/0, a/1)',
    ]


def test_one_that_should_answer_and_does_not_is():
    assert said(WANTS, 'b.public', 'c.public') == [
        'no unit answers its check: b.public, c.public',
    ]
    assert said(WANTS, 'a.public', 'b.public') == [
        'no unit is in rotation: a.public (out: a/0, a/1)',
        'no unit answers its check: b.public',
    ]
    assert said(WANTS) == []
