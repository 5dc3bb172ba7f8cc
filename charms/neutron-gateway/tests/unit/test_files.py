"""Every file that the charm writes, on each base: read the goldens to see what a unit has."""

from __future__ import annotations

import pytest
from charmkit import testing as machines
from ops import testing
from syrupy.assertion import SnapshotAssertion

from charms import conftest as shared

from . import gateway_scenes as scenes


@pytest.mark.parametrize('kernel', [False, True], ids=['userspace', 'kernel'])
@pytest.mark.parametrize('base', shared.BASES)
def test_files_are_as_the_golden_has_them(
    machine: machines.FakeMachine, base: str, kernel: bool, snapshot: SnapshotAssertion
):
    scenes.prepare(machine)
    machine.base = base
    machine.kernel_openvswitch = kernel
    ctx = testing.Context(shared.load(scenes.NAME).NeutronGatewayCharm)
    out = ctx.run(ctx.on.config_changed(), scenes.state())
    assert out.unit_status == testing.ActiveStatus()
    files = sorted(machine.desired.files, key=lambda f: f.path)
    text = '\n'.join(f'==> {f.path} {f.owner}:{f.group} {f.mode:04o}\n{f.content}' for f in files)
    assert text == snapshot
