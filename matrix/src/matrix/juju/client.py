"""jubilant, with a deadline for every call, and no `juju` left behind when nobody waits for it any more."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from typing import Any

import jubilant


class OverdueError(Exception):
    """A `juju` command took longer than it was given, and was ended."""


class Client(jubilant.Juju):
    """One call to Juju, or a few one after the other: each has `within` seconds.

    A command has a process group of its own: what it started ends with it, and an interrupt of the runner's terminal,
    which is for the runner alone, does not cut short a heal.
    """

    def __init__(self, model: str | None, *, within: float, program: str = 'juju'):
        super().__init__(model=model, cli_binary=program)
        self.within = within
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def end(self) -> None:
        """End the command that runs, and let no other begin; to be called from another thread."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                _kill(self._process)

    def both(self, *args: str, stdin: str | None = None) -> tuple[str, str]:
        """As `cli`; returns standard output and standard error."""
        return self._cli(*args, stdin=stdin)

    def _cli(
        self,
        *args: str,
        include_model: bool = True,
        stdin: str | None = None,
        **_: Any,
    ) -> tuple[str, str]:
        if include_model and self.model is not None:
            args = (args[0], '--model', self.model, *args[1:])
        command = [self.cli_binary, *args]
        with self._lock:
            if self._ended:
                raise OverdueError(f'juju {args[0]} was not begun: nobody waits for it')
            self._process = process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        said = None if stdin is None else stdin.encode()
        try:
            output, errors = process.communicate(said, timeout=self.within)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.communicate()
            raise OverdueError(f'juju {args[0]} did not end within {self.within:g} s') from None
        finally:
            with self._lock:
                self._process = None
        stdout, stderr = output.decode(errors='replace'), errors.decode(errors='replace')
        if process.returncode:
            raise jubilant.CLIError(process.returncode, command, stdout, stderr)
        return stdout, stderr


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
