"""``jujulet pack FOLDER -o DIR``: the packing command, for our own charms (``make charms``) and anybody's.

It ships exactly what jujulet runs from the folder, by the same rule (:mod:`.layout`), so a charm that passed here is
the charm that Juju gets. One file may be for several bases: it holds the Python packages of each, so that units of
both can be of one application, which has one charm on Juju.
"""

from __future__ import annotations

import pathlib
import shutil
import tempfile

from ..core import bases as bases_
from ..core import charm as charm_
from . import archive, dependencies, layout, store, traces
from .source import Source, find


def pack(
    folder: str | pathlib.Path, into: str | pathlib.Path = '.', *wanted: charm_.Base
) -> pathlib.Path:
    """Write ``<into>/<name>_<base>-<arch>….charm``, such as ``mysql_ubuntu-24.04-amd64.charm``; return its path.

    *wanted* are the bases that it is for; none: the charm's first. The same folder gives the same bytes.

    Raises:
        charm.Invalid: no charm there, not valid, it does not support a base, or its dependencies cannot be had.
    """
    source = find(pathlib.Path(folder))
    if source.packed:
        raise charm_.Invalid(f'"{folder}" is packed already')
    bases = [bases_.choose(source.charm, base) for base in wanted or (None,)]
    entries = layout.entries(source, *bases)
    target = pathlib.Path(into).absolute()  # uv runs in the charm's own folder.
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.packing-', dir=target) as work:
        environments = _environments(source, bases, pathlib.Path(work))
        content = pathlib.Path(work, 'charm')
        content.mkdir()
        store.write(entries, environments[0] if environments else None, content)
        for other in environments[1:]:
            shutil.copytree(other / 'lib', content / 'venv/lib', symlinks=True, dirs_exist_ok=True)
        traces.forget(content)
        names = [f'{base.name}-{base.channel}-{layout.architecture()}' for base in bases]
        name = '_'.join((source.charm.name, *names)) + '.charm'
        packed = pathlib.Path(work, name)
        archive.write(content, packed)
        packed.replace(target / name)
        return pathlib.Path(into, name)


def _environments(
    source: Source, bases: list[charm_.Base], work: pathlib.Path
) -> list[pathlib.Path]:
    """A virtual environment for each base: the packages of each version of Python are in a folder of their own."""
    part = layout.python_part(source)
    if part is None:
        return []
    folder = layout.part_folder(part, source)
    return [
        dependencies.install(
            dependencies.wanted(
                part,
                folder,
                charm=source.charm.name,
                base=base,
                python=bases_.python_of(base),
            ),
            work,
        )
        for base in bases
    ]
