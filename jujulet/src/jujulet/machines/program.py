"""The agent's own files, as a machine is given them."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

SCRIPT = 'jujud-agent.py'


def sources() -> dict[str, str]:
    """Contents of the agent's files, by their path in the directory that it is run from."""
    here = Path(__file__).parent
    return {
        SCRIPT: (here / 'agent.py').read_text(),
        **{
            f'jujulet/machines/{name}': (here / name).read_text()
            for name in ('messages.py', 'leftovers.py')
        },
    }


def install(state: Path) -> Path:
    """Copy the agent below *state*, once for each version of it, and give the path of its script."""
    files = sources()
    digest = hashlib.sha256(''.join(files.values()).encode()).hexdigest()[:12]
    folder = state / 'agent' / digest
    if not folder.exists():
        fresh = folder.with_name(f'{digest}.{os.getpid()}')
        for name, content in files.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_text(content)
        try:
            fresh.rename(folder)
        except OSError:  # Another machine was quicker.
            shutil.rmtree(fresh)
    return folder / SCRIPT
