"""A unit asks its own API, and says what it answers. The task is pure data until a machine carries it out."""

from __future__ import annotations

import dataclasses

from .machine import HttpRequest, HttpResponse, Machine

COMES_UP_S = 60.0
"""How long an application may take to answer after it was started, in seconds."""
AT_REST_S = 5.0
"""The same for one that has been running, and may be busy."""
STARTING_S = 5 * COMES_UP_S
"""For so long a daemon may be starting, on a machine that is very busy."""
_ONE_S = 5.0
_PAUSE_S = 0.5
_OK = 200


@dataclasses.dataclass(frozen=True)
class App:
    """An application to ask."""

    name: str
    port: int
    log: str
    """The file, or files, that say more."""
    address: str = '127.0.0.1'


@dataclasses.dataclass(frozen=True)
class Health:
    """Ask each application for ``/healthcheck`` until it answers well. The result is '' or what is wrong, in words."""

    apps: tuple[App, ...]
    within_s: float
    name: str = 'health'

    def carry_out(self, machine: Machine) -> str:
        """Ask, by *machine*."""
        end = machine.now() + self.within_s
        return '; '.join(filter(None, (_ask(app, machine, end) for app in self.apps)))


def _ask(app: App, machine: Machine, end: float) -> str:
    while True:
        url = f'http://{app.address}:{app.port}/healthcheck'
        request = HttpRequest(url=url, timeout_s=_ONE_S)
        response = machine.http(request)
        if response.status == _OK:
            return ''
        # One that is starting, or waits for its database, does not answer or says so; another answer stays what it is.
        if 0 < response.status < 500 or machine.now() >= end:
            return f'{app.name} {_words(response)} on port {app.port}: see {app.log}'
        machine.sleep(_PAUSE_S)


def _words(response: HttpResponse) -> str:
    if not response.status:
        return f'does not answer /healthcheck ({response.reason})'
    return f'answers {response.status} to /healthcheck'
