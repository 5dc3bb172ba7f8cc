"""What lies at a path that the user gave: a charm's folder or its archive, read but not unpacked."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess
import zipfile
from collections.abc import Callable
from typing import Any, cast

import yaml

from ..core import bases as bases_
from ..core import charm as charm_
from ..core import charmcraft, charmparse, lxdprofile, yamltext
from . import archive

MANIFEST = 'manifest.yaml'
PROFILE = lxdprofile.FILE


@dataclasses.dataclass(frozen=True)
class Source:
    """A charm as it lies on disk."""

    path: pathlib.Path
    packed: bool
    charm: charm_.Charm
    files: charmparse.Files
    project: charmcraft.Project | None = None
    """For folders that ``charmcraft pack`` would pack; None: the folder is shipped as it is."""


def read(path: str | pathlib.Path) -> charm_.Charm:
    """The charm at *path*, with empty ``url`` and ``digest``. Touches nothing.

    Raises:
        charm.Invalid: there is no charm, or it is not valid.
    """
    return find(pathlib.Path(path)).charm


def find(path: pathlib.Path) -> Source:
    """As :func:`read`, with where everything is."""
    if path.is_dir():
        return _folder(path.resolve())
    if path.is_file():
        return _packed(path.resolve())
    raise charm_.Invalid(
        f'no charm was found at "{path}": it is neither a charm folder nor a .charm file'
    )


def load_yaml(text: bytes, name: str, *, plain: bool = False) -> Any:
    """YAML of one document. *plain*: every value is the text that stands there, as Go reads into a string.

    Raises:
        charm.Invalid: with file and line.
    """
    kind = 'BaseLoader' if plain else 'SafeLoader'
    try:
        yamltext.shallow(text)
        loader: Any = getattr(yaml, f'C{kind}', getattr(yaml, kind))(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            yamltext.bounded(root)
            return loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise charm_.Invalid(f'{name}:{line}: not valid YAML: {error.problem}') from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise charm_.Invalid(f'{name}: not valid YAML: {error}') from None


def _folder(path: pathlib.Path) -> Source:
    def contents(name: str) -> bytes | None:
        file = path / name
        return file.read_bytes() if file.is_file() else None

    version = _version_of_folder(path, contents)
    craft = contents('charmcraft.yaml')
    if craft is None:
        if contents('metadata.yaml') is None:
            hint = _hint(path)
            raise charm_.Invalid(
                f'no charm was found at "{path}": it has neither charmcraft.yaml nor metadata.yaml{hint}'
            )
        files = _files(contents)
        return Source(path, False, charmparse.parse(files, version=version), files)
    project = charmcraft.split(load_yaml(craft, 'charmcraft.yaml'))
    files = _project_files(contents, project)
    charm = charmparse.parse(files, version=version)
    return Source(path, False, charm, files, project)


def _hint(path: pathlib.Path) -> str:
    if (path / 'bundle.yaml').is_file():
        return f'; it holds a bundle: deploy "{path / "bundle.yaml"}"'
    packed = sorted(path.glob('*.charm'))
    return f'; did you mean "{packed[0]}"?' if packed else ''


def _project_files(
    contents: Callable[[str], bytes | None], project: charmcraft.Project
) -> charmparse.Files:
    """Old projects keep metadata, config and actions in files of their own beside ``charmcraft.yaml``."""
    old = _files(contents)
    names = tuple(
        name if contents(name) is not None else 'charmcraft.yaml'
        for name in ('metadata.yaml', 'config.yaml', 'actions.yaml')
    )
    return charmparse.Files(
        metadata=old.metadata if old.metadata is not None else project.metadata,
        config=old.config if old.config is not None else project.config,
        actions=old.actions if old.actions is not None else project.actions,
        names=(names[0], names[1], names[2]),
        bases=project.bases,
        profile=old.profile,
    )


def _files(contents: Callable[[str], bytes | None]) -> charmparse.Files:
    def value(name: str) -> Any:
        text = contents(name)
        return None if text is None else load_yaml(text, name)

    profile = contents(PROFILE)
    return charmparse.Files(
        metadata=value('metadata.yaml'),
        config=value('config.yaml'),
        actions=value('actions.yaml'),
        bases=_manifest_bases(value(MANIFEST)),
        profile=None if profile is None else load_yaml(profile, PROFILE, plain=True),
    )


def _manifest_bases(manifest: Any) -> tuple[charm_.Base, ...]:
    if not isinstance(manifest, dict):
        return ()
    entries: Any = cast('dict[str, Any]', manifest).get('bases')
    found: list[charm_.Base] = []
    for entry in cast('list[Any]', entries if isinstance(entries, list) else []):
        if isinstance(entry, dict) and 'name' in entry and 'channel' in entry:
            text = f'{entry["name"]}@{entry["channel"]}'
            found.append(bases_.parse(text))
    return tuple(dict.fromkeys(found))


def _version(contents: Callable[[str], bytes | None]) -> str:
    """The last word of the first line of the file ``version`` (source: ``ReadVersion`` of internal/charm)."""
    text = contents('version') or b''
    words = text.decode(errors='replace').partition('\n')[0].split()
    return words[-1] if words else ''


def _version_of_folder(path: pathlib.Path, contents: Callable[[str], bytes | None]) -> str:
    """As git describes the folder, if it is in a work tree; else what the file ``version`` says.

    Source: ``MaybeGenerateVersionString`` of internal/charm/charmdir.go, which gives git two seconds.
    """
    inside = _git(path, 'rev-parse', '--is-inside-work-tree')
    if inside is None:
        return _version(contents)
    return _git(path, 'describe', '--dirty', '--always') or ''


def _git(path: pathlib.Path, *words: str) -> str | None:
    """What git says; None if it fails, or is not there. No program that the work tree names is run."""
    plain = ('-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null')
    try:
        done = subprocess.run(
            ['git', *plain, *words],
            cwd=path,
            capture_output=True,
            text=True,
            timeout=_GIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


_GIT_S = 2.0


def _packed(path: pathlib.Path) -> Source:
    why = 'damaged' if zipfile.is_zipfile(path) else 'not a zip file'
    with archive.reading(f'"{path}" is not a charm: {why}'), zipfile.ZipFile(path) as zipped:
        archive.check(zipped, path.name)
        names = set(zipped.namelist())

        def contents(name: str) -> bytes | None:
            return archive.contents(zipped, name) if name in names else None

        if 'metadata.yaml' not in names:
            raise charm_.Invalid(f'"{path}" is not a charm: it has no metadata.yaml')
        files = _files(contents)
        charm = charmparse.parse(files, version=_version(contents))
    return Source(path, True, charm, files)
