"""A run before and around its tests: bundle, options, files, the search for the smallest plan."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import pathlib
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix import cli
from matrix.cli import flags, registry
from matrix.cli.commands import replay
from matrix.engine import progress, rules
from matrix.grammar import located, problem, suitefile
from matrix.history import journal, journalfile, notes
from matrix.judge import panel, verdict
from matrix.plans import chaosplan, compact, plan, planfile, translate
from matrix.run import bundlefile, earlier, ending, outcome, prepare, replays, rundir, writing

_BUNDLE = 'applications: {web: {charm: ./web, num_units: 2}, db: {charm: ./db}}'
LOST = verdict.Signature('acknowledged put', 'put', 'lost')


def _refused(call: Any, *args: Any) -> str:
    with pytest.raises(problem.RefusedError) as refused:
        call(*args)
    return str(refused.value)


def test_a_bundle_is_a_folder_or_a_file_and_its_tests_stand_beside_it(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / 'bundle.yaml').write_text(_BUNDLE)
    (tmp_path / 'dmz.yaml').write_text(_BUNDLE + '\n--- # overlay\napplications: {}\n')
    found = bundlefile.find(tmp_path)
    assert (found.file, found.folder, found.applications, found.ha) == (
        tmp_path / 'bundle.yaml', tmp_path, ('web', 'db'), True,
    )  # fmt: skip
    assert bundlefile.find(tmp_path / 'dmz.yaml').folder == tmp_path
    (tmp_path / 'dmz' / 'tests').mkdir(parents=True)
    own = bundlefile.find(tmp_path / 'dmz.yaml')
    assert (own.folder, own.name, own.spell) == (tmp_path / 'dmz', 'dmz', False)
    (tmp_path / 'metadata.yaml').write_text('friendly-name: A spell')
    assert bundlefile.find(tmp_path).spell


def test_spaces_beside_a_bundle_are_made_where_it_names_them(tmp_path: pathlib.Path) -> None:
    bound = 'applications: {web: {charm: ./web, bindings: {"": api, public: dmz}}}'
    (tmp_path / 'dmz.yaml').write_text(bound)
    (tmp_path / 'core.yaml').write_text(_BUNDLE)
    (tmp_path / 'spaces.yaml').write_text(
        'dmz: 10.0.1.0/24\napi: 10.0.2.0/24\ndata: 10.0.3.0/24\n'
    )
    asked = flags.gather(_parsed(), {})
    dmz, core = bundlefile.find(tmp_path / 'dmz.yaml'), bundlefile.find(tmp_path / 'core.yaml')
    assert prepare.spaces_of(asked, dmz) == {'dmz': '10.0.1.0/24', 'api': '10.0.2.0/24'}
    assert prepare.spaces_of(asked, core) == {}
    said = dataclasses.replace(asked, spaces=tmp_path / 'spaces.yaml')
    assert len(prepare.spaces_of(said, core)) == 3


@pytest.mark.parametrize(
    ('text', 'said'),
    [(None, 'cannot be read: No such file'), ('[]', ':1: error: a bundle needs applications'), ('a: [', 'not YAML')],
)  # fmt: skip
def test_what_is_no_bundle_is_told(tmp_path: pathlib.Path, text: str | None, said: str) -> None:
    path = tmp_path / 'b.yaml'
    if text is not None:
        path.write_text(text)
    assert said in _refused(bundlefile.find, path)
    assert 'there is no bundle here' in _refused(bundlefile.find, tmp_path)


def _parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    flags.configure(parser)
    return parser.parse_args(words)


_OLD = (
    '-c C -m M -M P -k -C cloud -l DEBUG -d out -s raw -x x.xml -F -i 2 -p b -D -B -g plan -n 3 -o out.yaml -H '
    '-L a b -f c -t one two'
)
_LONG = (
    '--controller C --model M --model-prefix P --keep-models --cloud cloud --log-level DEBUG --output-dir out '
    '--skin raw --xunit x.xml --fail-fast --interval 2 --path b --no-default-suite --no-bundle-suite '
    '--chaos_plan plan --chaos_num 3 --chaos_output out.yaml --ha --log-name a b --log-filter c --test_pattern one two'
)


def test_every_flag_of_0_10_is_there_in_every_spelling() -> None:
    expected = flags.gather(_parsed(*_OLD.split()), {})
    assert expected.test_pattern == ('one', 'two')
    assert (expected.chaos_num, expected.interval, expected.ha, expected.log_name) == (
        3,
        2.0,
        True,
        ('a', 'b'),
    )
    for spelling in (
        _LONG,
        _LONG.replace('_', '-'),
        _LONG.replace('-', '_').replace(' __', ' --'),
    ):
        words = spelling.split()
        words[0] = '--controller'
        assert flags.gather(_parsed(*words), {}) == expected
    assert flags.gather(_parsed('s.yaml', '-k'), {}).suites == (pathlib.Path('s.yaml'),)
    # As before, a list of words takes what follows it.
    assert flags.gather(_parsed('-t', 'one', 's.yaml'), {}).suites == ()


def test_flags_stand_before_the_bundle_and_the_bundle_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('MATRIX_MODEL_PREFIX', 'env')
    monkeypatch.setenv('MATRIX_OUTPUT_DIR', '/out')
    said = {'model_prefix': 'bundle', 'chaos_num': 9}
    found = flags.gather(_parsed('-n', '5'), said)
    assert (found.model_prefix, found.chaos_num, str(found.output_dir)) == ('bundle', 5, '/out')


@pytest.mark.parametrize(
    ('text', 'seconds'), [('90', 90), ('90s', 90), ('1.5m', 90), ('1h', 3600), ('soon', None)]
)
def test_times_are_read(text: str, seconds: float | None) -> None:
    if seconds is None:
        with pytest.raises(argparse.ArgumentTypeError):
            flags.seconds(text)
    else:
        assert flags.seconds(text) == seconds


def test_what_was_said_to_a_run_is_said_again_from_its_plan_alone(tmp_path: pathlib.Path) -> None:
    call = _parsed(
        'more.yaml',
        '-C',
        'processes',
        '-t',
        'a',
        'b',
        '-k',
        '--rate',
        '3',
        '--model-config',
        'x=y',
        '-g',
        'p',
    )
    words = flags.words(call, tmp_path / 'bundle.yaml')
    run = tmp_path / 'matrix-runs' / 'r'
    (run / 'replays' / 't' / '01').mkdir(parents=True)
    with writing.opened(run / 'journal.jsonl', lambda _: None) as write:
        write(journal.Note(notes.RUN, {'words': [*words], 'seed': 5}))
    (run / 'replays' / 't' / '01' / 'plan.yaml').write_text('format: v2\nseed: 7\nevents: []\n')
    place = run / 'replays' / 't' / '01' / 'plan.yaml'
    again = replay.as_before(place, _parsed('--rate', '4'))
    assert again.path == tmp_path / 'bundle.yaml'
    assert (again.cloud, again.test_pattern, again.keep_models, again.rate) == (
        'processes',
        ['a', 'b'],
        True,
        4.0,
    )
    assert again.suites == [pathlib.Path('more.yaml').resolve()]
    assert again.model_config == [('x', 'y')]
    assert not hasattr(again, 'chaos_plan')
    assert earlier.seed(place) == 7


def _own(task: str) -> dict[str, str]:
    return {'tests/matrix.yaml': f'tests:\n- name: own\n  rules:\n  - do: {task}\n'}


_PLAN = 'format: v2\nseed: 1\nevents:\n- {id: e, fault: frezee, at: 1, hold: 1, selectors: []}\n'


@pytest.mark.parametrize(
    ('files', 'argv', 'said'),
    [
        ({}, [], ''),
        (_own('tests.no.such'), [], "4: error: there is no task 'tests.no.such': "),
        (_own('tests/no'), [], '4: error: there is no program tests/no'),
        (_own('matrix.tasks.chaoss'), [], "did you mean 'matrix.tasks.chaos'?"),
        (
            {'p.yaml': _PLAN},
            ['-g', 'p.yaml'],
            "p.yaml:4: error: there is no fault 'frezee'; did you mean 'freeze'?",
        ),
        ({}, ['-g', 'nothing.yaml'], 'nothing.yaml:1: error: the plan cannot be read'),
        ({}, ['nothing.yaml'], 'nothing.yaml:1: error: the suite cannot be read'),
        ({}, ['-t', 'none*'], 'no test is called none*'),
        ({}, ['-D'], 'there is no test to run'),
        ({}, ['--overlay', 'no.yaml'], 'the overlay cannot be read'),
        (
            {'s.yaml': 'dmz: [1]'},
            ['--spaces', 's.yaml'],
            "s.yaml:1: error: 'dmz' needs its subnet",
        ),
        ({'tests/test.yaml': 'expect: {errors: 3}'}, [], 'tests/test.yaml:1: error: '),
        ({'tests/test.yaml': 'load: {use: nothing}'}, [], 'tests/test.yaml:1: error: '),
        ({'tests/f.py': 'FAULTS = [3]'}, [], 'FAULTS is a list'),
    ],
)
def test_everything_wrong_is_told_before_anything_runs(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    files: dict[str, str],
    argv: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('PATH', '/nowhere')
    for name, text in {'bundle.yaml': _BUNDLE, **files}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    code = cli.main(argv)
    err = capsys.readouterr().err
    assert said in err
    assert code == (2 if said else 1)  # Nothing wrong: only Juju is missing.
    assert 'Traceback' not in err
    assert not (tmp_path / 'matrix-runs').exists()


def test_a_fault_of_matrix_itself_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: str) -> registry.Command:
        class Broken:
            HELP: str = ''

            def configure(self, parser: argparse.ArgumentParser) -> None: ...

            def run(self, call: argparse.Namespace) -> int:
                raise ZeroDivisionError('oh')

        return Broken()

    monkeypatch.setattr(registry, 'load', broken)
    assert cli.main(['lint']) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('error: this is a fault of matrix: ZeroDivisionError: oh (more: ')
    path = pathlib.Path(line.rpartition('more: ')[2].removesuffix(')'))
    assert 'Traceback' in path.read_text()
    path.unlink()


@pytest.mark.parametrize('name', registry.COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([name, '--help'])
    assert left.value.code == 0
    assert f'juju matrix {name}' in capsys.readouterr().out


def test_suites_are_merged_default_first_then_more_then_the_bundles(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / 'bundle.yaml').write_text(_BUNDLE)
    (tmp_path / 'tests').mkdir()
    (tmp_path / 'tests' / 'matrix.yaml').write_text(
        'tests:\n- {name: deployment, rules: [{do: matrix.tasks.reset}]}\n'
    )
    (tmp_path / 'more.yaml').write_text(
        'tests:\n- {name: more, rules: [{do: matrix.tasks.fail}]}\n'
    )
    bundle = bundlefile.find(tmp_path)

    def names(*argv: str) -> list[str]:
        asked = flags.gather(_parsed(*argv), {})
        return [test.name for test in prepare.prepare(asked, bundle, None, 1).suite.tests]

    more = str(tmp_path / 'more.yaml')
    assert names(more) == ['deployment', 'end_to_end', 'more']
    assert names(more, '-D') == ['more', 'deployment']
    assert names('-B') == ['deployment', 'end_to_end']
    assert names('-t', 'end*') == ['end_to_end']
    whole = prepare.prepare(flags.gather(_parsed(), {}), bundle, None, 1)
    assert (whole.suite.tests[0].rules[0].task, whole.ha) == ('matrix.tasks.reset', True)
    with_chaos = dataclasses.replace(flags.gather(_parsed(), {}), with_chaos=True)
    assert [one.name for one in prepare.prepare(with_chaos, bundle, None, 1).suite.tests] == [
        'end_to_end'
    ]


_CHECK = """
from matrix.judge import verdict

def own(read):
    return verdict.Verdict('own', verdict.Outcome.FAIL, 'never')

CHECKS = [own]
"""


def test_a_run_is_judged_again_with_the_bundles_own_checks(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'bundle.yaml').write_text(_BUNDLE)
    (tmp_path / 'tests').mkdir()
    with writing.opened(tmp_path / 'journal.jsonl', lambda _: None) as write:
        write(journal.Note(notes.RUN, {'bundle': str(tmp_path / 'bundle.yaml'), 'words': []}))
        write(journal.Note(notes.TEST_START, 'first'))
        write(journal.Note(notes.RULE_DONE, {'task': 'tests.mine.check', 'phase': 'complete'}))
        write(journal.Note(notes.TEST_COMPLETE, 'first'))
    assert cli.main(['check', str(tmp_path)]) == 101
    assert 'the journal has no end' in capsys.readouterr().out
    with writing.opened(tmp_path / 'journal.jsonl', lambda _: None) as write:
        write(journal.Note(notes.RUN_END, {'ending': 'passed', 'code': 0}))
    assert cli.main(['check', str(tmp_path)]) == 0
    (tmp_path / 'tests' / 'mine.py').write_text(_CHECK)
    assert cli.main(['check', str(tmp_path)]) == 101
    assert 'fail     own: never' in capsys.readouterr().out
    (tmp_path / 'journal.jsonl').write_text('')
    assert cli.main(['check', str(tmp_path)]) == 101


def test_a_run_has_a_folder_for_its_owner_alone(tmp_path: pathlib.Path) -> None:
    first, second = rundir.make(tmp_path, 'm'), rundir.make(tmp_path, 'm')
    assert first != second
    assert {one.stat().st_mode & 0o777 for one in (first, second, first / 'logs')} == {0o700}
    (tmp_path / 'file').write_text('')
    assert 'cannot be made' in _refused(rundir.make, tmp_path / 'file', 'm')
    assert 'there is no journal.jsonl here' in _refused(rundir.journal_of, first)


def test_secrets_that_a_load_learns_never_enter_the_journal(tmp_path: pathlib.Path) -> None:
    class Load:
        secrets = frozenset({'hunter22', 'abc'})

    load, path = Load(), tmp_path / 'j.jsonl'
    with writing.opened(path, lambda _: None) as write:
        write.hide(load)
        write.hide(object())
        write(journal.Note('x', 'it is hunter22 and abc'))
        load.secrets = load.secrets | {'tr0ub4dor'}
        write(journal.Note('x', 'then tr0ub4dor'))
        assert write.redacted('tr0ub4dor') == '[secret]'
    text = path.read_text()
    assert ('hunter22' in text, 'tr0ub4dor' in text, text.count('[secret]')) == (False, False, 2)
    before = journalfile.read(path).entries[-1]
    with writing.opened(path, lambda _: None) as write:
        after = write(journal.Note('x', 'more'))
    assert (after.seq, after.at >= before.at) == (before.seq + 1, True)


def _state(text: str, *, ha: bool, phase: progress.Phase = 'complete') -> progress.State:
    lines = ''.join(f'  - {line}\n' for line in text.splitlines())
    test = suitefile.read(f'tests:\n- name: t\n  rules:\n{lines}', 's').tests[0]
    state = rules.begin(test, progress.Policy(ha=ha))
    runs = tuple(progress.RuleProgress(phase) for _ in test.rules)
    return dataclasses.replace(state, runs=runs, finished=True)


_DEFAULT = '{do: matrix.tasks.end_to_end, until: chaos}\n{do: matrix.tasks.chaos, gating: ha_only}'


@pytest.mark.parametrize(
    ('text', 'ha', 'found', 'phase', 'expected'),
    [
        (_DEFAULT, True, verdict.Outcome.FAIL, 'complete', 'failed'),
        (_DEFAULT, True, verdict.Outcome.UNKNOWN, 'complete', 'unknown'),
        (_DEFAULT, True, verdict.Outcome.PASS, 'complete', 'passed'),
        (_DEFAULT, False, verdict.Outcome.FAIL, 'complete', 'passed'),
        (_DEFAULT, True, verdict.Outcome.PASS, 'broken', 'infrastructure'),
        ('{do: matrix.tasks.end_to_end}', False, verdict.Outcome.FAIL, 'complete', 'failed'),
        ('{do: matrix.tasks.deploy}', False, verdict.Outcome.FAIL, 'complete', 'failed'),
    ],
)
def test_a_test_ends_as_its_rules_say_and_else_as_its_checks_say(
    text: str, ha: bool, found: verdict.Outcome, phase: progress.Phase, expected: str
) -> None:
    judged = panel.Judged('', (verdict.Verdict('x', found, ''),))
    assert outcome.together(_state(text, ha=ha, phase=phase), judged).ending == expected


def test_the_worst_ending_names_the_run() -> None:
    assert ending.worst(['passed', 'unknown', 'infrastructure']) == 'infrastructure'
    assert ending.worst([]) == 'passed'


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 60)), max_size=8))
def test_a_compact_plan_keeps_order_and_overlaps_and_wastes_no_time(
    events: list[tuple[float, float]],
) -> None:
    whole = plan.Plan(
        1,
        tuple(plan.FaultEvent(f'e{n}', 'x', at, hold, ()) for n, (at, hold) in enumerate(events)),
    )
    small = compact.compact(whole)
    assert [one.id for one in small.events] == [one.id for one in whole.events]
    for first, now in zip(whole.events, small.events, strict=True):
        assert now.at <= first.at + 0.06
        for other, then in zip(whole.events, small.events, strict=True):
            if first.at <= other.at < first.at + first.hold:
                assert abs((then.at - now.at) - (other.at - first.at)) < 0.2
    busy = sum(one.hold for one in small.events)
    end = max((one.at + one.hold for one in small.events), default=0)
    assert end <= 1 + busy + compact.LONGEST * len(events) + 0.1 * len(events)
    assert {**vars(compact.compact(small))}['seed'] == 1


def test_a_plan_of_the_first_format_becomes_events_in_its_order() -> None:
    actions = (
        '{action: sleep, seconds: 3, interval: 7, selectors: []}',
        '{action: add_unit, count: 2, inflight: 1, selectors: []}',
    )
    text = f'chaos: {{format: v1, actions: [{", ".join(actions)}]}}'
    made = translate.events(chaosplan.read(text, 'p'), 5)
    told = [(one.id, one.fault, one.at, one.hold, dict(one.parameters)) for one in made.events]
    assert told == [
        ('a1', 'sleep', 0, 3, {}),
        ('a2', 'add-unit', 7, 0, {'for_good': True, 'count': 2}),
    ]


class Replays:
    """Replays that fail alike when the plan has the culprits; `seen` are the plans that were run."""

    def __init__(self, *culprits: str, slow: float = 0.0):
        self.culprits, self.slow = {*culprits}, slow
        self.seen: list[list[str]] = []

    async def __call__(self, one: plan.Plan, folder: pathlib.Path) -> panel.Judged:
        ids = [event.id for event in one.events]
        self.seen.append(ids)
        await asyncio.sleep(self.slow)
        if not self.culprits <= {*ids}:
            return panel.Judged(
                't', (verdict.Verdict('x', verdict.Outcome.PASS, ''),), ending='passed'
            )
        failed = verdict.Verdict('x', verdict.Outcome.FAIL, 'lost', signature=LOST)
        return panel.Judged('t', (failed,), 'lost', ending='failed')


def _of(count: int) -> plan.Plan:
    return plan.Plan(
        3, tuple(plan.FaultEvent(f'e{n}', 'freeze', 30.0 * n, 5, ()) for n in range(count))
    )


def _search(
    folder: pathlib.Path, run: Replays, seconds: float = 60
) -> tuple[replays.Found, list[Any]]:
    said: list[Any] = []
    search = replays.Search(run, folder, LOST, said.append, time.monotonic() + seconds)
    return asyncio.run(search.smallest(_of(6), ('e4', 'e1'), {})), said


def test_the_search_finds_what_is_necessary_and_keeps_every_replay(tmp_path: pathlib.Path) -> None:
    run = Replays('e1', 'e4')
    found, said = _search(tmp_path / 'r', run)
    assert {one.id for one in found.plan.events} == {'e1', 'e4'}
    assert (found.minimal, found.in_time, found.control, sorted(found.necessary)) == (
        True,
        True,
        False,
        ['e1', 'e4'],
    )
    assert run.seen[0] == []
    assert found.plan.events[0].at == 1.0
    assert found.replays == len(run.seen) == len(said)
    results = [
        json.loads((one / 'result.json').read_text()) for one in sorted((tmp_path / 'r').iterdir())
    ]
    assert [one['signature'] is not None for one in results].count(True) >= 1
    assert planfile.read((tmp_path / 'r' / '01' / 'plan.yaml').read_text(), 'p').events == ()


def test_a_search_goes_on_where_it_was_interrupted(tmp_path: pathlib.Path) -> None:
    first = Replays('e1', 'e4')
    whole, _ = _search(tmp_path / 'r', first)
    again = Replays('e1', 'e4')
    found, _ = _search(tmp_path / 'r', again)
    assert (found.plan, again.seen) == (whole.plan, [])
    last = max((tmp_path / 'r').iterdir())
    (last / 'result.json').unlink()
    found, _ = _search(tmp_path / 'r', again)
    assert (found.plan, len(again.seen)) == (whole.plan, 1)


def test_a_search_ends_in_time_and_says_that_it_is_not_done(tmp_path: pathlib.Path) -> None:
    run = Replays('e1', slow=0.2)
    found, _ = _search(tmp_path / 'r', run, seconds=0.5)
    assert (found.in_time, found.minimal) == (False, False)
    assert len(run.seen) <= 3  # No more fit into that time, however slow the machine is.


def test_a_failure_without_any_fault_is_said_to_be_one(tmp_path: pathlib.Path) -> None:
    run = Replays()
    found, _ = _search(tmp_path / 'r', run)
    assert (found.control, found.plan.events, len(run.seen)) == (True, (), 1)


def test_another_failure_is_not_taken_for_this_one(tmp_path: pathlib.Path) -> None:
    class Other(Replays):
        async def __call__(self, one: plan.Plan, folder: pathlib.Path) -> panel.Judged:
            other = verdict.Signature('errors', 'get', 'http 500')
            failed = verdict.Verdict('x', verdict.Outcome.FAIL, 'other', signature=other)
            return panel.Judged('t', (failed,), ending='failed')

    found, _ = _search(tmp_path / 'r', Other())
    assert (found.reproduced, found.plan) == (False, _of(6))


def test_a_cancelled_search_stops_its_replay(tmp_path: pathlib.Path) -> None:
    run = Replays('e1', slow=600)

    async def go() -> None:
        search = replays.Search(run, tmp_path / 'r', LOST, lambda _: None, time.monotonic() + 100)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(search.smallest(_of(3), (), {}), 0.3)

    asyncio.run(go())  # It does not wait for the replay, or this test would reach its limit.
    assert not (tmp_path / 'r' / '01' / 'result.json').exists()


def test_the_plan_of_a_journal_strikes_whom_it_struck() -> None:
    value = located.plain(located.load(planfile.write(_of(2)), 'p'))
    entries = (
        journal.Entry(1, 0, '', journal.Note(notes.PLAN, value)),
        journal.Entry(2, 1, '', journal.Fault('e1', 'freeze', 'armed', ('db/0',))),
    )
    found = replays.executed_plan(entries)
    assert found is not None
    assert [one.targets for one in found.events] == [(), ('db/0',)]
    assert replays.executed_plan(entries[1:]) is None
    assert replays.in_words(found.events[1]) == 'freeze db/0 for 5 s'
