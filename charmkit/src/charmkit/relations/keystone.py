"""The ``keystone`` interface (``identity-service``): a service account, and a place in the catalogue.

Source: the interface that Charmed OpenStack's charms speak. All keys live in unit databags. A
charm asks with ``service``, ``region``, ``public_url``, ``internal_url`` and ``admin_url``; when
it has several services, each of these keys is prefixed, ``nova_service``. Keystone answers with
where it is itself, and with one account for all the services of a relation. A charm that wants
the former alone writes ``None`` for each value.

Three keys are ours. A charm may add ``endpoint_types``, the endpoint types to register, separated by
commas; a keystone that does not know this key registers all.
Keystone adds ``refused``, why it does not do as it is asked now, in words for the operator.
A charm adds ``account_refused`` while keystone does not take its account: its password is to be set again.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from .. import passwords
from . import (
    ENDPOINT_TYPES,
    Databag,
    EndpointType,
    Need,
    Relation,
    Site,
    first,
    host_in_url,
    unit_order,
    wire,
)
from .service_types import TYPES as TYPES
from .service_types import type_of as type_of

RELATION = 'identity-service'
"""The endpoint's name, on both sides."""

_KEYS = ('service', 'region', 'public_url', 'internal_url', 'admin_url')
_TYPES_KEY = 'endpoint_types'
_NO_TYPES = 'none'
REFUSED = 'refused'
ACCOUNT_REFUSED = 'account_refused'
_REGION = re.compile(r'[A-Za-z0-9._ -]{1,255}')
_ROLE = re.compile(r'[A-Za-z0-9._ -]{1,64}')
_NO_VALUE = 'None'
_MOST_SERVICES = 64
"""That one relation may ask for."""


@dataclasses.dataclass(frozen=True)
class Identity:
    """The service account that keystone made for this application, and where keystone is."""

    auth_url: str
    """Where services reach keystone: its internal endpoint, ending in ``/v3``."""
    public_url: str
    """Where clients reach it."""
    username: str
    project: str
    domain: str
    password: str = dataclasses.field(repr=False)
    region: str = 'RegionOne'


def need(service: str, path: str = '', *, more: Mapping[str, str] | None = None) -> Need[Identity]:
    """A service account, and *service* in the catalogue under *path*.

    *more* are further services of the same charm, and their paths; the account is for all. Each
    service is registered with its own URLs (:attr:`Site.urls`): nothing is asked for before all have some.
    """
    paths = {service: path, **(more or {})}

    def request(site: Site) -> Databag:
        if any(name not in site.urls for name in paths):
            return {}
        out: dict[str, str] = {}
        for name, tail in paths.items():
            p = f'{name}_' if more else ''
            out |= {f'{p}service': name, f'{p}region': site.region}
            out |= {f'{p}{t}_url': site.urls[name][t] + tail for t in ENDPOINT_TYPES}
            types = site.registered(name)
            if types != ENDPOINT_TYPES:
                out[f'{p}{_TYPES_KEY}'] = ','.join(types) or _NO_TYPES
        return out

    def parse(bag: Databag, site: Site) -> Identity | None:
        internal, public = (
            _own_url(bag, 'internal') or _own_url(bag, 'auth'),
            _own_url(bag, 'service'),
        )
        name, password = bag.get('service_username'), bag.get('service_password')
        if not (internal and public and name and password):
            return None
        found = Identity(
            auth_url=f'{internal}/v3',
            public_url=f'{public}/v3',
            username=name,
            password=password,
            project=bag.get('service_tenant', 'services'),
            domain=bag.get('service_domain') or 'Default',
            region=bag.get('region') or site.region,
        )
        return found if all(map(wire.one_line, dataclasses.astuple(found))) else None

    return Need(RELATION, request, first(parse), service, refusal=refusal)


def account_mark(username: str, password: str) -> str:
    """The value of :data:`ACCOUNT_REFUSED`: it stands for an account with its password, and says nothing of that."""
    return passwords.fingerprint(f'{username} {password}')


@dataclasses.dataclass(frozen=True)
class AuthEndpoint:
    """Where keystone is, for a charm that has no account and nothing in the catalogue."""

    auth_url: str
    """Its internal endpoint, ending in ``/v3``."""
    region: str


def need_auth_endpoint(*roles: str) -> Need[AuthEndpoint]:
    """Where keystone is, and *roles* that are to exist there; nothing else."""

    def request(_: Site) -> Databag:
        return {**dict.fromkeys(_KEYS, _NO_VALUE), 'requested_roles': ','.join(roles)}

    def parse(bag: Databag, site: Site) -> AuthEndpoint | None:
        url = _own_url(bag, 'internal') or _own_url(bag, 'auth')
        found = AuthEndpoint(f'{url}/v3', bag.get('region') or site.region)
        return found if url and all(map(wire.one_line, dataclasses.astuple(found))) else None

    return Need(RELATION, request, first(parse), refusal=refusal)


def _own_url(bag: Databag, role: str) -> str:
    """Where keystone says that it is, in the *role* of ``auth``, ``service`` or ``internal``; '' for no such place."""
    host, port = bag.get(f'{role}_host'), bag.get(f'{role}_port')
    if not (host and port):
        return ''
    try:
        return _url(f'{bag.get(f"{role}_protocol", "http")}://{host_in_url(host)}:{port}')
    except ValueError:
        return ''


# The other side: keystone itself.


@dataclasses.dataclass(frozen=True)
class CatalogService:
    """A service that wants to be in the catalogue: its URLs by endpoint type."""

    name: str
    type: str
    region: str
    urls: tuple[tuple[EndpointType, str], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What one application asks of keystone."""

    relation: int
    app: str
    services: tuple[CatalogService, ...]
    """None for a charm that only asks where keystone is."""
    roles: tuple[str, ...] = ()
    """Roles that are to exist, and that its account is to have."""
    admin_roles: tuple[str, ...] = ()
    """Those of *roles* that the admin is to have as well."""

    @property
    def username(self) -> str:
        """The name of its account, as Charmed OpenStack builds it; '' if it wants none."""
        return '_'.join(sorted(s.name for s in self.services))


@dataclasses.dataclass(frozen=True)
class Refusal:
    """Why an application's request cannot be met, in words for the operator."""

    app: str
    reason: str


def request(relation: Relation) -> Request | Refusal | None:
    """What the application behind *relation* asks for; None while it says nothing.

    Units of an application may differ in what they say, when each registers its own address:
    the unit with the lowest number that has said everything counts, so the choice is stable. When
    none has said everything, what is missing is named.
    """
    missing: list[str] = []
    for _, bag in sorted(relation.units.items(), key=lambda item: unit_order(item[0])):
        asked = _asked(bag)
        if not asked:
            continue
        if lacking := _lacking(asked):
            missing.append(lacking)
            continue
        try:
            services = tuple(
                _service(values)
                for values in asked.values()
                if _NO_VALUE not in (values[key] for key in _KEYS)
            )
            _check_places(services)
            return Request(
                relation=relation.id,
                app=relation.app,
                services=services,
                roles=_roles(bag.get('requested_roles', '')),
                admin_roles=_roles(bag.get('add_role_to_admin', '')),
            )
        except ValueError as e:
            return Refusal(relation.app, str(e))
    return Refusal(relation.app, missing[0]) if missing else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Account:
    """What keystone knows of the account that it made, and of its admin; ids are keystone's."""

    username: str
    password: str = dataclasses.field(repr=False)
    user_id: str
    domain: str
    domain_id: str
    project: str
    project_id: str
    admin_domain_id: str
    admin_project_id: str
    admin_user_id: str
    admin_role: str


def response(request: Request, urls: Mapping[str, str], region: str, account: Account) -> Databag:
    """What keystone publishes on the relation of *request*, once *account* and endpoints are there.

    *urls* are keystone's own by endpoint type, without a path.
    """
    out = {'api_version': '3', 'region': region, 'admin_domain_id': account.admin_domain_id}
    roles: tuple[tuple[str, EndpointType], ...] = (
        ('auth', 'admin'),
        ('service', 'public'),
        ('internal', 'internal'),
    )
    for role, endpoint_type in roles:
        url = urlsplit(urls[endpoint_type])
        port = url.port or {'https': 443}.get(url.scheme, 80)
        out |= {
            f'{role}_protocol': url.scheme,
            f'{role}_host': host_in_url(url.hostname or ''),
            f'{role}_port': str(port),
        }
    if request.roles:
        out['created_roles'] = ','.join(request.roles)
    if not request.services:
        return out
    return out | {
        'service_type': request.services[0].type,
        'service_username': account.username,
        'service_password': account.password,
        'service_user_id': account.user_id,
        'service_domain': account.domain,
        'service_domain_id': account.domain_id,
        'service_tenant': account.project,
        'service_tenant_id': account.project_id,
        'admin_project_id': account.admin_project_id,
        'admin_user_id': account.admin_user_id,
        'admin_role': account.admin_role,
    }


def refusal(relations: tuple[Relation, ...], _: Site) -> str:
    """Why keystone does not do as it is asked now, in its words; '' when it does."""
    said = (bag.get(REFUSED, '') for relation in relations for bag in relation.remote_databags())
    return next((text[:500] for text in said if text), '')


def _asked(bag: Databag) -> dict[str, dict[str, str]]:
    """The values of each set of keys, by prefix: of the one without a prefix, or of all with one."""
    several = sorted(k.removesuffix('service') for k in bag if k.endswith('_service'))
    prefixes = [''] if 'service' in bag else several
    keys = (*_KEYS, _TYPES_KEY)
    return {p: {key: bag.get(f'{p}{key}', '') for key in keys} for p in prefixes}


def _lacking(asked: Mapping[str, Mapping[str, str]]) -> str:
    """What is not said, in words; '' when everything is."""
    for prefix, values in asked.items():
        if keys := [key for key in _KEYS if not values[key]]:
            names = ', '.join(f'{prefix}{key}' for key in keys)
            return f'it does not say {names}{": see its option region" * ("region" in keys)}'
    return ''


def _service(values: Mapping[str, str]) -> CatalogService:
    name, region = values['service'], values['region']
    if name == 'keystone' or not type_of(name):
        raise ValueError(
            f'service {name[:80]!r} cannot be registered: a name has small letters, digits and single '
            "dashes, and is neither keystone's own nor another service's type"
        )
    if not is_region(region):
        raise ValueError(f'region {region[:80]!r} is not a name: see its option region')
    said = values[_TYPES_KEY]
    types = () if said == _NO_TYPES else said.split(',') if said else ENDPOINT_TYPES
    if unknown := sorted(set(types) - set(ENDPOINT_TYPES)):
        raise ValueError(f'endpoint type {unknown[0][:80]!r} is none of {_in_words()}')
    urls = {t: _url(values[f'{t}_url']) for t in ENDPOINT_TYPES}
    return CatalogService(
        name, type_of(name), region, tuple((t, urls[t]) for t in ENDPOINT_TYPES if t in types)
    )


def is_region(text: str) -> bool:
    """Whether the catalogue may have a region of that name, as far as these charms go."""
    return bool(_REGION.fullmatch(text)) and text == text.strip()


def _check_places(services: tuple[CatalogService, ...]) -> None:
    if len(services) > _MOST_SERVICES:
        raise ValueError(f'it asks for more than {_MOST_SERVICES} services')
    places = [(s.name, s.region) for s in services]
    for name, region in places:
        if places.count((name, region)) > 1:
            raise ValueError(f'it asks for the service {name} in {region} twice')


_SUBSTITUTED = dict.fromkeys(
    (
        *('tenant_id', 'project_id', 'user_id', 'public_bind_host', 'admin_bind_host'),
        *('compute_host', 'admin_port', 'public_port'),
    ),
    '',
)
"""What may stand in a URL as ``$(name)s`` or ``%(name)s``; keystone answers anything else with 400. Source: keystone's
``WHITELISTED_PROPERTIES`` and ``check_endpoint_url`` (keystone/common/utils.py)."""


def _in_words() -> str:
    return ', '.join(ENDPOINT_TYPES)


def _url(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ('http', 'https') and bool(parts.hostname) and parts.port != 0
        # Clients put paths behind it; nobody's password is to be in a catalogue.
        good = good and not ('@' in parts.netloc or parts.query or parts.fragment)
        _ = url.replace('$(', '%(') % _SUBSTITUTED
    except (ValueError, KeyError, TypeError):
        good = False
    if not good or not url.isascii() or not url.isprintable() or ' ' in url or len(url) > 2000:
        raise ValueError(f'{url[:80]!r} is not an address that a catalogue can hold')
    return url


def _roles(text: str) -> tuple[str, ...]:
    roles = tuple(sorted({r.strip() for r in text.split(',')} - {'', _NO_VALUE}))
    for role in roles:
        if not _ROLE.fullmatch(role):
            raise ValueError(f'role {role[:80]!r} is not a name')
    return roles
