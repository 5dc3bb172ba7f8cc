"""Every file that the charm writes, on each base: read the goldens to see what a unit has."""

from __future__ import annotations

import pytest
from charmkit import testing as machines
from ops import testing
from syrupy.assertion import SnapshotAssertion

from charms import conftest as shared


@pytest.mark.parametrize('base', shared.BASES)
def test_files_are_as_the_golden_has_them(
    machine: machines.FakeMachine, base: str, snapshot: SnapshotAssertion
):
    machine.base = base
    ctx = testing.Context(shared.load('openstack-dashboard').DashboardCharm)
    key = testing.Secret({'value': 'k' * 32}, owner='app')
    relations = {
        shared.database('openstack-dashboard/0'),
        shared.identity('horizon'),
        testing.PeerRelation('peers', local_app_data={'secret-key': key.id}),
    }
    ctx.run(
        ctx.on.config_changed(),
        testing.State(leader=True, relations=relations, networks=shared.networks(), secrets=[key]),
    )
    files = sorted(machine.desired.files, key=lambda f: f.path)
    text = '\n'.join(f'==> {f.path} {f.owner}:{f.group} {f.mode:04o}\n{f.content}' for f in files)
    assert text == snapshot
