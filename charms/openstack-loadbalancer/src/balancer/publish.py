"""What one run publishes and shows: databags, ports, status, tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from charmkit import Desired, Status
from charmkit.relations import Databag, loadbalancer, unit_order, wire

from . import answer, decision, handshake, rotation, seeing, stats


def published(
    known: decision.Known,
    now: decision.Decision,
    acks: Mapping[str, loadbalancer.Ack],
    workers: Iterable[rotation.Worker],
) -> Desired:
    """Everything to be written and shown after haproxy is as *now* wants it."""
    workers = tuple(workers)
    inputs = known.inputs
    mine = answer.Member(
        addresses=now.addresses,
        served=frozenset(f.name for f in now.layout.frontends),
        acks=answer.news(acks, inputs.my_peer_data),
        metrics=_metrics(known, now),
    )
    every = {unit: answer.read_member(bag) for unit, bag in inputs.peer_units.items()}
    every[inputs.site.unit] = mine
    members = {unit: every[unit] for unit in now.members if unit in every}
    there = {r.id: r.my_data for name in decision.ENDPOINTS for r in inputs.of(name)}
    unit_data: dict[str | int, Databag] = {decision.PEERS: answer.write_member(mine)}
    app_data: dict[str | int, Databag] = {decision.PEERS: _peers(now)}
    for asked in now.asked:
        if asked.relation in there:
            unit_data[asked.relation] = answer.unit_answer(
                asked.app, acks, now.lifecycles, there[asked.relation]
            )
            app_data[asked.relation] = answer.app_answer(
                asked, now.layout, now.bindings, now.opts.rules, members, now.locks
            )
    for relation in inputs.of('metrics-endpoint'):
        unit_data[relation.id] = seeing.scrape_unit(inputs.site, known.metrics_addresses)
        app_data[relation.id] = seeing.scrape_app(now.opts.metrics_port, inputs.site.app)
    for relation in inputs.of('grafana-dashboard'):
        app_data[relation.id] = seeing.dashboards()
    return Desired(
        host=now.host,
        unit_data=unit_data,
        app_data=app_data,
        ports=frozenset(f.port for f in now.layout.frontends),
        status=statuses(known, now, workers),
        version=inputs.versions.get('haproxy', ''),
    )


def _peers(now: decision.Decision) -> Databag:
    return {
        'members': wire.dump(list(now.members)),
        'excluded': wire.dump(sorted(now.excluded)),
        'locks': handshake.dump(now.locks),
        'holds': wire.dump({u: loadbalancer.write_lifecycle(h) for u, h in now.holds.items()}),
    }


def _metrics(known: decision.Known, now: decision.Decision) -> str:
    if not known.metrics_addresses:
        return ''
    first = known.metrics_addresses[0]
    host = f'[{first}]' if ':' in first else first
    return f'{host}:{now.opts.metrics_port}'


def statuses(
    known: decision.Known, now: decision.Decision, workers: Sequence[rotation.Worker]
) -> tuple[Status, ...]:
    """What the operator should know, in the order of urgency."""
    out = [Status('blocked', text) for text in answer.refusals(now.asked, now.layout)]
    if now.homeless_vips:
        out.append(
            Status('blocked', f'VIP in no network of a binding: {", ".join(now.homeless_vips)}')
        )
    if known.out_of_service:
        out.append(Status('maintenance', 'out of service (resume-self brings it back)'))
    if not now.admitted:
        out.append(Status('waiting', 'waiting for the leader to admit this unit'))
    dead = [b.name for b in now.layout.backends if not _any_up(b.name, workers)]
    if dead:
        out.append(Status('waiting', f'no unit answers its check: {_some(dead)}'))
    out.append(Status('active', _summary(now, workers)))
    return tuple(out)


def _any_up(backend: str, workers: Iterable[rotation.Worker]) -> bool:
    return any(
        s.up and not s.admin
        for w in workers
        if w.current
        for (name, _), s in w.servers.items()
        if name == backend
    )


def _summary(now: decision.Decision, workers: Iterable[rotation.Worker]) -> str:
    frontends = len(now.layout.frontends)
    parts = [f'{frontends} frontend{"" if frontends == 1 else "s"}']
    away = sorted(
        {u for u, places in now.places.items() if any(now.wants[p] != 'ready' for p in places)},
        key=unit_order,
    )
    if away:
        parts.append(f'out of rotation: {_some(away)}')
    moves = now.opts.vips or now.opts.rules.external_vips or now.opts.rules.hostnames
    if len(now.members) > 1 and not moves:
        parts.append('no VIP')
    return ', '.join(parts)


def _some(names: Sequence[str]) -> str:
    shown = ', '.join(names[:5])
    return shown if len(names) <= 5 else f'{shown} and {len(names) - 5} more'


def backends(now: decision.Decision, workers: Iterable[rotation.Worker]) -> list[dict[str, Any]]:
    """Each server on this unit: what is wanted, what it does, what is under way on all workers."""
    workers = tuple(workers)
    current = next((w for w in workers if w.current), None)
    out: list[dict[str, Any]] = []
    for unit, places in now.places.items():
        for backend, server in places:
            seen = current.servers.get((backend, server)) if current else None
            lock = now.locks.get(unit)
            out.append(
                {
                    'backend': backend,
                    'unit': unit,
                    'wanted': now.wants[backend, server],
                    'check': 'up' if seen and seen.up else 'down',
                    'sessions': rotation.sessions([(backend, server)], workers),
                    'grant': lock.state if lock else '',
                }
            )
    return sorted(out, key=lambda row: (row['backend'], unit_order(row['unit'])))


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """*rows* for people."""
    heads = ('backend', 'unit', 'wanted', 'check', 'sessions', 'grant')
    return stats.columns([h.upper() for h in heads], [[str(r[h]) for h in heads] for r in rows])
