"""What a replica does to follow, and a server to be followed; a former one looks who comes by it."""

from __future__ import annotations

import dataclasses
from typing import cast

import charmkit
import former
import grants
import handover
import pytest
import relays
import replica_node
import replicas
import replication
import server
from charmkit.machine import Finished

HERE, THERE = '10.0.0.2', '10.0.0.1'
PASSWORD = 'p' * 32


def table(*rows: dict[str, str]) -> Finished:
    if not rows:
        return Finished(0)
    return Finished(0, '\n'.join(['\t'.join(rows[0]), *('\t'.join(r.values()) for r in rows)]))


@dataclasses.dataclass
class Replica:
    """A unit's own MariaDB, and another one that it may follow."""

    databases: tuple[str, ...] = ('mysql', 'sys')
    applied: str = ''
    source: str = ''
    io: str = 'No'
    sql: str = 'No'
    wrong: str = ''
    behind: list[str] = dataclasses.field(default_factory=lambda: ['0'])
    """What it says one time after the other; the last stays."""
    theirs: tuple[str, ...] = ('mysql', 'nova', 'keystone')
    their_read_only: str = '0'
    their_bytes: str = '1000'
    their_clients: list[dict[str, str]] = dataclasses.field(default_factory=list[dict[str, str]])
    silent: bool = False
    """The other one does not answer."""
    left: int = 10_000
    fails: str = ''
    """A program that has this in an argument fails."""
    log_bin: str = '1'
    after_restart: str = '1'
    written: str = '0-100-7'
    accounts: dict[tuple[str, str], str] = dataclasses.field(
        default_factory=dict[tuple[str, str], str]
    )
    dirty: list[str] = dataclasses.field(default_factory=lambda: ['0'])
    sessions: int = 0
    refuses: str = ''
    files: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    done: list[str] = dataclasses.field(default_factory=list[str])
    clock: float = 0.0

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        self.files[path] = text
        self.done.append(f'write {path}')

    def program(self, *argv: str, stdin: str = '', timeout_s: float = 60) -> Finished:
        if self.fails and any(self.fails in one for one in argv):
            return Finished(1, 'it broke')
        match argv[0]:
            case 'df':
                return Finished(0, f'size avail\n99999 {self.left} 9 9 /\n')
            case 'rm':
                self.files.pop(argv[-1], None)
            case 'bash':
                self.done.append(_copy(argv))
                self.databases = self.theirs
            case 'systemctl' if 'restart' in argv:
                self.done.append('restart')
                self.log_bin = self.after_restart
            case 'nft' if 'delete' in argv:
                self.done.append('drop')
            case 'nft':
                self.done.append('hold' if 'redirect' in stdin else 'release')
            case 'mariadb':
                there = f'--host={THERE}' in argv
                if there and self.silent:
                    return Finished(1, "can't connect")
                return self._there(stdin) if there else self._here(stdin)
            case _:
                pass
        return Finished(0)

    def _there(self, sql: str) -> Finished:
        if sql == replication.LOOK:
            return table({'read_only': self.their_read_only, 'applied': '', 'written': 'x'})
        if sql == replication.STATUS:
            return table()
        if sql == grants.DATABASES:
            return table(*({'name': name} for name in self.theirs))
        if 'processlist' in sql:
            return table(*self.their_clients)
        assert 'data_length' in sql
        return table({'bytes': self.their_bytes})

    def _here(self, sql: str) -> Finished:  # noqa: C901 -- one case for each statement
        if self.refuses and self.refuses in sql:
            return Finished(1, f'ERROR: {self.refuses}')
        if sql == replication.LOOK:
            row = {'read_only': '1', 'applied': self.applied, 'written': self.written}
            return table({**row, 'log_bin': self.log_bin})
        if sql == replication.STATUS:
            if not self.source:
                return table()
            behind = self.behind.pop(0) if len(self.behind) > 1 else self.behind[0]
            status = {'Slave_IO_Running': self.io, 'Slave_SQL_Running': self.sql}
            said = {'Last_SQL_Error': self.wrong, 'Last_IO_Error': '', 'Master_Host': self.source}
            return table({**status, **said, 'Seconds_Behind_Master': behind})
        if sql == grants.DATABASES:
            return table(*({'name': name} for name in self.databases))
        if sql == grants.ACCOUNTS:
            priv = '{"plugin": "mysql_native_password", "authentication_string": "%s"}'
            return table(
                *(
                    {'User': user, 'Host': host, 'Priv': priv % hashed}
                    for (user, host), hashed in self.accounts.items()
                )
            )
        if 'pages_dirty' in sql:
            return table({'pages': self.dirty.pop(0) if len(self.dirty) > 1 else self.dirty[0]})
        if 'AS coming' in sql:
            return table({'coming': str(self.sessions)})
        if 'processlist' in sql:
            self.sessions -= bool(self.sessions)
            rows = [{'id': '1', 'command': 'Sleep', 'in_trx': '0'}] * self.sessions
            return table(*rows)
        self.done.append(sql)
        if 'CHANGE MASTER' in sql:
            self.source = sql.partition("MASTER_HOST='")[2].partition("'")[0]
        if 'START SLAVE' in sql and not self.wrong:
            self.io = self.sql = 'Yes'
        return Finished(0)


def _copy(argv: tuple[str, ...]) -> str:
    assert 'sql_log_bin = 0' in argv[2]
    assert argv[4] == THERE
    if '--system=users' in argv[2]:
        return 'copy accounts'
    return 'copy data' if '--single-transaction' in argv[2] else 'copy routines'


FOLLOW = replica_node.Follow(unit='mysql/0', address=THERE, password=PASSWORD)


def follow(machine: Replica) -> replica_node.Following:
    return FOLLOW.carry_out(cast('charmkit.Machine', machine))


def test_a_new_unit_copies_all_and_follows():
    machine = Replica()
    assert follow(machine) == replica_node.Following(copied=True, behind=0)
    assert [d for d in machine.done if d.startswith('copy')] == [
        'copy data', 'copy routines', 'copy accounts',
    ]  # fmt: skip
    assert machine.done[0] == f'write {replica_node.COPYING}'
    assert 'START SLAVE;' in machine.done[-1]
    assert 'MASTER_USE_GTID=slave_pos' in machine.done[-2]
    assert replica_node.COPYING not in machine.files


@pytest.mark.parametrize(
    ('how', 'said'),
    [
        ({'databases': ('mysql', 'nova')}, 'this unit has databases of its own (nova)'),
        ({'applied': '0-1-1'}, 'this unit has databases of its own (what it has applied)'),
        ({'silent': True}, 'mysql/0 does not answer'),
        ({'their_read_only': '1'}, 'mysql/0 takes no writes'),
        ({'their_bytes': '8000'}, 'the disk has 0 MiB left, and a copy needs 0 MiB'),
        ({'theirs': ('mysql', 'sys')}, 'mysql/0 holds no database yet'),
    ],
)
def test_nothing_is_copied_over_anything_or_from_what_may_be_no_server(
    how: dict[str, object], said: str
):
    machine = Replica(**how)  # pyright: ignore[reportArgumentType]
    found = follow(machine)
    assert found.reason.startswith(said)
    assert not found.copied
    assert not [d for d in machine.done if d.startswith('copy')]
    assert not machine.source


def test_the_disk_needs_half_as_much_again():
    assert follow(Replica(their_bytes='6666')).copied
    assert not follow(Replica(their_bytes='6668')).copied


@pytest.mark.parametrize('part', ['--single-transaction', '--routines --no', '--system=users'])
def test_a_copy_that_fails_is_made_anew_and_never_followed_with(part: str):
    machine = Replica(fails=part)
    assert follow(machine).reason.startswith('the copy of mysql/0 failed: it broke')
    assert not machine.source
    assert replica_node.COPYING in machine.files
    machine.fails, machine.applied = '', '0-100-7'  # Half of it is there.
    machine.databases = ('mysql', 'nova')
    assert follow(machine).copied


def test_one_that_was_killed_just_before_it_began_to_follow_goes_on():
    machine = Replica(source=THERE, databases=('mysql', 'nova'))
    machine.files[replica_node.COPYING] = 'mysql/0\n'
    assert follow(machine) == replica_node.Following(copied=True, behind=0)
    assert machine.done == ['START SLAVE;']
    assert replica_node.COPYING not in machine.files


def test_one_that_follows_is_left_alone():
    machine = Replica(source=THERE, io='Yes', sql='Yes')
    assert follow(machine).copied
    assert machine.done == []


def test_one_that_stopped_without_an_error_is_started():
    machine = Replica(source=THERE)
    assert follow(machine) == replica_node.Following(copied=True, behind=0)
    assert machine.done == ['START SLAVE;']


def test_one_that_stopped_with_an_error_says_it():
    machine = Replica(source=THERE, io='Yes', wrong='Duplicate entry')
    assert follow(machine).reason == 'Duplicate entry'
    assert machine.done == []


def test_one_whose_server_has_another_address_follows_it_there():
    machine = Replica(source='10.0.0.9', io='Yes', sql='Yes')
    assert follow(machine).copied
    assert machine.source == THERE


def test_one_that_is_late_is_waited_for_and_not_for_ever():
    machine = Replica(source=THERE, io='Yes', sql='Yes', behind=['9', '9', '4', '1', '0'])
    assert follow(machine).behind == 0
    assert machine.clock > 0
    machine = Replica(source=THERE, io='Yes', sql='Yes', behind=['9'])
    assert follow(machine).behind == 9
    assert replica_node.FOLLOW_S < machine.clock < replica_node.FOLLOW_S + 5


def test_one_that_does_not_answer_says_so():
    assert 'CHANGE' in follow(Replica(refuses='CHANGE')).reason


# --- The server.

SOURCE = replica_node.Source(here=HERE, addresses=frozenset({HERE, '10.0.0.3'}), password=PASSWORD)
USER = replicas.USER


def source(machine: Replica) -> str:
    return SOURCE.carry_out(cast('charmkit.Machine', machine))


def test_a_server_with_a_binary_log_is_not_restarted_to_be_followed():
    machine = Replica()
    assert source(machine) == ''
    assert 'restart' not in machine.done
    assert 'hold' not in machine.done
    assert f"'{USER}'@'10.0.0.3'" in machine.done[-1]


def test_one_without_it_is_restarted_once_and_its_clients_wait():
    machine = Replica(log_bin='0', sessions=4, dirty=['5000', '3000', '10'])
    assert source(machine) == ''
    steps = [d for d in machine.done if d in ('hold', 'restart', 'release')]
    assert steps == ['hold', 'restart', 'release']
    assert machine.sessions == 0
    assert machine.clock > 1  # What is to be written first, is: nobody waits for that.
    assert machine.done.index('hold') > machine.done.index(
        'SET GLOBAL innodb_max_dirty_pages_pct = 0;'
    )


def test_one_that_does_not_come_up_lets_clients_go_on():
    machine = Replica(log_bin='0', fails='restart')
    assert source(machine).startswith('mariadb was not restarted: it broke')
    assert machine.done[-1] == 'release'


def test_one_whose_log_is_off_all_the_same_says_so():
    machine = Replica(log_bin='0', after_restart='0')
    assert source(machine).startswith('its binary log is off, also after a restart')


def test_without_a_relay_it_is_not_restarted():
    machine = Replica(log_bin='0', fails='is-active')
    assert 'does not run' in source(machine)
    assert 'restart' not in machine.done


@pytest.mark.parametrize(('written', 'made'), [('0-100-7', False), ('', True)])
def test_its_accounts_are_made_anew_where_nothing_says_how_far_it_is(written: str, made: bool):
    hashed = grants.hashed(PASSWORD)
    there = {(USER, address): hashed for address in SOURCE.addresses}
    machine = Replica(written=written, accounts=there)
    assert source(machine) == ''
    assert bool(machine.done) == made


def test_what_it_refuses_is_told():
    assert source(Replica(refuses='GRANT')) == 'ERROR: GRANT'


# --- A former server.


def watch(machine: Replica, most_s: float = 0.0) -> tuple[str, ...] | None:
    task = former.Watch(address=THERE, here=HERE, most_s=most_s)
    return task.carry_out(cast('charmkit.Machine', machine))


def test_only_those_that_come_by_it_count():
    machine = Replica(
        their_clients=[
            {'user': 'nova', 'host': f'{HERE}:51000'},
            {'user': 'glance', 'host': '10.0.0.77:51000'},
            {'user': 'keystone', 'host': f'{HERE}:51001'},
        ]
    )
    assert watch(machine) == ('keystone', 'nova')
    machine.their_clients = machine.their_clients[1:2]
    assert watch(machine) == ()
    machine.silent = True
    assert watch(machine) is None


def test_a_drain_waits_until_nobody_comes_and_not_for_ever():
    machine = Replica(their_clients=[{'user': 'nova', 'host': f'{HERE}:1'}])
    assert watch(machine, 60.0) == ('nova',)
    assert 60 <= machine.clock < 70
    gone = Replica()
    assert watch(gone, 60.0) == ()
    assert gone.clock == 0


def test_a_relay_that_is_needed_no_more_goes_once_nobody_comes_by_it():
    machine = Replica()
    retire = relays.Retire(here=HERE)
    seam = cast('charmkit.Machine', machine)
    assert retire.carry_out(seam)  # There is none.
    assert machine.done == []
    machine.files[relays.UNIT] = 'x'
    held = dataclasses.replace(machine, files={**machine.files, relays.STATE: 'hold'})
    silent = dataclasses.replace(machine, refuses='coming')
    needed = dataclasses.replace(machine, sessions=1)
    for there in (held, silent, needed):
        assert not retire.carry_out(cast('charmkit.Machine', there))
        assert relays.UNIT in there.files
    assert retire.carry_out(seam)
    assert 'drop' in machine.done


def test_the_charms_own_sessions_are_no_clients():
    assert USER in relays.OURS
    assert all(f"'{one}'" in relays.OURS for one in server.OURS)
    assert handover.OPEN.index('STOP') < handover.OPEN.index('RESET') < handover.OPEN.index('SET')
