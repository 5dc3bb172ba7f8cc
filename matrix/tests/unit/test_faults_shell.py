"""Faults made of scripts: what a machine is told, what it says, and what is made of that."""

from __future__ import annotations

import contextlib
import dataclasses
import struct
import subprocess
from collections.abc import Mapping

import pytest
from faultstage import FakeLink, run
from hypothesis import given
from hypothesis import strategies as st

from matrix.faults import changes, fault, find, inject, kinds, shell
from matrix.faults.scripts import delay
from matrix.juju import link
from matrix.plans import plan

SCRIPTS = shell.Scripts(inject='bite', landed='look', heal='mend', healed='look again')
FAULT = shell.fault_of(kinds.unit('x'), '{target}', '#000', SCRIPTS, defaults={'percent': 20})


def _injection(
    at: FakeLink, *targets: str, **parameters: float | int | str | bool
) -> fault.Injection:
    event = plan.FaultEvent('e1', 'x', 0, 4, (), targets or ('db/0',), tuple(parameters.items()))
    return inject.injection(event, at)


def _says(output: str, code: int = 0):
    def answer(_target: str, _text: str, _env: Mapping[str, str]) -> link.ScriptResult:
        return link.ScriptResult(code, output)

    return answer


def test_every_script_of_every_fault_is_one_that_a_shell_can_read() -> None:
    at = FakeLink()
    for one in (one for one in find.BUILT_IN if one not in changes.FAULTS):  # Those have none.
        injection = dataclasses.replace(_injection(at), parameters={})
        for step in (one.unable, one.arm, one.inject, one.landed, one.heal, one.healed):
            with contextlib.suppress(link.LinkError):
                run(step(injection))
    texts = {text for _, text, _ in at.ran} | {env['UNDO'] for *_, env in at.ran if 'UNDO' in env}
    assert len(texts) > 60
    for text in texts:
        for dialect in ('sh', 'bash'):
            said = subprocess.run([dialect, '-n'], input=text, text=True, capture_output=True)
            assert not said.stderr, f'{said.stderr}\n{text}'


def test_a_script_that_a_shell_cannot_read_would_be_seen() -> None:
    said = subprocess.run(['sh', '-n'], input='{ if true; }', text=True, capture_output=True)
    assert said.stderr


def test_a_script_is_told_the_event_its_parameters_and_who_is_not_struck() -> None:
    at = FakeLink()
    run(FAULT.inject(_injection(at, percent=35)))
    target, text, env = at.ran[0]
    assert target == 'db/0'
    assert 'bite' in text
    assert (env['EVENT'], env['PERCENT'], env['HOLD']) == ('e1', '35', '4')
    assert env['PEERS'] == '10.0.0.1 fd00::1 10.0.0.2 fd00::2'


def test_what_a_plan_does_not_say_is_the_faults_own() -> None:
    at = FakeLink()
    run(FAULT.inject(_injection(at)))
    assert at.ran[0][2]['PERCENT'] == '20'


@pytest.mark.parametrize(
    'value', ['a b; reboot', '$(reboot)', '`reboot`', "'", '"', 'a\nb', '\0', 'a|b', 'x' * 500]
)
def test_a_value_that_could_mean_something_to_a_shell_is_refused(value: str) -> None:
    at = FakeLink()
    assert "'service' cannot be" in run(FAULT.unable(_injection(at, service=value)))
    assert at.ran == []


@pytest.mark.parametrize('name', ['path', 'peers', 'state', 'A', 'a-b', 'ifs', '', 'a=b'])
def test_a_parameter_cannot_take_the_place_of_something_else(name: str) -> None:
    assert 'cannot name a parameter' in run(FAULT.unable(_injection(FakeLink(), **{name: 1})))


@given(st.text())
def test_no_text_of_a_plan_is_ever_part_of_a_script(value: str) -> None:
    at = FakeLink()
    injection = _injection(at, service=value)
    try:
        run(FAULT.inject(injection))
    except ValueError:
        assert at.ran == []
        return
    run(FAULT.inject(_injection(plain := FakeLink(), service='x')))
    assert at.ran[0][1] == plain.ran[0][1]


def test_the_heal_and_its_timer_are_there_before_anything_else_is_done() -> None:
    at = FakeLink()
    run(FAULT.arm(_injection(at)))
    _, text, env = at.ran[0]
    assert 'systemd-run' in text
    assert 'bite' not in text
    assert env['UNDO'].endswith('mend')
    assert int(env['DEADMAN']) == 4 + 15 + shell.GRACE


def test_what_a_machine_keeps_is_told_to_what_runs_there_later_and_nowhere_else() -> None:
    def answer(target: str, _text: str, _env: Mapping[str, str]) -> link.ScriptResult:
        return link.ScriptResult(0, f'keep SERVICE=service of {target}\nnot for keeping')

    at = FakeLink(answer)
    injection = _injection(at, 'db/0', 'web/0')
    run(FAULT.arm(injection))
    run(FAULT.landed(injection))
    told = {target: env['SERVICE'] for target, _, env in at.ran[2:]}
    assert told == {'db/0': 'service of db/0', 'web/0': 'service of web/0'}


def test_a_machine_that_will_not_be_armed_is_an_error_in_its_own_words() -> None:
    at = FakeLink(_says('no room\n', 1))
    with pytest.raises(link.LinkError, match='db/0 could not be armed: no room'):
        run(FAULT.arm(_injection(at)))


@pytest.mark.parametrize(
    ('output', 'code', 'proof'),
    [
        ('3 packets dropped\n', 0, 'db/0: 3 packets dropped'),
        ('', 0, ''),
        ('\n \n', 0, ''),
        ('3 packets dropped\n', 1, ''),
    ],
)
def test_a_proof_is_what_a_script_that_ended_well_printed(
    output: str, code: int, proof: str
) -> None:
    assert run(FAULT.landed(_injection(FakeLink(_says(output, code))))) == proof


def test_what_one_of_two_machines_does_not_show_is_not_proven() -> None:
    def answer(target: str, _text: str, _env: Mapping[str, str]) -> link.ScriptResult:
        return link.ScriptResult(0, 'seen' if target == 'db/0' else '')

    assert run(FAULT.landed(_injection(FakeLink(answer), 'db/0', 'db/1'))) == ''
    assert run(FAULT.landed(_injection(FakeLink(_says('seen')), 'db/0', 'db/1'))) != ''


def test_a_check_that_fails_without_a_word_is_no_leave_to_strike() -> None:
    assert run(FAULT.unable(_injection(FakeLink(_says('', 1))))) == 'db/0: cannot be looked at'
    assert run(FAULT.unable(_injection(FakeLink(_says('no nft'))))) == 'db/0: no nft'
    assert run(FAULT.unable(_injection(FakeLink()))) == ''


def test_an_event_whose_name_is_a_path_is_refused() -> None:
    event = plan.FaultEvent('../etc', 'x', 0, 4, (), ('db/0',))
    assert 'cannot name an event' in run(FAULT.unable(inject.injection(event, FakeLink())))


def test_the_delayer_finds_the_packets_of_a_datagram() -> None:
    def packet(number: int) -> bytes:
        header = struct.pack('>IHBB', number, 0x0800, 1, 0)[:7]
        attribute = struct.pack('=HH', 11, 1) + header + b'\0'
        other = struct.pack('=HHI', 8, 3, 7)
        body = struct.pack('>BBH', 0, 0, 9) + other + attribute
        return struct.pack('=IHHII', 16 + len(body), 3 << 8, 0, 0, 0) + body

    assert delay.packets(packet(5) + packet(6)) == [5, 6]
    assert delay.packets(b'') == []
    assert delay.packets(packet(5)[:10]) == []


def test_a_message_to_the_kernel_is_padded_and_says_its_length() -> None:
    said = delay.message(2, 9, (1, b'abc'), (2, b'abcd'))
    assert struct.unpack_from('=I', said)[0] == len(said) == 16 + 4 + 8 + 8
