"""Looks through one machine for secrets: where they are kept, and where they must not be. Standard library alone.

:mod:`tools.secret_search` sends this text to a machine and runs it there as root. It is no part of a charm.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

SHORTEST = 12
"""Characters. What is shorter is no generated secret, and is found in every other file."""
LARGEST = 64 * 1024 * 1024
"""Bytes of a file that are looked through."""
KEPT = ('/etc', '/var/lib', '/root', '/usr/local/etc')
"""Where services keep what only they may read."""
LARGEST_CONFIGURATION = 1024 * 1024
"""Bytes of a file in which secrets are kept."""
NOT_FILES = frozenset({'/proc', '/sys', '/dev'})
PROGRAMS = frozenset({'/usr/share', '/usr/lib', '/usr/bin', '/usr/include', '/boot'})
"""What packages bring: nothing of a deployment is written there, and it is most of a machine."""

ASSIGNED = re.compile(
    rb'^[ \t]*[\w.-]*(?:password|secret|secret_key|passwd)[ \t]*=[ \t]*["\']?([^\s"\'#]+)', re.M
)
IN_URL = re.compile(rb'(?:\w://|,)[^:/@\s"\',]{1,64}:([^@/\s"\',]{1,256})@')
PRIVATE_KEY = re.compile(rb'-----BEGIN [A-Z ]*PRIVATE KEY-----\s+\S+\s+([A-Za-z0-9+/=]{16,76})')
FERNET = re.compile(rb'\A([A-Za-z0-9_-]{43}=)\s*\Z')


def secrets_in(text: bytes) -> set[bytes]:
    """Passwords, keys and the like that a file of a service's configuration holds.

    Of a private key that is its second line: the first is the same in many.
    """
    found = {m.group(1) for p in (ASSIGNED, IN_URL, PRIVATE_KEY, FERNET) for m in p.finditer(text)}
    return {f for f in found if len(f) >= SHORTEST and len(set(f)) > 4 and not f.startswith(b'/')}


def files(tops: Iterable[str], without: frozenset[str] = frozenset()) -> Iterator[str]:
    """Regular files below *tops*, no link followed, *without* what is below those folders."""
    for top in tops:
        for folder, below, names in os.walk(top):
            below[:] = [b for b in below if f'{folder.rstrip("/")}/{b}' not in without]
            for name in names:
                path = f'{folder.rstrip("/")}/{name}'
                with contextlib.suppress(OSError):
                    if stat.S_ISREG(os.lstat(path).st_mode):
                        yield path


def read(path: str, most: int = LARGEST) -> bytes:
    """At most so many bytes; none of what cannot be read, or has gone meanwhile."""
    try:
        with open(path, 'rb') as file:
            return file.read(most)
    except OSError:
        return b''


def others_can_read(path: str) -> bool:
    """Whether any user of the machine can: by the file's mode, and by that of each folder above it."""
    try:
        modes = [os.stat(p).st_mode for p in (path, *map(str, pathlib.PurePath(path).parents))]
    except OSError:
        return False
    return bool(modes[0] & stat.S_IROTH) and all(m & stat.S_IXOTH for m in modes[1:])


def gather() -> list[str]:
    """The secrets that services of this machine keep in files that not everybody may read."""
    found: set[bytes] = set()
    for path in files(KEPT):
        if not others_can_read(path):
            found |= secrets_in(read(path, LARGEST_CONFIGURATION))
    return sorted(f.decode(errors='surrogateescape') for f in found)


def arguments() -> dict[str, bytes]:
    """Of each process, by its number."""
    return {n: read(f'/proc/{n}/cmdline') for n in os.listdir('/proc') if n.isdigit()}


def watch(log: str, seconds: float) -> None:
    """Write the arguments of all processes that are seen within so many *seconds* to *log*, each once."""
    seen: set[bytes] = set()
    end = time.monotonic() + seconds
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'wb') as out:
        while time.monotonic() < end:
            for line in arguments().values():
                if line and line not in seen:
                    seen.add(line)
                    out.write(line + b'\n')
                    out.flush()
            time.sleep(0.01)


def places(known: list[str], watched: str, top: str = '/') -> list[list[Any]]:
    """Where any of *known* is that must not be: ``[place, index in known]``.

    In files below *top* that everybody can read, in logs and the journal, and in arguments of processes, also of those
    that the file *watched* lists.
    """
    as_bytes = [k.encode(errors='surrogateescape') for k in known]
    number = {k: n for n, k in enumerate(as_bytes)}
    pattern = re.compile(b'|'.join(map(re.escape, sorted(as_bytes, key=len, reverse=True))))
    found: set[tuple[str, int]] = set()

    def look(place: str, text: bytes) -> None:
        found.update((place, number[m.group()]) for m in pattern.finditer(text))

    if not as_bytes:
        return []
    for path in files((top,), NOT_FILES | PROGRAMS):
        if others_can_read(path):
            look(f'{path}, which everybody can read', read(path))
    for path in files(('/var/log',), frozenset({'/var/log/journal'})):
        look(f'the log {path}', read(path))
    journal = ['journalctl', '--no-pager', '--quiet', '--output=json', '--all']
    look('the journal', subprocess.run(journal, check=False, stdout=subprocess.PIPE).stdout)
    for line in arguments().values():
        look(f'arguments of {line.split(bytes(1))[0].decode(errors="replace")}', line)
    for line in read(watched).splitlines():
        look(f'arguments of {line.split(bytes(1))[0].decode(errors="replace")}, seen', line)
    return sorted(map(list, found))


def main(given: dict[str, Any]) -> None:
    """Do what is *given*, and write the result as JSON."""
    if given['do'] == 'gather':
        json.dump(gather(), sys.stdout)
    elif given['do'] == 'watch':
        if os.fork() == 0:
            os.setsid()
            for number in (0, 1, 2):
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
            watch(given['watched'], given['seconds'])
            os._exit(0)
        json.dump('watching', sys.stdout)
    else:
        json.dump(places(given['known'], given['watched']), sys.stdout)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(given['watched'])
