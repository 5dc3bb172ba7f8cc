"""`matrix lint`, and the names that custom tasks import."""

from __future__ import annotations

import asyncio
import logging
import pathlib
import subprocess
import sys

import pytest

from matrix import cli, model, tasks, utils
from matrix.grammar import problem, suite

_SUITE = 'tests:\n- name: t\n  rules:\n  - do: matrix.tasks.deploy\n'
_V2 = 'format: v2\nseed: 1\nevents: []\n'


@pytest.mark.parametrize('text', [_SUITE, _V2, 'actions: []', 'chaos: {actions: []}'])
def test_lint_says_nothing_of_a_good_file(
    text: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'f.yaml').write_text(text)
    assert cli.main(['lint', str(tmp_path / 'f.yaml')]) == 0
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        (_SUITE + '    after: deplyo\n', "5: error: no rule of 't' produces the state 'deplyo'"),
        (_V2 + 'x: 1', "4: error: a plan has no key 'x'"),
        ('actions: [{action: reboot}]', "1: error: 'reboot' needs 'selectors'"),
        ('', '1: error: a suite is a mapping'),
    ],
)
def test_lint_says_what_is_wrong_with_file_and_line(
    text: str, said: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'f.yaml').write_text(text)
    assert cli.main(['lint', str(tmp_path / 'f.yaml')]) == 1
    assert f'{tmp_path}/f.yaml:{said}' in capsys.readouterr().out


def test_lint_warns_without_failing(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'f.yaml').write_text(_SUITE + '    periodic: 3\n')
    assert cli.main(['lint', str(tmp_path / 'f.yaml')]) == 0
    assert 'warning' in capsys.readouterr().out


@pytest.mark.parametrize('content', [None, b'\xff\xfe\x00'])
def test_lint_says_why_a_file_cannot_be_read(
    content: bytes | None, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / 'f.yaml').write_bytes(content)
    assert cli.main(['lint', str(tmp_path / 'f.yaml')]) == 1
    assert 'cannot be read' in capsys.readouterr().out


@pytest.mark.parametrize(
    'argv', [['lint', '--no-such-flag'], ['run', '--no-such-flag'], ['replay']]
)
def test_what_is_not_understood_is_told_as_usage(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(argv)
    assert left.value.code == 2


@pytest.mark.parametrize('words', [['--help'], ['run', '--help']])
def test_a_reader_that_goes_away_is_no_fault(words: list[str]) -> None:
    argv = [sys.executable, '-m', 'matrix.cli', *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ran:
        assert ran.stdout is not None
        ran.stdout.close()
        said = ran.communicate()[1]
    assert (ran.returncode, said) == (141, '')


def test_a_task_fails_with_itself_and_a_message() -> None:
    failure = model.TestFailure('task', 'no quorum')
    assert (failure.task, failure.message, str(failure)) == ('task', 'no quorum', 'no quorum')


@pytest.mark.parametrize(
    ('argument', 'error'),
    [
        ('', model.TestFailure),
        ('break_connection', model.InfraFailure),
        ('generic_exception', RuntimeError),
    ],
)
def test_fail_fails_as_it_is_told(
    argument: str, error: type[Exception], tmp_path: pathlib.Path
) -> None:
    context = model.Context(
        model.Config(tmp_path),
        test=suite.Test('t', (), where=problem.Where('s.yaml', 1)),
        suite=suite.Suite(()),
        states={},
        set_state=lambda name, value: None,
        bus=model.Bus(lambda origin, kind, payload: None),
    )
    rule = model.Rule('fail', logging.getLogger('fail'), context.set_state)
    task = model.Task('matrix.tasks.fail', {argument: True}, 'always')
    with pytest.raises(error):
        asyncio.run(tasks.fail(context, rule, task))


def test_a_rules_lifecycle_shows_its_state_even_when_it_fails() -> None:
    seen: list[tuple[str, str]] = []
    rule = model.Rule(
        'load', logging.getLogger('load'), lambda name, value: seen.append((name, value))
    )

    async def go() -> None:
        async with rule.lifecycle():
            raise KeyError

    with pytest.raises(KeyError):
        asyncio.run(go())
    assert seen == [('load', 'running'), ('load', 'complete')]


def test_a_program_runs_to_its_end_and_a_cancelled_one_is_gone(tmp_path: pathlib.Path) -> None:
    log = logging.getLogger('x')
    assert asyncio.run(utils.execute_process([sys.executable, '-c', ''], log))
    assert not asyncio.run(
        utils.execute_process([sys.executable, '-c', 'raise SystemExit(7)'], log)
    )

    async def cut_short() -> None:
        await asyncio.wait_for(utils.execute_process(['sleep', '60'], log), 0.2)

    with pytest.raises(TimeoutError):
        asyncio.run(cut_short())


def test_a_dotted_name_is_found_and_a_missing_need_of_its_module_is_heard(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert utils.resolve_dotpath('matrix.tasks.fail') is tasks.fail
    with pytest.raises(ImportError, match='no module for'):
        utils.resolve_dotpath('nowhere_at_all.x')
    (tmp_path / 'needy_task.py').write_text('import something_missing\n')
    monkeypatch.setattr(sys, 'path', [str(tmp_path), *sys.path])
    with pytest.raises(ModuleNotFoundError, match='something_missing'):
        utils.resolve_dotpath('needy_task.run')
