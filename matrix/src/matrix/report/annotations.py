"""A run as annotations for Grafana (`POST /api/annotations`, one each): its faults, and what failed. Pure."""

from __future__ import annotations

import json
from typing import Any

from matrix.history import journal
from matrix.judge import verdict
from matrix.report import lanes, story


def render(report: story.Story, read: journal.Journal) -> str:
    """A list of annotations as JSON, with its newline: regions in milliseconds of the epoch."""
    began = _began(read)
    found: list[dict[str, Any]] = []
    if began is not None:
        for test in report.tests:
            found += [_fault(one, test.end, began, report.title) for one in test.faults]
            text = f'{test.name}: {test.judged.sentence or test.judged.skipped}'
            tags = [test.judged.outcome.name.lower()]
            found.append(_annotation(test.start, test.end, began, text, report.title, tags))
            found += [
                _annotation(
                    at, at, began, f'{one.check}: {one.sentence}', report.title, ['failed']
                )
                for one in test.judged.verdicts
                if one.outcome is verdict.Outcome.FAIL and (at := _first(read, one)) is not None
            ]
    return json.dumps(found, indent=1) + '\n'


def _fault(one: story.Fault, end: float, began: float, title: str) -> dict[str, Any]:
    proven = '' if one.proven else ' (not proven)'
    text = f'{one.kind} {", ".join(one.targets)}{proven}'
    healed = end if one.healed is None else one.healed
    return _annotation(one.start, healed, began, text, title, ['fault', one.kind, *one.targets])


def _annotation(
    start: float, end: float, began: float, text: str, title: str, tags: list[str]
) -> dict[str, Any]:
    return {
        'time': round((began + start) * 1000),
        'timeEnd': round((began + max(start, end)) * 1000),
        'tags': ['juju-matrix', title, *tags],
        'text': text,
    }


def _first(read: journal.Journal, one: verdict.Verdict) -> float | None:
    shown = frozenset(one.evidence)
    return next((entry.at for entry in read.entries if entry.seq in shown), None)


def _began(read: journal.Journal) -> float | None:
    """When the run began, in seconds of the epoch."""
    walls = ((lanes.seconds(entry.wall), entry.at) for entry in read.entries)
    return next((wall - at for wall, at in walls if wall is not None), None)
