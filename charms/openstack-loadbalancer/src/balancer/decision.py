"""From everything that is known in one run to everything that is wanted of haproxy. Pure."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Iterable, Mapping
from typing import Any, cast

from charmkit import state
from charmkit.proxy import haproxy, vip_admission, vrrp_peers
from charmkit.relations import Relation, loadbalancer, wire

from . import (
    departed,
    handover,
    handshake,
    inside,
    interface,
    layout,
    options,
    reply,
    rotation,
    standby,
    tls,
    vrrp,
)

ENDPOINTS = ('backend', 'loadbalancer')
PEERS = 'peers'
STANDBY = 'standby'
"""The name of the task that asks the others whether they are ready, for a unit that is to go out of service."""
CLOCK = 'clock'
"""In the peers' application data: the unit whose clock the locks' times are of."""
RELATIONS = 'relations'
"""The name in the unit's memory of the relations of the run before."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Orders:
    """What an operator's action changes on the leader."""

    hold: Mapping[str, loadbalancer.Lifecycle] = dataclasses.field(
        default_factory=dict[str, loadbalancer.Lifecycle]
    )
    resume: frozenset[str] = frozenset()
    release: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    include: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunInputs:
    """All that one run knows."""

    inputs: state.Inputs
    effective: options.Effective
    good: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    """The options that were in force before, as Juju gives them; nothing when none were."""
    networks: Mapping[str, tuple[vrrp.Interface, ...]]
    """This unit's interfaces by endpoint type."""
    metrics_addresses: tuple[str, ...] = ()
    listeners: tuple[layout.Listener, ...] = ()
    gone: tuple[departed.Gone, ...] = ()
    guilty: Mapping[int, str] = dataclasses.field(default_factory=dict[int, str])
    """Relations whose configuration haproxy itself would not take, and what it said."""
    locks: Mapping[str, handshake.Lock] | None = None
    """The leader's newest decision; None: what the peers' databag says."""
    wish: standby.Wish = dataclasses.field(default_factory=standby.Wish)
    """Whether the operator wants this unit out (``drain-self``)."""
    orders: Orders = dataclasses.field(default_factory=Orders)
    time_passes: bool = False
    """No event brought this run about."""
    tls: tls.Tls = dataclasses.field(default_factory=tls.Tls)
    authorities: inside.Authorities = dataclasses.field(default_factory=inside.Authorities)

    @functools.cached_property
    def others(self) -> Mapping[str, reply.Member]:
        """What the other load balancer units say, by unit."""
        return {u: reply.read_member(bag) for u, bag in self.inputs.peer_units.items()}

    @functools.cached_property
    def vrrp_peers(self) -> Mapping[str, Mapping[str, Any]]:
        """Where the other load balancer units are, and those that have departed lately, to be remembered."""
        return vrrp_peers.remembered(
            self.inputs.memory.get(vrrp_peers.MEMORY),
            {
                u: [a for found in m.addresses.values() for a in found]
                for u, m in self.others.items()
            },
            now=self.inputs.now,
        )

    @property
    def silent(self) -> frozenset[str]:
        """The others that were asked whether they are ready, and are not."""
        found = self.inputs.seen.get(STANDBY)
        return cast('frozenset[str]', found) if isinstance(found, frozenset) else frozenset()

    @property
    def relations(self) -> tuple[Relation, ...]:
        """Those that ask for frontends, as they are."""
        return tuple(r for name in ENDPOINTS for r in self.inputs.of(name))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decision:
    """What follows."""

    opts: options.Options
    asked: tuple[interface.Request | interface.Refusal, ...]
    """What every relation asks for, those that have departed among them."""
    layout: layout.Layout
    around: layout.Surroundings
    vips: tuple[vrrp.Vip, ...]
    homeless_vips: tuple[str, ...]
    excluded: frozenset[str]
    holds: Mapping[str, loadbalancer.Lifecycle]
    locks: Mapping[str, handshake.Lock]
    lifecycles: Mapping[str, loadbalancer.Lifecycle | None]
    """What holds for each unit that is served: its own word, or the operator's."""
    servers: Mapping[str, tuple[rotation.ServerKey, ...]]
    """Each unit's servers, of those that are served."""
    wants: Mapping[rotation.ServerKey, rotation.Want]
    addresses: Mapping[str, tuple[str, ...]]
    """This unit's own, by endpoint type."""
    vrrp: vip_admission.Part
    """This unit's part in who holds VIPs."""
    handover: handover.Handover | None
    """How far this unit has come with giving its VIPs away."""
    awaits: tuple[str, ...]
    """While it gives them away: the units that have not said that they pass its connections on."""
    passes_on: str
    """The unit whose connections this one passes on; '' when none."""
    serving: bool
    """This unit wants clients."""
    stays: bool = False
    """The operator wants it out, and no other unit is in service."""
    counts_on: frozenset[str] = frozenset()
    """Those beside which it has gone out of service."""

    @property
    def members(self) -> tuple[str, ...]:
        """The load balancer units that are admitted."""
        return self.vrrp.members


def decide(known: RunInputs) -> Decision:
    """The decision."""
    inputs, opts = known.inputs, known.effective.options
    located, homeless = vrrp.locate(opts.vips, known.networks)
    around = _surroundings(known, located)
    addresses = interface.Addresses(ours=ours(known), trusted=opts.backend_networks)
    asked = tuple(
        _parsed(r, known, addresses) for r in departed.served(known.relations, known.gone)
    )
    # By guess nothing is served.
    requests = [a for a in asked if isinstance(a, interface.Request) and known.effective.complete]
    what = layout.lay_out(requests, around)
    members, excluded = _members(known)
    servers = _servers(what)
    holds = _holds(known)
    lifecycles = _lifecycles(requests, servers, holds)
    locks = known.locks if known.locks is not None else _locks(inputs)
    locks = {u: lock for u, lock in locks.items() if u not in known.orders.release}
    wants: dict[rotation.ServerKey, rotation.Want] = {
        key: 'drain'
        if _is_being_removed(unit, known)
        else rotation.want(lifecycles.get(unit), locks.get(unit))
        for unit, found in servers.items()
        for key in found
    }
    part = vip_admission.decide(
        inputs.site.unit,
        members,
        {u: m.vrrp for u, m in known.others.items()},
        peers=inputs.peers,
        before=_has_joined(inputs),
        seen=wire.texts(inputs.memory.get(vip_admission.SEEN)),
        ahead=[u for u, m in known.others.items() if _is_ahead(m, what, servers, known.tls)],
        time_passes=known.time_passes,
    )
    withdraws, beside = _withdrawal(known, members)
    giving, passes_on, awaits = _handed_over(known, members, beside, withdraws=withdraws)
    away = withdraws and (giving is None or bool(giving.moved))
    serving = part.admitted and not away
    wants[haproxy.SELF, 'self'] = 'ready' if serving else 'maint'
    return Decision(
        opts=opts,
        asked=asked,
        layout=what,
        around=around,
        vips=located,
        homeless_vips=homeless,
        excluded=excluded,
        holds=holds,
        locks=locks,
        lifecycles=lifecycles,
        servers=servers,
        wants=wants,
        addresses=layout.own_addresses(around),
        vrrp=part,
        handover=giving,
        awaits=awaits,
        passes_on=passes_on,
        serving=serving,
        stays=known.wish.out and not withdraws,
        counts_on=(known.wish.counts_on or beside) if away else frozenset(),
    )


def _locks(inputs: state.Inputs) -> Mapping[str, handshake.Lock]:
    """As the peers' databag has them, on the leader by its own clock."""
    locks = handshake.load(inputs.peers.get('locks', ''))
    if not inputs.site.leader:
        return locks
    unit = inputs.site.unit
    return handshake.adopted(locks, now=inputs.now, own=inputs.peers.get(CLOCK, unit) == unit)


def _is_ahead(
    member: reply.Member, what: layout.Layout, servers: Mapping[str, object], here: tls.Tls
) -> bool:
    """Whether *member* serves what this unit does not serve yet: a unit behind it, or a frontend by TLS."""
    plain = {f.name for f in what.frontends if here.mode(f.types) == 'http'}
    return not (member.acks.keys() <= servers.keys() and plain.isdisjoint(member.secure))


def _has_joined(inputs: state.Inputs) -> bool:
    # A unit of an earlier revision did without, and holds VIPs for long.
    return bool(inputs.memory.get(vip_admission.JOINED, RELATIONS in inputs.memory))


def _withdrawal(known: RunInputs, members: Iterable[str]) -> tuple[bool, frozenset[str]]:
    """Whether this unit may be out of service, and which others are in service then."""
    there = {u: m for u, m in known.others.items() if u in members}
    beside = standby.in_service(there, known.silent)
    giving = handover.load(known.inputs.memory.get(handover.HANDOVER)) is not None
    unit = known.inputs.site.unit
    return standby.may_go(unit, known.wish, there, beside, under_way=giving), beside


def _handed_over(
    known: RunInputs, members: Iterable[str], beside: frozenset[str], *, withdraws: bool
) -> tuple[handover.Handover | None, str, tuple[str, ...]]:
    """How far this unit has come with giving its VIPs away, for whom it passes on, and for whom it waits.

    *beside*: the others that are in service; *withdraws*: this unit is to go out of it.
    """
    inputs, opts, unit = known.inputs, known.effective.options, known.inputs.site.unit
    holds = handover.holds(opts.vips, inputs.facts.interfaces)
    there = {u: m for u, m in known.others.items() if u in members}
    found = inputs.seen.get('connections')
    place = handover.VipState(
        holds=holds,
        others=tuple(u for u, m in there.items() if u in beside and unit in m.vrrp.advertises_to),
        heed=frozenset(u for u, m in there.items() if m.heeds == unit),
        connections=found if isinstance(found, int) else 0,
    )
    giving = handover.next_state(
        handover.load(inputs.memory.get(handover.HANDOVER)),
        place,
        away=withdraws,
        now=inputs.now,
        timeout_s=opts.handover_s,
    )
    before = wire.text(inputs.memory.get(handover.PASSES_ON))
    awaits = tuple(u for u in place.others if u not in place.heed) if giving else ()
    return giving, handover.former(before, known.others, holds=holds), awaits


def clock_time(seconds: float) -> str:
    """A time of day, from seconds since the epoch."""
    return f'{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%H:%M:%S} UTC'


def _surroundings(known: RunInputs, located: Iterable[vrrp.Vip]) -> layout.Surroundings:
    located = tuple(located)
    return layout.Surroundings(
        bindings={
            t: layout.Binding(
                addresses=tuple(dict.fromkeys(i.address for i in interfaces)),
                vips=tuple(v.address for v in located if v.type == t),
            )
            for t, interfaces in known.networks.items()
        },
        exposure=known.effective.options.exposure,
        listeners=known.listeners,
        lingering={g.relation.id: clock_time(g.until) for g in known.gone},
    )


def ours(known: RunInputs) -> frozenset[str]:
    """The load balancer's own addresses, as far as this unit knows them: nobody behind it has one of these."""
    exposure = known.effective.options.exposure
    return frozenset(
        vrrp.spelt(a)
        for a in (
            *known.inputs.facts.interfaces,
            *(i.address for found in known.networks.values() for i in found),
            *known.effective.options.vips,
            *(x.name for found in exposure.external_vips.values() for x in found),
            *(a for m in known.others.values() for found in m.addresses.values() for a in found),
        )
    )


def _parsed(
    relation: Relation, known: RunInputs, addresses: interface.Addresses
) -> interface.Request | interface.Refusal:
    if relation.id in known.guilty:
        return interface.Refusal(
            relation=relation.id, app=relation.app, reason=known.guilty[relation.id]
        )
    found = interface.parse(relation, addresses)
    if isinstance(found, interface.Refusal):
        return found
    plain_too = known.effective.options.http_backends
    return inside.reachable(found, known.authorities, http_backends=plain_too)


def _members(known: RunInputs) -> tuple[tuple[str, ...], frozenset[str]]:
    inputs = known.inputs
    excluded = frozenset(wire.texts(wire.load_array(inputs.peers.get('excluded', ''))))
    if inputs.site.leader:
        everyone = {inputs.site.unit, *inputs.peer_units}
        excluded = ((excluded | known.orders.exclude) - known.orders.include) & everyone
    found = vip_admission.members(
        inputs.site.unit,
        inputs.peers,
        inputs.peer_units,
        leader=inputs.site.leader,
        excluded=excluded,
    )
    return found, excluded


def _holds(known: RunInputs) -> dict[str, loadbalancer.Lifecycle]:
    holds: dict[str, loadbalancer.Lifecycle] = {}
    kept = wire.load_object(known.inputs.peers.get('holds', ''))
    for unit, text in kept.items():
        found = loadbalancer.read_lifecycle({'lifecycle': wire.text(text)})
        if found:
            holds[unit] = found
    if known.inputs.site.leader:
        there = {u for r in departed.served(known.relations, known.gone) for u in r.units}
        holds = {u: h for u, h in holds.items() if u in there and u not in known.orders.resume}
        holds.update(known.orders.hold)
    return holds


def _lifecycles(
    requests: Iterable[interface.Request],
    servers: Mapping[str, object],
    holds: Mapping[str, loadbalancer.Lifecycle],
) -> dict[str, loadbalancer.Lifecycle | None]:
    """By unit that is served. One that is itself about to leave says so; else the operator's word comes first."""
    out: dict[str, loadbalancer.Lifecycle | None] = dict.fromkeys(servers)
    for request in requests:
        for unit, own in request.lifecycles.items():
            if unit in out and out[unit] is None:
                out[unit] = own
    for unit, hold in holds.items():
        own = out.get(unit)
        if unit in out and (own is None or own.state == 'ready'):
            out[unit] = hold
    return out


def _servers(what: layout.Layout) -> dict[str, tuple[rotation.ServerKey, ...]]:
    out: dict[str, tuple[rotation.ServerKey, ...]] = {}
    for backend in what.backends:
        for server in backend.servers:
            out[server.unit] = (*out.get(server.unit, ()), (backend.name, server.name))
    return out


def _is_being_removed(unit: str, known: RunInputs) -> bool:
    """It left a relation that has others left: it is not only served for a while yet, it is being removed."""
    there = {r.id: r for r in known.relations}
    return any(
        unit in g.relation.units and there[g.relation.id].units
        for g in known.gone
        if g.relation.id in there
    )
