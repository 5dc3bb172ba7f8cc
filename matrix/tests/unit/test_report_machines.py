"""What other programs read: JUnit, GitHub, the Chaos Toolkit; and the edge that writes them."""

from __future__ import annotations

import json
import pathlib
from xml.etree import ElementTree as ET  # reads only what junit.py has just written

import pytest
import rehearsal

from matrix.grammar import problem
from matrix.history import journal
from matrix.judge import panel, verdict
from matrix.report import chaostoolkit, github, junit, story, write

PASS, UNKNOWN, FAIL = verdict.Outcome.PASS, verdict.Outcome.UNKNOWN, verdict.Outcome.FAIL


def told(hostile: str = '', verdicts: tuple[verdict.Verdict, ...] | None = None) -> story.Story:
    read = rehearsal.run(600, hostile=hostile)
    judged = (
        panel.Judged('deployment', (verdict.Verdict('rules', PASS, 'all well'),), ending='passed'),
        panel.Judged(
            'end_to_end',
            rehearsal.verdicts(read) if verdicts is None else verdicts,
            f'lost {hostile}',
            ending='failed',
        ),
        panel.Judged('later', skipped='a test before it failed', ending='passed'),
    )
    smallest = story.Smallest(f'format: v2{hostile}\n', ('e3',), f'juju matrix replay{hostile}')
    return story.summarise(read, judged, smallest=smallest, folder='matrix-runs/x')


# What Ant's schema of JUnit's XML allows and demands of each element.
_ALLOWED = {
    'testsuites': (set[str](), set[str]()),
    'testsuite': (
        {'name', 'timestamp', 'hostname', 'tests', 'failures', 'errors', 'time', 'package', 'id'},
        {'skipped'},
    ),
    'properties': (set[str](), set[str]()),
    'property': ({'name', 'value'}, set[str]()),
    'testcase': ({'name', 'classname', 'time'}, set[str]()),
    'skipped': (set[str](), {'message'}),
    'failure': ({'type'}, {'message'}),
    'error': ({'type'}, {'message'}),
    'system-out': (set[str](), set[str]()),
    'system-err': (set[str](), set[str]()),
}


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314


def violations(root: ET.Element) -> list[str]:
    found: list[str] = []
    for one in root.iter():
        needed, more = _ALLOWED[one.tag]
        if not needed <= set(one.attrib) <= needed | more:
            found.append(f'{one.tag}: {sorted(one.attrib)}')
    for suite in root.iter('testsuite'):
        tags = [one.tag for one in suite]
        if tags != ['properties', *(['testcase'] * (len(tags) - 3)), 'system-out', 'system-err']:
            found.append(f'order {tags}')
        cases = suite.findall('testcase')
        counted = {
            'tests': len(cases),
            'failures': len(suite.findall('testcase/failure')),
            'errors': len(suite.findall('testcase/error')),
            'skipped': len(suite.findall('testcase/skipped')),
        }
        found += [
            f'{k} {suite.get(k)} != {n}' for k, n in counted.items() if suite.get(k) != str(n)
        ]
    return found


def test_junit_has_a_case_for_each_check_and_follows_its_schema() -> None:
    root = parsed(junit.render(told()))
    assert violations(root) == []
    end_to_end = root.findall('testsuite')[1]
    cases = {
        case.get('name'): [child.tag for child in case] for case in end_to_end.iter('testcase')
    }
    assert cases == {
        'load': [],
        'service level': ['failure'],
        'faults': ['error'],
        'acknowledged writes': [],
    }
    properties = {one.get('name'): one.get('value') for one in end_to_end.iter('property')}
    assert properties['seed'] == '7'
    assert 'netsplit' in str(properties['plan'])
    assert properties['digest'] == 'sha256:4be1f00d'


def test_a_wrong_junit_file_would_be_seen() -> None:
    text = junit.render(told()).replace('failures="1"', 'failures="0"').replace(' type=', ' kind=')
    assert len(violations(parsed(text))) > 1


def test_skipped_is_not_passed_and_unknown_is_not_either() -> None:
    root = parsed(junit.render(told(verdicts=())))
    _, empty, later = root.findall('testsuite')
    assert [child.tag for child in later.findall('testcase')[0]] == ['skipped']
    assert (later.get('skipped'), later.get('failures')) == ('1', '0')
    assert [child.tag for child in empty.findall('testcase')[0]] == ['error']


EVIL = '</script><b>&]]>\x00\x1b\ud800\n::set-output name=x::y\n```\n| a |'


def test_no_word_of_a_model_breaks_a_file_that_a_program_reads() -> None:
    whole = told(EVIL)
    assert violations(parsed(junit.render(whole))) == []
    assert json.loads(chaostoolkit.render(whole))
    summary = github.summary(whole)
    assert '</script>' not in summary.partition('```')[0]
    assert all('\n' not in line for line in github.commands(whole))
    summary.encode()


def test_github_is_shown_ten_annotations_the_worst_first() -> None:
    many = tuple(
        verdict.Verdict(f'check {n}', FAIL if n % 2 else UNKNOWN, f'said: 100%, {n}\nmore')
        for n in range(30)
    )
    where = {'end_to_end': problem.Where('tests/matrix.yaml', 12)}
    lines = github.commands(told(verdicts=many), where)
    assert len(lines) == github.MOST
    assert all(line.startswith('::error file=tests/matrix.yaml,line=12,title=') for line in lines)
    assert 'end_to_end%3A check 1 failed::said: 100%25, 1 more' in lines[0]
    few = github.commands(told())
    assert [line.partition(' ')[0] for line in few] == ['::error', '::warning']
    assert 'file=bundles/dmz.yaml,line=1' in few[0]


def test_the_step_summary_stays_under_its_limit() -> None:
    long = (verdict.Verdict('check', FAIL, 'ä' * 900_000),) * 2
    text = github.summary(told(verdicts=long))
    assert 900_000 < len(text.encode()) <= 1024 * 1024
    assert text.endswith('the whole is in the report.\n')


def test_the_chaos_toolkit_reads_an_experiment_and_what_came_of_it() -> None:
    read = json.loads(chaostoolkit.render(told()))
    assert read['status'] == 'completed'
    assert read['deviated'] is True
    assert [one['activity'] for one in read['run']] == read['experiment']['method']
    assert [one['status'] for one in read['run']].count('failed') == 1
    tolerances = {
        one['activity']['name']: one['tolerance_met']
        for one in read['steady_states']['after']['probes']
    }
    assert tolerances['load'] is True
    assert tolerances['service level'] is False
    with pytest.raises(ValueError, match='nonsense'):
        chaostoolkit.render(told(), 'nonsense')


def test_everything_is_written_for_its_owner_alone(tmp_path: pathlib.Path) -> None:
    said: list[str] = []
    summary = tmp_path / 'summary.md'
    summary.write_text('before\n')
    environment = {'GITHUB_ACTIONS': 'true', 'GITHUB_STEP_SUMMARY': str(summary)}
    wrong = write.everything(
        tmp_path, told(), xunit=tmp_path / 'x.xml', environment=environment, say=said.append
    )
    assert wrong == ()
    assert {one.name for one in tmp_path.iterdir()} == {
        'report.html',
        'junit.xml',
        'x.xml',
        'summary.md',
    }
    assert (tmp_path / 'report.html').stat().st_mode & 0o777 == 0o600
    assert summary.read_text().startswith('before\n## ❌ dmz.yaml: failed')
    assert len(said) == 2


def test_what_cannot_be_written_is_said_and_hides_nothing(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'report.html').mkdir()
    wrong = write.everything(tmp_path, told(), xunit=tmp_path / 'no' / 'x.xml', environment={})
    assert len(wrong) == 2
    assert 'report.html cannot be written' in wrong[0]
    assert (tmp_path / 'junit.xml').exists()


def test_a_run_is_retold_from_its_journal_alone() -> None:
    again = write.rebuilt(rehearsal.run(400), 'x')
    assert [one.name for one in again.tests] == ['deployment', 'end_to_end']
    assert again.outcome is FAIL
    assert write.rebuilt(journal.Journal(()), 'x').outcome is UNKNOWN
