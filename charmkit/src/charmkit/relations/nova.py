"""The ``nova-compute`` interface (``cloud-compute``): the controller of a cloud, and its compute nodes.

Source: the interface that Charmed OpenStack's charms nova-cloud-controller and nova-compute speak. All keys live in
unit databags. The controller tells the account that computes use (``auth_*``, ``service_*``, ``admin_domain_name``),
``network_manager``, ``quantum_url`` (where neutron is), ``volume_service``, ``region``, how consoles are reached
(``console_*``), and, numbered, the SSH keys of all computes: ``nova_authorized_keys_0``, ``nova_known_hosts_0`` and
so on, with ``nova_authorized_keys_max_index``. A compute tells ``hostname``, ``private-address`` (where guests are
migrated to), ``availability_zone``, ``migration_auth_type`` and ``nova_ssh_public_key``.

Three keys are ours. A compute adds ``ssh_host_keys``, its own host keys, one a line (the controller of Charmed
OpenStack asks the network for them instead), and ``service_id``, the UUID of its service once nova has it. The
controller's leader adds ``mapped_service_ids``: those whose hosts it has mapped to a cell.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from .. import validators
from . import (
    Databag,
    Need,
    Relation,
    Site,
    first,
    host_in_url,
    keystone,
    sharing,
    unit_order,
    wire,
)

RELATION = 'cloud-compute'
"""The endpoint's name, on both sides."""
MIGRATION = 'migration'
"""The binding whose address a compute is sent guests on."""

_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,252}')
_ZONE = re.compile(r'[A-Za-z0-9][A-Za-z0-9 ._-]{0,254}')
_HOST = re.compile(r'[A-Za-z0-9.:-]{1,253}')
_UUID = re.compile(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')
_KEYMAP = re.compile(r'[a-z]{2}(-[a-z]{2})?')
# Nothing before the type: options there would be commands.
_KEY = re.compile(
    r'(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{40,4000}={0,3}( [!-~]{1,200})?'
)
_KNOWN_HOST = re.compile(rf'[A-Za-z0-9._,:\[\]-]{{1,600}} {_KEY.pattern}')
_MOST_KEYS = 4096
_MOST_HOST_KEYS = 8
MAPPED = 'mapped_service_ids'
_SERVICE = 'service_id'
_YES = ('yes', 'true', '1')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Console:
    """How users reach the consoles of their servers."""

    protocol: str
    """``novnc``, ``spice``…"""
    url: str
    """The page that a browser opens; nova adds the token."""
    keymap: str = 'en-us'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Controller:
    """What is published to a compute node."""

    identity: keystone.Identity
    """The account of nova itself."""
    network_url: str = ''
    """Where neutron is; '' while the controller does not know."""
    network_plugin: str = 'ovs'
    """What neutron has on compute nodes, in its charms' words."""
    security_groups: bool = True
    """Neutron has them."""
    network_manager: str = 'neutron'
    volume_service: str = 'cinder'
    dns_domain: str = ''
    """The domain of servers' names, as neutron has it."""
    console: Console | None = None
    cross_az_attach: bool = True
    """A volume may be in another availability zone than its server."""
    resize_to_same_host: bool = False
    authorized_keys: tuple[str, ...] = ()
    """Public keys of all computes' ``nova`` users."""
    known_hosts: tuple[str, ...] = ()
    """Lines for ``known_hosts``: names and host keys of all computes."""
    mapped: frozenset[str] = frozenset()
    """UUIDs of services whose hosts are mapped to a cell: servers can be made there."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compute:
    """What one compute node tells."""

    unit: str
    hostname: str
    """As nova knows it."""
    address: str
    """Where guests are migrated to."""
    zone: str = ''
    """The availability zone that it is in; '' is nova's own default."""
    ssh_key: str = ''
    """The public key of its ``nova`` user."""
    host_keys: tuple[str, ...] = ()
    """Of its SSH server."""
    service: str = ''
    """The UUID of its service; '' while nova has none, or it does not say."""


def need() -> Need[Controller]:
    """The controller of this compute node. What the node tells it is an :class:`charmkit.Offer` (:func:`present`)."""

    def read(relations: tuple[Relation, ...], site: Site) -> Controller | None:
        found = first(_parse)(relations, site)
        said = ' '.join(
            bag.get(MAPPED, '') for r in relations for bag in r.remote_databags()
        ).split()
        mapped = frozenset(filter(_UUID.fullmatch, said))
        return dataclasses.replace(found, mapped=mapped) if found else None

    return Need(RELATION, lambda _: {}, read, 'an account')


def present(compute: Compute) -> Databag:
    """What a compute node tells its controller."""
    return {
        key: value
        for key, value in {
            'hostname': compute.hostname,
            'private-address': compute.address,
            'availability_zone': compute.zone,
            'migration_auth_type': 'ssh' if compute.ssh_key else '',
            'nova_ssh_public_key': compute.ssh_key,
            'ssh_host_keys': '\n'.join(compute.host_keys),
            _SERVICE: compute.service,
        }.items()
        if value
    }


def _parse(bag: Databag, site: Site) -> Controller | None:
    identity = _identity(bag, site)
    if identity is None:
        return None
    return Controller(
        identity=identity,
        network_url=_url(bag.get('quantum_url') or bag.get('neutron_url', '')),
        network_plugin=_matching(_NAME, bag.get('quantum_plugin', '')) or 'ovs',
        security_groups=_yes(
            bag.get('neutron_security_groups') or bag.get('quantum_security_groups', 'yes')
        ),
        network_manager=_matching(_NAME, bag.get('network_manager', '')).lower() or 'neutron',
        volume_service=_matching(_NAME, bag.get('volume_service', '')).lower() or 'cinder',
        dns_domain=_matching(_NAME, bag.get('dns_domain', '').rstrip('.')),
        console=_console(bag),
        cross_az_attach=_yes(bag.get('cross_az_attach', 'true')),
        resize_to_same_host=_yes(bag.get('allow_resize_to_same_host', '')),
        authorized_keys=tuple(_numbered(bag, 'nova_authorized_keys', _KEY)),
        known_hosts=tuple(_numbered(bag, 'nova_known_hosts', _KNOWN_HOST)),
    )


def _identity(bag: Databag, site: Site) -> keystone.Identity | None:
    host, port = bag.get('auth_host', ''), bag.get('auth_port', '')
    public, public_port = bag.get('service_host') or host, bag.get('service_port') or port
    name, password = bag.get('service_username', ''), bag.get('service_password', '')
    internal_url = _endpoint(bag.get('auth_protocol', 'http'), host, port)
    public_url = _endpoint(bag.get('service_protocol', 'http'), public, public_port)
    if not (internal_url and public_url and name and password):
        return None
    region = bag.get('region', '')
    found = keystone.Identity(
        auth_url=internal_url,
        public_url=public_url,
        username=name,
        password=password,
        project=bag.get('service_tenant_name') or bag.get('service_tenant') or 'services',
        domain=bag.get('admin_domain_name') or 'Default',
        region=region if keystone.is_region(region) else site.region,
    )
    return found if all(map(wire.one_line, dataclasses.astuple(found))) else None


def _endpoint(scheme: str, host: str, port: str) -> str:
    """Keystone's URL; '' while it is not said, or not as it should be."""
    if not (_HOST.fullmatch(host.strip('[]')) and port.isdecimal()):
        return ''
    return _url(f'{scheme}://{host_in_url(host)}:{port}/v3')


def _console(bag: Databag) -> Console | None:
    protocol = bag.get('console_access_protocol', '').lower()
    if protocol == 'vnc':  # Two kinds at once, of which releases of today have the one.
        protocol = 'novnc'
    url = _url(bag.get(f'console_proxy_{protocol}_address', ''))
    if not (_NAME.fullmatch(protocol) and url):
        return None
    keymap = bag.get('console_keymap', '')
    return Console(
        protocol=protocol, url=url, keymap=keymap if _KEYMAP.fullmatch(keymap) else 'en-us'
    )


def _numbered(bag: Databag, name: str, wanted: re.Pattern[str]) -> Iterator[str]:
    """The lines that are spread over ``NAME_0``, ``NAME_1``…; one that is not as *wanted* is left out."""
    most = bag.get(f'{name}_max_index', '')
    for index in range(min(int(most), _MOST_KEYS) if most.isdecimal() and len(most) < 9 else 0):
        line = bag.get(f'{name}_{index}', '').strip()
        if wanted.fullmatch(line):
            yield line


def _url(url: str) -> str:
    """*url* if it is one of HTTP's, else nothing."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ('http', 'https') and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ''
    return url if good and url.isascii() and wire.one_line(url) and ' ' not in url else ''


def _matching(pattern: re.Pattern[str], text: str) -> str:
    return text if pattern.fullmatch(text) else ''


def _yes(text: str) -> bool:
    return text.lower() in _YES


# The other side: the controller.


def computes() -> Need[tuple[Compute, ...]]:
    """The compute nodes that have said who they are. A controller serves without any."""

    def read(relations: tuple[Relation, ...], _: Site) -> tuple[Compute, ...]:
        return known(relations)[0]

    def refusal(relations: tuple[Relation, ...], _: Site) -> str:
        return '; '.join(f'{r.unit}: {r.reason}' for r in known(relations)[1])

    return Need(RELATION, lambda _: {}, read, 'compute nodes', refusal=refusal, optional=True)


def known(
    relations: Iterable[Relation],
) -> tuple[tuple[Compute, ...], tuple[sharing.Refusal, ...]]:
    """The compute nodes that have said who they are, by their names' order, and what of that is refused.

    What is refused of a node's keys is left out; a node whose host name will not do is left out whole.
    """
    found: list[Compute] = []
    refused: list[sharing.Refusal] = []
    for relation in relations:
        for unit, bag in sorted(relation.units.items(), key=lambda item: unit_order(item[0])):
            hostname = bag.get('hostname', '')
            if not hostname:
                continue
            if wrong := _not_its_name(hostname, found):
                refused.append(sharing.Refusal(unit, wrong))
                continue
            key = bag.get('nova_ssh_public_key', '').strip()
            if key and not _KEY.fullmatch(key):
                refused.append(sharing.Refusal(unit, 'its SSH key is not a public key'))
            address = bag.get('private-address', '')
            if wrong := _not_its_address(address, found):
                refused.append(sharing.Refusal(unit, wrong))
                address = ''
            lines = [line.strip() for line in bag.get('ssh_host_keys', '').split('\n')]
            found.append(
                Compute(
                    unit=unit,
                    hostname=hostname,
                    address=address,
                    zone=_matching(_ZONE, bag.get('availability_zone', '')),
                    ssh_key=_matching(_KEY, key),
                    host_keys=tuple(filter(_KEY.fullmatch, lines[:_MOST_HOST_KEYS])),
                    service=_matching(_UUID, bag.get(_SERVICE, '')),
                )
            )
    return tuple(found), tuple(refused)


def _not_its_name(name: str, others: Iterable[Compute]) -> str:
    """Why a node cannot be called *name*: nova takes two of one name for one node."""
    if not _NAME.fullmatch(name):
        return f'{name[:80]!r} is not a host name'
    if name.lower().partition('.')[0] == 'localhost':
        return f'{name[:80]!r} is every node: give its machine a name'
    same = next((c.unit for c in others if c.hostname.lower() == name.lower()), '')
    return f'its host name {name!r} is the one of {same} already' if same else ''


def _not_its_address(address: str, others: Iterable[Compute]) -> str:
    """Why guests cannot be sent to a node at *address*, and its host keys cannot be known by it."""
    if not address:
        return ''
    if not _HOST.fullmatch(address) or not (
        validators.is_unicast(address)
        or (':' not in address and address.strip('0123456789.') and address.lower() != 'localhost')
    ):
        return f'its address {address[:80]!r} is none that others reach'
    same = next((c.unit for c in others if c.address == address), '')
    return f'its address {address} is the one of {same} already' if same else ''


def with_keys(controller: Controller, found: Iterable[Compute]) -> Controller:
    """*controller* with the SSH keys of the compute nodes *found*: each may reach each other."""
    every = [*found]
    return dataclasses.replace(
        controller,
        authorized_keys=tuple(dict.fromkeys(c.ssh_key for c in every if c.ssh_key)),
        known_hosts=tuple(
            f'{",".join(dict.fromkeys(filter(None, (c.hostname, c.address))))} {key}'
            for c in every
            for key in c.host_keys
        ),
    )


def databag(controller: Controller) -> Databag:
    """What a unit of the controller tells its compute nodes."""
    identity = controller.identity
    internal, public = urlsplit(identity.auth_url), urlsplit(identity.public_url)
    network = urlsplit(controller.network_url)
    said = {
        'auth_protocol': internal.scheme,
        'auth_host': host_in_url(internal.hostname or ''),
        'auth_port': _port(internal.scheme, internal.port),
        'keystone_host': host_in_url(internal.hostname or ''),
        'service_protocol': public.scheme,
        'service_host': host_in_url(public.hostname or ''),
        'service_port': _port(public.scheme, public.port),
        'api_version': '3',
        'service_username': identity.username,
        'service_password': identity.password,
        'service_tenant_name': identity.project,
        'service_tenant': identity.project,
        'admin_domain_name': identity.domain,
        'region': identity.region,
        'network_manager': controller.network_manager,
        'volume_service': controller.volume_service,
        'dns_domain': controller.dns_domain,
        'cross_az_attach': str(controller.cross_az_attach),
        'allow_resize_to_same_host': str(controller.resize_to_same_host),
        MAPPED: ' '.join(sorted(controller.mapped)),
        **_numbers('nova_authorized_keys', controller.authorized_keys),
        **_numbers('nova_known_hosts', controller.known_hosts),
    }
    if controller.network_url:
        said |= {
            'quantum_url': controller.network_url,
            'quantum_host': network.hostname or '',
            'quantum_port': _port(network.scheme, network.port),
            'quantum_plugin': controller.network_plugin,
            'quantum_security_groups': 'yes' if controller.security_groups else 'no',
        }
    if console := controller.console:
        page = urlsplit(console.url)
        said |= {
            'console_access_protocol': console.protocol,
            'console_keymap': console.keymap,
            f'console_proxy_{console.protocol}_address': console.url,
            f'console_proxy_{console.protocol}_host': page.hostname or '',
            f'console_proxy_{console.protocol}_port': _port(page.scheme, page.port),
        }
    return {key: value for key, value in said.items() if value}


def _numbers(name: str, lines: tuple[str, ...]) -> dict[str, str]:
    out = {f'{name}_{index}': line for index, line in enumerate(lines)}
    return {**out, f'{name}_max_index': str(len(lines))} if lines else {}


def _port(scheme: str, port: int | None) -> str:
    return str(port or {'https': 443}.get(scheme, 80))
