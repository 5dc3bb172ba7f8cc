"""Whether what was made stayed as it was, and whether anything is left of it, under faults: in whole verdicts."""

from __future__ import annotations

import chronicle as c
import pytest

from matrix.grammar import located
from matrix.judge import keeping, panel, verdict
from matrix.judge.verdict import Signature, Verdict

PASS, FAIL, UNKNOWN = verdict.Outcome.PASS, verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN

KINDS = ('server.create', 'server.look', 'server.delete')
UP: dict[str, located.Plain] = {'status': 'ACTIVE', 'addresses': ['10.0.0.5']}


def but(values: dict[str, located.Plain], **others: located.Plain) -> dict[str, located.Plain]:
    return {**values, **others}


DOWN = but(UP, status='SHUTOFF')
MOVED = but(UP, addresses=['10.0.0.6'])


def made(at: float = 2, name: str = 's1') -> c.Line:
    return c.op(at, 'server.create', value=name, answer=UP, took=1)


def look(at: float, answer: located.Plain = UP, name: str = 's1', how: str = 'ok') -> c.Line:
    return c.op(at, 'server.look', how, value=name, answer=answer)


def kept(*parts: c.Line) -> Verdict:
    return keeping.kept(c.trial_of(*parts), *KINDS)


def test_what_is_as_it_was_is_kept() -> None:
    assert kept(made(), look(5), c.fault(), look(15), look(60)) == Verdict(
        'kept server', PASS, '1 server kept all that was seen of it, in 3 looks'
    )
    assert kept(made(), made(3, 's2'), look(60), look(60, name='s2')).sentence == (
        '2 servers kept all that was seen of them, in 2 looks'
    )


def test_no_fault_explains_that_an_address_is_another_or_that_it_is_gone() -> None:
    head = 's1 had addresses 10.0.0.5, and has 10.0.0.6 (made at 2.0 s, seen so at'
    assert kept(made(), c.fault(), look(15, MOVED), look(60)) == Verdict(
        'kept server',
        FAIL,
        f'{head} 15.0 s, while freeze struck api/0)',
        (5,),
        Signature('kept', 'server.look', 'addresses'),
    )
    assert kept(made(), look(15, MOVED)).sentence == f'{head} 15.0 s)'
    gone = kept(made(), c.fault(), look(15, False), look(60))
    assert gone.outcome is FAIL
    assert gone.signature == Signature('kept', 'server.look', 'gone')
    assert gone.sentence.startswith('s1 is not there any more (made at 2.0 s')
    none = kept(made(), look(15, but(UP, addresses=[])))
    assert none.sentence.startswith('s1 had addresses 10.0.0.5, and has none')


def test_its_status_may_be_another_after_the_first_fault_when_it_comes_back() -> None:
    back = kept(made(), c.fault(), look(15, DOWN), look(60))
    assert back.outcome is PASS
    assert back.sentence.endswith('in 2 looks; once it had another status, after the first fault')
    assert kept(made(), c.fault(), look(15), look(60, DOWN)).signature == Signature(
        'kept', 'server.look', 'status'
    )
    assert kept(made(), look(5, DOWN), c.fault(), look(60)).outcome is FAIL
    assert kept(made(), look(5, DOWN), look(60)).outcome is FAIL, 'and there was no fault'


def test_looks_before_it_was_acknowledged_or_once_it_goes_do_not_count() -> None:
    going = c.op(30, 'server.delete', value='s1', took=5)
    assert kept(made(), look(2.5, False), look(60)).outcome is PASS
    assert kept(made(), look(20), going, look(29.95, False), look(60, False)).outcome is PASS
    assert kept(made(), look(20, False), going).outcome is FAIL
    # Nor does a look that nobody answered.
    assert kept(made(), look(20, None, how='info'), look(60)).outcome is PASS
    lost = c.op(30, 'server.delete', 'info', value='s1')
    assert kept(made(), look(20), lost, look(60, False)).outcome is PASS


@pytest.mark.parametrize(
    ('parts', 'said'),
    [
        ((), 'no server.create was acknowledged'),
        ((c.op(2, 'server.create', 'fail', value='s1'),), 'no server.create was acknowledged'),
        ((made(),), 'no server was looked at after it was made'),
        ((c.fault(), made(40), look(60)), 'no server was there before the first fault'),
        (
            (made(), c.fault(), look(15)),
            'no server that was there before the faults was looked at after them',
        ),
        (
            (made(), c.fault(healed=None), look(60)),
            'no server that was there before the faults was looked at after them',
        ),
    ],
)
def test_what_was_not_seen_is_unknown(parts: tuple[c.Line, ...], said: str) -> None:
    assert kept(*parts) == Verdict('kept server', UNKNOWN, said)


# What is left.


def note(*left: dict[str, located.Plain], at: float = 90, **more: located.Plain) -> c.Line:
    value: dict[str, located.Plain] = {
        'made': {'server': 2, 'port': 1, 'volume': 0},
        'asked': ['compute', 'placement'],
        'unseen': [],
        'left': [*left],
    }
    return c.note(at, 'left', {**value, **more})


def item(how: str = 'orphan', **more: located.Plain) -> dict[str, located.Plain]:
    return {
        'service': 'placement',
        'what': 'allocation',
        'name': 's1',
        'id': 'abc',
        'how': how,
        'state': '',
        'because': [],
        **more,
    }


def left(*parts: c.Line) -> Verdict:
    return keeping.left(c.trial_of(*parts))


STUCK = item('stuck', service='block-storage', what='volume', name='v1', state='attaching')
TOLD = 'the volume v1 could not be deleted (attaching)'


def test_nothing_left_is_a_pass_that_says_of_what() -> None:
    assert left(note()) == Verdict(
        'left', PASS, 'nothing is left of 2 servers, 1 port in compute, placement'
    )


def test_an_orphan_fails_whatever_struck() -> None:
    assert left(note(item(), STUCK)) == Verdict(
        'left',
        FAIL,
        'placement has the allocation abc of s1, which is gone (and 1 more)',
        (1,),
        Signature('left', 'allocation', 'orphan'),
        (Signature('left', 'volume', 'stuck'),),
    )
    lost = c.op(15, 'server.delete', 'info', value='s1', took=10)
    assert left(c.fault(), lost, note(item())).outcome is FAIL


def test_what_cannot_be_deleted_fails_but_where_an_operation_on_it_was_lost_to_a_fault() -> None:
    assert left(note(STUCK)).sentence == TOLD
    lost = c.op(15, 'attachment.create', 'info', value='a1', took=10)
    because = but(STUCK, because=['a1'])
    assert left(c.fault(), lost, note(STUCK)).outcome is FAIL, 'it was not this one'
    assert left(lost, note(because)).outcome is FAIL, 'and no fault struck'
    fine = c.op(15, 'attachment.create', value='a1')
    assert left(c.fault(), fine, note(because)).outcome is FAIL
    told = f'{TOLD}; an operation on it was lost'
    assert left(c.fault(), lost, note(because)) == Verdict(
        'left',
        PASS,
        f'nothing is left of 2 servers, 1 port in compute, placement; {told}',
        excused=(told,),
    )


def test_what_nobody_said_or_looked_at_is_unknown() -> None:
    assert left().outcome is UNKNOWN
    assert left().sentence.startswith('nobody looked what is left')
    assert left(note(unseen=['network'])) == Verdict(
        'left', UNKNOWN, 'network did not say what is left of what was made', (1,)
    )
    assert left(note(item(), unseen=['network'])).outcome is FAIL
    assert left(note(made={'server': 0})).sentence == 'nothing was made that could have been left'


def test_the_panel_asks_for_all_that_the_load_said_it_keeps() -> None:
    said = c.note(1, 'load', {'kinds': [*KINDS], 'rate': 1, 'writes': [], 'keeps': [[*KINDS]]})
    [test] = panel.judge(c.of_parts(said, made(), look(5))).tests
    found = {one.check: one.outcome for one in test.verdicts}
    assert found['kept server'] is PASS
    assert found['left'] is UNKNOWN
    other = c.note(1, 'load', {'kinds': [*KINDS], 'rate': 1, 'writes': []})
    [test] = panel.judge(c.of_parts(other, made(), look(5))).tests
    assert not {'kept server', 'left'} & {one.check for one in test.verdicts}


def test_of_two_failures_the_thing_that_was_lost_is_told() -> None:
    said = c.note(1, 'load', {'kinds': [*KINDS], 'rate': 1, 'writes': [], 'keeps': [[*KINDS]]})
    failed = c.op(70, 'token.issue', 'fail')
    judged = panel.judge(c.of_parts(said, made(), look(60, MOVED), failed, note(item())))
    assert judged.sentence.startswith('s1 had addresses')


def test_how_long_work_takes_is_no_latency() -> None:
    from matrix.judge import service

    said = c.note(1, 'load', {'kinds': [*KINDS], 'rate': 1, 'writes': [], 'keeps': [[*KINDS]]})
    slow = [c.op(at, 'server.create', value=f's{at}', took=30) for at in range(2, 12)]
    looks = [c.op(at, 'server.look', took=0.2) for at in range(2, 12)]
    assert service.latency(c.trial_of(said, *slow, *looks)).outcome is PASS
    late = [c.op(at, 'server.look', took=30) for at in range(2, 12)]
    assert service.latency(c.trial_of(said, *late)).outcome is FAIL
    assert service.latency(c.trial_of(said, *slow)).outcome is UNKNOWN
