"""Tools about storage, resources and the goal of the model.

Source: storage-*.go, resource-get.go, goal-state.go in Juju's runner/jujuc.
"""

from __future__ import annotations

import datetime
import re

from .. import environment, gnuflag, relations
from .. import model as model_
from .tool import BAD_ARGUMENTS, OUTPUT, Ask, Failure, Reply, Tool

_SIZE = re.compile(r'[0-9]+(?:\.[0-9]+)?[MGTPEZY](?:i?B)?', re.ASCII)
_POOL = re.compile(r'[a-zA-Z]+[-?a-zA-Z0-9]*', re.ASCII)
MOST_AT_ONCE = 1000
"""Instances that one call may ask for: a bound on what a runaway charm can do."""


def storage_list(ask: Ask) -> Reply:
    """``storage-list``: what is attached to this unit."""
    name = ask.args.positionals[0] if ask.args.positionals else ''
    found = [s.id for s in _mine(ask) if not name or s.name == name]
    return ask.says(sorted(found, key=relations.unit_key))


def storage_get(ask: Ask) -> Reply:
    """``storage-get``: kind and location."""
    spelt = ask.args.given.get('s')
    wanted = ask.args['s'] if spelt else ask.context.hook.storage
    found = next((s for s in _mine(ask) if s.id == wanted), None)
    if found is None:
        if not spelt:
            raise Failure('no storage instance specified', BAD_ARGUMENTS)
        raise Failure(
            f'invalid value {gnuflag.quote(wanted)} for option {spelt}: storage not found',
            BAD_ARGUMENTS,
        )
    values = {'kind': found.kind, 'location': ask.prefix + found.location}
    if not ask.args.positionals or not ask.args.positionals[0]:
        return ask.says(values)
    key = ask.args.positionals[0]
    if key not in values:
        raise Failure(f'invalid storage attribute {gnuflag.quote(key)}')
    return ask.says(values[key])


def storage_add(ask: Ask) -> Reply:
    """``storage-add``: more instances, once the hook has succeeded."""
    if not ask.args.positionals:
        raise Failure('storage add requires a storage directive', BAD_ARGUMENTS)
    wanted = dict(ask.writes.storage)
    for word in ask.args.positionals:
        name, _, directive = word.partition('=')
        count = _count(word, directive)
        meta = ask.charm.storage.get(name)
        if meta is None:
            raise Failure(f'charm storage {gnuflag.quote(name)} not found')
        wanted[name] = wanted.get(name, 0) + count
        total = wanted[name] + sum(1 for s in _owned(ask) if s.name == name)
        if meta.maximum >= 0 and total > meta.maximum:
            raise Failure(
                f'charm {gnuflag.quote(ask.charm.name)} store {gnuflag.quote(name)}: at most '
                f'{meta.maximum} instances supported, {total} specified'
            )
    return ask.buffers(storage=wanted)


def _count(word: str, directive: str) -> int:
    count = 1
    for part in directive.split(',') if directive else ():
        if part.isascii() and part.isdigit():
            count = int(part[:9])
        elif not (_SIZE.fullmatch(part) or _POOL.fullmatch(part)):
            raise Failure(
                f'cannot parse storage directive {gnuflag.quote(word)}: '
                f'unrecognized storage directive {gnuflag.quote(part)}',
                BAD_ARGUMENTS,
            )
    if not 1 <= count <= MOST_AT_ONCE:
        raise Failure(
            f'cannot parse storage directive {gnuflag.quote(word)}: '
            f'count must be between 1 and {MOST_AT_ONCE}, got "{count}"',
            BAD_ARGUMENTS,
        )
    return count


def _owned(ask: Ask) -> list[model_.Storage]:
    return [s for s in ask.model.storage.values() if s.owner == ask.unit.name]


def _mine(ask: Ask) -> list[model_.Storage]:
    """What the charm has been told of: attached, or being attached or detached by this very hook."""
    seen = ask.unit.agent.storage_attached
    return [s for s in _owned(ask) if s.id in seen or s.id == ask.context.hook.storage]


def resource_get(ask: Ask) -> Reply:
    """``resource-get``: the path of a file that the user gave; the edge has put it there."""
    if not ask.args.positionals:
        raise Failure('missing required resource name', BAD_ARGUMENTS)
    name = ask.args.positionals[0]
    found = ask.application.resources.get(name)
    meta = ask.charm.resources.get(name)
    if found is None or meta is None:
        raise Failure(
            f'could not download resource: HTTP request failed: resource#'
            f'{ask.application.name}/{name} not found'
        )
    filename = meta.filename or found.filename
    path = environment.resource_path(ask.unit.name, name, filename)
    return Reply(ask.model, ask.context, text=ask.prefix + path)


def goal_state(ask: Ask) -> Reply:
    """``goal-state``: units and relations that there should be, each with how far it is."""
    goals: dict[str, dict[str, dict[str, str]]] = {}
    for relation in ask.model.relations_of(ask.unit.application):
        if not relations.concerns(ask.model, ask.unit, relation):
            continue
        name = ask.endpoint(relation).name
        goals.setdefault(name, {}).update(_goals(ask, relation))
    units = {u.name: _unit_goal(u) for u in ask.model.units_of(ask.unit.application)}
    return ask.says({'relations': goals, 'units': units})


def _goals(ask: Ask, relation: model_.Relation) -> dict[str, dict[str, str]]:
    other = relations.other_side(relation, ask.unit.application).application
    units = [u for u in ask.model.units_of(other) if u.name != ask.unit.name]
    out = {u.name: _unit_goal(u) for u in units}
    if not relations.is_peer(relation):
        since = min((u.workload.since for u in units), default=ask.model.created)
        word = 'joined' if relation.life == 'alive' else 'dying'
        out[other] = {'since': _time(since), 'status': word}
    return out


def _unit_goal(unit: model_.Unit) -> dict[str, str]:
    status = unit.workload.current if unit.life == 'alive' else 'dying'
    return {'since': _time(unit.workload.since), 'status': status}


def _time(seconds: float) -> str:
    found = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return found.strftime('%Y-%m-%d %H:%M:%SZ')


TOOLS = (
    Tool(
        'storage-list',
        storage_list,
        'List storage attached to the unit.',
        '[<storage-name>]',
        OUTPUT,
        1,
    ),
    Tool(
        'storage-get',
        storage_get,
        'Print information for the storage instance with the specified ID.',
        '[<key>]',
        (*OUTPUT, gnuflag.Flag(('s',), help='specify a storage instance by id')),
        1,
    ),
    Tool(
        'storage-add',
        storage_add,
        'Add storage instances.',
        '<charm storage name>[=directive] ...',
    ),
    Tool(
        'resource-get',
        resource_get,
        'Get the path to the locally cached resource file.',
        '<resource name>',
        most=1,
    ),
    Tool(
        'goal-state', goal_state, 'Print the status of the peers and related units.', '', OUTPUT, 0
    ),
)
