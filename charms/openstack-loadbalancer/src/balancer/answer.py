"""What the load balancer writes back to those that asked, in the wire format of both versions."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from charmkit.relations import Databag, host_in_url, loadbalancer, unit_order, wire

from . import handshake, interface, layout


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


def write_member(member: Member) -> Databag:
    """A member's databag on the peer relation."""
    return {
        'addresses': wire.dump({t: list(a) for t, a in member.addresses.items()}),
        'served': wire.dump(sorted(member.served)),
        'acks': write_acks(member.acks),
        'metrics': member.metrics,
    }


def read_member(bag: Databag) -> Member:
    """What :func:`write_member` wrote."""
    addresses = wire.load_object(bag.get('addresses', ''))
    return Member(
        addresses={t: wire.texts(a) for t, a in addresses.items()},
        served=frozenset(wire.texts(wire.load_array(bag.get('served', '')))),
        acks=_read_acks(bag),
        metrics=bag.get('metrics', ''),
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


def unit_answer(
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


def app_answer(
    asked: interface.Request | interface.Refusal,
    what: layout.Layout,
    bindings: Mapping[str, layout.Binding],
    rules: layout.Rules,
    members: Mapping[str, Member],
    locks: Mapping[str, handshake.Lock],
) -> Databag:
    """What the leader writes to one relation.

    A frontend is told of only when every member serves it: what is told ends up in the
    catalogue, and clients may then reach any of them.
    """
    # A unit that has only just come knows of no member yet, not even of itself.
    served = [m.served for m in members.values()]
    everywhere = frozenset[str](served[0]).intersection(*served) if served else frozenset[str]()
    frontends: dict[str, dict[str, Any]] = {}
    if isinstance(asked, interface.Request):
        for endpoint in asked.endpoints:
            frontends[endpoint.service] = {
                t: _frontend(endpoint, t, bindings, rules, members)
                for t in endpoint.types
                if what.published.get((asked.relation, endpoint.service, t)) in everywhere
            }
    trusted = sorted({a for m in members.values() for own in m.addresses.values() for a in own})
    return {
        'interface-versions': wire.dump(loadbalancer.VERSIONS),
        'frontends': wire.dump({s: f for s, f in frontends.items() if f}),
        'status': wire.dump(_status(asked, what, frontends)),
        'proxy': wire.dump(
            {
                'sets-forwarded-headers': True,
                'trusted-cidrs': [str(ipaddress.ip_network(a)) for a in trusted],
            }
        ),
        **leave(asked.app, members, locks),
    }


def leave(app: str, members: Iterable[str], locks: Mapping[str, handshake.Lock]) -> dict[str, str]:
    """Which units of *app* may drain, and whose acknowledgement each needs."""
    grants = {
        unit: {
            'token': lock.token,
            'state': lock.state,
            'position': lock.position,
            'reason': lock.reason,
        }
        for unit, lock in locks.items()
        if unit.rpartition('/')[0] == app
    }
    return {
        'lb-units': wire.dump(sorted(members, key=unit_order)),
        'grants': wire.dump(grants),
    }


def _frontend(
    endpoint: interface.Endpoint,
    t: str,
    bindings: Mapping[str, layout.Binding],
    rules: layout.Rules,
    members: Mapping[str, Member],
) -> dict[str, Any]:
    addresses = published_addresses(t, bindings, rules, members)
    hostname = rules.hostnames.get(t) or endpoint.hostnames.get(t) or ''
    host = hostname or (host_in_url(addresses[0]) if addresses else '')
    versions = {ipaddress.ip_address(a).version for a in addresses}
    return {
        'ip': list(addresses),
        'port': endpoint.port,
        'protocol': 'http',
        'hostname': hostname,
        'url': f'http://{host}:{endpoint.port}{endpoint.path}' if host else '',
        'families': [f'ipv{v}' for v in sorted(versions)],
        'tls': 'none',
    }


def published_addresses(
    t: str,
    bindings: Mapping[str, layout.Binding],
    rules: layout.Rules,
    members: Mapping[str, Member],
) -> tuple[str, ...]:
    """Where clients of type *t* are sent: outside VIPs, or our VIPs, or every unit's address."""
    if rules.external_vips.get(t):
        return rules.external_vips[t]
    if t in bindings and bindings[t].vips:
        return layout.usable(layout.Binding(addresses=(), vips=bindings[t].vips), rules.families)
    own = [m.addresses.get(t, ()) for _, m in sorted(members.items(), key=_by_unit)]
    return tuple(dict.fromkeys(a for addresses in own for a in addresses))


def _by_unit(item: tuple[str, Member]) -> tuple[str, int]:
    return unit_order(item[0])


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
