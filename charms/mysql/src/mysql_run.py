"""One run of the charm: the server, then the grants, then the answers; and what the operator's actions do. Pure."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import cast

import backups
import charmkit
import disks
import grants
import mariadb
import server
from charmkit import rotation
from charmkit.relations import mysql
from charmkit.why import action


def run(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    """What follows from *why* this run is and from *inputs*."""
    refusal = _refusal(why, inputs)
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
            return _answered(
                charmkit.Desired(tasks=(backups.Make(inputs.now),), read_only=True), inputs
            )
        case charmkit.Action(name='restore'):
            path = str(pathlib.PurePosixPath(mariadb.BACKUPS, str(why.params['file'])))
            desired = _served(why, inputs)
            restore = backups.Restore(path)
            # The grants come after it: it may have brought others.
            return _answered(dataclasses.replace(desired, tasks=(restore, *desired.tasks)), inputs)
        case charmkit.Action(name='rotate-password'):
            return _rotated(why, inputs)
        case charmkit.Action(name='take-over'):
            return dataclasses.replace(_served(why, inputs), results={'server': inputs.site.unit})
        case _:
            return _served(why, inputs)


def _refusal(why: charmkit.Why, inputs: charmkit.Inputs) -> str:
    if restore := action(why, 'restore'):
        file = str(restore.params['file'])
        if not file.isprintable() or '..' in pathlib.PurePosixPath(file).parts:
            return f'file is {file[:80]!r}: give the name of a backup (see list-backups), or the whole path of a file'
    if action(why, 'take-over') and not inputs.site.leader:
        return 'Only the leader can take over: see `juju status` for which unit it is'
    if rotate := action(why, 'rotate-password'):
        return _rotation_refused(rotate, inputs)
    if action(why, 'list-backups'):
        return ''
    server = mariadb.server_unit(inputs)
    if isinstance(why, charmkit.Action) and why.name != 'take-over' and server != inputs.site.unit:
        return (
            f'The databases are on {server}: run it there'
            if server
            else 'No unit holds the databases yet'
        )
    return ''


def _rotation_refused(rotate: charmkit.Action, inputs: charmkit.Inputs) -> str:
    if not inputs.site.leader or mariadb.server_unit(inputs) != inputs.site.unit:
        return 'Only the leader can, and only if it holds the databases: `juju status` tells which unit it is'
    if not mariadb.seed(inputs):
        return 'There are no passwords yet'
    before = rotation.read(inputs.peers.get(rotation.KEY, ''))
    return rotation.refusal(rotate, _users(inputs), before, inputs.now)


def _users(inputs: charmkit.Inputs) -> list[str]:
    every = mariadb.asked(inputs).requests.values()
    return sorted({r.user for requests in every for r in requests})


def _rotated(why: charmkit.Action, inputs: charmkit.Inputs) -> charmkit.Desired:
    desired = _served(why, inputs)
    report = inputs.seen.get(server.CONVERGE)
    if inputs.failed or (isinstance(report, server.Report) and report.refused):
        said = report.refused if isinstance(report, server.Report) else 'the server does not run'
        return charmkit.Desired(failure=f'No password was rotated: {said}')
    return rotation.recorded(desired, why, inputs, _users(inputs))


def _answered(desired: charmkit.Desired, inputs: charmkit.Inputs) -> charmkit.Desired:
    """With what the backup task, the first, has found."""
    found = inputs.seen.get(desired.tasks[0].name)
    if isinstance(found, backups.Failed):
        return charmkit.Desired(failure=found.reason)
    return dataclasses.replace(desired, results=found) if isinstance(found, dict) else desired


def _served(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    desired = mariadb.desired_state(inputs, take_over=action(why, 'take-over') is not None)
    if not desired.host.services:
        return desired
    found = cast('tuple[disks.Disk, ...]', inputs.seen.get(disks.DISKS, ()))
    desired = dataclasses.replace(
        desired,
        tasks=(disks.Look((mariadb.DATA, mariadb.BACKUPS)),),
        status=(*desired.status, *disks.statuses(found)),
    )
    seed = mariadb.seed(inputs)
    if not seed or inputs.failed:
        return desired
    asked = mariadb.asked(inputs)
    every = [request for requests in asked.requests.values() for request in requests]
    converge = server.Converge(
        grants.desired(every),
        grants.keys(seed, rotation.of(why, inputs, _users(inputs)), inputs.now),
        inputs.fresh,
        emptied=action(why, 'restore') is not None,
    )
    desired = dataclasses.replace(
        desired,
        tasks=(*desired.tasks, converge),
        memory={**desired.memory, mariadb.REQUESTS: mariadb.keep_requests(asked)},
    )
    report = inputs.seen.get(server.CONVERGE)
    return (
        _reported(desired, report, converge, asked, inputs)
        if isinstance(report, server.Report)
        else desired
    )


def _reported(
    desired: charmkit.Desired,
    report: server.Report,
    converge: server.Converge,
    asked: mariadb.Asked,
    inputs: charmkit.Inputs,
) -> charmkit.Desired:
    """With the answers that hold. Where one does not, what was said before stays said, and the status says why."""
    keys = converge.keys
    passwords = {r.user: keys.password(r.user) for each in asked.requests.values() for r in each}
    db_host = inputs.site.address_on('shared-db')
    answers = {
        relation: mysql.answer(db_host, requests, passwords, report.generations)
        for relation, requests in asked.requests.items()
        if all(grants.holds(r, report.seen, keys) for r in requests)
    }
    old = converge.want.databases & {*report.seen.three_byte}
    files = (*desired.host.files, mariadb.characters(three_byte=bool(old)))
    return dataclasses.replace(
        desired,
        host=dataclasses.replace(desired.host, files=files)
        if not report.refused
        else desired.host,
        unit_data={**desired.unit_data, **answers},
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
