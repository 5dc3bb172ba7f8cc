"""The account of a load on a database: from an option file of the user's, or from an action of a unit.

An option file is what every client of MariaDB and MySQL reads (`optionfile.py`): `[client]` with `user`, `password`
and, to have the server's certificate verified, `ssl-ca`. Where it asks for a protection that is not given here
(`ssl-cert`, a fingerprint), it is refused; DISABLED of `ssl-mode` is as PREFERRED. Host and port are those of the
suite. Only the name of an environment variable stands in a suite; what the file holds is in no argument, journal or
log.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import stat
from collections.abc import Mapping

from matrix.juju import link
from matrix.load import optionfile, sqlspec

_ACTION_S = 120.0
_PROTECTIONS = ('ssl-ca', 'ssl-mode', 'ssl-verify-server-cert')
_MODES = ('DISABLED', 'PREFERRED', 'REQUIRED', 'VERIFY_CA', 'VERIFY_IDENTITY')
_REQUIRING = frozenset({'REQUIRED', 'VERIFY_CA', 'VERIFY_IDENTITY'})
_USERS = ('username', 'user')


@dataclasses.dataclass(frozen=True)
class Login:
    """A user, and how the server must protect what is said to it.

    `authority` is a file of certificates that the server's is verified against; '' for none. `mode`: the option
    that asks for TLS otherwise; '' for none. `names`: its certificate is to have the name, or address, at which it
    is asked.
    """

    user: str
    password: str = dataclasses.field(repr=False)
    authority: str = ''
    mode: str = ''
    names: bool = False

    @property
    def required(self) -> str:
        """The option for which a server without TLS is told nothing; '' where it may be one without."""
        return 'ssl-ca' if self.authority else self.mode


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
        AccountError: there is none, or it asks for a protection that is not given here.
    """
    try:
        said = optionfile.options(text)
    except optionfile.NoOptionFileError:
        raise AccountError(
            f'{name} is no option file, which has [client] and below it lines such as user = NAME'
        ) from None
    for key in ('user', 'password'):
        # An empty password is one; that there is none asks for it to be typed.
        if said.get(key) is None or (key == 'user' and not said[key]):
            more = '; files that it includes are not read' if optionfile.includes(text) else ''
            raise AccountError(f'{name} has no {key} under [client]{more}')
    authority, mode, names = _protection(said, name)
    return Login(said['user'] or '', said['password'] or '', authority, mode, names)


def _protection(said: Mapping[str, str | None], name: str) -> tuple[str, str, bool]:
    """Authority, the option that asks for TLS, and whether the server's name is to be verified.

    Raises:
        AccountError: it asks for another protection.
    """
    for key in said:
        if key.startswith(('ssl-', 'tls-')) and key not in _PROTECTIONS:
            known = ', '.join(_PROTECTIONS)
            raise AccountError(f'{name} has {key}, which is not done here; these are: {known}')
    mode = (said.get('ssl-mode') or 'PREFERRED').upper()
    if mode not in _MODES:
        raise AccountError(f'ssl-mode of {name} is one of {", ".join(_MODES)}')
    authority = said.get('ssl-ca') or ''
    if mode == 'VERIFY_CA' and not authority:
        raise AccountError(f'ssl-mode of {name} is VERIFY_CA, which needs ssl-ca')
    switches = {
        key: optionfile.truth(said[key])
        for key in ('ssl', 'ssl-verify-server-cert')
        if key in said
    }
    for key, value in switches.items():
        if value is None:
            raise AccountError(f'{key} of {name} is 0 or 1')
    names = mode == 'VERIFY_IDENTITY' or bool(switches.get('ssl-verify-server-cert'))
    asking = [key for key, value in switches.items() if value]
    return authority, 'ssl-mode' if mode in _REQUIRING else ''.join(asking[:1]), names


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
