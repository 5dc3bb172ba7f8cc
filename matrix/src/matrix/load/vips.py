"""Who holds each virtual address, second by second, as the machines themselves see it.

A small loop on each machine that may hold one writes down its addresses whenever they change, so that nothing is
missed while the machine cannot be reached. It ends by itself when nobody has asked for three minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ipaddress
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from matrix.grammar import located
from matrix.history import journal, notes
from matrix.juju import link
from matrix.plans import snapshot

EVERY_S = 10.0
"""Seconds between two visits to a machine."""

_WITHIN_S = 20.0

# An address is written as `interface|address`, with `~` after one that the network gave (never a virtual one).
_LOOK = r"""
look() {
    ip -o addr show scope global | awk '{
        sub(/@.*/, "", $2); sub(/\/.*/, "", $4); given = ""
        for (i = 5; i <= NF; i++) if ($i ~ /^(dynamic|temporary|mngtmpaddr)$/) given = "~"
        printf "%s|%s%s ", $2, $4, given
    }'
}
"""
ONCE = _LOOK + 'echo "now $(cut -d" " -f1 /proc/uptime) $(look)"\n'
VISIT = (
    _LOOK
    + r"""
here=/run/matrix-vips
mkdir -p "$here"
touch "$here/asked"
word=now
if ! grep -qs matrix-vips "/proc/$(cat "$here/pid" 2>/dev/null)/cmdline"; then
    word=new
    setsid sh -c "$(cat <<'LOOP'
"""
    + _LOOK
    + r"""
here=/run/matrix-vips before=none
while [ -n "$(find "$here/asked" -mmin -3 2>/dev/null)" ]; do
    seen=$(look)
    [ "$seen" = "$before" ] || echo "log $(cut -d' ' -f1 /proc/uptime) $seen" >>"$here/log"
    before=$seen
    sleep 0.5
done
LOOP
)" </dev/null >/dev/null 2>&1 &
    echo $! >"$here/pid"
fi
mv "$here/log" "$here/taken" 2>/dev/null && cat "$here/taken" && rm "$here/taken"
echo "$word $(cut -d' ' -f1 /proc/uptime) $(look)"
"""
)
CLEAN_UP = r"""
here=/run/matrix-vips
kill "$(cat "$here/pid" 2>/dev/null)" 2>/dev/null
rm -rf "$here"
"""


@dataclasses.dataclass(frozen=True)
class VipSample:
    """What one machine had from one second of the run on.

    Each of `addresses` is an interface, an address, and whether the network gave it. `new`: nobody looked just before,
    because the machine was off; what it had then is not known.
    """

    at: float
    addresses: frozenset[tuple[str, str, bool]]
    new: bool = False

    def holds(self, address: str) -> bool:
        """Whether the machine had this address."""
        return any(one == address for _, one, _ in self.addresses)


def read(output: str, now: float) -> tuple[VipSample, ...]:
    """What a visit found, in order; `now` is the second of the run at which it ended. Pure."""
    found: list[tuple[float, frozenset[tuple[str, str, bool]], bool]] = []
    up = 0.0
    for line in output.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] not in {'log', 'new', 'now'}:
            continue
        with contextlib.suppress(ValueError):
            up = float(words[1])
            pairs = (word.partition('|') for word in words[2:] if '|' in word)
            addresses = frozenset(
                (interface, address.removesuffix('~'), address.endswith('~'))
                for interface, _, address in pairs
            )
            found.append((up, addresses, words[0] == 'new'))
    # The last line was written when the visit ended; the others so much before.
    return tuple(VipSample(round(now - (up - at), 2), had, new) for at, had, new in found)


def virtual(
    looks: Mapping[str, VipSample], model: snapshot.Model, said: Iterable[str] = ()
) -> frozenset[str]:
    """The virtual addresses: those that are said to be (`vip` options), and those that Juju does not show. Pure.

    An address that Juju does not show counts when it stands on an interface that has one which Juju shows.
    """
    known = {address for machine in model.machines for address in machine.addresses}
    named = {one for one in (_address(text) for text in said) if one}
    found: set[str] = set()
    for look in looks.values():
        ours = {interface for interface, address, _ in look.addresses if address in known}
        for interface, address, given in look.addresses:
            unknown = address not in known and interface in ours and not given
            if address in named or unknown:
                found.add(address)
    return frozenset(found)


def owners(
    timelines: Mapping[str, Sequence[VipSample]],
    address: str,
    *,
    since: float = 0.0,
    unseen: Iterable[str] = (),
) -> tuple[journal.Note, ...]:
    """Who held an address whenever that changed, up to the moment at which every unit was last seen. Pure.

    Args:
        timelines: what each unit had, in the order of time. What a unit had after its last look is not known.
        address: the address.
        since: the first second to tell of; what was told of it and after is told anew.
        unseen: units that cannot be asked now; the others are waited for.
    """
    blind: list[located.Plain] = [*sorted({*unseen})]
    seen = [looks for unit, looks in timelines.items() if looks and unit not in blind]
    if not seen:
        return ()
    horizon = min(looks[-1].at for looks in seen)
    moments = sorted(
        {look.at for looks in timelines.values() for look in looks if since <= look.at < horizon}
    )
    found: list[journal.Note] = []
    before: list[str] | None = None
    for moment in [*moments, horizon]:
        holders = [
            unit for unit, looks in sorted(timelines.items()) if _held(looks, address, moment)
        ]
        if holders != before or moment == horizon:
            units: list[located.Plain] = [*holders]
            value: dict[str, located.Plain] = {
                'address': address, 'units': units, 'at': moment, 'unseen': blind,
            }  # fmt: skip
            found.append(journal.Note(notes.OWNERS, value))
            before = holders
    return tuple(found)


def _held(looks: Sequence[VipSample], address: str, moment: float) -> bool:
    if not looks or looks[-1].at < moment:
        return False
    known = sum(look.at <= moment for look in looks)
    if not known or (known < len(looks) and looks[known].new and looks[known - 1].at < moment):
        return False
    return looks[known - 1].holds(address)


async def watch(
    at: link.Link,
    write: Callable[[journal.What], object],
    *,
    now: Callable[[], float],
    every: float = EVERY_S,
) -> None:
    """Write down who holds each virtual address until cancelled; at once done where there is none.

    Args:
        at: the model, settled.
        write: appends to the journal.
        now: seconds of the run, as the journal counts them.
        every: seconds between two visits.
    """
    model = at.now()
    some = [unit for app in model.applications for unit in app.units if not unit.subordinate]
    first = await _visits(at, [unit.name for unit in some], ONCE, now)
    looks = {unit: seen[-1] for unit, seen in first.items() if seen}
    addresses = virtual(looks, model, await _options(at, model))
    applications = {
        unit.partition('/')[0]
        for unit, look in looks.items()
        if any(look.holds(address) for address in addresses)
    }
    if not addresses:
        return
    timelines: dict[str, list[VipSample]] = {}
    try:
        while True:
            units = [
                unit.name
                for app in at.now().applications
                if app.name in applications
                for unit in app.units
            ]
            seen = await _visits(at, units, VISIT, now)
            unseen = [unit for unit in units if unit not in seen]
            for unit, found in seen.items():
                timelines.setdefault(unit, []).extend(found)
            # A machine that is back tells of the time when it could not be asked.
            since = min((found[0].at for found in seen.values() if found), default=0.0)
            for address in sorted(addresses):
                for one in owners(timelines, address, since=since, unseen=unseen):
                    write(one)
            await asyncio.sleep(every)
    finally:
        with contextlib.suppress(link.LinkError, TimeoutError):
            async with asyncio.timeout(_WITHIN_S):
                await _visits(at, list(timelines), CLEAN_UP, now)


async def _visits(
    at: link.Link, units: Sequence[str], script: str, now: Callable[[], float]
) -> dict[str, tuple[VipSample, ...]]:
    gate = asyncio.Semaphore(3)  # The link is there for others, too.

    async def visit(unit: str) -> tuple[str, tuple[VipSample, ...]] | None:
        async with gate:
            try:
                ran = await at.script(unit, script, within=_WITHIN_S)
            except link.LinkError:
                return None
            return unit, read(ran.output, now())

    found = await asyncio.gather(*(visit(unit) for unit in units))
    return dict(one for one in found if one is not None)


async def _options(at: link.Link, model: snapshot.Model) -> list[str]:
    """The values of every option called `vip`."""
    found: list[str] = []
    for application in model.applications:
        with contextlib.suppress(link.LinkError, ValueError, KeyError, TypeError):
            said = await at.cli('config', application.name, '--format', 'json')
            vip: Any = json.loads(said)['settings']['vip']['value']
            found += str(vip or '').replace(',', ' ').split()
    return found


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_interface(text).ip)
    except ValueError:
        return ''
