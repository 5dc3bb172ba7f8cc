"""Removes what a load made in a cloud, and looks what is left of it; `leftovers.py` says what that is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from matrix.grammar import located
from matrix.load import client, lasting, leftovers, load, stock

_NEWER = {'OpenStack-API-Version': 'volume 3.27'}
"""The first version of cinder's interface that lists attachments."""


def asked(at: lasting.Lasting) -> Mapping[str, tuple[str, ...]]:
    """What of `leftovers.Seen` each service has to fill."""
    sorts = {one.name for one in at.stock.sorts}
    found: dict[str, tuple[str, ...]] = {'network': ('ports', 'networks')}
    if 'server' in sorts:
        found |= {'compute': ('servers',), 'placement': ('allocations',)}
    if 'volume' in sorts:
        found[at.volumes] = ('volumes', 'attachments')
    return found


async def see(at: lasting.Lasting) -> leftovers.Seen:
    """What the services list now."""
    services = asked(at)
    found: dict[str, Any] = {}

    async def one(
        field: str, service: str, path: str, key: str, headers: Mapping[str, str] | None = None
    ) -> None:
        if service in services:
            found[field] = await _list(at, service, path, key, headers)

    every = '?all_tenants=1'
    await asyncio.gather(
        one('servers', 'compute', f'/servers/detail{every}', 'servers'),
        one('ports', 'network', '/ports', 'ports'),
        one('networks', 'network', '/networks', 'networks'),
        one('volumes', at.volumes, f'/volumes/detail{every}', 'volumes'),
        one('attachments', at.volumes, f'/attachments/detail{every}', 'attachments', _NEWER),
    )
    if 'placement' in services:
        found['allocations'] = await _consumers(at)
    return leftovers.Seen(**found)


async def clear(at: lasting.Lasting, before: frozenset[str], *, within: float) -> located.Plain:
    """Delete all that has a name of this run, and look until nothing is left, or `within` seconds are over.

    What is there after half of that time is `stuck`. It is then removed with an administrator's force, so that the next
    run begins clean, and told nevertheless.

    Returns the value of the note `left`.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    at.stock = stock.close(at.stock)
    while at.busy and loop.time() < began + within / 2:
        await asyncio.sleep(min(at.pause, 1.0))
    deadline = max(began + within, loop.time() + within / 2)
    half = loop.time() + (deadline - loop.time()) / 2
    stuck: dict[str, leftovers.Left] = {}
    while True:
        seen = await see(at)
        there = leftovers.named(seen, _prefix(at))
        at.ours.update({one.id: one.name for one in there})
        orphans = leftovers.orphans(seen, at.ours, before)
        blind = leftovers.unseen(seen, asked(at))
        late = loop.time() >= half
        if late:
            stuck |= {one.id: one for one in there if one.id not in stuck}
        if loop.time() >= deadline or not (there or orphans or blind):
            break
        for one in _deletable(there):
            await _delete(at, one, force=late)
        await asyncio.sleep(2 * at.pause)
    left = (*stuck.values(), *orphans)
    return {
        'made': {
            sort.name: sum(one.sort == sort.name and bool(one.key) for one in at.stock.things)
            for sort in at.stock.sorts
        },
        'asked': [*asked(at)],
        'unseen': [*blind],
        'left': [one.plain(stock.doubtful(at.stock, one.name)) for one in left],
        'seconds': round(loop.time() - began, 1),
    }


async def drop(at: lasting.Lasting) -> None:
    """Ask once that everything of this run be deleted, as far as it goes; nobody looks what came of it."""
    seen = await see(at)
    for one in leftovers.named(seen, _prefix(at)):
        await _delete(at, one, force=False)


def _prefix(at: lasting.Lasting) -> str:
    return f'matrix-{at.stock.run}-'


def _deletable(there: tuple[leftovers.Left, ...]) -> list[leftovers.Left]:
    """What nothing that is there as well can stand on."""
    sorts = {one.what for one in there}
    waits = {'volume': {'server'}, 'network': {'server', 'port'}}
    return [one for one in there if not waits.get(one.what, set[str]()) & sorts]


async def _delete(at: lasting.Lasting, one: leftovers.Left, *, force: bool) -> None:
    """What comes of it, the next look shows."""
    service = at.volumes if one.what == 'volume' else one.service
    path = f'/{one.what}s/{one.id}'
    with contextlib.suppress(*lasting.TRANSIENT_STATUSES):
        async with asyncio.timeout(lasting.TIMEOUT_S):
            if force and one.what == 'volume':
                reset = {'status': 'error', 'attach_status': 'detached'}
                await at.ask(service, 'POST', f'{path}/action', {'os-reset_status': reset})
                await at.ask(service, 'POST', f'{path}/action', {'os-force_delete': {}})
                return
            if force and one.what == 'server':
                reset_state = {'os-resetState': {'state': 'error'}}
                await at.ask(service, 'POST', f'{path}/action', reset_state)
            await at.ask(service, 'DELETE', path)


async def _list(
    at: lasting.Lasting,
    service: str,
    path: str,
    key: str,
    headers: Mapping[str, str] | None = None,
) -> tuple[leftovers.Listed, ...] | None:
    """What a service lists; None where it does not say."""
    try:
        async with asyncio.timeout(lasting.TIMEOUT_S):
            response = await at.ask(service, 'GET', path, None, headers)
        client.check('GET', response.status, (200,))
        return tuple(response.json()[key])
    except (*lasting.TRANSIENT_STATUSES, load.Refused, KeyError, TypeError):
        return None


async def _consumers(at: lasting.Lasting) -> frozenset[str] | None:
    """Whoever has allocations of any provider; None where placement does not say."""
    providers = await _list(at, 'placement', '/resource_providers', 'resource_providers')
    if providers is None:
        return None
    found: set[str] = set()
    for one in providers:
        path = f'/resource_providers/{leftovers.text(one, "uuid")}/allocations'
        consumers = await _list(at, 'placement', path, 'allocations')
        if consumers is None:
            return None
        found |= {str(each) for each in consumers}
    return frozenset(found)
