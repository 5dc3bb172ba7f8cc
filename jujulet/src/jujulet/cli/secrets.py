"""Secrets of the user: added, changed, granted, shown, removed."""

from __future__ import annotations

import base64
import os
from typing import Any

from ..core import gnuflag, requests, secretcontent, secretshow
from ..core import model as model_
from . import command, given
from .command import Call, Command, Flag


def _content(call: Call, words: tuple[str, ...]) -> dict[str, str]:
    """``k=v``, ``k#file=path``, ``k#base64=…``, then ``--file``; files are read now. Raises ``model.Refused``."""
    content: dict[str, str] = {}
    for word in words:
        key, _, value = word.partition('=')
        if not key or '=' not in word.rstrip('='):  # Padding of base64 is no separator.
            raise command.usage_error(f'key value {gnuflag.quote(word)} not valid')
        content.update(_entry(key, value))
    if call['file']:
        from . import models

        _check_size(call['file'])
        for key, value in models.read_mapping(call['file']).items():
            content.update(_entry(str(key), str(value)))
    secretcontent.check(content)
    return content


def _check_size(path: str) -> None:
    # What is no file of its own, such as a pipe, has no size before it is read.
    size = os.path.getsize(path) if os.path.isfile(path) else 0
    if size > secretcontent.LARGEST:
        raise command.usage_error(
            f'secret content in file {gnuflag.quote(path)} too large: {size} bytes'
        )


def _entry(key: str, value: str) -> dict[str, str]:
    name, _, how = key.partition('#')
    if how == 'file':
        _check_size(value)
        try:
            raw = given.content(value, secretcontent.LARGEST)
        except given.LargerError:
            raise command.usage_error(
                f'secret content in file {gnuflag.quote(value)} too large: more than {secretcontent.LARGEST} bytes'
            ) from None
        try:
            return {name: raw.decode()}
        except UnicodeDecodeError:
            return {name: base64.b64encode(raw).decode()}
    if how == 'base64':
        try:
            return {name: base64.b64decode(value, validate=True).decode()}
        except ValueError:
            raise command.usage_error(f'value of key "{name}" is not base64 of text') from None
    return {key: value}


def _add(call: Call) -> None:
    name, *words = call.args
    content = _content(call, tuple(words))
    if not content:
        raise command.usage_error('missing secret value or filename')
    reply = call.change(requests.AddSecret(name=name, content=content, info=call['info']))
    print(f'secret:{reply["id"].removeprefix("secret:")}')


def _update(call: Call) -> None:
    id_, *words = call.args
    content = _content(call, tuple(words))
    request = requests.UpdateSecret(
        id=id_,
        content=content or None,
        name=call['name'],
        info=call['info'] if call.given('info') else None,
        auto_prune=call['auto-prune'] if call.given('auto-prune') else None,
    )
    if request == requests.UpdateSecret(id=id_):
        raise model_.Refused('at least one attribute to update must be specified')
    call.change(request)


def _remove(call: Call) -> None:
    call.change(requests.RemoveSecret(id=call.args[0], revision=call['revision']))


def _grant(call: Call) -> None:
    call.change(requests.GrantSecret(id=call.args[0], applications=command.commas(call.args[1])))


def _revoke(call: Call) -> None:
    call.change(
        requests.GrantSecret(
            id=call.args[0], applications=command.commas(call.args[1]), revoke=True
        )
    )


def _secrets(call: Call) -> None:
    value = secretshow.listing(call.fetch_model(), call['owner'])
    call.show(value, lambda colour: secretshow.listing_table(value, colour))


def _show(call: Call) -> None:
    if call['revisions'] and call['revision']:
        raise command.usage_error('specify either --revisions or --revision but not both')
    if call['revisions'] and call['reveal']:
        raise command.usage_error('specify either --revisions or --reveal but not both')
    model: model_.Model = call.fetch_model()
    value: dict[str, Any] = secretshow.details(
        model,
        secretshow.find(model, call.args[0]),
        reveal=call['reveal'],
        revisions=call['revisions'],
        revision=call['revision'],
    )
    if 'content' in (shown := next(iter(value.values()))) and call['format'] == 'yaml':
        shown['content'] = shown['content']['Data']
        shown.pop('checksum')
    call.show(value)


_ID = ('missing secret URI',)

COMMANDS = (
    Command(
        'secrets',
        _secrets,
        'Lists secrets available in the model.',
        flags=(Flag(('owner',), help='Only secrets of this owner'),),
        formats=('tabular', 'json', 'yaml'),
    ),
    Command(
        'add-secret',
        _add,
        'Add a new secret.',
        '<name> [key[#base64|#file]=value...]',
        flags=(
            Flag(('info',), help='The secret description'),
            Flag(('file',), help='A YAML file containing secret key values'),
        ),
        needs=('secret name needs to be supplied as the first argument',),
        most=None,
    ),
    Command(
        'update-secret',
        _update,
        'Update an existing secret.',
        '<ID>|<name> [key[#base64|#file]=value...]',
        flags=(
            Flag(('info',), help='The secret description'),
            Flag(('name',), help='The new secret name'),
            Flag(('file',), help='A YAML file containing secret key values'),
            Flag(('auto-prune',), 'bool', help='Remove old revisions that nobody uses'),
        ),
        needs=_ID,
        most=None,
    ),
    Command(
        'remove-secret',
        _remove,
        'Remove an existing secret.',
        '<ID>|<name>',
        flags=(Flag(('revision',), 'int', help='Remove the specified revision'),),
        needs=_ID,
    ),
    Command(
        'grant-secret',
        _grant,
        'Grant access to a secret.',
        '<ID>|<name> <application>[,<application>...]',
        needs=(*_ID, 'missing application name'),
    ),
    Command(
        'revoke-secret',
        _revoke,
        'Revoke access to a secret.',
        '<ID>|<name> <application>[,<application>...]',
        needs=(*_ID, 'missing application name'),
    ),
    Command(
        'show-secret',
        _show,
        'Shows details for a specific secret.',
        '<ID>|<name>',
        flags=(
            Flag(('reveal',), 'bool', help='Reveal secret values'),
            Flag(('revision', 'r'), 'int', help='Show the specified revision'),
            Flag(('revisions',), 'bool', help='Show the revisions of the secret'),
        ),
        needs=_ID,
        formats=('yaml', 'json'),
    ),
)
