"""Three real members with TLS: they copy data, show certificates, and restart in turn where it comes later."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

import charmkit
import pytest
import server_tls
from charmkit import unit_certificate
from charmkit.relations import Relation, mysql

from tools import systems

from ..unit.test_server_tls import answers
from . import members
from .test_members import until

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(1500)]
RELATION = unit_certificate.RELATION


@dataclasses.dataclass
class WithAuthority(members.Application):
    """It has an authority related once that is wanted."""

    authority: str = ''
    asked: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    issued: dict[tuple[str, str], dict[str, str]] = dataclasses.field(
        default_factory=dict[tuple[str, str], dict[str, str]]
    )

    def inputs(self, unit: str) -> charmkit.Inputs:
        found = super().inputs(unit)
        if not self.authority:
            return found
        key = (self.asked.get(unit, ''), self.authority)
        bag = self.issued.setdefault(key, answers(*key))
        relation = Relation(id=2, name=RELATION, app='ca', app_data=bag)
        return dataclasses.replace(
            found, relations={**found.relations, RELATION: (relation,)}, unit_secret=unit * 16
        )

    def hook(self, unit: str, why: charmkit.Why = members.TIME) -> charmkit.Desired:
        desired = super().hook(unit, why)
        if RELATION in desired.unit_data:
            bag = desired.unit_data[RELATION]
            self.asked[unit] = bag['certificate_signing_requests']
        return desired


@pytest.fixture(params=systems.BASES)
def app(request: pytest.FixtureRequest) -> Iterator[WithAuthority]:
    names = [f'rambla-galera-tls-{request.param}-{os.getpid()}-{n}' for n in range(3)]
    try:
        first = members.start(request.param, 0, names[0])
        app = WithAuthority({first.unit: first}, first.unit)
        app.asks = {'database': 'nova', 'username': 'nova', 'hostname': first.address}
        app.hooks()
        first.root('CREATE TABLE nova.t (a INT PRIMARY KEY); INSERT INTO nova.t VALUES (0)')
        app.authority = 'first'
        app.hooks(3)
        for n in (1, 2):
            unit = members.start(request.param, n, names[n])
            app.members[unit.unit] = unit
        yield app
    finally:
        for name in names:
            systems.remove(name)


def log_in(app: WithAuthority, to: members.Member, *options: str) -> str:
    """By the network, from the client's machine; what went wrong, or the cipher ('': none)."""
    found = app.database()
    assert found
    client = app.members['mysql/0']
    login = f'mariadb --protocol=tcp -h {to.address} -u nova nova {" ".join(options)}'
    script = f'MYSQL_PWD=$(cat) {login} -N -e "SHOW STATUS LIKE \'Ssl_version\'" 2>&1'
    said = client.program('sh', '-c', script, stdin=found.password).output.split()
    return said[-1] if said[-1].startswith('TLS') else ' '.join(said)


def test_members_show_certificates_and_join_with_them(app: WithAuthority):
    assert app.database() and app.database().ca  # pyright: ignore[reportOptionalMemberAccess]
    app.until_whole()
    app.hooks(3)
    for member in app.members.values():
        assert '0' in member.root('SELECT a FROM nova.t').split()
        assert member.root('SELECT @@ssl_cert') == server_tls.PEM
    found = app.database()
    assert found and found.ca, app.status
    assert {s for s in app.status.values()} == {'active: '}
    app.asks['tls-ca'] = mysql.mark(found.ca)
    app.hooks()
    for member in app.members.values():
        assert 'TLS' in log_in(app, member, '--ssl')
        assert 'Access denied' in log_in(app, member, '--skip-ssl')
    # Another authority: no member restarts, and clients hear of it before.
    before = {u: m.sh('systemctl show --property=MainPID mariadb') for u, m in app.members.items()}
    app.authority = 'second'
    app.hooks(2)
    both = app.database()
    assert both and both.ca.count('BEGIN') == 2
    app.asks['tls-ca'] = mysql.mark(both.ca)
    app.hooks(3)
    last = app.database()
    assert last and last.ca.count('BEGIN') == 1 and last.ca not in found.ca
    after = {u: m.sh('systemctl show --property=MainPID mariadb') for u, m in app.members.items()}
    assert after == before


def test_a_cluster_that_gets_an_authority_restarts_in_turn(app: WithAuthority):
    app.authority = ''
    for unit in app.members:
        app.memory.get(unit, {}).pop(server_tls.MEMORY, None)
    first = app.members['mysql/0']
    first.sh(f'rm -f {server_tls.CONFIG}; systemctl restart mariadb')
    app.until_whole()
    assert first.root('SELECT @@ssl_cert') != server_tls.PEM
    app.authority = 'first'

    def all_show() -> bool:
        app.hooks()
        whole = all(m.state().startswith('200') for m in app.members.values())
        assert sum(m.state().startswith('200') for m in app.members.values()) >= 2
        return whole and bool((found := app.database()) and found.ca)

    until(all_show, lambda: str(app.status))
    assert all(m.root('SELECT @@ssl_cert') == server_tls.PEM for m in app.members.values())
