"""What the load balancer writes back to those that asked, in the wire format of both versions."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from charmkit.proxy import vip_admission
from charmkit.relations import Databag, host_in_url, loadbalancer, running, unit_order, wire

from . import exposure as exposure_
from . import handshake, interface, layout, schemes
from .exposure import Outside


@dataclasses.dataclass(frozen=True, kw_only=True)
class Member:
    """What one load balancer unit says of itself to the others."""

    addresses: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[str, ...]]
    )
    """Its own, by endpoint type."""
    served: frozenset[str] = frozenset()
    """Names of the frontends that it serves."""
    acks: Mapping[str, loadbalancer.Ack] = dataclasses.field(
        default_factory=dict[str, loadbalancer.Ack]
    )
    metrics: str = ''
    """Host and port of its statistics."""
    in_service: bool = True
    """It wants clients: it was admitted, and no operator has taken it out."""
    ready_url: str = ''
    """Where the other units may ask whether it is ready; empty: nowhere."""
    secure: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """How it serves frontends that end TLS, by name: ``both`` or ``https``; any other takes ``http``."""
    scheme_used: Mapping[str, float] = dataclasses.field(default_factory=dict[str, float])
    """When clients last came to it by the way that is to be closed (:mod:`balancer.old_scheme`)."""
    vrrp: vip_admission.Said = dataclasses.field(default_factory=vip_admission.Said)
    """Of who holds VIPs."""
    hands_over: bool = False
    """It gives its VIPs away: the others are to pass on what comes for its connections (:mod:`balancer.handover`)."""
    heeds: str = ''
    """The unit whose connections it passes on, or would if it got the VIPs."""
    counts_on: frozenset[str] = frozenset()
    """Units beside which it has gone out of service (:mod:`balancer.standby`)."""


def write_member(member: Member) -> Databag:
    """A member's databag on the peer relation."""
    return {
        'addresses': wire.dump({t: list(a) for t, a in member.addresses.items()}),
        'served': wire.dump(sorted(member.served)),
        'acks': write_acks(member.acks),
        'metrics': member.metrics,
        'in-service': '' if member.in_service else 'no',
        'ready-url': member.ready_url,
        'secure': wire.dump(dict(member.secure)) if member.secure else '',
        'scheme-used': wire.dump({k: int(at) for k, at in member.scheme_used.items()})
        if member.scheme_used
        else '',
        **vip_admission.write(member.vrrp),
        'hands-over': 'yes' if member.hands_over else '',
        'heeds': member.heeds,
        'counts-on': wire.dump(sorted(member.counts_on)) if member.counts_on else '',
    }


def read_member(bag: Databag) -> Member:
    """What :func:`write_member` wrote."""
    addresses = wire.load_object(bag.get('addresses', ''))
    return Member(
        addresses={t: wire.texts(a) for t, a in addresses.items()},
        served=frozenset(wire.texts(wire.load_array(bag.get('served', '')))),
        acks=_read_acks(bag),
        metrics=bag.get('metrics', ''),
        in_service=bag.get('in-service', '') != 'no',
        ready_url=bag.get('ready-url', ''),
        secure={
            name: wire.text(how) for name, how in wire.load_object(bag.get('secure', '')).items()
        },
        scheme_used={
            key: float(wire.number(at))
            for key, at in wire.load_object(bag.get('scheme-used', '')).items()
        },
        vrrp=vip_admission.read(bag),
        hands_over=bag.get('hands-over', '') == 'yes',
        heeds=bag.get('heeds', ''),
        counts_on=frozenset(wire.texts(wire.load_array(bag.get('counts-on', '')))),
    )


def write_acks(acks: Mapping[str, loadbalancer.Ack]) -> str:
    """Acknowledgements by unit."""
    return wire.dump(
        {
            unit: {'token': a.token, 'state': a.state, 'sessions': a.sessions}
            for unit, a in acks.items()
        }
    )


def _read_acks(bag: Databag) -> dict[str, loadbalancer.Ack]:
    return {
        unit: loadbalancer.Ack(
            token=wire.text(a.get('token')),
            state=wire.text(a.get('state')),
            sessions=wire.number(a.get('sessions')),
        )
        for unit, a in wire.objects(wire.load_object(bag.get('acks', '')))
    }


def news(acks: Mapping[str, loadbalancer.Ack], before: Databag) -> dict[str, loadbalancer.Ack]:
    """Those of *acks* that are worth a word where *before* was said: each word costs whoever hears it a hook.

    That a unit is down is the same as nothing, where nothing was said of it yet.
    """
    said = wire.load_object(before.get('acks', ''))
    return {unit: ack for unit, ack in acks.items() if ack.state != 'down' or unit in said}


def unit_reply(
    app: str,
    acks: Mapping[str, loadbalancer.Ack],
    lifecycles: Mapping[str, loadbalancer.Lifecycle | None],
    before: Databag,
) -> Databag:
    """What each load balancer unit writes to the relation with *app*, where it wrote *before*."""
    said = _read_acks(before)
    mine = {
        unit: said[unit] if _idle(ack, said.get(unit), lifecycles.get(unit)) else ack
        for unit, ack in news(acks, before).items()
        if unit.rpartition('/')[0] == app
    }
    return {'acks': write_acks(mine)}


def _idle(
    ack: loadbalancer.Ack,
    said: loadbalancer.Ack | None,
    lifecycle: loadbalancer.Lifecycle | None,
) -> bool:
    """Only the token is another one, and the unit does not wait for that.

    It waits to be back in rotation, and to be drained; not while its drain is queued, nor once
    it may stop.
    """
    waits = lifecycle is not None and (
        lifecycle.state == 'ready' or (lifecycle.state == 'drain' and ack.state != 'ready')
    )
    same = said is not None and (said.state, said.sessions) == (ack.state, ack.sessions)
    return same and not waits


@dataclasses.dataclass(frozen=True, kw_only=True)
class Context:
    """What a reply to any relation is made of."""

    layout: layout.Layout
    around: layout.Surroundings
    members: Mapping[str, Member]
    """Those whose word counts, by unit."""
    locks: Mapping[str, handshake.Lock]
    not_ready: frozenset[str] = frozenset()
    """Members that were asked and are not ready for clients."""
    schemes: Mapping[str, schemes.PublishedScheme] | None = None
    """What is published to clients, by endpoint type; None: ``http``. One that is absent is not published yet."""
    trusted: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """By endpoint type, the certificate that clients are to trust, PEM; '' where nobody says."""
    rotation: tuple[tuple[str, str, running.Running], ...] = ()
    """Units in rotation, each with a service that it is behind, and what it runs."""
    standing: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """By unit: why its drain would be refused now."""


def app_reply(
    asked: interface.Request | interface.Refusal, context: Context, before: Databag
) -> Databag:
    """What the leader writes to one relation, where it wrote *before*.

    A frontend is published only when every member serves it: it then ends up in the catalogue,
    and clients may then reach any of them. Once published it stays, as long as it is asked for and may
    be served: a unit that joins, and does not serve it yet, takes nothing away from clients.
    """
    # A unit that has only just come knows of no member yet, not even of itself.
    served = [m.served for m in context.members.values()]
    everywhere = frozenset[str](served[0]).intersection(*served) if served else frozenset[str]()
    published = {
        (service, t)
        for service, by_type in wire.objects(wire.load_object(before.get('frontends', '')))
        for t in by_type
    }
    frontends: dict[str, dict[str, Any]] = {}
    if isinstance(asked, interface.Request):
        for endpoint in asked.endpoints:
            there = {
                t: context.layout.published.get((asked.relation, endpoint.service, t))
                for t in endpoint.types
            }
            frontends[endpoint.service] = {
                t: _frontend(endpoint, t, context)
                for t, name in there.items()
                if name
                and (name in everywhere or (endpoint.service, t) in published)
                and (endpoint.protocol != 'http' or _may_be_published(t, context))
            }
    trusted = sorted(
        {a for m in context.members.values() for own in m.addresses.values() for a in own}
    )
    return {
        'interface-versions': wire.dump(loadbalancer.VERSIONS),
        'frontends': wire.dump({s: f for s, f in frontends.items() if f}),
        'status': wire.dump(_status(asked, context.layout, frontends)),
        'proxy': wire.dump(
            {
                'sets-forwarded-headers': True,
                'trusted-cidrs': [str(ipaddress.ip_network(a)) for a in trusted],
            }
        ),
        **grants(asked.app, context.members, context.locks, context.standing),
        **running.response(r for r in context.rotation if r[1] in _services(asked)),
    }


def _services(asked: interface.Request | interface.Refusal) -> frozenset[str]:
    return (
        frozenset(e.service for e in asked.endpoints)
        if isinstance(asked, interface.Request)
        else frozenset()
    )


def grants(
    app: str,
    members: Iterable[str],
    locks: Mapping[str, handshake.Lock],
    standing: Mapping[str, str],
) -> dict[str, str]:
    """Which units of *app* may drain, and whose acknowledgement each needs.

    A unit that has asked for nothing hears without a token why it would be refused: an action of its can say that, and
    not what is decided after it.
    """
    every = {
        **{
            u: handshake.Lock(token='', state='refused', since=0, reason=why)
            for u, why in standing.items()
        },
        **locks,
    }
    found = {
        unit: {
            'token': lock.token,
            'state': lock.state,
            'position': lock.position,
            'reason': lock.reason,
        }
        for unit, lock in every.items()
        if unit.rpartition('/')[0] == app
    }
    return {'lb-units': wire.dump(sorted(members, key=unit_order)), 'grants': wire.dump(found)}


def _frontend(endpoint: interface.Endpoint, t: str, context: Context) -> dict[str, Any]:
    exposure = context.around.exposure
    addresses = published_addresses(t, context)
    reached = _reached(endpoint, t, context)
    url = ''
    if reached is not None:
        port = reached.port or endpoint.port
        host = host_in_url(reached.name)
        default = 443 if reached.scheme == 'https' else 80
        url = f'{reached.scheme}://{host}{"" if port == default else f":{port}"}{endpoint.path}'
    versions = {ipaddress.ip_address(a).version for a in addresses}
    names = exposure_.registered(t, endpoint, exposure, named(endpoint, exposure))
    secure = reached is not None and reached.scheme == 'https'
    ca = context.trusted.get(t, '') if secure and _scheme(endpoint, t, context) == 'https' else ''
    return {
        'ip': list(addresses),
        'port': (reached.port if reached else 0) or endpoint.port,
        'protocol': 'https' if secure else 'http',
        'hostname': names[0].name if names else '',
        'url': url,
        'families': [f'ipv{v}' for v in sorted(versions)],
        'tls': 'terminate' if secure else 'none',
        **({'ca': ca} if ca else {}),
    }


def _may_be_published(t: str, context: Context) -> bool:
    """Where TLS is wanted, and nothing was published to clients yet, they wait for the certificate."""
    return context.schemes is None or t in context.schemes


def _scheme(endpoint: interface.Endpoint, t: str, context: Context) -> schemes.Scheme:
    """What this load balancer serves, as it is published to clients."""
    published = (context.schemes or {}).get(t)
    return published.scheme if published and endpoint.protocol == 'http' else 'http'


def _reached(endpoint: interface.Endpoint, t: str, context: Context) -> Outside | None:
    """What the catalogue is to say: a name, or an outside VIP, or our own VIP, or a unit in service."""
    exposure = context.around.exposure
    names = exposure_.registered(t, endpoint, exposure, named(endpoint, exposure))
    scheme = _scheme(endpoint, t, context)
    outside = (*names, *exposure.external_vips.get(t, ()))
    if outside:
        return outside[0].seen(scheme)
    addresses = published_addresses(t, context)
    return Outside(name=addresses[0]).seen(scheme) if addresses else None


def named(endpoint: interface.Endpoint, exposure: exposure_.Exposure) -> dict[str, Outside]:
    """The operator's own URLs of *endpoint*, by endpoint type."""
    out: dict[str, Outside] = {}
    for key in dict.fromkeys((endpoint.type, endpoint.service)):
        out.update(exposure_.urls(exposure.service_options.get(key, {}), 'service-options'))
    return out


def published_addresses(t: str, context: Context) -> tuple[str, ...]:
    """Where clients of type *t* are sent: outside VIPs, or our VIPs, or the address of every unit in service."""
    exposure, bindings = context.around.exposure, context.around.bindings
    if found := exposure.external_vips.get(t):
        return tuple(x.name for x in found if is_address(x.name))
    if t in bindings and bindings[t].vips:
        vips = layout.Binding(addresses=(), vips=bindings[t].vips)
        return layout.usable(vips, exposure.families)
    ordered = sorted(context.members.items(), key=lambda item: unit_order(item[0]))
    serving = [(u, m) for u, m in ordered if m.in_service and u not in context.not_ready]
    # With none in service, those that there are: one of them will come back first.
    own = [m.addresses.get(t, ()) for _, m in serving or ordered]
    return tuple(dict.fromkeys(a for addresses in own for a in addresses))


def is_address(text: str) -> bool:
    """Whether *text* is an IP address."""
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _status(
    asked: interface.Request | interface.Refusal,
    what: layout.Layout,
    frontends: Mapping[str, Mapping[str, object]],
) -> dict[str, dict[str, str]]:
    if isinstance(asked, interface.Refusal):
        return {asked.service or '*': {'state': 'rejected', 'reason': asked.reason}}
    out: dict[str, dict[str, str]] = {}
    for endpoint in asked.endpoints:
        refused = list(
            dict.fromkeys(
                r.reason
                for r in what.refusals
                if r.relation == asked.relation and r.service in ('', endpoint.service)
            )
        )
        if refused and not frontends.get(endpoint.service):
            out[endpoint.service] = {'state': 'rejected', 'reason': '; '.join(refused)}
        elif not frontends.get(endpoint.service):
            out[endpoint.service] = {'state': 'pending', 'reason': 'not every unit serves it yet'}
        else:
            bad = [f'{u}: {why}' for u, why in sorted(asked.refused_units.items())]
            out[endpoint.service] = {'state': 'ready', 'reason': '; '.join(refused + bad)}
    return out


def refusals(
    asked: Iterable[interface.Request | interface.Refusal], what: layout.Layout
) -> tuple[str, ...]:
    """Everything that is refused, by name, for the operator."""
    out: list[str] = []
    for a in asked:
        if isinstance(a, interface.Refusal):
            out.append(f'{a.app} (relation {a.relation}): {a.reason}')
        else:
            out += [f'{unit}: {why}' for unit, why in sorted(a.refused_units.items())]
    out += [f'{r.app}: {r.service}: {r.reason}' for r in what.refusals]
    return tuple(dict.fromkeys(out))
