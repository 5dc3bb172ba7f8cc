"""What of a charm's folder goes into the charm, and as what: the one rule for running and for packing.

Source: Charmcraft 4's plugins ``uv``, ``charm``, ``python`` and ``dump``; Juju's archive of a folder for charms
without ``charmcraft.yaml``.
"""

from __future__ import annotations

import fnmatch
import logging
import os
import pathlib
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from ..core import charm as charm_
from ..core import charmcraft
from . import members, tree
from .source import MANIFEST, Source

log = logging.getLogger('jujulet.charmdir')

Content = pathlib.Path | bytes

_PYTHON_PLUGINS = ('uv', 'charm', 'python')
_EXTRAS = (
    'version', 'LICENSE', 'icon.svg', 'README.md', 'lxd-profile.yaml', 'templates', 'mod', 'hooks', 'actions',
)  # fmt: skip
"""What plugin "charm" packs beside src and lib."""

_DISPATCH = """\
#!/bin/sh
# Runs the charm with the machine's own python3, in the charm's environment.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
if [ ! -e "$here/venv/bin/python" ]; then
    mkdir -p "$here/venv/bin"
    ln -s "$(command -v python3)" "$here/venv/bin/python"
fi
export PYTHONPATH="$here/lib:$here/src"
exec "$here/venv/bin/python" "$here/{entrypoint}"
"""


def entries(source: Source, *bases: charm_.Base) -> dict[str, Content]:
    """Every file of a charm for *bases* but its dependencies, by its name in the charm: a path to copy, or its bytes.

    Raises:
        charm.Invalid: a part names what is not there, or a link leads outside.
    """
    found: dict[str, Content] = {}
    if source.project is None:
        found.update(_below(source.path, without=('build', 'revision', *_packed(source.path))))
        found.setdefault(MANIFEST, _dump(_manifest(bases)))
    else:
        for part in source.project.parts:
            if part.unmet:
                log.warning(
                    'charm "%s": part "%s": %s is not run here; only charmcraft does',
                    source.charm.name, part.name, ', '.join(part.unmet),
                )  # fmt: skip
            found.update(_part(part, source))
        found.update(_declared(source, bases))
    _check_links(found)
    return dict(sorted(found.items()))


def python_part(source: Source) -> charmcraft.Part | None:
    """The part whose Python dependencies are installed, if there is one."""
    parts = source.project.parts if source.project else ()
    return next((p for p in parts if p.plugin in _PYTHON_PLUGINS), None)


def part_folder(part: charmcraft.Part, source: Source) -> pathlib.Path:
    """Where the sources of *part* are.

    Raises:
        charm.Invalid: there is no such folder.
    """
    folder = (source.path / part.source / part.subdir).resolve()
    if not folder.is_dir():
        raise charm_.Invalid(
            f'charmcraft.yaml: parts.{part.name}: source "{folder}" is not a folder'
        )
    return folder


def executable(name: str, content: Content) -> bool:
    """Whether *name* must be executable in the charm: Juju makes hooks and actions so."""
    if name == 'dispatch' or name.startswith(('hooks/', 'actions/')):
        return True
    return isinstance(content, pathlib.Path) and bool(content.stat().st_mode & 0o111)


def _part(part: charmcraft.Part, source: Source) -> dict[str, Content]:
    if part.plugin == 'nil':
        return {}
    folder = part_folder(part, source)
    if part.plugin == 'dump':
        return _dumped(part, folder)
    found: dict[str, Content] = {}
    names = ('src', 'lib', *(_EXTRAS if part.plugin == 'charm' else ()))
    for name in names:
        place = folder / name
        if place.is_dir():
            found.update({f'{name}/{inner}': file for inner, file in tree.walk(place)})
        elif place.is_file():
            found[name] = place
    if part.entrypoint not in found and 'hooks' not in {n.partition('/')[0] for n in found}:
        raise charm_.Invalid(
            f'charmcraft.yaml: parts.{part.name}: there is no {part.entrypoint} in "{folder}", which plugin '
            f'"{part.plugin}" runs'
        )
    if part.entrypoint in found:
        found['dispatch'] = _DISPATCH.format(entrypoint=part.entrypoint).encode()
    for name in part.prime if part.plugin == 'charm' else ():
        found.update(_primed(folder, name))
    return found


def _primed(folder: pathlib.Path, name: str) -> dict[str, Content]:
    """What plugin "charm" packs besides, when the part names it under ``prime``."""
    place = folder / name
    if name.startswith('-') or any(c in name for c in '*?['):
        return {}
    if place.is_dir():
        return {f'{name.rstrip("/")}/{inner}': file for inner, file in tree.walk(place)}
    return {name: place} if place.is_file() else {}


def _dumped(part: charmcraft.Part, folder: pathlib.Path) -> dict[str, Content]:
    found = _below(folder, without=_packed(folder))
    moved = {_organized(name, part.organize): content for name, content in found.items()}
    keep = [p for p in part.prime if not p.startswith('-')]
    exclude = [p[1:] for p in part.prime if p.startswith('-')]
    return {
        name: content
        for name, content in moved.items()
        if (not keep or _matches(name, keep)) and not _matches(name, exclude)
    }


def _organized(name: str, organize: Mapping[str, str]) -> str:
    for source, target in organize.items():
        if source.rstrip('/') == name:
            return (
                posixpath.join(target, posixpath.basename(name))
                if target.endswith('/')
                else target
            )
        head = source.removesuffix('*').rstrip('/') + '/'
        if head != '/' and name.startswith(head):
            return posixpath.join(target, name[len(head) :])
    return name


def _matches(name: str, globs: list[str]) -> bool:
    return any(
        fnmatch.fnmatch(name, glob) or name.startswith(glob.rstrip('/*') + '/') for glob in globs
    )


def _below(folder: pathlib.Path, without: tuple[str, ...]) -> dict[str, Content]:
    return dict(tree.walk(folder, without=without))


def _packed(folder: pathlib.Path) -> tuple[str, ...]:
    """Charms packed into the charm's own folder are no part of it."""
    return tuple(p.name for p in folder.glob('*.charm'))


def _declared(source: Source, bases: Sequence[charm_.Base]) -> dict[str, Content]:
    """``metadata.yaml`` and its fellows, which the charm's framework and Juju read."""
    files = source.files
    found: dict[str, Content] = {
        'metadata.yaml': _dump(files.metadata),
        MANIFEST: _dump(_manifest(bases)),
    }
    if files.config:
        found['config.yaml'] = _dump(files.config)
    if files.actions:
        found['actions.yaml'] = _dump(files.actions)
    return found


def _manifest(bases: Sequence[charm_.Base]) -> dict[str, Any]:
    return {
        'bases': [
            {'name': base.name, 'channel': base.channel, 'architectures': [architecture()]}
            for base in bases
        ]
    }


def architecture() -> str:
    """This host's architecture, as Juju spells it."""
    return {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(os.uname().machine, os.uname().machine)


def _dump(data: Any) -> bytes:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100).encode()


def _check_links(found: Mapping[str, Content]) -> None:
    links = {
        name: os.readlink(content)
        for name, content in found.items()
        if isinstance(content, pathlib.Path) and content.is_symlink()
    }
    for name, target in links.items():
        if not members.stays_inside(name, target, links):
            raise charm_.Invalid(
                f'"{found[name]}" is a link out of the charm, to "{target}": a charm must hold all that it '
                'needs, so copy it'
            )
