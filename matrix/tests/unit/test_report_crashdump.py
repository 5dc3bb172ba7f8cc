"""Logs at the moment of a failure: what is taken, what is kept out of them, and what is said when they cannot be."""

from __future__ import annotations

import asyncio
import base64
import gzip
import os
import pathlib
import subprocess
from collections.abc import Mapping
from typing import Any, cast

import pytest
import rehearsal

from matrix.history import journal, notes, redact
from matrix.judge import panel
from matrix.juju import link, live
from matrix.report import crashdump, lanes

LOG = """\
==> journal <==
2026-11-22T09:34:51+00:00 mysql-0 mariadbd[1]: Lost connection
password=hunter2hunter2
2026-11-22T08:00:00+00:00 mysql-0 cron[1]: long before

==> /var/log/x.log <==
no time of its own
"""


class Fake:
    """A link of which some things do not work."""

    model = 'm'

    def __init__(self, *, lost: tuple[str, ...] = (), output: str | None = None):
        self.lost = lost
        self.asked: list[str] = []
        self.output = (
            base64.b64encode(gzip.compress(LOG.encode())).decode() if output is None else output
        )

    async def script(
        self, target: str, text: str, *, env: Mapping[str, str] | None = None, within: float = 30
    ) -> link.ScriptResult:
        self.asked.append(target)
        if target in self.lost:
            raise link.LinkError(f'{target} cannot be reached, password=hunter2hunter2')
        return link.ScriptResult(0, self.output)

    async def cli(self, *args: str, within: float = 60) -> str:
        self.asked.append(args[0])
        if args[0] in self.lost:
            raise RuntimeError('juju fell over')
        return f'{args[0]}: token=abcdefghijkl'


def take(
    fake: Fake, folder: pathlib.Path, *, tool: str | None = None, near: tuple[float, ...] = ()
) -> tuple[crashdump.Dump, list[journal.Note]]:
    said: list[journal.Note] = []
    dump = asyncio.run(
        crashdump.take(
            cast('link.Link', fake),
            folder,
            units=('mysql/0', 'glance/0'),
            near=near,
            note=said.append,
            redacted=lambda text: redact.text(text, redact.secrets([])),
            tool=tool,
        )
    )
    return dump, said


def test_logs_are_taken_and_hold_no_secret(tmp_path: pathlib.Path) -> None:
    when = lanes.seconds('2026-11-22T09:34:55+00:00')
    assert when is not None
    dump, said = take(Fake(), tmp_path / 'logs', near=(when,))
    assert dump.wrong == ()
    assert {one.name for one in dump.files} == {
        'mysql-0.log',
        'glance-0.log',
        'status.txt',
        'debug-log.txt',
    }
    for one in dump.files:
        assert 'hunter2' not in one.read_text()
        assert 'abcdefghijkl' not in one.read_text()
        assert one.stat().st_mode & 0o777 == 0o600
    values = [cast('dict[str, Any]', one.value) for one in said]
    assert sorted(one['unit'] for one in values) == ['glance/0', 'mysql/0']
    assert values[0]['lines'] == [
        '2026-11-22T09:34:51+00:00 mysql-0 mariadbd[1]: Lost connection',
        f'password={redact.HIDDEN}',
    ]


def test_what_a_machine_sends_is_cut_not_believed() -> None:
    packed = base64.b64encode(gzip.compress(b'a line\n' * 5_000_000)).decode()
    assert len(crashdump.unpacked(packed)) == 4_000_000
    assert crashdump.unpacked(packed[: len(packed) // 2 + 1]).startswith('a line')
    with pytest.raises(link.LinkError, match='cannot be unpacked'):
        crashdump.unpacked('bash: gzip: command not found')


def test_of_more_than_a_link_carries_the_beginning_is_kept(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is packed is read from its beginning, and a link would cut that off."""
    noise = tmp_path / 'noise'
    noise.write_text(os.urandom(100_000).hex())
    for name, does in (('journalctl', f'fold -w 80 {noise}'), ('find', 'true')):
        (tmp_path / name).write_text(f'#!/bin/sh\nexec {does}\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
    script = live.wrapped(crashdump.SCRIPT, {'minutes': '5'}, 'mark')
    done = subprocess.run(['sh', '-c', script], capture_output=True, text=True, check=True)
    output, _, code = done.stdout.rpartition('\nmark')
    assert (code.strip(), done.stderr) == ('0', '')
    assert 60_000 < len(output) <= 64 * 1024
    assert crashdump.unpacked(output).startswith('==> journal <==\n' + noise.read_text()[:80])


def test_the_units_that_matter_are_those_of_the_suspects() -> None:
    read = rehearsal.run(3000)
    units = crashdump.implicated(read.entries)
    assert units[0] == 'mysql/0'
    assert {'keystone/0', 'keystone/1', 'glance/0'} <= set(units)
    quiet = [
        one
        for one in read.entries
        if isinstance(one.what, journal.Status) and one.what.workload == 'active'
    ]
    assert set(crashdump.implicated(quiet)) == set(rehearsal.UNITS[:8])


def test_lines_near_the_failures_go_into_the_journal() -> None:
    read = rehearsal.run(3000)
    began = lanes.seconds(read.entries[0].wall)
    assert began is not None
    near = [round(one - began) for one in crashdump.moments(read.entries)]
    assert any(285 < one < 315 for one in near)
    ill = [f'2026-11-22T09:34:5{n % 10}+00:00 ERROR {n}' for n in range(300)]
    good = [f'2026-11-22T09:34:5{n % 10}+00:00 fine {n}' for n in range(300)]
    when = lanes.seconds(ill[0])
    assert when is not None
    kept = crashdump.excerpt('\n'.join((*good, *ill)), (when,))
    assert len(kept) == 400
    assert sum('ERROR' in one for one in kept) == 300


def test_nothing_is_taken_of_a_test_that_passed(tmp_path: pathlib.Path) -> None:
    fake = Fake()
    whole = rehearsal.run(100)

    async def both() -> list[crashdump.Dump | None]:
        return [
            await crashdump.at_failure(
                cast('link.Link', fake),
                tmp_path,
                whole,
                panel.Judged('t', ending=ending),
                note=lambda _: None,
            )
            for ending in ('passed', 'failed')
        ]

    passed, failed = asyncio.run(both())
    assert passed is None
    assert failed is not None and failed.files


def test_the_notes_are_what_the_page_reads() -> None:
    line = '2026-11-22T09:30:10.500+00:00 a: b'
    entry = journal.Entry(
        1,
        20.0,
        '2026-11-22T09:30:20+00:00',
        journal.Note(notes.LOG, {'unit': 'a/0', 'lines': [line, ' more']}),
    )
    assert lanes.logs([entry]) == (lanes.Log(10.5, 'a/0', line), lanes.Log(10.5, 'a/0', ' more'))
