"""The link to Juju, against a `juju` that is a shell script."""

from __future__ import annotations

import asyncio
import pathlib
import subprocess

import processes
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.juju import link, live

_STATUS = (
    '{"model":{"name":"m","type":"iaas","controller":"c","cloud":"l","version":"3"},'
    '"machines":{},"applications":{}}'
)


def _juju(folder: pathlib.Path, text: str) -> str:
    path = folder / 'juju'
    path.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\n{text}\n')
    path.chmod(0o755)
    return str(path)


def _script(program: str, text: str = 'true', **more: object) -> link.ScriptResult:
    async def go() -> link.ScriptResult:
        at = live.Live('m', program=program)
        try:
            return await at.script('db/0', text, **more)  # type: ignore[arg-type]
        finally:
            at.close()

    return asyncio.run(go())


def test_a_script_and_its_secrets_go_over_standard_input_alone(tmp_path: pathlib.Path) -> None:
    program = _juju(tmp_path, 'exec sh -s')
    ran = _script(program, 'echo "$WORD"; cat; echo bad >&2; exit 3', env={'WORD': "it's $x `y`"})
    assert ran == link.ScriptResult(3, "it's $x `y`\nbad\n")
    calls = (tmp_path / 'calls').read_text()
    assert calls.startswith('ssh --model m db/0 ')
    assert "it's" not in calls


def test_what_is_said_on_the_way_is_not_what_the_script_said(tmp_path: pathlib.Path) -> None:
    """As ssh's warnings, or podman's of a host with old control groups."""
    program = _juju(
        tmp_path, 'echo "Warning: a new key" >&2; sh -s; echo "Connection closed." >&2'
    )
    assert _script(program, 'echo 7; echo bad >&2') == link.ScriptResult(0, '7\nbad\n')


def test_a_machine_that_cannot_be_reached_is_told_with_the_reason(tmp_path: pathlib.Path) -> None:
    program = _juju(tmp_path, 'echo "ERROR unit db/0 not found" >&2; exit 1')
    with pytest.raises(link.LinkError, match='db/0 cannot be reached: unit db/0 not found'):
        _script(program)


def test_a_machine_that_goes_away_in_the_midst_is_no_success(tmp_path: pathlib.Path) -> None:
    with pytest.raises(link.LinkError, match='cannot be reached'):
        _script(_juju(tmp_path, 'echo half; exit 0'))


def test_a_deadline_ends_the_command_and_all_that_it_started(tmp_path: pathlib.Path) -> None:
    said = tmp_path / 'pid'
    program = _juju(tmp_path, f'{processes.lasting(said)}; wait')
    for within in (0.3, 3.0, 30.0):  # A busy machine has started nothing in the first.
        with pytest.raises(link.LinkError, match=rf'did not end within {within:g} s'):
            _script(program, within=within)
        if said.exists():
            break
    processes.ended(int(said.read_text()))


def test_a_cancelled_call_ends_its_command(tmp_path: pathlib.Path) -> None:
    said = tmp_path / 'pid'
    program = _juju(tmp_path, f'{processes.lasting(said)}; wait')

    async def go() -> None:
        at = live.Live('m', program=program)
        asked = asyncio.create_task(at.cli('x'))
        await processes.started(said)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        at.close()

    asyncio.run(go())
    processes.ended(int(said.read_text()))


def test_one_asker_serves_all_and_a_fresh_status_was_asked_for_after_the_call(
    tmp_path: pathlib.Path,
) -> None:
    program = _juju(tmp_path, f"echo '{_STATUS}'")

    async def go() -> int:
        async with live.opened('m', program=program, interval=60) as at:
            before = len((tmp_path / 'calls').read_text().splitlines())
            await asyncio.gather(*(at.fresh() for _ in range(10)))
            return len((tmp_path / 'calls').read_text().splitlines()) - before

    assert 1 <= asyncio.run(go()) <= 2


def test_scripts_that_hang_do_not_keep_the_status_from_being_seen(tmp_path: pathlib.Path) -> None:
    program = _juju(tmp_path, f"case $1 in ssh) sleep 600;; *) echo '{_STATUS}';; esac")

    async def go() -> bool:
        async with live.opened('m', program=program, interval=60) as at:
            scripts = [asyncio.ensure_future(at.script('db/0', 'true')) for _ in range(20)]
            await asyncio.sleep(0.3)
            await at.fresh()
            hang = not any(one.done() for one in scripts)
            for one in scripts:
                one.cancel()
            await asyncio.gather(*scripts, return_exceptions=True)
            return hang

    assert asyncio.run(go())


def test_an_answer_that_fails_once_is_asked_for_again(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, '_QUICK', 0.01)
    flag = tmp_path / 'flag'
    program = _juju(tmp_path, f"[ -e {flag} ] && rm {flag} && exit 1; echo '{_STATUS}'")

    async def go() -> None:
        async with live.opened('m', program=program, interval=60) as at:
            flag.touch()
            await at.fresh()

    asyncio.run(go())
    assert not flag.exists()


def test_a_model_that_is_not_there_and_no_juju_at_all_are_told(tmp_path: pathlib.Path) -> None:
    async def go(program: str) -> None:
        async with live.opened('m', program=program):
            pass

    with pytest.raises(link.LinkError, match='status: model m not found'):
        asyncio.run(go(_juju(tmp_path, 'echo "ERROR model m not found" >&2; exit 1')))
    with pytest.raises(link.LinkError, match="there is no '/nowhere/juju'"):
        asyncio.run(go('/nowhere/juju'))
    for said, why in (
        ('[]', 'it is not of the form'),
        ('{}', "it has no 'model'"),
        ('<html>', r'it is no JSON \('),
        ('', r'it is no JSON \('),
    ):
        with pytest.raises(link.LinkError, match=f'what Juju said was not understood: {why}'):
            asyncio.run(go(_juju(tmp_path, f"echo '{said}'")))


@given(st.text(st.characters(exclude_characters='\x00', exclude_categories=['Cs']), max_size=40))
def test_any_value_reaches_a_script_as_it_is(value: str) -> None:
    whole = live.wrapped('printf %s "$V"', {'V': value}, 'mark')
    done = subprocess.run(['sh', '-s'], input=whole.encode(), capture_output=True, check=True)
    assert done.stdout == f'{value}\nmark0'.encode()


def test_a_name_that_is_no_variable_is_refused() -> None:
    with pytest.raises(ValueError, match='a-b'):
        live.wrapped('true', {'a-b': ''}, 'mark')
