"""The lease of a model: two runs never break it at once."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pathlib
import subprocess
from collections.abc import Mapping

import pytest
from faultstage import FakeLink

from matrix.faults import lock, shell
from matrix.juju import link


@dataclasses.dataclass
class Machines:
    """Machines whose leases are files of a folder."""

    folder: pathlib.Path

    def __call__(self, target: str, text: str, env: Mapping[str, str]) -> link.ScriptResult:
        place = str(self.folder / target)
        done = subprocess.run(
            ['sh'],
            input=text,
            env={**os.environ, **env, 'PLACE': place},
            capture_output=True,
            text=True,
            check=False,
        )
        return link.ScriptResult(done.returncode, done.stdout + done.stderr)


def test_a_second_run_is_told_whose_the_first_is_and_comes_in_after_it(
    tmp_path: pathlib.Path,
) -> None:
    at = FakeLink(Machines(tmp_path))

    async def go() -> str:
        async with lock.held(at, owner='one'), lock.held(at, owner='one'):
            pass  # A replay of the same run.
        async with lock.held(at, owner='one'):
            with pytest.raises(lock.HeldError) as held:
                async with lock.held(at, owner='two'):
                    pass
        async with lock.held(at, owner='two'):
            return str(held.value)

    said = asyncio.run(go())
    assert 'another run breaks model m: that of ' in said
    assert 'juju matrix heal -m m' in said


@pytest.mark.parametrize(
    ('until', 'said'), [(-1, ''), (100, 'held 2026-11-29T10:00:00Z ann@host')]
)
def test_a_lease_ends_by_itself(tmp_path: pathlib.Path, until: int, said: str) -> None:
    now = int(subprocess.check_output(['date', '+%s']))
    (tmp_path / '0').write_text(f'other {now + until} 2026-11-29T10:00:00Z ann@host\n')
    variables = {'OWNER': 'mine', 'WHOSE': 'bob', 'LEASE': '5', 'WHAT': 'take'}
    ran = Machines(tmp_path)('0', shell.read('lease.sh'), variables)
    assert ran.output.strip() == said
    assert (tmp_path / '0').read_text().startswith('other' if said else 'mine')


def test_what_is_dropped_is_ones_own_alone(tmp_path: pathlib.Path) -> None:
    machines = Machines(tmp_path)
    take = {'OWNER': 'one', 'WHOSE': 'ann', 'LEASE': '50', 'WHAT': 'take'}
    machines('0', shell.read('lease.sh'), take)
    machines('0', shell.read('lease.sh'), {**take, 'OWNER': 'two', 'WHAT': 'drop'})
    assert (tmp_path / '0').read_text().startswith('one ')
    machines('0', shell.read('lease.sh'), {**take, 'WHAT': 'drop'})
    assert (tmp_path / '0').read_text() == ''
