# ruff: noqa: E501  # a table is read by its lines
"""Probes of a bundle's own: how they are written, what they give, and what it proves; and what stops a run."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import pathlib
from typing import Any

import chronicle as c
import pytest
from enginestage import on_virtual_clock
from executionstage import Execution
from faultstage import MODEL, FakeLink, Stage
from hypothesis import given
from hypothesis import strategies as st

from matrix import model, tasks
from matrix.grammar import fields, located, problem
from matrix.history import journal
from matrix.judge import abort, panel, probes, trial, verdict
from matrix.juju import link
from matrix.load import probing

PASS, FAIL, UNKNOWN = verdict.Outcome.PASS, verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN
WHERE = problem.Where('j', 0)


def _read(text: str) -> tuple[probes.Probe, ...]:
    return probes.read(located.load(text, 'test.yaml'))


def test_a_probe_is_read_with_what_it_is_held_to() -> None:
    found = _read(
        '- {name: up, command: "echo 3", on: web, least: 1, most: 5, every: 2, when: [during], abort: true}\n'
        '- {http: "http://{web}/health", expect: [200, 204], says: ok}\n'
        '- {promql: sum(up), prometheus: "http://{prometheus}:9090", least: 2}\n'
    )
    assert found == (
        probes.Probe('up', 'command', 'echo 3', 'web', least=1, most=5, every=2, when=('during',), abort=True),
        probes.Probe('http://{web}/health', 'http', 'http://{web}/health', expect=(200, 204), says='ok'),
        probes.Probe('sum(up)', 'promql', 'sum(up)', prometheus='http://{prometheus}:9090', least=2),
    )  # fmt: skip
    again = [fields.at(probes.plain(one), WHERE) for one in found]
    assert tuple(one for item in again for one in probes.read(item)) == found


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('- {name: x}', 'a probe is one of command, http, promql: this is none of them'),
        ('- {command: a, http: "http://x"}', 'this is command and http'),
        ('- {command: " "}', "'command' of a probe is empty"),
        ('- {http: web}', "'http' begins with http:// or https://, this is 'web'"),
        ('- {promql: up, least: 1}', "needs 'prometheus'"),
        ('- {promql: up, prometheus: "http://p"}', "needs 'least' or 'most'"),
        ('- {command: a, least: 5, most: 1}', 'no number is at least 5 and at most 1'),
        ('- {http: "http://x", on: web}', "'on' is for a probe of command, this is one of http"),
        ('- {command: a, expect: 200}', "'expect' is for a probe of http"),
        ('- {command: a, prometheus: "http://p"}', "'prometheus' is for a probe of promql"),
        ('- {command: a, says: "("}', "'says' is no regular expression"),
        ('- {command: a, when: [befor]}', "'when' is some of before, during, after, not 'befor'; did you mean 'before'?"),
        ('- {command: a, when: []}', 'would never be judged'),
        ('- {command: a}\n- {command: a}', "test.yaml:2: error: two probes are called 'a'"),
        ('- {command: a, most: many}', "'most' is a number"),
        ('- {command: a, bound: 3}', "unknown key 'bound'"),
        ('- {http: "http://x", expect: ok}', "'expect' is one status or several"),
        ('- up', 'a probe is a mapping'),
    ],
)  # fmt: skip
def test_a_probe_that_would_prove_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(problem.RefusedError) as refused:
        _read(text)
    assert said in str(refused.value)


COMMAND = probes.Probe('p', 'command', 'x')
HTTP = probes.Probe('p', 'http', 'http://x')
NUMBER = dataclasses.replace(COMMAND, least=2, most=4)


@pytest.mark.parametrize(
    ('one', 'sample', 'why'),
    [
        (COMMAND, probes.Sample('p', text='anything'), ''),
        (COMMAND, probes.Sample('p', code=3, text='a\nit broke'), 'exit code 3 (it broke)'),
        (COMMAND, probes.Sample('p', code=3, error='no route'), ''),
        (NUMBER, probes.Sample('p', text='lines 3'), ''),
        (NUMBER, probes.Sample('p', text='2'), ''),
        (NUMBER, probes.Sample('p', text='4.0'), ''),
        (NUMBER, probes.Sample('p', text='1.9'), '1.9, at least 2 is good'),
        (NUMBER, probes.Sample('p', text='5'), '5, at most 4 is good'),
        (NUMBER, probes.Sample('p', text='no idea'), 'it gave no number (no idea)'),
        (NUMBER, probes.Sample('p', text=''), 'it gave no number'),
        (NUMBER, probes.Sample('p', text='nan'), 'it gave no number (nan)'),
        (NUMBER, probes.Sample('p', text='inf'), 'inf, at most 4 is good'),
        (dataclasses.replace(COMMAND, says='^up$'), probes.Sample('p', text='up'), ''),
        (dataclasses.replace(COMMAND, says='^up$'), probes.Sample('p', text='down'), "it does not say '^up$' (down)"),
        (HTTP, probes.Sample('p', code=204), ''),
        (HTTP, probes.Sample('p', code=400), 'status 400'),
        (HTTP, probes.Sample('p', text='refused'), 'no answer (refused)'),
        (dataclasses.replace(HTTP, expect=(401,)), probes.Sample('p', code=401), ''),
        (dataclasses.replace(HTTP, expect=(401,)), probes.Sample('p', code=200), 'status 200'),
    ],
)  # fmt: skip
def test_a_sample_is_good_or_says_why_not(
    one: probes.Probe, sample: probes.Sample, why: str
) -> None:
    assert probes.wrong(one, sample) == why


def _said(at: float, value: float | str, on: str = 'web/0', error: str = '') -> c.Line:
    return c.note(at, 'probe', {'name': 'p', 'on': on, 'text': str(value), 'error': error})


def _declared(one: probes.Probe = NUMBER) -> c.Line:
    return c.note(1, 'probes', [probes.plain(one)])


def _judged(*parts: c.Line, one: probes.Probe = NUMBER) -> verdict.Verdict:
    of = c.trial_of(_declared(one), c.fault(10, 11, 20), *parts, c.note(100, 'test.complete', 't'))
    return probes.probe(of, probes.named(of)['p'])


def test_a_steady_state_is_judged_before_and_after_and_where_asked_while_faults_strike() -> None:
    good = (_said(5, 3), _said(60, 3))
    assert _judged(*good) == verdict.Verdict(
        'probe p', PASS, 'all samples were good: 1 before any fault, 1 after the faults'
    )
    # What it gives while a fault strikes, and what it struck recovers, counts only where it is said.
    amid = (*good, _said(12, 9), _said(30, 9))
    assert _judged(*amid).outcome is PASS
    always = dataclasses.replace(NUMBER, when=probes.WHEN)
    assert _judged(*amid, one=always) == verdict.Verdict(
        'probe p',
        FAIL,
        'p on web/0 while faults struck: 9, at most 4 is good (at 12.0 s, while freeze struck api/0), and 1 more of 2 samples',
        (5, 7),
        verdict.Signature('probe', 'p', 'during'),
    )
    before = _judged(_said(5, 1), _said(60, 3))
    assert (before.outcome, before.signature) == (FAIL, verdict.Signature('probe', 'p', 'before'))
    assert before.sentence == 'p on web/0 before any fault: 1, at least 2 is good (at 5.0 s)'
    after = _judged(_said(5, 3), _said(60, 9))
    assert (after.outcome, after.signature) == (FAIL, verdict.Signature('probe', 'p', 'after'))


def test_the_last_sample_of_each_place_is_what_is_left_however_early_the_test_ends() -> None:
    # Within the time to recover, only the last one counts.
    assert _judged(_said(5, 3), _said(21, 9), _said(40, 3)).outcome is PASS
    assert _judged(_said(5, 3), _said(40, 9)).outcome is FAIL
    assert _judged(_said(5, 3), _said(39, 9, on='web/1'), _said(40, 3)).outcome is FAIL
    # One that could not be taken says nothing of what is left.
    assert _judged(_said(5, 3), _said(39, 3), _said(40, 0, error='gone')).outcome is PASS


def test_a_probe_that_nobody_sampled_proves_nothing() -> None:
    assert _judged(_said(60, 3)).sentence == 'p was never asked before any fault'
    assert _judged(_said(5, 3), _said(12, 3)).sentence == 'p was never asked after the faults'
    gone = _judged(_said(5, 3), _said(60, 3, error='there is no web'))
    assert (gone.outcome, gone.sentence) == (
        UNKNOWN,
        'p was never asked after the faults: there is no web',
    )
    of = c.trial_of(_declared(dataclasses.replace(NUMBER, when=('after',))), _said(5, 3))
    never = probes.probe(of, probes.named(of)['p'])
    assert (never.outcome, 'there was no fault' in never.sentence) == (UNKNOWN, True)


def test_the_panel_asks_every_probe_of_the_journal() -> None:
    read = c.of_parts(
        c.note(0, 'test.start', 't'), _declared(), _said(5, 9), c.note(9, 'test.complete', 't')
    )
    found = panel.judge(read)
    assert (found.outcome, found.tests[0].signature) == (
        FAIL,
        verdict.Signature('probe', 'p', 'before'),
    )
    silent = c.of_parts(c.note(0, 'test.start', 't'), _declared(), c.note(9, 'test.complete', 't'))
    assert any(
        one.check == 'probe p' and one.outcome is UNKNOWN
        for one in panel.judge(silent).tests[0].verdicts
    )


@given(st.lists(st.tuples(st.floats(0, 99), st.integers(0, 6), st.booleans()), max_size=12))
def test_a_probe_passes_only_where_all_that_it_is_held_to_is_good(
    samples: list[tuple[float, int, bool]],
) -> None:
    lines = [_said(at, value, error='x' if lost else '') for at, value, lost in samples]
    found = _judged(*lines)
    known = [(at, value) for at, value, lost in samples if not lost]
    before = [value for at, value in known if at < 10]
    after = [value for at, value in known if at > 50]
    if found.outcome is PASS:
        assert before
        assert any(at > 20 for at, _ in known)
        assert all(2 <= value <= 4 for value in (*before, *after))
    if any(not 2 <= value <= 4 for value in (*before, *after)):
        assert found.outcome is FAIL


# What is asked.


def _sampled(one: probes.Probe, on: link.Link) -> list[probes.Sample]:
    written: list[journal.What] = []

    async def go() -> None:
        async with probing.running([one], on, written.append) as them:
            await them.once()

    asyncio.run(go())
    notes = [each for each in written if isinstance(each, journal.Note) and each.kind == 'probe']
    return [probes.sample_of(each.value) for each in notes]


def test_a_command_runs_on_each_unit_or_here() -> None:
    on = FakeLink(lambda target, text, env: link.ScriptResult(0, ' 7\n'))
    units = _sampled(dataclasses.replace(COMMAND, asks='stat', on='db'), on)
    assert {one.text for one in units} == {'7'}
    assert {one.on for one in units} == {
        unit.name for app in MODEL.applications if app.name == 'db' for unit in app.units
    }
    assert (
        _sampled(dataclasses.replace(COMMAND, asks='stat', on='nobody'), on)[0].error
        == 'there is no nobody'
    )
    here = _sampled(
        dataclasses.replace(COMMAND, asks='echo "$JUJU_MODEL"; echo 5 >&2; exit 3'), on
    )
    assert here[0] == probes.Sample('p', '', 3, f'{on.model}\n5')
    slow = _sampled(dataclasses.replace(COMMAND, asks='sleep 60', timeout=0.2), on)
    assert (slow[0].code, slow[0].text) == (124, 'no answer within 0.2 s')


def test_nobody_answering_is_no_good_answer_and_a_place_that_is_not_there_none() -> None:
    on = FakeLink()
    refused = _sampled(dataclasses.replace(HTTP, asks='http://127.0.0.1:1/'), on)
    assert (refused[0].code, refused[0].error) == (0, '')
    assert probes.wrong(HTTP, refused[0]).startswith('no answer')
    nobody = _sampled(dataclasses.replace(HTTP, asks='http://{nobody}/'), on)
    assert 'nobody in the model' in nobody[0].error


PROMETHEUS: list[tuple[Any, list[str], str]] = [
    ({'data': {'resultType': 'scalar', 'result': [1, '2']}}, ['2'], ''),
    ({'data': {'resultType': 'vector', 'result': [{'metric': {'job': 'a', '__name__': 'up'}, 'value': [1, '1']}, {'metric': {}, 'value': [1, '0']}]}}, ['1', '0'], ''),
    ({'data': {'resultType': 'vector', 'result': []}}, [''], 'the query finds nothing'),
    ({'data': {'resultType': 'matrix', 'result': []}}, [''], 'Prometheus gave neither a vector nor a scalar'),
    ({'data': {'resultType': 'vector', 'result': [{'metric': {'job': 'a'}}]}}, [''], 'Prometheus gave a vector that has no values'),
    ({'data': {'resultType': 'vector', 'result': [7]}}, [''], 'Prometheus gave a vector that has no values'),
    ({'data': {'resultType': 'vector', 'result': 'x'}}, [''], 'Prometheus gave neither a vector nor a scalar'),
    ({'status': 'error'}, [''], 'Prometheus gave neither a vector nor a scalar'),
    ([], [''], 'Prometheus gave neither a vector nor a scalar'),
]  # fmt: skip


@pytest.mark.parametrize(('said', 'texts', 'error'), PROMETHEUS)
def test_what_prometheus_says_is_a_sample_for_each_series(
    said: Any, texts: list[str], error: str
) -> None:
    one = dataclasses.replace(NUMBER, how='promql')
    found = probing.of_prometheus(one, said)
    assert ([each.text for each in found], found[0].error) == (texts, error)
    if len(found) == 2:
        assert found[0].on == 'job=a'


# What stops a run.


def test_limits_are_read() -> None:
    assert abort.read(None) == abort.Limits()
    found = abort.read(located.load('{errors: 0.5, p99: 3, over: 10, least: 5}', 't'))
    assert found == abort.Limits(0.5, 3, 10, 5)
    for text, said in (
        ('{over: 3}', 'would never stop a run'),
        ('{errors: 2}', 'from 0 to 1'),
        ('x', 'is a mapping'),
    ):
        with pytest.raises(problem.RefusedError, match=said):
            abort.read(located.load(text, 't'))


def _first(watchdog: abort.Watchdog, *parts: c.Line) -> tuple[float, str] | None:
    for at, what in sorted((line for part in parts for line in part), key=lambda line: line[0]):
        if why := watchdog.take(at, what):
            return at, why
    return None


def test_a_run_is_stopped_once_too_much_fails_and_not_before_enough_is_known() -> None:
    limits = abort.Limits(errors=0.5, over=10, least=10)
    good, bad = c.ops(0, 10), c.ops(10, 30, how='fail')
    found = _first(abort.Watchdog(limits), good, bad)
    assert found is not None
    # Of the last ten seconds more than half failed: that is so after five and a little.
    assert found == (
        pytest.approx(15.1),
        '11 of 21 operations failed within 10 s (52%, allowed 50%)',
    )
    assert _first(abort.Watchdog(limits), c.ops(0, 4.5, how='fail')) is None
    assert _first(abort.Watchdog(limits), c.ops(0, 4.6, how='fail')) is not None
    assert _first(abort.Watchdog(abort.Limits()), bad) is None
    # What the end of the load cut off is nobody's failure.
    assert _first(abort.Watchdog(limits), c.ops(0, 30, how='info', error=trial.STOPPED)) is None
    # What failed long ago is over.
    assert _first(abort.Watchdog(limits), c.ops(0, 4.5, how='fail'), c.ops(20, 40)) is None


def test_a_run_is_stopped_once_answers_take_too_long() -> None:
    limits = abort.Limits(p99=2, over=10, least=5)
    assert _first(abort.Watchdog(limits), c.ops(0, 20, took=1.9)) is None
    found = _first(abort.Watchdog(limits), c.ops(0, 20, took=2.5))
    assert found is not None
    assert found[1] == 'p99 of the last 10 s is 2.50 s, allowed 2.00 s'
    late = _first(abort.Watchdog(limits), c.ops(0, 20, took=0.1, late=3.0))
    assert late is not None  # As latency is counted: from the planned moment.


def test_a_probe_stops_a_run_only_where_it_says_so() -> None:
    stops = dataclasses.replace(NUMBER, abort=True)
    assert _first(abort.Watchdog(abort.Limits(), [NUMBER]), _said(5, 9)) is None
    found = _first(abort.Watchdog(abort.Limits(), [stops]), _said(4, 3), _said(5, 9), _said(6, 9))
    assert found == (5, 'probe p on web/0: 9, at most 4 is good')
    assert _first(abort.Watchdog(abort.Limits(), [stops]), _said(5, 9, error='gone')) is None
    assert math.isinf(abort.Limits().errors)


def test_a_run_that_costs_too_much_is_broken_off_healed_and_has_failed(
    tmp_path: pathlib.Path,
) -> None:
    stage = Stage()
    plan = tmp_path / 'p.yaml'
    event = {
        'id': 'e1',
        'fault': 'freeze',
        'at': 0,
        'hold': 900,
        'targets': ['db/0'],
        'selectors': [{'selector': 'units'}],
    }
    plan.write_text(str({'format': 'v2', 'seed': 7, 'events': [event]}))
    execution = Execution(tmp_path, faults={'freeze': stage.fault()}, chaos_plan=plan)
    execution.execution.limits = abort.Limits(errors=0.5, over=10, least=5)

    async def go() -> None:
        chaos = asyncio.ensure_future(execution.task(tasks.chaos, control=1))
        while not any(one.phase == 'landed' for one in execution.faults()):
            await asyncio.sleep(0.1)
        for n in range(5):
            execution.execution.write(journal.Operation(str(n), 'get', 'invoke'))
            execution.execution.write(journal.Operation(str(n), 'get', 'fail'))
        await chaos

    with pytest.raises(model.TestFailure, match='5 of 5 operations failed'):
        on_virtual_clock(go())
    assert [one.phase for one in execution.faults()] == ['armed', 'landed', 'healed']
    assert execution.notes('aborted') == [
        {'why': '5 of 5 operations failed within 10 s (100%, allowed 50%)', 'kind': 'load'}
    ]
    assert execution.execution.hear == []
    stopped = c.note(15, 'aborted', {'why': 'too much', 'kind': 'load'})
    read = c.of_parts(
        c.note(0, 'test.start', 't'), c.fault(), stopped, c.note(20, 'test.complete', 't')
    )
    judged = panel.judge(read)
    assert judged.sentence == 'stopped at 15.0 s: too much, while freeze struck api/0'
    assert judged.tests[0].signature == verdict.Signature('abort', error='load')
