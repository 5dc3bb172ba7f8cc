"""A run as Prometheus' text exposition format (OpenMetrics reads it, too). Pure."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Iterator, Mapping

from matrix.judge import verdict
from matrix.report import story

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends, in seconds: the client libraries' own."""

_OUTCOMES = {
    verdict.Outcome.PASS: 'passed',
    verdict.Outcome.UNKNOWN: 'unknown',
    verdict.Outcome.FAIL: 'failed',
}


CONTENT_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'


def render(report: story.Story, *, over: bool = True) -> str:
    """The text, with its closing `# EOF`. While a run is not `over`, nothing is said of its checks."""
    return '\n'.join([*_lines(report, over=over), '# EOF']) + '\n'


def _lines(report: story.Story, *, over: bool) -> Iterator[str]:
    run = {'bundle': report.title, 'seed': story.text(report.run.get('seed'))}
    yield from _family('matrix_run_seconds', 'gauge', 'How long the run took.')
    yield _sample('matrix_run_seconds', run, report.length)
    yield from _family('matrix_run_over', 'gauge', '1 once the run is over.')
    yield _sample('matrix_run_over', run, int(over))
    yield from _family('matrix_check', 'gauge', '1 for what a check came to.')
    for test in report.tests:
        for one in test.judged.verdicts if over else ():
            for outcome, word in _OUTCOMES.items():
                labels = {**run, 'test': test.name, 'check': one.check, 'outcome': word}
                yield _sample('matrix_check', labels, int(one.outcome is outcome))
    yield from _family('matrix_fault', 'gauge', '1 while a fault strikes, from armed to healed.')
    for test in report.tests:
        for fault in test.faults:
            labels = {**run, 'test': test.name, 'event': fault.id, 'kind': fault.kind}
            yield _sample('matrix_fault', labels, int(fault.healed is None))
    yield from _family('matrix_fault_seconds', 'gauge', 'From when a fault was armed to its heal.')
    for test in report.tests:
        for fault in test.faults:
            if fault.healed is not None:
                labels = {
                    **run,
                    'test': test.name,
                    'event': fault.id,
                    'kind': fault.kind,
                    'targets': ' '.join(fault.targets),
                    'proven': str(fault.proven).lower(),
                }
                yield _sample('matrix_fault_seconds', labels, fault.healed - fault.start)
    yield from _operations(report, run)


def _operations(report: story.Story, run: Mapping[str, str]) -> Iterator[str]:
    name = 'matrix_operation_seconds'
    yield from _family(name, 'histogram', 'Latency of operations, from their planned moment.')
    for test in report.tests:
        by: dict[tuple[str, str], list[float | None]] = collections.defaultdict(list)
        for one in test.operations:
            by[one.invoke.kind, one.how].append(one.latency)
        for (kind, how), some in sorted(by.items()):
            labels = {**run, 'test': test.name, 'kind': kind, 'outcome': how}
            seconds = [one for one in some if one is not None]
            for end in BUCKETS:
                count = sum(one <= end for one in seconds)
                yield _sample(f'{name}_bucket', {**labels, 'le': f'{end:g}'}, count)
            # What was never answered took longer than any bucket.
            yield _sample(f'{name}_bucket', {**labels, 'le': '+Inf'}, len(some))
            yield _sample(f'{name}_sum', labels, sum(seconds))
            yield _sample(f'{name}_count', labels, len(some))


def _family(name: str, kind: str, text: str) -> Iterable[str]:
    return (f'# TYPE {name} {kind}', f'# HELP {name} {text}')


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    said = ','.join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return (
        f'{name}{{{said}}} {value:g}' if isinstance(value, int) else f'{name}{{{said}}} {value!r}'
    )


def _escaped(text: str) -> str:
    text = re.sub('[\x00-\x09\x0b-\x1f\x7f]', '\N{REPLACEMENT CHARACTER}', text)
    return text.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n')
