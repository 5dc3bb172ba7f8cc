"""The command line, on a model in memory."""

from __future__ import annotations

import pathlib
import re

import pytest
import simulated

from lifecycle import cli, preflight, upgrade_lock


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> simulated.Model:
    made = simulated.Model()
    made.deploy('keystone', 2)

    def live(_: str | None) -> simulated.Model:
        return made

    monkeypatch.setattr(cli, 'Live', live)
    return made


@pytest.mark.parametrize('step', ['keystone.drian.0', 'keystone.', 'keystone.nonsense'])
def test_what_is_no_kind_of_step_or_finding_is_not_skipped(
    model: simulated.Model, capsys: pytest.CaptureFixture[str], step: str
):
    assert cli.main(['skip', step, '--reason', 'why']) == 1
    assert 'no step or finding is of that kind' in capsys.readouterr().err
    assert model.revisions == []


def test_every_finding_and_step_can_be_skipped_by_its_id(model: simulated.Model):
    source = pathlib.Path(preflight.__file__).read_text()
    kinds = set(re.findall(r"id=f'\{[a-z.]+\}\.([a-z-]+)", source))
    assert kinds
    assert kinds <= {*preflight.KINDS}
    assert cli.main(['skip', 'keystone.mix-needs.shared-store', '--reason', 'why']) == 0


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['--way', 'a=replace', '--way', 'a=in-place'], 'a cannot go both: replace and in-place'),
        (['--charms', ''], 'a folder is wanted'),
        (['--model', ' '], 'the name of a model is wanted'),
        (['--to', ''], 'is no base'),
    ],
)
def test_values_that_are_none_are_not_understood(
    model: simulated.Model, capsys: pytest.CaptureFixture[str], words: list[str], said: str
):
    with pytest.raises(SystemExit) as ended:
        cli.main(['plan', *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_what_is_no_journal_makes_no_page(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    other = tmp_path / 'other'
    other.write_text('hello there')
    assert cli.main(['report', str(other)]) == 1
    assert 'no journal of a run' in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == [other]


def test_a_journal_that_cannot_be_written_is_one_sentence(
    model: simulated.Model, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    call = ['upgrade', '--to', 'debian@13', '--yes', '--journal', str(tmp_path)]
    assert cli.main(call) == 1
    said = capsys.readouterr().err
    assert said.count('Is a directory') == 2
    assert 'Errno' not in said
    assert 'journal: ' not in said
    assert model.asked == []


@pytest.mark.parametrize('step', ['nonsense', 'nova.drain.0', '.', 'keystone'])
def test_what_is_no_step_of_this_model_is_not_skipped(
    model: simulated.Model, capsys: pytest.CaptureFixture[str], step: str
):
    assert cli.main(['skip', step, '--reason', 'why']) == 1
    assert 'no step or finding of an application of this model' in capsys.readouterr().err
    assert model.revisions == []


def test_nothing_is_skipped_while_somebody_is_at_work(
    model: simulated.Model, capsys: pytest.CaptureFixture[str]
):
    upgrade_lock.Book(model, 'theirs').take()
    model.begin('bob@there process 7')
    model.gone = False
    before = list(model.revisions)
    assert cli.main(['skip', 'keystone.drain.0', '--reason', 'why']) == 1
    assert 'ann@here process 1 is at work' in capsys.readouterr().err
    assert model.revisions == before


def test_a_skip_stays_in_the_record_and_nobody_is_at_work_after_it(model: simulated.Model):
    assert cli.main(['skip', 'keystone.drain.0', '--reason', 'its machine is gone']) == 0
    record = upgrade_lock.read(model)
    assert record.skips == {'keystone.drain.0': 'its machine is gone'}
    assert record.holder is None


def test_a_page_that_cannot_be_written_does_not_hide_how_the_run_has_ended(
    model: simulated.Model, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / 'j.html').mkdir()
    model.apps['keystone'].declared = 'nonsense'
    call = ['upgrade', '--to', 'debian@13', '--yes', '--journal', str(tmp_path / 'j.jsonl')]
    assert cli.main(call) == 1
    said = capsys.readouterr().err
    assert 'must be a mapping that begins with' in said
    assert 'no page: ' in said


@pytest.mark.parametrize('command', ['upgrade', 'report'])
def test_a_journal_that_is_not_there_is_a_sentence_and_nothing_is_begun(
    model: simulated.Model,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
):
    missing = tmp_path / 'load.jsonl'
    what = [str(missing)] if command == 'report' else ['--to', 'debian@13', '--yes']
    assert cli.main([command, *what, '--load-journal', str(missing)]) == 1
    said = capsys.readouterr().err
    assert f'{missing}: No such file or directory' in said
    assert 'Errno' not in said
    assert model.revisions == []
    assert ('juju matrix load' in said) == (command == 'upgrade')
