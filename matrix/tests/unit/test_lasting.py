"""What lasts in a cloud: made, looked at, let go, and what is left; with every cloud that does it wrong."""

from __future__ import annotations

import asyncio
import collections

import cloudstage
import pytest

from matrix.history import journal, notes
from matrix.judge import panel, verdict
from matrix.load import lasting, load, prerequisites, stock, sweep

PASS, FAIL, UNKNOWN = verdict.Outcome.PASS, verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN


def _judged(read: journal.Journal) -> dict[str, verdict.Verdict]:
    [test] = panel.judge(read).tests
    return {one.check: one for one in test.verdicts}


def test_a_cloud_that_does_it_right_passes_and_is_left_as_it_was_found() -> None:
    cloud = cloudstage.Cloud()
    read = cloudstage.run(cloud)
    said = _judged(read)
    ended = collections.Counter(
        (one.what.kind, one.what.phase)
        for one in read.entries
        if isinstance(one.what, journal.Operation) and one.what.phase != 'invoke'
    )
    for make, look, let_go in lasting.keeps(cloudstage.EVERYTHING):
        assert ended[make, 'ok'] > 1
        assert ended[look, 'ok'] > 5
        assert ended[let_go, 'ok'] > 0
    kept = [f'kept {one.name}' for one in cloudstage.EVERYTHING]
    assert {check: said[check].outcome for check in (*kept, 'left')} == dict.fromkeys(
        (*kept, 'left'), PASS
    )
    assert not (cloud.servers or cloud.ports or cloud.networks or cloud.volumes)
    assert not (cloud.attachments or cloud.allocations)
    assert said['left'].sentence.startswith('nothing is left of ')
    assert said['left'].sentence.endswith('network, compute, placement, volumev3')


@pytest.mark.parametrize(
    ('wrong', 'check', 'error'),
    [
        ('forgets-server', 'kept server', 'gone'),
        ('moves-server', 'kept server', 'addresses'),
        ('stops-server', 'kept server', 'status'),
        ('forgets-port', 'kept port', 'addresses'),
        ('drops-subnet', 'kept network', 'subnets'),
        ('breaks-volume', 'kept volume', 'status'),
        ('detaches', 'kept attachment', 'nova'),
    ],
)
def test_a_cloud_that_loses_what_it_had_fails(wrong: str, check: str, error: str) -> None:
    found = _judged(cloudstage.run(cloudstage.Cloud(frozenset({wrong}))))[check]
    assert found.outcome is FAIL, found.sentence
    assert found.signature is not None
    assert found.signature.error == error
    assert found.evidence


@pytest.mark.parametrize(
    ('wrong', 'what', 'how'),
    [
        ('leaks-allocation', 'allocation', 'orphan'),
        ('leaks-port', 'port', 'orphan'),
        ('leaks-attachment', 'attachment', 'orphan'),
        ('keeps-server', 'server', 'stuck'),
        ('keeps-volume', 'volume', 'stuck'),
    ],
)
def test_a_cloud_that_leaves_something_fails(wrong: str, what: str, how: str) -> None:
    found = _judged(cloudstage.run(cloudstage.Cloud(frozenset({wrong}))))['left']
    assert found.outcome is FAIL, found.sentence
    signatures = (found.signature, *found.other_signatures)
    assert verdict.Signature('left', what, how) in signatures


def test_what_cannot_be_deleted_is_removed_by_force_so_that_the_next_run_begins_clean() -> None:
    for what in ('server', 'volume'):
        cloud = cloudstage.Cloud(frozenset({f'keeps-{what}'}))
        assert _judged(cloudstage.run(cloud))['left'].outcome is FAIL
        assert not (cloud.servers or cloud.volumes or cloud.networks)


def test_a_placement_that_does_not_answer_leaves_it_unknown() -> None:
    found = _judged(cloudstage.run(cloudstage.Cloud(frozenset({'no-placement'}))))['left']
    assert found.outcome is UNKNOWN
    assert found.sentence == 'placement did not say what is left of what was made'


def test_a_server_that_ends_in_error_has_failed_and_is_deleted() -> None:
    cloud = cloudstage.Cloud(frozenset({'fails-server'}))
    read = cloudstage.run(cloud, seconds=40)
    ended = [
        one.what
        for one in read.entries
        if isinstance(one.what, journal.Operation)
        and one.what.kind == 'server.create'
        and one.what.phase != 'invoke'
    ]
    assert {(one.phase, one.error) for one in ended} == {('fail', 'server is ERROR')}
    assert len(ended) == 4, 'and no more are made'
    assert not cloud.servers
    assert _judged(read)['kept server'].outcome is UNKNOWN


def test_a_server_without_an_address_is_never_there() -> None:
    read = cloudstage.run(cloudstage.Cloud(frozenset({'no-address'})), seconds=300)
    said = _judged(read)
    assert said['kept server'].outcome is UNKNOWN
    assert said['errors'].outcome is FAIL
    assert said['errors'].sentence.startswith('server.create failed')
    assert 'timeout' in said['errors'].sentence


def test_allocations_that_were_there_before_are_nobody_s() -> None:
    async def go(before: frozenset[str]) -> object:
        cloud = cloudstage.Cloud(allocations={'old'})
        at = lasting.Lasting('r1', cloud.ask, pause=0.01)
        at.stock = stock.Stock('r1', cloudstage.EVERYTHING)
        said = await sweep.clear(at, before, within=0.05)
        assert isinstance(said, dict)
        return said['left']

    assert asyncio.run(go(frozenset({'old'}))) == []
    assert asyncio.run(go(frozenset())) == [
        {
            'service': 'placement',
            'what': 'allocation',
            'name': 'a server that nova does not know',
            'id': 'old',
            'how': 'orphan',
            'state': '',
            'because': [],
        }
    ]


def test_a_thing_that_is_gone_when_it_is_to_be_deleted_is_a_failure() -> None:
    async def go() -> str:
        cloud = cloudstage.Cloud()
        kept = cloudstage.Kept(cloud)
        kinds = {one.name: one for one in await kept.prepare()}
        await kinds['network.create'].do('matrix-r1-network-1')
        assert isinstance(await kinds['network.look'].do('matrix-r1-network-1'), load.Result)
        cloud.networks.clear()
        with pytest.raises(load.Refused, match='http 404'):
            await kinds['network.delete'].do('matrix-r1-network-1')
        return kept.at.stock.thing('matrix-r1-network-1').state

    assert asyncio.run(go()) == 'gone'


def test_a_control_plane_without_computes_or_volumes_is_asked_for_neither() -> None:
    async def sorts(services: set[str], binary: str = '') -> list[str]:
        cloud = cloudstage.Cloud()

        async def ask(service: str, method: str, path: str, *more: object):
            if binary and binary in path:
                return await cloud.ask('compute', 'GET', '/servers/none')
            return await cloud.ask(service, method, path)

        return [one.name for one in await prerequisites.sorts(ask, services)]  # pyright: ignore[reportArgumentType]

    all_ = {'compute', 'network', 'image', 'placement', 'volumev3'}
    assert asyncio.run(sorts({'identity', 'image'})) == []
    assert asyncio.run(sorts(all_)) == ['network', 'port', 'server', 'volume', 'attachment']
    assert asyncio.run(sorts(all_ - {'volumev3'})) == ['network', 'port', 'server']
    assert asyncio.run(sorts(all_, 'nova-compute')) == ['network', 'port', 'volume']
    assert asyncio.run(sorts(all_, 'cinder-volume')) == ['network', 'port', 'server']


def test_the_ground_of_servers_is_laid_and_lifted() -> None:
    async def go() -> list[str]:
        cloud = cloudstage.Cloud()
        at = lasting.Lasting('r1', cloud.ask)
        await prerequisites.create(at)
        assert cloud.asked == []
        at.stock = stock.Stock('r1', cloudstage.EVERYTHING)
        await prerequisites.create(at)
        await prerequisites.delete(at)
        return [one.replace(at.image, 'I').replace(at.flavor, 'F') for one in cloud.asked]

    assert asyncio.run(go()) == [
        'image POST /images',
        'image PUT /images/I/file',
        'compute POST /flavors',
        'image DELETE /images/I',
        'compute DELETE /flavors/F',
    ]


def test_the_note_of_what_is_left_says_who_was_asked_and_how_much_was_made() -> None:
    read = cloudstage.run(cloudstage.Cloud(), seconds=40)
    [said] = [
        one.what.value
        for one in read.entries
        if isinstance(one.what, journal.Note) and one.what.kind == notes.LEFT
    ]
    assert isinstance(said, dict)
    assert said['left'] == []
    assert said['unseen'] == []
    assert isinstance(said['made'], dict)
    assert set(said['made']) == {one.name for one in cloudstage.EVERYTHING}
