"""The content store: charms that are ready to run and resources, each under the digest of what it is."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import pathlib
import re
import shutil
from collections.abc import Mapping

from .. import aside
from ..core import bases as bases_
from ..core import charm as charm_
from ..core import model as model_
from . import archive, dependencies, layout, tree
from .source import PROFILE, Source, find

log = logging.getLogger('jujulet.charmdir')

_COMPILED = re.compile(r'\.(?:cpython-|cp)(\d)(\d+)(?:-[^/]*)?\.so$')
_SITE = re.compile(r'^venv/lib/python(\d+\.\d+)/site-packages(?:/|$)')


def load(
    path: str | pathlib.Path,
    base: charm_.Base,
    store: pathlib.Path,
    force: bool = False,
    python: str = '',
) -> charm_.Charm:
    """Make the charm at *path* ready to run on *base*, in ``<store>/charms/<digest>/``.

    The same input gives the same digest and, the second time, does no work. *python* is the version of the machine's
    ``python3`` where that is not the base's own (machines that are plain processes). *force* takes a
    packed charm even if it was built for another Python.

    Returns:
        The charm with ``digest``, ``builds`` for *base*, and ``source``; ``url`` is empty and ``revision`` 0
        until the controller gives them.

    Raises:
        charm.Invalid: no charm there, not valid, or its dependencies cannot be had.
    """
    source = find(pathlib.Path(path))
    python = python or bases_.python_of(base)
    if source.packed:
        digest = _load_packed(source, base, python, store, force=force)
        return _ready(source, source.charm, digest, base)
    entries = layout.entries(source, base)
    digest = _load_folder(source, entries, base, python, store)
    profile = source.charm.profile
    if profile is not None and PROFILE not in entries:
        log.warning(
            'charm "%s": %s is in no part of charmcraft.yaml, so it is not in the charm: machines go by none',
            source.charm.name, PROFILE,
        )  # fmt: skip
        profile = None
    return _ready(source, dataclasses.replace(source.charm, profile=profile), digest, base)


def _ready(source: Source, charm: charm_.Charm, digest: str, base: charm_.Base) -> charm_.Charm:
    return dataclasses.replace(
        charm, digest=digest, builds={str(base): digest}, source=str(source.path.resolve())
    )


def _load_folder(
    source: Source,
    entries: Mapping[str, layout.Content],
    base: charm_.Base,
    python: str,
    store: pathlib.Path,
) -> str:
    part = layout.python_part(source)
    want = None
    text = tree.digest_of(entries.items())
    if part is not None:
        want = dependencies.wanted(
            part,
            layout.part_folder(part, source),
            charm=source.charm.name,
            base=base,
            python=python,
        )
        text += dependencies.digest(want)
    digest = hashlib.sha256(f'{dependencies.FORMAT}\0{text}'.encode()).hexdigest()[:40]
    final = store / 'charms' / digest
    if final.is_dir():
        return digest
    venv = dependencies.install(want, store) if want is not None else None
    with tree.making(final) as folder:
        write(entries, venv, folder)
    return digest


def write(
    entries: Mapping[str, layout.Content], venv: pathlib.Path | None, folder: pathlib.Path
) -> None:
    """Write a charm's files and its environment into *folder*."""
    for name, content in entries.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        elif content.is_symlink():
            os.symlink(os.readlink(content), target)
            continue
        else:
            shutil.copyfile(content, target)
        target.chmod(0o755 if layout.executable(name, content) else 0o644)
    if venv is not None:
        shutil.copytree(venv, folder / 'venv', symlinks=True, copy_function=_link)


def _link(source: str, target: str) -> None:
    """Share the file with the cache: both are only ever read. Copied where links cannot be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _load_packed(
    source: Source, base: charm_.Base, python: str, store: pathlib.Path, *, force: bool
) -> str:
    with source.path.open('rb') as file:
        content = hashlib.file_digest(file, 'sha256').hexdigest()
    text = f'{dependencies.FORMAT}\0{content}\0{python}'
    digest = hashlib.sha256(text.encode()).hexdigest()[:40]
    final = store / 'charms' / digest
    if final.is_dir() and not force:
        return digest
    with tree.making(final) as folder:
        archive.unpack(source.path, folder)
        _suit(folder, source, base, python, force=force)
    return digest


def _suit(
    folder: pathlib.Path, source: Source, base: charm_.Base, python: str, *, force: bool
) -> None:
    """Refuse compiled modules of another Python; let *python* find what is not compiled."""
    versions: dict[str, str] = {}
    sites: set[str] = set()
    for file in folder.rglob('*'):
        name = str(file.relative_to(folder))
        site = _SITE.search(name)
        if site:
            sites.add(site.group(1))
        match = _COMPILED.search(name)
        if match:
            versions.setdefault(f'{match.group(1)}.{match.group(2)}', name)
    if versions and python not in versions and not force:
        version, example = sorted(versions.items())[0]
        here = python != bases_.PYTHON.get(
            str(base), python
        )  # Of plain processes, it is this host's.
        raise charm_.Invalid(
            f'charm "{source.charm.name}" was packed for Python {version} ({example}), but '
            f'{"this host" if here else base} has Python {python}: deploy its folder instead, or pack it for '
            f'{"what this host runs" if here else base}, or use --force'
        )
    link = folder / 'venv' / 'lib' / f'python{python}'
    if sites and python not in sites and not os.path.lexists(link):
        link.symlink_to(f'python{sorted(sites)[0]}')


def resources(
    charm: charm_.Charm,
    given: Mapping[str, str | pathlib.Path],
    store: pathlib.Path,
    *,
    named: bool = True,
) -> dict[str, model_.Resource]:
    """Keep the files of ``--resource name=path`` in ``<store>/blobs/<digest>``.

    *named*: a user chose them, so their names must end as the charm's do.

    Raises:
        charm.Invalid: the charm has no such resource, there is no such file, or its name ends otherwise than the
            charm's (source: ``ValidateUpload`` of apiserver's resources.go).
    """
    found: dict[str, model_.Resource] = {}
    for name, where in given.items():
        meta = charm.resources.get(name)
        if meta is None:
            known = ', '.join(sorted(charm.resources)) or 'none'
            raise charm_.Invalid(
                f'unrecognized resource "{name}"; charm "{charm.name}" has: {known}'
            )
        if meta.kind != 'file':
            raise charm_.Invalid(
                f'resource "{name}" of charm "{charm.name}" is an {meta.kind}, which only Kubernetes charms use'
            )
        path = pathlib.Path(where)
        if not path.is_file():
            raise charm_.Invalid(
                f'resource "{name}": "{where}" is not a file: give a path, since there is no Charmhub here'
            )
        extension = os.path.splitext(meta.filename)[1]
        if named and os.path.splitext(path.name)[1] != extension:
            raise charm_.Invalid(
                f'incorrect extension on resource upload "{path.name}", expected "{extension}"'
            )
        digest, size = _keep(path, store / 'blobs')
        found[name] = model_.Resource(name, meta.filename, digest, size)
    return found


def _keep(path: pathlib.Path, blobs: pathlib.Path) -> tuple[str, int]:
    blobs.mkdir(parents=True, exist_ok=True)
    found = hashlib.sha256()
    size = 0
    with aside.opened(blobs) as (copy, become), path.open('rb') as file:
        while chunk := file.read(1 << 20):
            found.update(chunk)
            size += len(chunk)
            copy.write(chunk)
        become(blobs / found.hexdigest())
    return found.hexdigest(), size
