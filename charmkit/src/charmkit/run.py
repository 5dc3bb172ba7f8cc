"""Run a program to its end: the edge's way to start anything."""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import host, machine

_log = logging.getLogger(__name__)
_OUTPUT_SHOWN = 2000
_OUTPUT_TOLD = 65_536
_PIECE = 1 << 20


class CommandError(Exception):
    """A command did not succeed: what it was, its status, and the end of what it said."""

    def __init__(self, what: str, returncode: int, output: str):
        super().__init__(
            f'{what} ended with {returncode}: {machine.without_secrets(output)[-_OUTPUT_SHOWN:].strip()}'
        )
        self.output = output


def program(*argv: str, environment: Mapping[str, str] | None = None) -> str:
    """Run *argv* and return what it said, errors included.

    It does not find the modules of the charm: packages run Python of their own while they are installed.

    Raises:
        CommandError: when it does not end with 0.
    """
    done = subprocess.run(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env={k: v for k, v in os.environ.items() if k != 'PYTHONPATH'} | {**(environment or {})},
        text=True,
        errors='replace',
        check=False,
    )
    if done.returncode:
        raise CommandError(' '.join(argv), done.returncode, done.stdout)
    return done.stdout


def command(c: host.Command) -> str:
    """Run *c* as its user, in an environment of its own, as often as it says that there is more to do.

    Returns '' when it is done; what it said, where it did not succeed and may fail.

    Raises:
        CommandError: when it does not end as it should, or not in time.
    """
    try:
        _to_its_end(c)
    except CommandError as e:
        if not c.may_fail:
            raise
        _log.error('%s', e)
        return e.output[-_OUTPUT_TOLD:] or str(e)
    return ''


def tried(trial: host.Command) -> str:
    """'' when the trial succeeds, else what it said last."""
    done = finished(
        trial.argv, user=trial.user, environment=trial.environment, timeout_s=trial.timeout_s
    )
    if not done.status:
        return ''
    said = done.output.strip().rpartition('\n')[2]
    if done.status < 0:
        said = f'nothing within {trial.timeout_s:.0f} s'
    return f'{trial.name}: {said}'


def _to_its_end(c: host.Command) -> None:
    end = time.monotonic() + c.timeout_s
    while True:
        left = end - time.monotonic()
        done = finished(c.argv, user=c.user, environment=c.environment, timeout_s=left)
        if done.status in c.repeat_on and left > 0:
            continue
        if done.status < 0:
            what = f'{c.name} (stopped after {c.timeout_s:.0f} s)'
            raise CommandError(what, done.status, done.output)
        if done.status not in c.accepted:
            raise CommandError(c.name, done.status, done.output)
        return


def finished(
    argv: Sequence[str],
    *,
    user: str = 'root',
    stdin: str = '',
    environment: Mapping[str, str] | None = None,
    timeout_s: float,
) -> machine.Finished:
    """Run *argv* as *user*, in an environment of its own: the usual paths, that user's home, *environment*.

    Status 127, as in a shell, when there is no such program, or no such user; -1 when it was stopped at its time limit.
    """
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        return machine.Finished(127, f'there is no user {user}')
    own = {**_own(account), **(environment or {})}
    other: dict[str, Any] = {}
    if account.pw_uid != os.geteuid():
        groups = os.getgrouplist(account.pw_name, account.pw_gid)
        other = {'user': account.pw_uid, 'group': account.pw_gid, 'extra_groups': groups}
    try:
        done = subprocess.run(
            argv,
            env=own,
            cwd='/',
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
            timeout=max(timeout_s, 0.001),
            check=False,
            **other,
        )
    except subprocess.TimeoutExpired as e:
        said = e.stdout.decode(errors='replace') if isinstance(e.stdout, bytes) else ''
        return machine.Finished(-1, said)
    except OSError as e:
        return machine.Finished(127, str(e))
    return machine.Finished(_status(done.returncode), done.stdout)


def streamed(
    argv: Sequence[str], source: Iterable[bytes], sink: machine.Sink | None
) -> machine.Finished:
    """Run *argv* as root, with *source* as its input; what it puts out goes to *sink* piece by piece, else nowhere.

    What it says of errors is the output. Status 127 when there is no such program. An exception of *source* or *sink*
    ends it.
    """
    with tempfile.TemporaryFile() as errors:
        try:
            child = subprocess.Popen(
                argv,
                env=_own(pwd.getpwuid(0)),
                cwd='/',
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if sink else subprocess.DEVNULL,
                stderr=errors,
            )
        except OSError as e:
            return machine.Finished(127, str(e))
        with child:
            assert child.stdin is not None  # noqa: S101 -- a pipe was asked for.
            try:
                # When it stops reading, its own words say why.
                with contextlib.suppress(BrokenPipeError):
                    for piece in source:
                        child.stdin.write(piece)
                with contextlib.suppress(BrokenPipeError):
                    child.stdin.close()
                while sink and child.stdout and (piece := child.stdout.read(_PIECE)):
                    sink(piece)
            except BaseException:
                child.kill()
                raise
            status = child.wait()
        errors.seek(0)
        return machine.Finished(_status(status), errors.read().decode(errors='replace'))


def progress(line: str) -> None:
    """Show *line* to the operator whose action this is (Juju's hook tool ``action-log``); outside of one, nobody."""
    with contextlib.suppress(OSError):
        subprocess.run(('action-log', '--', line), check=False, capture_output=True)


def _own(account: pwd.struct_passwd) -> dict[str, str]:
    return {
        'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'LANG': 'C.UTF-8',
        'HOME': account.pw_dir,
        'USER': account.pw_name,
    }


def _status(returncode: int) -> int:
    # Of one that a signal ended (memory ran out, say) a shell says 128 and the signal's number.
    return returncode if returncode >= 0 else 128 - returncode
