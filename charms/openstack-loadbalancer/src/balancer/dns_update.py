"""The names of ``hostnames`` in DNS where no charm keeps them: which updates a server is to take, and when. Pure.

The leader has each name lead to all addresses that :mod:`balancer.dns_names` finds: the VIPs, or every unit that
serves. What it has published is in the peers' databag, so that the next leader knows which names to take away.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

from charmkit import Status
from charmkit.relations import wire

from . import decision, dns_names, dns_zones, nsupdate, reply

MEMORY = 'dns-update'
"""In the unit's memory: which update was sent last, when, and what was said of it; '' when it was taken."""
PUBLISHED = 'dns-published'
"""In the peers' application data: the addresses that each name was led to."""
ANEW_S = 280.0
"""An update that was taken is sent again after so long, for it may be undone: with each ``update-status``."""
RETRY_S = 60.0
"""One that was not is sent again after so long, so that a server that is away does not delay each hook."""
KEY = 'key'
"""The name of the key in its secret."""


def published(known: decision.RunInputs) -> dns_names.Addresses:
    """What the names were led to."""
    found = wire.load_object(known.inputs.peers.get(PUBLISHED, ''))
    return {
        name: there
        for name, each in found.items()
        if (there := tuple(a for a in wire.texts(each) if reply.is_address(a)))
    }


def update(
    known: decision.RunInputs,
    now: decision.Decision,
    members: Mapping[str, reply.Member],
    not_ready: Collection[str],
) -> nsupdate.Update | None:
    """What is to be sent in this run; None where nothing is, or nothing can be.

    *members* are the admitted units; those of *not_ready* were asked and want no clients.
    """
    inputs, dns = known.inputs, now.opts.dns
    if not (inputs.site.leader and dns.server and known.effective.complete) or _wrong(known):
        return None
    found = wanted(known, now, members, not_ready)
    messages = _messages(found, published(known).keys() - found.keys(), known)
    if not messages:
        return None
    task = nsupdate.Update(
        server=dns.server,
        port=dns.port,
        messages=messages,
        key_name=dns.key_name,
        algorithm=dns.algorithm,
        key=_key(known),
    )
    mark, at, said = _last(known)
    since = inputs.now - at
    due = mark != _mark(task) or since >= (RETRY_S if said else ANEW_S) or since < 0
    return task if due else None


def wanted(
    known: decision.RunInputs,
    now: decision.Decision,
    members: Mapping[str, reply.Member],
    not_ready: Collection[str],
) -> dns_names.Addresses:
    """What the names are to lead to."""
    return dns_names.addresses(known, now, members, not_ready, published(known))


def memory(known: decision.RunInputs, sent: nsupdate.Update | None) -> Mapping[str, Any]:
    """What later runs of this unit are to know, once the outcome of what was *sent* is."""
    said = known.inputs.seen.get(nsupdate.Update.name)
    if sent is None or not isinstance(said, str):
        return {}
    return {MEMORY: [_mark(sent), int(known.inputs.now), said]}


def peers(
    known: decision.RunInputs, sent: nsupdate.Update | None, found: dns_names.Addresses
) -> Mapping[str, str]:
    """What the next leader is to know: what was taken; while that is not certain, both that and what was before."""
    before, said = published(known), known.inputs.seen.get(nsupdate.Update.name)
    if sent is not None and isinstance(said, str):
        before = {**found, **before} if said else found
    return {PUBLISHED: wire.dump({n: list(a) for n, a in before.items()}) if before else ''}


def statuses(known: decision.RunInputs) -> Iterator[Status]:
    """What keeps the names from being published, on the leader."""
    dns = known.effective.options.dns
    if not (known.inputs.site.leader and dns.server):
        return
    if wrong := _wrong(known):
        yield Status('blocked', wrong)
        return
    seen = known.inputs.seen.get(nsupdate.Update.name)
    if said := seen if isinstance(seen, str) else _last(known)[2]:
        again = 'tried again at the next update-status'
        yield Status('blocked', f'DNS server {dns.server} takes no update: {said} ({again})')


def _last(known: decision.RunInputs) -> tuple[str, float, str]:
    kept = known.inputs.memory.get(MEMORY)
    found = cast('list[object]', kept) if isinstance(kept, list) else []
    if len(found) != 3:
        return '', 0.0, ''
    return wire.text(found[0]), float(wire.number(found[1])), wire.text(found[2])


def _mark(task: nsupdate.Update) -> str:
    """Names an update, without its key."""
    parts = (task.server, str(task.port), task.algorithm, task.key_name, *task.messages)
    return hashlib.sha256('\0'.join(parts).encode()).hexdigest()[:16]


def _wrong(known: decision.RunInputs) -> str:
    """What of the key is missing or wrong, in words for the operator; never the key itself."""
    dns = known.effective.options.dns
    missing = [f'dns-{n}' for n, v in (('key-name', dns.key_name), ('key', dns.secret)) if not v]
    if missing:
        return f'option dns-server needs {" and ".join(missing)}: updates are signed'
    if dns.secret not in known.inputs.secrets:
        return 'option dns-key: it cannot be read: juju grant-secret lets this application'
    try:
        well = len(base64.b64decode(_key(known), validate=True)) >= 16
    except ValueError:
        well = False
    return '' if well else f'option dns-key: its {KEY} is not base64 of 16 bytes or more'


def _key(known: decision.RunInputs) -> str:
    content = known.inputs.secrets.get(known.effective.options.dns.secret, {})
    return content.get(KEY, '').strip()


def _messages(
    found: dns_names.Addresses, gone: Collection[str], known: decision.RunInputs
) -> tuple[str, ...]:
    """Commands for each zone; of a name that is in none that is listed, the server itself says in which it is."""
    dns = known.effective.options.dns
    by_zone: dict[str, list[str]] = {}
    for name in sorted({*found, *gone}):
        zone = dns_zones.listed_for(name, dns.zones)
        lines = by_zone.setdefault(zone or f'{name} alone', [f'zone {zone}.'] if zone else [])
        for kind in dns_names.KINDS:
            lines.append(f'update delete {name}. {kind}')
            there = dns_names.of_kind(found.get(name, ()), kind)
            lines += (f'update add {name}. {dns.ttl_s} {kind} {address}' for address in there)
    return tuple('\n'.join(lines) for lines in by_zone.values())
