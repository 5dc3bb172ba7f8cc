"""The files that a service last came up with, kept so that they can be put back."""

from __future__ import annotations

import json
import pathlib

from . import files, host


class LastGood:
    """What is kept of each service: a copy of every file that it reads, for root alone.

    Args:
        root: the directory of the copies.
    """

    def __init__(self, root: pathlib.Path):
        self._root = root

    def keep(self, service: str, desired: host.Host) -> None:
        """Remember the files of *service*: it has come up with them."""
        good = {file.path: file.content for file in _of(service, desired)}
        if good != self._kept(service):
            files.write(self._path(service), json.dumps(good), mode=0o600)

    def put_back(self, service: str, desired: host.Host) -> bool:
        """Put those files in the place of what *desired* has; whether that changes anything.

        A file that it has come up without goes. What has never come up keeps what it has.
        """
        kept = self._kept(service)
        if kept is None:
            return False
        changed = False
        for file in _of(service, desired):
            path, good = pathlib.Path(file.path), kept.get(file.path)
            if good == _read(path):
                continue
            changed = True
            if good is None:
                path.unlink()
            else:
                files.write(path, good, file.mode, file.owner, file.group)
        return changed

    def _path(self, service: str) -> pathlib.Path:
        return self._root / f'{service.replace("/", "_")}.json'

    def _kept(self, service: str) -> dict[str, str] | None:
        try:
            return json.loads(self._path(service).read_text())
        except FileNotFoundError:
            return None


def in_place(service: str, desired: host.Host) -> bool:
    """Whether every file of *service* lies there as *desired* has it."""
    return all(_read(pathlib.Path(f.path)) == f.content for f in _of(service, desired))


def _of(service: str, desired: host.Host) -> list[host.File]:
    return [file for file in desired.files if service in file.notify]


def _read(path: pathlib.Path) -> str | None:
    try:
        return path.read_bytes().decode(errors='replace')
    except (FileNotFoundError, NotADirectoryError):
        return None
