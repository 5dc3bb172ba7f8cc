"""What Tempest needs of a cloud that runs servers, made for it and taken away again, and what it is told of them.

An image, two flavors and the external network are the proof's own (`servers`), and carry its name, by which they go.
Source: Tempest's sample configuration (docs.openstack.org/tempest/latest/sampleconf.html).
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Generator, Iterable, Mapping

import cloud as cloud_
import jubilant
import moves
import servers
import tempest_leftovers
import tempest_needs
from blame import blamed
from leftovers import NAME, sweep
from steps import Proof

SMOKE = (
    *('dashboard_basic_ops', 'server_basic_ops', 'server_multinode'),
    r'network_basic_ops\.TestNetworkBasicOps\.test_network_basic_ops',
)
SUITES = rf'^tempest\.(api\.(compute|identity|image|network|volume)\.|scenario\.test_({"|".join(SMOKE)})\b)'
"""Of the scenarios those that Tempest itself marks ``smoke``."""
BUILD_S = 600
"""How long a server may take to be built, where processors are emulated."""

PING = 'ping'

Sections = Mapping[str, Mapping[str, object]]


@dataclasses.dataclass(frozen=True)
class Servers:
    """What there is, by the identities that the cloud gave."""

    image: str
    flavor: str
    larger_flavor: str
    external: str
    """The network that floating addresses are of."""
    extensions: tuple[str, ...]
    """Of neutron's API, by alias."""
    computes: int
    """Compute nodes, all of them up."""
    volumes: bool
    """Whether there is cinder."""
    console: bool
    """Whether a server's console can be asked for."""
    other_image: str = ''
    """Another one; '' when there is none."""
    newest: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The newest microversion of ``compute`` and of ``volume``."""
    dashboard: str = ''
    """Its URL; '' where there is none."""
    resizes: bool = True
    """Whether a server can be resized: there is another node, or it may stay on its own."""


@contextlib.contextmanager
def made(juju: jubilant.Juju, cloud: cloud_.Cloud) -> Generator[Servers]:
    """Make what Tempest needs, and remove it.

    Raises:
        Failed: naming the service and its log.
        RuntimeError: this host has not what Tempest calls.
    """
    if shutil.which(PING) is None:
        raise RuntimeError(
            f'this host has no {PING}, by which Tempest looks for its servers: install iputils-ping'
        )
    proof = Proof(juju, cloud_.connect(cloud, servers.ASK_S))
    _clean(proof)
    try:
        servers.host(proof)
        servers.image(proof)
        servers.external(proof)
        compute = proof.client.compute
        with blamed('nova', 'making a flavor'):
            larger = compute.create_flavor(name=f'{NAME}-larger', ram=192, vcpus=1, disk=2)
        with blamed('neutron', 'asking for its extensions'):
            extensions = tuple(sorted(e.alias for e in proof.client.network.extensions()))
        computes = len(moves.nodes(juju.status()))
        with tempest_needs.made(proof):
            yield Servers(
                image=proof.made['image'],
                other_image=proof.made['other image'],
                flavor=proof.made['flavor'],
                larger_flavor=str(larger.id),
                external=proof.made['external'],
                extensions=extensions,
                computes=computes,
                volumes=proof.client.has_service('block-storage'),
                newest=_newest(proof),
                dashboard=cloud.urls.get('horizon', {}).get('public', ''),
                resizes=computes > 1 or moves.stays_on_its_host(juju),
                console=juju.config('nova-cloud-controller').get('console-access-protocol')
                != 'none',
            )
    finally:
        _clean(proof)


def _clean(proof: Proof) -> None:
    """Remove all that there is of an earlier run, or of this one: Tempest's own first, which hangs on ours."""
    if removed := tempest_leftovers.swept(proof.client):
        print(f'==> removed, of a run that was interrupted: {removed}', flush=True)
    sweep(proof.client)


def features(there: Servers | None) -> frozenset[str]:
    """What the cloud has of what tests/tempest/known.yaml may say that one is without: neutron's extensions, too."""
    if there is None:
        return frozenset()
    has = {
        'compute': True,
        'a second compute': there.computes > 1,
        'a dashboard': bool(there.dashboard),
        'resize': there.resizes,
        **dict.fromkeys(aliases(there.extensions), True),
    }
    return frozenset(feature for feature, so in has.items() if so)


def aliases(extensions: Iterable[str]) -> list[str]:
    """Neutron's *extensions* by the names that Tempest looks for: tags had another one before they became standard."""
    every = set(extensions)
    return sorted(every | ({'tag'} if 'standard-attr-tag' in every else set()))


def _newest(proof: Proof) -> dict[str, str]:
    """As each API says it of itself."""
    client = proof.client
    found = {'compute': client.compute.get_endpoint_data()}
    if client.has_service('block-storage'):
        found['volume'] = client.block_storage.get_endpoint_data()
    return {
        name: '.'.join(map(str, data.max_microversion))
        for name, data in found.items()
        if data is not None and data.max_microversion
    }


def sections(there: Servers | None) -> Sections:
    """Tempest's sections of servers, networks and volumes; None: the cloud runs none."""
    if there is None:
        return {'service_available': dict.fromkeys(('cinder', 'neutron', 'nova', 'swift'), False)}
    several = there.computes > 1
    return {
        'service_available': {
            'neutron': True, 'nova': True, 'cinder': there.volumes, 'swift': False,
            'horizon': bool(there.dashboard),
        },
        'dashboard': {'dashboard_url': there.dashboard} if there.dashboard else {},
        'compute': {
            'image_ref': there.image,
            'image_ref_alt': there.other_image or there.image,
            'flavor_ref': there.flavor,
            'flavor_ref_alt': there.larger_flavor,
            'min_compute_nodes': there.computes,
            'build_timeout': BUILD_S,
            'build_interval': 2,
            'max_microversion': there.newest.get('compute', 'latest'),
        },
        'compute-feature-enabled': {
            'resize': there.resizes,
            'cold_migration': several,
            'live_migration': several,
            'block_migration_for_live_migration': several,
            'volume_backed_live_migration': several and there.volumes,
            'block_migrate_cinder_iscsi': several and there.volumes,  # Of any kind of volume.
            'vnc_console': there.console,
            'stable_rescue': True,
            'hostname_fqdn_sanitization': True,
            'attach_encrypted_volume': False,  # cinder has no encryption here.
        },
        'network': {
            'public_network_id': there.external,
            'floating_network_name': NAME,
        },
        'network-feature-enabled': {
            'api_extensions': ','.join(aliases(there.extensions)),
            'ipv6_subnet_attributes': True,
        },
        'placement': {'max_microversion': 'latest'},
        'validation': {
            'run_validation': True,
            'image_ssh_user': 'root',
            'image_alt_ssh_user': 'root',
            'connect_method': 'floating',
            'auth_method': 'keypair',
            'ssh_timeout': BUILD_S,
            'ping_timeout': BUILD_S,
        },
        'volume': {
            'catalog_type': 'volumev3',  # By itself Tempest looks for block-storage.
            'storage_protocol': 'nfs',
            'build_timeout': BUILD_S,
            'max_microversion': there.newest.get('volume', 'latest'),
        },
        'volume-feature-enabled': {
            'backup': False,  # There is no cinder-backup.
            'snapshot': True,
        },
    }  # fmt: skip
