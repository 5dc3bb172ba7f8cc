"""An account and a database for one load, made by root of a unit's machine and removed there again.

In Debian's packages of MariaDB and MySQL root of the machine is the server's administrator, through its socket (MariaDB
Server documentation, Authentication Plugin - Unix Socket). The password is in the script's environment alone.
"""

from __future__ import annotations

import secrets

from matrix.history import redact
from matrix.juju import link
from matrix.load import accounts

_SCRIPT_S = 60.0

_CLIENT = """set -eu
client=$(command -v mariadb || command -v mysql) || {
    echo 'it has neither mariadb nor mysql, the client that would make one'
    exit 4
}
sql() { "$client" -N -B; }
read_only=$(echo 'SELECT @@global.read_only' | sql) || exit 5
case $read_only in
0 | OFF) ;;
*) echo 'it may not write: it follows another server'; exit 3 ;;
esac
"""

_NOTHING_DONE = frozenset({3, 4, 5})
"""Exit codes of what comes before anything is changed."""

_MAKE = """
sql <<SQL
DROP DATABASE IF EXISTS $DATABASE;
CREATE DATABASE $DATABASE;
DROP USER IF EXISTS $DATABASE;
CREATE USER $DATABASE IDENTIFIED BY '$PASSWORD';
GRANT ALL PRIVILEGES ON $DATABASE.* TO $DATABASE;
SQL
"""

_REMOVE = """
echo "DROP DATABASE IF EXISTS $DATABASE; DROP USER IF EXISTS $DATABASE;" | sql
"""


class NothingMadeError(accounts.AccountError):
    """No account, and nothing to remove either."""


def unit_of(said: str, at: link.Link) -> str:
    """The unit; of `mysql/leader`, the one that leads now. What is made on it is removed on it, whoever leads then.

    Raises:
        link.LinkError: there is none.
    """
    application, _, number = said.partition('/')
    there = [
        one for each in at.now().applications if each.name == application for one in each.units
    ]
    found = [one.name for one in there if one.name == said or (one.leader and number == 'leader')]
    if not found:
        raise link.LinkError(f'there is no unit {said}')
    return found[0]


async def make(unit: str, at: link.Link, database: str) -> accounts.Login:
    """Make an account and a database, both of one name; the account may do anything there, and nothing elsewhere.

    Raises:
        NothingMadeError: the server refuses before anything was made.
        accounts.AccountError: it refuses, and something may have been made.
        link.LinkError: the machine cannot be reached.
    """
    password = secrets.token_urlsafe(24)
    env = {'DATABASE': database, 'PASSWORD': password}
    done = await at.script(unit, _CLIENT + _MAKE, env=env, within=_SCRIPT_S)
    if done.code:
        said = done.output.replace(password, redact.HIDDEN)
        refused = NothingMadeError if done.code in _NOTHING_DONE else accounts.AccountError
        raise refused(f'{unit} makes no account: {_last(said, done.code)}')
    return accounts.Login(database, password)


async def remove(unit: str, at: link.Link, database: str) -> None:
    """Remove what `make` made on this unit.

    Raises:
        accounts.AccountError: the server refuses; it follows another by now, say.
        link.LinkError: the machine cannot be reached.
    """
    env = {'DATABASE': database}
    done = await at.script(unit, _CLIENT + _REMOVE, env=env, within=_SCRIPT_S)
    if done.code:
        raise accounts.AccountError(_last(done.output, done.code))


def _last(output: str, code: int) -> str:
    said = output.strip().splitlines() or ['']
    return said[-1] or f'exit code {code}'
