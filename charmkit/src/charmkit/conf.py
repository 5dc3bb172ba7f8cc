"""OpenStack configuration as data: sections are dicts, files are merged dicts.

Sources: oslo.config's file format; keystonemiddleware's and oslo's options as their documentation
of the Zed and 2025.1 releases has them; the numbers were measured (``docs/benchmarks.md``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .relations import cinder, keystone, mysql, rabbitmq
from .releases import Release

Value = str | int | bool | Sequence[str]
Ini = Mapping[str, Mapping[str, Value]]

MEMCACHED = '127.0.0.1:11211'
"""The cache on the unit's own machine: no unit ever asks another's."""


class Written(str):
    """A value as somebody wrote it for oslo.config, which puts other options in the place of ``$name`` in it."""

    __slots__ = ()


def written(ini: Ini) -> Ini:
    """*ini* with its values as they were written: an operator's or a subordinate's own."""
    return {
        section: {k: Written(v) if isinstance(v, str) else v for k, v in options.items()}
        for section, options in ini.items()
    }


def render(ini: Ini) -> str:
    """Render in oslo.config's format: a sequence becomes a repeated option.

    A text is read as it is, whatever is in it (but for a backslash before a dollar, which oslo.config drops); only what
    is :class:`Written` is taken for oslo.config's own language.

    Raises:
        ValueError: when a value holds a line break, which would begin an option of its own.
    """
    lines = ['# Written by the charm: local changes are overwritten.']
    for section in sorted(ini, key=lambda s: (s != 'DEFAULT', s)):
        lines += ['', f'[{section}]']
        for key, value in sorted(ini[section].items()):
            values = [value] if isinstance(value, str | int) else value
            lines += [f'{key} = {_text(key, v)}' for v in values]
    return '\n'.join(lines) + '\n'


def merge(*inis: Ini) -> Ini:
    """Merge section by section; later wins."""
    out: dict[str, dict[str, Value]] = {}
    for ini in inis:
        for section, options in ini.items():
            out.setdefault(section, {}).update(options)
    return out


def common(service: str, *, debug: bool = False) -> Ini:
    """What every service has: where it logs, and trust in the proxy's forwarded headers."""
    return {
        'DEFAULT': {'log_dir': f'/var/log/{service}', 'debug': debug},
        'oslo_middleware': {'enable_proxy_headers_parsing': True},
    }


def database(db: mysql.Database, section: str = 'database') -> Ini:
    """How oslo.db reaches *db*."""
    return {section: {'connection': db.url, 'connection_recycle_time': 300}}


_BOBCAT, _CARACAL = 28, 29


def messaging(broker: rabbitmq.Broker, release: Release) -> Ini:
    """How oslo.messaging of *release* reaches *broker*, with queues that outlive a member of its cluster.

    Quorum queues since Zed (oslo.messaging 14.0); for replies and fan-out too since Bobcat (14.4); fan-out by one
    stream for all since Caracal (14.5), which RabbitMQ gives only to a consumer with a prefetch limit. A queue keeps
    the type that it was made with: all clients of a virtual host are to be of one of these kinds.
    """
    options: dict[str, Value] = {'rabbit_quorum_queue': True}
    if release.number >= _BOBCAT:
        options['rabbit_transient_quorum_queue'] = True
    if release.number >= _CARACAL:
        options |= {'rabbit_stream_fanout': True, 'rabbit_qos_prefetch_count': 10}
    if broker.ca:
        # Of the address too: by default only who has signed is verified.
        options |= {
            'ssl': True,
            'ssl_ca_file': broker.ca_path,
            'ssl_enforce_hostname_verification': True,
        }
    return {
        'DEFAULT': {'transport_url': broker.transport_url},
        'oslo_messaging_rabbit': options,
    }


def cors(origins: Iterable[str]) -> Ini:
    """Web pages of which *origins* may use the API; none leaves it to the service, which allows none."""
    allowed = ','.join(origins)
    return {'cors': {'allowed_origin': allowed}} if allowed else {}


def account(identity: keystone.Identity) -> Mapping[str, Value]:
    """Options with which a service logs in to keystone, in whatever section."""
    return {
        'auth_type': 'password',
        'auth_url': identity.auth_url,
        'username': identity.username,
        'password': identity.password,
        'project_name': identity.project,
        'user_domain_name': identity.domain,
        'project_domain_name': identity.domain,
        'region_name': identity.region,
    }


def nova_clients(
    identity: keystone.Identity, *, volumes: cinder.Volumes, cross_az_attach: bool
) -> Ini:
    """How nova's processes, on controllers and compute nodes alike, reach the other services: at internal endpoints."""
    log_in: dict[str, Value] = {**account(identity), 'valid_interfaces': 'internal'}
    catalogue: dict[str, Value] = {'valid_interfaces': 'internal', 'region_name': identity.region}
    return {
        'service_user': {**account(identity), 'send_service_user_token': True},
        'placement': log_in,
        'neutron': log_in,
        'glance': catalogue,  # A list of its servers is deprecated.
        'keystone': catalogue,
        'cinder': {
            'catalog_info': volumes.catalog_info,
            'os_region_name': identity.region,
            'cross_az_attach': cross_az_attach,
        },
    }


def keystone_authtoken(identity: keystone.Identity, *, secret: str) -> Ini:
    """How keystonemiddleware checks tokens: once, and then from the unit's own encrypted cache.

    *secret* is the unit's own. The retry time is low: by default a memcached that was away is
    avoided for 300 s after it is back. With 5 s, over 200 tokens were validated anew while it
    recovered; with 1 s, 13. Asking one on loopback that is not there costs next to nothing.
    """
    cache: dict[str, Value] = {
        'www_authenticate_uri': identity.public_url,
        'memcached_servers': MEMCACHED,
        'memcache_security_strategy': 'ENCRYPT',
        'memcache_secret_key': secret,
        'memcache_pool_dead_retry': 1,
        'memcache_pool_socket_timeout': 1,
        'token_cache_time': 300,
        'service_token_roles': 'service',
        'service_token_roles_required': True,
    }
    return {'keystone_authtoken': {**account(identity), **cache}}


def cache() -> Ini:
    """An oslo.cache in the unit's memcached, as keystone's own."""
    return {
        'cache': {
            'enabled': True,
            'backend': 'dogpile.cache.memcached',
            'memcache_servers': MEMCACHED,
            'memcache_dead_retry': 1,
            'memcache_socket_timeout': 1,
        }
    }


def _text(key: str, value: str | int) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if '\n' in text or '\r' in text:
        raise ValueError(f'the value of {key} holds a line break')
    if isinstance(value, Written):
        # A password may hold one, whoever wrote it.
        return text.replace('$', '$$') if key in _PASSWORDS else text
    text = text.replace('$', '$$')
    # Blanks around a value are dropped, and quotes that it begins and ends with.
    return f'"{text}"' if text != text.strip() or text.startswith(_QUOTES) else text


_PASSWORDS = ('connection', 'password', 'transport_url')
_QUOTES = ('"', "'")
