"""A run as OpenTelemetry's traces (OTLP, its JSON form): operations, faults and tests as spans. Pure.

Where the bundle's services send traces of their own, a request's spans hang below the operation that made it: the load
sends `traceparent` with each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from matrix.grammar import located
from matrix.history import journal, notes, tracing
from matrix.judge import trial
from matrix.report import lanes, story

_INTERNAL, _CLIENT = 1, 3
_UNSET, _OK, _ERROR = 0, 1, 2
_NO_WORD = '0' * 15 + '1'


def render(report: story.Story, read: journal.Journal) -> str:
    """One request of the OTLP trace service as JSON, with its newline; empty of spans where the journal is empty."""
    began = _began(read)
    resource = {'service.name': 'juju-matrix', 'matrix.bundle': report.title}
    spans = [*_spans(report, read, began)] if began is not None else []
    scope = {'scope': {'name': 'matrix'}, 'spans': spans}
    whole = {'resourceSpans': [{'resource': {'attributes': _attributes(resource)}, 'scopeSpans': [scope]}]}  # fmt: skip
    return json.dumps(whole, indent=1) + '\n'


def _began(read: journal.Journal) -> float | None:
    """When the run began, in seconds of the epoch."""
    walls = ((lanes.seconds(entry.wall), entry.at) for entry in read.entries)
    return next((wall - at for wall, at in walls if wall is not None), None)


def _spans(
    report: story.Story, read: journal.Journal, began: float
) -> Iterator[Mapping[str, Any]]:
    run = f'{began}'
    for test in report.tests:
        name = f'{run}/{test.name}/{test.start}'
        root = (tracing.trace(_NO_WORD, name), tracing.span(name))
        judged = test.judged
        outcome = {
            'matrix.outcome': judged.outcome.name.lower(),
            'matrix.sentence': judged.sentence,
        }
        yield _span(root, '', test.name, began, (test.start, test.end), outcome)
        for fault in test.faults:
            end = test.end if fault.healed is None else fault.healed
            said = {'matrix.targets': ' '.join(fault.targets), 'matrix.proven': str(fault.proven).lower()}  # fmt: skip
            own = (root[0], tracing.span(f'{name}/{fault.id}'))
            yield _span(own, root[1], f'fault {fault.kind}', began, (fault.start, end), said)
    words = _words(read)
    for one in journal.operations(read.entries):
        word = next((word for at, word in reversed(words) if at <= one.at), _NO_WORD)
        ids = (tracing.trace(word, one.invoke.id), tracing.span(one.invoke.id))
        end = read.entries[-1].at if one.ended_at is None else one.ended_at
        status = _OK if one.how == 'ok' else _ERROR
        yield _span(ids, '', one.invoke.kind, began, (one.at, end), _of_operation(one), _CLIENT, status)  # fmt: skip


def _words(read: journal.Journal) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    for entry in read.entries:
        if isinstance(entry.what, journal.Note) and entry.what.kind == notes.LOAD:
            word = trial.mapping(entry.what.value).get('trace')
            if isinstance(word, str) and len(word) == 16:
                found.append((entry.at, word))
    return found


def _of_operation(one: journal.Done) -> dict[str, located.Plain]:
    found: dict[str, located.Plain] = {'matrix.outcome': one.how}
    if one.end is not None:
        found['server.address'] = one.end.endpoint
        found['error.type'] = one.end.error
        found['matrix.request'] = one.end.request
    return {key: value for key, value in found.items() if value}


def _span(
    ids: tuple[str, str],
    parent: str,
    name: str,
    began: float,
    seconds: tuple[float, float],
    said: Mapping[str, located.Plain],
    kind: int = _INTERNAL,
    status: int = _UNSET,
) -> dict[str, Any]:
    start, end = seconds
    found: dict[str, Any] = {
        'traceId': ids[0],
        'spanId': ids[1],
        'name': name,
        'kind': kind,
        'startTimeUnixNano': str(round((began + start) * 1e9)),
        'endTimeUnixNano': str(round((began + max(start, end)) * 1e9)),
        'attributes': _attributes(said),
        'status': {'code': status},
    }
    return {**found, 'parentSpanId': parent} if parent else found


def _attributes(said: Mapping[str, located.Plain]) -> list[dict[str, Any]]:
    return [{'key': key, 'value': {'stringValue': str(value)}} for key, value in said.items()]
