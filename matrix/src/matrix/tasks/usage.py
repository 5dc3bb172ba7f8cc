"""What the machines of a model use: memory, connections, open files, processes. One script a machine."""

from __future__ import annotations

import asyncio
import collections
import os
from collections.abc import Mapping

from matrix.grammar import located
from matrix.juju import link
from matrix.plans import snapshot

# A machine that is no more than processes of its host has that host's /proc: it is told apart by what it calls itself.
_SCRIPT = """
echo "host $(cat /proc/sys/kernel/random/boot_id) $(readlink /proc/self/ns/pid)"
page=$(getconf PAGESIZE)
echo "memory $(cat /proc/[0-9]*/statm 2>/dev/null | awk -v page="$page" '{n += $2} END {print n * page}')"
echo "processes $(ls -d /proc/[0-9]* | wc -l)"
echo "files $(ls /proc/[0-9]*/fd 2>/dev/null | grep -c '^[0-9]')"
echo "connections $(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "01"' | wc -l)"
"""

SORTS = ('memory', 'connections', 'files', 'processes')


async def look(at: link.Link) -> dict[str, located.Plain]:
    """What the machines of each application use, all its units together; bytes and counts.

    A machine that cannot be asked, or that shares its processes with another, leaves its applications out.
    """
    model = at.now()
    here = await asyncio.to_thread(_own)

    async def one(machine: snapshot.Machine) -> str:
        try:
            return (await at.script(machine.id, _SCRIPT)).output
        except link.LinkError:
            return ''

    said = await asyncio.gather(*(one(machine) for machine in model.machines))
    return used(
        model, {one.id: text for one, text in zip(model.machines, said, strict=True)}, here
    )


def _own() -> str:
    """What this machine calls itself; '' where it has no such name."""
    try:
        with open('/proc/sys/kernel/random/boot_id', encoding='ascii') as file:
            boot = file.read().strip()
        return f'{boot} {os.readlink("/proc/self/ns/pid")}'
    except OSError:
        return ''


def used(model: snapshot.Model, said: Mapping[str, str], here: str) -> dict[str, located.Plain]:
    """What the scripts' output by machine comes to, by application. Pure.

    Args:
        model: the model as it is.
        said: the output of each machine; '' of one that could not be asked.
        here: what this machine calls itself.
    """
    machines = {machine: _read(text) for machine, text in said.items()}
    names = collections.Counter(str(one.get('host', '')) for one in machines.values())
    found: dict[str, located.Plain] = {}
    for application in model.applications:
        on = {unit.machine for unit in application.units}
        some = [machines.get(machine, {}) for machine in sorted(on)]
        own = all(one.keys() >= {'host', *SORTS} for one in some) and all(
            names[str(one['host'])] == 1 and one['host'] != here for one in some
        )
        if some and own:
            found[application.name] = {sort: sum(int(one[sort]) for one in some) for sort in SORTS}
    return found


def _read(text: str) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for line in text.splitlines():
        key, _, value = line.partition(' ')
        if key == 'host':
            found[key] = value.strip()
        elif key in SORTS and value.strip().isdecimal():
            found[key] = int(value)
    return found
