"""A run as the journal of the Chaos Toolkit (its experiment in it), for tools that read those. Pure.

A plan that is timed and a load that goes on meanwhile have no place in a sequence of activities: each fault becomes an
action, each check a probe after the method, and what has no place is left out and listed under `extensions`.
"""

from __future__ import annotations

import json
from typing import Any

from matrix.judge import verdict
from matrix.report import lanes, story, words


def render(report: story.Story, test: str = '') -> str:
    """The journal as JSON: of the test of that name, or of the worst one.

    Raises:
        ValueError: the run has no such test.
    """
    one = next((one for one in report.tests if one.name == test), None) if test else report.worst
    if one is None:
        raise ValueError(f'the run has no test {test!r}' if test else 'the run has no test')
    return json.dumps(_journal(report, one), indent=2, ensure_ascii=True) + '\n'


def _journal(report: story.Story, test: story.Test) -> dict[str, Any]:
    began = lanes.seconds(report.began) or 0.0
    method = [_action(one) for one in test.faults]
    failed = test.outcome is verdict.Outcome.FAIL
    met = test.outcome is verdict.Outcome.PASS
    probes = [_probe(one) for one in test.judged.verdicts]
    hypothesis = {'title': 'Every check of the run passes', 'probes': probes}
    after = {
        'steady_state_met': met,
        'probes': [
            _probed(probe, one, test, began)
            for probe, one in zip(probes, test.judged.verdicts, strict=True)
        ],
    }
    start, end = lanes.iso(began + test.start), lanes.iso(began + test.end)
    return {
        'chaoslib-version': '1.45.0',
        'platform': 'juju',
        'node': words.clean(story.text(report.run.get('model'))),
        'experiment': {
            'version': '1.0.0',
            'title': words.clean(f'{report.title}: {test.name}'),
            'description': words.clean(test.judged.sentence or report.sentence),
            'tags': ['matrix'],
            'configuration': {'seed': report.run.get('seed'), 'bundle': report.run.get('digest')},
            'steady-state-hypothesis': hypothesis,
            'method': method,
            'rollbacks': [],
        },
        'start': start,
        'end': end,
        'duration': round(test.end - test.start, 3),
        'status': 'completed' if report.ending in ('passed', 'failed', 'unknown') else 'aborted',
        'deviated': failed,
        'steady_states': {'before': None, 'after': after, 'during': []},
        'run': [
            _ran(activity, one, began) for activity, one in zip(method, test.faults, strict=True)
        ],
        'rollbacks': [],
        'extensions': [
            {
                'name': 'matrix',
                'plan': test.plan,
                'operations': [dict(zip(_ROW, _values(row), strict=True)) for row in test.rows],
                'suspects': [
                    {'event': one.event, 'score': one.score, 'why': list(one.why)}
                    for one in test.suspects
                ],
            }
        ],
    }


_ROW = ('period', 'total', 'failed', 'unanswered', 'p50', 'p99')


def _values(row: story.Row) -> tuple[Any, ...]:
    return (row.period, row.total, row.failed, row.unanswered, row.p50, row.p99)


def _provider(name: str) -> dict[str, Any]:
    return {'type': 'process', 'path': 'juju-matrix', 'arguments': ['run', name]}


def _action(one: story.Fault) -> dict[str, Any]:
    targets = ', '.join(one.targets)
    return {
        'type': 'action',
        'name': words.clean(f'{one.id}: {one.kind} {targets}'),
        'background': True,
        'provider': _provider(words.clean(one.kind)),
    }


def _ran(activity: dict[str, Any], one: story.Fault, began: float) -> dict[str, Any]:
    end = one.start if one.healed is None else one.healed
    return {
        'activity': activity,
        'output': words.clean(one.proof) or None,
        'start': lanes.iso(began + one.start),
        'end': lanes.iso(began + end),
        'duration': round(end - one.start, 3),
        # An effect that nobody saw is not a success: matrix calls such a run unknown.
        'status': 'succeeded' if one.proven else 'failed',
    }


def _probe(one: verdict.Verdict) -> dict[str, Any]:
    return {
        'type': 'probe',
        'name': words.clean(one.check),
        'tolerance': True,
        'provider': _provider(words.clean(one.check)),
    }


def _probed(
    probe: dict[str, Any], one: verdict.Verdict, test: story.Test, began: float
) -> dict[str, Any]:
    end = lanes.iso(began + test.end)
    return {
        'activity': probe,
        'output': words.clean(one.sentence),
        'start': end,
        'end': end,
        'duration': 0.0,
        'status': 'failed' if one.outcome is verdict.Outcome.UNKNOWN else 'succeeded',
        'tolerance_met': one.outcome is verdict.Outcome.PASS,
    }
