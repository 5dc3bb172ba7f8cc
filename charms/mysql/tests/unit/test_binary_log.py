"""A server's binary log is there from the beginning, and never more than it may be."""

from __future__ import annotations

import dataclasses

import binary_log
import binary_log_node
import charmkit
import mariadb
import pytest
from binary_log import LogFile
from charmkit.relations import Site
from charmkit.testing import FakeMachine
from hypothesis import given
from hypothesis import strategies as st

from . import sql

INPUTS = charmkit.Inputs(
    site=Site(
        unit='mysql/0', leader=True, address='10.0.0.1', addresses={'shared-db': '10.0.0.1'}
    ),
    peers={'server': 'mysql/0'},
)
MIB = 1 << 20


def config(inputs: charmkit.Inputs) -> str:
    (found,) = (f for f in mariadb.server_host(inputs).files if '92-' in f.path)
    assert found.notify == ()  # A server that runs is not restarted for it.
    return found.content


def test_a_server_has_it_before_anybody_thinks_of_a_move():
    said = config(INPUTS)
    assert 'log_bin = charm-binlog' in said
    assert 'sync_binlog = 1' in said
    assert 'binlog_expire_logs_seconds = 172800' in said
    assert f'loose_max_binlog_total_size = {2048 * MIB}' in said
    # With the default of MariaDB 11.4 and newer, what nobody follows would stay for ever.
    assert 'loose_slave_connections_needed_for_purge = 0' in said


def test_the_operator_says_how_much_is_kept():
    options = {'binary-log-days': 7, 'binary-log-mib': 512}
    said = config(dataclasses.replace(INPUTS, options=options))
    assert 'binlog_expire_logs_seconds = 604800' in said
    assert f'loose_max_binlog_total_size = {512 * MIB}' in said


@pytest.mark.parametrize(
    ('sizes', 'most', 'kept'),
    [
        ([], 10, ''),
        ([99], 10, ''),  # It is being written.
        ([5, 5], 10, ''),
        ([5, 5, 1], 10, '2'),
        ([5, 9, 20], 10, '3'),
        ([1, 1, 1, 8], 10, '2'),
    ],
)
def test_the_oldest_go_first(sizes: list[int], most: int, kept: str):
    files = [LogFile(str(n), size) for n, size in enumerate(sizes, 1)]
    assert binary_log.first_kept(files, most) == kept


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(0, 200))
def test_what_stays_is_no_more_than_it_may_be_and_nothing_goes_for_nothing(
    sizes: list[int], most: int
):
    files = [LogFile(str(n), size) for n, size in enumerate(sizes)]
    kept = binary_log.first_kept(files, most)
    first = int(kept) if kept else 0
    assert sum(sizes[first:]) <= most or first == len(sizes) - 1 or not sizes[1:]
    if kept:
        assert sum(sizes[first - 1 :]) > most


def bounded(database: sql.Server, most: int = 300 * MIB) -> object:
    bounds = binary_log.Bounds(seconds=172_800, bytes=most)
    return binary_log_node.KeepBounds(bounds).carry_out(FakeMachine(shell=database))


def test_too_much_of_it_is_removed_on_a_server_that_does_not_do_so_itself():
    database = sql.Server(
        logs={'charm-binlog.000001': 128 * MIB, 'charm-binlog.000002': 300 * MIB}
    )
    found = bounded(database)
    assert found == binary_log_node.BinaryLog(on=True, bytes=428 * MIB)
    assert [*database.logs] == ['charm-binlog.000002']
    database.said.clear()
    bounded(database)
    assert database.said == []


def test_without_a_bound_nothing_is_removed():
    database = sql.Server(logs={'charm-binlog.000001': 1 << 50, 'charm-binlog.000002': 1})
    bounded(database, most=0)
    assert database.said == []


def test_a_server_that_was_made_without_it_says_so():
    assert bounded(sql.Server(log_bin='OFF')) == binary_log_node.BinaryLog()
    assert bounded(sql.Server(down=True)) is None


def test_what_the_server_refuses_is_told():
    database = sql.Server(
        logs={'charm-binlog.000001': 1 << 40, 'charm-binlog.000002': 1}, refusing='PURGE'
    )
    found = bounded(database)
    assert isinstance(found, binary_log_node.BinaryLog)
    assert 'Got error 28' in found.refused
