"""A fault is driven: armed before it bites, proven or not claimed, and healed whatever happens."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Mapping

import pytest
from faultstage import MODEL, FakeLink, Stage

from matrix.faults import fault, inject
from matrix.history import journal, notes
from matrix.juju import link
from matrix.plans import plan, snapshot


def test_a_fault_is_armed_seen_to_land_held_and_seen_healed() -> None:
    stage = Stage()
    driven = asyncio.run(stage.drive())
    assert stage.done == ['unable', 'arm', 'inject', 'landed', 'heal', 'healed']
    assert stage.phases == ['armed', 'landed', 'healed']
    assert (driven.outcome, driven.sentence) == ('healed', 'seen')
    assert [one.proof for one in stage.written if isinstance(one, journal.Fault)] == [
        '',
        'seen',
        'well',
    ]


def test_what_nobody_saw_is_never_said_to_have_landed() -> None:
    stage = Stage(proof='')
    driven = asyncio.run(stage.drive())
    assert stage.phases == ['armed', 'healed']
    assert driven.outcome == 'unproven'
    assert stage.refused == ['it was not seen to land within 0.05 s']


def test_a_fault_that_cannot_be_is_refused_and_touches_nothing() -> None:
    stage = Stage(unable='no nft there')
    assert asyncio.run(stage.drive()).outcome == 'refused'
    assert (stage.done, stage.phases, stage.refused) == (['unable'], [], ['no nft there'])


def test_nothing_to_strike_is_refused() -> None:
    stage = Stage()
    nobody = plan.FaultEvent('e1', 'freeze', 0, 0, ())
    assert asyncio.run(stage.drive(nobody)).sentence == 'there is nothing to strike'


def test_units_that_must_be_spared_are() -> None:
    stage = Stage()
    only = plan.FaultEvent('e1', 'freeze', 0, 0, (), ('web/0',))
    driven = asyncio.run(stage.drive(only, spare=1))
    assert driven.sentence == 'it would leave web with 0 unit(s), and 1 must be left'
    assert stage.done == []


def test_a_neighbour_on_the_same_machine_is_not_what_is_aimed_at() -> None:
    beside = snapshot.Application('agent', (snapshot.Unit('agent/0', '0'),))
    model = dataclasses.replace(MODEL, applications=(*MODEL.applications, beside))

    async def drive(target: str) -> inject.FaultResult:
        event = plan.FaultEvent('e1', 'freeze', 0, 0, (), (target,))
        one = Stage().fault(spare=1)
        return await inject.drive(one, event, FakeLink(state=model), lambda _: None, pause=0.01)

    assert asyncio.run(drive('db/0')).outcome == 'healed'
    assert 'leave agent with 0' in asyncio.run(drive('0')).sentence


def test_what_was_not_armed_is_not_injected() -> None:
    stage = Stage(fails=frozenset({'arm'}))
    assert asyncio.run(stage.drive()).outcome == 'refused'
    assert stage.done == ['unable', 'arm', 'heal']
    assert (stage.phases, stage.refused) == ([], ['arm failed'])


def test_what_failed_half_way_into_biting_is_healed() -> None:
    stage = Stage(fails=frozenset({'inject'}))
    assert asyncio.run(stage.drive()).outcome == 'refused'
    assert stage.done == ['unable', 'arm', 'inject', 'heal', 'healed']
    assert stage.phases == ['armed', 'healed']


def test_a_heal_that_fails_is_tried_again() -> None:
    stage = Stage(fails_once=frozenset({'heal'}))
    assert asyncio.run(stage.drive()).outcome == 'healed'
    assert stage.done.count('heal') == 2


def test_a_heal_that_nobody_saw_is_not_claimed() -> None:
    stage = Stage(healed='')
    assert asyncio.run(stage.drive()).outcome == 'unhealed'
    assert stage.phases == ['armed', 'landed']


def test_a_machine_that_cannot_be_asked_proves_nothing() -> None:
    stage = Stage(fails=frozenset({'landed'}))
    assert asyncio.run(stage.drive()).outcome == 'unproven'


def test_a_look_that_began_in_time_may_end_late() -> None:
    async def slow(_: fault.Injection) -> str:
        await asyncio.sleep(0.2)
        return 'seen at last'

    assert asyncio.run(Stage().drive(landed=slow)).sentence == 'seen at last'


def test_a_look_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inject, 'LATE', 0.05)
    stage = Stage(hangs='landed')
    assert asyncio.run(asyncio.wait_for(stage.drive(), 5)).outcome == 'unproven'


@pytest.mark.parametrize('moment', ['arm', 'inject', 'landed', 'hold'])
def test_a_cancelled_fault_is_healed_before_the_cancellation_goes_on(moment: str) -> None:
    stage = Stage(hangs=moment)
    event = plan.FaultEvent('e1', 'freeze', 0, 60 if moment == 'hold' else 0, (), ('db/0',))

    async def main() -> None:
        task = asyncio.create_task(stage.drive(event))
        while stage.done[-1:] != [moment] and 'landed' not in stage.phases:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert stage.done.count('heal') == 1
    assert 'healed' in stage.phases or moment == 'arm'


def test_a_second_cancellation_does_not_stop_the_heal() -> None:
    stage = Stage()

    async def slow(_: fault.Injection) -> None:
        stage.done.append('heal begins')
        await asyncio.sleep(0.05)
        stage.done.append('heal ends')

    async def main() -> None:
        event = plan.FaultEvent('e1', 'freeze', 0, 60, (), ('db/0',))
        task = asyncio.create_task(stage.drive(event, heal=slow))
        while 'landed' not in stage.phases:
            await asyncio.sleep(0.01)
        task.cancel()
        while 'heal begins' not in stage.done:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert stage.done[-2:] == ['heal ends', 'healed']
    assert stage.phases == ['armed', 'landed', 'healed']


def test_when_one_of_a_group_fails_all_others_are_healed() -> None:
    stages = [Stage(), Stage()]

    async def broken() -> None:
        while any('landed' not in one.phases for one in stages):
            await asyncio.sleep(0.01)
        raise RuntimeError('a bug')

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number, one in enumerate(stages):
                event = plan.FaultEvent(f'e{number}', 'freeze', 0, 60, (), ('db/0',))
                group.create_task(one.drive(event))
            group.create_task(broken())

    with pytest.raises(ExceptionGroup):
        asyncio.run(main())
    assert [one.phases for one in stages] == [['armed', 'landed', 'healed']] * 2


def test_exclusive_faults_wait_for_each_other_on_one_machine_and_on_no_other() -> None:
    async def overlap(second: str, word: str) -> bool:
        stages, busy = (Stage(), Stage()), inject.Busy()
        events = [
            plan.FaultEvent(f'e{number}', 'freeze', 0, 0.1, (), (target,))
            for number, target in enumerate(('db/0', second))
        ]
        tasks = [
            asyncio.create_task(stage.drive(event, busy, exclusive=word))
            for stage, event in zip(stages, events, strict=True)
        ]
        await asyncio.sleep(0.05)
        both = all('landed' in stage.phases for stage in stages)
        await asyncio.gather(*tasks)
        assert [stage.phases[-1] for stage in stages] == ['healed', 'healed']
        return both

    assert not asyncio.run(overlap('db/0', 'process'))
    assert asyncio.run(overlap('db/1', 'process'))
    assert asyncio.run(overlap('db/0', ''))


def test_exclusive_faults_of_many_machines_never_wait_in_a_circle() -> None:
    async def main() -> None:
        busy = inject.Busy()
        orders = itertools.permutations(('db/0', 'db/1', 'web/0'))
        await asyncio.gather(
            *(
                Stage().drive(
                    plan.FaultEvent(f'e{number}', 'freeze', 0, 0.01, (), order),
                    busy,
                    exclusive='x',
                )
                for number, order in enumerate(orders)
            )
        )

    asyncio.run(asyncio.wait_for(main(), 5))


def test_peers_are_the_addresses_of_all_machines_that_are_not_struck() -> None:
    event = plan.FaultEvent('e1', 'netsplit', 0, 1, (), ('db/0', '1'))
    assert inject.injection(event, FakeLink()).peers == ('10.0.0.2', 'fd00::2')


def test_a_network_is_cut_from_addresses_that_juju_does_not_show() -> None:
    def answer(target: str, _text: str, _env: Mapping[str, str]) -> link.ScriptResult:
        if target == '1':
            raise link.LinkError('gone')
        return link.ScriptResult(0, '10.0.0.2\n10.0.0.240\n10.0.0.0\n')

    seen: list[tuple[str, ...]] = []

    async def look(injection: fault.Injection) -> None:
        seen.append(injection.peers)

    async def drive(*needs: str) -> None:
        one = Stage().fault(needs=frozenset(needs), inject=look)
        event = plan.FaultEvent('e1', 'freeze', 0, 0, (), ('db/0',))
        await inject.drive(one, event, FakeLink(answer), lambda _: None, pause=0.01)

    asyncio.run(drive('neighbours'))
    asyncio.run(drive())
    known = ('10.0.0.1', 'fd00::1', '10.0.0.2', 'fd00::2')
    assert seen == [(*known, '10.0.0.240'), known]  # 10.0.0.0 is its own.


def test_before_units_come_or_go_the_journal_has_their_number() -> None:
    stage = Stage()
    asyncio.run(stage.drive(reversible=False))
    note = stage.written[0]
    assert isinstance(note, journal.Note)
    assert (note.kind, note.value) == (notes.UNITS, {'event': 'e1', 'counts': {'db': 2}})
