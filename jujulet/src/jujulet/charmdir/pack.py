"""``jujulet pack FOLDER -o DIR``: the packing command, for our own charms (``make charms``) and anybody's.

It ships exactly what jujulet runs from the folder, by the same rule (:mod:`.layout`), so a charm that passed here is
the charm that Juju gets.
"""

from __future__ import annotations

import pathlib
import tempfile

from ..core import bases as bases_
from ..core import charm as charm_
from . import archive, dependencies, layout, store
from .source import find


def pack(
    folder: str | pathlib.Path, into: str | pathlib.Path = '.', base: charm_.Base | None = None
) -> pathlib.Path:
    """Write ``<into>/<name>_<base>-<arch>.charm``, such as ``mysql_ubuntu-24.04-amd64.charm``; return its path.

    *base* is the charm's first when None. The same folder gives the same bytes.

    Raises:
        charm.Invalid: no charm there, not valid, it does not support *base*, or its dependencies cannot be had.
    """
    source = find(pathlib.Path(folder))
    if source.packed:
        raise charm_.Invalid(f'"{folder}" is packed already')
    base = bases_.choose(source.charm, base)
    entries = layout.entries(source, base)
    part = layout.python_part(source)
    target = pathlib.Path(into).absolute()  # uv runs in the charm's own folder.
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.packing-', dir=target) as work:
        venv = None
        if part is not None:
            want = dependencies.wanted(
                part,
                layout.part_folder(part, source),
                charm=source.charm.name,
                base=base,
                python=bases_.python_of(base),
            )
            venv = dependencies.install(want, pathlib.Path(work))
        content = pathlib.Path(work, 'charm')
        content.mkdir()
        store.write(entries, venv, content)
        name = f'{source.charm.name}_{base.name}-{base.channel}-{layout.architecture()}.charm'
        packed = pathlib.Path(work, name)
        archive.write(content, packed)
        packed.replace(target / name)
        return pathlib.Path(into, name)
