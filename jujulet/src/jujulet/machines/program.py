"""Lays the agent out on the host so that a machine can run it, whatever becomes of our own installation."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

SCRIPT = 'jujud-agent.py'
_SOURCES = {
    SCRIPT: Path(__file__).with_name('agent.py'),
    'jujulet/machines/messages.py': Path(__file__).with_name('messages.py'),
}


def install(state: Path) -> Path:
    """Copy the agent below *state*, once for each version of it, and give the path of its script."""
    digest = hashlib.sha256(b''.join(p.read_bytes() for p in _SOURCES.values())).hexdigest()[:12]
    folder = state / 'agent' / digest
    if not folder.exists():
        fresh = folder.with_name(f'{digest}.{os.getpid()}')
        for name, source in _SOURCES.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, fresh / name)
        try:
            fresh.rename(folder)
        except OSError:  # Another machine was quicker.
            shutil.rmtree(fresh)
    return folder / SCRIPT
