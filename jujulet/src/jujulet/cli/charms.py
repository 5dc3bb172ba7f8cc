"""From what a user calls a charm (a path, or a name that stands for one) to a charm in the model."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from .. import charmdir, paths
from ..core import bases, lxdprofile, modelconfig, requests
from ..core import charm as charm_
from ..core import model as model_
from . import home
from .command import Call

ALIASES = 'JUJULET_CHARMS'
"""Names that stand for paths: ``name=path``, separated by colons; before those of ``jujulet alias``."""

_SUFFIXES = ('.charm', '.yaml', '.yml', '.zip')


def locate(text: str) -> pathlib.Path:
    """Where the charm or bundle called *text* lies. Raises ``model.Refused`` for one that is not on this machine."""
    name = text.removeprefix('local:')
    looks_like_path = '/' in name or name.startswith(('.', '~')) or name.endswith(_SUFFIXES)
    known = {} if looks_like_path else aliases()
    bare = name.removeprefix('ch:')
    if bare in known:
        path = pathlib.Path(known[bare]).expanduser()
        if not path.exists():
            raise model_.Refused(f'"{bare}" stands for {path}, where nothing is')
        return path
    path = pathlib.Path(name).expanduser()
    if path.exists():
        return path
    if looks_like_path:
        raise model_.Refused(f'no charm was found at "{name}": no such file or folder')
    raise model_.Refused(
        f'charm or bundle "{name}" not found: jujulet does not download from Charmhub. '
        f'Give a charm folder, a .charm file or a bundle by its path (such as ./{bare}), '
        f'or say where it is with: jujulet alias {bare} PATH'
    )


def aliases() -> dict[str, str]:
    """Names that stand for charms, with their paths."""
    known: dict[str, str] = dict(home.read().get('charms', {}))
    for entry in os.environ.get(ALIASES, '').split(':'):
        name, equals, place = entry.partition('=')
        if equals:
            known[name] = place
    return known


def is_bundle(path: pathlib.Path) -> bool:
    """Whether *path* is a bundle: YAML, or a folder with a ``bundle.yaml`` and no charm."""
    if path.is_dir():
        charm = (path / 'metadata.yaml').exists() or (path / 'charmcraft.yaml').exists()
        return (path / 'bundle.yaml').exists() and not charm
    return path.suffix in ('.yaml', '.yml')


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A charm that the model knows."""

    charm: charm_.Charm
    base: charm_.Base


def load(
    call: Call, model: model_.Model, path: pathlib.Path, base: str = '', *, force: bool = False
) -> Loaded:
    """Make the charm at *path* ready to run and register it. Raises ``charm.Invalid``, ``model.Refused``."""
    found = charmdir.read(path)
    chosen = bases.choose(
        found, bases.parse(base) if base else None, default_base(model), force=force
    )
    loaded = charmdir.load(path, chosen, paths.root(), force, python(model))
    url = call.change(requests.AddCharm(charm=loaded))['url']
    revision = int(url.rpartition('-')[2])
    return Loaded(dataclasses.replace(loaded, url=url, revision=revision), chosen)


def remark(call: Call, *deployed: charm_.Charm) -> None:
    """Say what machines here have anyway, or cannot have, of what charms ask for in their profiles; nothing twice."""
    said = [line for charm in deployed for line in lxdprofile.remarks(charm.profile)]
    for line in dict.fromkeys(said):
        call.say(line)


def default_base(model: model_.Model) -> charm_.Base | None:
    """The model's ``default-base``, if it has one."""
    text = modelconfig.get(model, 'default-base')
    return bases.parse(text) if text else None


def python(model: model_.Model) -> str:
    """Python of the machines where it is not the base's: plain processes run with this host's."""
    if model.machines_kind == 'container':
        return ''
    return f'{sys.version_info.major}.{sys.version_info.minor}'


def resources(charm: charm_.Charm, given: Mapping[str, Any]) -> dict[str, model_.Resource]:
    """Resources, read now: their files may be gone when the command has returned. Raises ``charm.Invalid``."""
    return dict(charmdir.resources(charm, dict(given), paths.root()))
