"""Where everything that belongs to one user's jujulet lives on the host.

One root folder, private to the user (mode 0700): ``$JUJULET_DATA``, else ``$XDG_DATA_HOME/jujulet``, else
``~/.local/share/jujulet``.
"""

from __future__ import annotations

import os
import pathlib


def root() -> pathlib.Path:
    """The root folder; made, and made private, if it is not there."""
    text = os.environ.get('JUJULET_DATA', '')
    if text:
        folder = pathlib.Path(text).expanduser().absolute()
    else:
        data = os.environ.get('XDG_DATA_HOME', '') or '~/.local/share'
        folder = pathlib.Path(data).expanduser() / 'jujulet'
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def database(folder: pathlib.Path) -> pathlib.Path:
    """The one SQLite file that holds all models."""
    return folder / 'jujulet.db'


def socket(folder: pathlib.Path) -> pathlib.Path:
    """Where the controller listens for commands."""
    return folder / 'controller.socket'


def lock(folder: pathlib.Path) -> pathlib.Path:
    """Held by the controller that serves this folder."""
    return folder / 'controller.lock'


def log(folder: pathlib.Path) -> pathlib.Path:
    """What the controller itself says."""
    return folder / 'controller.log'


def charms(folder: pathlib.Path) -> pathlib.Path:
    """Runnable charm folders, each under its digest."""
    return folder / 'charms'


def blobs(folder: pathlib.Path) -> pathlib.Path:
    """Resources, each under its digest."""
    return folder / 'blobs'
