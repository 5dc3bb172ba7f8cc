"""A unit of cinder's that serves a directory, and a compute node: two machines of each base, without Juju."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import pytest

from charms.tests import charm_container
from tools import systems


@dataclasses.dataclass
class Machine(charm_container.CharmContainer):
    """A container with a unit of the charm."""

    relation: str
    number: int
    says: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    """To its peers."""

    @property
    def unit(self) -> str:
        return f'cinder-nfs/{self.number}'

    def reconcile(
        self, *others: Machine, hook: str = 'config-changed', **options: Any
    ) -> dict[str, Any]:
        """One run of the charm, which knows what *others* have said."""
        given = {name.replace('_', '-'): value for name, value in options.items()}
        said = {
            'unit': self.unit,
            'address': self.address,
            'relation': self.relation,
            'options': given or {'serve-directory': True},
            'peers': {m.unit: m.says for m in others},
            'hook': hook,
        }
        found = self.run_charm('nfs_on_machine.py', said)
        self.says = found['peers'] or self.says
        return found


@dataclasses.dataclass(frozen=True)
class Cloud:
    """The two, and what their last runs decided."""

    store: Machine
    compute: Machine
    runs: tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture(scope='session', params=systems.BASES)
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """Both have run until they know each other."""
    image = f'localhost/rambla-nfs-test:{request.param}'
    systems.build(
        image,
        f'FROM {systems.base(request.param)}\n'
        'RUN export DEBIAN_FRONTEND=noninteractive; apt-get update -q; '
        'apt-get install -y -q --no-install-recommends openssh-server sshfs nfs-common; '
        'adduser --system --group --no-create-home --home /var/lib/cinder cinder; mkdir /etc/cinder; '
        'systemctl mask run-rpc_pipefs.mount\n',
    )
    name = f'rambla-nfs-test-{request.param}-{os.getpid()}'
    mounts = charm_container.mounts('cinder-nfs')
    audit = ('--cap-add', 'AUDIT_WRITE,AUDIT_CONTROL')  # As jujulet's machines have it.
    names = {f'{name}-0': 'storage-backend', f'{name}-1': 'juju-info'}
    try:
        store, compute = (
            Machine(n, systems.start(n, image, *audit, '--device=/dev/fuse', *mounts), relation, i)
            for i, (n, relation) in enumerate(names.items())
        )
        for _ in range(2):  # Each has heard of the other then.
            store.reconcile(compute)
            compute.reconcile(store)
        yield Cloud(store, compute, (store.reconcile(compute), compute.reconcile(store)))
    finally:
        for each in names:
            systems.remove(each)
