"""Tools about relations: ids, members, settings. Source: relation-*.go in Juju's runner/jujuc."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .. import gnuflag, relations
from .. import model as model_
from . import settings
from .tool import BAD_ARGUMENTS, OUTPUT, RELATION, Ask, Failure, Reply, Tool, pairs

_APPLICATION = re.compile(r'[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*', re.ASCII)
_UNIT = re.compile(rf'({_APPLICATION.pattern})/(0|[1-9][0-9]*)', re.ASCII)


def relation_ids(ask: Ask) -> Reply:
    """``relation-ids``: those whose scope this unit has entered."""
    hook = ask.context.hook
    name = hook.endpoint if hook.kind.startswith('relation-') else ''
    if ask.args.positionals:
        name = ask.args.positionals[0]
    if not name:
        raise Failure('no endpoint name specified', BAD_ARGUMENTS)
    found = [
        f'{name}:{r.id}'
        for r in ask.model.relations_of(ask.unit.application)
        if r.life != 'dead' and ask.sees(r) and ask.endpoint(r).name == name
    ]
    return ask.says(sorted(found))


def relation_list(ask: Ask) -> Reply:
    """``relation-list``: units that have joined; with ``--app`` the other application."""
    relation = ask.relation()
    if ask.args['app']:
        return ask.says(relations.other_side(relation, ask.unit.application).application)
    return ask.says(
        relations.visible_members(ask.model, ask.unit.name, relation.id, ask.context.hook)
    )


def relation_get(ask: Ask) -> Reply:
    """``relation-get``: settings of a unit or application, one's own with what this hook has set."""
    relation = ask.relation()
    words = ask.args.positionals
    key = words[0] if words and words[0] != '-' else ''
    target, of_application = _target(ask, words[1] if len(words) > 1 else '')
    read = _application_settings if of_application else _unit_settings
    reply = read(ask, relation, target)
    if key:
        found: Mapping[str, str] = reply.value
        return Reply(reply.model, reply.context, found.get(key))
    return reply


def _target(ask: Ask, name: str) -> tuple[str, bool]:
    """Whose settings: a name, and whether it is an application's. Defaults to the hook's other side."""
    application: bool = ask.args['app']
    hook = ask.context.hook
    in_relation = hook.kind.startswith('relation-')
    if name:
        if application:
            return _application_of(name), True
        if _UNIT.fullmatch(name):
            return name, False
        if _APPLICATION.fullmatch(name):
            raise Failure(
                f'expected unit name, got application name {gnuflag.quote(name)}', BAD_ARGUMENTS
            )
        raise Failure(f'invalid unit name {gnuflag.quote(name)}', BAD_ARGUMENTS)
    if in_relation and not application and hook.remote_unit:
        return hook.remote_unit, False
    if in_relation and hook.remote_app:
        return hook.remote_app, True
    raise Failure('no unit or application specified', BAD_ARGUMENTS)


def _application_of(name: str) -> str:
    if _APPLICATION.fullmatch(name):
        return name
    if _UNIT.fullmatch(name):
        return name.partition('/')[0]
    raise Failure(f'invalid application name {gnuflag.quote(name)}', BAD_ARGUMENTS)


def _unit_settings(ask: Ask, relation: model_.Relation, unit: str) -> Reply:
    if unit == ask.unit.name:
        pending = ask.writes.unit_settings.get(relation.id)
        own = relations.own_settings(ask.model, unit, relation.id, pending)
        return ask.says({} if own is None else own)
    other = relations.other_side(relation, ask.unit.application).application
    if unit.partition('/')[0] != other:
        raise Failure('permission denied')
    model, found = relations.remote_settings(ask.model, ask.unit.name, relation.id, unit)
    if found is None:
        raise Failure(
            f'cannot read settings for unit {gnuflag.quote(unit)} in relation '
            f'{gnuflag.quote(key_of(relation))}: unit {gnuflag.quote(unit)}: settings not found'
        )
    return Reply(model, ask.context, found)


def _application_settings(ask: Ask, relation: model_.Relation, application: str) -> Reply:
    sides = [e.application for e in relation.endpoints]
    if application not in sides:
        raise Failure('permission denied')
    if application != ask.unit.application:
        return ask.says(relations.application_settings(ask.model, relation.id, application))
    if not ask.leads and not relations.is_peer(relation):
        raise Failure('permission denied')
    pending = ask.writes.application_settings.get(relation.id)
    return ask.says(relations.application_settings(ask.model, relation.id, application, pending))


def relation_set(ask: Ask) -> Reply:
    """``relation-set``: kept until the hook succeeds; an empty value deletes."""
    relation = ask.relation()
    given = pairs(ask.args.positionals)
    if path := ask.args['file']:
        given = settings.read(ask.contents(path)) | given
    stderr = ''
    if ask.args['format']:
        stderr = '--format flag deprecated for command "relation-set"'
    if ask.args['app']:
        if not ask.leads:
            raise Failure('cannot write relation settings')
        reply = ask.buffers(
            application_settings=_more(ask.writes.application_settings, relation.id, given)
        )
    else:
        reply = ask.buffers(unit_settings=_more(ask.writes.unit_settings, relation.id, given))
    return Reply(reply.model, reply.context, stderr=stderr)


def _more(
    before: Mapping[int, Mapping[str, str]], relation: int, given: Mapping[str, str]
) -> dict[int, Mapping[str, str]]:
    if not given:
        return dict(before)
    return {**before, relation: {**before.get(relation, {}), **given}}


def relation_model_get(ask: Ask) -> Reply:
    """``relation-model-get``: the model on the other side."""
    relation = ask.relation()
    other = relations.other_side(relation, ask.unit.application).application
    remote = ask.model.remotes.get(other)
    return ask.says({'uuid': remote.model if remote else ask.model.uuid})


def key_of(relation: model_.Relation) -> str:
    """How Juju writes a relation: ``wordpress:db mysql:server``, requirer first."""
    order = {'requirer': 0, 'provider': 1, 'peer': 0}
    sides = sorted(relation.endpoints, key=lambda e: order[e.role])
    return ' '.join(f'{e.application}:{e.name}' for e in sides)


def _file(args: gnuflag.Parsed) -> tuple[str, ...]:
    return (args['file'],) if args['file'] else ()


TOOLS = (
    Tool(
        'relation-ids',
        relation_ids,
        'List all relation ids for the given endpoint.',
        '<name>',
        OUTPUT,
        1,
    ),
    Tool(
        'relation-list',
        relation_list,
        'List relation units.',
        '',
        (
            *OUTPUT,
            RELATION,
            gnuflag.Flag(('app',), 'bool', help='List remote application instead of units'),
        ),
        0,
    ),
    Tool(
        'relation-get',
        relation_get,
        'Get relation settings.',
        '<key> <unit id>',
        (
            *OUTPUT,
            RELATION,
            gnuflag.Flag(
                ('app',), 'bool', help='Get the data of the overall application, not just a unit'
            ),
        ),
        2,
    ),
    Tool(
        'relation-set',
        relation_set,
        'Set relation settings.',
        'key=value [key=value ...]',
        (
            RELATION,
            gnuflag.Flag(
                ('app',), 'bool', help='pick whether you are setting "application" settings'
            ),
            gnuflag.Flag(('file',), help='file containing key-value pairs'),
            gnuflag.Flag(('format',), help='deprecated format flag'),
        ),
        files=_file,
    ),
    Tool(
        'relation-model-get',
        relation_model_get,
        'Get details about the model hosting a related application.',
        '',
        (*OUTPUT, RELATION),
        0,
    ),
)
