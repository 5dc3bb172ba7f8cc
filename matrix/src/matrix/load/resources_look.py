"""Runs on a machine of the model: prints what each of its services has, as one line of JSON."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

_ROOTS = ('/var/log', '/var/lib', '/var/tmp', '/tmp', '/srv', '/opt')  # noqa: S108  # whatever is there is counted
_FILES = 20_000  # that are counted at most
_SECONDS = 1.5  # that counting them takes at most


def _group(pid: str) -> str:
    """The control group that systemd has a process in, in either version of control groups."""
    for line in Path(f'/proc/{pid}/cgroup').read_text().splitlines():
        number, controllers, path = line.split(':', 2)
        if path != '/' and (number == '0' or controllers == 'name=systemd'):
            return path
    return ''


def _root() -> str | None:
    """What the groups of this machine's own services begin with; None where systemd is not its first process."""
    group = _group('1')
    return group.removesuffix('/init.scope') if group.endswith('/init.scope') else None


def _service(pid: str, root: str) -> str:
    """The service of this very machine that a process is of: not one of a container in it."""
    slice_, _, rest = _group(pid).removeprefix(root).removeprefix('/').partition('/')
    name = rest.partition('/')[0]
    return name if slice_ == 'system.slice' and name.endswith('.service') else ''


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


def _add(found: dict[str, dict[str, int]], pid: str, established: set[str], root: str) -> None:
    service = _service(pid, root)
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


def _services(root: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    established = _established()
    for pid in os.listdir('/proc'):  # names alone
        if pid.isdigit():
            try:
                _add(found, pid, established, root)
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
    began, root = time.monotonic(), _root()
    if root is None:
        return
    said: dict[str, object] = {'host': os.uname().nodename, 'services': _services(root)}
    if (disk := _disk()) is not None:
        said['disk'] = disk
    print(json.dumps({**said, 'took': round(time.monotonic() - began, 3)}))


if __name__ == '__main__':
    main()
