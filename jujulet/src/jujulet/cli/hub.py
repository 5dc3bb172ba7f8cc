"""``juju info``, ``find`` and ``download``, and charms that ``deploy`` and ``refresh`` have from Charmhub.

Source: cmd/juju/charmhub and cmd/juju/application/deployer of Juju 3.6.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
import sys
import zipfile
from collections.abc import Mapping
from typing import Any, cast

from .. import charmhub, paths
from ..core import model as model_
from . import charms, command
from .command import Call, Command, Flag

OFFLINE = Flag(('offline',), 'bool', help='Ask nobody: only what was downloaded before')
URL = Flag(('charmhub-url',), help='Address of Charmhub; else JUJULET_CHARMHUB_URL, else its own')
_ORIGIN = 'origin.json'


@dataclasses.dataclass(frozen=True)
class Obtained:
    """A charm or bundle that is on this machine now."""

    path: pathlib.Path
    found: charmhub.Found | None = None
    """What Charmhub said of it; None if it came from this machine."""
    resources: Mapping[str, pathlib.Path] = dataclasses.field(
        default_factory=dict[str, pathlib.Path]
    )
    """Files that came with it."""


def of(call: Call) -> charmhub.Hub:
    """Charmhub, as the flags of a command want it."""
    folder = paths.root() / 'charmhub'
    return charmhub.hub(folder, url=call['charmhub-url'], offline=call['offline'])


def revision(call: Call) -> int | None:
    """The flag ``--revision``. Raises a usage error for what is no number."""
    text = call['revision']
    if not text or text == '-1':
        return None
    if not text.isdigit():
        raise command.usage_error(
            f'invalid value "{text}" for option --revision: it is no revision'
        )
    return int(text)


def obtain(
    call: Call,
    text: str,
    *,
    channel: str = '',
    revision: int | None = None,
    base: str = '',
    given: Mapping[str, Any] | None = None,
) -> Obtained:
    """The charm or bundle called *text*: by its path, by a name that stands for one, else from Charmhub.

    *given* names resources that need not come with it. Raises ``model.Refused``.
    """
    if not charms.is_name(text):
        return Obtained(charms.locate(text))
    hub = of(call)
    name = text.removeprefix('ch:')
    known = base if base.startswith('ubuntu') else ''  # It has no charm for another.
    found = hub.find(name, channel=channel, revision=revision, base=known)
    what = f'{found.kind} "{name}" in charm-hub, revision {found.revision}'
    call.say(f'Located {what}')
    path = hub.fetch(found.file)
    if found.kind == 'bundle':
        return Obtained(_bundle(path), found)
    wanted = [r for r in found.resources if r.name not in (given or {})]
    resources = {each.name: hub.fetch(each, suffix='') for each in wanted}
    (path.parent / _ORIGIN).write_text(
        json.dumps({'name': name, 'revision': found.revision, 'channel': found.channel or channel})
    )
    return Obtained(path, found, resources)


def origin(source: str) -> Mapping[str, Any] | None:
    """Name, revision and channel of the charm at *source*, if it came from Charmhub."""
    folder = pathlib.Path(source).parent
    if not source or folder.parent != paths.root() / 'charmhub':
        return None
    try:
        return cast('Mapping[str, Any]', json.loads((folder / _ORIGIN).read_text()))
    except (OSError, ValueError):
        return None


def _bundle(path: pathlib.Path) -> pathlib.Path:
    """The ``bundle.yaml`` of a bundle's archive, beside it."""
    place = path.with_name('bundle.yaml')
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read('bundle.yaml')
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise model_.Refused(f'"{path.stem}" is not a bundle: {error}') from None
    place.write_bytes(text)
    return place


def _download(call: Call) -> None:
    name, *rest = call.args
    hub, wanted = of(call), revision(call)
    if wanted is not None and (call['channel'] or call['base']):
        raise command.usage_error('--revision cannot be used together with --base or --channel')
    found = hub.find(name, channel=call['channel'], revision=wanted, base=call['base'])
    path = hub.fetch(found.file)
    if rest:
        if rest[0] != '-':
            raise command.usage_error(
                'expected a charm or bundle name, followed by hyphen to pipe to stdout'
            )
        with path.open('rb') as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        return
    target = pathlib.Path(call['filepath'] or f'{name}_r{found.revision}.charm')
    shutil.copyfile(path, target)
    call.say(f'Fetching {found.kind} "{name}" revision {found.revision}')
    for each in found.resources if call['resources'] else ():
        place = target.with_name(f'{each.name}_r{each.revision}')
        shutil.copyfile(hub.fetch(each, suffix=''), place)
        call.say(f'Fetching resource "{each.name}" revision {each.revision} to {place}')
    call.say(
        f'Install the "{name}" {found.kind} with:\n    juju deploy ./{target.name}'
        if target.parent == pathlib.Path()
        else f'It is {target}'
    )


def _info(call: Call) -> None:
    said = of(call).info(call.args[0].removeprefix('ch:'), call['channel'])
    value = _described(said)

    def as_text(_colour: bool) -> str:
        from . import out

        return out.yaml(value)

    call.show(value, as_text)


def _described(said: Mapping[str, Any]) -> dict[str, Any]:
    """What ``juju info`` shows of an answer, in its order."""
    result = cast('Mapping[str, Any]', said.get('result') or {})
    publisher = cast('Mapping[str, Any]', result.get('publisher') or {})
    channels: dict[str, Any] = {}
    for each in cast('list[Mapping[str, Any]]', said.get('channel-map') or []):
        channel = cast('Mapping[str, Any]', each.get('channel') or {})
        revision = cast('Mapping[str, Any]', each.get('revision') or {})
        bases = cast('list[Mapping[str, Any]]', revision.get('bases') or [])
        shown = {
            'revision': revision.get('revision'),
            'version': revision.get('version'),
            'bases': sorted({f'{b.get("name")}@{b.get("channel")}' for b in bases}),
        }
        name = f'{channel.get("track", "latest")}/{channel.get("risk", "stable")}'
        channels.setdefault(name, {k: v for k, v in shown.items() if v not in (None, [])})
    value = {
        'name': said.get('name'),
        'type': said.get('type'),
        'charm-id': said.get('id'),
        'publisher': publisher.get('display-name'),
        'summary': result.get('summary'),
        'description': result.get('description'),
        'store-url': result.get('store-url'),
        'channels': channels,
    }
    return {k: v for k, v in value.items() if v}


def _find(call: Call) -> None:
    from ..core import table

    more = {k: call[k] for k in ('category', 'channel', 'type', 'publisher') if call[k]}
    results = of(call).search(call.args[0] if call.args else '', more)
    rows: list[dict[str, str]] = []
    for each in results:
        result = cast('Mapping[str, Any]', each.get('result') or {})
        publisher = cast('Mapping[str, Any]', result.get('publisher') or {})
        release = cast('Mapping[str, Any]', each.get('default-release') or {})
        version = cast('Mapping[str, Any]', release.get('revision') or {}).get('version', '')
        rows.append(
            {
                'name': str(each.get('name', '')),
                'type': str(each.get('type', '')),
                'version': str(version),
                'publisher': str(publisher.get('display-name', '')),
                'summary': str(result.get('summary', '')).partition('\n')[0],
            }
        )

    def as_table(colour: bool) -> str:
        if not rows:
            return 'No matching charms or bundles\n'
        lines = [(r['name'], r['type'], r['version'], r['publisher'], r['summary']) for r in rows]
        heads = ('Name', 'Bundle', 'Version', 'Publisher', 'Summary')
        shown = [(n, 'Y' if kind == 'bundle' else '-', *rest) for n, kind, *rest in lines]
        return table.render(heads, shown, colour=colour)

    call.show(rows, as_table)


COMMANDS = (
    Command(
        'download',
        _download,
        'Locates and then downloads a Charmhub charm.',
        '<charm> [-]',
        flags=(
            URL,
            OFFLINE,
            Flag(('arch',), help='Accepted: amd64'),
            Flag(('base',), help='The base for which it is to be'),
            Flag(('channel',), help='The channel; else stable'),
            Flag(('filepath',), help='Where to put it; else NAME_rREVISION.charm'),
            Flag(('no-progress',), 'bool', help='Accepted'),
            Flag(('resources',), 'bool', help='Download its resources too'),
            Flag(('revision',), help='A revision, in whatever channel it is'),
        ),
        needs=('expected a charm or bundle name',),
        most=2,
        model=False,
    ),
    Command(
        'find',
        _find,
        'Queries the Charmhub store for available charms or bundles.',
        '[<query>]',
        flags=(
            URL,
            OFFLINE,
            Flag(('category',), help='Only of this category'),
            Flag(('channel',), help='Only what is in this channel'),
            Flag(('publisher',), help='Only of this publisher'),
            Flag(('type',), help='charm or bundle'),
        ),
        most=1,
        formats=('tabular', 'json', 'yaml'),
        model=False,
    ),
    Command(
        'info',
        _info,
        'Displays detailed information about Charmhub charms.',
        '<charm>',
        flags=(
            URL,
            OFFLINE,
            Flag(('base',), help='Accepted: all are shown'),
            Flag(('channel',), help='Only this channel'),
            Flag(('config',), 'bool', help='Accepted'),
        ),
        needs=('expected a charm or bundle name',),
        formats=('tabular', 'json', 'yaml'),
        model=False,
    ),
)
