"""What an agent runs, written down, so that the next one ends what a dead one left. Part of the agent.

An agent that is killed cannot kill what it runs; the controller has its hook run again at once, and the two would run
side by side.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterable
from pathlib import Path

NAME = 'running.json'


def begun(pid: int) -> str:
    """When a process was started, in the kernel's count; empty if there is none. It tells it from a later one."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]
    except (OSError, IndexError):
        return ''


def keep(state: Path, pids: Iterable[int]) -> None:
    """Write down which programs run, each the leader of its process group; on a full disk nothing is."""
    fresh = state / f'{NAME}.new'
    with contextlib.suppress(OSError):
        state.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps({str(pid): begun(pid) for pid in pids}))
        fresh.replace(state / NAME)


def end(state: Path) -> None:
    """Kill, with their process groups, the programs that were written down and still run."""
    try:
        known = json.loads((state / NAME).read_text())
        found = [(int(pid), str(since)) for pid, since in known.items()]
    except (OSError, ValueError, AttributeError):
        return
    for pid, since in found:
        if since and begun(pid) == since:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        (state / NAME).unlink()
