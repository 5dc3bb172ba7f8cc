"""Migrations rehearsed on a unit of the next release: the keystone that serves keeps its database as it is."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tools import systems

from .test_keystone import MOUNTS, Machine, program, removed, serving

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(1500)]

ACTION = 'rehearse-migrations'
COPIES = ('find', '/var/tmp', '-maxdepth', '3', '-name', 'rehearsal')
PROGRAMS = ('find', '/usr/bin', '/usr/sbin', '-name', 'mariadb*')
PROGRAM = 'charmkit/rehearsal_program.py'


@pytest.fixture(scope='module')
def machine() -> Iterator[Machine]:
    """It serves, and has the database."""
    name = f'rambla-rehearsal-test-{os.getpid()}'
    with removed(name):
        machine = serving(name, 'debian-12')
        machine.shell(
            'tee', '/etc/mysql/mariadb.conf.d/90-charm.cnf',
            input='[mariadbd]\nskip-name-resolve\nbind-address = 0.0.0.0\n',
        )  # fmt: skip
        machine.shell('systemctl', 'restart', 'mariadb')
        machine.admin()
        yield machine


@pytest.fixture(scope='module')
def newer(machine: Machine) -> Iterator[Machine]:
    """A unit of the newer release, that waits for the database to be expanded."""
    name = f'rambla-rehearsal-test-newer-{os.getpid()}'
    with removed(name):
        mounts = [f'--volume={here}:{there}:ro' for here, there in MOUNTS.items()]
        address = systems.start(name, systems.base('debian-13'), *mounts)
        newer = Machine(name, address, machine.rings, peers=machine.peers)
        newer.shell('apt-get', 'update', '-q')
        machine.shell(
            'mariadb', '-e', f"GRANT ALL ON keystone.* TO keystone@'{address}' IDENTIFIED BY 'pw'"
        )
        waits = newer.run(leader=False, db_host=machine.address)
        assert any('migrate the database' in one for one in waits['status']), waits['status']
        yield newer


def dump(machine: Machine) -> str:
    """What stands for all that is in the database."""
    said = machine.shell(
        'mariadb-dump',
        '--skip-dump-date',
        '--skip-comments',
        '--hex-blob',
        '--order-by-primary',
        'keystone',
    )
    return hashlib.sha256(said.encode()).hexdigest()


def rehearse(newer: Machine, machine: Machine) -> dict[str, Any]:
    return newer.run(action=ACTION, leader=False, db_host=machine.address)


def assert_nothing_left(newer: Machine) -> None:
    assert newer.shell(*COPIES) == ''
    assert newer.shell(*PROGRAMS) == ''
    assert 'mariadbd' not in newer.shell('ps', '-eo', 'comm')


def test_every_migration_is_run_on_a_copy_and_the_database_stays_as_it_was(
    machine: Machine, newer: Machine
):
    before = dump(machine)
    out = rehearse(newer, machine)
    print(json.dumps(out['results'], indent=1))
    assert out['failure'] == ''
    steps = [line.split() for line in out['results']['steps'].splitlines()]
    assert [(one[0], one[3]) for one in steps] == [('expand', 'done'), ('contract', 'done')]
    assert out['results']['rehearsed'].startswith('keystone (')
    assert dump(machine) == before
    assert_nothing_left(newer)


def test_a_migration_that_fails_is_named_and_the_database_stays_as_it_was(
    machine: Machine, newer: Machine
):
    machine.shell('mariadb', 'keystone', '-e', 'RENAME TABLE service_provider TO elsewhere')
    before = dump(machine)
    try:
        out = rehearse(newer, machine)
        assert dump(machine) == before
    finally:
        machine.shell('mariadb', 'keystone', '-e', 'RENAME TABLE elsewhere TO service_provider')
    assert out['failure'].startswith(
        'Nothing was changed in the database: on a copy of keystone, expand ('
    )
    assert 'ended with 1' in out['failure']
    assert "service_provider' doesn't exist" in out['failure']
    assert 'pw@' not in json.dumps(out)
    assert_nothing_left(newer)


def test_a_database_that_does_not_answer_is_told_in_one_sentence(machine: Machine, newer: Machine):
    out = newer.run(action=ACTION, leader=False, db_host=newer.address)
    assert out['failure'].startswith('Not rehearsed yet: the database does not answer: ')
    assert_nothing_left(newer)


def test_an_action_that_is_killed_leaves_no_copy(machine: Machine, newer: Machine):
    # Slow enough to be met.
    newer.shell('tee', '/usr/local/bin/keystone-manage', input='#!/bin/sh\nsleep 15\n')
    newer.shell('chmod', '755', '/usr/local/bin/keystone-manage')
    try:
        with subprocess.Popen(
            ('podman', 'exec', '-i', newer.name, *program()),
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
        ) as action:  # fmt: skip
            assert action.stdin is not None
            action.stdin.write(newer.given(action=ACTION, leader=False, db_host=machine.address))
            action.stdin.close()
            until(lambda: 'sleep' in newer.shell('ps', '-eo', 'comm'))
            assert newer.shell(*COPIES) != ''
            newer.shell('pkill', '-9', '-f', '/test/inside.py')
        until(lambda: not newer.shell(*COPIES))
        assert 'mariadbd' not in newer.shell('ps', '-eo', 'comm')
    finally:
        newer.shell('rm', '/usr/local/bin/keystone-manage')


def until(there: Any, within_s: float = 120.0) -> None:
    """Wait until it is *there*."""
    ends = time.monotonic() + within_s
    while not there():
        assert time.monotonic() < ends
        time.sleep(0.3)


def test_in_a_network_that_reaches_the_database_it_would_be_changed(
    machine: Machine, newer: Machine
):
    """The twin, and the last one: the same with the way to the real database open."""
    newer.shell('cp', '-r', '/charmkit/charmkit', '/opt/')
    newer.shell('sed', '-i', "s/'--net', //; s/yield f'ip address add.*/pass/", f'/opt/{PROGRAM}')
    before = dump(machine)
    out = newer.run(library='/opt', action=ACTION, leader=False, db_host=machine.address)
    assert dump(machine) != before, out
