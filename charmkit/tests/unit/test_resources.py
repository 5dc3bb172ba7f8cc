"""What a charm's resources come to: bytes, or why Juju does not give them."""

from __future__ import annotations

import pathlib

import charmkit
import ops
import pytest
from charmkit import state
from charmkit import testing as machines
from ops import testing

META = {
    'name': 'tool',
    'peers': {'peers': {'interface': 'tool-peer'}},
    'resources': {'tool': {'type': 'file', 'filename': 'tool.bin'}},
}


class ToolCharm(charmkit.Charm):
    """Keeps what it is given."""

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        """How long its tool is, or why there is none."""
        tool = inputs.resources['tool']
        return charmkit.Desired(
            status=(state.Status('waiting', tool.failure or f'{len(tool.content)} bytes'),)
        )


def said(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(ToolCharm, 'machine', machines.FakeMachine())
    path = tmp_path / 'tool.bin'
    path.write_bytes(b'abc')
    ctx = testing.Context(ToolCharm, meta=META)
    peers = testing.PeerRelation('peers')
    given = testing.State(relations={peers}, resources={testing.Resource(name='tool', path=path)})
    return ctx.run(ctx.on.config_changed(), given).unit_status.message


def test_a_run_has_the_bytes_of_each_resource(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    assert said(tmp_path, monkeypatch) == '3 bytes'


@pytest.mark.parametrize('error', [ops.ModelError('a\n b'), NameError('a b'), OSError('a b')])
def test_one_that_juju_does_not_give_is_told_in_one_line(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def fetch(*_: object) -> pathlib.Path:
        raise error

    monkeypatch.setattr(ops.Resources, 'fetch', fetch)
    assert said(tmp_path, monkeypatch) == 'a b'
