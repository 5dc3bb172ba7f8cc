"""A `juju` command: jubilant's, with a limit of time, and heard of while it is under way."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator
from typing import Any, cast

import jubilant

from lifecycle.problem import clean
from lifecycle.world import NotYetError, UnchangedError, WorldError

LOOK_S = 60.0
"""For a command that only looks."""
BEAT_S = 30.0
NOT_YET = 'not all units run'
"""With these words a charm says that its action is refused as long as other units run another release."""
UNCHANGED = 'Nothing was '
"""So begins what a charm says whose action has failed and has changed nothing, for sure."""
_SETTLE_S = 15.0


def error_of(why: str) -> type[WorldError]:
    """Of which kind an action's failure is, by what its charm says."""
    if NOT_YET in why:
        return NotYetError
    return UnchangedError if UNCHANGED in why else WorldError


class Client(jubilant.Juju):
    """jubilant, whose commands end within `within` seconds and are left alone by an interrupt of the terminal."""

    within: float = LOOK_S
    meanwhile: Callable[[], object] | None = None
    """What is called every `BEAT_S` while a command is under way."""

    def __init__(self, *, model: str | None, cli_binary: str, running: set[subprocess.Popen[str]]):
        super().__init__(model=model, cli_binary=cli_binary)
        self.running = running
        """What is under way, of all clients that share this."""

    @contextlib.contextmanager
    def limited(self, within: float) -> Generator[None]:
        """Commands in its body have so many seconds each.

        Raises:
            WorldError: one failed, or took longer.
        """
        self.within = within
        try:
            yield
        except jubilant.CLIError as error:
            said = clean(str(error.stderr or '').strip() or f'exit code {error.returncode}')
            why = _why(error) or said
            raise error_of(why)(f'juju {_verb(error)}: {why}') from None
        except OSError as error:
            raise WorldError(f'juju cannot be run: {error.strerror}') from None

    def ask(self, *args: str, within: float) -> str:
        """Standard output of a command on the model.

        Raises:
            WorldError: it failed, or took longer than so many seconds.
        """
        with self.limited(within):
            return self.cli(*args)

    def _cli(
        self, *args: str, include_model: bool = True, stdin: str | None = None, **_: Any
    ) -> tuple[str, str]:
        if include_model and self.model is not None:
            args = (args[0], '--model', self.model, *args[1:])
        process = subprocess.Popen(
            [self.cli_binary, *args],
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding='utf-8',
            errors='replace',
            start_new_session=True,
        )
        self.running.add(process)
        try:
            stdout, stderr = _result(process, stdin, self.within, self.meanwhile)
        except subprocess.TimeoutExpired:
            end(process)
            raise WorldError(f'juju {args[0]} did not end within {self.within:g} s') from None
        except BaseException:
            # What was asked for is let happen, so that the next look sees it.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=0.1 if args[0] in ('run', 'exec') else _SETTLE_S)
            end(process)
            raise
        finally:
            self.running.discard(process)
        if process.returncode:
            raise jubilant.CLIError(process.returncode, [self.cli_binary, *args], stdout, stderr)
        return stdout, stderr


def _result(
    process: subprocess.Popen[str],
    stdin: str | None,
    within: float,
    meanwhile: Callable[[], object] | None,
) -> tuple[str, str]:
    ends = time.monotonic() + within
    while meanwhile is not None and (left := ends - time.monotonic()) > BEAT_S:
        try:
            return process.communicate(stdin, timeout=min(BEAT_S, left))
        except subprocess.TimeoutExpired:
            meanwhile()
    return process.communicate(stdin, timeout=max(ends - time.monotonic(), 0.0))


def _verb(error: jubilant.CLIError) -> str:
    words = cast('list[str]', error.cmd)
    return ' '.join(word for word in words[1:2] if not word.startswith('-'))


def _why(error: jubilant.CLIError) -> str:
    """What an action says of why it failed: it stands in the answer, not in what the command complains of."""
    try:
        tasks: object = json.loads(str(error.stdout or ''))
    except (ValueError, RecursionError):
        return ''
    if not isinstance(tasks, dict):
        return ''
    said = (part(one, 'message') for one in cast('dict[str, object]', tasks).values())
    return '; '.join(clean(one) for one in said if one)


def end(process: subprocess.Popen[str]) -> None:
    """End what was begun, and all that it began."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def part(value: object, key: str) -> object:
    """What stands below *key*, where *value* is a mapping that has it."""
    return cast('dict[str, object]', value).get(key) if isinstance(value, dict) else None
