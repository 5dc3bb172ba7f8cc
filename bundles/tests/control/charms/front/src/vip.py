"""Who holds the address: whoever holds the lease in the store, and only while it does.

The lease needs no clocks that agree. Its holder makes it newer all the time; whoever sees it unchanged for longer than
an address lives may take it. The address itself has a life of its own in the kernel, so it also goes when this process
is stopped, killed or cut off: nobody has to be alive to let go of it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time

import wire

LIVES = 4
"""Seconds for which the kernel keeps the address; it may be more than a second late with it."""
TAKEN_AFTER = LIVES + 2.5
EVERY = 0.5
KEPT = 5.0
"""Seconds for which it stays at least, before the unit with the lower number has it again (VRRP's preemption)."""


class Holder:
    """One unit's attempts to have the address."""

    def __init__(self, settings: wire.Settings):
        self._settings = settings
        self._stores = wire.Circle(7000)
        self._lease: tuple[int, object] = (0, None)
        self._since = 0.0
        self._mine = 0.0
        self._wish = 0

    async def go_on(self) -> None:
        """For ever."""
        while True:
            try:
                await self._once()
            except wire.NoAnswerError as error:
                print(f'lease: {error}', flush=True)
            await asyncio.sleep(EVERY)

    async def _once(self) -> None:
        me = self._settings['name']
        if not self._settings['stores'] or not self._settings['vip']:
            return
        if self._lease[1] != me:
            self._saw(await self._ask('GET', None))
        version, holder = self._lease
        if holder != me and version and time.monotonic() - self._since < TAKEN_AFTER:
            await self.drop()
            if _number(me) < _number(holder):
                # Whoever holds it sees that this unit is there again.
                _, wish = await self._ask('GET', None, 'wish-vip')
                body = {'version': wish['version'] + 1, 'value': me}
                await self._ask('PUT', body, 'wish-vip')
            return
        begun = time.monotonic()
        answer = await self._ask('PUT', {'if': version, 'version': version + 1, 'value': me})
        self._saw(answer)
        if answer[0] == 200:
            if holder != me:
                self._mine = time.monotonic()
            await self._have(int(LIVES - (time.monotonic() - begun)))
            await self._hand_over(me)
        elif self._lease[1] != me:
            await self.drop()
        # Else it is an earlier attempt of ours that came through late: nobody knows when, so it counts for nothing.

    async def _hand_over(self, me: str) -> None:
        """Let the unit with the lower number have the address again, once it keeps asking."""
        status, wish = await self._ask('GET', None, 'wish-vip')
        if status != 200 or not wish['version']:
            return
        again, self._wish = wish['version'] != self._wish and self._wish, wish['version']
        kept = time.monotonic() - self._mine
        if again and kept > KEPT and _number(wish['value']) < _number(me):
            await self.drop()
            version = self._lease[0]
            body = {'if': version, 'version': version + 1, 'value': wish['value']}
            self._saw(await self._ask('PUT', body))

    def _saw(self, answer: tuple[int, dict]) -> None:
        """Both a change that was made and one that was refused (409) say how things are."""
        status, now = answer
        if status in (200, 409) and (now['version'], now['value']) != self._lease:
            self._lease, self._since = (now['version'], now['value']), time.monotonic()

    async def _ask(self, method: str, body: object, key: str = 'lease-vip') -> tuple[int, dict]:
        stores = self._settings['stores']
        # Not hedged: a second attempt at the same change would find the first one in its way.
        return await self._stores.ask(
            stores, method, f'/v/{key}', body, each=0.8, hedge=0.8, within=3.0
        )

    async def _have(self, seconds: int) -> None:
        if seconds <= 0:
            return
        vip, link = self._settings['vip'], self._settings['interface']
        life = 'forever' if self._settings['bug'] == 'two-owners' else str(seconds)
        await _ip('replace', f'{vip}/32', 'dev', link, 'valid_lft', life, 'preferred_lft', life)
        announce(vip, link)

    async def drop(self) -> None:
        """Be without the address."""
        await _ip('del', f'{self._settings["vip"]}/32', 'dev', self._settings['interface'])


def _number(unit: object) -> int:
    return int(str(unit).rpartition('/')[2] or 0)


async def _ip(*args: str) -> None:
    process = await asyncio.create_subprocess_exec(
        'ip', 'address', *args, stderr=asyncio.subprocess.DEVNULL
    )
    await process.wait()


def announce(vip: str, link: str) -> None:
    """Tell neighbours whose the address is now (ARP announcement, RFC 5227)."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((link, 0))
        mac, address = raw.getsockname()[4], socket.inet_aton(vip)
        everyone = b'\xff' * 6
        ethernet = everyone + mac + b'\x08\x06'
        arp = struct.pack('!HHBBH', 1, 0x0800, 6, 4, 1) + mac + address + bytes(6) + address
        raw.send(ethernet + arp)
