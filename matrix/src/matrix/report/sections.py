"""What the page's template is given beside the story: choices, and words that depend on more than one value. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from matrix.blame import suspects
from matrix.grammar import located
from matrix.judge import verdict
from matrix.report import impossible, lanes, packed, story, words

MARKS = {verdict.Outcome.PASS: '✔', verdict.Outcome.UNKNOWN: '?', verdict.Outcome.FAIL: '✘'}

_MOST_LOG = 700_000  # characters of log excerpts on the page
_MOST_ROWS = 200  # failed operations in the table for a browser without scripts

# By whether it failed, and whether replays were made.
_NOT_FOUND = {
    (True, True): 'the search did not come to its end',
    (True, False): 'it was not looked for',
    (False, True): 'the search found none',
    (False, False): 'nothing failed',
}
_PHASES = {
    'complete': 'passed',
    'failed': 'failed',
    'broken': 'failed',
    'stuck': 'failed',
    'skipped': 'skipped',
}


def values(report: story.Story) -> Mapping[str, Any]:
    """What the template calls by these names."""
    failed = report.outcome is verdict.Outcome.FAIL
    why = report.not_again or _NOT_FOUND[failed, bool(report.replays)]
    worst = report.worst
    return {
        'report': report,
        'outcomes': words.OUTCOMES,
        'marks': MARKS,
        'drawings': impossible.drawings,
        'drawn_width': impossible.WIDTH,
        'phases': _PHASES,
        'facts': [
            ('bundle', report.title),
            ('model', report.run.get('model')),
            ('seed', report.run.get('seed')),
            ('began', report.began[:19].replace('T', ' ')),
            ('took', words.moment(report.length)),
        ],
        'suspected': worst.suspected() if worst else [],
        'innocent': worst.innocent if worst else '',
        'why_none': why[:1].upper() + why[1:],
        'bad': packed.errors(one for test in report.tests for one in test.operations),
        'most_rows': _MOST_ROWS,
        'footer': _footer(report),
    }


def _plain(value: located.Plain) -> str:
    return str(value) if isinstance(value, str | int | float) else json.dumps(value)


def _yaml(value: located.Plain) -> str:
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=100)


def _sentence(value: str) -> str:
    return f'{value[:1].upper()}{value[1:]}.' if value else ''


def _of(value: located.Plain) -> str:
    found = value if isinstance(value, list) else []
    return ' of '.join(str(one) for one in found)


FILTERS: dict[str, Callable[..., str]] = {
    'sentence': _sentence,
    'of': _of,
    'took': words.took,
    'moment': words.moment,
    'count_of': words.count,
    'plain': _plain,
    'yaml': _yaml,
}
"""What the template does with a value: `one.p50 | took`."""


def ranked(test: story.Test) -> dict[str, tuple[int, suspects.Suspect]]:
    """Each fault's suspect and its place: from 1 for the three that are suspected most, 0 for all others."""
    return {
        one.event: (n if one.score > 0 and n <= 3 else 0, one)
        for n, one in enumerate(test.suspects, start=1)
    }


def shown_logs(report: story.Story) -> tuple[lanes.Log, ...]:
    """The log lines that the page has room for: those nearest to a suspect first."""
    if sum(len(one.line) for one in report.logs) <= _MOST_LOG:
        return report.logs
    moments = [
        one.start
        for test in report.tests
        for one in test.faults
        if not test.suspects or ranked(test).get(one.id, (0,))[0]
    ]
    near = sorted(
        report.logs, key=lambda one: min((abs(one.at - at) for at in moments), default=0.0)
    )
    room, kept = _MOST_LOG, list[lanes.Log]()
    for one in near:
        room -= min(len(one.line), 2000)
        if room < 0:
            break
        kept.append(one)
    return tuple(sorted(kept, key=lambda one: one.at))


def _footer(report: story.Story) -> str:
    total = sum(len(test.operations) for test in report.tests)
    shown = len(shown_logs(report))
    said = f'{words.count(total, "operation")} in this page, made from journal.jsonl alone.'
    if total > packed.MOST:
        said += ' Operations that were ok and fall on one pixel of the whole run are one dot; every other has its own.'
    if shown < len(report.logs):
        said += f' {len(report.logs) - shown:,} log lines far from any suspect are only in the journal.'
    return said
