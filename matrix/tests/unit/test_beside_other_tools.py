# ruff: noqa: E501, S310  # a table is read by its lines; addresses are of this test
"""A run as other tools read it: Grafana's annotations, OpenTelemetry's spans, and metrics while it runs."""

from __future__ import annotations

import json
import pathlib
import threading
import urllib.error
import urllib.request
from typing import Any

import pytest
import rehearsal

from matrix import cli
from matrix.cli.commands import metrics
from matrix.grammar import problem
from matrix.history import journal, notes, redact, tracing
from matrix.load import client
from matrix.report import annotations, spans, write
from matrix.run import writing


@pytest.fixture(scope='module')
def read() -> journal.Journal:
    """A run that never happened."""
    return rehearsal.run(400)


def test_faults_are_regions_and_failures_points_for_grafana(read: journal.Journal) -> None:
    report = write.rebuilt(read, 'x')
    found: list[dict[str, Any]] = json.loads(annotations.render(report, read))
    faults = [one for one in found if 'fault' in one['tags']]
    told = [fault for test in report.tests for fault in test.faults]
    assert len(faults) == len(told) == 8
    for one, fault in zip(faults, told, strict=True):
        assert one['timeEnd'] - one['time'] == pytest.approx(1000 * ((fault.healed or 0) - fault.start), abs=2)  # fmt: skip
        assert {'juju-matrix', fault.kind, *fault.targets} <= {*one['tags']}
        assert ('(not proven)' in one['text']) != fault.proven
    # 2026-11-22T09:30Z is when the rehearsal began.
    assert min(one['time'] for one in found) // 1000 == pytest.approx(1795339800, abs=2)
    failed = [one for one in found if 'failed' in one['tags']]
    assert failed
    assert all(one['time'] == one['timeEnd'] for one in failed)
    assert json.loads(annotations.render(write.rebuilt(journal.Journal(()), 'x'), journal.Journal(()))) == []  # fmt: skip


def test_each_operation_is_a_span_and_faults_hang_below_their_test(read: journal.Journal) -> None:
    report = write.rebuilt(read, 'x')
    whole: Any = json.loads(spans.render(report, read))
    found: list[dict[str, Any]] = whole['resourceSpans'][0]['scopeSpans'][0]['spans']
    done = journal.operations(read.entries)
    ids = [one['spanId'] for one in found]
    assert len(ids) == len({*ids}) == len(done) + len(report.tests) + 8
    assert all(len(one['traceId']) == 32 and len(one['spanId']) == 16 for one in found)
    faults = [one for one in found if one['name'].startswith('fault ')]
    assert {one['parentSpanId'] for one in faults} <= {*ids}
    assert all(int(one['endTimeUnixNano']) >= int(one['startTimeUnixNano']) for one in found)
    clients = [one for one in found if one['kind'] == 3]
    assert [one['status']['code'] == 1 for one in clients] == [one.how == 'ok' for one in done]


def test_a_request_carries_the_trace_that_the_export_names() -> None:
    word, operation = 'a1b2c3d4e5f60718', 'c1.7'
    version, trace, span, flags = tracing.parent(word, operation).split('-')
    assert (version, flags, trace, span) == (
        '00', '01', tracing.trace(word, operation), tracing.span(operation),
    )  # fmt: skip
    assert trace.startswith(word)
    assert tracing.trace(word, 'c1.8') != trace
    load = journal.Note(notes.LOAD, {'trace': word})
    entries = [
        journal.Entry(1, 0.0, '2026-11-22T09:30:00+00:00', journal.Note(notes.TEST_START, 't')),
        journal.Entry(2, 1.0, '2026-11-22T09:30:01+00:00', load),
        journal.Entry(3, 2.0, '', journal.Operation(operation, 'get', 'invoke')),
        journal.Entry(4, 3.0, '', journal.Operation(operation, 'get', 'ok', endpoint='http://x')),
    ]
    some = journal.Journal(tuple(entries))
    whole: Any = json.loads(spans.render(write.rebuilt(some, 'x'), some))
    (one,) = [each for each in whole['resourceSpans'][0]['scopeSpans'][0]['spans'] if each['kind'] == 3]  # fmt: skip
    assert (one['traceId'], one['spanId']) == (trace, span)
    assert {'key': 'server.address', 'value': {'stringValue': 'http://x'}} in one['attributes']
    assert client.traced.get() == ''


def _run(folder: pathlib.Path, *, over: bool) -> pathlib.Path:
    folder.mkdir(exist_ok=True)
    with writing.opened(folder / 'journal.jsonl', lambda _: None) as write_to:
        write_to(journal.Note(notes.TEST_START, 't'))
        write_to(journal.Operation('1', 'get', 'invoke'))
        write_to(journal.Operation('1', 'get', 'ok'))
        if over:
            write_to(journal.Note(notes.TEST_COMPLETE, 't'))
            write_to(journal.Note(notes.RUN_END, {'ending': 'passed', 'code': 0}))
    return folder / 'journal.jsonl'


def test_metrics_are_served_while_a_run_goes_on(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'run' / 'journal.jsonl'
    with metrics.server(path, '127.0.0.1', 0) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        try:
            base = f'http://127.0.0.1:{serving.server_address[1]}'

            def scraped() -> str:
                with urllib.request.urlopen(f'{base}/metrics', timeout=10) as answer:
                    assert answer.headers['Content-Type'].startswith(
                        'application/openmetrics-text'
                    )
                    return answer.read().decode()

            assert scraped() == '# EOF\n'  # It has not begun.
            _run(tmp_path / 'run', over=False)
            now = scraped()
            assert 'matrix_run_over{' in now
            assert ' 0\n' in now.partition('matrix_run_over{')[2]
            assert 'matrix_check{' not in now
            assert 'matrix_operation_seconds_count' in now
            _run(tmp_path / 'run', over=True)
            assert 'matrix_check{' in scraped()
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(f'{base}/other', timeout=10)
        finally:
            serving.shutdown()
            thread.join()


def test_where_metrics_are_served_is_read_or_refused(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert metrics.place('9464') == ('127.0.0.1', 9464)
    assert metrics.place('[::1]:80') == ('::1', 80)
    for wrong in ('', 'x', '99999', 'host:'):
        with pytest.raises(problem.RefusedError, match='is no'):
            metrics.place(wrong)
    _run(tmp_path / 'run', over=True)
    assert cli.main(['metrics', str(tmp_path / 'run'), '--serve', '192.0.2.1:1']) == 2
    assert 'nothing can listen at 192.0.2.1:1' in capsys.readouterr().err
    assert cli.main(['metrics', str(tmp_path / 'run')]) == 0
    assert capsys.readouterr().out.endswith('# EOF\n')
    assert cli.main(['metrics', str(tmp_path)]) == 2


@pytest.mark.parametrize('format', ['grafana', 'otlp', 'chaos-toolkit'])
def test_export_writes_each_format(
    format: str,  # noqa: A002  # the flag's own name
    tmp_path: pathlib.Path,
    read: journal.Journal,
) -> None:
    lines = [journal.to_line(one, redact.secrets(())) for one in read.entries]
    (tmp_path / 'journal.jsonl').write_text(''.join(lines))
    out = tmp_path / 'out.json'
    assert cli.main(['export', str(tmp_path), '--as', format, '-o', str(out)]) == 0
    assert json.loads(out.read_text())
