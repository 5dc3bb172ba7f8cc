"""TLS between the server and its clients: what it shows them, and what is published to them. Pure, with one task.

An authority related to ``certificates`` is what switches it on. The server reads where its certificate is when it
starts, so it begins with one that nobody trusts, and takes up others while it runs. Whom to trust is published
once a good one is in force; each unit that says that all of its processes come by TLS is then let in by TLS alone.

1. The relation is there: the server is started, or restarted once, with TLS.
2. The certificate comes: the server takes it up, and its authority is published to clients.
3. Clients change over, each in its time, and say so: their accounts need TLS.

Back it goes the same way, but that the server keeps TLS for as long as it runs. Where another authority comes,
clients hear of both before the server shows what only the new one has signed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, cast

import charmkit
import galera_node
import mariadb
import replicas
import server
import tcp_service
from charmkit import host, server_certificate, state, unit_certificate
from charmkit.proxy import tls
from charmkit.relations import mysql

CONFIG = '/etc/mysql/mariadb.conf.d/94-charm-tls.cnf'
PEM = '/etc/mysql/charm-certificate.pem'
"""The certificate, who has issued it, and its key."""
VARIABLE = 'ssl_cert'
"""Of the server: only a restart changes it."""
MEMORY = 'tls'
PEER = 'tls'
"""In a unit's data on the peer relation: which authority stands behind what its server shows."""
TAKEN_UP = 'tls'
_NOTE = '# Written by the charm: local changes are overwritten.'


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerTls:
    """TLS on this unit, in this run."""

    on: bool = False
    """The server has TLS."""
    pem: str = dataclasses.field(default='', repr=False)
    """What is to be in its file; '' leaves that as it is."""
    published: str = ''
    """Whom clients are to trust, PEM; '' where no TLS is published to them."""
    names: frozenset[str] = frozenset()
    """Where clients may come: what the certificate is for."""
    certificate: unit_certificate.UnitCertificate | None = None
    memory: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    peer: str = ''
    task: TakeUp | None = None
    status: tuple[charmkit.Status, ...] = ()

    def reaches(self, db_host: str) -> bool:
        """Whether clients that verify may be sent to *db_host*."""
        return not self.published or db_host in self.names


@dataclasses.dataclass(frozen=True)
class TakeUp:
    """Have a server that runs read its certificate anew. Result: '' or what is wrong, in words."""

    digest: str
    """Of the file."""
    name: str = TAKEN_UP

    def carry_out(self, machine: charmkit.Machine) -> str:
        """Do it. Whoever is connected stays so; each member of a cluster does it for itself."""
        try:
            server.query(machine, 'FLUSH LOCAL SSL;')
            (row,) = server.query(machine, f'SELECT @@global.{VARIABLE} AS path;')
        except (server.ServerError, ValueError) as e:
            return str(e)
        # A member of a cluster waits for its turn to restart.
        return '' if row['path'] == PEM else 'it is to be restarted'


def wanted(inputs: charmkit.Inputs) -> dict[str, str]:
    """The server's variables that only a restart changes."""
    return {VARIABLE: PEM} if _on(inputs) else {}


def decide(inputs: charmkit.Inputs) -> ServerTls:
    """What follows from the certificate, and from what clients and the other units say."""
    if not _on(inputs):
        return ServerTls()
    here = inputs.site.address_on('shared-db')
    certificate = unit_certificate.read(inputs, _addresses(inputs), own=here)
    before = cast('Mapping[str, Any]', inputs.memory.get(MEMORY) or {})
    published = str(before.get('published', ''))
    marks = {r.tls for each in mariadb.asked(inputs).requests.values() for r in each} - {''}
    mine = host.digest(certificate.pem)
    unfit = server_certificate.unfit(certificate, here)
    shown = server_certificate.decide(certificate, mine, before, marks, inputs.now, unfit)
    digest = shown.digest
    wrong = inputs.seen.get(TAKEN_UP)
    taken_up = before.get('digest') == digest or wrong == ''
    why_not = _through_balancer(inputs)
    useless = bool(unfit) and not shown.held
    if why_not or useless or not certificate.related or not digest:
        published = ''
    elif taken_up and _all_units(inputs, mysql.mark(shown.root)):
        published = shown.trusted
    return ServerTls(
        on=True,
        pem=shown.pem if shown.held or shown.pem else unit_certificate.placeholder(inputs),
        published=published,
        names=frozenset(shown.names or certificate.names),
        certificate=certificate,
        memory={
            **certificate.memory,
            MEMORY: {
                'on': True,
                'published': published,
                **server_certificate.in_force(shown, before, taken_up=taken_up),
            },
        },
        peer=mysql.mark(shown.root) if taken_up and digest and shown.root else '',
        task=TakeUp(digest)
        if digest and not shown.held and before.get('digest') != digest
        else None,
        status=(
            *certificate.status,
            *_statuses(wrong),
            *(
                server_certificate.statuses(
                    shown, why_not or unfit, inputs.now, offered=bool(published)
                )
                if certificate.related
                else ()
            ),
        ),
    )


def beside(desired: charmkit.Desired, tls: ServerTls, inputs: charmkit.Inputs) -> charmkit.Desired:
    """*desired*, with TLS where it has the server run."""
    runs = any(f.path == mariadb.CONFIG for f in desired.host.files)
    if not (tls.on and tls.certificate and runs) or desired.failure or desired.read_only:
        return desired
    answers = mariadb.seed(inputs) and galera_node.SERVICE not in inputs.failed
    return dataclasses.replace(
        desired,
        host=host.merge(desired.host, host.Host(files=_files(tls))),
        unit_data={
            **desired.unit_data,
            **(
                {unit_certificate.RELATION: tls.certificate.request}
                if tls.certificate.related
                else {}
            ),
            'peers': {
                **desired.unit_data.get('peers', {}),
                **({PEER: tls.peer} if tls.peer else {}),
            },
        },
        memory={**desired.memory, **tls.memory},
        tasks=(*desired.tasks, *((tls.task,) if tls.task and answers else ())),
        status=(*desired.status, *tls.status),
    )


def secured(tls: ServerTls, requests: Iterable[mysql.Request]) -> frozenset[mysql.Request]:
    """Of *requests* those of units that come by TLS alone."""
    return frozenset(r for r in requests if r.tls and tls.published)


def handed_over_without(inputs: charmkit.Inputs, to: str) -> str:
    """Why clients that verify could not be handed over to the unit *to*; '' when they can."""
    mine = inputs.my_peer_data.get(PEER, '')
    verified = any(r.tls for each in mariadb.asked(inputs).requests.values() for r in each)
    if not (mine and verified) or replicas.bag_of(inputs, to).get(PEER) == mine:
        return ''
    return f'Clients verify this server, and {to} has no certificate of the same authority yet'


def _on(inputs: charmkit.Inputs) -> bool:
    kept = cast('Mapping[str, Any]', inputs.memory.get(MEMORY) or {})
    return bool(inputs.of(unit_certificate.RELATION) or kept.get('on'))


def _files(wanted: ServerTls) -> tuple[host.File, ...]:
    lines = (
        _NOTE,
        '[mariadbd]',
        f'ssl_cert = {PEM}',
        f'ssl_key = {PEM}',
        'tls_version = TLSv1.2,TLSv1.3',
        f'ssl_cipher = {tls.CIPHERS}',
        # Programs on the machine come by its socket; since 11.4 they would verify a server there, too.
        '[client]',
        'loose_ssl_verify_server_cert = OFF',
    )
    private = (
        # Before what refers to it; the server takes up another one while it runs.
        (host.File(path=PEM, content=wanted.pem, group='mysql', mode=0o640),) if wanted.pem else ()
    )
    config = host.File(path=CONFIG, content='\n'.join((*lines, '')), notify=('mariadb',))
    return (*private, config)


def _addresses(inputs: charmkit.Inputs) -> tuple[str, ...]:
    """Where clients come: to this unit, or by another one that hands them on."""
    return (inputs.site.address_on('shared-db'), *replicas.addresses(inputs).values())


def _through_balancer(inputs: charmkit.Inputs) -> str:
    if inputs.of(tcp_service.ENDPOINT):
        return 'clients come through a load balancer, whose address its certificate does not have'
    return ''


def _all_units(inputs: charmkit.Inputs, mark: str) -> bool:
    """Whether the other members of a cluster show what the same authority has signed: clients may come to any."""
    if not inputs.peers.get(replicas.CLUSTER):
        return True
    return all(bag.get(PEER) == mark for bag in inputs.peer_units.values())


def _statuses(wrong: object) -> Iterable[charmkit.Status]:
    if wrong:
        text = f'the server does not show its certificate yet: {str(wrong)[:300]}'
        yield state.Status('waiting', text)
