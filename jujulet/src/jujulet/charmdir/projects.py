"""What ``pyproject.toml`` and requirements files say about a charm's Python dependencies."""

from __future__ import annotations

import pathlib
import re
import tomllib
from collections.abc import Iterator
from typing import Any, cast

from ..core import charm as charm_


def load(file: pathlib.Path) -> dict[str, Any]:
    """The contents of a ``pyproject.toml``; {} if there is none.

    Raises:
        charm.Invalid: it is not TOML.
    """
    try:
        return tomllib.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise charm_.Invalid(f'{file}: not valid TOML: {error}') from None


def table(data: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The table at *keys*, {} where there is none."""
    for key in keys:
        value = data.get(key)
        data = cast('dict[str, Any]', value) if isinstance(value, dict) else {}
    return data


def _list(value: Any) -> list[Any]:
    return cast('list[Any]', value) if isinstance(value, list) else []


def path_dependencies(pyproject: pathlib.Path) -> Iterator[tuple[str, pathlib.Path]]:
    """(name, folder or file) of every dependency that ``[tool.uv.sources]`` takes from a path, theirs included."""
    seen: set[pathlib.Path] = set()
    waiting = [pyproject]
    while waiting:
        file = waiting.pop()
        sources = table(load(file), 'tool', 'uv', 'sources')
        for name, raw in sorted(sources.items()):
            for entry in cast('list[Any]', raw if isinstance(raw, list) else [raw]):
                found = _place(file.parent, name, cast('dict[str, Any]', entry))
                if found is not None and found not in seen:
                    seen.add(found)
                    yield name, found
                    waiting.append(found / 'pyproject.toml')


def _place(folder: pathlib.Path, name: str, entry: dict[str, Any]) -> pathlib.Path | None:
    if 'path' in entry:
        return (folder / str(entry['path'])).resolve()
    if not entry.get('workspace'):
        return None
    for root in (folder, *folder.parents):
        members = table(load(root / 'pyproject.toml'), 'tool', 'uv', 'workspace').get('members')
        for pattern in _list(members):
            for member in sorted(root.glob(str(pattern))):
                project = table(load(member / 'pyproject.toml'), 'project')
                if _normal(str(project.get('name', ''))) == _normal(name):
                    return member.resolve()
    return None


def _normal(name: str) -> str:
    return re.sub(r'[-_.]+', '-', name).lower()


def requirement_files(file: pathlib.Path) -> Iterator[pathlib.Path]:
    """A requirements file, those that it includes with ``-r`` and ``-c``, and the folders that it installs."""
    seen: set[pathlib.Path] = set()
    waiting = [file]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        yield current
        if current.is_dir() or current.suffix in ('.whl', '.gz'):
            continue
        if not current.is_file():
            raise charm_.Invalid(f'{current}: no such file, though the charm requires it')
        for line in current.read_text(errors='replace').splitlines():
            place = _named(line.partition(' #')[0].strip())
            if place:
                waiting.append((current.parent / place).resolve())


def _named(line: str) -> str:
    """The path that a line of a requirements file names, if it names one."""
    option = re.match(r'(?:-r|-c|-e|--requirement|--constraint|--editable)[ =]?\s*(\S+)', line)
    word = option.group(1) if option else line
    if option or word.startswith(('.', '/')):
        return '' if '://' in word else word
    return ''


def constraints(folder: pathlib.Path) -> pathlib.Path | None:
    """The nearest ``constraints.txt`` from *folder* upward, within its checkout.

    Without a checkout, three folders up at most, and only one that belongs to the charm's owner.
    """
    owner = folder.stat().st_uid
    for level, place in enumerate((folder, *folder.parents)):
        file = place / 'constraints.txt'
        if file.is_file() and file.stat().st_uid == owner:
            return file
        if (place / '.git').exists() or level == 3:
            return None
    return None
