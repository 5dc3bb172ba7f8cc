"""What others do to a real MariaDB: restore it by hand, change its accounts, leave packages' defaults in it."""

from __future__ import annotations

import datetime
import pathlib
import subprocess

import backups
import grants
import mariadb
import pytest
from charmkit import disks

from .conftest import Machine
from .test_server import KEYS, NOW, SEED, asked, converge, seam, started

__all__ = ('started',)
pytestmark = pytest.mark.functional


def by_hand(machine: Machine, script: str) -> None:
    done = machine.run('sh', '-c', script)
    assert done.returncode == 0, done.stderr


def generation(machine: Machine, name: str, fresh: str) -> str:
    return converge(machine, asked(machine, name), fresh=fresh).generations[name]


def fill(machine: Machine, name: str) -> None:
    machine.root(f'DROP DATABASE IF EXISTS {name}')
    converge(machine, asked(machine, name), fresh='made')
    machine.root(f'CREATE TABLE {name}.a (x INT PRIMARY KEY); CREATE TABLE {name}.b (y INT)')


HANDS = {
    'whole': 'mariadb-dump --databases {0} > /tmp/d.sql; mariadb < /tmp/d.sql',
    'dropped first': 'mariadb-dump --add-drop-database --databases {0} > /tmp/d.sql; mariadb < /tmp/d.sql',
    'tables alone': 'mariadb-dump {0} > /tmp/d.sql; mariadb {0} < /tmp/d.sql',
    'made anew': 'mariadb -e "DROP DATABASE {0}; CREATE DATABASE {0}"',
}


@pytest.mark.parametrize('script', HANDS.values(), ids=HANDS.keys())
def test_a_restore_by_hand_gives_a_new_generation(machine: Machine, script: str):
    fill(machine, 'aodh')
    before = generation(machine, 'aodh', 'one')
    by_hand(machine, script.format('aodh'))
    after = generation(machine, 'aodh', 'two')
    assert after
    assert after != before
    assert generation(machine, 'aodh', 'three') == after


def test_migrations_and_restarts_keep_the_generation(machine: Machine):
    """The twin: what happens every day is no restore."""
    fill(machine, 'aodh')
    before = generation(machine, 'aodh', 'one')
    machine.root(
        'CREATE TABLE aodh.c (z INT); ALTER TABLE aodh.b ADD COLUMN n VARCHAR(9), ADD INDEX (n);'
        'DROP TABLE aodh.b; INSERT INTO aodh.a VALUES (1); ALTER TABLE aodh.a ADD COLUMN m INT'
    )
    assert generation(machine, 'aodh', 'meanwhile') == before
    oldest = (
        "SELECT MIN(table_id) FROM information_schema.innodb_sys_tables WHERE name LIKE 'aodh/%'"
    )
    first = machine.root(oldest)
    machine.root(
        'OPTIMIZE TABLE aodh.a; ALTER TABLE aodh.a CONVERT TO CHARACTER SET utf8mb4, FORCE'
    )
    assert machine.root(oldest) != first, 'the oldest table was not made anew: this shows nothing'
    by_hand(machine, 'systemctl restart mariadb')
    assert generation(machine, 'aodh', 'two') == before


def test_a_restore_of_a_backup_gives_a_new_generation(machine: Machine, tmp_path: pathlib.Path):
    fill(machine, 'aodh')
    before = generation(machine, 'aodh', 'one')
    made = backups.make(seam(machine), tmp_path, NOW, lambda _: None)
    backups.restore(seam(machine), made.path, lambda _: None)
    assert generation(machine, 'aodh', 'two') not in ('', before)


NEW_CONNECTION = """
import sys, pymysql
c = pymysql.connect(host=sys.argv[1], user='heat', password=sys.stdin.read(), charset='utf8mb4')
c.cursor().execute('SELECT 1')
"""


def test_a_rotation_loses_no_connection(machine: Machine):
    done = machine.run('sh', '-c', 'apt-get install -y -q --no-install-recommends python3-pymysql')
    assert done.returncode == 0, done.stderr
    want = asked(machine, 'heat')
    converge(machine, want)
    during = grants.Keys(SEED, {'heat': 1}, frozenset({'heat'}))
    after = grants.Keys(SEED, {'heat': 1})
    old, new = KEYS.password('heat'), during.password('heat')

    def lets_in(password: str) -> bool:
        python = machine.program('python3', '-c', NEW_CONNECTION, machine.address, stdin=password)
        client = machine.login('heat', password)
        assert (python.status == 0) == (client.returncode == 0), python.output + client.stderr
        return python.status == 0

    assert (lets_in(old), lets_in(new)) == (True, False)
    held = subprocess.Popen(
        (
            *('podman', 'exec', '-i', '--env', f'MYSQL_PWD={old}', machine.name),
            *(
                'mariadb',
                '--protocol=tcp',
                '-h',
                machine.address,
                '-u',
                'heat',
                '-N',
                '--unbuffered',
            ),
        ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert held.stdin
    assert held.stdout
    held.stdin.write("SELECT 'here';\n")
    held.stdin.flush()
    assert held.stdout.readline().strip() == 'here'
    converge(machine, want, during)
    assert (lets_in(old), lets_in(new), lets_in('x')) == (True, True, False)
    assert converge(machine, want, during).done == ()
    converge(machine, want, after)
    assert (lets_in(old), lets_in(new)) == (False, True)
    # Who is in stays in.
    said, _ = held.communicate("SELECT 'still';\n", timeout=20)
    assert said.strip() == 'still'
    converge(machine, want)


def test_a_password_changed_outside_is_changed_back_and_anything_else_that_lets_in_is_gone(
    machine: Machine,
):
    want = asked(machine, 'heat')
    converge(machine, want)
    at = f"heat@'{machine.address}'"
    right = KEYS.password('heat')
    for other in (
        "IDENTIFIED BY 'other'",
        f"IDENTIFIED VIA mysql_native_password USING PASSWORD('{right}') "
        "OR mysql_native_password USING PASSWORD('other')",
    ):
        machine.root(f'ALTER USER {at} {other}')
        assert machine.login('heat', 'other').returncode == 0
        converge(machine, want)
        assert machine.login('heat', 'other').returncode
        assert machine.login('heat', right).returncode == 0


MIGRATION = (
    'CREATE TABLE {0}.p (id VARCHAR(64) PRIMARY KEY, name VARCHAR(255)) CHARSET=utf8;'
    'CREATE TABLE {0}.c (pid VARCHAR(64), odd VARCHAR(9) COLLATE utf8_bin, '
    'FOREIGN KEY (pid) REFERENCES {0}.p (id)) CHARSET=utf8'
)


def test_an_emoji_in_a_name_comes_back_though_the_service_says_utf8(machine: Machine):
    machine.root('DROP DATABASE IF EXISTS mistral')
    converge(machine, asked(machine, 'mistral'))
    password = KEYS.password('mistral')
    for sql in (MIGRATION.format('mistral'), "INSERT INTO mistral.p VALUES ('1', 'rocket 🚀')"):
        done = machine.run(
            *(
                'mariadb',
                '--protocol=tcp',
                '--default-character-set=utf8mb4',
                '-h',
                machine.address,
            ),
            *('-u', 'mistral', '-e', sql),
            password=password,
        )
        assert done.returncode == 0, done.stderr
    assert machine.root('SELECT HEX(name) FROM mistral.p').endswith('F09F9A80')
    # On both releases the same, so that one that moves from one to the other can go on.
    assert (
        machine.root(
            "SELECT DISTINCT table_collation FROM information_schema.tables WHERE table_schema='mistral'"
        )
        == 'utf8mb4_general_ci'
    )


def test_a_database_of_the_old_kind_can_be_migrated_further(machine: Machine):
    machine.root(
        'DROP DATABASE IF EXISTS mistral; CREATE DATABASE mistral CHARACTER SET utf8mb3;'
        'CREATE TABLE mistral.o (id VARCHAR(64) PRIMARY KEY) CHARSET=utf8mb3'
    )
    more = 'CREATE TABLE mistral.n (o VARCHAR(64), FOREIGN KEY (o) REFERENCES mistral.o (id)) CHARSET=utf8'
    # The twin: in a database of the new kind, `utf8` would be what this one cannot refer to.
    assert machine.run('mariadb', '-e', f"SET old_mode=''; {more}").returncode
    report = converge(machine, asked(machine, 'mistral'))
    assert 'mistral' in report.seen.three_byte
    machine.root(more)
    machine.root('DROP DATABASE mistral')
    converge(machine, asked(machine, 'mistral'))
    assert machine.root('SELECT @@global.old_mode') == ''


@pytest.mark.parametrize(
    ('line', 'words'),
    [
        ('no_such_option = 1', 'no_such_option'),
        ('innodb_buffer_pool_size = abc', 'innodb-buffer-pool-size'),
    ],
)
def test_a_configuration_that_mariadb_does_not_know_is_refused_in_its_own_words(
    machine: Machine, line: str, words: str
):
    good = machine.read(mariadb.CONFIG)
    assert good
    check = ('sh', '-c', mariadb.CHECK, 'sh', '/tmp/x.cnf')
    for config, status in ((good, 0), (f'{good}{line}\n', 1)):
        machine.program('sh', '-c', 'cat > /tmp/x.cnf', stdin=config)
        done = machine.program(*check)
        assert done.status == status, done.output
    assert words in done.output


def test_a_disk_is_seen(machine: Machine):
    by_hand(machine, 'mkdir -p /mnt/small && mount -t tmpfs -o size=1m,ro none /mnt/small')
    found = {
        d.path: d
        for d in disks.ProbeDisks(('/mnt/small', '/var/lib/mysql', '/no')).carry_out(seam(machine))
    }
    assert found['/mnt/small'].size == 1 << 20
    assert [d.read_only for d in found.values()] == [True, False]
    by_hand(machine, 'umount /mnt/small')


def test_what_the_package_leaves_is_as_it_was_decided(machine: Machine):
    """Decided: no anonymous account and no database to play with; root and mysql by their system accounts alone.

    The error log goes to the journal, so logrotate has nothing to rotate and flushes nothing. `debian-start` (it brings
    the system tables to a new version of the package) stays.
    """
    accounts = machine.root(
        "SELECT CONCAT(User, '@', Host) FROM mysql.global_priv WHERE Host = 'localhost'"
    )
    theirs = [
        a for a in accounts.split() if a != 'charm-sessions@localhost'
    ]  # Ours: idle_sessions.
    assert theirs == ['mariadb.sys@localhost', 'mysql@localhost', 'root@localhost']
    assert machine.root("SELECT COUNT(*) FROM mysql.global_priv WHERE User = ''") == '0'
    assert machine.root("SHOW DATABASES LIKE 'test%'") == ''
    assert machine.run(
        'runuser', '-u', 'nobody', '--', 'mariadb', '-u', 'root', '-e', 'SELECT 1'
    ).returncode
    assert machine.login('root', '').returncode
    assert machine.login('root', 'invalid', host='127.0.0.1').returncode
    listening = machine.run('ss', '-Hltn', 'sport = 3306').stdout
    assert sorted(line.split()[3] for line in listening.splitlines()) == sorted(
        ['127.0.0.1:3306', f'{machine.address}:3306']
    )
    before = machine.root("SHOW GLOBAL STATUS LIKE 'Flush_commands'")
    by_hand(machine, 'logrotate --force /etc/logrotate.d/mariadb')
    assert machine.root("SHOW GLOBAL STATUS LIKE 'Flush_commands'") == before
    # Nothing of the package's runs by a clock.
    timers = machine.run('sh', '-c', 'systemctl list-timers --all; ls /etc/cron.*').stdout
    assert 'maria' not in timers.lower()
    assert 'mysql' not in timers.lower()


def test_a_backup_without_room_leaves_the_former_ones_whole(
    machine: Machine, tmp_path: pathlib.Path
):
    machine.root('CREATE DATABASE IF NOT EXISTS room; CREATE TABLE IF NOT EXISTS room.t (a INT)')
    former = backups.make(seam(machine), tmp_path, NOW, lambda _: None)
    whole = former.path.read_bytes()
    room = tmp_path / 'full'
    room.mkdir()
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', room], check=True)
    try:
        (room / former.path.name).write_bytes(whole[:20_000])
        (room / 'filler').write_bytes(b'x' * 40_000)
        at = NOW + datetime.timedelta(hours=1)
        machine.root(
            'USE room; CREATE TABLE IF NOT EXISTS big (a LONGBLOB);'
            'INSERT INTO big SELECT RANDOM_BYTES(1024) FROM seq_1_to_200'
        )
        with pytest.raises(backups.BackupError, match='No space left on device'):
            backups.make(seam(machine), room, at, lambda _: None)
        assert sorted(p.name for p in room.iterdir()) == sorted([former.path.name, 'filler'])
        assert (room / former.path.name).read_bytes() == whole[:20_000]
    finally:
        machine.root('DROP TABLE IF EXISTS room.big')
        subprocess.run(['umount', room], check=True)
