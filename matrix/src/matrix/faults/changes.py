"""What operators do to an application, and undo: an option, a charm, a relation, an action. Through Juju alone.

What is undone by Juju cannot be armed on a machine: the commands that undo it stand in the run's journal before it
bites, for `juju matrix heal`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, cast

from matrix.faults import changing, fault, kinds, settled
from matrix.juju import link
from matrix.plans import plan, snapshot

_APPLICATION = (kinds.APPLICATIONS, kinds.ONE)
_LONG = (300.0, 600.0)


async def settings(at: link.Link, application: str) -> Mapping[str, Mapping[str, Any]]:
    """The options of an application as Juju says them: type, value and source of each, by name.

    Raises:
        link.LinkError: Juju does not say.
    """
    said = await _json(at, 'config', application, '--format', 'json')
    return cast('Mapping[str, Mapping[str, Any]]', said.get('settings') or {})


async def actions(at: link.Link, application: str) -> frozenset[str]:
    """The names of an application's actions.

    Raises:
        link.LinkError: Juju does not say.
    """
    return frozenset(await _json(at, 'actions', application, '--format', 'json'))


async def _json(at: link.Link, *args: str) -> dict[str, Any]:
    text = await at.cli(*args)
    try:
        said: object = json.loads(text or '{}')
    except ValueError as error:
        raise link.LinkError(f'juju {args[0]}: what it said is no JSON') from error
    return cast('dict[str, Any]', said) if isinstance(said, dict) else {}


async def words(at: link.Link, local: frozenset[str]) -> dict[str, frozenset[str]]:
    """What can be done to applications, as words of their machines; `local` are those of local charms."""
    model = at.now()
    found: dict[str, set[str]] = {}
    for one in model.applications:
        said: set[str] = {'local-charm'} if one.name in local else set()
        if changing.relations(model, one.name):
            said.add('relation')
        try:
            if changing.option(await settings(at, one.name), 0) is not None:
                said.add('option')
            if await actions(at, one.name) >= changing.PAUSE:
                said.add('pause')
        except link.LinkError:
            pass  # What Juju does not say of it is not done to it.
        for unit in one.units:
            found.setdefault(unit.machine, set()).update(said)
    return {machine: frozenset(said) for machine, said in found.items()}


def _application(injection: fault.Injection) -> str:
    return injection.targets[0].partition('/')[0]


def _parameter(injection: fault.Injection, name: str) -> str:
    said = injection.parameters.get(name, '')
    return changing.word(said) if said != '' else ''


# --- An option.


async def _option(injection: fault.Injection) -> changing.Option | None:
    said = await settings(injection.link, _application(injection))
    name = _parameter(injection, 'option')
    if name and name not in said:
        return None
    if name and injection.parameters.get('value') is not None:
        return changing.to(said, name, _parameter(injection, 'value'))
    pick = changing.pick(injection.event.id)
    return changing.option({name: said[name]} if name else said, pick, named=bool(name))


async def _config_unable(injection: fault.Injection) -> str:
    name = _parameter(injection, 'option')
    if await _option(injection) is None:
        what = f'option {name!r}' if name else 'option that is a number or true or false'
        return f'{_application(injection)} has no {what}'
    return ''


async def _config_arm(injection: fault.Injection) -> None:
    found = await _option(injection)
    if found is None:
        raise link.LinkError('the option is not there any more')
    injection.memory.update(dataclasses.asdict(found))
    settled.remember(injection, await injection.link.fresh())


async def _config_inject(injection: fault.Injection) -> None:
    kept = injection.memory
    await injection.link.cli('config', _application(injection), f'{kept["name"]}={kept["new"]}')


async def _config_is(injection: fault.Injection, value: str) -> bool:
    said = await settings(injection.link, _application(injection))
    return changing.text(said.get(injection.memory['name'], {}).get('value')) == value


async def _config_landed(injection: fault.Injection) -> fault.Proof:
    kept = injection.memory
    if not await _config_is(injection, kept['new']):
        return ''
    return f'option {kept["name"]} of {_application(injection)} was {kept["old"] or "empty"}, is {kept["new"]}'


def _config_undo(injection: fault.Injection) -> tuple[tuple[str, ...], ...]:
    kept = injection.memory
    if injection.parameters.get('for_good'):
        return ()
    if kept['default']:
        return (('config', _application(injection), '--reset', kept['name']),)
    return (('config', _application(injection), f'{kept["name"]}={kept["old"]}'),)


async def _undo(injection: fault.Injection, commands: tuple[tuple[str, ...], ...]) -> None:
    for command in commands:
        await injection.link.cli(*command, within=120.0)


async def _config_heal(injection: fault.Injection) -> None:
    await _undo(injection, _config_undo(injection))


async def _config_healed(injection: fault.Injection) -> fault.Proof:
    kept = injection.memory
    wanted = kept['new'] if injection.parameters.get('for_good') else kept['old']
    if not await _config_is(injection, wanted) or await settled.as_before(injection) is None:
        return ''
    return f'option {kept["name"]} is {wanted or "empty"}, and all units are as they were'


CONFIG = fault.Fault(
    kind=plan.Kind('config-change', _APPLICATION, (5.0, 30.0)),
    sentence='an option of {target} is changed, and changed back',
    colour=kinds.MODEL,
    unable=_config_unable,
    arm=_config_arm,
    inject=_config_inject,
    landed=_config_landed,
    heal=_config_heal,
    healed=_config_healed,
    undo=_config_undo,
    spare=0,
    needs=frozenset({'option'}),
    within=_LONG,
)


# --- A charm.


def _revision(injection: fault.Injection, model: snapshot.Model) -> int:
    return next(one.revision for one in model.applications if one.name == _application(injection))


async def _refresh_unable(injection: fault.Injection) -> str:
    if not (_parameter(injection, 'path') or _parameter(injection, 'revision')):
        return f'{_application(injection)} has no charm of its own here; say its path or revision'
    return ''


async def _refresh_arm(injection: fault.Injection) -> None:
    model = await injection.link.fresh()
    injection.memory['revision'] = str(_revision(injection, model))
    settled.remember(injection, model)


async def _refresh(injection: fault.Injection, path: str, revision: str) -> None:
    how = ('--path', path) if path else ('--revision', revision)
    await injection.link.cli('refresh', _application(injection), *how, within=300.0)


async def _refresh_inject(injection: fault.Injection) -> None:
    path = _parameter(injection, 'replacement') or _parameter(injection, 'path')
    await _refresh(injection, path, _parameter(injection, 'revision'))


async def _refresh_landed(injection: fault.Injection) -> fault.Proof:
    now, before = _revision(injection, await injection.link.fresh()), injection.memory['revision']
    if str(now) == before:
        return ''
    return f'{_application(injection)} ran revision {before} of its charm, and runs {now}'


def _refresh_undo(injection: fault.Injection) -> tuple[tuple[str, ...], ...]:
    app, path = _application(injection), _parameter(injection, 'path')
    if injection.parameters.get('for_good'):
        return ()
    if _parameter(injection, 'replacement'):
        return (('refresh', app, '--path', path),)
    if _parameter(injection, 'revision') and not path:
        return (('refresh', app, '--revision', injection.memory['revision']),)
    return ()  # The same charm again: there is nothing to go back to.


async def _refresh_heal(injection: fault.Injection) -> None:
    if not injection.memory.get('undone'):
        await _undo(injection, _refresh_undo(injection))
        injection.memory['undone'] = 'yes'


async def _refresh_healed(injection: fault.Injection) -> fault.Proof:
    if await settled.as_before(injection) is None:
        return ''
    return f'all units of {_application(injection)} are as they were'


REFRESH = dataclasses.replace(
    CONFIG,
    kind=plan.Kind('refresh', _APPLICATION, (5.0, 20.0)),
    sentence='the charm of {target} is refreshed, to the same or to another, and back',
    unable=_refresh_unable,
    arm=_refresh_arm,
    inject=_refresh_inject,
    landed=_refresh_landed,
    heal=_refresh_heal,
    healed=_refresh_healed,
    undo=_refresh_undo,
    needs=frozenset({'local-charm'}),
    reversible=False,
    asked=True,
    within=(600.0, 900.0),
)


# --- A relation.


async def _unrelate_unable(injection: fault.Injection) -> str:
    found = changing.relations(injection.link.now(), _application(injection))
    wanted = _parameter(injection, 'with')
    if not changing.choose(found, wanted, injection.event.id):
        return f'{_application(injection)} has no relation {f"with {wanted} " if wanted else ""}that can be told apart'
    return ''


async def _unrelate_arm(injection: fault.Injection) -> None:
    model = await injection.link.fresh()
    found = changing.relations(model, _application(injection))
    chosen = changing.choose(found, _parameter(injection, 'with'), injection.event.id)
    if chosen is None:
        raise link.LinkError('the relation is not there any more')
    injection.memory['ours'], injection.memory['theirs'] = chosen
    settled.remember(injection, model)


def _ends(injection: fault.Injection) -> tuple[str, str]:
    return injection.memory['ours'], injection.memory['theirs']


async def _related(injection: fault.Injection) -> bool:
    model = await injection.link.fresh()
    return _ends(injection) in changing.relations(model, _application(injection))


async def _unrelate_inject(injection: fault.Injection) -> None:
    await injection.link.cli('remove-relation', *_ends(injection))


async def _unrelate_landed(injection: fault.Injection) -> fault.Proof:
    ours, theirs = _ends(injection)
    return '' if await _related(injection) else f'{ours} and {theirs} are not related any more'


def _unrelate_undo(injection: fault.Injection) -> tuple[tuple[str, ...], ...]:
    return (('integrate', *_ends(injection)),)


async def _unrelate_heal(injection: fault.Injection) -> None:
    if not await _related(injection):
        await _undo(injection, _unrelate_undo(injection))


async def _unrelate_healed(injection: fault.Injection) -> fault.Proof:
    if not await _related(injection) or await settled.as_before(injection) is None:
        return ''
    ours, theirs = _ends(injection)
    return f'{ours} and {theirs} are related again, and all units are as they were'


UNRELATE = dataclasses.replace(
    CONFIG,
    kind=plan.Kind('unrelate', _APPLICATION, (5.0, 30.0)),
    sentence='a relation of {target} is removed, and made again',
    unable=_unrelate_unable,
    arm=_unrelate_arm,
    inject=_unrelate_inject,
    landed=_unrelate_landed,
    heal=_unrelate_heal,
    healed=_unrelate_healed,
    undo=_unrelate_undo,
    needs=frozenset({'relation'}),
    asked=True,
)


# --- An action.


async def _action_unable(injection: fault.Injection) -> str:
    there = await actions(injection.link, _application(injection))
    wanted = [one for one in _actions(injection) if one]
    missing = [one for one in wanted if one not in there]
    return f'{_application(injection)} has no action {missing[0]}' if missing else ''


def _actions(injection: fault.Injection) -> tuple[str, str]:
    """What is run, and what undoes it."""
    action = _parameter(injection, 'action')
    return (action, _parameter(injection, 'undo')) if action else ('pause', 'resume')


async def _action_arm(injection: fault.Injection) -> None:
    settled.remember(injection, await injection.link.fresh())


async def _run(injection: fault.Injection, action: str) -> str:
    said = await injection.link.run_action(injection.targets[0], action, {}, within=300.0)
    return ', '.join(f'{key}: {value}' for key, value in said.items())[:200]


async def _action_inject(injection: fault.Injection) -> None:
    action, _ = _actions(injection)
    injection.memory['said'] = await _run(injection, action) or 'no result'


async def _action_landed(injection: fault.Injection) -> fault.Proof:
    return (
        f'{_actions(injection)[0]} on {injection.targets[0]} has run ({injection.memory["said"]})'
    )


def _action_undo(injection: fault.Injection) -> tuple[tuple[str, ...], ...]:
    undo = _actions(injection)[1]
    return (('run', injection.targets[0], undo),) if undo else ()


async def _action_heal(injection: fault.Injection) -> None:
    undo = _actions(injection)[1]
    if undo:
        await _run(injection, undo)


ACTION = dataclasses.replace(
    CONFIG,
    kind=plan.Kind('action', (kinds.UNITS, kinds.ONE), (5.0, 30.0)),
    sentence='an action is run on {target}, and what undoes it (pause and resume)',
    unable=_action_unable,
    arm=_action_arm,
    inject=_action_inject,
    landed=_action_landed,
    heal=_action_heal,
    healed=_refresh_healed,
    undo=_action_undo,
    spare=1,
    needs=frozenset({'pause'}),
    asked=True,
)

FAULTS: tuple[fault.Fault, ...] = (CONFIG, REFRESH, UNRELATE, ACTION)
