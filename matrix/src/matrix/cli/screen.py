"""`-s tui`: the live view beside a run, as a process of its own, so that nothing that it does can touch the run."""

from __future__ import annotations

import contextlib
import importlib.util
import pathlib
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence


def wanted(skin: str) -> bool:
    """Whether a full screen was asked for, and can be had: a terminal, and Textual. Says so when it cannot."""
    if skin != 'tui':
        return False
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        print('this is no terminal: lines instead of a full screen', file=sys.stderr)
        return False
    if importlib.util.find_spec('textual') is None:
        print(
            "Textual is not installed (pip install 'rambla-matrix[tui]'): lines instead",
            file=sys.stderr,
        )
        return False
    return True


@contextlib.contextmanager
def beside(
    on: bool,
    directory: pathlib.Path,
    *,
    command: Sequence[str] = (sys.executable, '-m', 'matrix.cli', 'watch'),
) -> Generator[Callable[[], bool]]:
    """Show a run's folder while inside; what is given says whether the terminal is free for lines.

    Leaving waits until the view is closed (`q`): a run that is over can still be looked at.
    """
    viewer = subprocess.Popen([*command, str(directory)]) if on else None
    try:
        yield lambda: viewer is None or viewer.poll() is not None
    finally:
        if viewer is not None:
            with contextlib.suppress(KeyboardInterrupt):
                viewer.wait()
            if viewer.poll() is None:
                viewer.terminate()
                viewer.wait()
