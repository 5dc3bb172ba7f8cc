"""One run of a unit while two series of MariaDB are there: as the server, a replica, or a former server. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import charmkit
import former_run
import handover
import mariadb
import relays
import replica_node
import replicas
import server_tls
import tcp_service
from charmkit import host, state
from charmkit.relations import Databag, mysql
from charmkit.why import action

NOTHING = 'Nothing was handed over'
"""So begins what a switch says that has changed nothing, for sure; ``juju lifecycle`` knows it by these words."""


def refusal(why: charmkit.Why, inputs: charmkit.Inputs) -> str:
    """Why the operator's action is not carried out; '' where it is, or is none of this module's."""
    if action(why, handover.SWITCH):
        wrong = _switch_refused(inputs)
        return f'{NOTHING}: {wrong}' if wrong else ''
    if action(why, former_run.DRAIN) and _kind(inputs) != 'former':
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
            f'Clients come through a load balancer ({tcp_service.ENDPOINT}), which would not learn of it in time: '
            'remove that relation first, or move the databases by a backup'
        )
    if not ready:
        return (
            'No unit of a newer base follows this server: set-application-base and add-unit first, and wait until '
            'the new unit says that it follows'
        )
    if len(ready) > 1:
        return f'{" and ".join(ready)} follow this server: remove all but the one that is to take its place'
    return server_tls.handed_over_without(inputs, *ready)


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
            return former_run.desired(why, inputs, handed) if handed else None
        case 'apart':
            return _apart(inputs)
        case _:
            return None


def _apart(inputs: charmkit.Inputs) -> charmkit.Desired:
    server = mariadb.server_unit(inputs)
    theirs = replicas.said(replicas.bag_of(inputs, server))
    status = charmkit.Status(
        'blocked',
        f'MariaDB {replicas.mine(inputs)} cannot follow {server}, which has the newer {theirs}: remove this unit '
        f'(juju remove-unit {inputs.site.unit})',
    )
    return dataclasses.replace(mariadb.beside(inputs), status=(status,))


# --- A replica.


def _replica(inputs: charmkit.Inputs) -> charmkit.Desired:
    shared = mariadb.beside(inputs)
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
            mariadb.server_host(inputs, follows=True),
            host.Host(
                directories=(host.Directory(path=relays.FOLDER, mode=0o755),),
                files=(
                    mariadb.characters(three_byte=mariadb.three_byte(inputs)),
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
        memory={COPIED: True} if found.copied else {},
        status=(*desired.status, _followed(server, found)),
    )


COPIED = 'copied'
"""In the unit's memory: its databases are another server's, with the marks that this gave them."""


def _followed(server: str, found: replica_node.Following) -> charmkit.Status:
    if found.reason:
        return charmkit.Status('blocked', f'does not follow {server}: {found.reason}')
    if found.behind is None:
        return charmkit.Status(
            'waiting', f'follows {server}, and does not say how far it is behind'
        )
    kind = 'active' if found.behind < replica_node.FOLLOW_S else 'waiting'
    return charmkit.Status(
        kind,
        f'follows {server}, {found.behind} s behind; {handover.SWITCH} on {server} has it take over',
    )


def replicas_of(bag: Databag) -> frozenset[str]:
    """The units that a server says can follow it."""
    return frozenset(bag.get(replicas.SOURCE, '').split())


# --- The server.


def settled(inputs: charmkit.Inputs) -> bool:
    """Whether no hand-over can be under way: nobody follows, nobody is to, and nobody was permitted to."""
    return not (replicas.replicas(inputs) or replicas.SOURCE in inputs.my_peer_data)


def resolving(inputs: charmkit.Inputs) -> handover.Resolve:
    """The first task of a server that somebody follows."""
    here = inputs.site.address_on('shared-db')
    return handover.Resolve(here=here, units=frozenset(inputs.peer_units))


def unresolved(
    why: charmkit.Why, inputs: charmkit.Inputs, desired: charmkit.Desired
) -> charmkit.Desired | None:
    """The run of a server that may have handed over; None where it is the server for sure.

    *desired* is the run without tasks and clients.
    """
    if settled(inputs) or action(why, 'take-over'):
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
    desired = former_run.desired(why, after, outcome.handed)
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
        results=results if action(why, handover.SWITCH) else {},
    )


def _switch(inputs: charmkit.Inputs) -> handover.HandOver:
    to = followers(inputs)[0]
    here = inputs.site.address_on('shared-db')
    return handover.HandOver(to=to, address=replicas.addresses(inputs)[to], here=here)


def serving(
    why: charmkit.Why, inputs: charmkit.Inputs, desired: charmkit.Desired
) -> charmkit.Desired:
    """*desired*, the run of a server with its clients, and what it is to units of another series."""
    here = inputs.site.address_on('shared-db')
    forced = action(why, 'take-over') is not None
    if replicas.handed_over(inputs) or forced:
        opens = handover.Open(here=here, forced=forced)
        desired = dataclasses.replace(desired, tasks=(*desired.tasks, opens))
        if wrong := inputs.seen.get(handover.OPENED):
            status = charmkit.Status('blocked', f'takes no writes yet: {wrong}')
            desired = dataclasses.replace(desired, status=(*desired.status, status))
    if not replicas.replicas(inputs):
        # A former server takes them along when it goes.
        absent = host.Host(absent=(host.Absent(path=replicas.LOGIN),))
        return dataclasses.replace(
            desired,
            host=host.merge(desired.host, absent),
            tasks=(*desired.tasks, relays.Retire(here=here)),
        )
    password = replicas.passwords(inputs)
    desired = dataclasses.replace(
        desired, status=(*desired.status, *password.status, *_replica_statuses(inputs))
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
    if not (value and replicas.replicas(inputs)):
        return host.Host()
    return host.merge(
        relays.desired(),
        host.Host(files=(replicas.login(value),)),
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
    if action(why, handover.SWITCH) and wrong == '':
        tasks.append(_switch(inputs))
        outcome = inputs.seen.get(handover.SWITCH)
        if isinstance(outcome, handover.Outcome) and not outcome.handed:
            words = UNCLEAR if outcome.unclear else NOTHING
            return charmkit.Desired(failure=f'{words}: {outcome.reason}')
    elif action(why, handover.SWITCH) and wrong:
        return charmkit.Desired(failure=f'{NOTHING}: {wrong}')
    return dataclasses.replace(desired, tasks=tuple(tasks))


def reported(desired: charmkit.Desired, inputs: charmkit.Inputs) -> charmkit.Desired:
    """*desired*, a run of the action :data:`handover.SWITCH`: at its end it says what was handed over, or fails."""
    over = all(task.name in inputs.seen for task in desired.tasks)
    if desired.failure or desired.results or not over:
        return desired
    said_ = state.summary(desired.status).message or 'this unit serves nobody yet'
    before = inputs.seen.get(handover.RESOLVE)
    sure = isinstance(before, handover.Outcome) and not before.reason
    return charmkit.Desired(failure=f'{NOTHING if sure else UNCLEAR}: {said_}')


UNCLEAR = 'Whether anybody has taken over is not known'
