"""Whether keystone still takes the account that it gave this service. The task is pure data until it is carried out.

Whoever changes that account's password in keystone ends the service: by it clients' tokens are validated, and all the
while its health check is well. So each run asks keystone, by a token that is kept as long as it is good: a login costs
keystone hundreds of milliseconds of computing. Keystone's charm is told on the relation, and sets the password again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import Any

from . import front, openstack, state
from .machine import HttpRequest, HttpResponse, Machine
from .relations import keystone
from .spec import ServiceSpec

NAME = 'account'
_TIMEOUT_S = 10.0
_CREATED, _UNAUTHORIZED, _NOT_FOUND = 201, 401, 404


@dataclasses.dataclass(frozen=True)
class LogIn:
    """Find out whether keystone takes *account*. The result is whether it refuses it: no answer is no refusal."""

    account: keystone.Identity
    kept: str
    """Where a token is kept."""
    name: str = NAME

    def carry_out(self, machine: Machine) -> bool:
        """Ask, by *machine*."""
        mark = _mark(self.account)
        before = (machine.read(self.kept) or '').split()
        if len(before) == 2 and before[0] == mark:
            known = self._ask(machine, 'GET', before[1]).status
            # Otherwise it is good; or there is no answer, and a login costs keystone more.
            if known not in (_UNAUTHORIZED, _NOT_FOUND):
                return False
        response = self._ask(machine, 'POST', body=json.dumps(openstack.credentials(self.account)))
        token = response.headers.get('x-subject-token', '')
        if response.status == _CREATED and token:
            with contextlib.suppress(OSError):  # The disk is full, which others say.
                machine.write(self.kept, f'{mark} {token}', 0o600)
        return response.status == _UNAUTHORIZED

    def _ask(self, machine: Machine, method: str, token: str = '', body: str = '') -> HttpResponse:
        headers = {'Content-Type': 'application/json'}
        if token:
            headers |= {'X-Auth-Token': token, 'X-Subject-Token': token}
        url = f'{self.account.auth_url}/auth/tokens?nocatalog'
        return machine.http(
            HttpRequest(method=method, url=url, headers=headers, body=body, timeout_s=_TIMEOUT_S)
        )


def followed(spec: ServiceSpec, inputs: state.Inputs, desired: state.Desired) -> state.Desired:
    """*desired* with the question whether the account of *spec* is taken, and what follows from the answer."""
    account = _account(spec, inputs)
    if account is None or desired.failure or desired.read_only:
        return desired
    if not desired.memory.get(front.SERVED) or desired.memory.get(front.PAUSED):
        return desired
    task = LogIn(account, f'/var/lib/charmkit/{spec.name}/account')
    if inputs.seen.get(NAME) is not True:
        return dataclasses.replace(desired, tasks=(*desired.tasks, task))
    said = state.Status(
        'blocked',
        f'{keystone.RELATION}: keystone refuses the account {account.username}: its password was changed elsewhere, '
        'or it is disabled; the charm of keystone is told, and sets it again',
    )
    unit_data = dict(desired.unit_data)
    if keystone.RELATION in unit_data:
        marked = {keystone.ACCOUNT_REFUSED: _mark(account)}
        unit_data[keystone.RELATION] = {**unit_data[keystone.RELATION], **marked}
    return dataclasses.replace(
        desired,
        tasks=(*desired.tasks, task),
        status=(*desired.status, said),
        unit_data=unit_data,
    )


def _account(spec: ServiceSpec, inputs: state.Inputs) -> keystone.Identity | None:
    related = inputs.of(keystone.RELATION)
    for need in spec.every_need:
        if need.relation == keystone.RELATION and related:
            found: Any = need.read(related, inputs.site)
            if isinstance(found, keystone.Identity):
                return found
    return None


def _mark(account: keystone.Identity) -> str:
    return keystone.account_mark(account.username, account.password)
