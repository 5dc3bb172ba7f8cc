"""A deployed bundle, as its clients see it: where its endpoints are, and openstacksdk connected to them.

Everything is asked through the load balancers' addresses, as clients would, and nothing is asked twice: what is lost
must be seen. openstacksdk takes more than a second to be imported, so it is not before somebody connects (`warm`).
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import functools
import json
import pathlib
import shutil
import tempfile
import threading
import time
import urllib.request
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import jubilant
import yaml

if TYPE_CHECKING:
    import openstack.connection

TIMEOUT_S = 20.0
TYPES = ('public', 'internal', 'admin')


@dataclasses.dataclass(frozen=True)
class Cloud:
    """Endpoints by service and type, and who may do everything."""

    urls: dict[str, dict[str, str]]
    """Service name → endpoint type → URL."""
    password: str = dataclasses.field(repr=False)
    ca: str = ''
    """What clients are to trust, PEM; '' where no endpoint has TLS, or whose everybody trusts."""


def find(juju: jubilant.Juju) -> Cloud:
    """The cloud that is deployed in a model. RuntimeError if an endpoint is not there yet."""
    status = juju.status()
    urls: dict[str, dict[str, str]] = {}
    trusted: dict[str, None] = {}
    for name, app in status.apps.items():
        if any(f'{kind}-backend' in app.relations for kind in TYPES):
            urls |= _frontends(juju, next(iter(app.units)), name, trusted)
    task = juju.run('keystone/leader', 'get-admin-password')
    return Cloud(urls, str(task.results['password']), ''.join(trusted))


def _frontends(
    juju: jubilant.Juju, unit: str, application: str, trusted: dict[str, None]
) -> dict[str, dict[str, str]]:
    """The endpoints of the services that an application has: one, or several. *trusted* gets what to trust."""
    found: dict[str, dict[str, str]] = {}
    for relation in juju.show_unit(unit).relation_info:
        kind = relation.endpoint.removesuffix('-backend')
        if kind not in TYPES or kind == relation.endpoint:
            continue
        for service, of_type in json.loads(relation.app_data.get('frontends', '{}')).items():
            if kind in of_type:
                found.setdefault(service, {})[kind] = of_type[kind]['url']
                if ca := str(of_type[kind].get('ca', '')).strip():
                    trusted[f'{ca}\n'] = None
    if not found:
        raise RuntimeError(f'{application} has no endpoint behind a load balancer yet')
    return found


def identity_url(cloud: Cloud) -> str:
    """Keystone's public endpoint, with the version of its API."""
    url = cloud.urls['keystone']['public'].rstrip('/')
    return url if url.endswith('/v3') else f'{url}/v3'


@functools.cache
def ca_file(ca: str) -> str:
    """The path of a file with *ca*, for as long as this program runs."""
    folder = tempfile.mkdtemp(prefix='rambla-')
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = pathlib.Path(folder, 'ca.pem')
    path.write_text(ca)
    return str(path)


def trusted(cloud: Cloud) -> str:
    """The path of a file with whom clients must trust; '' where they need trust nobody."""
    return ca_file(cloud.ca) if cloud.ca else ''


def login(cloud: Cloud, ca: str = '') -> dict[str, Any]:
    """How the administrator logs in, as openstacksdk wants it said; *ca*: the file with what is to be trusted."""
    trust = {'cacert': ca or trusted(cloud)} if cloud.ca else {}
    return {
        **trust,
        'auth': {
            'auth_url': identity_url(cloud),
            'username': 'admin',
            'password': cloud.password,
            'project_name': 'admin',
            'user_domain_name': 'Default',
            'project_domain_name': 'Default',
        },
        'region_name': 'RegionOne',
        'identity_api_version': '3',
    }


def clouds_yaml(cloud: Cloud, ca: str = '') -> str:
    """What openstacksdk and the ``openstack`` command read; *ca*: the file with what is to be trusted."""
    return yaml.safe_dump({'clouds': {'rambla': login(cloud, ca)}}, sort_keys=False)


def warm() -> None:
    """Import openstacksdk beside other work, so that `connect` need not wait for it."""
    threading.Thread(target=lambda: __import__('openstack'), daemon=True).start()


def connect(cloud: Cloud, timeout_s: float = TIMEOUT_S) -> openstack.connection.Connection:
    """Speak as the administrator to the public endpoints, and to placement. Nothing is asked before it is used."""
    # Placement has no public endpoint.
    return connected({**login(cloud), 'placement_interface': 'internal', 'api_timeout': timeout_s})


def connected(login: Mapping[str, Any]) -> openstack.connection.Connection:
    """Speak as *login* says, to the public endpoints. Nothing is asked before it is used, and nothing twice."""
    import openstack

    said: dict[str, Any] = {'api_timeout': TIMEOUT_S, **login}
    return openstack.connect(
        load_yaml_config=False,
        load_envvars=False,
        auth_type='v3password',  # The URL says the version: none need be asked for.
        image_status_code_retries=0,  # 5 by itself: a 503 would not be seen.
        **said,
    )


@contextlib.contextmanager
def plainly(doing: str) -> Generator[None]:
    """What openstacksdk raises while *doing* something becomes a RuntimeError of one line."""
    import keystoneauth1.exceptions
    import openstack.exceptions

    try:
        yield
    except (openstack.exceptions.SDKException, keystoneauth1.exceptions.ClientException) as error:
        raise RuntimeError(f'{doing}: {error}') from error


def token(cloud: Cloud) -> str:
    """A token of the administrator. RuntimeError if it is refused."""
    with plainly(f'no token from {identity_url(cloud)}'):
        return str(connect(cloud).auth_token)


def status(cloud: Cloud, url: str) -> int:
    """The HTTP status that a client without a token gets for *url*. RuntimeError when nobody answers."""
    with plainly(f'no answer from {url}'):
        response = connect(cloud).session.get(url, authenticated=False, raise_exc=False)
    return response.status_code


def page(url: str, seconds: float) -> str:
    """What a web server answers within that time; empty where nobody does, or answers otherwise than with 200."""
    try:
        with urllib.request.urlopen(url, timeout=seconds) as response:  # noqa: S310 -- ours: http
            return str(response.read(1 << 20), errors='replace') if response.status == 200 else ''
    except OSError:
        return ''


@dataclasses.dataclass
class Tally:
    """What became of a stream of requests."""

    asked: int = 0
    lost: list[str] = dataclasses.field(default_factory=list[str])
    slowest_s: float = 0.0


def ask_until(stop: threading.Event, cloud: Cloud, tally: Tally) -> None:
    """Validate a token through the public endpoint, over and over, until *stop* is set.

    Each request comes over a connection of its own and is made once: a new token after a 401, or another try, would
    hide a loss.
    """
    session, held = connect(cloud).session, token(cloud)
    headers = {'X-Auth-Token': held, 'X-Subject-Token': held, 'Connection': 'close'}
    while not stop.is_set():
        began = time.monotonic()
        tally.asked += 1
        try:
            with plainly('lost'):
                session.get(
                    f'{identity_url(cloud)}/auth/tokens', headers=headers, authenticated=False
                )
        except RuntimeError as error:
            tally.lost.append(str(error))
        tally.slowest_s = max(tally.slowest_s, time.monotonic() - began)
        stop.wait(0.1)
