"""Which of the operator's actions are not carried out, and why, in words. Pure."""

from __future__ import annotations

import pathlib

import charmkit
import cluster_run
import former_run
import galera
import handover
import mariadb
import replica_run
import replicas
from charmkit import rotation
from charmkit.why import action


def refusal(why: charmkit.Why, inputs: charmkit.Inputs) -> str:
    """Why the operator's action is not carried out; '' where it is."""
    if restore := action(why, 'restore'):
        file = str(restore.params['file'])
        if not file.isprintable() or '..' in pathlib.PurePosixPath(file).parts:
            return f'file is {file[:80]!r}: give the name of a backup (see list-backups), or the whole path of a file'
        if not replica_run.settled(inputs):
            there = ', '.join(replicas.replicas(inputs)) or 'A unit that was removed'
            return (
                f'{there} follows this unit, or has taken over: remove it first, or restore on it'
            )
    alone = not cluster_run.is_cluster(inputs)
    if isinstance(why, charmkit.Action) and why.name in (handover.SWITCH, former_run.DRAIN):
        return replica_run.refusal(why, inputs) if alone else _NOT_IN_CLUSTER
    if action(why, 'take-over'):
        return _take_over_refused(inputs, alone=alone)
    if rotate := action(why, 'rotate-password'):
        return _rotation_refused(rotate, inputs)
    if isinstance(why, charmkit.Action) and why.name in _ANYWHERE:
        return ''
    if cluster_run.is_cluster(inputs):
        return _refused_in_cluster(why, inputs)
    server = mariadb.server_unit(inputs)
    if isinstance(why, charmkit.Action) and server != inputs.site.unit:
        return (
            f'The databases are on {server}: run it there'
            if server
            else 'No unit holds the databases yet'
        )
    return ''


_NOT_IN_CLUSTER = 'There is a cluster, and a cluster is not handed over'


def _take_over_refused(inputs: charmkit.Inputs, *, alone: bool) -> str:
    if not inputs.site.leader:
        return 'Only the leader can take over: see `juju status` for which unit it is'
    if not alone:
        return f'There is a cluster, any member of which can take over: see the action {cluster_run.REBOOT}'
    server = mariadb.server_unit(inputs)
    handed = replicas.read_handed(inputs.my_peer_data.get(replicas.HANDED, ''))
    if handed and handed.to in inputs.peer_units:
        return (
            f'{handed.to} is there and has taken over, and two servers would take writes: if it is gone for good, '
            f'first juju remove-unit --force {handed.to}'
        )
    may_be_closed = replicas.SOURCE in inputs.my_peer_data and not replicas.replicas(inputs)
    if server == inputs.site.unit and not may_be_closed:
        return 'The databases are on this unit already: there is nothing to take over'
    if replicas.kind(inputs, server) == 'replica' and server in inputs.peer_units:
        return (
            f'{server} is there, and two servers would take writes: run {handover.SWITCH} on it; if it is gone '
            f'for good, first juju remove-unit --force {server}'
        )
    return ''


_ANYWHERE = ('list-backups', 'cluster-status', cluster_run.REBOOT, cluster_run.REJOIN)


def _refused_in_cluster(why: charmkit.Why, inputs: charmkit.Inputs) -> str:
    writer = galera.read_writer(inputs.peers.get(mariadb.WRITER, '')).unit
    if action(why, 'restore') and writer != inputs.site.unit:
        # It ends the connections of clients, who are there.
        return (
            f'Clients are on {writer}: run it there' if writer else 'The cluster does not run yet'
        )
    return ''


def _rotation_refused(rotate: charmkit.Action, inputs: charmkit.Inputs) -> str:
    holds = cluster_run.is_cluster(inputs) or mariadb.server_unit(inputs) == inputs.site.unit
    if not inputs.site.leader or not holds:
        return 'Only the leader can, and only if it holds the databases: `juju status` shows which unit it is'
    if not mariadb.seed(inputs):
        return 'There are no passwords yet'
    before = rotation.read(inputs.peers.get(rotation.KEY, ''))
    return rotation.refusal(rotate, users(inputs), before, inputs.now)


def users(inputs: charmkit.Inputs) -> list[str]:
    """Those that related applications ask for, sorted."""
    every = mariadb.asked(inputs).requests.values()
    return sorted({r.user for requests in every for r in requests})
