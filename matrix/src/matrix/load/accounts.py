"""The account of a load on a database: from an option file of the user's, or from an action of a unit.

An option file is what every client of MariaDB and MySQL reads (MariaDB Server documentation, Configuring MariaDB with
Option Files): `[client]` with `user`, `password` and, to have the server's certificate verified, `ssl-ca`. Only the
name of an environment variable stands in a suite; what the file holds is in no argument, journal or log.
"""

from __future__ import annotations

import configparser
import dataclasses
import os
import pathlib
import stat
from collections.abc import Mapping

from matrix.juju import link
from matrix.load import sqlspec

_ACTION_S = 120.0
_USERS = ('username', 'user')


@dataclasses.dataclass(frozen=True)
class Login:
    """A user, and the certificate authority (a file) that the server's certificate is verified against; '' for none."""

    user: str
    password: str = dataclasses.field(repr=False)
    authority: str = ''


class AccountError(Exception):
    """There is no account; the text says why and what would be right, and holds no secret."""


def of_file(variable: str, environment: Mapping[str, str] | None = None) -> Login:
    """The account in the option file that an environment variable names.

    Raises:
        AccountError: there is none.
    """
    there = os.environ if environment is None else environment
    name = there.get(variable, '')
    if not name:
        raise AccountError(
            f'the environment variable {variable} is not set: it names an option file with user and password '
            'under [client], which only its owner may read'
        )
    path = pathlib.Path(name).expanduser()
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else 'not UTF-8 text'
        raise AccountError(f'{variable} names {name}, which cannot be read: {reason}') from None
    if mode & stat.S_IROTH:
        raise AccountError(f'everybody may read {name}, which has a password: chmod 600 {name}')
    return parsed(text, name)


def parsed(text: str, name: str) -> Login:
    """The account in an option file's text. Pure.

    Raises:
        AccountError: there is none.
    """
    # Errors of the parser show the line that they mean, which may have the password.
    options = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        options.read_string(text)
    except configparser.Error:
        raise AccountError(
            f'{name} is no option file, which has [client] and below it lines such as user = NAME'
        ) from None
    pairs = options.items('client') if options.has_section('client') else []
    said = {key.replace('_', '-'): _unquoted(one or '') for key, one in pairs}
    if not said.get('user'):
        raise AccountError(f'{name} has no user under [client]')
    return Login(said['user'], said.get('password', ''), said.get('ssl-ca', ''))


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in '\'"' else text


async def of_action(said: sqlspec.Account, at: link.Link) -> Login:
    """The account that an action of a unit gives, as `username` and `password`.

    Raises:
        AccountError: it gives none.
        link.LinkError: the action failed.
    """
    given = await at.run_action(said.unit, said.action, {}, within=_ACTION_S)
    user = next((str(given[key]) for key in _USERS if given.get(key)), '')
    password = str(given.get('password') or '')
    if not user or not password:
        raise AccountError(f"{said.action} of {said.unit} gives no 'username' and 'password'")
    return Login(user, password)


async def find(said: sqlspec.Account, at: link.Link) -> Login:
    """The account that is said and is there; one that is to be made `made_account.py` makes.

    Raises:
        AccountError: there is none.
        link.LinkError: the action failed.
    """
    return await of_action(said, at) if said.action else of_file(said.file)
