"""Every file that the charm writes, on each base, with storage of two kinds: the goldens say what a unit has."""

from __future__ import annotations

import pytest
from charmkit import cinder
from charmkit import testing as machines
from ops import testing
from syrupy.assertion import SnapshotAssertion

from charms import conftest as shared


def storage(
    app: str, name: str, *, stateless: bool, **options: str
) -> testing.SubordinateRelation:
    said = cinder.present(name, {'volume_backend_name': name, **options}, stateless=stateless)
    return testing.SubordinateRelation(
        'storage-backend', remote_app_name=app, remote_unit_data=dict(said)
    )


@pytest.mark.parametrize('base', shared.BASES)
def test_files_are_as_the_golden_has_them(
    machine: machines.FakeMachine, base: str, snapshot: SnapshotAssertion
):
    machine.base = base
    ctx = testing.Context(shared.load('cinder').CinderCharm)
    images = {'glance-api-server': 'http://10.0.0.8:9292', 'glance-api-ready': 'yes'}
    relations = {
        shared.database('cinder/0'),
        shared.identity('cinderv3'),
        shared.broker(),
        testing.PeerRelation('peers'),
        testing.Relation('image-service', remote_units_data={0: images}),
        storage('cinder-nfs', 'nfs', stateless=True, volume_driver='a.Nfs'),
        storage('cinder-lvm', 'lvm', stateless=False, volume_driver='a.Lvm'),
    }
    ctx.run(
        ctx.on.config_changed(),
        testing.State(
            leader=True,
            relations=relations,
            networks=shared.networks(),
            config={'default-volume-type': 'nfs'},
        ),
    )
    files = sorted(machine.desired.files, key=lambda f: f.path)
    text = '\n'.join(f'==> {f.path} {f.owner}:{f.group} {f.mode:04o}\n{f.content}' for f in files)
    assert text == snapshot
