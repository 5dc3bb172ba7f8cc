"""The choice of a container runtime, with stand-ins for podman."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from jujulet.machines import commands, protocol, runtimes

pytestmark = pytest.mark.functional


def attempt(state: Path, working: str) -> list[str]:
    """Run with runtimes of which only *working* works; the ones tried."""
    tried: list[str] = []

    def argv(host: commands.Host) -> tuple[str, ...]:
        tried.append(host.runtime)
        script = (
            'exit 0'
            if host.runtime == working
            else f'echo Error: {host.runtime} broke >&2; exit 126'
        )
        return ('sh', '-c', script)

    async def clean() -> None:
        tried.append('clean')

    asyncio.run(runtimes.Runtimes(state).run(argv, clean))
    return tried


@pytest.fixture(autouse=True)
def both_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def which(name: str, path: str = '') -> str:
        return f'{path.partition(":")[0]}/{name}'

    monkeypatch.setattr(shutil, 'which', which)


def test_what_works_is_found_by_trying_and_remembered(tmp_path: Path) -> None:
    assert attempt(tmp_path, 'crun') == ['runc', 'clean', 'crun']
    assert json.loads((tmp_path / 'runtime.json').read_text()) == {'runtime': 'crun'}
    assert attempt(tmp_path, 'crun') == ['crun']


def test_when_none_works_the_error_says_what_each_said(tmp_path: Path) -> None:
    with pytest.raises(protocol.MachineError, match='runc: runc broke; crun: crun broke'):
        attempt(tmp_path, 'none')
    assert not (tmp_path / 'runtime.json').exists()


def test_one_that_works_no_more_is_left_for_one_that_does(tmp_path: Path) -> None:
    attempt(tmp_path, 'crun')
    assert attempt(tmp_path, 'runc') == ['crun', 'clean', 'runc']
    assert attempt(tmp_path, 'runc') == ['runc']


def test_a_runtime_that_worked_is_not_blamed_for_another_failure(tmp_path: Path) -> None:
    attempt(tmp_path, 'runc')
    with pytest.raises(
        protocol.MachineError, match=r'^the container does not start: runc: runc broke$'
    ):
        attempt(tmp_path, 'none')
