"""What keystone's charm does once keystone runs: bring the catalogue and its accounts to what is wanted.

The charm works with an account of its own. When keystone refuses it, whoever changed the password and
whatever database was restored, ``keystone-manage bootstrap`` sets it anew: it needs the database alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http
import logging
from collections.abc import Mapping
from typing import Literal

import accounts
import catalogue
import plan
import rest
from charmkit import passwords
from charmkit.machine import Machine

_log = logging.getLogger(__name__)

ROUNDS = 6
"""A catalogue from nothing takes four: each round makes what the next one refers to."""
TOKEN = '/var/lib/charmkit/keystone/token'  # noqa: S105
"""Where a token is kept until it expires: a login costs hundreds of milliseconds of computing."""
FIRST_PATIENCE_S = 180.0
"""How long to wait for keystone's first answer ever."""
PATIENCE_S = 60.0
_BOOTSTRAP_S = 120.0
_LOGINS = 5
"""How often to log in after a bootstrap for a token that is good."""

CATALOGUE = 'catalogue'
Login = Literal['good', 'mended', 'refused']


@dataclasses.dataclass(frozen=True)
class Account:
    """An account whose password is to be tried out."""

    name: str
    domain: str
    """By name."""
    password: str = dataclasses.field(repr=False)
    mend: bool = True
    """Set this password when keystone takes another."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it."""

    seen: catalogue.Observed | None = None
    """What is there now; None when that could not be found out."""
    done: tuple[str, ...] = ()
    """What had to change."""
    conflicts: tuple[str, ...] = ()
    """What stands in the way and is not the charm's."""
    logins: Mapping[str, Login] = dataclasses.field(default_factory=dict[str, Login])
    """How each account that was tried fared, by name."""
    refused: tuple[str, ...] = ()
    """What keystone did not take, each by itself: all else was done."""
    failure: str = ''
    """Why not everything could be done, in words."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Bring keystone to *want*."""

    urls: tuple[str, ...]
    """Keystone's units, ``http://127.0.0.1:5000``: the first that answers is asked."""
    password: str = dataclasses.field(repr=False)
    """Of the charm's account."""
    want: catalogue.Desired
    logins: tuple[Account, ...] = ()
    """Tried once the rest is done."""
    patience_s: float = PATIENCE_S
    """How long to wait for an answer."""
    name: str = CATALOGUE

    def carry_out(self, machine: Machine) -> Outcome:
        """Observe, plan, ask; until there is nothing left to ask for."""
        done: list[str] = []
        try:
            client = _client(self, machine)
            seen, refused = _settle(client, self, done)
            found: dict[str, Login] = {
                a.name: _try(client, self, seen, a, done) for a in self.logins
            }
            conflicts = plan.conflicts(self.want, seen)
            return Outcome(
                seen=seen, done=tuple(done), conflicts=conflicts, logins=found, refused=refused
            )
        except rest.KeystoneError as e:
            return Outcome(done=tuple(done), failure=str(e))


@dataclasses.dataclass(frozen=True)
class Check:
    """Find out whether keystone takes a password: ``good``, ``refused``, or ``unknown``."""

    urls: tuple[str, ...]
    user: str
    domain: str
    password: str = dataclasses.field(repr=False)
    name: str = 'check'

    def carry_out(self, machine: Machine) -> str:
        """Log in, at the first unit that answers."""
        for url in self.urls:
            with contextlib.suppress(rest.KeystoneError):
                good = rest.accepts(machine, url, self.user, self.domain, self.password)
                return 'good' if good else 'refused'
        return 'unknown'


def _settle(
    client: rest.Client, task: Catalogue, done: list[str]
) -> tuple[catalogue.Observed, tuple[str, ...]]:
    # Each request counts: this is done in every hook.
    thorough = bool(task.logins or task.want.admin_password)
    steps: list[catalogue.Step] = []
    refused: dict[str, str] = {}
    for _ in range(ROUNDS):
        seen = rest.observe(client, thorough=thorough)
        steps = [s for s in plan.plan(task.want, seen) if s.summary not in refused]
        if not steps:
            return seen, tuple(refused.values())
        for step in steps:
            try:
                _carry_out(client, step, done)
            except rest.KeystoneError as e:
                # What one service asks for and keystone cannot take is not to keep others from being registered.
                if e.status != http.HTTPStatus.BAD_REQUEST:
                    raise
                refused[step.summary] = f'keystone does not take this: {step.summary}: {e.reason}'
    left = ', '.join(s.summary for s in steps[-3:])
    raise rest.KeystoneError('GET', '/v3', 0, f'the catalogue does not settle: {left}')


def _carry_out(client: rest.Client, step: catalogue.Step, done: list[str]) -> None:
    _log.info('%s', step.summary)
    rest.carry_out(client, step)
    done.append(step.summary)


def _try(
    client: rest.Client,
    task: Catalogue,
    seen: catalogue.Observed,
    account: Account,
    done: list[str],
) -> Login:
    """Log in as *account*; give it its password again when it has another."""
    if _accepted(client, task, account):
        return 'good'
    services = tuple(u for u in seen.users if catalogue.ours(u))
    known = services if account.domain == catalogue.DOMAIN else seen.admins
    user = catalogue.record_id(known, name=account.name)
    if not (account.mend and user):
        return 'refused'
    _carry_out(client, accounts.set_password(account.name, user, account.password), done)
    return 'mended' if _login(client, account) else 'refused'


def _accepted(client: rest.Client, task: Catalogue, account: Account) -> bool:
    """Whether keystone lets *account* in; one whose hash it cannot read, since somebody has written it, is not.

    Such a login is 500, as all are while something else is wrong that passes. A password that is set ends the tokens
    of its account: it is not until keystone has let another account in, and this one is 500 again after that.
    """
    try:
        return _login(client, account)
    except rest.KeystoneError as e:
        if e.status != http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
    client.machine.sleep(1)
    _login(client, Account(catalogue.CHARM, catalogue.ADMIN_DOMAIN, task.password))
    try:
        return _login(client, account)
    except rest.KeystoneError as e:
        if e.status != http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        return False


def _login(client: rest.Client, account: Account) -> bool:
    return rest.accepts(client.machine, client.url, account.name, account.domain, account.password)


def _client(task: Catalogue, machine: Machine) -> rest.Client:
    """Log in at the first unit that answers.

    Raises:
        rest.KeystoneError: when none answers in time, or the account is refused.
    """
    end = machine.now() + task.patience_s
    while True:
        failure = rest.KeystoneError('POST', '/auth/tokens', 0, 'there is no unit to ask')
        for url in task.urls:
            try:
                return _resumed(task, machine, url) or _logged_in(task, machine, url)
            except rest.KeystoneError as e:
                # Not there yet, or its database is not: both pass.
                if e.status and e.status < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
                failure = e
        if machine.now() >= end:
            raise failure
        machine.sleep(1)


def _resumed(task: Catalogue, machine: Machine, url: str) -> rest.Client | None:
    kept = (machine.read(TOKEN) or '').split()
    if len(kept) != 2 or kept[0] != passwords.fingerprint(task.password):
        return None
    return rest.resume(machine, url, kept[1])


def _logged_in(task: Catalogue, machine: Machine, url: str) -> rest.Client:
    try:
        client = rest.login(machine, url, task.password)
    except rest.KeystoneError as e:
        if e.status != http.HTTPStatus.UNAUTHORIZED:
            raise
        _bootstrap(task, machine)
        client = _second_login(task, machine, url)
    machine.write(TOKEN, f'{passwords.fingerprint(task.password)} {client.token}', 0o600)
    return client


def _second_login(task: Catalogue, machine: Machine, url: str) -> rest.Client:
    """Log in after a bootstrap.

    With the password that it sets, keystone revokes what the account was issued until then, in whole seconds
    (``issued_before`` of its revocation events): a token of that same second is refused as well.
    """
    try:
        for _ in range(_LOGINS):
            client = rest.login(machine, url, task.password)
            if rest.resume(machine, url, client.token):
                return client
            machine.sleep(1)
        words = f'keystone takes no token of {catalogue.CHARM} after keystone-manage bootstrap'
        raise rest.KeystoneError('GET', '/auth/tokens', http.HTTPStatus.UNAUTHORIZED, words)
    except rest.KeystoneError as e:
        if e.method == 'POST' and e.status == http.HTTPStatus.UNAUTHORIZED:
            words = (
                f'keystone refuses {catalogue.CHARM} after keystone-manage bootstrap: {e.reason}'
            )
            raise rest.KeystoneError('POST', '/auth/tokens', e.status, words) from None
        raise


def _bootstrap(task: Catalogue, machine: Machine) -> None:
    """Make the charm's account, or give it its password and its role again."""
    _log.info('keystone does not know %s by its password: bootstrap', catalogue.CHARM)
    ended = machine.program(
        *('keystone-manage', 'bootstrap', '--bootstrap-username', catalogue.CHARM),
        environment={'OS_BOOTSTRAP_PASSWORD': task.password},
        user='keystone',
        timeout_s=_BOOTSTRAP_S,
    )
    if ended.status:
        lines = ended.output.replace(task.password, '…').split('\n')
        last = next((line for line in reversed(lines) if line.strip()), '')[:300]
        raise rest.KeystoneError(
            'keystone-manage', 'bootstrap', http.HTTPStatus.FAILED_DEPENDENCY, last
        )
