"""What is put in place of a bundle's charms: `APPLICATION=CANDIDATE`, a folder, an archive or a revision."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import zipfile
import zlib
from collections.abc import Sequence

import yaml

from matrix.grammar import located, problem
from matrix.run import bundlefile

_REVISION = re.compile(r'(?P<revision>\d+)(?:@(?P<channel>[\w./-]+))?\Z')
_METADATA = ('metadata.yaml', 'charmcraft.yaml')
_MOST = 1 << 20  # bytes of a charm's metadata
_UNREADABLE = (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What `zipfile` raises for archives that are damaged, encrypted (RuntimeError) or compressed in another way."""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One application and what it is to run: a path on this machine, or a revision and perhaps its channel."""

    application: str
    path: pathlib.Path | None = None
    revision: int | None = None
    channel: str = ''

    @property
    def words(self) -> str:
        """What it is, for people."""
        if self.path is not None:
            return f'{self.application}={self.path}'
        channel = f'@{self.channel}' if self.channel else ''
        return f'{self.application}={self.revision}{channel}'


def read(said: Sequence[tuple[str, str]], bundle: bundlefile.Bundle) -> tuple[Candidate, ...]:
    """The candidates that a user named, each looked at.

    Args:
        said: application and candidate, as given.
        bundle: that they are put into.

    Raises:
        problem.RefusedError: with every one that cannot be used, and what would be right.
    """
    found: list[Candidate] = []
    problems: list[problem.Problem] = []
    for application, word in said:
        try:
            if application in (one.application for one in found):
                raise _refused(application, word, 'this application is replaced twice')
            found.append(_candidate(application, word, bundle))
        except problem.RefusedError as refused:
            problems += refused.problems
    if problems:
        raise problem.RefusedError(problems)
    return tuple(found)


def overlay(some: Sequence[Candidate]) -> str:
    """The overlay that puts them into the bundle. Pure."""
    applications: dict[str, dict[str, str | int]] = {}
    for one in some:
        if one.path is not None:
            applications[one.application] = {'charm': str(one.path)}
        elif one.revision is not None:
            channel = {'channel': one.channel} if one.channel else {}
            applications[one.application] = {'revision': one.revision, **channel}
    return yaml.safe_dump({'applications': applications}, sort_keys=False)


def into(bundle: bundlefile.Bundle, some: Sequence[Candidate]) -> bundlefile.Bundle:
    """The bundle with them, as far as a run must know of it. Pure."""
    charms = dict(bundle.charms)
    for one in some:
        charms.pop(one.application, None)
        if one.path is not None:
            charms[one.application] = str(one.path)
    return dataclasses.replace(bundle, charms=charms)


def _candidate(application: str, word: str, bundle: bundlefile.Bundle) -> Candidate:
    if application not in bundle.applications:
        near = problem.suggestion(application, bundle.applications)
        raise _refused(application, word, f'the bundle has no application {application!r}{near}')
    said = _REVISION.match(word)
    if said is not None and not pathlib.Path(word).exists():
        if local := bundle.charms.get(application):
            message = (
                f'the bundle has {application} from {local}, which has no revisions: give a path'
            )
            raise _refused(application, word, message)
        return Candidate(application, None, int(said['revision']), said['channel'] or '')
    if not word.strip():
        message = 'nothing is named: a candidate is a folder, a .charm or a revision'
        raise _refused(application, word, message)
    try:
        path = pathlib.Path(word).resolve()
    except (
        OSError,
        RuntimeError,
        ValueError,
    ) as error:  # A loop of links, a name too long or with a null byte in it.
        raise _refused(application, word, f'it cannot be read: {_reason(error)}') from error
    name = name_of(path, application, word)
    if local := bundle.charms.get(application):
        before = pathlib.Path(local)
        there = name_of(before, application, word) if before.exists() else name
        if there != name:
            message = f'this is the charm {name!r}, and the bundle has {there!r} there'
            raise _refused(application, word, message)
    return Candidate(application, path)


def name_of(path: pathlib.Path, application: str = '', word: str = '') -> str:
    """The name of the charm in a folder or an archive.

    Raises:
        problem.RefusedError: there is no charm.
    """
    try:
        if not path.exists():
            message = f'there is no {path}: a candidate is a folder, a .charm or a revision'
            raise _refused(application, word, message)
        if not path.is_dir() and not path.is_file():
            raise _refused(application, word, f'{path} is neither a folder nor a file')
        for name in _METADATA:
            text = _text(path, name)
            document = None if text is None else located.load(text, f'{path}/{name}')
            found = document.get('name') if isinstance(document, located.Mapping) else None
            if isinstance(found, located.Scalar) and isinstance(found.value, str):
                return found.value
    except problem.RefusedError:
        raise
    except _UNREADABLE as error:
        raise _refused(application, word, f'{path} cannot be read: {_reason(error)}') from error
    message = f'{path} is no charm: it has no {" or ".join(_METADATA)} with a name'
    raise _refused(application, word, message)


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _text(path: pathlib.Path, name: str) -> str | None:
    if path.is_dir():
        file = path / name
        if not file.is_file():
            return None
        with file.open('rb') as opened:
            read = opened.read(_MOST + 1)
    else:
        with zipfile.ZipFile(path) as archive:
            if name not in archive.namelist():
                return None
            with archive.open(name) as opened:
                read = opened.read(_MOST + 1)
    if len(read) > _MOST:
        raise OSError(f'{name} is larger than {_MOST} bytes')
    return read.decode()


def _refused(application: str, word: str, message: str) -> problem.RefusedError:
    where = problem.Where(f'--replace {application}={word}', 1)
    return problem.RefusedError([problem.Problem(where, message)])
