"""How many of a backend's places transfers may have, and where that is asked for."""

from __future__ import annotations

import pytest
from charmkit.proxy import config, haproxy, transfers
from hypothesis import given
from hypothesis import strategies as st


def backend(*places: int, **more: object) -> config.Backend:
    servers = tuple(
        config.Server(name=f's{n}', address='10.0.0.2', port=80, maxconn=m)
        for n, m in enumerate(places)
    )
    return config.Backend(name='api', servers=servers, **more)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ('places', 'most'),
    [
        ((64,), 48),
        ((64, 64), 48),
        ((64, 64, 32), 72),
        ((32,), 24),
        ((64, 31), 0),
        ((64, 0), 0),
        ((), 0),
    ],
)
def test_some_places_are_left_whichever_server_is_away(places: tuple[int, ...], most: int):
    found = transfers.most(backend(*places))
    assert found == most
    assert not found or len(places) == 1 or all(found < sum(places) - p for p in places)


def test_one_that_steps_in_for_others_is_not_counted():
    one = config.Server(name='b', address='10.0.0.3', port=80, maxconn=64, backup=True)
    plain = backend(32)
    with_it = config.Backend(name='api', servers=(*plain.servers, one))
    assert transfers.most(with_it) == 24


def text(b: config.Backend) -> str:
    return haproxy.render(
        config.Config(unit='a/0', ready=config.Ready(port=8405), backends=(b,))
    ).text


def test_where_outsiders_come_transfers_are_counted_and_one_too_many_is_refused():
    found = text(backend(64, outsiders=True))
    assert 'http-request track-sc2 int(1) if { var(txn.upload) -m found }' in found
    assert 'http-response track-sc2 int(2) if { var(txn.download) -m found }' in found
    deny, upload, download = (
        'deny deny_status 503 hdr Retry-After 5 if',
        '{ var(txn.upload) -m found }',
        '{ var(txn.download) -m found }',
    )
    full = '{ sc_conn_cur(2),add(txn.others) gt 48 } { be_conn_free(api) lt 8 }'
    denials = [x.strip() for x in found.splitlines() if deny in x and 'sc_conn_cur' in x]
    assert denials == [
        f'http-request {deny} {upload} {{ sc_conn_cur(2) gt 48 }}',
        f'http-request {deny} {upload} {full}',
        f'http-response {deny} METH_GET {download} {full}',
    ]


@given(st.lists(st.integers(32, 1000), min_size=1, max_size=6))
def test_uploads_and_what_is_kept_free_leave_room_for_others(places: list[int]):
    """Whichever server is away: an upload may be anybody's."""
    found = text(backend(*places, outsiders=True))
    spare = int(found.partition('be_conn_free(api) lt ')[2].split()[0])
    certain = sum(places) - (max(places) if len(places) > 1 else 0)
    assert 1 <= spare < certain - transfers.most(backend(*places)) + 1
    words = [len(line.split()) for line in found.splitlines()]
    assert max(words) <= 64, 'a line has room for so many'


@pytest.mark.parametrize(
    'other',
    [
        backend(64),
        backend(0, outsiders=True),
        backend(16, 16, outsiders=True),  # nova's: a boot with user data waits its turn
        backend(64, outsiders=True, mode='tcp'),
    ],
)
def test_nowhere_else(other: config.Backend):
    assert 'sc_conn_cur' not in text(other)
