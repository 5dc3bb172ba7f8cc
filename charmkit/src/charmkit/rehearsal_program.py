"""Runs on a unit: migrations on a copy of its databases, one after the other, each timed.

    systemd-run --wait --pipe --property=PrivateTmp=yes … python3 rehearsal_program.py < what-to-do.json

The copy lies in ``/var/tmp``, in a MariaDB of its own, in a network that reaches nobody: there the database's address
is the copy's. So migrations run as they are, with the configuration that is there, and can touch nothing but the copy.
With ``PrivateTmp`` systemd removes it however this ends, also when the machine is started anew, and ends all that
this has begun. What is said goes to the standard output as JSON, one object a line; the last is the outcome.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

FOLDER = pathlib.Path('/var/tmp/rehearsal')  # noqa: S108 -- private: see above.
SPARE_BYTES = 1 << 30
"""Beside the data: the copy's own files (MariaDB's logs, system tables)."""
TIMES = 3
"""So many times as large as the data may the copy become: a migration that rebuilds a table has it twice."""
_START_S = 120.0
_LINES = 40
_SETTINGS = (
    'character_set_collations', 'character_set_server', 'collation_server', 'explicit_defaults_for_timestamp',
    'innodb_strict_mode', 'lock_wait_timeout', 'old_mode', 'sql_mode',
)  # fmt: skip
"""Variables of the server by which a migration does one thing or another."""
_SIZE = """
SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables WHERE table_schema = 'NAME';
"""
_VALUE = re.compile(r'[A-Za-z0-9_,.=-]*')


class RefusedError(Exception):
    """There is no copy; the text is one sentence, and holds no secret."""


class UnansweredError(RefusedError):
    """There is none since the real server does not answer: it may, later."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Database:
    """One of the unit's databases, as :class:`charmkit.relations.mysql.Database` has it."""

    name: str
    user: str
    host: str
    password: str = dataclasses.field(repr=False)
    ca_path: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One command, as :class:`charmkit.host.Command` has it."""

    kind: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = dataclasses.field(repr=False)
    accepted: tuple[int, ...]
    repeat_on: tuple[int, ...]
    timeout_s: float


def main() -> int:
    """Do what the standard input says; 0, whatever came of it."""
    todo: dict[str, Any] = json.load(sys.stdin)
    databases = tuple(Database(**one) for one in todo['databases'])
    steps = tuple(Step(**one) for one in todo['steps'])
    try:
        say(**rehearse(databases, steps, todo['user']))
    except UnansweredError as e:
        say(refused=str(e), passes=True)
    except RefusedError as e:
        say(refused=str(e))
    except OSError as e:
        say(refused=f'{e.filename or "the copy"}: {e.strerror}')
    return 0


def say(**what: object) -> None:
    """One line; BrokenPipeError where nobody listens any more, which ends this."""
    print(json.dumps(what), flush=True)


def rehearse(databases: Sequence[Database], steps: Sequence[Step], user: str) -> dict[str, object]:
    """The outcome of *steps* on a copy of *databases*, by *user*.

    Raises:
        RefusedError: there can be no copy, UnansweredError for now.
    """
    began = time.monotonic()
    FOLDER.mkdir(mode=0o711)
    logins = [_login(number, one) for number, one in enumerate(databases)]
    for login in logins:
        _must_be_mariadb(login)
    size = sum(_size(*pair) for pair in zip(logins, databases, strict=True))
    left, need = shutil.disk_usage(FOLDER).free, TIMES * size + SPARE_BYTES
    if left < need:
        raise RefusedError(
            f'the file system of /var/tmp has {left >> 20} MiB left, and a copy of '
            f'{" and ".join(d.name for d in databases)} needs {need >> 20}: make room'
        )
    with Copy(databases, _settings(logins[0]), user) as copy:
        for login, database in zip(logins, databases, strict=True):
            copy.load(login, database)
        copied = time.monotonic() - began
        done = list(_run_each(copy, steps, user))
    return {'bytes': size, 'copied': copied, 'steps': done}


def _run_each(copy: Copy, steps: Sequence[Step], user: str) -> Iterator[dict[str, object]]:
    for step in steps:
        say(begins=' '.join(step.argv))
        began = time.monotonic()
        status, said = copy.run(step, user)
        well = status in step.accepted
        said = _masked(said, copy.databases)
        yield {
            'kind': step.kind,
            'name': ' '.join(step.argv),
            'seconds': time.monotonic() - began,
            'status': status,
            'well': well,
            'said': '' if well else '\n'.join(said.strip().splitlines()[-_LINES:]),
        }
        if not well:
            return


def _masked(said: str, databases: Sequence[Database]) -> str:
    """*said* without the passwords of *databases*, as they are and as they stand in an address."""
    for password in {one.password for one in databases if one.password}:
        for spelt in (password, urllib.parse.quote(password, safe='')):
            said = said.replace(spelt, '…')
    return said


def _login(number: int, database: Database) -> pathlib.Path:
    """The file by which MariaDB's programs reach the real database, and verify it as the service does."""
    path = FOLDER / f'login-{number}.cnf'
    password = database.password.replace('\\', '\\\\').replace('"', '\\"')
    tls = (
        f'ssl-ca = {database.ca_path}\nssl-verify-server-cert\n'
        if database.ca_path
        else 'loose-skip-ssl-verify-server-cert\n'
    )
    path.touch(mode=0o600)
    path.write_text(
        f'[client]\nprotocol = tcp\nhost = {database.host.strip("[]")}\nuser = {database.user}\n'
        f'password = "{password}"\nloose-connect-timeout = 20\n{tls}'
    )
    return path


def _ask(login: pathlib.Path, sql: str) -> list[list[str]]:
    """The rows that the real server answers; UnansweredError when it does not."""
    argv = ('mariadb', f'--defaults-file={login}', '--batch', '--skip-column-names')
    done = subprocess.run(argv, input=sql, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnansweredError(f'the database does not answer: {_short(done.stderr)}')
    return [line.split('\t') for line in done.stdout.splitlines()]


def _must_be_mariadb(login: pathlib.Path) -> None:
    """RefusedError where it is another server: its tables and settings are not those of the copy's."""
    says = ' '.join(_ask(login, 'SELECT VERSION(), @@version_comment;')[0])
    if 'mariadb' not in says.lower():
        raise RefusedError(
            f'the database is not on MariaDB but on {says}, and the copy would be on MariaDB: leave the '
            'rehearsal out (`juju lifecycle skip APPLICATION.rehearse --reason WHY`)'
        )


def _size(login: pathlib.Path, database: Database) -> int:
    rows = _ask(login, _SIZE.replace('NAME', database.name))
    return int(float(rows[0][0]))


def _settings(login: pathlib.Path) -> dict[str, str]:
    names = ', '.join(f"'{name}'" for name in _SETTINGS)
    rows = _ask(login, f'SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names});')
    found = {row[0].lower(): row[1] if len(row) > 1 else '' for row in rows}
    # A server that does not know them has none; the copy's may, and by default it has some.
    found.setdefault('character_set_collations', '')
    return {name: value for name, value in found.items() if _VALUE.fullmatch(value)}


class Copy:
    """A MariaDB in a network of its own; it is there for the length of a ``with``."""

    def __init__(self, databases: Sequence[Database], settings: Mapping[str, str], user: str):
        self.databases, self.settings, self.user = databases, settings, user
        self.socket = FOLDER / 'data' / 'socket'

    def __enter__(self) -> Copy:
        log = FOLDER / 'log'
        config = FOLDER / 'copy.cnf'
        config.write_text(self._config())
        _must('mariadb-install-db', f'--defaults-file={config}', f'--user={self.user}',
              '--skip-test-db', '--skip-name-resolve')  # fmt: skip
        setup = FOLDER / 'start.sh'
        # The shell stays: a namespace is entered by way of a process of root's own, which the server is not.
        server = f'mariadbd --defaults-file={config} --user={self.user} & wait $!'
        setup.write_text('\n'.join((*self._network(), server)))
        with log.open('w') as out:
            self.server = subprocess.Popen(
                ('unshare', '--net', '--mount', 'sh', '-eu', str(setup)),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        ends = time.monotonic() + _START_S
        while self._sql('SELECT 1;').returncode:
            if self.server.poll() is not None or time.monotonic() > ends:
                self._end()
                raise RefusedError(
                    f'no server for the copy starts: {_short(log.read_text(errors="replace"))}'
                )
            time.sleep(0.2)
        self._grant()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        shutil.rmtree(FOLDER, ignore_errors=True)

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.server.pid, signal.SIGKILL)
        self.server.wait()

    def _config(self) -> str:
        ours = '\n'.join(f'loose_{name} = {value}' for name, value in self.settings.items())
        tls = ''
        if any(one.ca_path for one in self.databases):
            tls = f'ssl_cert = {self._certificate()}\nssl_key = {FOLDER}/key.pem\n'
        return (
            f'[mariadbd]\ndatadir = {FOLDER}/data\nsocket = {self.socket}\npid_file = {FOLDER}/data/pid\n'
            f'bind_address = *\nport = 3306\nskip_name_resolve\nskip_log_bin\ntmpdir = {FOLDER}/data\n'
            f'{tls}{ours}\n'
        )

    def _certificate(self) -> pathlib.Path:
        """One that signs itself, for all addresses: in the copy's network it takes the authorities' place."""
        path = FOLDER / 'certificate.pem'
        names = ','.join(f'{"IP" if _is_address(h) else "DNS"}:{h}' for h in self._hosts())
        _must('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
              '-subj', '/CN=copy', '-addext', f'subjectAltName={names}',
              '-keyout', f'{FOLDER}/key.pem', '-out', str(path))  # fmt: skip
        shutil.chown(FOLDER / 'key.pem', user=self.user)
        return path

    def _hosts(self) -> list[str]:
        return sorted({one.host.strip('[]') for one in self.databases})

    def _network(self) -> Iterator[str]:
        """What gives the copy the database's addresses, in the shell's words."""
        yield 'ip link set lo up'
        for host in self._hosts():
            if _is_address(host) and not host.startswith('127.') and host != '::1':
                wide = '128 dev lo nodad' if ':' in host else '32 dev lo'
                yield f'ip address add {host}/{wide}'
        named = [host for host in self._hosts() if not _is_address(host)]
        if named:
            hosts = FOLDER / 'hosts'
            hosts.write_text(f'127.0.0.1 localhost {" ".join(named)}\n')
            hosts.chmod(0o644)
            yield f'mount --bind {hosts} /etc/hosts'
        for path in sorted({one.ca_path for one in self.databases if one.ca_path}):
            yield f'mount --bind {FOLDER}/certificate.pem {path}'

    def _grant(self) -> None:
        """The accounts that the unit has, with no more rights than it has."""
        said = ''
        for one in self.databases:
            password = one.password.replace('\\', '\\\\').replace("'", "\\'")
            said += (
                f"CREATE USER IF NOT EXISTS '{one.user}'@'%' IDENTIFIED BY '{password}';\n"
                f"GRANT ALL ON `{one.name.replace('_', chr(92) + '_')}`.* TO '{one.user}'@'%';\n"
            )
        done = self._sql("SET SESSION sql_mode = '';\n" + said)
        if done.returncode:
            raise RefusedError('the copy does not take the accounts of the unit')

    def _sql(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._client(), input=text, capture_output=True, text=True, check=False
        )

    def _client(self) -> tuple[str, ...]:
        return ('mariadb', '--no-defaults', f'--socket={self.socket}', '--user=root')

    def load(self, login: pathlib.Path, database: Database) -> None:
        """Read *database* as of one moment, with no lock that anybody waits for, into the copy.

        Raises:
            RefusedError: it cannot be read whole, or the copy does not take it.
        """
        dump = ('mariadb-dump', f'--defaults-file={login}', '--single-transaction', '--skip-lock-tables', '--quick',
                '--no-tablespaces', '--databases', database.name)  # fmt: skip
        with (
            (FOLDER / 'dump.log').open('w+') as log,
            subprocess.Popen(dump, stdout=subprocess.PIPE, stderr=log) as source,
        ):
            done = subprocess.run(
                self._client(), stdin=source.stdout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
            )  # fmt: skip
            if done.returncode:
                source.kill()
            said = done.stdout.decode(errors='replace')
            if source.wait() and not done.returncode:
                log.seek(0)
                said = log.read()
        if done.returncode or source.returncode:
            raise RefusedError(f'{database.name} could not be copied: {_short(said)}')

    def run(self, step: Step, user: str) -> tuple[int, str]:
        """The exit status of *step* in the copy's network, as often as it says that there is more, and what it said.

        -1 when it was stopped at its limit of time.
        """
        account = pwd.getpwnam(user)
        argv = ('nsenter', f'--target={self.server.pid}', '--net', '--mount', '--wd=/')
        if account.pw_uid:
            argv += (
                'setpriv',
                f'--reuid={account.pw_uid}',
                f'--regid={account.pw_gid}',
                '--init-groups',
                '--',
            )
        environment = {
            'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
            'LANG': 'C.UTF-8', 'HOME': account.pw_dir, 'USER': account.pw_name, **step.environment,
        }  # fmt: skip
        ends = time.monotonic() + step.timeout_s
        while True:
            try:
                done = subprocess.run(
                    (*argv, *step.argv), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, timeout=max(ends - time.monotonic(), 0.001), check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired as e:
                return -1, (e.stdout or b'').decode(errors='replace')
            if done.returncode not in step.repeat_on:
                return done.returncode, done.stdout.decode(errors='replace')


def _is_address(host: str) -> bool:
    return ':' in host or bool(re.fullmatch(r'[0-9.]+', host))


def _must(*argv: str) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors='replace', check=False)  # fmt: skip
    if done.returncode:
        raise RefusedError(f'{argv[0]} failed: {_short(done.stdout)}')


def _short(text: str) -> str:
    return ' '.join(text.split())[-300:] or 'it does not say why'


if __name__ == '__main__':
    os.umask(0o022)
    sys.exit(main())
