"""The interfaces between neutron, its agents, and nova; all of them speak in unit databags.

Source: the interfaces that Charmed OpenStack's charms speak. By interface, who provides it, and who says what:

``neutron-api`` (neutron-api; nova-cloud-controller requires it)
    The provider: ``neutron-url``, ``neutron-plugin``, ``neutron-security-groups`` (``yes`` or ``no``),
    ``neutron-api-ready`` (``yes`` or ``no``), ``dns-domain``.
``neutron-plugin-api`` (neutron-api; neutron-gateway and neutron-openvswitch require it)
    The provider: ``neutron-api-ready``, and what API and agents must agree on: ``neutron-security-groups``,
    ``l2-population``, ``enable-dvr``, ``enable-l3ha``, ``enable-qos`` (``True`` or ``False``),
    ``overlay-network-type`` (kinds of tunnels, separated by spaces), ``polling-interval``, ``report-interval``,
    ``rpc-response-timeout`` (seconds), ``network-device-mtu`` (bytes), ``dns-domain``, ``region``. Theirs has the
    service's account too: no agent needs it, so ours does not tell it.
``quantum`` (neutron-gateway; nova-cloud-controller requires it, endpoint ``quantum-network-service``)
    The requirer: ``nova-metadata-host``, ``nova-metadata-port``, ``nova-metadata-protocol``, and
    ``shared-metadata-secret``, by which nova knows the metadata agents.
``neutron-plugin`` (a subordinate of nova-compute, container scope)
    The provider: ``neutron-plugin``, ``host`` (its name among neutron's agents), ``metadata-shared-secret``, and
    ``subordinate_configuration`` for nova-compute's files (:mod:`charmkit.relations.subordinate`).

Subordinates of neutron-api: :mod:`charmkit.relations.neutron_plugins`.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Literal
from urllib.parse import urlsplit

from .. import validators
from . import Databag, Need, Site, first, host_in_url, subordinate, wire

API_PORT = 9696
METADATA_PORT = 8775
"""Where nova's metadata API listens by itself."""

_HOST = re.compile(r'[A-Za-z0-9.:\[\]_-]{1,255}')
_PORT = re.compile(r'[1-9][0-9]{0,4}')
_NUMBER = re.compile(r'[0-9]{1,9}')
_SECRET = re.compile(r'[!-~]{1,512}')
_NAME = re.compile(r'[A-Za-z0-9_.-]{1,80}')
_TUNNELS = ('gre', 'vxlan', 'geneve')
_YES, _NO = 'yes', 'no'


def _nothing(_: Site) -> Databag:
    return {}


def _domain(text: str) -> str:
    """*text* if it is a domain; neutron ends it with a dot."""
    return text if text and validators.is_hostname(text) else ''


def _true(text: str) -> bool:
    return text.lower() in ('true', _YES)


# neutron-api: nova finds neutron.


@dataclasses.dataclass(frozen=True)
class Api:
    """Where neutron's API is, for nova."""

    url: str
    """Scheme, host and port."""
    plugin: str = 'ovs'
    security_groups: bool = True
    dns_domain: str = ''
    """'' when ports have no names."""


def api(relation: str = 'neutron-api') -> Need[Api]:
    """Neutron's API, once it is ready."""

    def parse(bag: Databag, _: Site) -> Api | None:
        url = bag.get('neutron-url', '')
        if bag.get('neutron-api-ready') != _YES or not _is_url(url):
            return None
        plugin = bag.get('neutron-plugin', '')
        return Api(
            url=url.rstrip('/'),
            plugin=plugin if _NAME.fullmatch(plugin) else 'ovs',
            security_groups=bag.get('neutron-security-groups', _NO) == _YES,
            dns_domain=_domain(bag.get('dns-domain', '')),
        )

    return Need(relation, _nothing, first(parse), 'neutron')


def api_databag(api: Api) -> dict[str, str]:
    """What neutron-api says to nova once it is ready."""
    said = {
        'neutron-url': api.url,
        'neutron-plugin': api.plugin,
        'neutron-security-groups': _YES if api.security_groups else _NO,
        'neutron-api-ready': _YES,
        'enable-sriov': 'False',
        'enable-hardware-offload': 'False',
        'dns-domain': api.dns_domain,
    }
    return {key: value for key, value in said.items() if value}


def _is_url(text: str) -> bool:
    if not wire.one_line(text, 300):
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ('http', 'https')
        and bool(_HOST.fullmatch(parts.hostname or ''))
        and not (parts.username or parts.query or parts.fragment)
        and (port is None or 0 < port < 65536)
    )


# neutron-plugin-api: what API and agents must agree on.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What the API and all of its agents have alike."""

    security_groups: bool = True
    l2_population: bool = False
    dvr: bool = False
    l3ha: bool = False
    qos: bool = False
    tunnels: tuple[str, ...] = ()
    """Kinds of overlay networks; none where tenants' networks are VLANs."""
    polling_interval: int = 2
    """Seconds between looks at the switch."""
    report_interval: int = 30
    """Seconds between an agent's signs of life."""
    rpc_response_timeout: int = 60
    """Seconds."""
    mtu: int = 0
    """Bytes, of the devices that agents make; 0 leaves it to each network."""
    dns_domain: str = ''
    region: str = ''


_FLAGS = {
    'security_groups': 'neutron-security-groups',
    'l2_population': 'l2-population',
    'dvr': 'enable-dvr',
    'l3ha': 'enable-l3ha',
    'qos': 'enable-qos',
}
_NUMBERS = {
    'polling_interval': ('polling-interval', 1, 3600),
    'report_interval': ('report-interval', 1, 3600),
    'rpc_response_timeout': ('rpc-response-timeout', 1, 3600),
    'mtu': ('network-device-mtu', 576, 65535),
}
"""Field, key, least and most."""


def plugin_api(relation: str = 'neutron-plugin-api') -> Need[Settings]:
    """What the agents have in common with the API, once that is ready."""

    def parse(bag: Databag, _: Site) -> Settings | None:
        if bag.get('neutron-api-ready') != _YES:
            return None
        flags = {name: _true(bag.get(key, '')) for name, key in _FLAGS.items()}
        numbers = {
            name: int(text)
            for name, (key, least, most) in _NUMBERS.items()
            if _NUMBER.fullmatch(text := bag.get(key, '')) and least <= int(text) <= most
        }
        region = bag.get('region', '')
        wanted = bag.get('overlay-network-type', '').split()
        return dataclasses.replace(
            Settings(
                tunnels=tuple(t for t in _TUNNELS if t in wanted),
                dns_domain=_domain(bag.get('dns-domain', '')),
                region=region if wire.one_line(region, 255) else '',
            ),
            **flags,
            **numbers,
        )

    return Need(relation, _nothing, first(parse), 'its settings')


def settings_databag(settings: Settings, address: str = '') -> dict[str, str]:
    """What neutron-api, which is reached at *address*, says to its agents once it is ready."""
    said = {key: str(getattr(settings, name)) for name, key in _FLAGS.items()}
    said |= {
        key: str(value)
        for name, (key, *_) in _NUMBERS.items()
        if (value := getattr(settings, name))
    }
    said |= {
        'overlay-network-type': ' '.join(settings.tunnels),
        'dns-domain': settings.dns_domain,
        'region': settings.region,
        'addr': address,
        'neutron-api-ready': _YES,
    }
    return {key: value for key, value in said.items() if value}


# quantum: metadata agents find nova.


@dataclasses.dataclass(frozen=True)
class Metadata:
    """Nova's metadata API, as its agents reach it."""

    host: str
    """Without brackets."""
    secret: str = dataclasses.field(repr=False)
    """By which nova knows that a request comes from an agent."""
    port: int = METADATA_PORT
    protocol: Literal['http', 'https'] = 'http'

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f'{self.protocol}://{host_in_url(self.host)}:{self.port}'

    def agent_options(self, cpus: int) -> dict[str, str | int]:
        """``[DEFAULT]`` of an agent that passes on what guests ask, on a machine with so many *cpus*."""
        return {
            'nova_metadata_host': self.host,
            'nova_metadata_port': self.port,
            'nova_metadata_protocol': self.protocol,
            'metadata_proxy_shared_secret': self.secret,
            'metadata_workers': max(min(cpus // 2, 4), 1),
        }


def metadata(relation: str = 'quantum-network-service') -> Need[Metadata]:
    """Nova's metadata API, and the secret that it shares with the agents."""

    def parse(bag: Databag, _: Site) -> Metadata | None:
        host = bag.get('nova-metadata-host', '').strip('[]')
        secret = bag.get('shared-metadata-secret', '')
        port = bag.get('nova-metadata-port', str(METADATA_PORT))
        if not (_HOST.fullmatch(host) and _SECRET.fullmatch(secret) and _PORT.fullmatch(port)):
            return None
        if int(port) > 65535:
            return None
        secure = bag.get('nova-metadata-protocol', 'http') == 'https'
        return Metadata(host, secret, int(port), 'https' if secure else 'http')

    return Need(relation, _nothing, first(parse), "nova's metadata")


def metadata_databag(metadata: Metadata, region: str = '') -> dict[str, str]:
    """What nova-cloud-controller says to neutron-gateway."""
    said = {
        'nova-metadata-host': metadata.host,
        'nova-metadata-port': str(metadata.port),
        'nova-metadata-protocol': metadata.protocol,
        'shared-metadata-secret': metadata.secret,
        'region': region,
    }
    return {key: value for key, value in said.items() if value}


# neutron-plugin: the agent on a compute node, and nova-compute there.


@dataclasses.dataclass(frozen=True)
class Plugin:
    """The networking of a compute node."""

    name: str = 'ovs'
    host: str = ''
    """The node's name among neutron's agents, which must be nova's name for it; '' is the host's own name."""


def plugin(relation: str = 'neutron-plugin') -> Need[Plugin]:
    """The agent beside a nova-compute, once it is ready.

    What it has for nova-compute's files is ``subordinate.need(relation, 'nova-compute')``.
    """

    def parse(bag: Databag, _: Site) -> Plugin | None:
        name, host = bag.get('neutron-plugin', ''), bag.get('host', '')
        if not (_NAME.fullmatch(name) or bag.get(subordinate.KEY)):
            return None
        return Plugin(
            name if _NAME.fullmatch(name) else 'ovs',
            host if validators.is_hostname(host) else '',
        )

    return Need(relation, _nothing, first(parse), 'an agent')


def plugin_databag(plugin: Plugin, sections: subordinate.Sections) -> dict[str, str]:
    """What an agent says to the nova-compute beside it; *sections* are for nova-compute's files."""
    said = {
        'neutron-plugin': plugin.name,
        'host': plugin.host,
        subordinate.KEY: subordinate.configuration('nova-compute', sections),
    }
    return {key: value for key, value in said.items() if value}
