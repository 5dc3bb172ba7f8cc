"""Tools of a secret's owner. All that they do is kept until the hook succeeds.

Source: secret-add.go, secret-set.go, secret-grant.go, secret-revoke.go, secret-remove.go in Juju's runner/jujuc.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib

from .. import context as context_
from .. import gnuflag, relations
from . import secretargs, secretview
from .tool import BAD_ARGUMENTS, RELATION, Ask, Failure, Reply, Tool


def secret_add(ask: Ask) -> Reply:
    """``secret-add``: prints the id of a secret that is there once the hook has succeeded."""
    words = ask.args.positionals
    if not words and not ask.args['file']:
        raise Failure('missing secret value or filename', BAD_ARGUMENTS)
    wished = _wished(ask, words)
    if not wished.content:
        raise Failure('empty secret value not valid')
    owner = ask.unit.name if ask.args['owner'] == 'unit' else ask.unit.application
    if owner == ask.unit.application and not ask.leads:
        raise Failure('this unit is not the leader')
    if wished.label:
        _check_free(ask, owner, wished.label, '')
    new = _new_id(ask)
    write = dataclasses.replace(wished, verb='add', secret=new, owner=owner)
    reply = _with(ask, write)
    return dataclasses.replace(reply, text=f'secret:{new}\n')


def secret_set(ask: Ask) -> Reply:
    """``secret-set``: metadata is merged; content makes a revision only if it differs.

    Silently does nothing for a secret that is unknown or not one's own.
    """
    words = ask.args.positionals
    if not words:
        raise Failure('missing secret URI', BAD_ARGUMENTS)
    wanted = secretargs.identifier(words[0])
    wished = _wished(ask, words[1:])
    seen = secretview.owned(ask).get(wanted)
    if seen is None:
        return ask.changes(ask.model)
    if wished.label and wished.label != seen.label:
        _check_free(ask, seen.owner, wished.label, wanted)
    content = wished.content or None
    if content is not None and content == _latest(ask, seen):
        content = None
    return _with(ask, dataclasses.replace(wished, secret=wanted, content=content))


def _latest(ask: Ask, seen: secretview.Seen) -> dict[str, str]:
    if seen.pending is not None:
        return dict(seen.pending)
    return dict(ask.model.secrets[seen.id].revisions[seen.revision].content)


def secret_remove(ask: Ask) -> Reply:
    """``secret-remove``: a revision, or all of it. Silently does nothing for one that is unknown."""
    words = ask.args.positionals
    if not words:
        raise Failure('missing secret URI', BAD_ARGUMENTS)
    wanted = secretargs.identifier(words[0])
    revision: int = ask.args['revision']
    if revision < 0 or (not revision and 'revision' in ask.args.given):
        raise Failure(f'revision {revision} not valid', BAD_ARGUMENTS)
    if _manages(ask, wanted) is None:
        return ask.changes(ask.model)
    return _with(ask, context_.SecretWrite('remove', wanted, revision=revision))


def secret_grant(ask: Ask) -> Reply:
    """``secret-grant``: to the application on the other side of a relation, or to one unit of it."""
    words = ask.args.positionals
    if not words:
        raise Failure('missing secret URI', BAD_ARGUMENTS)
    wanted = secretargs.identifier(words[0])
    relation = ask.relation()
    application = relations.other_side(relation, ask.unit.application).application
    target = _unit_of(ask, application) or application
    seen = _manages(ask, wanted)
    if seen is None:
        raise Failure(f'secret {gnuflag.quote(wanted)} not found')
    for access in seen.access:
        if access.relation != relation.id:
            continue
        if access.target in (target, application):
            return ask.changes(ask.model)
        if target == application:
            raise Failure(
                'any unit level grants need to be revoked before granting access '
                'to the corresponding application'
            )
    return _with(ask, context_.SecretWrite('grant', wanted, relation=relation.id, target=target))


def secret_revoke(ask: Ask) -> Reply:
    """``secret-revoke``: what was granted on a relation, to an application, or to a unit."""
    words = ask.args.positionals
    if not words:
        raise Failure('missing secret URI', BAD_ARGUMENTS)
    wanted = secretargs.identifier(words[0])
    relation = ask.relation_or_none()
    target: str = ask.args['unit'] or ask.args['app']
    if relation is None and not target:
        raise Failure('missing relation or application or unit', BAD_ARGUMENTS)
    if relation is not None and not target:
        target = relations.other_side(relation, ask.unit.application).application
    if _manages(ask, wanted) is None:
        raise Failure(f'secret {gnuflag.quote(wanted)} not found')
    number = None if relation is None else relation.id
    return _with(ask, context_.SecretWrite('revoke', wanted, relation=number, target=target))


def _wished(ask: Ask, words: tuple[str, ...]) -> context_.SecretWrite:
    owner = ask.args['owner']
    if owner not in ('application', 'unit'):
        raise Failure(f'secret owner {gnuflag.quote(owner)} not valid', BAD_ARGUMENTS)
    return context_.SecretWrite(
        'set',
        '',
        content=secretargs.content(ask, words),
        label=ask.args['label'] or None,
        description=ask.args['description'] or None,
        rotate=secretargs.rotation(ask.args['rotate']),
        expires=secretargs.expiry(ask.args['expire'], ask.now),
    )


def _with(ask: Ask, write: context_.SecretWrite) -> Reply:
    return ask.buffers(secrets=(*ask.writes.secrets, write))


def _manages(ask: Ask, wanted: str) -> secretview.Seen | None:
    """The secret if the unit may manage it. Raises Failure for one that only the leader may."""
    seen = secretview.owned(ask, by_followers=True).get(wanted)
    if seen is not None and seen.owner == ask.unit.application and not ask.leads:
        raise Failure('this unit is not the leader')
    return seen


def _check_free(ask: Ask, owner: str, label: str, but: str) -> None:
    for seen in secretview.owned(ask, by_followers=True).values():
        if seen.owner == owner and seen.label == label and seen.id != but:
            raise Failure(f'secret with label {gnuflag.quote(label)} already exists')


def _unit_of(ask: Ask, application: str) -> str:
    unit: str = ask.args['unit']
    if not unit:
        return ''
    name, slash, number = unit.partition('/')
    if not slash or not (number.isascii() and number.isdigit()):
        raise Failure(f'unit {gnuflag.quote(unit)} not valid', BAD_ARGUMENTS)
    if name != application:
        raise Failure(
            f'cannot specify unit {gnuflag.quote(unit)} in relation to application '
            f'{gnuflag.quote(application)}',
            BAD_ARGUMENTS,
        )
    return unit


def _new_id(ask: Ask) -> str:
    """20 characters as of an xid, drawn from the context's own id: no chance in here, and no two alike."""
    nth = sum(1 for write in ask.writes.secrets if write.verb == 'add')
    while True:
        seed = f'{ask.model.uuid}/{ask.context.id}/{ask.context.started}/{nth}'
        digest = hashlib.sha256(seed.encode()).digest()
        new = base64.b32hexencode(digest).decode().lower()[:20]
        if new not in ask.model.secrets:
            return new
        nth += 1000


_UPSERT = (
    gnuflag.Flag(('expire',), help='either a duration or time when the secret should expire'),
    gnuflag.Flag(('rotate',), help='the secret rotation policy'),
    gnuflag.Flag(('description',), help='the secret description'),
    gnuflag.Flag(('label',), help='a label used to identify the secret in hooks'),
    gnuflag.Flag(('file',), help='a YAML file containing secret key values'),
    gnuflag.Flag(
        ('owner',), 'string', 'application', 'the owner of the secret, either application or unit'
    ),
)
_UNIT = gnuflag.Flag(('unit',), help='the unit to grant or revoke access')
_APP = gnuflag.Flag(('app', 'application'), help='the application to grant or revoke access')

TOOLS = (
    Tool(
        'secret-add',
        secret_add,
        'Add a new secret.',
        '[key[#base64|#file]=value...]',
        _UPSERT,
        files=secretargs.files,
    ),
    Tool(
        'secret-set',
        secret_set,
        'Update an existing secret.',
        '<ID> [key[#base64]=value...]',
        _UPSERT,
        files=secretargs.files,
    ),
    Tool(
        'secret-remove',
        secret_remove,
        'Remove an existing secret.',
        '<ID>',
        (gnuflag.Flag(('revision',), 'int', help='the revision to remove'),),
        1,
    ),
    Tool(
        'secret-grant',
        secret_grant,
        'Grant access to a secret.',
        '<ID>',
        (RELATION, _UNIT, _APP),
        1,
    ),
    Tool(
        'secret-revoke',
        secret_revoke,
        'Revoke access to a secret.',
        '<ID>',
        (RELATION, _UNIT, _APP),
        1,
    ),
)
