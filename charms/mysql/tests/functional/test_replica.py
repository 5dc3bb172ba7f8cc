"""A server hands over to one of a newer series, under clients as SQLAlchemy has them: on two real MariaDBs."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import itertools
import json
import os
import pathlib
import time
from collections.abc import Callable, Generator, Iterator
from typing import cast

import backups
import binary_log
import binary_log_node
import charmkit
import handover
import pytest
import relays
import replicas

from tools import systems

from . import members
from .members import Application, Member

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(900)]

LOAD = """
import itertools, json, random, sys, threading, time
import sqlalchemy
where, workers = sys.argv[1], int(sys.argv[2])
engine = sqlalchemy.create_engine(where, pool_pre_ping=True, pool_size=workers)
numbers, out, lock = itertools.count(1), open('/tmp/journal', 'w'), threading.Lock()
def work():
    while True:
        number, began, said = next(numbers), time.time(), ''
        try:
            with engine.begin() as session:
                session.execute(sqlalchemy.text('SELECT COUNT(*) FROM t WHERE a < 3'))
                session.execute(sqlalchemy.text('INSERT INTO t VALUES (%d)' % number))
        except Exception as e:
            said = repr(e)[:200]
        with lock:
            out.write(json.dumps([number, began, time.time() - began, said]) + chr(10))
            out.flush()
        time.sleep(random.uniform(0.1, 0.6))
for _ in range(workers):
    threading.Thread(target=work).start()
"""


@dataclasses.dataclass
class Cloud:
    """An application, and a client of its database."""

    app: Application
    client: Member
    old: Member
    new: Member

    def load(self) -> None:
        found = self.app.database()
        assert found
        self.client.program('sh', '-c', 'cat > /tmp/load.py', stdin=LOAD)
        self.client.sh(f'systemd-run --quiet --unit load python3 -u /tmp/load.py "{found.url}" 6')

    def journal(self) -> list[tuple[int, float, float, str]]:
        """Of each transaction: its number, when it began, seconds, and what went wrong."""
        text = self.client.read('/tmp/journal') or ''
        return [tuple(json.loads(line)) for line in text.splitlines()]

    def goes_on(self, seconds: float = 3.0) -> None:
        time.sleep(seconds)

    def end(self) -> list[tuple[int, float, float, str]]:
        self.client.sh('systemctl stop load')
        return self.journal()

    def follow(self) -> None:
        self.app.members[self.new.unit] = self.new
        self.app.hooks(4)
        assert self.app.status[self.new.unit].startswith('active: follows mysql/0'), (
            self.app.status
        )

    def switch(self) -> charmkit.Desired:
        return self.app.action(self.old.unit, 'switch-over')

    def rows(self, member: Member) -> set[int]:
        return {int(n) for n in member.root('SELECT a FROM nova.t').split()}


@contextlib.contextmanager
def cloud(name: str) -> Generator[Cloud]:
    names = [f'rambla-replica-{name}-{part}-{os.getpid()}' for part in ('old', 'new', 'client')]
    try:
        old, new = (
            members.start(base, number, names[number])
            for number, base in enumerate(('debian-12', 'debian-13'))
        )
        image = 'localhost/rambla-galera-test:debian-12'
        client = Member(names[2], systems.start(names[2], image), 'nova/0')
        app = Application({old.unit: old}, old.unit)
        app.asks = {'database': 'nova', 'username': 'nova', 'hostname': client.address}
        app.hooks()
        old.root('CREATE TABLE nova.t (a INT PRIMARY KEY)')
        yield Cloud(app, client, old, new)
    finally:
        for each in names:
            systems.remove(each)


@pytest.fixture(scope='module')
def moved() -> Iterator[Cloud]:
    """With a load from the beginning on; each test goes on from where the last one was."""
    with cloud('moved') as found:
        found.old.root("CREATE USER IF NOT EXISTS operator@'%' IDENTIFIED BY 'theirs'")
        found.load()
        found.goes_on()
        yield found


def started(member: Member) -> str:
    """Stands for this start of its server."""
    return member.sh('systemctl show --property=InvocationID mariadb')


def test_a_unit_of_a_newer_series_copies_and_follows_while_clients_write(moved: Cloud):
    before = started(moved.old)
    moved.follow()
    moved.goes_on()
    assert moved.old.root('SELECT @@log_bin, @@read_only').split() == ['1', '0']
    assert started(moved.old) == before  # Nothing restarts for a move.
    assert moved.new.root('SELECT @@read_only') == '1'
    assert moved.rows(moved.new)
    assert [said for *_, said in moved.journal() if said] == []


def test_a_replica_that_lags_takes_nothing_over(moved: Cloud, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(handover, 'CATCH_UP_S', 2)
    moved.new.root('STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=20; START SLAVE')
    moved.goes_on(1)
    failed = moved.switch()
    assert 'has not applied all' in failed.failure, failed
    # The same in the middle, when clients are held already: they go on here.
    monkeypatch.setattr(handover.HandOver, '_catch_up', skipped_once(handover.HandOver._catch_up))  # pyright: ignore[reportPrivateUsage]
    failed = moved.switch()
    assert 'has not applied all' in failed.failure, failed
    assert moved.old.read(replicas.CLOSED) is None
    moved.new.root('STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=0; START SLAVE')
    moved.goes_on()
    assert [said for *_, said in moved.journal() if said] == []


def skipped_once(real: Callable[..., str]) -> Callable[..., str]:
    """*real*, but for its first call, which finds nothing wrong."""
    calls = itertools.count()

    def caught_up(*args: object) -> str:
        return real(*args) if next(calls) else ''

    return caught_up


def test_it_takes_over_and_no_client_sees_an_error(moved: Cloud):
    before = len(moved.journal())
    told = moved.app.database()
    generation = told.generation if told else ''
    assert generation
    done = moved.switch()
    assert not done.failure
    moved.goes_on()
    print('results', done.results)
    moved.app.hooks(3)
    found = moved.app.database()
    assert found
    assert found.host == moved.new.address
    moved.goes_on()
    journal = moved.journal()
    print('transactions', len(journal), 'slowest', max(s for _, _, s, _ in journal[before:]))
    assert [said for *_, said in journal if said] == []
    assert len(journal) > before + 20
    assert float(done.results['held-seconds']) > 0
    assert moved.old.root('SELECT @@read_only') == '1'
    assert moved.new.root('SELECT @@read_only, @@log_bin').split() == ['0', '1']
    assert moved.new.root("SELECT COUNT(*) FROM mysql.user WHERE user = 'operator'") == '1'
    assert found.generation == generation


def test_a_second_time_it_is_done_already(moved: Cloud):
    assert moved.switch().results['server'] == moved.new.unit


def test_the_former_server_says_who_still_comes_by_it(moved: Cloud):
    moved.app.hook(moved.old.unit)
    assert 'still connected through this unit: nova' in moved.app.status[moved.old.unit]
    journal = moved.end()
    acknowledged = {number for number, _, _, said in journal if not said}
    assert acknowledged <= moved.rows(moved.new)
    assert not moved.app.action(moved.old.unit, 'drain').failure
    assert moved.app.status[moved.old.unit].startswith('maintenance: mysql/1 has taken over')


def test_a_former_server_that_is_started_anew_takes_no_writes(moved: Cloud):
    moved.old.sh('systemctl restart mariadb')
    assert moved.old.root('SELECT @@read_only') == '1'
    moved.app.hook(moved.old.unit)
    assert moved.old.root('SELECT @@read_only') == '1'


def test_nothing_of_it_is_left_once_the_former_server_is_gone(moved: Cloud):
    del moved.app.members[moved.old.unit]
    moved.app.bags.pop(moved.old.unit)
    moved.app.leader = moved.new.unit
    moved.app.hooks(2)
    accounts = moved.new.root('SELECT user, host FROM mysql.user').split()
    assert not {replicas.USER, moved.old.address} & {*accounts}
    moved.new.sh('systemctl restart mariadb')
    assert moved.new.root('SELECT @@read_only') == '0'
    assert moved.app.status[moved.new.unit].startswith('active')


HELD = """
import sys, time, pymysql, sqlalchemy
url = sqlalchemy.engine.make_url(sys.argv[1])
said = 'fine'
try:
    session = pymysql.connect(host=url.host, user=url.username, password=url.password, connect_timeout=20)
    for _ in range(30):
        session.query('SELECT 1')
        time.sleep(0.1)
except Exception as e:
    said = repr(e)
open('/tmp/held', 'w').write(said)
"""


def held(cloud: Cloud) -> str:
    """What became of a connection that was made while clients were held, and was used after that."""
    machine = cast('charmkit.Machine', cloud.old)
    found = cloud.app.database()
    assert found
    cloud.client.program('sh', '-c', 'rm -f /tmp/held; cat > /tmp/held.py', stdin=HELD)
    cloud.old.program('nft', 'delete', 'table', 'inet', 'charm_mysql')
    relays.hold(machine, cloud.old.address, (cloud.new.address,), 30)
    cloud.client.sh(f'systemd-run --quiet python3 /tmp/held.py "{found.url}"')
    time.sleep(1.5)
    assert cloud.client.read('/tmp/held') is None
    relays.release(machine, cloud.old.address)
    for _ in range(100):
        if said := cloud.client.read('/tmp/held'):
            return said
        time.sleep(0.1)
    return ''


def test_a_server_made_without_a_binary_log_is_restarted_and_its_clients_wait(
    monkeypatch: pytest.MonkeyPatch,
):
    with cloud('older') as found:
        found.old.sh(f'rm {replicas.REPLICATION}; systemctl restart mariadb')
        assert found.old.root('SELECT @@log_bin') == '0'
        found.app.hook(found.old.unit)
        assert 'its binary log is off' in found.app.status[found.old.unit]
        before = started(found.old)
        found.load()
        found.goes_on()
        found.follow()
        found.goes_on()
        assert started(found.old) != before
        journal = found.end()
        assert [said for *_, said in journal if said] == []
        assert held(found) == 'fine'
        # The twin: no rule has the kernel go on tracking.
        monkeypatch.setattr(relays, '_TRACKED', 'meta mark 1 accept')
        assert 'OperationalError' in held(found)


def test_the_binary_log_stays_within_its_bounds_and_a_backup_says_where_in_it_it_was_made(
    tmp_path: pathlib.Path,
):
    with cloud('bounded') as found:
        machine = cast('charmkit.Machine', found.old)
        made = backups.make(machine, tmp_path, members.time_of_day(), print)
        dump = gzip.decompress(made.path.read_bytes()).decode()
        position = found.old.root('SELECT @@gtid_binlog_pos')
        assert f"-- SET GLOBAL gtid_slave_pos='{position}'" in dump
        assert '\n-- CHANGE MASTER TO' in dump
        backups.restore(machine, made.path, print)
        assert found.old.root('SELECT @@gtid_binlog_pos') == position
        for member in (found.old, found.new):
            machine = cast('charmkit.Machine', member)
            if member is found.new:
                found.follow()
            for _ in range(3):
                member.root('FLUSH BINARY LOGS')
            bounds = binary_log.Bounds(seconds=86_400, bytes=600)
            sizes: list[int] = []
            for _ in range(10):  # One that a recovery would need is spared for a moment.
                done = binary_log_node.KeepBounds(bounds).carry_out(machine)
                assert done
                assert (done.on, done.refused) == (True, '')
                lines = member.root('SHOW BINARY LOGS').splitlines()
                sizes = [int(line.split()[1]) for line in lines]
                if len(sizes) == 1:
                    break
                time.sleep(1)
            assert sum(sizes) <= 600
            assert member.root('SELECT @@binlog_expire_logs_seconds') == '86400'


def test_without_waiting_rows_are_lost_and_without_holding_clients_see_errors(
    monkeypatch: pytest.MonkeyPatch,
):
    """The twin."""
    with cloud('twin') as found:
        found.follow()
        found.new.root('STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=60; START SLAVE')
        found.load()
        found.goes_on()
        monkeypatch.setattr(handover.HandOver, '_catch_up', lambda *_: '')  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        monkeypatch.setattr(handover, 'covers', lambda *_: True)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        for safeguard in ('hold', 'hand_on'):
            monkeypatch.setattr(relays, safeguard, lambda *_: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        found.switch()
        found.goes_on()
        journal = found.end()
        acknowledged = {number for number, _, _, said in journal if not said}
        assert not acknowledged <= found.rows(found.new)
        assert [said for *_, said in journal if 'read-only' in said]
