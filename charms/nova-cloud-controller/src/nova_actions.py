"""Actions on what nova keeps: rows of what is deleted, and the zones that compute nodes are in. Pure but for tasks."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import charmkit
from charmkit import keystone, nova, openstack
from charmkit.machine import Finished, Machine

ACTIONS = ('archive-data', 'purge-data', 'sync-compute-availability-zones')
NOVAS_OWN = 'nova'
"""The zone that nova has nodes in that no aggregate has (its `default_availability_zone`)."""
_MOST_S = 4 * 3600.0
_SHOWN = 4000
_ARCHIVED = 1
_PURGED, _NOTHING_PURGED = 0, 3
"""Exit statuses, as nova-manage's manual has them; of an archive 0 is that there was nothing."""


@dataclasses.dataclass(frozen=True)
class Manage:
    """Run ``nova-manage`` as the user nova, for as long as hours; the result is a :class:`Finished`."""

    arguments: tuple[str, ...]
    name: str = 'nova-manage'

    def carry_out(self, machine: Machine) -> Finished:
        """Run it, by *machine*."""
        return machine.program('nova-manage', *self.arguments, user='nova', timeout_s=_MOST_S)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Synced:
    """What became of the zones."""

    done: tuple[str, ...] = ()
    """What was changed, in words."""
    refused: str = ''


@dataclasses.dataclass(frozen=True)
class Zones:
    """Put each host into the aggregate of its zone; the result is a :class:`Synced`."""

    identity: keystone.Identity
    wanted: tuple[tuple[str, str], ...]
    """Host, zone."""
    name: str = 'zones'

    def carry_out(self, machine: Machine) -> Synced:
        """Do it, by *machine*; what is refused ends it."""
        done: list[str] = []
        try:
            client = openstack.login(machine, self.identity, 'compute')
            found: list[Mapping[str, Any]] = client.ask('GET', '/os-aggregates')['aggregates']
            ids = aggregates(found)
            for zone in new_zones(found, self.wanted):
                asked = {'name': f'{zone}_az', 'availability_zone': zone}
                made = client.ask('POST', '/os-aggregates', {'aggregate': asked})
                ids[zone] = str(made['aggregate']['id'])
                done.append(f'Availability zone {zone} made')
            for host, zone in strangers(found, self.wanted):
                body = {'add_host': {'host': host}}
                client.ask('POST', f'/os-aggregates/{ids[zone]}/action', body)
                done.append(f'Hypervisor {host} added to availability zone {zone}')
        except openstack.RefusedError as e:
            return Synced(done=tuple(done), refused=str(e))
        except (KeyError, TypeError):
            return Synced(done=tuple(done), refused='nova answers what nobody can read')
        return Synced(done=tuple(done))


def aggregates(found: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By zone, the id of the aggregate that stands for it: ``ZONE_az``, as Charmed OpenStack's charm calls it."""
    return {
        str(a['availability_zone']): str(a['id'])
        for a in found
        if a['name'] == f'{a.get("availability_zone")}_az'
    }


def new_zones(found: Sequence[Mapping[str, Any]], wanted: Iterable[tuple[str, str]]) -> list[str]:
    """The zones that have no aggregate, of those that a host is to be added to."""
    there = aggregates(found)
    return sorted({zone for _, zone in strangers(found, wanted)} - there.keys())


def strangers(
    found: Sequence[Mapping[str, Any]], wanted: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Hosts that are in no aggregate of their zone, each with it; an operator's own aggregate is one, too."""
    members = {(str(h), str(a.get('availability_zone'))) for a in found for h in a['hosts']}
    return [(host, zone) for host, zone in wanted if (host, zone) not in members]


def zones(computes: Iterable[nova.Compute]) -> tuple[tuple[str, str], ...]:
    """The zone of each host that says one, other than nova's own."""
    return tuple((c.hostname, c.zone) for c in computes if c.zone not in ('', NOVAS_OWN))


def run_action(
    why: charmkit.Action,
    inputs: charmkit.Inputs,
    identity: keystone.Identity | None,
    computes: Iterable[nova.Compute],
) -> charmkit.Desired:
    """What the action of :data:`ACTIONS` does, where there are databases with nova's tables."""
    match why.name:
        case 'archive-data':
            return _archived(why, inputs)
        case 'purge-data':
            return _purged(why, inputs)
        case _:
            return _synced(inputs, identity, zones(computes))


def _archived(why: charmkit.Action, inputs: charmkit.Inputs) -> charmkit.Desired:
    size = int(why.params.get('batch-size', 10_000))
    if size < 1:
        return _fails(f'batch-size is {size}: set it to 1 or more')
    options = ('--all-cells', '--max_rows', str(size), '--verbose')
    task = Manage(('db', 'archive_deleted_rows', *options))
    done = inputs.seen.get(task.name)
    if not isinstance(done, Finished):
        return _looks(task)
    if done.status == 0:
        return _fails('There was nothing to archive: no row of something deleted is left')
    if done.status != _ARCHIVED:
        return _failed(task, done)
    return _looks(task, {'archive-deleted-rows': _end(done)})


def _purged(why: charmkit.Action, inputs: charmkit.Inputs) -> charmkit.Desired:
    before = str(why.params.get('before', ''))
    if before and not _is_day(before):
        return _fails(f'before is {before[:40]!r}: give a day, YYYY-MM-DD')
    which = ('--before', before) if before else ('--all',)
    task = Manage(('db', 'purge', '--all-cells', *which, '--verbose'))
    done = inputs.seen.get(task.name)
    if not isinstance(done, Finished):
        return _looks(task)
    if done.status == _NOTHING_PURGED:
        return _fails('There was nothing to purge: run archive-data first')
    if done.status != _PURGED:
        return _failed(task, done)
    return _looks(task, {'purge-deleted-rows': _end(done)})


def _synced(
    inputs: charmkit.Inputs,
    identity: keystone.Identity | None,
    wanted: tuple[tuple[str, str], ...],
) -> charmkit.Desired:
    if identity is None:
        return _fails('There is no account of nova yet: relate identity-service')
    if not wanted:
        said = f'No compute node says a zone other than {NOVAS_OWN}, where nova has it by itself'
        return _fails(f'{said}: see default-availability-zone of nova-compute')
    task = Zones(identity, wanted)
    done = inputs.seen.get(task.name)
    if not isinstance(done, Synced):
        return _looks(task)
    said = '; '.join(done.done)
    if done.refused:
        return _fails(
            f'Nova refuses: {done.refused}' + (f' (before that: {said})' if said else '')
        )
    if not said:
        return _fails('Each compute node is in its zone already')
    return _looks(task, {'output': '\n'.join(done.done)})


def _is_day(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _looks(task: charmkit.Task, results: Mapping[str, str] | None = None) -> charmkit.Desired:
    """Machine, databags and status stay as they are."""
    return charmkit.Desired(tasks=(task,), results=results or {}, read_only=True)


def _end(done: Finished) -> str:
    return done.output[-_SHOWN:].strip()


def _failed(task: Manage, done: Finished) -> charmkit.Desired:
    what = 'was stopped' if done.status < 0 else f'ended with {done.status}'
    return _fails(f'nova-manage {" ".join(task.arguments[:2])} {what}: {_end(done)}')


def _fails(words: str) -> charmkit.Desired:
    return charmkit.Desired(failure=words)
