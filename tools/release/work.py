"""What steps are done with: a command that says why it failed, a folder that is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Generator


class FailedError(Exception):
    """A step could not be done; the text says what, where, and what would be right."""


def run(words: list[str], cwd: pathlib.Path, **more: str) -> str:
    """A command's output.

    Raises:
        FailedError: it failed; with the end of what it said.
    """
    environment = {**os.environ, 'LC_ALL': 'C.UTF-8', **more}
    for name in ('GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE'):
        environment.pop(
            name, None
        )  # From within a hook of git they would mean another repository.
    try:
        done = subprocess.run(
            words, cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise FailedError(f'{words[0]} cannot be run: {error.strerror or error}') from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-12:]
        raise FailedError(
            f'{pathlib.Path(words[0]).name} {" ".join(words[1:3])} failed: ' + '\n'.join(said)
        )
    return done.stdout


@contextlib.contextmanager
def made(target: pathlib.Path) -> Generator[pathlib.Path]:
    """A folder beside *target* that takes its place once all in it is made; where that fails, nothing is changed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = pathlib.Path(tempfile.mkdtemp(prefix=f'.{target.name}-', dir=target.parent))
    try:
        aside.chmod(0o755)
        yield aside
        if target.exists():
            shutil.rmtree(target)
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
