"""The column that neutron drops while older servers still want it: kept, and dropped when they are gone."""

from __future__ import annotations

import hypothesis
import subnet_migration
from charmkit import migration
from hypothesis import strategies as st

from charms import conftest as shared


class Database:
    """What the statements do, and what revision 93f394357a27 does."""

    def __init__(self) -> None:
        self.has, self.kept = True, False

    def run(self, statements: tuple[str, ...]) -> None:
        for sql in statements:
            match sql.split()[0], sql.split()[1], sql.split()[3]:
                case 'ALTER', 'TABLE', 'ADD':
                    assert not self.has, 'there is one already'
                    self.has = True
                case 'ALTER', 'TABLE', 'DROP':
                    assert self.has, 'there is none'
                    self.has = False
                case 'CREATE', 'TABLE', _:
                    self.kept = True
                case _:
                    self.kept = False

    def before(self, kind: str) -> None:
        self.run(subnet_migration.before(kind, has=self.has, kept=self.kept))

    def meanwhile(self) -> None:
        self.run(subnet_migration.meanwhile(has=self.has, kept=self.kept))


def test_what_an_expansion_drops_is_put_back_until_the_contraction():
    there = Database()
    there.before('expand')
    there.has = False  # The revision.
    there.meanwhile()
    assert there.has
    there.before('contract')
    assert (there.has, there.kept) == (False, False)


def test_a_database_that_never_had_it_does_not_get_it():
    there = Database()
    there.has = False
    there.before('expand')
    there.meanwhile()
    there.before('contract')
    assert (there.has, there.kept) == (False, False)


@hypothesis.given(st.lists(st.booleans(), max_size=5))
def test_killed_anywhere_and_run_again_the_older_servers_have_it(killed_early: list[bool]):
    there, dropped = Database(), False
    for early in (*killed_early, False):
        there.before('expand')
        if not dropped:
            there.has, dropped = False, True
        if not early:
            there.meanwhile()
    assert there.has


def test_both_migrations_are_run_by_it():
    of = shared.load('neutron-api').NeutronApiCharm.spec.migrations
    assert not callable(of.expand)
    assert not callable(of.contract)
    lines = [c.name for c in migration.run((*of.expand, *of.contract), 'u', 'k')]
    files = '--config-file /etc/neutron/neutron.conf --config-file /etc/neutron/plugins/ml2/ml2_conf.ini'
    assert lines == [
        f'python3 /etc/neutron/in_use.py {kind} neutron-db-manage {files} upgrade --{kind}'
        for kind in ('expand', 'contract')
    ]
