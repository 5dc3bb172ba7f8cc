"""Without a load balancer: a haproxy and a VIP on the units themselves, as files. Pure.

Each unit's haproxy serves the VIP's address alone (Apache has the unit's own) and sends requests
to every unit whose ``/healthcheck`` passes; keepalived decides which unit holds the VIP. The
units learn one another's addresses from the peer relation, and a new one holds the VIP once the
others speak to it. What it filters, limits and checks is what the load balancer does, and so is
who may hold VIPs (:mod:`charmkit.proxy`).
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from . import host, limits, state
from .proxy import (
    config,
    haproxy,
    keepalived,
    programs,
    vip_admission,
    vip_release,
    vrrp_peers,
)
from .relations import (
    ENDPOINT_TYPES,
    JUJUS_OWN,
    Databag,
    Network,
    address_in,
    host_in,
    unit_order,
    wire,
)

KEY = 'addresses'
"""What each unit says to its peers: where it serves."""
READY_PORT = 8799
IN_FORCE = 'vip'
"""The name in the unit's memory of the last VIPs that were in networks of it."""


@dataclasses.dataclass(frozen=True)
class App:
    """An application that is served on the VIPs."""

    port: int
    silence: limits.Silence = limits.ORDINARY
    requests_at_once: int = 0
    """How many one unit can take; the others wait. 0: as many as come."""

    @property
    def bulk(self) -> bool:
        """Its transfers may pause for as long as any."""
        return self.silence.client_s >= limits.IDLE_S


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vip:
    """A virtual address, and the network of this machine that it is in."""

    address: str
    network: Network

    @property
    def prefix(self) -> int:
        """Length of the network's prefix."""
        return ipaddress.ip_network(self.network.subnet, strict=False).prefixlen


def placed(inputs: state.Inputs) -> tuple[tuple[Vip, ...], tuple[str, ...]]:
    """Each address of the option ``vip`` in its network, and those that belong in none, or are another unit's own."""
    wanted = asked(inputs)
    every = (n for t in ENDPOINT_TYPES for n in inputs.site.networks.get(t, ()))
    here = [
        n for n in every if n.address not in wanted
    ]  # One that this unit holds shows among them.
    theirs = {a for found in others(inputs).values() for a in found}
    vips: list[Vip] = []
    homeless: list[str] = []
    for address in wanted:
        near = [n for n in here if host_in(address, n.subnet)]
        if near and address not in theirs:
            vips.append(Vip(address=address, network=near[0]))
        else:
            homeless.append(address)
    return tuple(vips), tuple(homeless)


def housed(inputs: state.Inputs) -> tuple[state.Inputs, tuple[str, ...]]:
    """*inputs* with VIPs that are in networks of this unit, the last ones that were; and those that are not."""
    _, homeless = placed(inputs)
    if not homeless:
        return inputs, ()
    kept = dataclasses.replace(
        inputs, options={**inputs.options, 'vip': str(inputs.memory.get(IN_FORCE, ''))}
    )
    if not kept.options['vip'] or placed(kept)[1]:
        kept = dataclasses.replace(
            inputs,
            options={**inputs.options, 'vip': ''},
            unsettled=inputs.unsettled | {'vip'},
        )
    return kept, homeless


def misplaced(homeless: tuple[str, ...]) -> state.Status | None:
    """What the operator hears of VIPs that are in no network of this unit."""
    if not homeless:
        return None
    return state.Status(
        'blocked',
        "option vip: in no network of this unit or a unit's own address, and not published: "
        + ' '.join(homeless),
    )


def asked(inputs: state.Inputs) -> tuple[str, ...]:
    """The addresses of the option ``vip``."""
    return tuple(str(inputs.options.get('vip') or '').split())


def request(addresses: Iterable[str]) -> Databag:
    """Where this unit serves, for its peers."""
    return {KEY: wire.dump([a for a in addresses if not a.startswith('127.')])}


def addresses(inputs: state.Inputs) -> tuple[str, ...]:
    """Where the haproxy of any unit asks from: the addresses that each unit serves on, and the VIPs."""
    here = (a for t in ENDPOINT_TYPES for a in inputs.site.all_addresses.get(t, ()))
    theirs = (a for found in others(inputs).values() for a in found)
    return (*here, *theirs, *asked(inputs))


def others(inputs: state.Inputs) -> dict[str, tuple[str, ...]]:
    """Where each other unit serves, as it says; nowhere, as long as it says nothing."""
    return {
        name: wire.texts(wire.load_array(bag.get(KEY, '')))
        for name, bag in inputs.peer_units.items()
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """This unit's part in who holds the VIPs, and what follows from it."""

    machine: host.Host
    unready: host.Host = dataclasses.field(default_factory=host.Host)
    """What of it holds also for a unit that lacks something to serve with."""
    unit_data: Databag = dataclasses.field(default_factory=dict[str, str])
    """For its peers, also from such a unit."""
    app_data: Databag = dataclasses.field(default_factory=dict[str, str])
    """From the leader, to them."""
    status: state.Status | None = None
    memory: Mapping[str, Any] = dataclasses.field(
        default_factory=lambda: {vip_admission.JOINED: False, vip_admission.SEEN: []}
    )
    """Of a unit that lacks nothing: what is not at work has not joined."""


def part(
    inputs: state.Inputs,
    vips: tuple[Vip, ...],
    addresses: tuple[str, ...],
    apps: Mapping[str, App],
    *,
    time_passes: bool,
    removing: bool,
    closing: bool = False,
) -> Part:
    """Work it out for *vips*, none where load balancers stand before the units; arguments as of :func:`desired`.

    A unit that is being removed holds none, but while it is *closing*: then it is about to give them away.
    """
    removing = (removing or inputs.dying) and not closing
    unready = keepalived.ABSENT if removing else host.Host()
    if not vips:
        return Part(machine=absent(), unready=unready)
    unit = inputs.site.unit
    found = vip_admission.decide(
        unit,
        vip_admission.members(unit, inputs.peers, inputs.peer_units, leader=inputs.site.leader),
        {name: vip_admission.read(bag) for name, bag in inputs.peer_units.items()},
        peers=inputs.peers,
        before=_has_joined(inputs),
        seen=wire.texts(inputs.memory.get(vip_admission.SEEN)),
        time_passes=time_passes,
    )
    speaks_to = frozenset(name for name, where in others(inputs).items() if where)
    if 'keepalived' in inputs.failed:
        speaks_to = vip_admission.read(inputs.my_peer_data).advertises_to
    said = vip_admission.Said(advertises_to=speaks_to, takes_part=found.joined and not removing)
    known = vrrp_peers.remembered(
        inputs.memory.get(vrrp_peers.MEMORY), others(inputs), now=inputs.now
    )
    machine = desired(
        inputs,
        vips,
        addresses,
        apps,
        holds=found.joined and not removing,
        closing=closing or removing,
        departed=vrrp_peers.departed(known),
    )
    if removing and _has_joined(inputs):
        given_away = vip_release.release(v.address for v in vips)
        machine, unready = host.merge(machine, given_away), host.merge(unready, given_away)
    return Part(
        machine=machine,
        unready=machine if closing else unready,
        unit_data={**request(addresses), **vip_admission.write(said)},
        app_data={vip_admission.MEMBERS: wire.dump(list(found.members))},
        status=state.Status('waiting', found.waiting) if found.waiting else None,
        memory={**found.memory, vrrp_peers.MEMORY: known},
    )


def over(said: Databag, more: Databag) -> dict[str | int, Databag]:
    """For the peer relation, of a unit that lacks something: *more* over what is *said*, as the rest is not known.

    It begins to take part when it lacks nothing.
    """
    kept = {k: v for k, v in said.items() if k not in JUJUS_OWN}
    begins = vip_admission.TAKES_PART in more and not said.get(vip_admission.TAKES_PART)
    return (
        {'peers': {**kept, **more, **({vip_admission.TAKES_PART: ''} if begins else {})}}
        if more
        else {}
    )


def _has_joined(inputs: state.Inputs) -> bool:
    # A unit of an earlier revision did without: its keepalived runs since it had all that it needs.
    earlier = bool(inputs.memory.get(IN_FORCE)) and bool(inputs.memory.get('served'))
    return bool(inputs.memory.get(vip_admission.JOINED, earlier))


def desired(
    inputs: state.Inputs,
    vips: tuple[Vip, ...],
    addresses: tuple[str, ...],
    apps: Mapping[str, App],
    *,
    holds: bool = True,
    closing: bool = False,
    departed: tuple[str, ...] = (),
) -> host.Host:
    """A haproxy for *apps* (by name) on *vips*, and keepalived if this unit is one of those that may hold them.

    *closing*: each response says that its connection ends. *departed*: addresses of units that may still run.
    """
    unit = inputs.site.unit
    units = {unit: tuple(a for a in addresses if not a.startswith('127.')), **others(inputs)}
    hosts = _hosts(inputs, vips)
    text = haproxy.render(haproxy_config(unit, vips, units, apps, hosts, closing=closing))
    files = host.Host(
        packages=frozenset({'haproxy', 'keepalived', vip_release.PACKAGE}),
        files=(
            *(host.File(path=path, content=items) for path, items in text.lists.items()),
            host.File(
                path=haproxy.CONFIG,
                content=text.text,
                mode=0o640,
                check=('haproxy', '-c', '-f', '{path}'),
                notify=('haproxy',),
            ),
        ),
        services=(host.SystemdService('haproxy', on_change='reload'),),
    )
    instance = _instance(unit, vips, units, departed) if holds else None
    return host.merge(files, programs.beside_haproxy(), keepalived.desired(instance, READY_PORT))


def absent() -> host.Host:
    """Neither of them, for a unit that a load balancer stands before."""
    return host.merge(
        keepalived.ABSENT, host.Host(services=(host.SystemdService('haproxy', 'stopped'),))
    )


def haproxy_config(
    unit: str,
    vips: tuple[Vip, ...],
    units: Mapping[str, tuple[str, ...]],
    apps: Mapping[str, App],
    names: Iterable[str],
    *,
    closing: bool = False,
) -> config.Config:
    """One frontend for each application on every VIP, and all units behind it.

    *names* are the hosts that requests may name, beside the VIPs.
    """
    return config.Config(
        unit=unit,
        ready=config.Ready(port=READY_PORT),
        frontends=tuple(
            config.Frontend(
                name=name,
                binds=tuple(config.Bind(v.address, app.port, moves=True) for v in vips),
                backend=name,
                client_ms=app.silence.client_s * 1000,
                hosts=tuple(
                    config.Host(h, app.port)
                    for h in dict.fromkeys((*(v.address for v in vips), *names))
                ),
                denied_paths=config.HIDDEN_PATHS,
                small_bodies=not app.bulk,
                closing=closing,
            )
            for name, app in apps.items()
        ),
        backends=tuple(
            config.Backend(
                name=name,
                outsiders=True,
                server_ms=app.silence.server_s * 1000,
                servers=tuple(
                    config.Server(
                        name=u.replace('/', '-'),
                        address=address,
                        port=app.port,
                        maxconn=app.requests_at_once,
                    )
                    for u, found in sorted(units.items(), key=lambda item: unit_order(item[0]))
                    for address in _reachable(found, vips)[:1]
                ),
            )
            for name, app in apps.items()
        ),
    )


def _hosts(inputs: state.Inputs, vips: tuple[Vip, ...]) -> tuple[str, ...]:
    """The names that the operator gave the endpoints, and addresses of units: nothing else is reflected into links."""
    named = (str(inputs.options.get(f'os-{t}-hostname') or '') for t in ENDPOINT_TYPES)
    return tuple(n for n in named if n)


def _instance(
    unit: str,
    vips: tuple[Vip, ...],
    units: Mapping[str, tuple[str, ...]],
    departed: tuple[str, ...],
) -> keepalived.Instance:
    first = vips[0]
    others = {name: found for name, found in units.items() if name != unit}
    return keepalived.Instance(
        unit=unit,
        vips=tuple(
            keepalived.Vip(address=v.address, prefix=v.prefix, interface=v.network.interface)
            for v in vips
        ),
        address=first.network.address,
        peers=(*(a for found in others.values() for a in found), *departed),
        others=tuple(others),
        router_id=int(host.digest(first.address), 16) % 254 + 1,
    )


def _reachable(addresses: Iterable[str], vips: Iterable[Vip]) -> list[str]:
    """Those in a VIP's network first: the unit that holds it surely reaches them."""
    return sorted(addresses, key=lambda a: not any(address_in(a, v.network.subnet) for v in vips))
