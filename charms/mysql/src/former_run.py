"""One run of a former server: its clients are handed on, until none comes by it any more. Pure."""

from __future__ import annotations

import dataclasses
from typing import cast

import charmkit
import former
import handover
import mariadb
import relays
import replicas
from charmkit import host
from charmkit.relations import mysql
from charmkit.why import action

DRAIN = 'drain'
DRAIN_S = 1500.0
"""Seconds for which the action that waits for clients does so."""


def desired(
    why: charmkit.Why, inputs: charmkit.Inputs, handed: replicas.Handed
) -> charmkit.Desired:
    """What follows for a unit that has *handed* over."""
    beside = mariadb.beside(inputs)
    password = replicas.passwords(inputs).values.get(replicas.PASSWORD, '')
    logins = (replicas.login(password),) if password else ()
    drains = action(why, DRAIN) is not None
    # Of the later of two servers in a row, clients go on to the last.
    watch = former.Watch(
        address=handed.address,
        here=inputs.site.address_on('shared-db'),
        most_s=DRAIN_S if drains else 0.0,
    )
    run = dataclasses.replace(
        beside,
        host=host.merge(
            mariadb.server_host(inputs),
            relays.desired(),
            host.Host(files=logins),
        ),
        ports=frozenset({mysql.PORT}),
        unit_data={
            'peers': {**mariadb.said(inputs), replicas.HANDED: replicas.write_handed(handed)}
        },
        tasks=(watch,),
    )
    if watch.name not in inputs.seen:
        return run
    coming = cast('tuple[str, ...] | None', inputs.seen[watch.name])
    users = ' '.join(coming or ())
    if drains and coming != ():
        wrong = (
            f'{users} are still connected through this unit'
            if users
            else f'{handed.to} does not answer'
        )
        return charmkit.Desired(failure=f'{wrong}: see their relations to {inputs.site.app}')
    if drains:
        run = dataclasses.replace(run, results={'clients': 'none', 'server': handed.to})
    elif action(why, handover.SWITCH):
        run = dataclasses.replace(run, results={'server': handed.to, 'held-seconds': '0.0'})
    words = f'{handed.to} has taken over'
    if coming == ():
        said_ = charmkit.Status(
            'maintenance', f'{words}, and no client is connected through this unit: remove it'
        )
    elif users:
        said_ = charmkit.Status('waiting', f'{words}; still connected through this unit: {users}')
    elif handed.to in inputs.peer_units:
        said_ = charmkit.Status('waiting', f'{words}, and does not answer now: keep both units')
    else:
        said_ = charmkit.Status(
            'blocked',
            f'{words}, and is not here: if it is gone for good, run take-over on this unit',
        )
    # It never stands in for the one that has the data: what counts ready units counts it not.
    return dataclasses.replace(run, status=(*run.status, said_))
