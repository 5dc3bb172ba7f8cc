"""One run of a unit while two series of MariaDB are there: as the server, a replica, or a former server. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import cast

import charmkit
import former
import handover
import mariadb
import relays
import replica_node
import replicas
import tcp_service
from charmkit import host, state
from charmkit.relations import Databag, mysql
from charmkit.why import action

SWITCH = 'switch-over'
DRAIN = 'drain'
DRAIN_S = 1500.0
"""Seconds for which the action that waits for clients does so."""


def refusal(why: charmkit.Why, inputs: charmkit.Inputs) -> str:
    """Why the operator's action is not carried out; '' where it is, or is none of this module's."""
    if action(why, SWITCH):
        return _switch_refused(inputs)
    if action(why, DRAIN) and _kind(inputs) != 'former':
        return 'This unit is no former server: there is nobody whom it hands on'
    return ''


def _switch_refused(inputs: charmkit.Inputs) -> str:
    if _kind(inputs) == 'former':
        return ''
    server = mariadb.server_unit(inputs)
    if server != inputs.site.unit:
        return (
            f'The databases are on {server}: run it there'
            if server
            else 'No unit holds the databases yet'
        )
    ready = followers(inputs)
    if inputs.of(tcp_service.ENDPOINT):
        return (
            f'Clients come through a load balancer ({tcp_service.ENDPOINT}), which would not be told in time: remove '
            'that relation first, or move the databases by a backup'
        )
    if not ready:
        return (
            'No unit of a newer base follows this server: set-application-base and add-unit first, and wait until '
            'the new unit says that it follows'
        )
    if len(ready) > 1:
        return f'{" and ".join(ready)} follow this server: remove all but the one that is to take its place'
    return ''


def followers(inputs: charmkit.Inputs) -> tuple[str, ...]:
    """Units that say that they follow this one."""
    me = inputs.site.unit
    there = replicas.replicas(inputs)
    return tuple(u for u in there if inputs.peer_units[u].get(replicas.FOLLOWS) == me)


def _kind(inputs: charmkit.Inputs, *, take_over: bool = False) -> replicas.Kind:
    return replicas.kind(inputs, mariadb.server_unit(inputs, take_over=take_over))


def other(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired | None:
    """The run of a unit that is not the server, and has a part all the same; None for any other one."""
    match _kind(inputs, take_over=action(why, 'take-over') is not None):
        case 'replica':
            return _replica(inputs)
        case 'former':
            handed = replicas.read_handed(inputs.my_peer_data.get(replicas.HANDED, ''))
            return _former(why, inputs, handed) if handed else None
        case 'apart':
            return _apart(inputs)
        case _:
            return None


def _shared(inputs: charmkit.Inputs) -> charmkit.Desired:
    """What all of them have, the leader's part too."""
    server = mariadb.server_unit(inputs)
    password = replicas.passwords(inputs)
    return charmkit.Desired(
        host=mariadb.prepared(),
        app_data={'peers': {**mariadb.shared(inputs, server), **password.app_data}},
        unit_data={'peers': mariadb.said(inputs)},
        secrets={**mariadb.secrets(inputs), **password.secrets},
        version=mariadb.version(inputs),
        status=password.status,
    )


def _apart(inputs: charmkit.Inputs) -> charmkit.Desired:
    server = mariadb.server_unit(inputs)
    theirs = replicas.said(replicas.bag_of(inputs, server))
    status = charmkit.Status(
        'blocked',
        f'MariaDB {replicas.mine(inputs)} cannot follow {server}, which has the newer {theirs}: remove this unit '
        f'(juju remove-unit {inputs.site.unit})',
    )
    return dataclasses.replace(_shared(inputs), status=(status,))


# --- A replica.


def _replica(inputs: charmkit.Inputs) -> charmkit.Desired:
    shared = _shared(inputs)
    server, me = mariadb.server_unit(inputs), inputs.site.unit
    address = replicas.addresses(inputs).get(server, '')
    password = replicas.passwords(inputs).values.get(replicas.PASSWORD, '')
    ready = me in replicas_of(replicas.bag_of(inputs, server))
    if not (address and password and ready):
        waits = charmkit.Status('waiting', f'waits until {server} can be followed')
        return dataclasses.replace(shared, status=(*shared.status, waits))
    desired = dataclasses.replace(
        shared,
        host=host.merge(
            mariadb.server_host(inputs),
            host.Host(
                directories=(host.Directory(path=relays.FOLDER, mode=0o755),),
                files=(
                    mariadb.characters(three_byte=mariadb.three_byte(inputs)),
                    replicas.configuration(inputs, follows=True),
                    replicas.login(password),
                ),
            ),
        ),
        ports=frozenset({mysql.PORT}),
    )
    if 'mariadb' in inputs.failed:
        return desired
    task = replica_node.Follow(unit=server, address=address, password=password)
    desired = dataclasses.replace(desired, tasks=(task,))
    found = inputs.seen.get(task.name)
    if not isinstance(found, replica_node.Following):
        return desired
    follows = {replicas.FOLLOWS: server} if found.copied and not found.reason else {}
    return dataclasses.replace(
        desired,
        unit_data={'peers': {**mariadb.said(inputs), **follows}},
        status=(*desired.status, _followed(server, found)),
    )


def _followed(server: str, found: replica_node.Following) -> charmkit.Status:
    if found.reason:
        return charmkit.Status('blocked', f'does not follow {server}: {found.reason}')
    if found.behind is None:
        return charmkit.Status(
            'waiting', f'follows {server}, and does not say how far it is behind'
        )
    kind = 'active' if found.behind < replica_node.FOLLOW_S else 'waiting'
    return charmkit.Status(
        kind, f'follows {server}, {found.behind} s behind; {SWITCH} on {server} has it take over'
    )


def replicas_of(bag: Databag) -> frozenset[str]:
    """The units that a server says can follow it."""
    return frozenset(bag.get(replicas.SOURCE, '').split())


# --- A former server.


def _former(
    why: charmkit.Why, inputs: charmkit.Inputs, handed: replicas.Handed
) -> charmkit.Desired:
    shared = _shared(inputs)
    password = replicas.passwords(inputs).values.get(replicas.PASSWORD, '')
    logins = (replicas.login(password),) if password else ()
    drains = action(why, DRAIN) is not None
    # Of the later of two servers in a row, clients go on to the last.
    watch = former.Watch(
        address=handed.address,
        here=inputs.site.address_on('shared-db'),
        most_s=DRAIN_S if drains else 0.0,
    )
    desired = dataclasses.replace(
        shared,
        host=host.merge(
            mariadb.server_host(inputs),
            relays.desired(),
            host.Host(files=(replicas.configuration(inputs, follows=False), *logins)),
        ),
        ports=frozenset({mysql.PORT}),
        unit_data={
            'peers': {**mariadb.said(inputs), replicas.HANDED: replicas.write_handed(handed)}
        },
        tasks=(watch,),
    )
    if watch.name not in inputs.seen:
        return desired
    coming = cast('tuple[str, ...] | None', inputs.seen[watch.name])
    users = ' '.join(coming or ())
    if drains and coming != ():
        wrong = f'{users} still come by this unit' if users else f'{handed.to} does not answer'
        return charmkit.Desired(failure=f'{wrong}: see their relations to {inputs.site.app}')
    if drains:
        desired = dataclasses.replace(desired, results={'clients': 'none', 'server': handed.to})
    elif action(why, SWITCH):
        desired = dataclasses.replace(
            desired, results={'server': handed.to, 'held-seconds': '0.0'}
        )
    words = f'{handed.to} has taken over'
    if coming == ():
        said_ = charmkit.Status(
            'maintenance', f'{words}, and nobody comes by this unit: remove it'
        )
    elif users:
        said_ = charmkit.Status('waiting', f'{words}; still by this unit come {users}')
    else:
        said_ = charmkit.Status('waiting', f'{words}, and does not answer now: keep both units')
    # It never stands in for the one that has the data: what counts ready units counts it not.
    return dataclasses.replace(desired, status=(*desired.status, said_))


def reported(desired: charmkit.Desired, inputs: charmkit.Inputs) -> charmkit.Desired:
    """*desired*, a run of the action :data:`SWITCH`: at its end it says what was handed over, or fails."""
    over = all(task.name in inputs.seen for task in desired.tasks)
    if desired.failure or desired.results or not over:
        return desired
    said_ = state.summary(desired.status).message or 'this unit serves nobody yet'
    return charmkit.Desired(failure=f'Nobody is known to have taken over: {said_}')


# --- The server.


def settled(inputs: charmkit.Inputs) -> bool:
    """Whether no hand-over can be under way: nobody follows, and nobody is to."""
    return not replicas.replicas(inputs)


def resolving(inputs: charmkit.Inputs) -> handover.Resolve:
    """The first task of a server that somebody follows."""
    return handover.Resolve(here=inputs.site.address_on('shared-db'))


def unresolved(
    why: charmkit.Why, inputs: charmkit.Inputs, desired: charmkit.Desired
) -> charmkit.Desired | None:
    """The run of a server that may have handed over; None where it is the server for sure.

    *desired* is the run without tasks and clients.
    """
    if settled(inputs):
        return None
    first = resolving(inputs)
    found = inputs.seen.get(first.name)
    desired = dataclasses.replace(desired, tasks=(first,))
    if not isinstance(found, handover.Outcome):
        return desired
    if found.handed:
        return _handed(why, inputs, found)
    if found.reason:
        status = charmkit.Status('blocked', f'takes no writes: {found.reason}')
        return dataclasses.replace(desired, status=(*desired.status, status))
    switched = inputs.seen.get(handover.SWITCH)
    if isinstance(switched, handover.Outcome) and switched.handed:
        return _handed(why, inputs, switched)
    return None


def _handed(
    why: charmkit.Why, inputs: charmkit.Inputs, outcome: handover.Outcome
) -> charmkit.Desired:
    """The end of the run in which it has handed over."""
    assert outcome.handed  # noqa: S101 -- by its callers
    there = {**inputs.my_peer_data, replicas.HANDED: replicas.write_handed(outcome.handed)}
    after = dataclasses.replace(inputs, my_peer_data=there)
    desired = _former(why, after, outcome.handed)
    results = {
        'server': outcome.handed.to,
        'held-seconds': f'{outcome.held_s:.1f}',
        'cut-off': str(outcome.cut),
        'position': outcome.handed.position,
    }
    first = resolving(inputs)
    tasks = (first,) if handover.SWITCH not in inputs.seen else (first, _switch(inputs))
    return dataclasses.replace(
        desired,
        tasks=(*tasks, *desired.tasks),
        results=results if action(why, SWITCH) else {},
    )


def _switch(inputs: charmkit.Inputs) -> handover.HandOver:
    to = followers(inputs)[0]
    here = inputs.site.address_on('shared-db')
    return handover.HandOver(to=to, address=replicas.addresses(inputs)[to], here=here)


def serving(
    why: charmkit.Why, inputs: charmkit.Inputs, desired: charmkit.Desired
) -> charmkit.Desired:
    """*desired*, the run of a server with its clients, and what it is to units of another series."""
    if replicas.formers(inputs) or action(why, 'take-over'):
        desired = dataclasses.replace(desired, tasks=(*desired.tasks, handover.Open()))
        if wrong := inputs.seen.get(handover.OPENED):
            status = charmkit.Status('blocked', f'takes no writes yet: {wrong}')
            desired = dataclasses.replace(desired, status=(*desired.status, status))
    if settled(inputs):
        absent = host.Host(absent=(host.Absent(path=replicas.REPLICATION),))
        return dataclasses.replace(desired, host=host.merge(desired.host, absent))
    password = replicas.passwords(inputs)
    desired = dataclasses.replace(
        desired,
        app_data={
            **desired.app_data,
            'peers': {**desired.app_data.get('peers', {}), **password.app_data},
        },
        secrets={**desired.secrets, **password.secrets},
        status=(*desired.status, *password.status, *_replica_statuses(inputs)),
    )
    value = password.values.get(replicas.PASSWORD, '')
    if not value:
        return desired
    return _followed_by(why, inputs, desired, value)


def _replica_statuses(inputs: charmkit.Inputs) -> Iterator[charmkit.Status]:
    for unit in replicas.replicas(inputs):
        series = replicas.said(inputs.peer_units[unit])
        how = 'follows' if unit in followers(inputs) else 'is to follow'
        yield charmkit.Status('active', f'{unit} (MariaDB {series}) {how}')


def host_of_source(inputs: charmkit.Inputs) -> host.Host:
    """What is on the machine of a server that is followed."""
    value = replicas.passwords(inputs).values.get(replicas.PASSWORD, '')
    if settled(inputs) or not value:
        return host.Host()
    return host.merge(
        relays.desired(),
        host.Host(files=(replicas.configuration(inputs, follows=False), replicas.login(value))),
    )


def _followed_by(
    why: charmkit.Why, inputs: charmkit.Inputs, desired: charmkit.Desired, password: str
) -> charmkit.Desired:
    there = replicas.replicas(inputs)
    where = replicas.addresses(inputs)
    here = inputs.site.address_on('shared-db')
    source = replica_node.Source(
        here=here,
        addresses=frozenset((here, *(where[u] for u in there))),  # This one must look at them.
        password=password,
    )
    tasks = [*desired.tasks, source]
    wrong = inputs.seen.get(source.name)
    peers = dict(desired.unit_data.get('peers', {}))
    status = [*desired.status]
    if wrong == '':
        peers[replicas.SOURCE] = ' '.join(there)
    elif wrong:
        status.append(charmkit.Status('blocked', f'cannot be followed: {wrong}'))
    desired = dataclasses.replace(
        desired,
        unit_data={**desired.unit_data, 'peers': peers},
        status=tuple(status),
    )
    if action(why, SWITCH) and wrong == '':
        tasks.append(_switch(inputs))
        outcome = inputs.seen.get(handover.SWITCH)
        if isinstance(outcome, handover.Outcome) and not outcome.handed:
            return charmkit.Desired(failure=f'Nothing was handed over: {outcome.reason}')
    elif action(why, SWITCH) and wrong:
        return charmkit.Desired(failure=f'Nothing was handed over: {wrong}')
    return dataclasses.replace(desired, tasks=tuple(tasks))
