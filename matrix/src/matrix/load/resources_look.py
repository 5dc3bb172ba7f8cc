"""Runs on a machine of the model: prints what each of its services has, as one line of JSON."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

_ROOTS = ('/var/log', '/var/lib', '/var/tmp', '/tmp', '/srv', '/opt')  # noqa: S108  # whatever is there is counted
_FILES = 20_000  # that are counted at most
_SECONDS = 1.5  # that counting them takes at most


def _service(pid: str) -> str:
    for line in Path(f'/proc/{pid}/cgroup').read_text().splitlines():
        for part in reversed(line.split('/')):
            if part.endswith('.service'):
                return part
    return ''


def _established() -> set[str]:
    """Sockets that are connected, or that we left open when the other end closed."""
    found: set[str] = set()
    for name in ('tcp', 'tcp6'):
        path = Path(f'/proc/net/{name}')
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            words = line.split()
            if words[3] in {'01', '08'}:
                found.add(words[9])
    return found


def _limit(pid: str) -> int:
    for line in Path(f'/proc/{pid}/limits').read_text().splitlines():
        if line.startswith('Max open files'):
            word = line.split()[3]
            return int(word) if word.isdigit() else 0
    return 0


def _add(found: dict[str, dict[str, int]], pid: str, established: set[str]) -> None:
    service = _service(pid)
    if not service:
        return
    resident = int(Path(f'/proc/{pid}/statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE')
    started = int(Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19])
    names = os.listdir(f'/proc/{pid}/fd')  # names alone
    connections = 0
    for name in names:
        try:
            to = os.readlink(f'/proc/{pid}/fd/{name}')  # a socket is no path
        except OSError:
            continue
        connections += to.startswith('socket:[') and to[8:-1] in established
    one = found.setdefault(
        service,
        {
            'memory': 0,
            'descriptors': 0,
            'processes': 0,
            'connections': 0,
            'started': started,
            'limit': _limit(pid),
        },
    )
    one['memory'] += resident
    one['descriptors'] += len(names)
    one['processes'] += 1
    one['connections'] += connections
    one['started'] = min(one['started'], started)


def _services() -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    established = _established()
    for pid in os.listdir('/proc'):  # names alone
        if pid.isdigit():
            try:
                _add(found, pid, established)
            except (OSError, IndexError, ValueError):
                continue  # It has ended.
    return found


def _disk() -> int | None:
    """Bytes of this machine's own files; None where they are too many to count."""
    total = count = 0
    end = time.monotonic() + _SECONDS
    for root in _ROOTS:
        for folder, _, names in os.walk(root):
            for name in names:
                count += 1
                if count > _FILES or time.monotonic() > end:
                    return None
                try:
                    total += Path(folder, name).lstat().st_blocks * 512
                except OSError:
                    continue
    return total


def main() -> None:
    """Look once."""
    began = time.monotonic()
    said: dict[str, object] = {'services': _services()}
    if (disk := _disk()) is not None:
        said['disk'] = disk
    print(json.dumps({**said, 'took': round(time.monotonic() - began, 3)}))


if __name__ == '__main__':
    main()
