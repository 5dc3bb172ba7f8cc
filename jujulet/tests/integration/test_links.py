"""A machine lays links where the host writes: it stays in the machine, and its users reach what is theirs."""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Iterator

import jubilant
import pytest

from .waiting import settle

START = 120.0
"""Seconds for a machine to come up where an image is there already."""

METADATA = """\
name: linked
summary: Storage behind an absolute link of the base (/var/run of Debian).
description: Storage behind an absolute link of the base (/var/run of Debian).
storage:
  data:
    type: filesystem
    location: /var/run/linked/deep
"""


@pytest.fixture(scope='module')
def charm(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp('charms') / 'linked'
    (folder / 'lib').mkdir(parents=True)
    (folder / 'metadata.yaml').write_text(METADATA)
    (folder / 'lib/new').write_text('new')
    (folder / 'dispatch').write_text('#!/bin/sh\nexec status-set active "$JUJU_DISPATCH_PATH"\n')
    (folder / 'dispatch').chmod(0o755)
    return folder


def test_storage_is_where_the_machines_links_lead(boxed: jubilant.Juju, charm: pathlib.Path):
    boxed.deploy(charm, base='debian@12')
    settle(boxed, jubilant.all_active, START)
    seen = boxed.exec('stat -c "%a %N" /run/linked/deep /var/run', unit='linked/0').stdout
    assert seen.splitlines() == ["755 '/run/linked/deep'", "777 '/var/run' -> '/run'"]
    assert not pathlib.Path('/var/run/linked').exists()


def test_a_service_user_reaches_what_is_the_units(boxed: jubilant.Juju):
    """Under the controller's own umask these folders were closed (Juju: 0755)."""
    where = '/run/linked/deep /var/lib/juju/agents/unit-linked-0/charm/metadata.yaml'
    assert boxed.ssh('linked/0', f'ls -d {where}').split() == where.split()


@pytest.fixture
def outside() -> Iterator[str]:
    """A folder of the host's, not where machines have a file system of memory."""
    with tempfile.TemporaryDirectory(dir='/var/tmp') as folder:
        yield folder


@pytest.mark.parametrize('planted', ['charm', 'charm/lib'])
def test_a_refresh_writes_behind_no_link(
    boxed: jubilant.Juju, charm: pathlib.Path, outside: str, planted: str
):
    place = f'/var/lib/juju/agents/unit-linked-0/{planted}'
    boxed.ssh(
        'linked/0',
        f'sudo sh -c "mkdir -p {outside}; mv {place} {place}.old; ln -s {outside} {place}"',
    )
    (charm / 'lib/new').write_text(f'new for {planted}')
    boxed.refresh('linked', path=charm)
    settle(
        boxed,
        lambda s: (
            s.apps['linked'].units['linked/0'].workload_status.message == 'hooks/config-changed'
        ),
    )
    assert os.listdir(outside) == []
    inside = '/var/lib/juju/agents/unit-linked-0/charm/lib/new'
    assert boxed.ssh('linked/0', f'cat {inside}') == f'new for {planted}'
