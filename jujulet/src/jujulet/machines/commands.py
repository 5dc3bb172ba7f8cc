"""Command lines for podman and mount. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from jujulet.core import model, topology

from .protocol import RUN, MachineSpec

CAPABILITIES = (
    *(
        'NET_ADMIN',
        'NET_RAW',
        'NET_BROADCAST',
        'SYS_ADMIN',
        'SYS_BOOT',
        'SYS_CHROOT',
        'SYS_PTRACE',
    ),
    *('SYS_NICE', 'SYS_RESOURCE', 'SYS_TTY_CONFIG', 'IPC_LOCK', 'IPC_OWNER', 'LEASE', 'MKNOD'),
    *('AUDIT_WRITE', 'AUDIT_CONTROL', 'DAC_READ_SEARCH', 'LINUX_IMMUTABLE', 'SETFCAP'),
)
"""What a machine may do beyond podman's default: what stock units of services need to start as on a real machine."""

_NUMBERS = {
    **{'NET_BROADCAST': 11, 'NET_ADMIN': 12, 'NET_RAW': 13, 'IPC_LOCK': 14, 'IPC_OWNER': 15},
    **{'SYS_CHROOT': 18, 'SYS_PTRACE': 19, 'SYS_ADMIN': 21, 'SYS_BOOT': 22, 'SYS_NICE': 23},
    **{'SYS_RESOURCE': 24, 'SYS_TTY_CONFIG': 26, 'MKNOD': 27, 'LEASE': 28, 'AUDIT_WRITE': 29},
    **{'AUDIT_CONTROL': 30, 'SETFCAP': 31, 'DAC_READ_SEARCH': 2, 'LINUX_IMMUTABLE': 9},
}


QUIET = 'PODMAN_IGNORE_CGROUPSV1_WARNING'
"""Without it, podman 5 warns at each command on a host with control groups of version 1."""


@dataclasses.dataclass(frozen=True)
class Host:
    """What this host lets a container have."""

    runtime: str
    """``runc`` or ``crun``."""
    capabilities: tuple[str, ...] = CAPABILITIES
    files: int = 1048576
    """Hard limit of open files; a container is given no more, as raising it takes CAP_SYS_RESOURCE."""
    processes: int = 32768
    """Hard limit of processes."""
    cgroupfs: bool = False
    """The host's process 1 is not systemd: podman makes the control groups itself."""


def capabilities(bounding: int) -> tuple[str, ...]:
    """Those of :data:`CAPABILITIES` that are in the *bounding* set (``CapBnd`` of ``/proc/self/status``)."""
    return tuple(name for name in CAPABILITIES if bounding >> _NUMBERS[name] & 1)


def short(uuid: str) -> str:
    """The six digits by which a model's machines are named."""
    return uuid.replace('-', '')[:6]


def container_name(uuid: str, machine: str) -> str:
    """``jujulet-3f9a01-0``."""
    return f'jujulet-{short(uuid)}-{machine.replace("/", "-")}'


def network_name(uuid: str, space: str) -> str:
    """``jujulet-3f9a01-alpha``."""
    return f'jujulet-{short(uuid)}-{space}'


def network_of(uuid: str, subnet: model.Subnet) -> str:
    """The name of a subnet's network, which it keeps when its space is renamed."""
    return network_name(uuid, subnet.network)


def podman(host: Host) -> tuple[str, ...]:
    """Start of every command line that makes or starts something."""
    manager = ('--cgroup-manager=cgroupfs',) if host.cgroupfs else ()
    return ('podman', f'--runtime={host.runtime}', *manager)


def create_network(
    uuid: str, subnet: model.Subnet, labels: Mapping[str, str], *, isolate: bool
) -> tuple[str, ...]:
    """Make the network of a subnet: out to the world, no name server of its own.

    It is not asked for ``isolate`` where others of its space are to be reached: our own rules keep spaces apart.
    Neither is podman's backend CNI, whose firewall plugin (1.1, seen) leaves the rules when the
    network goes, and the next one whose bridge gets that name is cut off.
    """
    apart = ('--opt=isolate=true',) if isolate else ()
    four = (f'--subnet={subnet.ipv4}',) if subnet.ipv4 else ()
    six = ('--ipv6', f'--subnet={subnet.ipv6}') if subnet.ipv6 else ()
    return (
        *('podman', 'network', 'create', '--driver=bridge', *apart, '--disable-dns'),
        *(*four, *six),
        *(f'--label={name}={value}' for name, value in labels.items()),
        network_of(uuid, subnet),
    )


def network(name: str, address: model.Address, interface: str) -> str:
    """One ``--network`` of a machine, with its static addresses; without a name, podman numbers them by chance."""
    said = [f'interface_name={interface}']
    if address.ipv4:
        said.append(f'ip={address.ipv4}')
    if address.ipv6:
        said.append(f'ip6={address.ipv6}')
    if address.mac:
        said.append(f'mac={address.mac}')
    return f'--network={name}:{",".join(said)}'


def limits(constraints: Mapping[str, object]) -> tuple[str, ...]:
    """``cores`` and ``mem`` (MiB) as limits; what is no number above 0 limits nothing."""
    found: list[str] = []
    cores, mem = constraints.get('cores'), constraints.get('mem')
    if isinstance(cores, int) and cores > 0:
        found.append(f'--cpus={cores}')
    if isinstance(mem, int) and mem > 0:
        found.append(f'--memory={mem}m')
    return tuple(found)


def pidfile(root: Path) -> Path:
    """Where podman writes the number of a machine's process 1 at every start: beside its root."""
    return root.with_name('pid')


def run_machine(
    host: Host,
    spec: MachineSpec,
    root: Path,
    run_dir: Path,
    labels: Mapping[str, str],
    nodes: Mapping[str, Path] | None = None,
    volumes: Sequence[str] = (),
) -> tuple[str, ...]:
    """Make a machine's container and start it.

    *nodes* are its devices, by their path in the machine; *volumes* are options of what is mounted besides.
    """
    names = container_name(spec.model, spec.id)
    networks = [
        network(
            network_of(spec.model, topology.subnet_of(spec.spaces[address.space], address)),
            address,
            model.interface(number),
        )
        for number, address in enumerate(spec.addresses)
    ]
    return (
        *(*podman(host), 'run', '--detach', f'--name={names}', f'--hostname={spec.hostname}'),
        *(
            '--systemd=always',
            '--log-driver=none',
            '--no-hosts',
            '--pids-limit=-1',
            '--shm-size=512m',
        ),
        *(
            f'--ulimit=nofile={host.files}:{host.files}',
            f'--ulimit=nproc={host.processes}:{host.processes}',
        ),
        *(f'--cap-add={",".join(host.capabilities)}', '--security-opt=apparmor=unconfined'),
        *(
            '--security-opt=label=disable',
            f'--volume={run_dir}:{RUN}',
            f'--pidfile={pidfile(root)}',
        ),
        *(f'--label={name}={value}' for name, value in labels.items()),
        *(f'--device={node}:{path}:rwm' for path, node in (nodes or {}).items()),
        *volumes,
        f'--cpu-shares={spec.cpu_shares}',
        *(limits(spec.constraints) + tuple(networks or ['--network=none'])),
        *('--rootfs', str(root), '/sbin/init'),
    )


def mount_overlay(lower: Sequence[Path], upper: Path, work: Path, target: Path) -> tuple[str, ...]:
    """Mount a machine's file system: *lower* from the uppermost layer to the base."""
    layers = ':'.join(_escaped(path) for path in lower)
    said = f'lowerdir={layers},upperdir={_escaped(upper)},workdir={_escaped(work)}'
    return ('mount', '-t', 'overlay', 'jujulet', '-o', said, str(target))


def _escaped(path: Path) -> str:
    return ''.join(f'\\{c}' if c in '\\:,' else c for c in str(path))


def hosts(own: str, names: Iterable[tuple[str, str]]) -> str:
    """``/etc/hosts``: the machine *own* and every other, as (hostname, address)."""
    lines = ['127.0.0.1 localhost', '::1 localhost ip6-localhost ip6-loopback']
    known = dict(names)
    ordered = [own, *sorted(name for name in known if name != own)]
    return '\n'.join([*lines, *(f'{known[n]} {n}' for n in ordered if n in known)]) + '\n'
