"""Makes ``fakes`` and the core's ``simulation`` importable, and `juju` over a fake controller a fixture."""

from __future__ import annotations

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'core')]

import fakes  # noqa: E402 -- found by the line above


@pytest.fixture
def juju(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> fakes.Juju:
    monkeypatch.setenv('JUJULET_DATA', str(tmp_path / 'data'))
    monkeypatch.delenv('JUJU_MODEL', raising=False)
    return fakes.Juju(fakes.Controller(), capfd)


@pytest.fixture
def model(juju: fakes.Juju) -> fakes.Juju:
    """As ``juju``, with a model in focus."""
    juju('add-model', 't')
    return juju


@pytest.fixture
def charm(tmp_path: pathlib.Path) -> pathlib.Path:
    """A charm folder, with one of everything that commands ask about."""
    return fakes.charm_folder(tmp_path / 'tiny')
