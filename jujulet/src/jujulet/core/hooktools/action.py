"""Tools of an action: parameters, results, log, failure. Source: action-*.go in Juju's runner/jujuc."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, cast

from .. import edit, gnuflag
from .tool import BAD_ARGUMENTS, OUTPUT, Ask, Failure, Reply, Tool

_KEY = re.compile(r'[a-z0-9](?:[a-z0-9-]*[a-z0-9])?', re.ASCII)
_RESERVED = ('stdout', 'stdout-encoding', 'stderr', 'stderr-encoding')
MOST_LEVELS = 100
"""How deep results may nest: as deep as a document of the database of Juju's may be."""
MOST_LINES = 10_000
"""Lines of a task's log that are kept, the newest."""
_NO_REASON = 'action failed without reason given, check action for errors'


def action_get(ask: Ask) -> Reply:
    """``action-get``: parameters, or the one behind a dotted key."""
    found: Any = dict(ask.require_action().parameters)
    if ask.args.positionals:
        for key in ask.args.positionals[0].split('.'):
            found = _map(found).get(key)
    return ask.says(found)


def action_set(ask: Ask) -> Reply:
    """``action-set``: results, delivered whatever the action's exit code; dotted keys nest."""
    changes = [_split(word) for word in ask.args.positionals]
    ask.require_action()
    results: Mapping[str, Any] = ask.context.action.results
    for keys, value in changes:
        results = _put(results, keys, value)
    return _with(ask, results=results)


def action_log(ask: Ask) -> Reply:
    """``action-log``: a line of the task's log, at once."""
    if not ask.args.positionals:
        raise Failure('no message specified', BAD_ARGUMENTS)
    task = ask.require_action()
    line = (ask.now, ' '.join(ask.args.positionals))
    log = (*task.log, line)[-MOST_LINES:]
    return ask.changes(edit.task(ask.model, task.id, log=log))


def action_fail(ask: Ask) -> Reply:
    """``action-fail``: the action counts as failed, with a message."""
    ask.require_action()
    words = ask.args.positionals
    return _with(ask, failed=True, message=words[0] if words else _NO_REASON)


def _with(ask: Ask, **fields: Any) -> Reply:
    action = dataclasses.replace(ask.context.action, **fields)
    return Reply(ask.model, dataclasses.replace(ask.context, action=action))


def _split(word: str) -> tuple[list[str], str]:
    name, equals, value = word.partition('=')
    if not equals:
        raise Failure(
            f'argument {gnuflag.quote(word)} must be of the form key...=value', BAD_ARGUMENTS
        )
    keys = name.split('.')
    if len(keys) > MOST_LEVELS:
        raise Failure(
            f'key {gnuflag.quote(name[:40])}... has {len(keys)} levels, at most {MOST_LEVELS} are taken',
            BAD_ARGUMENTS,
        )
    for key in keys:
        if not _KEY.fullmatch(key):
            raise Failure(
                f'key {gnuflag.quote(key)} must start and end with lowercase alphanumeric, '
                'and contain only lowercase alphanumeric, hyphens and periods',
                BAD_ARGUMENTS,
            )
        if key in _RESERVED:
            raise Failure(f'cannot set reserved action key "{key}"', BAD_ARGUMENTS)
    return keys, value


def _put(results: Mapping[str, Any], keys: list[str], value: str) -> dict[str, Any]:
    key, rest = keys[0], keys[1:]
    if not rest:
        return {**results, key: value}
    return {**results, key: _put(_map(results.get(key)), rest, value)}


def _map(value: Any) -> Mapping[str, Any]:
    return cast('Mapping[str, Any]', value) if isinstance(value, Mapping) else {}


TOOLS = (
    Tool(
        'action-get',
        action_get,
        'Get action parameters.',
        '[<key>[.<key>.<key>...]]',
        OUTPUT,
        1,
    ),
    Tool('action-set', action_set, 'Set action results.', '<key>=<value> [<key>=<value> ...]'),
    Tool(
        'action-log', action_log, 'Record a progress message for the current action.', '<message>'
    ),
    Tool(
        'action-fail', action_fail, 'Set action fail status with message.', '["<message>"]', most=1
    ),
)
