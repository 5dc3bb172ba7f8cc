"""What one run publishes and shows: databags, ports, status, tables. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from charmkit import Secret, Status
from charmkit.proxy import vip_admission, vip_handover
from charmkit.relations import Databag, loadbalancer, running, unit_order, wire

from . import (
    certificate_requests,
    credentials,
    decision,
    dns_records,
    dns_update,
    files,
    handover,
    handshake,
    inside,
    interface,
    nsupdate,
    observability,
    old_scheme,
    reply,
    rotation,
    schemes,
    settling,
    standby,
    stats,
    tls_outputs,
)
from .settling import Settled


@dataclasses.dataclass(frozen=True, kw_only=True)
class Published:
    """What is written, as :class:`charmkit.Desired` has it."""

    unit_data: Mapping[str | int, Databag]
    app_data: Mapping[str | int, Databag]
    ports: frozenset[int]
    secrets: Mapping[str, Secret]
    update: nsupdate.Update | None = None
    """What a DNS server is to take."""
    news: bool = False
    """Another scheme than before is published to clients: what follows from that is for the next run."""


def published(
    known: decision.RunInputs,
    end: Settled,
    *,
    in_force: bool,
    not_ready: frozenset[str],
    asked_all: bool = True,
) -> Published:
    """Everything to be written after haproxy is as *end* has it.

    *in_force*: haproxy has the configuration that was decided on. *not_ready* are members that
    were asked and want no clients; *asked_all*: those that are to be asked were.
    """
    inputs, now = known.inputs, end.decision
    frontends = frozenset(f.name for f in now.layout.frontends)
    before = reply.read_member(inputs.my_peer_data)
    mine = reply.Member(
        addresses=now.addresses,
        served=frontends if in_force else frontends & before.served,
        acks=reply.news(end.acks, inputs.my_peer_data),
        metrics=_metrics(known, now),
        in_service=now.serving,
        ready_url=files.ready_url(known),
        secure=tls_outputs.secure(known, now) if in_force else before.secure,
        scheme_used=old_scheme.publish(
            old_scheme.used(inputs) if known.tls.both_until else {},
            before.scheme_used,
            known.tls.transition_s,
        ),
        vrrp=vip_admission.Said(
            advertises_to=before.vrrp.advertises_to
            if 'keepalived' in inputs.failed
            else frozenset(u for u, m in known.others.items() if any(m.addresses.values())),
            takes_part=bool(now.vips) and now.vrrp.joined and not inputs.dying,
        ),
        hands_over=now.handover is not None,
        heeds='' if vip_handover.PASSER in inputs.failed else now.passes_on,
        counts_on=now.counts_on,
    )
    every = {**known.others, inputs.site.unit: mine}
    clients = tls_outputs.clients(known, now, {u: every[u] for u in now.members if u in every})
    context = reply.Context(
        layout=now.layout,
        around=now.around,
        members={unit: every[unit] for unit in now.members if unit in every},
        locks=now.locks,
        not_ready=not_ready,
        schemes=clients,
        trusted={t: c.ca for t, c in known.tls.credentials.by_type.items()},
        rotation=tuple(in_rotation(now)),
        standing=handshake.standing(settling.candidates(now, end.workers), settling.policy(now)),
    )
    bags = {r.id: r.my_data for r in known.relations}
    unit_data: dict[str | int, Databag] = {decision.PEERS: reply.write_member(mine)}
    update = dns_update.update(known, now, context.members, not_ready) if asked_all else None
    led = dns_update.wanted(known, now, context.members, not_ready)
    asks = (
        certificate_requests.desired(
            inputs, tls_outputs.names(known, now, every), tls_outputs.late(known)
        )
        if inputs.site.leader
        else certificate_requests.NOTHING
    )
    app_data: dict[str | int, Databag] = {
        decision.PEERS: {
            **_peers(known, now),
            **asks.peers,
            **dns_update.peers(known, update, led),
            schemes.PUBLISHED: schemes.dump(clients),
        },
        **({credentials.RELATION: asks.relation} if inputs.of(credentials.RELATION) else {}),
    }
    for asked in now.asked:
        if asked.relation in bags:
            idle = _not_served(known, now, asked)
            unit_data[asked.relation] = {
                **reply.unit_reply(
                    asked.app,
                    {**end.acks, **{u: _drained(x) for u, x in idle.items()}},
                    {**now.lifecycles, **idle},
                    bags[asked.relation],
                ),
                **inside.reply(
                    asked.app,
                    known.authorities,
                    now.layout,
                    bags[asked.relation],
                    in_force=in_force,
                ),
            }
            app_data[asked.relation] = reply.app_reply(
                asked,
                dataclasses.replace(
                    context, locks={**now.locks, **{u: _free(x) for u, x in idle.items()}}
                ),
                inputs.app_data.get(asked.relation, {}),
            )
    for relation in inputs.of('metrics-endpoint'):
        unit_data[relation.id] = observability.scrape_unit(inputs.site, known.metrics_addresses)
        app_data[relation.id] = observability.scrape_app(
            now.opts.metrics_port, inputs.site.app, certificates=bool(known.tls.shown)
        )
    for relation in inputs.of('grafana-dashboard'):
        app_data[relation.id] = observability.dashboards()
    app_data |= _in_dns(known, now, context.members, not_ready)
    return Published(
        unit_data=unit_data,
        app_data=app_data,
        ports=frozenset(f.port for f in now.layout.frontends),
        secrets=asks.secrets,
        update=update,
        news=clients != known.tls.published,
    )


def names_of_others(
    known: decision.RunInputs, now: decision.Decision, not_ready: frozenset[str]
) -> tuple[dict[str | int, Databag], nsupdate.Update | None]:
    """What DNS charms are asked for, and what a DNS server is to take, where this unit serves nobody."""
    others = {u: m for u, m in known.others.items() if u in now.members}
    update = dns_update.update(known, now, others, not_ready)
    return _in_dns(known, now, others, not_ready), update


def _in_dns(
    known: decision.RunInputs,
    now: decision.Decision,
    members: Mapping[str, reply.Member],
    not_ready: frozenset[str],
) -> dict[str | int, Databag]:
    before = known.inputs.app_data
    return {
        r.id: dns_records.wanted(known, now, members, not_ready, before.get(r.id, {}))
        for r in known.inputs.of(dns_records.RELATION)
    }


def in_rotation(now: decision.Decision) -> Iterator[tuple[str, str, running.Running]]:
    """Each unit that is served, or not yet drained everywhere, with each service that it is behind, and what it runs.

    That one does not answer its check takes it out of haproxy's choice, not out of this: it may come back.
    """
    for asked in now.asked:
        if not isinstance(asked, interface.Request):
            continue
        for server in asked.servers:
            keys = now.servers.get(server.unit, ())
            if any(now.wants[key] != 'maint' for key in keys):
                yield server.unit, server.service, asked.runs[server.unit]


def _not_served(
    known: decision.RunInputs,
    now: decision.Decision,
    asked: interface.Request | interface.Refusal,
) -> dict[str, loadbalancer.Lifecycle]:
    """Units that no frontend leads to and that wish to stop: nothing keeps them, and they count for nobody."""
    relation = next(r for r in known.relations if r.id == asked.relation)
    out: dict[str, loadbalancer.Lifecycle] = {}
    for unit, bag in relation.units.items():
        own = loadbalancer.read_lifecycle(bag)
        if own and own.state in ('drain', 'maintenance') and unit not in now.servers:
            out[unit] = own
    return out


def _drained(lifecycle: loadbalancer.Lifecycle) -> loadbalancer.Ack:
    return loadbalancer.Ack(token=lifecycle.token[:100], state='drained')


def _free(lifecycle: loadbalancer.Lifecycle) -> handshake.Lock:
    return handshake.Lock(
        token=lifecycle.token[:100], state='granted', since=0, reason='it is not served here'
    )


def _peers(known: decision.RunInputs, now: decision.Decision) -> Databag:
    return {
        vip_admission.MEMBERS: wire.dump(list(now.members)),
        'excluded': wire.dump(sorted(now.excluded)),
        'locks': handshake.dump(now.locks),
        decision.CLOCK: known.inputs.site.unit,
        'holds': wire.dump({u: loadbalancer.write_lifecycle(h) for u, h in now.holds.items()}),
        # A unit that comes while an option is wrong knows no good value of its own.
        'options': wire.dump(dict(known.effective.raw)) if known.effective.complete else '',
    }


def _metrics(known: decision.RunInputs, now: decision.Decision) -> str:
    if not known.metrics_addresses:
        return ''
    first = known.metrics_addresses[0]
    host = f'[{first}]' if ':' in first else first
    return f'{host}:{now.opts.metrics_port}'


def statuses(known: decision.RunInputs, end: Settled, *, in_force: bool) -> tuple[Status, ...]:
    """What the operator should know, in the order of urgency."""
    now = end.decision
    out = [Status('blocked', text) for text in known.effective.problems]
    out += [Status('blocked', text) for text in reply.refusals(now.asked, now.layout)]
    out += tls_outputs.statuses(known, now)
    out += inside.statuses(known.authorities, now.layout, end.workers, edge=bool(known.tls.shown))
    if now.homeless_vips:
        out.append(
            Status(
                'blocked',
                f'option vip: in no network of a binding: {", ".join(now.homeless_vips)}',
            )
        )
    if not in_force:
        failed = known.inputs.failed.get('haproxy', 'see journalctl -u haproxy')
        out.append(Status('blocked', f'haproxy has not taken up its configuration: {failed}'))
    if now.stays:
        out.append(
            Status(
                'waiting',
                f'would go out of service, but {standby.NOBODY} (resume-self calls it off)',
            )
        )
    elif known.wish.out:
        away = Status('maintenance', 'out of service (resume-self brings it back)')
        out += [*_handing_over(known, now)] or [away]
    if now.passes_on and vip_handover.PASSER in known.inputs.failed:
        what = f'connections break that {now.passes_on} hands over: they cannot be passed on'
        out.append(Status('blocked', what))
    if not now.vrrp.admitted:
        out.append(Status('waiting', vip_admission.NOT_ADMITTED))
    elif now.vips and now.vrrp.waiting:
        out.append(Status('waiting', now.vrrp.waiting))
    out += dns_records.statuses(known.inputs.of(dns_records.RELATION), known.inputs.app_data)
    out += dns_update.statuses(known)
    dead = [b.name for b in now.layout.backends if not rotation.serves(b.name, end.workers)]
    out += unserved(now, dead)
    out.append(Status('active', _summary(now)))
    return tuple(out)


def _handing_over(known: decision.RunInputs, now: decision.Decision) -> Iterator[Status]:
    """How far the unit has come with giving its VIPs away."""
    if now.handover is None:
        return
    if failed := known.inputs.failed.get(vip_handover.KEEPER):
        yield Status('waiting', f'connections that clients have here may break: {failed}')
    if not now.handover.moved:
        late = decision.clock_time(now.handover.since + handover.ask_s(now.opts.handover_s))
        who = f'waits until {late} for {_some(now.awaits)}' if now.awaits else 'all are ready'
        yield Status('waiting', f'hands its VIPs over: {who}')
        return
    until = decision.clock_time(now.handover.moved + now.opts.handover_s)
    count = known.inputs.seen.get('connections')
    what = 'its connections' if count is None else f'its {count} connections'
    broken = f'; those break that {_some(now.awaits)} should pass on' if now.awaits else ''
    yield Status(
        'waiting', f'has given its VIPs away, and keeps {what} until {until} at most{broken}'
    )


def _summary(now: decision.Decision) -> str:
    frontends = len(now.layout.frontends)
    parts = [f'{frontends} frontend{"" if frontends == 1 else "s"}']
    away = sorted(
        {u for u, keys in now.servers.items() if any(now.wants[k] != 'ready' for k in keys)},
        key=unit_order,
    )
    if away:
        parts.append(f'out of rotation: {_some(away)}')
    exposure = now.opts.exposure
    moves = now.opts.vips or exposure.external_vips or exposure.hostnames
    if len(now.members) > 1 and not moves:
        parts.append('no VIP')
    return ', '.join(parts)


def unserved(now: decision.Decision, dead: Sequence[str]) -> Iterator[Status]:
    """Those of whose units none serves: because somebody has taken all of them out, or because none answers."""
    away: dict[str, list[str]] = {}
    for unit, keys in sorted(now.servers.items(), key=lambda item: unit_order(item[0])):
        for key in keys:
            away.setdefault(key[0], []).append(unit if now.wants[key] != 'ready' else '')
    taken = [name for name in dead if all(away.get(name, ['']))]
    units = list(dict.fromkeys(unit for name in taken for unit in away[name]))
    if taken:
        yield Status('waiting', f'no unit is in rotation: {_some(taken)} (out: {_some(units)})')
    if silent := [name for name in dead if name not in taken]:
        yield Status('waiting', f'no unit answers its check: {_some(silent)}')


def _some(names: Sequence[str]) -> str:
    shown = ', '.join(names[:5])
    return shown if len(names) <= 5 else f'{shown} and {len(names) - 5} more'


def backends(now: decision.Decision, workers: Iterable[rotation.Worker]) -> list[dict[str, Any]]:
    """Each server on this unit: what is wanted, what it does, what is under way on all workers."""
    workers = tuple(workers)
    current = next((w for w in workers if w.current), None)
    out: list[dict[str, Any]] = []
    runs = {u: r for a in now.asked if isinstance(a, interface.Request) for u, r in a.runs.items()}
    for unit, keys in now.servers.items():
        for key in keys:
            seen = current.servers.get(key) if current else None
            lock = now.locks.get(unit)
            out.append(
                {
                    'backend': key[0],
                    'unit': unit,
                    'wanted': now.wants[key],
                    'check': 'up' if seen and seen.up else 'down',
                    'sessions': rotation.sessions([key], workers),
                    'grant': lock.state if lock else '',
                    'release': runs.get(unit, running.Running()).release,
                    'base': runs.get(unit, running.Running()).base,
                }
            )
    return sorted(out, key=lambda row: (row['backend'], unit_order(row['unit'])))


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """*rows* for people."""
    heads = ('backend', 'unit', 'wanted', 'check', 'sessions', 'grant', 'release', 'base')
    return stats.columns([h.upper() for h in heads], [[str(r[h]) for h in heads] for r in rows])
