"""Limits of the host's kernel that all machines share, and that are made for one system, not for thirty.

Every systemd takes half a dozen inotify instances; at the kernel's 128 for a user, about the twentieth machine hangs
half started. Container managers ask for the same settings in their guides. Raised while the host runs, never lowered.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

logger = logging.getLogger(__name__)

WANTED = {
    'fs.inotify.max_user_instances': 8192,
    'fs.inotify.max_user_watches': 524288,
    'fs.inotify.max_queued_events': 65536,
    'fs.aio-max-nr': 1048576,
    'kernel.keys.maxkeys': 2000,
}
"""Least value of each setting."""


def lacking(now: Mapping[str, int]) -> dict[str, int]:
    """Settings of *now* that are too low, with what they should be."""
    return {name: least for name, least in WANTED.items() if now.get(name, least) < least}


def settings() -> dict[str, int]:
    """The settings as they are; those that this kernel does not have are left out."""
    found: dict[str, int] = {}
    for name in WANTED:
        try:
            found[name] = int(_path(name).read_text())
        except (OSError, ValueError):
            continue
    return found


def provide() -> None:
    """Raise what is too low; what may not be raised is logged (and found by the doctor)."""
    for name, value in lacking(settings()).items():
        try:
            _path(name).write_text(f'{value}\n')
            logger.info('raised %s to %d', name, value)
        except OSError as error:
            logger.warning('%s cannot be raised to %d: %s', name, value, error.strerror)


def _path(name: str) -> Path:
    return Path('/proc/sys') / name.replace('.', '/')
