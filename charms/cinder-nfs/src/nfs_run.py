"""One run of the charm: on a unit of cinder it brings the storage, on a compute node the way to it. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import charmkit
import ssh_export
import volume_shares
from charmkit import host
from charmkit.relations import Databag, cinder

LOOK = 'look'
_NFS = ('\tnfs', '\tnfs4')
_STORE = 'volumes are in a directory of this machine, which compute nodes reach over SSH'
_CLIENT = 'volumes are reached over SSH: mount.nfs is the one of this charm'


@dataclasses.dataclass(frozen=True, kw_only=True)
class MachineState:
    """What the machine has."""

    nfs: bool = False
    """NFS, in its kernel or as a module that can be loaded."""
    fuse: bool = False
    """A ``/dev/fuse`` that can be opened."""
    store_key: str = ''
    client_key: str = ''


@dataclasses.dataclass(frozen=True)
class ProbeMachine:
    """Find out what the machine has; the result is a :class:`Found`."""

    name: str = LOOK

    def carry_out(self, machine: charmkit.Machine) -> MachineState:
        """Look, by *machine*; nothing is loaded."""
        known = (machine.read('/proc/filesystems') or '').splitlines()
        nfs = any(line.endswith(_NFS) for line in known)
        return MachineState(
            nfs=nfs or machine.program('modprobe', '--dry-run', '--quiet', 'nfs').status == 0,
            fuse=machine.program('/bin/sh', '-c', f': <> {ssh_export.FUSE}').status == 0,
            store_key=ssh_export.public(machine.read(f'{ssh_export.HOST_KEY}.pub')),
            client_key=ssh_export.public(machine.read(f'{ssh_export.KEY}.pub')),
        )


def run(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    """What follows from *why* this run is and from *inputs*."""
    serves = bool(inputs.options.get('serve-directory'))
    shares = str(inputs.options.get('nfs-shares') or '').split()
    if why.removing:
        return charmkit.Desired(host=_plain(stops=serves and bool(inputs.of(cinder.BACKENDS))))
    if serves:
        return _served(inputs) if inputs.of(cinder.BACKENDS) else _reaching(inputs)
    return _mounted(inputs, shares)


def _plain(*, stops: bool) -> host.Host:
    """``mount.nfs`` is nfs-common's, and no directory is served."""
    stopped = (host.SystemdService(ssh_export.SERVICE, 'stopped'),) if stops else ()
    return host.Host(commands=(ssh_export.diverted(False),), services=stopped)


def _mounted(inputs: charmkit.Inputs, shares: list[str]) -> charmkit.Desired:
    """Volumes are in NFS shares."""
    storage = bool(inputs.of(cinder.BACKENDS))
    if not shares:
        said = 'no storage: set the option nfs-shares, or serve-directory where there is no NFS'
        return charmkit.Desired(
            host=_plain(stops=storage), status=(charmkit.Status('blocked', said),)
        )
    found = inputs.seen.get(LOOK)
    known = isinstance(found, MachineState)
    missing = known and not found.nfs
    said = "this machine's kernel has no NFS: no share can be mounted; the option serve-directory does without"
    name = _name(inputs)
    return charmkit.Desired(
        host=host.merge(
            _plain(stops=storage),
            host.Host(packages=frozenset({'nfs-common'})),
            _shares(name, shares) if storage else host.Host(),
        ),
        unit_data={
            **_peers(),
            **(_published(inputs, shared=True) if known and not missing and storage else {}),
        },
        status=(charmkit.Status('blocked', said),) if missing else (),
        tasks=(ProbeMachine(),),
    )


def _served(inputs: charmkit.Inputs) -> charmkit.Desired:
    """Volumes are in a directory of this machine, a unit of cinder's."""
    own, peers = inputs.site.address_on('peers'), inputs.peer_units
    found = inputs.seen.get(LOOK)
    ready = isinstance(found, MachineState) and bool(found.store_key)
    ready = ready and ssh_export.SERVICE not in inputs.failed
    return charmkit.Desired(
        host=host.merge(
            ssh_export.mounting(own, ssh_export.stores(peers)),
            ssh_export.store(own, ssh_export.clients(peers)),
            _shares(_name(inputs), [ssh_export.share(own)]),
        ),
        unit_data={
            **(
                _peers(
                    **{ssh_export.STORE_ADDRESS: own, ssh_export.STORE_KEY: found.store_key},
                )
                if isinstance(found, MachineState) and ready
                else {}
            ),
            **(_published(inputs, shared=False) if ready else {}),
        },
        ports=frozenset({ssh_export.PORT}),
        status=(charmkit.Status('active', _STORE),),
        tasks=(ProbeMachine(),),
    )


def _reaching(inputs: charmkit.Inputs) -> charmkit.Desired:
    """Servers run here, and volumes are on units of cinder's."""
    own, stores = inputs.site.address_on('peers'), ssh_export.stores(inputs.peer_units)
    found = inputs.seen.get(LOOK)
    known = isinstance(found, MachineState)
    return charmkit.Desired(
        host=host.merge(
            ssh_export.mounting(own if own in stores else '', stores), ssh_export.client(stores)
        ),
        unit_data=_peers(**{ssh_export.CLIENT_KEY: found.client_key})
        if known and found.client_key
        else {},
        status=_reached(own, stores, fuse=not known or found.fuse),
        tasks=(ProbeMachine(),),
    )


def _reached(own: str, stores: Mapping[str, str], *, fuse: bool) -> tuple[charmkit.Status, ...]:
    if not stores:
        return (charmkit.Status('waiting', 'waiting for a unit of cinder to serve its directory'),)
    if not fuse and stores.keys() - {own}:
        said = f'this machine has no {ssh_export.FUSE}: volumes cannot be attached to its servers'
        return (charmkit.Status('blocked', said),)
    return (charmkit.Status('active', _CLIENT),)


def _name(inputs: charmkit.Inputs) -> str:
    return str(inputs.options.get('volume-backend-name') or inputs.site.app)


def _shares(name: str, shares: list[str]) -> host.Host:
    file = host.File(
        path=volume_shares.config_path(name),
        content=''.join(f'{share}\n' for share in shares),
        group='cinder',
        mode=0o640,
    )
    return host.Host(files=(file,))


def _published(inputs: charmkit.Inputs, *, shared: bool) -> dict[str | int, Databag]:
    """What is published to cinder of the storage."""
    return {
        cinder.BACKENDS: volume_shares.backend(_name(inputs), inputs.options, shared=shared),
    }


def _peers(**says: str) -> dict[str | int, Databag]:
    return {'peers': says}
