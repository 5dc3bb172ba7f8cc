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

from ..core import environment, hooktools
from ..machines import files

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
    def agent(self) -> str:
        """The unit's folder, below the machine's root."""
        return f'var/lib/juju/agents/{self.tag}'

    @property
    def charm(self) -> str:
        """The charm, below the machine's root."""
        return f'{self.agent}/charm'

    @property
    def tools(self) -> str:
        """Its hook tools, below the machine's root."""
        return f'var/lib/juju/tools/{self.tag}'

    @property
    def charm_inside(self) -> str:
        """The charm, as the machine sees it."""
        return f'{self.prefix}/{self.charm}'


def deployed(folder: UnitFolder) -> bool:
    """Whether the unit's charm is on its machine at all."""
    return files.exists(folder.root, folder.charm)


def executable(folder: UnitFolder, name: str) -> bool:
    """Whether the charm has an executable of that name."""
    return files.executable(folder.root, f'{folder.charm}/{name}')


def deploy(folder: UnitFolder, source: pathlib.Path, juju_version: str) -> None:
    """Put the charm in *source* where *folder* is; may be repeated after it was cut off.

    Raises:
        OSError: the disk is full, or the machine's folders are not what they should be.
    """
    root, manifest = folder.root, f'{folder.agent}/{MANIFEST}'
    files.make_folder(root, folder.agent)
    _adopt(folder)
    # Of a layer of this unit's own name, which is nobody else's to adopt: a subordinate comes to the same machine.
    files.remove(root, f'{folder.agent}/.layer')
    fresh, old = _names(source), _brought(root, folder.agent)
    # What is about to come belongs to the charm from now on, even if this is cut off half-way.
    files.write(root, manifest, json.dumps(sorted(old | fresh)))
    files.make_folder(root, folder.charm)
    files.drop(root, folder.charm, old - fresh)
    files.put_tree(root, folder.charm, source)
    files.write(root, manifest, json.dumps(sorted(fresh)))
    _link_tools(folder, juju_version)


def _adopt(folder: UnitFolder) -> None:
    """On a machine made from an install layer, the unit that the layer came from becomes this one."""
    root = folder.root
    if files.exists(root, folder.charm):
        return
    agents = folder.agent.rpartition('/')[0]
    for name in files.names(root, agents):
        other = f'{agents}/{name}'
        if name == folder.tag or not files.exists(root, f'{other}/.layer'):
            continue
        # Copied, since a folder of a lower layer cannot be renamed; renamed at the end, so that it is whole or absent.
        fresh = f'{agents}/.{folder.tag}'
        files.remove(root, fresh)
        brought = {f'charm/{each}' for each in _brought(root, other)}
        files.copy_tree(root, other, fresh, without={*brought, '.layer'})
        files.make_folder(root, f'{fresh}/charm')
        files.rename(root, fresh, folder.agent)
        files.remove(root, other)
        files.remove(root, f'var/lib/juju/tools/{name}')
        return


def _brought(root: pathlib.Path, agent: str) -> set[str]:
    """The files that the charm brought to *agent*, by the manifest; none if nobody can read it."""
    try:
        return set[str](json.loads(files.read(root, f'{agent}/{MANIFEST}', most=None)))
    except (ValueError, TypeError):
        return set()


def _names(folder: pathlib.Path) -> set[str]:
    return {
        str(pathlib.Path(parent, name).relative_to(folder))
        for parent, folders, names in os.walk(folder)
        for name in (*folders, *names)
    }


def _link_tools(folder: UnitFolder, juju_version: str) -> None:
    root = folder.root
    files.put(root, f'{folder.tools}/hooktool', TOOLS / 'hooktool', mode=0o755)
    for name in hooktools.NAMES:
        files.link(root, f'{folder.tools}/{name}', 'hooktool')
    # charmhelpers asks this program for Juju's version.
    jujud = environment.machine_tools_dir(folder.machine)
    files.put(root, f'{jujud}/jujud', TOOLS / 'hooktool', mode=0o755)
    files.write(root, f'{jujud}/jujud-version', environment.version_text(juju_version) + '\n')
    if folder.prefix:
        return  # A plain process has no /usr/bin of its own.
    for name in hooktools.MACHINE_NAMES:
        # A layer brings the link of the machine that it was taken from.
        files.link(root, f'usr/bin/{name}', f'{jujud}/jujud', anew=True)


def resource(folder: UnitFolder, blob: pathlib.Path, name: str, filename: str) -> None:
    """Put a resource where ``resource-get`` says that it is.

    Raises:
        OSError: the disk is full, or the machine's folders are not what they should be.
    """
    files.put(folder.root, f'{folder.agent}/resources/{name}/{filename}', blob)
