"""Tools that read secrets. Source: secret-get.go, secret-info-get.go, secret-ids.go in Juju's runner/jujuc.

What one reads of others' secrets is tracked at once; what an owner does is kept until the hook succeeds.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from .. import context as context_
from .. import edit, gnuflag
from .. import model as model_
from . import relation as relation_
from . import secretargs, secretview
from .tool import BAD_ARGUMENTS, OUTPUT, YAML_OUTPUT, Ask, Failure, Reply, Tool


def secret_get(ask: Ask) -> Reply:
    """``secret-get``: content of the revision that the unit follows; ``--refresh`` follows the newest."""
    words = ask.args.positionals
    wanted = secretargs.identifier(words[0]) if words else ''
    label: str = ask.args['label']
    if not wanted and not label:
        raise Failure('require either a secret URI or label', BAD_ARGUMENTS)
    if ask.args['peek'] and ask.args['refresh']:
        raise Failure('specify one of --peek or --refresh but not both', BAD_ARGUMENTS)
    mine = secretview.owned(ask, by_followers=True)
    if not wanted:
        wanted = _labelled(ask, mine, label)
        label = ''
    reply = _read_own(ask, mine[wanted], label) if wanted in mine else _read(ask, wanted, label)
    if len(words) > 1:
        return dataclasses.replace(reply, value=_value(reply.value, words[1]))
    return reply


def _labelled(ask: Ask, mine: Mapping[str, secretview.Seen], label: str) -> str:
    """The secret that this unit knows by a label: as owner, else as consumer. Raises Failure."""
    for seen in mine.values():
        if seen.label == label:
            return seen.id
    for secret in ask.model.secrets.values():
        consumer = secret.consumers.get(ask.unit.name)
        if consumer and consumer.label == label:
            return secret.id
    raise Failure(f'secret {gnuflag.quote(label)} not found')


def _read_own(ask: Ask, seen: secretview.Seen, label: str) -> Reply:
    newest = ask.args['peek'] or ask.args['refresh']
    manages = seen.owner == ask.unit.name or ask.leads
    writes: list[context_.SecretWrite] = []
    if label and label != seen.label and manages:
        writes.append(context_.SecretWrite('set', seen.id, label=label))
    secret = ask.model.secrets.get(seen.id)
    if secret is None:  # Asked for in this very hook.
        value = dict(seen.pending or {})
        return dataclasses.replace(_more(ask, writes), value=value)
    followed = seen.tracked or _followed(ask, secret)
    revision = seen.latest if newest or not followed else followed
    if revision not in secret.revisions and revision != seen.latest:
        revision = seen.latest
    if ask.args['refresh'] and revision != followed:
        writes.append(context_.SecretWrite('track', seen.id, revision=revision))
    reply = _more(ask, writes)
    theirs = '' if manages else label  # A follower's label is its own, the owner's is everyone's.
    if (theirs or not followed) and (followed or revision) in secret.revisions:
        before = secret.consumers.get(ask.unit.name)
        consumer = model_.SecretConsumer(
            followed or revision, theirs or (before.label if before else '')
        )
        reply = dataclasses.replace(reply, model=_consumes(ask, reply.model, secret, consumer))
    if revision in secret.revisions:
        return dataclasses.replace(reply, value=dict(secret.revisions[revision].content))
    return dataclasses.replace(reply, value=dict(seen.pending or {}))


def _followed(ask: Ask, secret: model_.Secret) -> int:
    consumer = secret.consumers.get(ask.unit.name)
    return consumer.revision if consumer else 0


def _read(ask: Ask, wanted: str, label: str) -> Reply:
    secret = ask.model.secrets.get(wanted)
    if secret is None:
        raise Failure(f'secret {gnuflag.quote(wanted)} not found')
    if not secretview.may_read(ask, secret):
        raise Failure('permission denied')
    before = secret.consumers.get(ask.unit.name)
    followed = before.revision if before else secret.latest
    if followed not in secret.revisions or ask.args['refresh']:
        followed = secret.latest
    after = model_.SecretConsumer(followed, label or (before.label if before else ''))
    model = ask.model
    if label and (before is None or before.label != label):
        _check_free(ask, secret, label)
    if after != before:
        model = _consumes(ask, model, secret, after)
    shown = secret.latest if ask.args['peek'] else followed
    return Reply(model, ask.context, dict(secret.revisions[shown].content))


def _check_free(ask: Ask, secret: model_.Secret, label: str) -> None:
    for other in ask.model.secrets.values():
        consumer = other.consumers.get(ask.unit.name)
        if other.id != secret.id and consumer and consumer.label == label:
            raise Failure(f'secret label {gnuflag.quote(label)} already exists')


def _consumes(
    ask: Ask, model: model_.Model, secret: model_.Secret, consumer: model_.SecretConsumer
) -> model_.Model:
    consumers = model_.put(secret.consumers, ask.unit.name, consumer)
    return edit.put_secret(model, dataclasses.replace(secret, consumers=consumers))


def _more(ask: Ask, writes: list[context_.SecretWrite]) -> Reply:
    return ask.buffers(secrets=(*ask.writes.secrets, *writes)) if writes else ask.says(None)


def _value(content: Mapping[str, str], key: str) -> str:
    name, _, kind = key.partition('#')
    if name not in content:
        raise Failure(f'secret key value {gnuflag.quote(name)} not found')
    if kind == 'base64':
        return base64.b64encode(secretargs.raw(content[name])).decode()
    return content[name]


def secret_info_get(ask: Ask) -> Reply:
    """``secret-info-get``: what an owner knows of a secret, with what this hook has asked for."""
    words = ask.args.positionals
    wanted = secretargs.identifier(words[0]) if words else ''
    label: str = ask.args['label']
    if not wanted and not label:
        raise Failure('require either a secret URI or label', BAD_ARGUMENTS)
    if wanted and label:
        raise Failure('specify either a secret URI or label but not both', BAD_ARGUMENTS)
    for seen in secretview.owned(ask).values():
        if seen.id == wanted or (label and seen.label == label):
            return ask.says({seen.id: _info(ask, seen)})
    raise Failure(f'secret {gnuflag.quote(wanted or label)} not found')


def _info(ask: Ask, seen: secretview.Seen) -> dict[str, Any]:
    info: dict[str, Any] = {
        'label': seen.label,
        'owner': 'unit' if '/' in seen.owner else 'application',
        'revision': max(seen.latest, 1),
        'rotation': seen.rotate,
    }
    if seen.description:
        info['description'] = seen.description
    if seen.expires:
        info['expiry'] = _time(seen.expires)
    if seen.rotate_at:
        info['rotates'] = _time(seen.rotate_at)
    if seen.access:
        info['access'] = [_access(ask, access) for access in seen.access]
    return info


def _access(ask: Ask, access: model_.SecretAccess) -> dict[str, str]:
    kind = 'unit' if '/' in access.target else 'application'
    found = ask.model.relations.get(-1 if access.relation is None else access.relation)
    key = relation_.key_of(found).replace(':', '.').replace(' ', '#') if found else ''
    scope = f'relation-{key}' if key else f'model-{ask.model.uuid}'
    return {
        'role': 'view',
        'scope': scope,
        'target': f'{kind}-{access.target.replace("/", "-")}',
    }


def secret_ids(ask: Ask) -> Reply:
    """``secret-ids``: of secrets that the unit may manage."""
    return ask.says(sorted(secretview.owned(ask)))


def _time(seconds: float) -> str:
    found = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    text = found.isoformat().removesuffix('+00:00')
    return (text.rstrip('0') if '.' in text else text) + 'Z'


TOOLS = (
    Tool(
        'secret-get',
        secret_get,
        'Get the content of a secret.',
        '<ID> [key[#base64]]',
        (
            *YAML_OUTPUT,
            gnuflag.Flag(('label',), help='a label used to identify the secret in hooks'),
            gnuflag.Flag(('peek',), 'bool', help='get the latest revision just this time'),
            gnuflag.Flag(
                ('refresh',), 'bool', help='get the latest revision and follow it from now on'
            ),
        ),
        2,
    ),
    Tool(
        'secret-info-get',
        secret_info_get,
        "Get a secret's metadata info.",
        '<ID>',
        (
            *YAML_OUTPUT,
            gnuflag.Flag(('label',), help='a label used to identify the secret'),
        ),
        1,
    ),
    Tool('secret-ids', secret_ids, 'Print secret IDs.', '', OUTPUT, 0),
)
