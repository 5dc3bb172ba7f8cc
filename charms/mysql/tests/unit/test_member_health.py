"""What a member says of itself to load balancers and to other members."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator

import member_health
import pytest

ROOM = member_health.LEAST_BYTES
WELL = {
    'wsrep_on': 'ON', 'wsrep_cluster_status': 'Primary', 'wsrep_ready': 'ON', 'wsrep_local_state': '4',
    'wsrep_desync': 'OFF', 'read_only': 'OFF', 'innodb_read_only': 'OFF', 'wsrep_cluster_state_uuid': 'u',
}  # fmt: skip
ALONE = {'wsrep_on': 'OFF', 'wsrep_cluster_status': 'Disconnected', 'read_only': 'OFF'}


@pytest.mark.parametrize(
    ('said', 'reason'),
    [
        (WELL, ''),
        ({**WELL, 'wsrep_local_state': '2'}, ''),  # Another one copies its data.
        (ALONE, ''),
        ({}, 'the server does not answer'),
        ({**WELL, 'wsrep_cluster_status': 'non-Primary'}, 'it is in no component with a majority'),
        ({**WELL, 'wsrep_ready': 'OFF'}, 'it is in no component with a majority'),
        ({**WELL, 'wsrep_local_state': '1'}, 'it takes in what the cluster has'),
        ({**WELL, 'wsrep_local_state': '3'}, 'it takes in what the cluster has'),
        ({**WELL, 'wsrep_local_state': '2', 'wsrep_desync': 'ON'}, 'wsrep_desync is on'),
        ({**WELL, 'read_only': 'ON'}, 'it refuses all writes'),
        ({**WELL, 'read_only': 'NO_LOCK'}, 'it refuses all writes'),
        ({**ALONE, 'innodb_read_only': 'ON'}, 'it refuses all writes'),
    ],
)
def test_clients_are_sent_to_who_takes_writes(said: dict[str, str], reason: str):
    answer = member_health.verdict(said, ROOM)
    assert (answer['ok'], answer['reason']) == (not reason, reason)


def test_a_full_disk_takes_no_writes():
    assert member_health.verdict(WELL, ROOM - 1)['reason'] == 'its disk is full'


def test_which_cluster_it_is_in_is_said_by_who_is_in_one():
    assert member_health.verdict(WELL, ROOM)['uuid'] == 'u'
    lost = member_health.verdict({**WELL, 'wsrep_cluster_status': 'non-Primary'}, ROOM)
    assert (lost['primary'], lost['uuid']) == (False, '')
    alone = member_health.verdict({**ALONE, 'wsrep_cluster_status': 'Primary'}, ROOM)
    assert alone['primary'] is False


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    nothing: dict[str, str] = {}
    said = iter((WELL, nothing))
    monkeypatch.setattr(member_health, '_ask', lambda: next(said, {}))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(member_health, '_left', lambda: ROOM)
    monkeypatch.setattr(member_health, '_LAST', member_health._Last())  # pyright: ignore[reportPrivateUsage]
    server = member_health._Server('127.0.0.1', 0)  # pyright: ignore[reportPrivateUsage]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def get(port: int, method: str = 'GET') -> tuple[int, bytes]:
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=10)
    connection.request(method, '/')
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_it_is_said_over_http_and_an_answer_counts_for_a_moment_only(
    port: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(member_health, 'FRESH_S', 3600)
    status, body = get(port)
    assert (status, json.loads(body)['ok']) == (200, True)
    assert get(port, 'HEAD') == (200, b'')
    assert get(port)[0] == 200
    monkeypatch.setattr(member_health, 'FRESH_S', -1)
    status, body = get(port)
    assert (status, json.loads(body)['reason']) == (503, 'the server does not answer')
