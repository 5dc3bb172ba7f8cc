"""Every file that the charm writes, on each base: read the goldens to see what a unit has."""

from __future__ import annotations

import pytest
from charmkit import testing as machines
from ops import testing
from syrupy.assertion import SnapshotAssertion

from charms import conftest as shared

NAME = 'neutron-api'


@pytest.mark.parametrize('base', shared.BASES)
def test_files_are_as_the_golden_has_them(
    machine: machines.FakeMachine, base: str, snapshot: SnapshotAssertion
):
    machine.base = base
    ctx = testing.Context(shared.load(NAME).NeutronApiCharm)
    relations = {
        shared.database(f'{NAME}/0'),
        shared.broker('10.0.0.7', '10.0.0.8'),
        shared.identity('neutron'),
        testing.PeerRelation('peers'),
    }
    out = ctx.run(
        ctx.on.config_changed(),
        testing.State(leader=True, relations=relations, networks=shared.networks()),
    )
    assert out.unit_status == testing.ActiveStatus()
    files = sorted(machine.desired.files, key=lambda f: f.path)
    text = '\n'.join(
        f'==> {f.path} {f.owner}:{f.group} {f.mode:04o}\n'
        # A program of the charm's own is no golden.
        + ('' if f.path.endswith('/in_use.py') else f.content)
        for f in files
    )
    assert text == snapshot
