"""Charms that lie in a folder: packed (`NAME_….charm`) or as they are written (`NAME/` with a `charmcraft.yaml`)."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator, Mapping

from lifecycle.problem import ProblemError, clean

_LEFT_OUT = {'.git', '.venv', '__pycache__', 'tests', '.tox', 'node_modules', 'build'}


@dataclasses.dataclass(frozen=True)
class Charms:
    """What lies there."""

    folder: str
    paths: Mapping[str, str]
    """By the charm's name."""
    digest: str
    """Of all of it: another one is another target."""


def find(folder: pathlib.Path) -> Charms:
    """The charms in *folder*; one that is packed goes before one that is not.

    Raises:
        ProblemError: there is none; says where, and what would be right.
    """
    if not folder.is_dir():
        raise ProblemError(f'--charms {clean(folder)}: is no folder')
    written = {
        one.name: one
        for one in sorted(folder.iterdir())
        if (one / 'charmcraft.yaml').is_file() or (one / 'metadata.yaml').is_file()
    }
    packed = {one.name.partition('_')[0].removesuffix('.charm'): one for one in _packed(folder)}
    found = {**written, **packed}
    if not found:
        raise ProblemError(
            f'--charms {clean(folder)}: has neither NAME_….charm nor NAME/charmcraft.yaml in it'
        )
    digest = hashlib.sha256()
    for name, path in sorted(found.items()):
        for file in _files(path):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f'{name}\0{file.relative_to(folder)}\0{content}\n'.encode())
    where = folder.resolve()
    paths = {name: str(path.resolve()) for name, path in found.items()}
    return Charms(str(where), paths, digest.hexdigest()[:16])


def _packed(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    names: dict[str, pathlib.Path] = {}
    for one in sorted(folder.glob('*.charm')):
        name = one.name.partition('_')[0].removesuffix('.charm')
        if name in names:
            raise ProblemError(
                f'--charms {clean(folder)}: {names[name].name} and {one.name} are of one charm: leave one'
            )
        names[name] = one
    yield from names.values()


def _files(path: pathlib.Path) -> Iterator[pathlib.Path]:
    if path.is_file():
        yield path
        return
    for one in sorted(path.iterdir()):
        if one.name in _LEFT_OUT or one.is_symlink():
            continue
        if one.is_dir():
            yield from _files(one)
        else:
            yield one
