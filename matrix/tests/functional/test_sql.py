"""A load on a real MariaDB of each base: a right server passes, also when it is killed; each wrong one is seen.

One server and one replica of it in a container. Wrong are: a replica that is late, a server that does not store what it
acknowledged, and a way to it on which a compare-and-set loses what it compares.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
import pathlib
import shlex
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping

import pytest

from matrix.history import journal
from matrix.judge import histories, trial, verdict
from matrix.juju import link
from matrix.load import openloop, sql, sqlspec
from matrix.plans import snapshot
from tools import systems

pytestmark = [
    pytest.mark.functional,
    pytest.mark.skipif(os.geteuid() != 0, reason='containers with systemd need root'),
]

VARIABLE = 'MATRIX_TEST_ACCOUNT'
PASSWORD = 'correct-horse-battery'
RATE, SECONDS = 60.0, 6.0
REPLICA = 3307

CONFIG = """
[mariadbd]
bind-address = 0.0.0.0
server-id = 1
log-bin = binlog
binlog-format = ROW
"""

_SETUP = f"""
CREATE DATABASE shop;
CREATE USER clerk IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON shop.* TO clerk;
CREATE USER follower IDENTIFIED BY 'follows';
GRANT REPLICATION SLAVE ON *.* TO follower;
"""

_FOLLOW = f"""
set -eu
install -d -o mysql -g mysql /var/lib/replica
mariadb-install-db --user=mysql --datadir=/var/lib/replica --skip-test-db >/dev/null
systemd-run --unit=replica -- /usr/sbin/mariadbd --no-defaults --user=mysql --datadir=/var/lib/replica \
    --port={REPLICA} --bind-address=0.0.0.0 --socket=/run/mysqld/replica.sock --server-id=2
for _ in $(seq 150); do mariadb --socket=/run/mysqld/replica.sock -e '' 2>/dev/null && break; sleep 0.2; done
mariadb --socket=/run/mysqld/replica.sock -e "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_USER='follower', \
    MASTER_PASSWORD='follows', MASTER_CONNECT_RETRY=1"
# It says where in the log to begin; a host that is said later would have that forgotten.
mariadb-dump --all-databases --master-data=1 | mariadb --socket=/run/mysqld/replica.sock
mariadb --socket=/run/mysqld/replica.sock -e "FLUSH PRIVILEGES; START SLAVE"
"""


@dataclasses.dataclass(frozen=True)
class Machine:
    """A container with both servers."""

    name: str
    address: str

    def sh(self, script: str) -> str:
        done = subprocess.run(
            ('podman', 'exec', '-i', self.name, 'sh'),
            input=script,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def root(self, text: str, *options: str) -> str:
        """What a statement gives the administrator."""
        return self.sh(shlex.join(['mariadb', '-N', *options, '-e', text])).strip()

    def tables(self) -> str:
        return self.root('SHOW TABLES FROM shop')


@pytest.fixture(scope='module', params=systems.BASES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    name = f'rambla-matrix-sql-{request.param}-{os.getpid()}'
    try:
        found = Machine(name, systems.start(name, systems.base(request.param)))
        found.sh(
            'export DEBIAN_FRONTEND=noninteractive; apt-get -q update; '
            'apt-get -q -y install --no-install-recommends mariadb-server'
        )
        found.sh(
            f'cat > /etc/mysql/mariadb.conf.d/90-test.cnf <<EOF\n{CONFIG}\nEOF\nsystemctl restart mariadb'
        )
        found.root(_SETUP)
        found.sh(_FOLLOW)
        yield found
    finally:
        systems.remove(name)


@pytest.fixture
def account(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    path = tmp_path / 'account.cnf'
    path.write_text(f'[client]\nuser = clerk\npassword = {PASSWORD}\n')
    path.chmod(0o600)
    monkeypatch.setenv(VARIABLE, str(path))
    return path


@dataclasses.dataclass
class Model:
    """A model of one unit, which is the container."""

    machine: Machine
    model: str = 'one'

    def now(self) -> snapshot.Model:
        unit = snapshot.Unit('mysql/0', leader=True, address=self.machine.address)
        return snapshot.Model((snapshot.Application('mysql', (unit,)),))

    async def fresh(self) -> snapshot.Model:
        return self.now()

    async def _none(self) -> AsyncIterator[snapshot.Model]:
        yield self.now()

    def changes(self) -> AsyncIterator[snapshot.Model]:
        return self._none()

    async def script(
        self, target: str, text: str, *, env: Mapping[str, str] | None = None, within: float = 30
    ) -> link.ScriptResult:
        assert target == 'mysql/0'
        given = ''.join(f'export {name}={shlex.quote(one)}\n' for name, one in (env or {}).items())
        argv = ('podman', 'exec', '-i', self.machine.name, 'sh')
        done = await asyncio.to_thread(
            subprocess.run, argv, input=given + text, capture_output=True, text=True, check=False
        )
        return link.ScriptResult(done.returncode, done.stdout + done.stderr)

    async def run_action(
        self, unit: str, action: str, params: Mapping[str, object], *, within: float
    ) -> Mapping[str, object]:
        raise link.LinkError('no unit')

    async def add_unit(self, application: str, count: int = 1, to: str | None = None) -> None:
        raise link.LinkError('no')

    async def remove_unit(self, unit: str, *, force: bool = False) -> None:
        raise link.LinkError('no')

    async def cli(self, *args: str, within: float = 60) -> str:
        raise link.LinkError('no')


_runs = itertools.count(1)


@dataclasses.dataclass
class Used:
    """What a load wrote down."""

    entries: list[journal.Entry] = dataclasses.field(default_factory=list[journal.Entry])

    def write(self, what: journal.What) -> None:
        at = asyncio.get_running_loop().time()
        self.entries.append(journal.Entry(len(self.entries), at, '', what))

    @property
    def operations(self) -> list[journal.Operation]:
        return [one.what for one in self.entries if isinstance(one.what, journal.Operation)]

    def errors(self, phase: str) -> set[str]:
        return {one.error for one in self.operations if one.phase == phase}

    def verdicts(self) -> dict[str, verdict.Verdict]:
        of = trial.of('test', journal.Journal(tuple(self.entries)))
        return {
            name: histories.history(of, name, said) for name, said in histories.named(of).items()
        }


def _said(at: str, **more: object) -> sqlspec.Sql:
    said = sqlspec.Sql((at,), 'shop', account=sqlspec.Account(VARIABLE), timeout=5.0)
    return dataclasses.replace(said, **more)  # pyright: ignore[reportArgumentType]


async def _use(machine: Machine, said: sqlspec.Sql, *scripts: str) -> Used:
    """Use the database for some seconds; scripts are run after a third of them."""
    used, what = Used(), sql.Sql(said, Model(machine), f'test-{next(_runs)}')
    async with openloop.clients(what, write=used.write, seed=1) as them:
        going = asyncio.create_task(them.run(rate=RATE, drain=6.0))
        try:
            await asyncio.sleep(SECONDS / 3)
            for script in scripts:
                await asyncio.to_thread(machine.sh, script)
            await asyncio.sleep(SECONDS * 2 / 3)
        finally:
            going.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await going
    return used


def _impossible(found: Mapping[str, verdict.Verdict]) -> set[str]:
    return {name for name, one in found.items() if one.outcome is verdict.Outcome.FAIL}


def test_a_right_server_passes_and_keeps_nothing(machine: Machine, account: pathlib.Path) -> None:
    used = asyncio.run(_use(machine, _said(machine.address)))
    found = used.verdicts()
    assert {*found} == {*sqlspec.THINGS}
    assert {one.outcome for one in found.values()} == {verdict.Outcome.PASS}, found
    assert used.errors('info') == set()
    assert used.errors('fail') <= {'deadlock', 'lock wait'}
    assert len(used.operations) > RATE * SECONDS
    assert PASSWORD not in repr(used.entries)
    assert machine.tables() == ''


def test_a_server_that_is_killed_loses_nothing(machine: Machine, account: pathlib.Path) -> None:
    kill = 'systemctl kill --signal=KILL mariadb; systemctl restart mariadb'
    used = asyncio.run(_use(machine, _said(machine.address), kill))
    found = used.verdicts()
    assert {one.outcome for one in found.values()} == {verdict.Outcome.PASS}, found
    assert used.errors('fail') & {'refused', 'reset'}
    assert machine.tables() == ''


def test_a_server_that_may_not_write_refuses(machine: Machine, account: pathlib.Path) -> None:
    lock = "mariadb -e 'SET GLOBAL read_only = 1'; sleep 1; mariadb -e 'SET GLOBAL read_only = 0'"
    used = asyncio.run(_use(machine, _said(machine.address), lock))
    assert 'read-only' in used.errors('fail')
    assert used.errors('info') == set()
    assert {one.outcome for one in used.verdicts().values()} == {verdict.Outcome.PASS}


def test_sabotaged_a_late_replica_is_seen(machine: Machine, account: pathlib.Path) -> None:
    client = 'mariadb --socket=/run/mysqld/replica.sock -e '
    late = f"{client}'STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=2; START SLAVE'"
    said = _said(machine.address, read_at=(f'{machine.address}:{REPLICA}',))
    try:
        used = asyncio.run(_use(machine, said, late))
    finally:
        machine.sh(f"{client}'STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=0; START SLAVE'")
    assert _impossible(used.verdicts()) == {*sqlspec.THINGS}


LOSE = """
mariadb shop -e "CREATE TRIGGER lose BEFORE UPDATE ON $(mariadb -N shop -e 'SHOW TABLES') FOR EACH ROW
SET NEW.n = IF(@lost := RAND() < 0.3, OLD.n, NEW.n), NEW.v = IF(@lost, OLD.v, NEW.v)"
"""


def test_sabotaged_what_is_acknowledged_and_not_stored_is_seen(
    machine: Machine, account: pathlib.Path
) -> None:
    used = asyncio.run(_use(machine, _said(machine.address), LOSE))
    # An element of a set is a row that is inserted, so nothing of it is lost.
    assert _impossible(used.verdicts()) == {*sqlspec.THINGS} - {'set'}


@contextlib.asynccontextmanager
async def _way(address: str, *, forgetful: bool) -> AsyncGenerator[int]:
    """A way to the server; a forgetful one takes what is compared out of a compare-and-set."""
    tasks: set[asyncio.Task[None]] = set()

    async def hand_on(
        source: asyncio.StreamReader, to: asyncio.StreamWriter, *, forget: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := await source.read(1 << 16):
                to.write(piece.replace(b"e = '' AND v =", b"e = '' OR  v =") if forget else piece)
                await to.drain()
        to.close()

    async def both(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        near, far = await asyncio.open_connection(address, 3306)
        try:
            await asyncio.gather(
                hand_on(reader, far, forget=forgetful), hand_on(near, writer, forget=False)
            )
        finally:
            for end in (far, writer):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(both(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(client, '127.0.0.1', 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def plain(machine: Machine) -> Iterator[Machine]:
    """The server without TLS, so that what is said to it can be changed on the way."""
    config = '/etc/mysql/mariadb.conf.d/99-plain.cnf'
    machine.sh(f"printf '[mariadbd]\\nskip-ssl\\n' > {config}; systemctl restart mariadb")
    yield machine
    machine.sh(f'rm {config}; systemctl restart mariadb')


@pytest.mark.parametrize('forgetful', [False, True])
def test_sabotaged_a_compare_and_set_that_does_not_compare_is_seen(
    plain: Machine, account: pathlib.Path, forgetful: bool
) -> None:
    async def go() -> Used:
        async with _way(plain.address, forgetful=forgetful) as port:
            return await _use(plain, _said(f'127.0.0.1:{port}', things=('register',)))

    assert _impossible(asyncio.run(go()).verdicts()) == ({'register'} if forgetful else set())


def test_an_account_is_made_and_removed(machine: Machine) -> None:
    there = 'SELECT COUNT(*) FROM mysql.user; SHOW DATABASES'
    before = machine.root(there)
    said = sqlspec.Sql(('{mysql}',), '', account=sqlspec.Account('', '', 'mysql/leader'))
    used = asyncio.run(_use(machine, said))
    assert {one.outcome for one in used.verdicts().values()} == {verdict.Outcome.PASS}
    assert machine.root(there) == before


@pytest.mark.slow
def test_an_account_is_not_made_on_a_server_that_may_not_write(machine: Machine) -> None:
    said = sqlspec.Sql(('{mysql}',), '', account=sqlspec.Account('', '', 'mysql/0'))
    machine.root('SET GLOBAL read_only = 1')
    try:
        with pytest.raises(link.LinkError, match='mysql/0 makes no account: it may not write'):
            asyncio.run(_use(machine, said))
    finally:
        machine.root('SET GLOBAL read_only = 0')


@pytest.mark.slow
def test_who_may_not_make_a_table_is_refused(machine: Machine, account: pathlib.Path) -> None:
    account.write_text(account.read_text().replace(PASSWORD, 'a-wrong-one'))
    with pytest.raises(Exception, match=r'takes no table: .*Access denied') as refused:
        asyncio.run(_use(machine, _said(machine.address)))
    assert 'a-wrong-one' not in str(refused.value)


def test_ssl_ca_is_held_to(plain: Machine, account: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """A server without TLS is refused where the account asks for it."""
    authority = tmp_path / 'ca.pem'
    argv = 'openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=ca -days 2 -keyout /dev/null -out'
    subprocess.run((*argv.split(), str(authority)), check=True, capture_output=True)
    account.write_text(f'{account.read_text()}ssl-ca = {authority}\n')
    with pytest.raises(Exception, match='has no TLS, which ssl-ca asks for'):
        asyncio.run(_use(plain, _said(plain.address)))
