"""A MariaDB that is only remembered: it understands what the charm says to one, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import re

import grants
from charmkit.machine import Finished

_ACCOUNT = r"'(?P<user>[^']+)'@'(?P<host>[^']+)'"
PRIVILEGES = ('Select_priv', 'Drop_priv')
UUID = '11111111-2222-3333-4444-555555555555'
DF = '1B-blocks Avail Inodes IFree Mounted on\n100000000000 50000000000 1000 900 /\n'


@dataclasses.dataclass
class Server:
    """Its state, and how it behaves."""

    databases: dict[str, list[str]] = dataclasses.field(default_factory=dict[str, list[str]])
    """Character set and comment, by name."""
    accounts: dict[tuple[str, str], tuple[str, ...]] = dataclasses.field(
        default_factory=dict[tuple[str, str], tuple[str, ...]]
    )
    """Hashes of passwords."""
    rights: dict[tuple[str, str, str], set[str]] = dataclasses.field(
        default_factory=dict[tuple[str, str, str], set[str]]
    )
    """Privileges by user, host and database."""
    tables: dict[str, tuple[int, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[int, ...]]
    )
    """The numbers of each database's tables."""
    old_mode: str = 'UTF8_IS_UTF8MB3'
    read_only: str = '0'
    refusing: str = ''
    """A statement that has this in it is refused."""
    down: bool = False
    secured: set[tuple[str, str]] = dataclasses.field(default_factory=set[tuple[str, str]])
    """Accounts that need TLS."""
    certificate: str = ''
    """The file that the server has read its certificate from; '' for a server without TLS."""
    flushed: int = 0
    df: str = DF
    said: list[str] = dataclasses.field(default_factory=list[str])
    """Every statement that changes something."""
    members: tuple[str, ...] = ()
    """Names in the cluster that it is in; none where it stands alone."""
    primary: bool = True
    sizes: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Variables that the cluster's look shows, too."""
    active: str = 'active'
    log_bin: str = 'ON'
    logs: dict[str, int] = dataclasses.field(default_factory=dict[str, int])
    """Sizes of the files of its binary log, oldest first."""
    start: str = 'first'
    routine: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    """What the procedure that ends idle sessions is made of."""
    executors: set[tuple[str, str]] = dataclasses.field(default_factory=set[tuple[str, str]])
    global_rights: set[str] = dataclasses.field(default_factory=set[str])
    """Of the account that the procedure runs as."""
    joins: tuple[str, ...] = ()
    """Whom it finds when it is started."""

    def __call__(self, argv: tuple[str, ...], stdin: str) -> Finished:  # noqa: C901 -- one case for each program
        """What a program says."""
        match argv[0]:
            case 'df':
                return Finished(0, self.df)
            case 'systemctl' if 'show' in argv:
                return Finished(0, f'ActiveState={self.active}\nInvocationID={self.start}\n')
            case 'systemctl' if 'start' in argv and self.joins:
                self.members, self.active = self.joins, 'active'
                return Finished(0)
            case 'galera_new_cluster':
                self.members, self.active = ('mysql-0',), 'active'
                return Finished(0)
            case 'mariadb' if 'wsrep_cluster_status' in stdin and not self.down:
                return Finished(0, self._show())
            case 'mariadb' if 'wsrep_cluster_members' in stdin and not self.down:
                return Finished(0, '\n'.join(('name', *self.members)))
            case 'mariadb' if self.down:
                return Finished(1, "ERROR 2002 (HY000): Can't connect to local server")
            case 'mariadb' if 'binlog_expire' in stdin and '--force' not in argv:
                return Finished(0, f'Variable_name\tValue\nlog_bin\t{self.log_bin}\n')
            case 'mariadb' if 'FLUSH LOCAL SSL' in stdin:
                self.flushed += 1
                return Finished(0)
            case 'mariadb' if 'ssl_cert' in stdin:
                return Finished(0, f'path\n{self.certificate}\n')
            case 'mariadb' if 'SHOW BINARY LOGS' in stdin:
                rows = (f'{name}\t{size}' for name, size in self.logs.items())
                return Finished(0, '\n'.join(('Log_name\tFile_size', *rows)))
            case 'mariadb' if 'gtid_slave_pos' in stdin:
                return Finished(0, 'read_only\tapplied\twritten\tlog_bin\n0\t\t\t0')
            case 'mariadb' if '-- databases' in stdin:
                return Finished(0, self._look())
            case 'mariadb' if '--force' in argv:
                errors = [e for line in stdin.splitlines() if (e := self._do(line))]
                return Finished(1 if errors else 0, '\n'.join(errors))
            case _:
                return Finished(0)

    def _show(self) -> str:
        shown = {
            'wsrep_on': 'ON' if self.members else 'OFF',
            'wsrep_cluster_status': 'Primary' if self.members and self.primary else 'non-Primary',
            'wsrep_ready': 'ON' if self.members and self.primary else 'OFF',
            'wsrep_cluster_state_uuid': UUID if self.members else '',
            'wsrep_local_state': '4' if self.members and self.primary else '0',
            'wsrep_desync': 'OFF',
            **self.sizes,
        }
        return '\n'.join(('Variable_name\tValue', *(f'{k}\t{v}' for k, v in shown.items())))

    def _look(self) -> str:
        table = {
            'databases': [
                {'name': n, 'characters': c, 'comment': o} for n, (c, o) in self.databases.items()
            ],
            'accounts': [
                {'User': u, 'Host': h, 'Priv': _priv(ways, (u, h) in self.secured)}
                for (u, h), ways in self.accounts.items()
            ],
            'privileges': [
                {
                    **{'Host': h, 'Db': d.replace('_', '\\_'), 'User': u, 'Grant_priv': 'N'},
                    **{p: 'Y' if p in held else 'N' for p in PRIVILEGES},
                }
                for (u, h, d), held in self.rights.items()
            ],
            'tables': [
                {'name': n, 'ids': ','.join(map(str, ids))} for n, ids in self.tables.items()
            ],
            'routine': [self.routine] if self.routine else [],
            'executors': [{'User': u, 'Host': h} for u, h in sorted(self.executors)],
            'rights': [
                {'privilege': right, 'locked': '1'} for right in sorted(self.global_rights)
            ],
            'settings': [
                {
                    'old_mode': self.old_mode,
                    'read_only': self.read_only,
                    'innodb_read_only': '0',
                }
            ],
        }
        lines: list[str] = []
        for name, rows in table.items():
            lines += [f'-- {name}', name]
            lines += ['\t'.join(rows[0])] if rows else []
            lines += ['\t'.join(v.replace('\\', '\\\\') for v in row.values()) for row in rows]
        return '\n'.join(lines)

    def _do(self, sql: str) -> str:  # noqa: C901 -- one case for each statement
        if self.refusing and self.refusing in sql:
            return f'ERROR 1030 (HY000) at line 1: Got error 28 for {self.refusing}'
        self.said.append(sql)
        if m := re.match(r'CREATE DATABASE IF NOT EXISTS `(.+?)` CHARACTER SET (\w+)', sql):
            self.databases.setdefault(m[1], [m[2], ''])
        elif m := re.match(r"ALTER DATABASE `(.+?)` COMMENT '(.*)';", sql):
            self.databases[m[1]][1] = m[2]
        elif m := re.match(
            r"CREATE USER IF NOT EXISTS 'nobody'@'localhost' IDENTIFIED VIA (\w+);", sql
        ):
            self.accounts['nobody', 'localhost'] = (f'{m[1]}:',)
        elif m := re.match(
            rf"CREATE USER IF NOT EXISTS {_ACCOUNT} IDENTIFIED VIA \w+ USING '(invalid)' ACCOUNT LOCK;",
            sql,
        ):
            self.accounts[m[1], m[2]] = (m[3],)
        elif m := re.match(r"GRANT (CONNECTION ADMIN, PROCESS) ON \*\.\* TO 'charm-", sql):
            self.global_rights |= {*m[1].split(', ')}
        elif m := re.match(r"SET SESSION sql_mode = '(\w+)'; EXECUTE IMMEDIATE '(.*)';", sql):
            self.routine = _routine(m[2].replace("''", "'"), m[1])
        elif m := re.match(rf'GRANT EXECUTE ON PROCEDURE mysql\.\w+ TO {_ACCOUNT};', sql):
            self.executors.add((m[1], m[2]))
        elif m := re.match(rf'ALTER USER IF EXISTS {_ACCOUNT} REQUIRE (SSL|NONE);', sql):
            (self.secured.add if m[3] == 'SSL' else self.secured.discard)((m[1], m[2]))
        elif m := re.match(rf'(?:CREATE|ALTER) USER IF (?:NOT )?EXISTS {_ACCOUNT} (.*);', sql):
            self.accounts[m[1], m[2]] = tuple(re.findall(r"USING '(\*[0-9A-F]{40})'", m[3]))
        elif m := re.match(rf'GRANT ALL PRIVILEGES ON `(.+?)`\.\* TO {_ACCOUNT};', sql):
            self.rights[m[2], m[3], m[1].replace('\\', '')] = {*PRIVILEGES}
        elif m := re.match(rf'REVOKE ALL PRIVILEGES ON `(.+?)`\.\* FROM {_ACCOUNT};', sql):
            del self.rights[m[2], m[3], m[1].replace('\\', '')]
        elif m := re.match(rf'DROP USER IF EXISTS {_ACCOUNT};', sql):
            self.accounts.pop((m[1], m[2]), None)
            self.executors.discard((m[1], m[2]))
            self.rights = {k: v for k, v in self.rights.items() if k[:2] != (m[1], m[2])}
        elif re.match(
            'SET GLOBAL (wsrep_sst_auth|max_connections|innodb_buffer_pool_size) = ', sql
        ) or re.match("GRANT RELOAD.* TO 'sst'@'localhost';", sql):
            pass
        elif m := re.match("PURGE BINARY LOGS TO '(.*)';", sql):
            names = [*self.logs]
            self.logs = {n: self.logs[n] for n in names[names.index(m[1]) :]}
        elif m := re.match("SET GLOBAL old_mode = '(.*)';", sql):
            self.old_mode = m[1]
        else:
            return f'ERROR 1064 (42000) at line 1: syntax: {sql}'
        return ''


def _routine(made: str, mode: str) -> dict[str, str]:
    m = re.fullmatch(
        rf'CREATE OR REPLACE DEFINER={_ACCOUNT} PROCEDURE mysql\.\w+\((.*?)\) '
        r'MODIFIES SQL DATA SQL SECURITY (\w+) (BEGIN .* END)',
        made,
    )
    assert m, made
    return {
        'definer': f'{m[1]}@{m[2]}', 'security_type': m[4], 'sql_mode': mode,
        'parameters': m[3], 'body': m[5],
    }  # fmt: skip


def _priv(ways: tuple[str, ...], secured: bool) -> str:
    if ways == ('unix_socket:',):
        return json.dumps({'plugin': 'unix_socket', 'authentication_string': ''})
    first, *others = ({'plugin': grants.NATIVE, 'authentication_string': w} for w in ways)
    tls = {'ssl_type': 1} if secured else {}
    return json.dumps({**first, **tls, **({'auth_or': [{}, *others]} if others else {})})
