"""`charmkit check` finds each planted fault, one charm for each; a clean one passes, and so do all of ours."""

from __future__ import annotations

import json
import pathlib
import re
from xml.etree import ElementTree

import pytest
from charmkit import command, scaffold
from charmkit.conformance import ConformanceRule, Verdict, check, judge, reading, report, trial

from . import new_charms
from .planted_faults import FAULTS, Fault

CHARMS = pathlib.Path(__file__).parents[3] / 'charms'
OURS = sorted(path.parent for path in CHARMS.glob('*/charmcraft.yaml'))
ADVICE = {'nova-compute': ['a-page']}
"""What of ours does not do as it should, and why: its page has what it asks libvirt, beside its spec."""


def verdict(charm: pathlib.Path) -> Verdict:
    return judge(reading.read(str(charm)), check.RULES)


def broken(charm: pathlib.Path) -> set[str]:
    return {f.rule for f in verdict(charm).findings}


@pytest.mark.parametrize('kind', scaffold.KINDS)
def test_a_clean_charm_of_each_kind_keeps_every_rule(kind: str, tmp_path: pathlib.Path):
    found = verdict(new_charms.copied(kind, tmp_path))
    assert found.findings == ()
    assert len(found.asked) > 30


@pytest.mark.parametrize('fault', FAULTS, ids=str)
def test_a_planted_fault_is_found(fault: Fault, tmp_path: pathlib.Path):
    charm = new_charms.copied(fault.kind, tmp_path)
    fault.plant(charm)
    assert fault.rule in broken(charm)


def test_there_is_a_fault_for_each_rule_and_more_than_the_25_that_were_asked_for():
    assert {fault.rule for fault in FAULTS} == {rule.name for rule in check.RULES}
    assert len(FAULTS) > 25


@pytest.mark.parametrize('charm', OURS, ids=lambda p: p.name)
def test_all_charms_of_ours_keep_the_rules(charm: pathlib.Path):
    assert sorted(broken(charm)) == ADVICE.get(charm.name, [])
    assert not verdict(charm).failed()


RULES = (*check.RULES, *trial.RULES)


@pytest.mark.parametrize('rule', RULES, ids=lambda r: r.name)
def test_each_rule_says_what_is_so_what_to_do_and_where_that_is_explained(rule: ConformanceRule):
    for text in (rule.sentence, rule.cure):
        assert re.fullmatch(r'["A-Za-z].*[.…]|.*\.md\.', text), text
    assert rule.of
    assert rule.link.endswith(f'.md#{rule.name}')


def test_each_has_a_name_of_its_own_and_the_page_is_up_to_date():
    assert len({rule.name for rule in RULES}) == len(RULES)
    page = CHARMS.parent / 'docs/reference/conformance.md'
    assert page.read_text() == report.as_page(RULES), 'run python -m charmkit.conformance.check'


# The command.


@pytest.fixture
def clean(tmp_path: pathlib.Path) -> pathlib.Path:
    return new_charms.copied('api', tmp_path)


@pytest.fixture
def bad(tmp_path: pathlib.Path) -> pathlib.Path:
    charm = new_charms.copied('api', tmp_path / 'bad')
    (charm / 'tests/unit/test_charm.py').unlink()
    (charm / 'charmcraft.yaml').write_text(
        (charm / 'charmcraft.yaml').read_text().replace('    additionalProperties: false\n', '')
    )
    return charm


@pytest.fixture(autouse=True)
def made_folder(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'bad').mkdir()


def test_the_report_for_people_has_the_sentence_the_place_the_cure_and_the_link(
    bad: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    assert command.main(['check', str(bad)]) == 1
    out = capsys.readouterr().out
    assert 'must tests: A charm has unit tests, which run without a machine.\n' in out
    assert '    no tests/unit/test_*.py\n' in out
    assert '-> Write tests/unit/test_charm.py with ops.testing' in out
    assert '(docs/reference/conformance.md#tests)' in ' '.join(out.split())
    assert out.endswith(f'{bad} is not of the family yet: 41 of 43 rules kept\n')


def test_a_clean_charm_ends_well(clean: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    assert command.main(['check', str(clean)]) == 0
    assert capsys.readouterr().out == f'{clean} is a charm of the family: 43 of 43 rules kept\n'


def test_advice_counts_when_it_is_asked_to(bad: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    assert command.main(['check', str(bad), '--ignore', 'tests']) == 0
    assert 'should actions-closed' in capsys.readouterr().out
    assert command.main(['check', str(bad), '--ignore', 'tests', '--strict']) == 1


def test_the_report_for_programs(
    bad: pathlib.Path, clean: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    assert command.main(['check', '--format=json', str(clean), str(bad)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found['version'] == 1
    good, other = found['charms']
    assert (good['failed'], good['findings']) == (False, [])
    assert other['failed']
    assert {f['rule'] for f in other['findings']} == {'tests', 'actions-closed'}
    assert {*other['findings'][0]} == {'rule', 'where', 'level', 'sentence', 'cure', 'link'}


def test_the_report_for_ci(bad: pathlib.Path, tmp_path: pathlib.Path):
    out = tmp_path / 'report.xml'
    assert command.main(['check', '--format=junit', f'--output={out}', str(bad)]) == 1
    (suite,) = ElementTree.fromstring(out.read_text())  # noqa: S314 -- our own
    assert (suite.get('tests'), suite.get('failures'), suite.get('skipped')) == ('43', '1', '1')
    (failed,) = suite.findall('testcase/failure/..')
    assert failed.get('name') == 'tests'


@pytest.mark.parametrize(
    ('argv', 'said'),
    [
        (['no/such'], 'no/such: No such file or directory: give a folder of a charm, or a .charm'),
        (['/dev/null'], '/dev/null is neither a folder nor a file'),
        ([], 'name a charm'),
        (['.', '--ignore', 'nothing'], "there is no rule 'nothing'"),
        (['/'], 'it is no charm'),
    ],
)
def test_what_cannot_be_looked_at_is_said_in_a_sentence(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reading, 'MOST_FILES', 50)
    assert command.main(['check', *argv]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count('\n') == 1


def test_a_report_that_cannot_be_written_is_no_success(
    clean: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    assert command.main(['check', str(clean), '--output', '/no/such/report']) == 2
    assert 'the report cannot be written' in capsys.readouterr().err


def test_the_rules_can_be_listed(capsys: pytest.CaptureFixture[str]):
    assert command.main(['check', '--rules']) == 0
    out = capsys.readouterr().out
    assert 'secret-logged (must; every charm)\n' in out
    assert out.count('\n    ') == len(RULES)
