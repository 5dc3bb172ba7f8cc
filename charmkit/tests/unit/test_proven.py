"""What a value has proven by itself, and what it has not."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from charmkit import drive, host, options, proven, relations, state
from charmkit.why import Hook, Why

UPDATE = Hook('update_status')
NAME = options.FLAGS.name


def run(
    _: Why, inputs: state.Inputs, *, reader: Literal['running', 'stopped'], paused: bool = False
) -> state.Desired:
    flags = str(inputs.options.get(NAME, ''))
    files = (host.File(path='/conf', content=flags, notify=('reader',)),)
    services = (host.SystemdService('reader', reader), host.SystemdService('other'))
    return state.Desired(
        host=host.Host(files=files, services=services), memory={state.PAUSED: paused}
    )


def memory(
    value: str, *, reader: Literal['running', 'stopped'], paused: bool = False
) -> dict[str, Any]:
    def here(why: Why, inputs: state.Inputs) -> state.Desired:
        return run(why, inputs, reader=reader, paused=paused)

    inputs = state.Inputs(
        site=relations.Site(unit='x/0', leader=True, address='10.0.0.1'),
        options={NAME: value},
        memory={proven.MEMORY: {NAME: 'good'}},
    )
    driven = drive.Driven(desired=here(UPDATE, inputs), inputs=inputs)
    return proven.memory([options.FLAGS], driven, here, UPDATE)[proven.MEMORY]


def test_a_value_is_proven_by_a_service_that_runs_with_it() -> None:
    assert memory('new', reader='running') == {NAME: 'new'}


def test_a_value_is_not_proven_by_a_file_that_nothing_running_reads() -> None:
    assert memory('new', reader='stopped') == {NAME: 'good'}


def test_what_a_paused_unit_still_runs_proves_nothing() -> None:
    assert memory('new', reader='running', paused=True) == {NAME: 'good'}


@pytest.mark.parametrize('reader', ['running', 'stopped'])
def test_the_default_needs_no_proof(reader: Literal['running', 'stopped']) -> None:
    assert memory('', reader=reader) == {NAME: ''}
