"""The folders of one unit on its machine, written from the host: charm, hook tools, resources.

Layout as Juju's: ``/var/lib/juju/agents/unit-<app>-<n>/charm`` and ``/var/lib/juju/tools/unit-<app>-<n>/`` (source:
its worker/uniter/paths.go). A newer charm replaces the older by manifest: what the older brought goes, what the charm
itself wrote stays.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Callable

from .. import aside
from ..core import environment, hooktools

TOOLS = pathlib.Path(__file__).parent.parent / 'tools'
MANIFEST = '.jujulet-manifest.json'
"""Names of the files that the charm brought, kept beside it."""


@dataclasses.dataclass(frozen=True)
class UnitFolder:
    """Where a unit is: on which file system, and under which name."""

    root: pathlib.Path
    prefix: str
    unit: str
    machine: str

    @property
    def tag(self) -> str:
        """``unit-placement-0``."""
        return f'unit-{self.unit.replace("/", "-")}'

    @property
    def agent(self) -> pathlib.Path:
        """The unit's folder, from the host."""
        return self.root / 'var/lib/juju/agents' / self.tag

    @property
    def charm(self) -> pathlib.Path:
        """The charm, from the host."""
        return self.agent / 'charm'

    @property
    def tools(self) -> pathlib.Path:
        """Its hook tools, from the host."""
        return self.root / 'var/lib/juju/tools' / self.tag

    @property
    def charm_inside(self) -> str:
        """The charm, as the machine sees it."""
        return f'{self.prefix}/var/lib/juju/agents/{self.tag}/charm'


def executable(folder: UnitFolder, name: str) -> bool:
    """Whether the charm has an executable of that name."""
    return os.access(folder.charm / name, os.X_OK)


def deploy(folder: UnitFolder, source: pathlib.Path, juju_version: str) -> None:
    """Put the charm in *source* where *folder* is; may be repeated after it was cut off."""
    folder.agent.mkdir(parents=True, exist_ok=True)
    _adopt(folder)
    files = _files(source)
    manifest = folder.agent / MANIFEST
    old = set[str](json.loads(manifest.read_text())) if manifest.exists() else set[str]()
    # What is about to come belongs to the charm from now on, even if this is cut off half-way.
    aside.write(manifest, json.dumps(sorted(old | files)))
    for name in sorted(old - files, reverse=True):
        _remove(folder.charm / name)
    shutil.copytree(source, folder.charm, symlinks=True, dirs_exist_ok=True, copy_function=_copy)
    aside.write(manifest, json.dumps(sorted(files)))
    _link_tools(folder, juju_version)


def _adopt(folder: UnitFolder) -> None:
    """On a machine made from an install layer, the unit that the layer came from becomes this one."""
    if folder.charm.exists():
        return
    agents = folder.agent.parent
    others = [p for p in agents.iterdir() if p.name != folder.tag and (p / '.layer').exists()]
    for other in others:
        # Copied, since a folder of a lower layer cannot be renamed; renamed at the end, so that it is whole or absent.
        fresh = agents / f'.{folder.tag}'
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(other, fresh, symlinks=True, ignore=_brought(other))
        (fresh / '.layer').unlink()
        (fresh / 'charm').mkdir(exist_ok=True)
        shutil.rmtree(folder.agent)
        fresh.rename(folder.agent)
        shutil.rmtree(other)
        shutil.rmtree(folder.tools.parent / other.name, ignore_errors=True)
        return


def _brought(agent: pathlib.Path) -> Callable[[str, list[str]], list[str]]:
    """Leaves out the files that the charm brought to *agent*: they come anew from the charm itself."""
    manifest = agent / MANIFEST
    names = set[str](json.loads(manifest.read_text())) if manifest.exists() else set[str]()
    files = {str(agent / 'charm' / name) for name in names}

    def ignored(folder: str, entries: list[str]) -> list[str]:
        paths = ((entry, os.path.join(folder, entry)) for entry in entries)
        return [e for e, p in paths if p in files and (os.path.islink(p) or not os.path.isdir(p))]

    return ignored


def _files(folder: pathlib.Path) -> set[str]:
    return {
        str(pathlib.Path(parent, name).relative_to(folder))
        for parent, folders, names in os.walk(folder)
        for name in (*folders, *names)
    }


def _copy(source: str, target: str) -> None:
    """Copy one file over whatever is there, as a new file: the old one may be running."""
    if os.path.lexists(target):
        os.unlink(target)
    shutil.copy2(source, target, follow_symlinks=False)


def _remove(path: pathlib.Path) -> None:
    if path.is_dir() and not path.is_symlink():
        if not any(path.iterdir()):  # The charm may have written into it.
            path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _link_tools(folder: UnitFolder, juju_version: str) -> None:
    folder.tools.mkdir(parents=True, exist_ok=True)
    client = folder.tools / 'hooktool'
    shutil.copy2(TOOLS / 'hooktool', client)
    client.chmod(0o755)
    for name in hooktools.NAMES:
        link = folder.tools / name
        if not link.is_symlink():
            link.symlink_to('hooktool')
    # charmhelpers asks this program for Juju's version.
    jujud = folder.root / environment.machine_tools_dir(folder.machine).lstrip('/')
    jujud.mkdir(parents=True, exist_ok=True)
    shutil.copy2(client, jujud / 'jujud')
    aside.write(jujud / 'jujud-version', environment.version_text(juju_version) + '\n')
    if folder.prefix:
        return  # A plain process has no /usr/bin of its own.
    for name in hooktools.MACHINE_NAMES:
        link = folder.root / 'usr/bin' / name
        link.unlink(
            missing_ok=True
        )  # A layer brings the link of the machine that it was taken from.
        link.symlink_to(f'{environment.machine_tools_dir(folder.machine)}/jujud')


def resource(folder: UnitFolder, blob: pathlib.Path, name: str, filename: str) -> None:
    """Put a resource where ``resource-get`` says that it is."""
    target = folder.agent / 'resources' / name / filename
    target.parent.mkdir(parents=True, exist_ok=True)
    with aside.opened(target.parent, mode=0o644) as (copy, become), blob.open('rb') as file:
        shutil.copyfileobj(file, copy)
        become(target)
