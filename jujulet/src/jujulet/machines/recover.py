"""After an unclean end: containers recorded as running that are dead, orphans, mounts, networks, half-made things."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from . import overlays
from .networks import Networks
from .protocol import MachineError
from .tools import Failed, run, there


def runs(seen: dict[str, Any]) -> bool:
    """Whether a container that podman describes so is truly there: process 1, and the monitor that will see it end.

    Podman goes by its records; after a power cut, or when all was killed, they are wrong.
    """
    state = seen['State']
    if not state['Running'] or state['Paused']:
        return False
    return _is(int(state['Pid']), seen['Id']) and _is(int(state.get('ConmonPid') or 0), seen['Id'])


def _is(pid: int, container: str) -> bool:
    """Whether a process belongs to a container, so that a number given out anew does not deceive."""
    if pid <= 0:
        return False
    try:
        description = (
            Path(f'/proc/{pid}/cgroup').read_bytes() + Path(f'/proc/{pid}/cmdline').read_bytes()
        )
    except OSError:
        return False
    return container.encode() in description


async def containers(token: str) -> dict[tuple[str, str], str]:
    """Containers of one state directory: (model, machine) and name. Without podman there are none."""
    if not there('podman'):
        return {}
    said = await run(
        ['podman', 'ps', '--all', f'--filter=label=jujulet.state={token}', '--format=json']
    )
    found: dict[tuple[str, str], str] = {}
    for each in json.loads(said or '[]'):
        labels: dict[str, str] = each.get('Labels') or {}
        found[labels.get('jujulet.model', ''), labels.get('jujulet.machine', '')] = each['Names'][
            0
        ]
    return found


async def remove(name: str) -> None:
    """Remove a container whatever state it is in; idempotent.

    Raises:
        MachineError: podman cannot.
    """
    if not there('podman'):
        return
    argv = ['podman', 'rm', '--force', '--time=0', '--ignore', name]
    try:
        await run(argv)
        return
    except Failed:
        await _kill(name)
    try:
        await run(argv)
    except Failed as failed:
        raise MachineError(
            f'container {name} cannot be removed: {failed.stderr.strip()}'
        ) from None


async def _kill(name: str) -> None:
    """Kill a container's process 1 without podman's help, and thaw it so that it can die."""
    try:
        seen = json.loads(await run(['podman', 'container', 'inspect', name]))[0]
    except Failed:
        return
    with contextlib.suppress(Failed):
        await run(['podman', 'unpause', name])
    pid = int(seen['State']['Pid'])
    if _is(pid, seen['Id']):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(Failed):
        await run(['podman', 'container', 'cleanup', name])


async def recover(
    stacks: overlays.Overlays,
    networks: Networks,
    destroy: Callable[[str, str], Awaitable[None]],
    discard: Callable[..., None],
    alive: set[tuple[str, str]],
) -> None:
    """Put right what is wrong. See ``protocol.Machines.recover``.

    *destroy* removes a machine; *discard* takes folders away at once, and deletes what is in them later.
    """
    places = stacks.folders
    found = await containers(places.token)
    for names, name in found.items():
        if names not in alive:
            await destroy(*names)
            continue
        seen = json.loads(await run(['podman', 'container', 'inspect', name]))[0]
        if seen['State']['Paused'] and _is(int(seen['State']['Pid']), seen['Id']):
            await run(['podman', 'unpause', name])  # We died while we took a layer.
        elif not runs(seen):
            await remove(name)
    for names in places.known():
        if names not in alive:
            await destroy(*names)
    wanted = {places.root(*names) for names in alive}
    for point in overlays.below(places.state / 'machines'):
        if point not in wanted:
            await run(['umount', '--lazy', str(point)])
    await networks.remove(but=frozenset(model for model, _ in alive))
    await _clear(places.state, {places.folder(*names) for names in alive}, discard)
    discard(*stacks.unused_layers(), *stacks.unused_bases())


async def _clear(state: Path, wanted: set[Path], discard: Callable[..., None]) -> None:
    """Have what was half made or half deleted go; machines do not wait for that."""
    left = [*(state / 'layers').glob('.new-*'), *(state / 'copies').glob('.new-*')]
    left += (state / 'bases').glob('*.new*')
    left += [path for path in (state / 'machines').glob('*') if path not in wanted]
    going = [*left, state / 'rubbish']
    for point in [point for path in going for point in overlays.below(path.resolve())]:
        await run(['umount', '--lazy', str(point)])
    discard(*left)
