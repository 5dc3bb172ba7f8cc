"""The lease of a model: two runs never break it at once."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping

import pytest
from faultstage import FakeLink
from hypothesis import given
from hypothesis import strategies as st

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


def _renewed(at: FakeLink, taken_by: str, lease: pathlib.Path) -> str:
    """What a run ends with whose lease ends while it goes on, and is then another's."""

    async def go() -> str:
        async with lock.held(at, owner='one'):
            lease.write_text(f'{taken_by} 99999999999 2026-11-29T10:00:00Z ann@host\n')
            await asyncio.sleep(0.5)
            return 'went on'

    try:
        return asyncio.run(go())
    except lock.HeldError as error:
        return str(error)


def test_a_run_whose_lease_ended_and_was_taken_by_another_ends(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, '_RENEW', 0.01)
    at = FakeLink(Machines(tmp_path))
    machine = at.now().machines[0].id
    assert 'that of ann@host, since 2026' in _renewed(at, 'two', tmp_path / machine)
    # It took nothing from who has it now.
    assert (tmp_path / machine).read_text().startswith('two ')
    (tmp_path / machine).unlink()
    assert _renewed(at, 'one', tmp_path / machine) == 'went on'


def test_a_run_that_is_interrupted_is_no_run_whose_lease_was_taken(
    tmp_path: pathlib.Path,
) -> None:
    at = FakeLink(Machines(tmp_path))

    async def go() -> None:
        async with lock.held(at, owner='one'):
            await asyncio.sleep(60)

    async def interrupted() -> None:
        running = asyncio.create_task(go())
        await asyncio.sleep(0.2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(interrupted())


@pytest.mark.parametrize(
    ('until', 'said'), [(-1, ''), (100, 'held other 2026-11-29T10:00:00Z ann@host')]
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


def test_the_lease_of_a_process_that_is_gone_is_taken_over_and_told_since_when(
    tmp_path: pathlib.Path,
) -> None:
    code = 'from matrix.faults import lock; print(lock._OWNER)'
    killed = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    ).stdout.strip()
    at = FakeLink(Machines(tmp_path))

    def leased(owner: str) -> None:
        for machine in at.now().machines:
            lease = f'{owner} 99999999999 2026-11-29T10:00:07Z ann@host (process 7)\n'
            (tmp_path / machine.id).write_text(lease)

    async def go() -> tuple[str, ...]:
        async with lock.held(at, owner='mine') as over:
            return over

    leased(killed)
    (said,) = asyncio.run(go())
    assert 'ann@host (process 7), since 2026-11-29T10:00:07Z, whose process is gone' in said
    leased(lock._OWNER)  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(lock.HeldError):
        asyncio.run(go())


@given(st.text('ab/', max_size=4), st.sampled_from(['', 'h']), st.sampled_from(['', '5', '6']))
def test_only_a_process_of_this_host_that_is_not_there_any_more_is_gone(
    host: str, here: str, began: str
) -> None:
    owner = f't/{host}/7/5'
    assert lock.gone(owner, here, lambda _: began) == (host == here != '' and began != '5')
    assert lock.gone('t/h/7/5', 'h', lambda _: began) == (began != '5')
