"""Three real members: founded with data, killed, stopped, started again; hooks run as Juju runs them."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import charmkit
import cluster_run
import galera
import galera_node
import pytest

from tools import systems

from . import members

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope='session', params=systems.BASES)
def app(request: pytest.FixtureRequest) -> Iterator[members.Application]:
    """One unit with a client and data; then three."""
    names = [f'rambla-galera-test-{request.param}-{os.getpid()}-{n}' for n in range(3)]
    try:
        first = members.start(request.param, 0, names[0])
        app = members.Application({first.unit: first}, first.unit)
        app.asks = {'database': 'nova', 'username': 'nova', 'hostname': first.address}
        app.hooks()
        first.root('CREATE TABLE nova.t (a INT PRIMARY KEY); INSERT INTO nova.t VALUES (0)')
        assert first.root("SHOW VARIABLES LIKE 'wsrep_on'").split() == ['wsrep_on', 'OFF']
        for n in (1, 2):
            unit = members.start(request.param, n, names[n])
            app.members[unit.unit] = unit
        yield app
    finally:
        for name in names:
            systems.remove(name)


@pytest.fixture(autouse=True)
def reached() -> None:
    """Each test says itself which member a backup is of."""


@pytest.fixture(autouse=True)
def whole(app: members.Application) -> None:
    """All three are members, and serve."""
    for member in app.members.values():
        member.program('systemctl', 'unmask', '--runtime', 'mariadb')
    app.until_whole()
    app.hooks()


def until(true: Callable[[], object], what: Callable[[], object] = lambda: '') -> None:
    """A cluster takes its time."""
    end = time.monotonic() + 240
    while not true():
        assert time.monotonic() < end, what()
        time.sleep(0.5)


def serve(app: members.Application) -> bool:
    return all(m.state().startswith('200') for m in app.members.values())


def put(app: members.Application, number: int) -> bool:
    """A client's write, where the answers that it has send it."""
    found = app.database()
    assert found
    client = app.members['mysql/0']
    login = f'mariadb --protocol=tcp --connect-timeout=5 -h {found.host} -u {found.user} nova'
    done = client.program(
        *('sh', '-c', f'MYSQL_PWD=$(cat) exec timeout 10 {login} -e "$0"'),
        f'INSERT INTO t VALUES ({number})',  # noqa: S608 -- a number
        stdin=found.password,
    )
    return done.status == 0


class Load:
    """Writes, one after the other, and which of them were acknowledged."""

    def __init__(self, app: members.Application, first: int) -> None:
        self.app, self.number = app, first
        self.kept: set[int] = set()
        self.lost = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def _write(self) -> None:
        while not self._over.is_set():
            self.number += 1
            if put(self.app, self.number):
                self.kept.add(self.number)
            else:
                self.lost += 1

    def __enter__(self) -> Load:
        self._thread.start()
        until(lambda: self.kept)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def there(app: members.Application, unit: str) -> set[int]:
    rows = app.members[unit].root('SET SESSION wsrep_sync_wait = 1; SELECT a FROM nova.t')
    return {int(row) for row in rows.split()}


def kill(member: members.Member) -> None:
    member.sh('systemctl kill -s KILL mariadb')


def test_a_server_with_data_becomes_a_cluster_of_three(app: members.Application):
    for member in app.members.values():
        assert '0' in member.root('SELECT a FROM nova.t').split()
        shown = member.root("SHOW STATUS WHERE Variable_name = 'wsrep_cluster_size'")
        assert shown.split() == ['wsrep_cluster_size', '3']
        file = member.sh(f'stat -c "%a %U:%G" {galera_node.CLUSTER}')
        assert file == '640 root:mysql'
    assert {s for s in app.status.values()} == {'active: '}
    # All say the same, and an account that was made by one holds at each.
    assert len({tuple(sorted(a.items())) for a in app.answers.values()}) == 1
    assert put(app, 1)
    assert 1 in there(app, 'mysql/2')


def test_one_pass_is_enough(app: members.Application):
    before = [dict(bag) for bag in app.bags.values()], dict(app.app), dict(app.answers)
    app.hooks()
    assert ([dict(bag) for bag in app.bags.values()], dict(app.app), dict(app.answers)) == before


def test_the_password_of_the_copies_is_nowhere_to_be_read(app: members.Application):
    for member in app.members.values():
        password = app.secrets[app.app['sst-password']]['value']
        found = member.program(
            'sh', '-c', 'ps axww; journalctl --no-pager -o cat; cat /proc/*/environ 2>/dev/null'
        )
        assert password not in found.output
        assert member.program('runuser', '-u', 'nobody', '--', 'cat', galera_node.CLUSTER).status
        assert password in member.sh(f'cat {galera_node.CLUSTER}')  # The twin.


def test_a_member_that_is_killed_comes_back_and_nothing_acknowledged_is_lost(
    app: members.Application,
):
    victim = app.members[app.writer]
    with Load(app, 1000) as load:
        kill(victim)
        until(lambda: not victim.state().startswith('200'))
        others = [u for u in app.members if u != victim.unit]
        # Who leads is on one of the others by now.
        app.leader = others[0]
        until(lambda: (app.hook(app.leader), app.writer)[1] != victim.unit, lambda: app.status)
        for unit in others:
            app.hook(unit)
        count = len(load.kept)
        until(lambda: len(load.kept) > count, lambda: app.answers)
        until(lambda: serve(app))
    for unit in app.members:
        assert load.kept <= there(app, unit)
    # What the lost one had said counts no more.
    assert app.database() is not None
    assert app.database().host != victim.address  # pyright: ignore[reportOptionalMemberAccess]


def test_all_members_that_are_killed_come_back_by_themselves(app: members.Application):
    with Load(app, 2000) as load:
        time.sleep(2)
        together = [
            subprocess.Popen(
                ('podman', 'exec', m.name, 'systemctl', 'kill', '-s', 'KILL', 'mariadb')
            )
            for m in app.members.values()
        ]
        for each in together:
            assert each.wait() == 0
        until(lambda: load.lost > 1)
    until(lambda: serve(app), lambda: {u: m.state() for u, m in app.members.items()})
    for unit in app.members:
        assert load.kept <= there(app, unit)


def test_all_members_that_were_stopped_start_again_from_the_last_one(app: members.Application):
    order = ('mysql/1', 'mysql/0', 'mysql/2')
    for n, unit in enumerate(order):
        assert put(app, 3000 + n)
        app.members[unit].sh('systemctl stop mariadb')
        if unit == app.writer and unit != order[-1]:
            app.leader = order[-1]
            app.hook(order[-1])
    # The machines start, and so does mariadb: it waits for a component that nobody starts.
    for member in app.members.values():
        member.sh('systemctl start --no-block mariadb')
    time.sleep(5)
    assert not any(m.state().startswith('200') for m in app.members.values())
    permit = cluster_run.permitted(app.inputs('mysql/0'))
    assert permit
    app.until_whole()
    after = cluster_run.permitted(app.inputs('mysql/0'))
    assert after == galera.Permit(
        turn=permit.turn + 1, unit='mysql/2', why='safe', since=permit.turn
    )
    for unit in app.members:
        assert {3000, 3001, 3002} <= there(app, unit)


def test_a_crash_of_which_one_member_does_not_return_waits_for_the_operator(
    app: members.Application,
):
    app.leader = 'mysql/0'
    app.hooks()
    assert put(app, 4000)
    gone = app.members['mysql/2']
    gone.sh('systemctl mask --runtime mariadb; systemctl mask --runtime --now mysql-health')
    for member in (gone, app.members['mysql/0'], app.members['mysql/1']):
        kill(member)
    alive = ('mysql/0', 'mysql/1')

    def hooks() -> None:
        for unit in alive:
            app.hook(unit)

    try:
        time.sleep(10)
        hooks()
        assert 'no majority of the cluster is in sight' in app.status['mysql/1']
        asked = app.action('mysql/0', cluster_run.REBOOT)
        assert asked.failure == ''
        hooks()
        hooks()
        again = app.action('mysql/0', cluster_run.REBOOT)
        assert 'mysql/2 may have what no other member has' in again.failure
        done = app.action('mysql/0', cluster_run.REBOOT, force=True)
        assert done.failure == ''
        for _ in range(3):
            hooks()
        until(
            lambda: all(app.members[u].state().startswith('200') for u in alive),
            lambda: app.status,
        )
        for unit in alive:
            assert 4000 in there(app, unit)
    finally:
        gone.sh('systemctl unmask --runtime mariadb mysql-health; systemctl start mysql-health')


def test_a_member_that_has_no_majority_says_so_and_nobody_is_sent_to_it(app: members.Application):
    lonely = app.members['mysql/1']
    others = [m for m in app.members.values() if m is not lonely]
    for other in others:
        lonely.sh(f'ip route add blackhole {other.address}/32')
    try:
        until(lambda: '503' in lonely.state() and 'majority' in lonely.state(), lonely.state)
        app.hook('mysql/1')
        assert app.status['mysql/1'].startswith('blocked: no majority of the cluster is in sight')
        assert all(m.state().startswith('200') for m in others)
    finally:
        for other in others:
            lonely.sh(f'ip route del blackhole {other.address}/32')
    until(lambda: serve(app))


@pytest.mark.parametrize(
    ('sql', 'back', 'reason'),
    [
        ('SET GLOBAL wsrep_desync = ON', 'SET GLOBAL wsrep_desync = OFF', 'wsrep_desync is on'),
        ('SET GLOBAL read_only = ON', 'SET GLOBAL read_only = OFF', 'it refuses all writes'),
    ],
)
def test_a_member_that_is_not_well_is_nobodys_choice(
    app: members.Application, sql: str, back: str, reason: str
):
    member = app.members['mysql/1']
    assert member.state().startswith('200')
    member.root(sql)
    try:
        until(lambda: reason in member.state(), member.state)
        assert member.state().startswith('503')
    finally:
        member.root(back)
    until(lambda: member.state().startswith('200'))


def test_behind_haproxy_all_clients_are_with_one_member_and_go_to_another_when_it_is_lost(
    app: members.Application,
):
    """As the load balancer's charm has it: one server, and backups; health is asked for over HTTP."""
    where = app.members['mysql/0']
    servers = '\n'.join(
        f'  server {galera_node.name(u)} {m.address}:3306 check port 9200{"" if u == app.writer else " backup"}'
        for u, m in sorted(app.members.items())
    )
    config = (
        'defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n'
        'listen mysql\n  bind 127.0.0.1:3307\n  option httpchk GET /\n  http-check expect status 200\n'
        f'  default-server inter 1s fall 3 rise 2\n{servers}\n'
    )
    found = app.database()
    assert found

    def member() -> str:
        login = (
            f'mariadb --protocol=tcp --connect-timeout=5 -h 127.0.0.1 -P 3307 -u {found.user} -NB'
        )
        done = where.program(
            *(
                'sh',
                '-c',
                f'MYSQL_PWD=$(cat) exec timeout 10 {login} -e "SELECT @@wsrep_node_name"',
            ),
            stdin=found.password,
        )
        return done.output.strip() if done.status == 0 else ''

    put_ = 'cat > /tmp/h.cfg; haproxy -c -f /tmp/h.cfg && haproxy -D -f /tmp/h.cfg -p /tmp/h.pid'
    started = where.program('sh', '-c', put_, stdin=config)
    assert started.status == 0, started.output
    victim = app.members[app.writer]
    name = galera_node.name(victim.unit)
    try:
        until(member)
        assert {member() for _ in range(8)} == {name}
        victim.sh('systemctl mask -q --runtime mariadb; systemctl kill -s KILL mariadb')
        until(lambda: member() not in ('', name))
        assert len({member() for _ in range(8)}) == 1
    finally:
        victim.sh(
            'systemctl unmask -q --runtime mariadb; systemctl reset-failed mariadb; systemctl start mariadb'
        )
        until(lambda: serve(app))
        until(lambda: member() == name)
        where.sh('kill $(cat /tmp/h.pid)')


def test_a_backup_of_any_member_is_restored_to_all(app: members.Application):
    import pathlib
    import tempfile

    import backups

    other = next(m for u, m in app.members.items() if u != app.writer)
    writer = app.members[app.writer]
    assert put(app, 5000)
    with tempfile.TemporaryDirectory() as folder:
        at = members.time_of_day()
        made = backups.make(other, pathlib.Path(folder), at, print)  # pyright: ignore[reportArgumentType]
        assert put(app, 5001)
        before = app.database()
        backups.restore(writer, made.path, print)  # pyright: ignore[reportArgumentType]
    for unit in app.members:
        assert 5000 in there(app, unit)
        assert 5001 not in there(app, unit)
    app.hooks(2)
    after = app.database()
    assert before
    assert after
    # Clients are told that it is not what it was, by all alike, and once.
    assert after.generation not in ('', before.generation)
    assert {a['generation'] for a in app.answers.values()} == {after.generation}
    app.hooks()
    assert {a['generation'] for a in app.answers.values()} == {after.generation}


def test_a_unit_that_has_other_databases_joins_only_when_it_is_told_to_give_them_up(
    app: members.Application,
):
    stranger = app.members['mysql/1']
    app.leader = 'mysql/0'
    stranger.sh(
        f'systemctl stop mariadb; rm {galera_node.CLUSTER} /var/lib/mysql/grastate.dat; systemctl start mariadb'
    )
    stranger.root('CREATE DATABASE precious; CREATE TABLE precious.t (a INT)')
    stranger.paths.pop(galera_node.CLUSTER)
    app.bags['mysql/1'] = {}
    app.hooks(3)
    assert app.status['mysql/1'].startswith('blocked: mysql/1 has databases of its own')
    assert stranger.root("SHOW DATABASES LIKE 'precious'") == 'precious'
    refused = app.action('mysql/1', cluster_run.REJOIN)
    assert 'discard-data=true' in refused.failure
    done = app.action('mysql/1', cluster_run.REJOIN, **{'discard-data': True})
    assert done.failure == ''
    app.until_whole()
    assert stranger.root("SHOW DATABASES LIKE 'precious'") == ''
    assert stranger.sh('ls /var/lib/mysql.discarded/precious')


def test_units_that_leave_are_missed_and_the_last_one_stands_alone(app: members.Application):
    """The last test: it takes the cluster apart."""
    app.leader = 'mysql/1'
    app.hooks()
    assert put(app, 6000)
    for unit in ('mysql/0', 'mysql/2'):
        app.hook(unit, charmkit.Hook('stop'))
        gone = app.members.pop(unit)
        app.bags.pop(unit)
        app.answers.pop(unit)
        for other in sorted(app.members):
            app.hook(other, charmkit.Hook('peers-relation-departed', unit))
        assert gone.program('systemctl', 'is-active', 'mariadb').output.strip() != 'active'
    app.hooks(2)
    last = app.members['mysql/1']
    assert app.app.get(cluster_run.PERMIT, '') == ''
    assert last.root("SHOW VARIABLES LIKE 'wsrep_on'").split() == ['wsrep_on', 'OFF']
    assert '6000' in last.root('SELECT a FROM nova.t').split()
    assert app.status['mysql/1'] == 'active: '
    # Its machine starts anew, and so does it.
    last.sh('systemctl restart mariadb')
    found = app.database()
    assert found
    assert found.host == last.address
