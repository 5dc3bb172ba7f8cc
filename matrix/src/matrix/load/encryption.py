"""Connections to a database that give no password away: what they refuse before a password is said.

The driver goes on without encryption where the server offers none, and says the password to any server that asks for
it (MySQL 8.4, Client-Side Cleartext Pluggable Authentication: clients must enable it). It has no setting for either.
"""

from __future__ import annotations

import ssl
from typing import Any

from matrix.load import statements

_IN_CLEAR = 'mysql_clear_password'
_TLS_FLAG = 1 << 11
"""What a server's first packet has where it can encrypt (MySQL 8.4, Capabilities Flags: CLIENT_SSL)."""

_OWN_STEPS = ('_request_authentication', '_process_auth')


class AuthorityError(Exception):
    """The file of a certificate authority cannot be used; the text says why."""


class NoGuardError(Exception):
    """A release of the driver logs in by other steps than these, so that nothing could be refused between them."""


def connections(driver: Any, *, required: str) -> Any:
    """The driver's class of connections, made careful; where TLS is `required`, a server without is told nothing.

    `required` is the option that asks for it; '' where none does.

    The driver's own `OperationalError` of the number `statements.NO_TLS` is what a refusal raises.

    Raises:
        NoGuardError: the driver is of a release that cannot be held to it.
    """
    base: Any = driver.Connection
    if missing := [one for one in _OWN_STEPS if not hasattr(base, one)]:
        raise NoGuardError(
            f'{driver.__name__} {driver.__version__} has no {missing[0]}, without which a password may be sent '
            'unencrypted: install 0.3.2'
        )

    class Careful(base):
        async def _request_authentication(self) -> None:
            encrypts = bool(self.server_capabilities & _TLS_FLAG)
            if required and not encrypts:
                raise driver.OperationalError(
                    statements.NO_TLS, f'it has no TLS, which {required} asks for'
                )
            if not encrypts and self._server_auth_plugin == _IN_CLEAR:
                raise driver.OperationalError(statements.NO_TLS, _ASKS)
            await base._request_authentication(self)

        async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
            if plugin_name == _IN_CLEAR.encode() and not self._secure:
                raise driver.OperationalError(statements.NO_TLS, _ASKS)
            return await base._process_auth(self, plugin_name, auth_packet)

    return Careful


_ASKS = 'it asks for the password itself, and has no TLS'


def context(authority: str, *, names: bool) -> ssl.SSLContext:
    """Encrypted where the server offers it; its certificate is verified where there is something to verify.

    Args:
        authority: a file of certificates; '': those of the system, if the name is to be verified.
        names: the certificate is to have the server's name or address.

    Raises:
        AuthorityError: the file cannot be used.
    """
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.check_hostname = names  # With --ssl-ca alone, clients of MySQL do not.
    found.verify_mode = ssl.CERT_REQUIRED if authority or names else ssl.CERT_NONE
    if not authority:
        found.load_default_certs()
        return found
    try:
        found.load_verify_locations(authority)
    except OSError as error:
        reason = 'no certificate in it' if isinstance(error, ssl.SSLError) else error.strerror
        raise AuthorityError(f'ssl-ca {authority} cannot be used: {reason}') from error
    return found
