"""Secrets as ``juju secrets`` and ``juju show-secret`` print them. Source: cmd/juju/secrets, 3.6."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from . import display, table
from . import model as model_


def find(m: model_.Model, text: str) -> model_.Secret:
    """The secret that a name, an id or a URI means. Raises ``model.Refused``."""
    bare = text.rpartition('/')[2] if '/' in text else text.removeprefix('secret:')
    if bare in m.secrets:
        return m.secrets[bare]
    for secret in m.secrets.values():
        if not secret.owner and secret.name == text:
            return secret
    raise model_.Refused(f'secret "{text}" not found')


def listing(m: model_.Model, owner: str = '') -> dict[str, Any]:
    """``juju secrets``: by bare id. *owner*: an application, a unit or ``<model>``; empty for all."""
    return {
        id_: described(m, secret)
        for id_, secret in sorted(m.secrets.items(), key=lambda i: (i[1].created, i[0]))
        if not owner or owner.removeprefix('application-') in (secret.owner or '<model>', m.name)
    }


def described(m: model_.Model, secret: model_.Secret) -> dict[str, Any]:
    """Metadata of one secret."""
    out: dict[str, Any] = {'revision': secret.latest}
    expires = secret.revisions[secret.latest].expires
    if expires:
        out['expires'] = display.iso(expires)
    if secret.rotate != 'never':
        out['rotation'] = secret.rotate
        if secret.rotate_at:
            out['rotates'] = display.iso(secret.rotate_at)
    out['owner'] = secret.owner or '<model>'
    texts = {'description': secret.description, 'name': secret.name, 'label': secret.label}
    out |= {key: value for key, value in texts.items() if value}
    out['created'] = display.iso(secret.created)
    out['updated'] = display.iso(secret.updated or secret.created)
    return out


def details(
    m: model_.Model,
    secret: model_.Secret,
    *,
    reveal: bool = False,
    revisions: bool = False,
    revision: int = 0,
) -> dict[str, Any]:
    """``juju show-secret``. Content only with *reveal*. Raises ``model.Refused`` for an unknown revision."""
    number = revision or secret.latest
    if number not in secret.revisions:
        raise model_.Refused(f'secret "{secret.id}" revision {number} not found')
    out = described(m, secret)
    if secret.access:
        out['access'] = [_access(m, a) for a in secret.access]
    content = secret.revisions[number].content
    if reveal:
        out['content'] = {'Data': dict(content)}
        out['checksum'] = checksum(content)
    if revisions:
        out['revisions'] = [_revision(secret.revisions[n]) for n in sorted(secret.revisions)]
    return {secret.id: out}


def checksum(content: Mapping[str, str]) -> str:
    """SHA-256 of the content's keys and values, in hexadecimal."""
    return hashlib.sha256(json.dumps(dict(content), sort_keys=True).encode()).hexdigest()


def _access(m: model_.Model, access: model_.SecretAccess) -> dict[str, Any]:
    kind = 'unit' if '/' in access.target else 'application'
    scope = f'model-{m.uuid}'
    if access.relation is not None and access.relation in m.relations:
        ends = m.relations[access.relation].endpoints
        scope = 'relation-' + '#'.join(f'{e.application}.{e.name}' for e in reversed(ends))
    target = f'{kind}-{access.target.replace("/", "-")}'
    return {'target': target, 'scope': scope, 'role': 'view'}


def _revision(r: model_.SecretRevision) -> dict[str, Any]:
    out: dict[str, Any] = {
        'revision': r.number,
        'backend': 'internal',
        'created': display.iso(r.created),
        'updated': display.iso(r.created),
    }
    if r.expires:
        out['expires'] = display.iso(r.expires)
    return out


def listing_table(values: Mapping[str, Any], colour: bool) -> str:
    """``juju secrets`` for people."""
    rows = [
        (
            id_,
            s.get('name') or s.get('label') or '-',
            s['owner'],
            s.get('rotation', 'never'),
            str(s['revision']),
            s['updated'],
        )
        for id_, s in values.items()
    ]
    header = ('ID', 'Name', 'Owner', 'Rotation', 'Revision', 'Last updated')
    return table.render(header, rows, right=frozenset({4}), colour=colour)
