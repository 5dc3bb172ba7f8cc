"""From everything that is known in one hook to everything that is wanted. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from charmkit import host, state
from charmkit.relations import Relation, loadbalancer, unit_order, wire

from . import (
    answer,
    handshake,
    haproxy_cfg,
    interface,
    layout,
    linger,
    options,
    rotation,
    scripts,
    vrrp,
)

CONFIG = haproxy_cfg.CONFIG
SHAPE = '/etc/haproxy/shape'
DROP_IN = '/etc/systemd/system/haproxy.service.d/openstack-loadbalancer.conf'
WATCH_UNIT = '/etc/systemd/system/openstack-loadbalancer-watch.service'
WATCH_SERVICE = 'openstack-loadbalancer-watch'
KEEPALIVED = '/etc/keepalived/keepalived.conf'
ENDPOINTS = ('backend', 'loadbalancer')
PEERS = 'peers'


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
class Known:
    """All that one run knows."""

    inputs: state.Inputs
    networks: Mapping[str, tuple[vrrp.Interface, ...]]
    """This unit's interfaces by endpoint type."""
    metrics_addresses: tuple[str, ...]
    gone: tuple[linger.Gone, ...] = ()
    guilty: Mapping[int, str] = dataclasses.field(default_factory=dict[int, str])
    """Relations whose configuration haproxy itself would not take, and what it said."""
    locks: Mapping[str, handshake.Lock] | None = None
    """The leader's newest decision; None: what the peers' databag says."""
    out_of_service: bool = False
    """The operator took this unit out (``drain-self``)."""
    orders: Orders = Orders()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decision:
    """What follows."""

    opts: options.Options
    asked: tuple[interface.Request | interface.Refusal, ...]
    """What every relation asks for, those that linger among them."""
    layout: layout.Layout
    bindings: Mapping[str, layout.Binding]
    members: tuple[str, ...]
    excluded: frozenset[str]
    holds: Mapping[str, loadbalancer.Lifecycle]
    locks: Mapping[str, handshake.Lock]
    lifecycles: Mapping[str, loadbalancer.Lifecycle | None]
    """What holds for each unit behind: its own word, or the operator's."""
    places: Mapping[str, tuple[rotation.Place, ...]]
    """Each unit's servers."""
    wants: Mapping[rotation.Place, rotation.Want]
    addresses: Mapping[str, tuple[str, ...]]
    """This unit's own, by endpoint type."""
    homeless_vips: tuple[str, ...]
    admitted: bool
    host: host.Host

    @property
    def config(self) -> str:
        """The text of haproxy.cfg."""
        return next(f.content for f in self.host.files if f.path == CONFIG)

    @property
    def requests(self) -> tuple[interface.Request, ...]:
        """What is asked for and not refused as a whole."""
        return tuple(a for a in self.asked if isinstance(a, interface.Request))


def decide(known: Known) -> Decision:
    """The decision.

    Raises:
        checked.InvalidError: when an option is not what it may be.
    """
    inputs = known.inputs
    opts = options.read(inputs.options)
    there = [r for name in ENDPOINTS for r in inputs.of(name)]
    asked = tuple(_parsed(r, known.guilty) for r in linger.served(there, known.gone))
    placed, homeless = vrrp.place(opts.vips, known.networks)
    bindings = {
        t: layout.Binding(
            addresses=tuple(dict.fromkeys(i.address for i in interfaces)),
            vips=tuple(v.address for v in placed if v.type == t),
        )
        for t, interfaces in known.networks.items()
    }
    requests = [a for a in asked if isinstance(a, interface.Request)]
    what = layout.lay_out(requests, bindings, opts.rules)
    members, excluded = _members(known)
    holds = _holds(known)
    locks = (
        known.locks if known.locks is not None else handshake.load(inputs.peers.get('locks', ''))
    )
    locks = {u: lock for u, lock in locks.items() if u not in known.orders.release}
    lifecycles = _lifecycles(requests, holds)
    places = _places(what)
    wants: dict[rotation.Place, rotation.Want] = {
        place: 'drain'
        if _leaving(unit, known)
        else rotation.want(lifecycles.get(unit), locks.get(unit))
        for unit, found in places.items()
        for place in found
    }
    admitted = inputs.site.unit in members
    serving = admitted and not known.out_of_service
    wants[haproxy_cfg.SELF, 'self'] = 'ready' if serving else 'maint'
    return Decision(
        opts=opts,
        asked=asked,
        layout=what,
        bindings=bindings,
        members=members,
        excluded=excluded,
        holds=holds,
        locks=locks,
        lifecycles=lifecycles,
        places=places,
        wants=wants,
        addresses=layout.own_addresses(bindings, opts.rules),
        homeless_vips=homeless,
        admitted=admitted,
        host=_host(known, opts, what, wants, placed, serving),
    )


def _parsed(
    relation: Relation, guilty: Mapping[int, str]
) -> interface.Request | interface.Refusal:
    if relation.id in guilty:
        return interface.Refusal(
            relation=relation.id, app=relation.app, reason=guilty[relation.id]
        )
    return interface.parse(relation)


def _members(known: Known) -> tuple[tuple[str, ...], frozenset[str]]:
    inputs = known.inputs
    excluded = frozenset(wire.texts(wire.load_array(inputs.peers.get('excluded', ''))))
    if not inputs.site.leader:
        return wire.texts(wire.load_array(inputs.peers.get('members', ''))), excluded
    everyone = {inputs.site.unit, *inputs.peer_units}
    excluded = ((excluded | known.orders.exclude) - known.orders.include) & everyone
    return tuple(sorted(everyone - excluded, key=unit_order)), excluded


def _holds(known: Known) -> dict[str, loadbalancer.Lifecycle]:
    holds: dict[str, loadbalancer.Lifecycle] = {}
    kept = wire.load_object(known.inputs.peers.get('holds', ''))
    for unit, text in kept.items():
        found = loadbalancer.read_lifecycle({'lifecycle': wire.text(text)})
        if found:
            holds[unit] = found
    if known.inputs.site.leader:
        holds = {u: h for u, h in holds.items() if u not in known.orders.resume}
        holds.update(known.orders.hold)
    return holds


def _lifecycles(
    requests: Iterable[interface.Request], holds: Mapping[str, loadbalancer.Lifecycle]
) -> dict[str, loadbalancer.Lifecycle | None]:
    """By unit. One that is itself about to leave says so; else the operator's word comes first."""
    out: dict[str, loadbalancer.Lifecycle | None] = {}
    for request in requests:
        for server in request.servers:
            own = request.lifecycles.get(server.unit)
            if out.get(server.unit) is None:
                out[server.unit] = own
    for unit, hold in holds.items():
        own = out.get(unit)
        if unit in out and (own is None or own.state == 'ready'):
            out[unit] = hold
    return out


def _places(what: layout.Layout) -> dict[str, tuple[rotation.Place, ...]]:
    out: dict[str, tuple[rotation.Place, ...]] = {}
    for backend in what.backends:
        for server in backend.servers:
            out[server.unit] = (*out.get(server.unit, ()), (backend.name, server.name))
    return out


def _leaving(unit: str, known: Known) -> bool:
    """It left a relation that has others left: it is not only lingering, it is being removed."""
    there = {r.id: r for name in ENDPOINTS for r in known.inputs.of(name)}
    return any(
        unit in g.relation.units and there[g.relation.id].units
        for g in known.gone
        if g.relation.id in there
    )


def _host(
    known: Known,
    opts: options.Options,
    what: layout.Layout,
    wants: Mapping[rotation.Place, rotation.Want],
    placed: Iterable[vrrp.Vip],
    serving: bool,
) -> host.Host:
    disabled: dict[str, frozenset[str]] = {}
    for (backend, server), wanted in wants.items():
        if wanted != 'ready':
            disabled[backend] = disabled.get(backend, frozenset()) | {server}
    facts = known.inputs.facts
    own = (i.address for interfaces in known.networks.values() for i in interfaces)
    machine = haproxy_cfg.Machine(
        unit=known.inputs.site.unit,
        ready_addresses=tuple(dict.fromkeys(own)),
        ready_port=opts.ready_port,
        metrics_addresses=known.metrics_addresses,
        metrics_port=opts.metrics_port,
        maxconn=opts.maxconn,
        # A quarter of the memory for each of two generations of workers, 64 KiB a connection.
        descriptors=max(4000, facts.memory_mib * 1024 // 4 // 64 * 2),
        threads=facts.cpus,
        proxy_protocol_from=opts.proxy_protocol_from,
        forwarded_from=opts.forwarded_from,
        strict_hosts=opts.strict_hosts,
        log_requests=opts.log_requests,
    )
    text = haproxy_cfg.render(what, machine, disabled, in_service=serving)
    wanted = host.Host(
        packages=frozenset({'haproxy'}),
        directories=(host.Directory(path='/usr/local/lib/openstack-loadbalancer'),),
        files=(
            host.File(path=scripts.SAVE_PATH, content=scripts.SAVE, mode=0o755),
            host.File(
                path=scripts.WATCH_PATH, content=scripts.WATCH, mode=0o755, notify=(WATCH_SERVICE,)
            ),
            host.File(
                path=WATCH_UNIT,
                content=scripts.watch_unit(known.inputs.site.unit),
                notify=(WATCH_SERVICE,),
            ),
            host.File(path=DROP_IN, content=_DROP_IN, notify=()),
            host.File(
                path=CONFIG,
                content=text,
                mode=0o640,
                check=('haproxy', '-c', '-q', '-f', '{path}'),
            ),
            # What only a reload can change: it is reloaded when this differs, and not before.
            host.File(path=SHAPE, content=f'{haproxy_cfg.mark(text)}\n', notify=('haproxy',)),
        ),
        services=(
            host.Service('haproxy', on_change='reload'),
            host.Service(WATCH_SERVICE),
        ),
    )
    return host.merge(wanted, _vrrp(known, opts, tuple(placed)))


def _vrrp(known: Known, opts: options.Options, placed: tuple[vrrp.Vip, ...]) -> host.Host:
    check = host.File(path=vrrp.CHECK, content=vrrp.check_script(opts.ready_port), mode=0o755)
    if not placed:
        return (
            host.Host(
                absent=(host.Absent(path=KEEPALIVED),),
                services=(host.Service('keepalived', state='stopped'),),
            )
            if 'keepalived' in known.inputs.versions
            else host.Host()
        )
    members = {u: answer.read_member(b) for u, b in known.inputs.peer_units.items()}
    peers = {
        unit: tuple(a for addresses in m.addresses.values() for a in addresses)
        for unit, m in members.items()
    }
    text = vrrp.render(
        known.inputs.site.unit,
        placed,
        known.networks,
        peers,
        router_id=opts.vrrp_id,
        advert_s=opts.advert_s,
    )
    return host.Host(
        packages=frozenset({'keepalived'}),
        files=(
            check,
            host.File(path=KEEPALIVED, content=text, mode=0o640, notify=('keepalived',)),
        ),
        services=(host.Service('keepalived', on_change='reload'),),
    )


PREPARED = host.Host(
    packages=frozenset({'haproxy', 'keepalived'}),
    services=(host.Service('keepalived', state='stopped'),),
)
"""What a machine needs before its place is known."""

_DROP_IN = f"""\
# Written by the charm. As the package has it, after the state of the servers was saved.
[Service]
ExecReload=
ExecReload=-{scripts.SAVE_PATH}
ExecReload=/usr/sbin/haproxy -Ws -f $CONFIG -c -q $EXTRAOPTS
ExecReload=/bin/kill -USR2 $MAINPID
"""
