"""One run of the charm: the server, then the grants, then the answers; and what the operator's actions do. Pure."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, cast

import backups
import binary_log
import binary_log_node
import charmkit
import cluster_actions
import cluster_run
import galera_node
import generations
import grants
import handover
import mariadb
import member
import refusals
import replica_run
import replicas
import server
import server_tls
import tcp_service
from charmkit import disks, host, rotation
from charmkit.relations import mysql
from charmkit.why import action


def run(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    """What follows from *why* this run is and from *inputs*."""
    if why.removing and cluster_run.is_cluster(inputs):
        return charmkit.Desired(host=member.gone())
    refusal = refusals.refusal(why, inputs)
    if refusal:
        return charmkit.Desired(failure=refusal)
    match why:
        case charmkit.Action(name='list-backups'):
            listed = inputs.seen.get('list-backups')
            return charmkit.Desired(
                tasks=(backups.List(),),
                results={'backups': str(listed)} if listed is not None else {},
                read_only=True,
            )
        case charmkit.Action(name='backup'):
            return _with_backup_results(
                charmkit.Desired(tasks=(backups.Make(inputs.now),), read_only=True), inputs
            )
        case charmkit.Action(name='restore'):
            path = str(pathlib.PurePosixPath(mariadb.BACKUPS, str(why.params['file'])))
            desired = _served(why, inputs)
            restore = backups.Restore(path)
            # The grants come after it: it may have brought others.
            return _with_backup_results(
                dataclasses.replace(desired, tasks=(restore, *desired.tasks)), inputs
            )
        case charmkit.Action(name='rotate-password'):
            return _rotated(why, inputs)
        case charmkit.Action(name='cluster-status' | cluster_run.REBOOT | cluster_run.REJOIN):
            return cluster_actions.run_action(why, inputs)
        case charmkit.Action(name=handover.SWITCH):
            return replica_run.reported(_served(why, inputs), inputs)
        case charmkit.Action(name='take-over'):
            return dataclasses.replace(_served(why, inputs), results={'server': inputs.site.unit})
        case _:
            return _served(why, inputs)


def _rotated(why: charmkit.Action, inputs: charmkit.Inputs) -> charmkit.Desired:
    desired = _served(why, inputs)
    report = inputs.seen.get(server.CONVERGE)
    if not isinstance(report, server.Report) and all(t.name in inputs.seen for t in desired.tasks):
        said = charmkit.state.summary(desired.status).message or 'the server does not run'
        return charmkit.Desired(failure=f'No password was rotated: {said}')
    looked = inputs.seen.get('look')
    away = isinstance(looked, galera_node.MemberProbe) and not looked.here.synced
    if inputs.failed or away or (isinstance(report, server.Report) and report.refused):
        said = report.refused if isinstance(report, server.Report) else 'the server does not run'
        return charmkit.Desired(failure=f'No password was rotated: {said}')
    return rotation.recorded(desired, why, inputs, refusals.users(inputs))


def _with_backup_results(desired: charmkit.Desired, inputs: charmkit.Inputs) -> charmkit.Desired:
    """With what the backup task, the first, has found."""
    found = inputs.seen.get(desired.tasks[0].name)
    if isinstance(found, backups.Failed):
        return charmkit.Desired(failure=found.reason)
    return dataclasses.replace(desired, results=found) if isinstance(found, dict) else desired


def _served(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    return server_tls.beside(_serving(why, inputs), server_tls.decide(inputs), inputs)


def _serving(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    if not cluster_run.is_cluster(inputs):
        return _single(why, inputs)
    if cluster_run.foreign(inputs):
        return cluster_run.stays_out(inputs)
    run = cluster_run.read(why, inputs)
    if cluster_run.over(run):
        return _alone(why, inputs)
    desired = cluster_run.desired(run)
    desired = dataclasses.replace(desired, **_disks(desired, inputs))
    if not (run.here.synced and mariadb.seed(inputs)):
        return desired
    desired = dataclasses.replace(
        desired, tasks=(*desired.tasks, galera_node.Settings(member.settings(inputs)))
    )
    if said := inputs.seen.get('settings'):
        status = charmkit.Status('blocked', f'the server refused: {said}')
        desired = dataclasses.replace(desired, status=(*desired.status, status))
    writer = run.writer()
    role = ServerRole(
        db_host=cluster_run.db_host(run) if writer.unit else '',
        turn=writer.turn,
        makes=run.makes() or action(why, 'restore') is not None,
        clustered=True,
        start=run.now.start if run.now else '',
    )
    return _with_clients(desired, why, inputs, role)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerRole:
    """What this server is to its clients."""

    db_host: str
    """What is published to them."""
    turn: int = 0
    makes: bool = True
    """Accounts and databases are its to make."""
    clustered: bool = False
    start: str = ''
    """Stands for this start of a member's server."""


def _alone(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    """The last member of a cluster that is over: a server that stands alone, with all that there is."""
    me = inputs.site.unit
    peers = {**inputs.peers, cluster_run.PERMIT: '', mariadb.SERVER: me}
    single = _single(why, dataclasses.replace(inputs, peers=peers))
    absent = (*single.host.absent, host.Absent(path=galera_node.CLUSTER))
    return dataclasses.replace(
        single,
        host=dataclasses.replace(single.host, absent=absent),
        tasks=(cluster_run.look(inputs), galera_node.Single(), *single.tasks),
        unit_data={'peers': {}, **single.unit_data},
    )


def _single(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    other = replica_run.other(why, inputs)
    if other is not None:
        return other
    desired = mariadb.desired_state(inputs, take_over=action(why, 'take-over') is not None)
    if not desired.host.services:
        return desired
    machine = host.merge(desired.host, replica_run.host_of_source(inputs))
    desired = dataclasses.replace(desired, host=machine)
    unresolved = replica_run.unresolved(why, inputs, desired)
    if unresolved is not None:
        return unresolved
    desired = dataclasses.replace(desired, **_disks(desired, inputs))
    desired = dataclasses.replace(desired, **_binary_log(desired, inputs))
    balanced = bool(inputs.of(tcp_service.ENDPOINT))
    if balanced:
        desired = dataclasses.replace(
            desired,
            host=host.merge(desired.host, member.health_of(inputs)),
            app_data={**desired.app_data, **tcp_service.app_data(inputs)},
            unit_data={**desired.unit_data, **tcp_service.unit_data(inputs, backup=False)},
            status=(*desired.status, *tcp_service.complaints(inputs)),
        )
    if not mariadb.seed(inputs) or 'mariadb' in inputs.failed:
        return desired
    writer = mariadb.writer(inputs, inputs.site.unit)
    here = inputs.site.address_on('shared-db')
    role = ServerRole(db_host=tcp_service.address(inputs) or here, turn=writer.turn)
    return replica_run.serving(why, inputs, _with_clients(desired, why, inputs, role))


def _binary_log(desired: charmkit.Desired, inputs: charmkit.Inputs) -> dict[str, Any]:
    bounds = binary_log.bounds(inputs)
    if set(replicas.replicas(inputs)) - set(replica_run.followers(inputs)):
        bounds = dataclasses.replace(
            bounds, bytes=0
        )  # Somebody makes a copy, and needs what is written meanwhile.
    found = inputs.seen.get(binary_log_node.PURGE)
    status: tuple[charmkit.Status, ...] = ()
    if isinstance(found, binary_log_node.BinaryLog) and found.refused:
        status = (charmkit.Status('blocked', f'the binary log: {found.refused[:300]}'),)
    elif isinstance(found, binary_log_node.BinaryLog) and not found.on:
        status = (
            charmkit.Status(
                'active',
                'its binary log is off until mariadb restarts: to be followed it is restarted once, and clients wait',
            ),
        )
    return {
        'tasks': (*desired.tasks, binary_log_node.KeepBounds(bounds)),
        'status': (*desired.status, *status),
    }


def _disks(desired: charmkit.Desired, inputs: charmkit.Inputs) -> dict[str, Any]:
    found = cast('tuple[disks.Disk, ...]', inputs.seen.get(disks.DISKS, ()))
    return {
        'tasks': (*desired.tasks, disks.ProbeDisks((mariadb.DATA, mariadb.BACKUPS))),
        'status': (*desired.status, *disks.statuses(found)),
    }


def _with_clients(
    desired: charmkit.Desired, why: charmkit.Why, inputs: charmkit.Inputs, role: ServerRole
) -> charmkit.Desired:
    asked = mariadb.asked(inputs)
    every = [request for requests in asked.requests.values() for request in requests]
    tls, through = server_tls.decide(inputs), tcp_service.through(inputs, every)
    converge = server.Converge(
        grants.desired(through, server_tls.secured(tls, through)),
        grants.keys(
            mariadb.seed(inputs), rotation.of(why, inputs, refusals.users(inputs)), inputs.now
        ),
        inputs.fresh,
        emptied=action(why, 'restore') is not None,
        departed=why.time_passes,
        makes=role.makes,
        own=role.clustered or bool(inputs.of(tcp_service.ENDPOINT)),
        sst_password=member.passwords(inputs).values.get(member.SST, '') if role.clustered else '',
        known=_known(inputs, role) if role.clustered else _inherited(inputs),
        three_byte=mariadb.three_byte(inputs) if role.clustered else None,
        # Former servers look who still comes by them.
        replicas=bool(replicas.replicas(inputs) or replicas.formers(inputs)),
    )
    desired = dataclasses.replace(
        desired,
        tasks=(*desired.tasks, converge),
        memory={**desired.memory, mariadb.REQUESTS: mariadb.keep_requests(asked)},
    )
    report = inputs.seen.get(server.CONVERGE)
    if not isinstance(report, server.Report):
        return desired
    if role.clustered:
        desired = dataclasses.replace(
            desired, memory={**desired.memory, KNOWN: _remembered(report, role)}
        )
    elif not report.refused:
        desired = dataclasses.replace(
            desired, memory={**desired.memory, replica_run.COPIED: False}
        )
    return _reported(desired, report, converge, asked, inputs, role)


KNOWN = 'known'
"""In a member's memory: what its server had when each database bore its mark."""


def _known(inputs: charmkit.Inputs, role: ServerRole) -> dict[str, generations.Known]:
    kept: Mapping[str, Any] = inputs.memory.get(KNOWN, {})
    if kept.get('start') != role.start:
        return {}
    marks = cast('Mapping[str, list[Any]]', kept['marks'])
    return {name: generations.Known(*fields) for name, fields in marks.items()}


def _inherited(inputs: charmkit.Inputs) -> dict[str, generations.Known] | None:
    """The databases that a server has taken over bear marks of another one's tables: they are believed once."""
    return {} if inputs.memory.get(replica_run.COPIED) else None


def _remembered(report: server.Report, role: ServerRole) -> dict[str, object]:
    marks = generations.remembered(report.seen.databases)
    return {
        'start': role.start,
        'marks': {name: list(dataclasses.astuple(known)) for name, known in marks.items()},
    }


def _reported(
    desired: charmkit.Desired,
    report: server.Report,
    converge: server.Converge,
    asked: mariadb.Asked,
    inputs: charmkit.Inputs,
    role: ServerRole,
) -> charmkit.Desired:
    """With the answers that hold. Where one does not, what was said before stays said, and the status says why."""
    keys, tls = converge.keys, server_tls.decide(inputs)
    passwords = {r.user: keys.password(r.user) for each in asked.requests.values() for r in each}
    # An account that still needs TLS when it is no longer published to its clients would lock them out.
    secured = None if tls.published else converge.want.secured
    responses = {
        relation: mysql.response(
            role.db_host, requests, passwords, report.generations, turn=role.turn, ca=tls.published
        )
        for relation, requests in asked.requests.items()
        if role.db_host
        and tls.reaches(role.db_host)
        and all(
            grants.holds(r, report.seen, keys, secured)
            for r in tcp_service.through(inputs, requests)
        )
        # Whoever only looks may see that a mark is of use no more before another one has set it anew.
        and (role.makes or all(report.generations.get(r.database) for r in requests))
    }
    old = converge.want.databases & {*report.seen.three_byte}
    machine = desired.host
    if not (role.clustered or report.refused):  # A member has it before its server starts.
        written = mariadb.characters(three_byte=bool(old))
        machine = dataclasses.replace(machine, files=(*machine.files, written))
    agreed = dict(desired.app_data.get('peers', {}))
    if not report.refused:  # Else it has perhaps not seen all that there is.
        agreed[mariadb.UTF8] = 'utf8mb3' if old else ''
    return dataclasses.replace(
        desired,
        host=machine,
        app_data={**desired.app_data, 'peers': agreed},
        unit_data={**desired.unit_data, **responses},
        status=(*desired.status, *_said(report, old)),
    )


def _said(report: server.Report, old: frozenset[str]) -> Iterator[charmkit.Status]:
    if report.read_only:
        yield charmkit.Status(
            'blocked', f'the server refuses all writes ({report.read_only} is on)'
        )
    if report.refused:
        yield charmkit.Status('blocked', f'the server refused: {report.refused[:300]}')
    if old:
        names = ' '.join(sorted(old))
        yield charmkit.Status(
            'active', f'of characters like emoji these hold none (utf8mb3): {names}'
        )
