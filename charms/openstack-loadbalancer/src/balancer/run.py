"""One run of the charm: why it runs and what is known in, everything that is wanted out. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from charmkit import Action, Desired, Inputs, Status, Why
from charmkit.host import Host
from charmkit.proxy import haproxy, vip_admission, vrrp_peers
from charmkit.relations import ENDPOINT_TYPES, Relation, wire

from . import (
    actions,
    blame,
    check_trial,
    collisions,
    credentials,
    decision,
    departed,
    dns_names,
    dns_update,
    files,
    handover,
    inside,
    interface,
    layout,
    old_scheme,
    options,
    publish,
    reply,
    runtime_certificates,
    settling,
    standby,
    tasks,
    tls,
    tls_outputs,
)
from . import vrrp as vrrp_
from .settling import Settled

GONE, DRAINS, OPTIONS = 'gone', 'drains', 'options'
OUT_OF_SERVICE = 'out-of-service'
"""Names in the unit's memory: what has departed, since when
each unit is drained, the last good options, and whether the operator has taken this unit out."""
_SOON_S = 5.0


def run(why: Why, inputs: Inputs) -> Desired:
    """Everything that is wanted of this unit."""
    if why.removing:
        return Desired(host=files.REMOVING)
    if 'listening' not in inputs.seen:
        # Where another program listens nothing can be served: that is known before anything is tried.
        first = (
            tasks.Listening(),
            *_connections(inputs),
            *_standby(why, inputs),
            *old_scheme.asked(inputs),
        )
        return Desired(tasks=first, read_only=True)
    known = gather(why, inputs)
    now = decision.decide(known)
    if isinstance(why, Action) and (said := _with_replies(why, inputs, now)):
        return said
    if tried := check_trial.wanted(known, now):
        return Desired(tasks=(tried,), read_only=True)
    looked = inputs.seen.get('servers')
    course = tasks.DrainProgress(drains=_drains(inputs))
    wake_at = settling.due(now, course, _until(known, now), began=inputs.now, looked=inputs.now)
    host = files.desired(known, now, wake_at=wake_at)
    found = blame.findings(known, now, inputs)
    if found is not None:
        return Desired(host=host, tasks=(found,))
    if isinstance(looked, tasks.Unreachable):
        return _without_haproxy(known, now, host, looked.reason)
    if not isinstance(looked, tasks.HaproxyState):
        return Desired(host=host, tasks=(settling.first(now, _drains(inputs), inputs.now),))
    step = settling.following(known, looked, wait_s=now.opts.drain_wait_s)
    if not isinstance(step, Settled):
        return Desired(host=host, tasks=(step,))
    return _ended(why, inputs, known, step)


def _with_replies(why: Action, inputs: Inputs, now: decision.Decision) -> Desired | None:
    """What an action that changes nothing has to say; None where the run goes on."""
    if refused := actions.refused(why, inputs, now):
        return Desired(failure=refused)
    return actions.looked(why, inputs, now) if why.name in actions.LOOKS else None


def _connections(inputs: Inputs) -> tuple[tasks.Connections, ...]:
    """Of a unit that has given its VIPs away, those that it still has are counted."""
    giving = handover.load(inputs.memory.get(handover.HANDOVER))
    return (tasks.Connections(),) if giving and giving.moved else ()


def _standby(why: Why, inputs: Inputs) -> tuple[tasks.MembersReady, ...]:
    """A unit that goes out of service asks whom it leaves its clients to, until it is out."""
    wish = actions.wish(why, inputs.memory, out=bool(inputs.memory.get(OUT_OF_SERVICE)))
    giving = handover.load(inputs.memory.get(handover.HANDOVER))
    if not wish.out or wish.forced or (wish.counts_on and not giving):
        return ()
    bags = {u: reply.read_member(bag) for u, bag in inputs.peer_units.items()}
    urls = {u: m.ready_url for u, m in bags.items() if m.in_service and m.ready_url}
    return (tasks.MembersReady(urls, decision.STANDBY),) if urls else ()


def gather(why: Why, inputs: Inputs) -> decision.RunInputs:
    """All that the run knows, in one value."""
    own = options.kept(inputs.memory.get(OPTIONS))
    good = own or options.kept(wire.load_object(inputs.peers.get('options', '')))
    verdict = blame.verdict(inputs)
    seen = inputs.seen.get('listening')
    listeners = cast('tuple[layout.Listener, ...]', seen) if isinstance(seen, tuple) else ()
    related = frozenset[str]().union(*(interface.names(r) for r in _relations(inputs)))
    effective = options.read(
        inputs.options,
        good,
        collisions.collision(inputs, listeners, own, good, _relations(inputs)),
        related,
    )
    if verdict.options:
        effective = options.without(inputs.options, good, verdict.options)
    if wrong := wire.text(inputs.seen.get(check_trial.TASK)):
        effective = options.held_back(effective, good, options.SERVICE_OPTIONS, wrong)
    opts = effective.options
    networks = {t: vrrp_.interfaces(inputs, t, opts.vips) for t in ENDPOINT_TYPES}
    scraped = vrrp_.interfaces(inputs, 'metrics-endpoint', opts.vips)
    gone = departed.departed(
        departed.load(wire.text(inputs.memory.get(decision.RELATIONS)) or '[]'),
        _relations(inputs),
        departed.load_gone(wire.text(inputs.memory.get(GONE))),
        now=inputs.now,
        linger_s=opts.linger_s,
    )
    secured = tls.gather(
        inputs,
        secret=opts.tls_secret,
        minimum=opts.tls_minimum,
        transition_s=opts.tls_transition_s,
        limit_s=opts.tls_transition_limit_s,
        used=_used(inputs),
    )
    return decision.RunInputs(
        inputs=inputs,
        effective=effective,
        good=good,
        networks=networks,
        metrics_addresses=tuple(dict.fromkeys(i.address for i in scraped)),
        listeners=listeners,
        gone=gone,
        guilty={**blame.remembered(inputs, effective.raw), **verdict.guilty},
        wish=actions.wish(why, inputs.memory, out=bool(inputs.memory.get(OUT_OF_SERVICE))),
        orders=actions.orders(why),
        time_passes=why.time_passes,
        tls=secured,
        authorities=inside.read(inputs, secured.credentials),
    )


def _used(inputs: Inputs) -> dict[str, float]:
    """When clients last came by each way, to any unit."""
    out = old_scheme.used(inputs)
    for bag in inputs.peer_units.values():
        for key, at in reply.read_member(bag).scheme_used.items():
            out[key] = max(at, out.get(key, 0.0))
    return out


def _without_haproxy(
    known: decision.RunInputs, now: decision.Decision, host: Host, reason: str
) -> Desired:
    """This unit serves nobody: names in DNS go to others, and all else stays as it was published."""
    members, not_ready = _asked_members(known, now)
    in_dns, update = publish.names_of_others(known, now, not_ready)
    if members and 'members' not in known.inputs.seen:
        update = None
    return Desired(
        host=host,
        tasks=(
            *((tasks.MembersReady(members),) if members else ()),
            *((update,) if update else ()),
        ),
        app_data=in_dns,
        status=(Status('blocked', f'haproxy does not answer: {reason}'),),
        memory=dns_update.memory(known, update),
    )


def _ended(why: Why, inputs: Inputs, known: decision.RunInputs, end: Settled) -> Desired:
    """What is kept, published and shown once haproxy is as it is wanted, as far as that goes."""
    now = end.decision
    text = files.rendered(known, now)
    members, not_ready = _asked_members(known, now)
    if 'haproxy' in inputs.failed:
        not_ready |= {inputs.site.unit}
    in_force = end.mark == haproxy.mark(text.text) and 'haproxy' not in inputs.failed
    written = publish.published(
        known,
        end,
        in_force=in_force,
        not_ready=not_ready,
        asked_all=not members or 'members' in inputs.seen,
    )
    times = [*_until(known, now), *((inputs.now + _SOON_S,) if written.news else ())]
    wake_at = settling.due(now, end.course, times, began=inputs.now, looked=end.at)
    # Grants of this very run: a start of haproxy from nothing must know of them too.
    host = files.desired(known, now, wake_at=wake_at)
    statuses = publish.statuses(known, end, in_force=in_force)
    failure, results = actions.outcome(why, now, statuses)
    return Desired(
        host=host,
        tasks=(
            tasks.SaveStates(end.look),
            tasks.Tidy(frozenset(text.lists)),
            *_certificates(known),
            *((tasks.MembersReady(members),) if members else ()),
            *((written.update,) if written.update else ()),
        ),
        unit_data=written.unit_data,
        app_data=written.app_data,
        ports=written.ports,
        secrets=written.secrets,
        status=statuses,
        unheeded={decision.PEERS: _unheeded(known, now)},
        # As its relations go haproxy answers as before: nobody comes any more, or has nowhere else to go.
        ready_to_stop=inputs.dying and in_force,
        version=inputs.versions.get('haproxy', ''),
        memory={
            decision.RELATIONS: departed.dump(_relations(inputs)),
            GONE: departed.dump_gone(known.gone),
            DRAINS: {u: list(x) for u, x in end.course.drains.items()},
            OUT_OF_SERVICE: known.wish.out,
            **dataclasses.replace(known.wish, counts_on=now.counts_on).memory,
            **now.vrrp.memory,
            vrrp_peers.MEMORY: known.vrrp_peers,
            handover.HANDOVER: handover.dump(now.handover),
            handover.PASSES_ON: now.passes_on,
            credentials.IN_FORCE: credentials.memory(known.tls.credentials, known.tls.modes),
            **known.authorities.memory,
            old_scheme.MEMORY: old_scheme.used(inputs) if known.tls.both_until else {},
            **({OPTIONS: dict(known.effective.raw)} if known.effective.complete else {}),
            **blame.memory(known, inputs, in_force=in_force),
            **dns_update.memory(known, written.update),
        },
        results=results,
        failure=failure,
    )


def _certificates(known: decision.RunInputs) -> tuple[runtime_certificates.Certificates, ...]:
    """What a running haproxy is to show: its files alone are read when it starts."""
    wanted = {
        credentials.path(t): runtime_certificates.Shown(c.fingerprint, t, c.not_after, c.pem)
        for t, c in known.tls.credentials.by_type.items()
        if known.tls.modes[t] != 'http'
    }
    return (runtime_certificates.Certificates(wanted=wanted),) if wanted else ()


def _unheeded(known: decision.RunInputs, now: decision.Decision) -> frozenset[str]:
    """What the other members acknowledge is for the leader, while a drain is under way or asked for."""
    unheeded = vip_admission.UNHEEDED | {dns_update.PUBLISHED}
    if not now.vrrp.joined:
        return unheeded  # It waits for what they say.
    wanted = [x for x in now.lifecycles.values() if x is not None and x.state != 'ready']
    drains = bool(now.locks or wanted)
    heeded = known.inputs.site.leader and drains
    return unheeded if heeded else unheeded | {'acks'}


def _asked_members(
    known: decision.RunInputs, now: decision.Decision
) -> tuple[dict[str, str], frozenset[str]]:
    """Whom the leader asks whether they are there, and those that were asked and are not.

    It asks where clients of an endpoint type that is served come to units by their own addresses.
    """
    types = {t for f in now.layout.frontends for t in f.types}
    if not known.inputs.site.leader or not any(dns_names.by_units(t, now) for t in types):
        return {}, frozenset()
    found = known.inputs.seen.get('members')
    silent = cast('frozenset[str]', found) if isinstance(found, frozenset) else frozenset[str]()
    ask = {u: m.ready_url for u, m in known.others.items() if m.ready_url and u in now.members}
    return ask, silent


def _relations(inputs: Inputs) -> tuple[Relation, ...]:
    return tuple(r for name in decision.ENDPOINTS for r in inputs.of(name))


def _until(known: decision.RunInputs, now: decision.Decision) -> list[float]:
    giving = handover.due(now.handover, known.inputs.now, now.opts.handover_s)
    stays = [known.inputs.now + standby.LOOK_S] if now.stays else []
    return [*(g.until for g in known.gone), *giving, *stays, *tls_outputs.changes(known)]


def _drains(inputs: Inputs) -> dict[str, tuple[str, float]]:
    kept = cast('Mapping[str, Any]', inputs.memory.get(DRAINS) or {})
    return {str(u): (str(t), float(s)) for u, (t, s) in kept.items()}
