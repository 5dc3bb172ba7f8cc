"""After a crash of the runner: what machines hold is undone, and what Juju can make up for is."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import pathlib
from collections.abc import AsyncGenerator, Mapping
from typing import Literal

import pytest
from faultstage import FakeLink

from matrix.cli.commands import heal as command
from matrix.faults import heal
from matrix.grammar import located
from matrix.history import journal, notes, redact
from matrix.juju import link, live
from matrix.plans import snapshot


def _entries(*whats: journal.What) -> tuple[journal.Entry, ...]:
    return tuple(journal.Entry(n, float(n), '', what) for n, what in enumerate(whats, start=1))


def _counts(event: str, **counts: int) -> journal.Note:
    told: dict[str, located.Plain] = {**counts}
    return journal.Note(notes.UNITS, {'event': event, 'counts': told})


def _armed(
    event: str, *phases: Literal['armed', 'landed', 'healed'], kind: str = 'remove-unit'
) -> list[journal.Fault]:
    return [journal.Fault(event, kind, phase, ('db/0',)) for phase in phases]


def _answer(target: str, _text: str, _env: Mapping[str, str]) -> link.ScriptResult:
    if target == '2':
        raise link.LinkError('it cannot be reached')
    return (
        link.ScriptResult(0, 'healed e1\nhealed e2\n')
        if target == '0'
        else link.ScriptResult(1, 'failed e3\n')
    )


def test_every_machine_is_asked_and_says_what_it_undid() -> None:
    done = asyncio.run(heal.machines(FakeLink(_answer)))
    assert done.healed == ('e1 on machine 0', 'e2 on machine 0')
    assert done.failed == (
        'e3 on machine 1 could not be undone',
        'machine 2: it cannot be reached',
    )


def test_where_nothing_is_armed_nothing_is_said() -> None:
    assert asyncio.run(heal.machines(FakeLink())) == heal.Report((), ())


def test_a_removed_unit_is_made_up_for_once() -> None:
    at = FakeLink(state=snapshot.Model((snapshot.Application('db', (snapshot.Unit('db/1'),)),)))
    entries = _entries(_counts('e1', db=2), *_armed('e1', 'armed', 'landed'))
    assert asyncio.run(heal.amends(at, entries)).healed == (
        'db: 1 unit(s) added in place of those removed',
    )
    at.state = FakeLink().state
    assert asyncio.run(heal.amends(at, entries)) == heal.Report((), ())
    assert at.asked == ['add db 1']


def test_an_added_unit_is_taken_back_the_newest_first() -> None:
    ten = tuple(snapshot.Unit(f'db/{number}') for number in (0, 9, 10))
    at = FakeLink(state=snapshot.Model((snapshot.Application('db', ten),)))
    entries = _entries(_counts('e1', db=2), *_armed('e1', 'armed', kind='add-unit'))
    asyncio.run(heal.amends(at, entries))
    assert at.asked == ['remove db/10']


def test_what_was_seen_healed_needs_no_amends() -> None:
    at = FakeLink(state=snapshot.Model((snapshot.Application('db', ()),)))
    entries = _entries(_counts('e1', db=2), *_armed('e1', 'armed', 'landed', 'healed'))
    assert asyncio.run(heal.amends(at, entries)) == heal.Report((), ())


def test_of_two_events_the_first_knows_how_many_there_were() -> None:
    entries = _entries(
        _counts('e1', db=3), *_armed('e1', 'armed'), _counts('e2', db=2), *_armed('e2', 'armed')
    )
    assert heal.counts(entries) == {'db': 3}


def test_the_command_says_what_it_did(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    fakes = {'sound': FakeLink(), 'broken': FakeLink(_answer)}

    @contextlib.asynccontextmanager
    async def opened(model: str) -> AsyncGenerator[FakeLink]:
        if model not in fakes:
            raise link.LinkError(f'there is no model {model}')
        yield fakes[model]

    monkeypatch.setattr(live, 'opened', opened)
    lines = (
        journal.to_line(one, redact.secrets(()))
        for one in _entries(_counts('e1', db=3), *_armed('e1', 'armed'))
    )
    (tmp_path / 'journal.jsonl').write_text(''.join(lines))

    def run(*argv: str) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser()
        command.configure(parser)
        code = command.run(parser.parse_args(argv))
        said = capsys.readouterr()
        return code, said.out, said.err

    assert run('-m', 'sound') == (0, 'nothing is left to heal\n', '')
    assert run('-m', 'sound', str(tmp_path))[:2] == (
        0,
        'healed db: 1 unit(s) added in place of those removed\n',
    )
    code, _, errors = run('-m', 'broken')
    assert (code, errors.count('ERROR')) == (1, 2)
    assert run('-m', 'nowhere') == (1, '', 'ERROR there is no model nowhere\n')
    assert run('-m', 'sound', str(tmp_path / 'none'))[0] == 1
