"""The operator's actions that are about the cluster. Pure."""

from __future__ import annotations

import dataclasses

import charmkit
import cluster_run
import galera
import galera_node
import member
from charmkit.relations import unit_order


def run_action(why: charmkit.Action, inputs: charmkit.Inputs) -> charmkit.Desired:
    """What one of them does."""
    match why.name:
        case 'cluster-status':
            return status(why, inputs)
        case cluster_run.REBOOT:
            return rebooted(why, inputs)
        case _:
            return rejoined(why, inputs)


def status(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    """What this unit sees of the cluster, and whom clients are sent to."""
    task = dataclasses.replace(cluster_run.look(inputs), always=True)
    desired = charmkit.Desired(tasks=(task,), read_only=True)
    run = cluster_run.read(why, inputs)
    if run.looked is None:
        return desired
    here, units = run.here, sorted((run.me, *inputs.peer_units), key=unit_order)
    rows = {u: _member_state(run.theirs.get(u)) for u in units}
    rows[run.me] = 'synced' if here.synced else 'primary' if here.primary else 'not primary'
    writer = run.writer()
    position = str(here.position or 'none')
    if here.primary:
        position = f'{here.uuid}:{run.looked.settings.get("wsrep_last_committed", "")}'
    return dataclasses.replace(
        desired,
        results={
            'status': 'primary' if here.primary else 'not primary',
            'members': ' '.join(sorted(here.members, key=unit_order)) or 'none',
            'units': ' '.join(f'{u}={how}' for u, how in rows.items()),
            'writer': writer.unit or 'none',
            'uuid': here.uuid or here.state.uuid or 'none',
            'position': position,
            'safe-to-bootstrap': 'yes' if here.state.safe and not here.primary else 'no',
            'turn': str(run.said.turn),
        },
    )  # fmt: skip


def _member_state(member: galera.MemberStatus | None) -> str:
    if member is None:
        return 'no answer'
    return 'synced' if member.synced else 'primary' if member.primary else 'not primary'


def rebooted(why: charmkit.Action, inputs: charmkit.Inputs) -> charmkit.Desired:
    """Start the cluster from the member that is farthest, or ask all members how far they are."""
    if not inputs.site.leader:
        return charmkit.Desired(
            failure='Only the leader can: `juju status` shows which unit it is'
        )
    if cluster_run.permitted(inputs) is None:
        return charmkit.Desired(failure='There is no cluster')
    run = cluster_run.read(why, inputs)
    desired = cluster_run.desired(run)
    if run.looked is None:
        return desired
    if run.looked.here.primary or any(a.primary for a in run.looked.theirs.values()):
        return charmkit.Desired(failure='The cluster runs: see cluster-status')
    if run.permit != cluster_run.permitted(inputs) and run.permit:
        return dataclasses.replace(desired, results={'started-from': run.permit.unit})
    missing = ' '.join(run.found.missing)
    if str(run.round) == inputs.peers.get(cluster_run.ROUND, ''):  # It was asked before.
        reason = (
            run.found.reason
            or f'{missing} may have what no other member has, and have not reported how far they are'
        )
        how = 'unit=UNIT force=true' if run.found.reason else 'force=true'
        return charmkit.Desired(
            failure=f'{reason}: if they are gone for good, or it does not matter, run this again with {how}'
        )
    return dataclasses.replace(
        desired,
        results={
            'asked': missing,
            'next': 'it starts when all have reported how far they are; run this again to see who has not',
        },
    )


def rejoined(why: charmkit.Action, inputs: charmkit.Inputs) -> charmkit.Desired:
    """Give up what this unit has, and let it join as a new one does."""
    if why.params.get('discard-data') is not True:
        return charmkit.Desired(
            failure='What is on this unit is lost with it: say so with discard-data=true'
        )
    run = cluster_run.read(why, inputs)
    if run.looked is None:
        return charmkit.Desired(tasks=(cluster_run.look(inputs),), read_only=True)
    if run.looked.here.primary:
        return charmkit.Desired(failure='This unit is in the cluster')
    if not any(a.primary for a in run.looked.theirs.values()):
        return charmkit.Desired(failure='There is no cluster in sight that it could join')
    task = galera_node.Discard()
    if failed := inputs.seen.get(task.name):
        return charmkit.Desired(failure=f'Not discarded: {failed}')
    said = galera.PeerState(answered=run.said.answered, waits=True)
    desired = cluster_run.desired(run)
    mine = {**desired.unit_data['peers'], cluster_run.PEER_STATE: galera.write_peer_state(said)}
    return dataclasses.replace(
        desired,
        host=member.desired(inputs, admitted=False),
        tasks=(cluster_run.look(inputs), task),
        unit_data={**desired.unit_data, 'peers': mine},
        status=(charmkit.Status('waiting', 'waits for its turn to join'),),
        results={'discarded': f'{galera_node.DATA}.discarded'},
    )
