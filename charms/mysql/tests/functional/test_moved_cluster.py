"""A Galera cluster of one series becomes one of a newer: by one server that hands over, on real MariaDBs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator

import charmkit
import cluster_run
import pytest

from tools import systems

from . import members
from .members import Application, Member
from .test_replica import Cloud

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(900)]
OLD, NEW = 3, 3


@contextlib.contextmanager
def cluster() -> Generator[tuple[Cloud, list[Member]]]:
    """Three members of the older series, which serve, and three servers of the newer, which are no units yet."""
    names = [f'rambla-moved-{number}-{os.getpid()}' for number in range(OLD + NEW)]
    client = f'rambla-moved-client-{os.getpid()}'
    try:
        every = [
            members.start('debian-12' if number < OLD else 'debian-13', number, name)
            for number, name in enumerate(names)
        ]
        nova = Member(
            client, systems.start(client, 'localhost/rambla-galera-test:debian-12'), 'nova/0'
        )
        first = every[0]
        app = Application({first.unit: first}, first.unit)
        app.asks = {'database': 'nova', 'username': 'nova', 'hostname': nova.address}
        app.hooks()
        first.root('CREATE TABLE nova.t (a INT PRIMARY KEY)')
        app.members |= {member.unit: member for member in every[1:OLD]}
        app.until_whole()
        yield Cloud(app, nova, first, every[OLD]), every
    finally:
        for name in (*names, client):
            systems.remove(name)


def removed(app: Application, unit: str) -> None:
    """It goes as Juju has it go, and the others hear of it."""
    app.hook(unit, charmkit.Hook('stop'))
    app.members.pop(unit)
    app.bags.pop(unit)
    app.answers.pop(unit, None)
    if app.leader == unit:
        app.leader = min(app.members)
    for other in sorted(app.members):
        app.hook(other, charmkit.Hook('peers-relation-departed', unit))


def acknowledged(cloud: Cloud) -> set[int]:
    """The rows that the load was told are written."""
    return {number for number, _, _, said in cloud.journal() if not said}


def test_a_cluster_is_moved_by_one_server_and_nothing_acknowledged_is_lost():
    with cluster() as (cloud, every):
        app = cloud.app
        assert app.writer == 'mysql/0'
        cloud.load()
        cloud.goes_on()
        for unit in ('mysql/1', 'mysql/2'):
            removed(app, unit)
        # One of the newer series is there before time has passed: it waits.
        app.members[cloud.new.unit] = cloud.new
        app.hook(cloud.new.unit)
        app.hooks(2)
        assert app.app.get(cluster_run.PERMIT, '') == ''
        cloud.follow()
        done = cloud.switch()
        assert not done.failure
        cloud.goes_on()
        app.hooks(2)
        rows = acknowledged(cloud)
        assert len(rows) > 20
        assert cloud.rows(cloud.new) >= rows
        cloud.end()
        assert not app.action('mysql/0', 'drain').failure
        removed(app, 'mysql/0')
        app.hooks(2)
        app.members |= {member.unit: member for member in every[OLD + 1 :]}
        app.until_whole()
        for member in every[OLD:]:
            assert cloud.rows(member) >= rows
        assert app.writer == 'mysql/3'
        found = app.database()
        assert found
        assert found.host == cloud.new.address
