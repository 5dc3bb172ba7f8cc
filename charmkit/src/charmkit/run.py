"""Run a program to its end: the edge's way to start anything."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Mapping

from . import host

_OUTPUT_SHOWN = 2000


class CommandError(Exception):
    """A command did not succeed: what it was, its status, and the end of what it said."""

    def __init__(self, what: str, returncode: int, output: str):
        super().__init__(f'{what} ended with {returncode}: {output[-_OUTPUT_SHOWN:].strip()}')


def program(*argv: str, environment: Mapping[str, str] | None = None) -> str:
    """Run *argv* and return what it said, errors included.

    Raises:
        CommandError: when it does not end with 0.
    """
    done = subprocess.run(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
        text=True,
        errors='replace',
        check=False,
    )
    if done.returncode:
        raise CommandError(' '.join(argv), done.returncode, done.stdout)
    return done.stdout


def command(c: host.Command) -> None:
    """Run *c* as its user, in an environment of its own.

    Raises:
        CommandError: when it does not end with 0, or not in time.
    """
    account = pwd.getpwnam(c.user)
    groups = os.getgrouplist(account.pw_name, account.pw_gid)
    environment = {
        'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'LANG': 'C.UTF-8',
        'HOME': account.pw_dir,
        'USER': account.pw_name,
        **c.environment,
    }
    try:
        done = subprocess.run(
            c.argv,
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=groups,
            env=environment,
            cwd='/',
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
            timeout=c.timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        said = e.stdout.decode(errors='replace') if isinstance(e.stdout, bytes) else ''
        what = f'{c.name} (stopped after {c.timeout_s:.0f} s)'
        raise CommandError(what, -1, said) from e
    if done.returncode:
        raise CommandError(c.name, done.returncode, done.stdout)
