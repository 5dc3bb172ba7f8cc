"""One run of the charm: the server, then the grants, then the answers; and what the operator's actions do. Pure."""

from __future__ import annotations

import dataclasses
import pathlib

import backups
import charmkit
import grants
import mariadb
import server
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
        case charmkit.Action(name='take-over'):
            return dataclasses.replace(_served(why, inputs), results={'server': inputs.site.unit})
        case _:
            return _served(why, inputs)


def _refusal(why: charmkit.Why, inputs: charmkit.Inputs) -> str:
    if action(why, 'take-over') and not inputs.site.leader:
        return 'Only the leader can take over: see `juju status` for which unit it is'
    return ''


def _answered(desired: charmkit.Desired, inputs: charmkit.Inputs) -> charmkit.Desired:
    """With what the backup task, the first, has found."""
    found = inputs.seen.get(desired.tasks[0].name)
    if isinstance(found, backups.Failed):
        return charmkit.Desired(failure=found.reason)
    return dataclasses.replace(desired, results=found) if isinstance(found, dict) else desired


def _served(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    desired = mariadb.desired_state(inputs, take_over=action(why, 'take-over') is not None)
    seed = mariadb.seed(inputs)
    if not desired.host.services or not seed or inputs.failed:
        return desired
    asked = mariadb.asked(inputs).requests
    every = [request for requests in asked.values() for request in requests]
    desired = dataclasses.replace(desired, tasks=(server.Grant(grants.desired(every), seed),))
    granted = inputs.seen.get(server.GRANT)
    if granted is None:
        return desired
    passwords = {r.user: grants.password(seed, r.user) for r in every}
    db_host = inputs.site.address_on('shared-db')
    answers = {
        relation: mysql.answer(db_host, requests, passwords)
        for relation, requests in asked.items()
    }
    return dataclasses.replace(desired, unit_data={**desired.unit_data, **answers})
