"""The last line of a terminal: how far a run is."""

from __future__ import annotations

import io
import sys

import pytest
import simulated
from hypothesis import given
from hypothesis import strategies as st
from test_engine import cloud

from lifecycle import cli, live
from lifecycle.journal import KINDS, JournalEntry
from lifecycle.load import Request

STEPS = ('keystone.add.1', 'keystone.admit.1')


def entry(kind: str, step: str = '', said: str = '', at: float = 0.0) -> JournalEntry:
    return JournalEntry(at=at, kind=kind, step=step, said=said)


def test_it_says_how_far_the_run_is_and_what_it_waits_for():
    seen = live.view([STEPS], [[]])
    assert live.line(seen, 0.0, 200) == '░░░░░░░░░░░░ 0/2'
    seen = live.after(seen, entry('begin'))
    seen = live.after(seen, entry('step', STEPS[0], at=10.0))
    seen = live.after(seen, entry('done', STEPS[0], at=12.0))
    seen = live.after(seen, entry('waits', STEPS[1], 'keystone/2 is maintenance', at=13.0))
    seen = live.counted(seen, [Request(at=1.0, seconds=0.25, ok=True)])
    assert live.line(seen, 85.0, 200) == (
        '██████░░░░░░ 1/2  requests: 1, none lost, slowest 0.2 s  keystone.admit.1 1:12  keystone/2 is maintenance'
    )
    seen = live.counted(seen, [Request(at=1.0, seconds=3.0, ok=False)])
    assert 'requests: 2, 1 lost, slowest 3.0 s' in live.line(seen, 85.0, 200)
    seen = live.after(seen, entry('done', STEPS[1], at=90.0))
    assert live.line(seen, 85.0, 200).startswith('████████████ 2/2')


def test_of_several_targets_each_counts_and_one_that_is_done_is_not_begun():
    seen = live.view([STEPS, STEPS, STEPS], [[], STEPS, []])
    seen = live.after(seen, entry('begin'))
    for step in STEPS:
        seen = live.after(seen, entry('done', step))
    assert live.line(seen, 0.0, 200).endswith('4/6')
    seen = live.after(seen, entry('begin'))
    seen = live.after(seen, entry('done', STEPS[0]))
    assert live.line(seen, 0.0, 200).endswith('5/6')


@given(
    entries=st.lists(
        st.builds(
            entry, st.sampled_from(KINDS), st.sampled_from([*STEPS, '', 'x']), st.text(max_size=50)
        ),
        max_size=20,
    ),
    width=st.integers(0, 100),
)
def test_whatever_is_reported_it_is_no_longer_than_the_terminal(
    entries: list[JournalEntry], width: int
):
    seen = live.view([STEPS, STEPS[:1]], [[], []])
    for one in entries:
        seen = live.after(seen, one)
    assert len(live.line(seen, 1e9, width)) <= max(width, 1)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize('terminal', [True, False])
def test_a_terminal_alone_has_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, terminal: bool
):
    model = cloud(keystone=1)

    def made(_: str | None) -> simulated.Model:
        return model

    monkeypatch.setattr(cli, 'Live', made)
    out = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, 'stdout', out)
    call = ['upgrade', '--to', 'debian@13', '--yes', '--journal', f'{tmp_path}/j.jsonl']
    assert cli.main(call) == 0
    assert ('\033[K' in out.getvalue()) == terminal
    assert ('░' in out.getvalue()) == terminal
    assert out.getvalue().rstrip().endswith('\033[K' if terminal else 'everything is done')
