# ruff: noqa: E501  # a table is read by its lines
"""A step of an upgrade as an event: through the command alone, proven to begin and to end."""

from __future__ import annotations

import asyncio
import pathlib

import pytest
from faultstage import FakeLink

from matrix.faults import fault, find, inject, upgrading
from matrix.history import journal
from matrix.plans import plan

JUJU = """#!/bin/sh
echo "$@" >>"{folder}/asked"
[ "$1" = lifecycle ] || exit 9
case "$2" in
plan)
    {plan}
    ;;
upgrade)
    echo "journal: somewhere.jsonl" >&2
    {upgrade}
    ;;
esac
"""
PLAN = 'echo "  db.add.1  a unit on the new base"; echo "  db.expand.0  the schema"'
GOOD = 'echo "12:00:00 begin  db.add.1: one"; sleep 0.3; echo "12:00:01 done   db.expand.0"; echo "page: p.html" >&2'


def _run(
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    planned: str = PLAN,
    upgrade: str = GOOD,
    **parameters: str,
) -> tuple[inject.FaultResult, list[journal.What], list[str]]:
    """What becomes of the event where `juju` is a program that does so, and what that was asked."""
    program = folder / 'juju'
    program.write_text(JUJU.format(folder=folder, plan=planned, upgrade=upgrade))
    program.chmod(0o755)
    monkeypatch.setenv('PATH', f'{folder}:/usr/bin:/bin')
    said = {'until': 'db.expand.0', 'to': 'debian@13', **parameters}
    chosen = {key: value for key, value in said.items() if value}
    event = plan.FaultEvent('e1', 'upgrade-step', 0, 0.1, (), ('db/0',), tuple(chosen.items()))
    written: list[journal.What] = []

    async def go() -> inject.FaultResult:
        return await inject.drive(upgrading.UPGRADE, event, FakeLink(), written.append, pause=0.05)

    found = asyncio.run(go())
    asked = (folder / 'asked').read_text().splitlines() if (folder / 'asked').exists() else []
    return found, written, asked


def test_a_step_is_reached_through_the_command_and_seen_to_begin_and_end(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, written, asked = _run(tmp_path, monkeypatch)
    assert (found.outcome, found.sentence) == ('healed', 'juju lifecycle is at db.add.1')
    edges = [one for one in written if isinstance(one, journal.Fault)]
    assert [(one.phase, one.proof) for one in edges] == [
        ('armed', ''),
        ('landed', 'juju lifecycle is at db.add.1'),
        ('healed', 'juju lifecycle is done with db.expand.0 (2 steps)'),
    ]
    assert asked == [
        'lifecycle plan --model m --to debian@13 db',
        'lifecycle upgrade --yes --until db.expand.0 --model m --to debian@13 db',
    ]


@pytest.mark.parametrize(
    ('parameters', 'said'),
    [
        ({'until': ''}, "it needs 'until'"),
        ({'to': ''}, "it needs 'until'"),
        ({'until': 'db.contract.0'}, 'juju lifecycle plan has no step db.contract.0'),
        ({'to': '--yes'}, 'cannot be a word of a command'),
        (
            {'planned': 'echo "db is not there" >&2; exit 1'},
            'juju lifecycle plan: db is not there',
        ),
        ({'planned': 'exit 2'}, 'juju lifecycle plan: exit code 2'),
    ],
)
def test_what_cannot_be_upgraded_so_is_refused_before_anything_is_done(
    parameters: dict[str, str],
    said: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, written, asked = _run(tmp_path, monkeypatch, **parameters)
    assert (found.outcome, said in found.sentence) == ('refused', True), found.sentence
    assert not [one for one in written if isinstance(one, journal.Fault)]
    assert not [one for one in asked if 'upgrade' in one]


@pytest.mark.parametrize(
    ('upgrade', 'outcome', 'said'),
    [
        # Sabotaged: it says that it is done, and has done nothing.
        ('true', 'unproven', 'juju lifecycle did nothing: it said nothing'),
        ('echo "db is in error" >&2; exit 1', 'unproven', 'juju lifecycle did nothing: db is in error'),
        ('echo "12:00:00 begin  db.add.1"; sleep 0.3; echo "a request was lost"; exit 1', 'unhealed', 'juju lifecycle stopped: a request was lost'),
        ('echo "12:00:00 begin  db.add.1"; sleep 0.3', 'unhealed', 'juju lifecycle never reported db.expand.0'),
    ],
)  # fmt: skip
def test_an_upgrade_that_does_not_get_there_is_never_said_to_have(
    upgrade: str,
    outcome: str,
    said: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, written, _ = _run(tmp_path, monkeypatch, upgrade=upgrade)
    assert found.outcome == outcome
    told = [str(one.value) for one in written if isinstance(one, journal.Note)]
    assert any(said in one for one in told), told
    assert not any(isinstance(one, journal.Fault) and one.phase == 'healed' for one in written)


def test_it_is_known_by_name_and_never_chosen_by_chance() -> None:
    known = find.faults()
    assert known['upgrade-step'] is upgrading.UPGRADE
    assert upgrading.UPGRADE not in find.by_chance(known.values())
    assert issubclass(fault.HopelessError, Exception)
    assert upgrading.steps(['journal: x', '12:00:00 done   a.add.1: b', '12:00:00 done   a.add.1']) == ['a.add.1']  # fmt: skip


def test_a_plan_that_does_not_come_is_a_refusal(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrading, '_CHECK', 0.2)
    found, _, _ = _run(tmp_path, monkeypatch, planned='sleep 30')
    assert (found.outcome, found.sentence) == (
        'refused', 'juju lifecycle plan did not end within 0.2 s',
    )  # fmt: skip
