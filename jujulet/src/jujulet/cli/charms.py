"""From what a user calls a charm (a path, or a name that stands for one) to a charm in the model."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import sys
from collections.abc import Iterable, Mapping
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


def is_name(text: str) -> bool:
    """Whether *text* is a name that stands for nothing on this machine: one of Charmhub's."""
    name = text.removeprefix('local:')
    if name != text or '/' in name or name.startswith(('.', '~')) or name.endswith(_SUFFIXES):
        return False
    bare = name.removeprefix('ch:')
    return bare not in aliases() and (bare != name or not pathlib.Path(name).exists())


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
        f'charm or bundle "{name}" not found on this machine. '
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
    call: Call,
    model: model_.Model,
    path: pathlib.Path,
    base: str = '',
    *,
    force: bool = False,
    extra: Iterable[charm_.Base] = (),
    fresh: bool = False,
) -> Loaded:
    """Make the charm at *path* ready to run and register it. Raises ``charm.Invalid``, ``model.Refused``.

    *extra* are bases on which it is to run besides the one that is chosen: those of machines where it is already.
    *fresh*: as another revision, whatever its content.
    """
    found = charmdir.read(path)
    chosen = bases.choose(
        found, bases.parse(base) if base else None, default_base(model), force=force
    )
    loaded = build(model, path, chosen, extra, force=force)
    url = call.change(requests.AddCharm(charm=loaded, fresh=fresh))['url']
    revision = int(url.rpartition('-')[2])
    return Loaded(dataclasses.replace(loaded, url=url, revision=revision), chosen)


def build(
    model: model_.Model,
    path: pathlib.Path,
    base: charm_.Base,
    extra: Iterable[charm_.Base] = (),
    *,
    force: bool = False,
) -> charm_.Charm:
    """The charm at *path*, made ready to run on *base* and on each of *extra*. Raises ``charm.Invalid``."""
    first, *others = (
        charmdir.load(path, each, paths.root(), force, python(model))
        for each in dict.fromkeys((base, *extra))
    )
    builds = {name: digest for each in (first, *others) for name, digest in each.builds.items()}
    return dataclasses.replace(first, builds=builds)


def bases_of(model: model_.Model, application: str) -> list[charm_.Base]:
    """Bases of the machines where an application's units are, and of those to come."""
    found = [model.machines[u.machine].base for u in model.units_of(application)]
    return list(dict.fromkeys((model.applications[application].base, *found)))


def prepare(
    call: Call,
    model: model_.Model,
    application: str,
    wanted: Iterable[charm_.Base],
    *,
    force: bool = False,
) -> bool:
    """Make an application's charm ready for more bases, from where it came from.

    False: it was not written down where that is (the model is of an earlier version), so nothing was done.

    Raises:
        model.Refused: it is not there any more, or not as it was: what would be made were another charm.
        charm.Invalid: it cannot be made ready for one of them.
    """
    charm = model.charm_of(application)
    lacking = [base for base in wanted if str(base) not in charm.builds]
    if not lacking:
        return True
    if not charm.source:
        return False
    path = pathlib.Path(charm.source)
    if not path.exists():
        raise model_.Refused(
            f'cannot make charm "{charm.name}" ready for {bases.names(lacking)}: it is no longer at {path}, from '
            f'where it was deployed; say where it is: juju refresh {application} --path PATH'
        )
    known, digest = next(iter(charm.builds.items()))
    now = build(model, path, bases.parse(known), lacking, force=force)
    if now.builds[known] != digest:
        raise model_.Refused(
            f'cannot make charm "{charm.name}" ready for {bases.names(lacking)}: it has changed since it was '
            f'deployed; first run: juju refresh {application} --path {path}'
        )
    builds = {**charm.builds, **now.builds}
    call.change(requests.AddCharm(charm=dataclasses.replace(charm, builds=builds)))
    return True


def check_host(call: Call, model: model_.Model, wanted: Iterable[charm_.Base]) -> None:
    """Refuse what no machine could be made for here. Raises ``model.Refused``."""
    if model.machines_kind != 'container':
        return
    for base in dict.fromkeys(wanted):
        if why := call.controller.ask('why-no-machine', base=str(base)):
            raise model_.Refused(why)


def remark_on_bases(call: Call, chosen: Iterable[tuple[charm_.Charm, charm_.Base]]) -> None:
    """Say which charms name Ubuntu alone and go to Debian: one that looks for what only Ubuntu has fails there."""
    names = sorted(
        {
            charm.name
            for charm, base in chosen
            if base.name == 'debian'
            and charm.bases
            and all(b.name == 'ubuntu' for b in charm.bases)
        }
    )
    if names:
        call.say(
            f'On Debian though only Ubuntu is named: {", ".join(names)}; if a hook looks for what only Ubuntu has, '
            f'deploy with --base ubuntu@24.04'
        )


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


def resources(
    charm: charm_.Charm,
    given: Mapping[str, Any],
    *,
    came: Mapping[str, pathlib.Path] | None = None,
) -> dict[str, model_.Resource]:
    """Resources, read now: their files may be gone when the command has returned. Raises ``charm.Invalid``.

    *came* are those that Charmhub had of it: whatever they are called there.
    """
    theirs = {n: p for n, p in (came or {}).items() if n in charm.resources and n not in given}
    return {
        **charmdir.resources(charm, theirs, paths.root(), named=False),
        **charmdir.resources(charm, dict(given), paths.root()),
    }
