"""What follows from TLS for others: what is published, what is asked for, what the operator should know. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from charmkit import Status
from charmkit.relations import ENDPOINT_TYPES, wire

from . import (
    certificate_requests,
    credentials,
    interface,
    layout,
    reply,
    runtime_certificates,
    schemes,
)
from . import exposure as exposure_
from .decision import Decision, RunInputs, clock_time


def secure(known: RunInputs, now: Decision) -> dict[str, str]:
    """How this unit serves each frontend that ends TLS."""
    found = {f.name: known.tls.mode(f.types) for f in now.layout.frontends if f.protocol == 'http'}
    return {name: mode for name, mode in found.items() if mode != 'http'}


def clients(
    known: RunInputs, now: Decision, members: Mapping[str, reply.Member]
) -> dict[str, schemes.PublishedScheme]:
    """What is published from now on, by endpoint type; the leader decides it, others take it as it was noted."""
    if not known.inputs.site.leader:
        return dict(known.tls.published)
    spoken = _spoken(known)
    names = names_of_clients(known, now)
    out: dict[str, schemes.PublishedScheme] = {}
    for t in ENDPOINT_TYPES:
        mine = [f for f in now.layout.frontends if t in f.types and f.protocol == 'http']
        if not mine and t not in spoken:
            continue  # Nothing was published.
        credential = known.tls.credentials.by_type.get(t)
        good = credential is not None and all(map(credential.covers, names.get(t, ())))
        after = schemes.next_published(
            known.tls.published.get(t),
            wanted=known.tls.credentials.configured,
            everywhere={
                'https': good
                and all(_takes(m, f, 'https') for m in members.values() for f in mine),
                'http': all(_takes(m, f, 'http') for m in members.values() for f in mine),
            },
            spoken=t in spoken,
            now=known.inputs.now,
        )
        if after is not None:
            out[t] = after
    return out


def _takes(member: reply.Member, frontend: layout.Frontend, scheme: schemes.Scheme) -> bool:
    how = member.secure.get(frontend.name, 'http')
    return frontend.name in member.served and how in (scheme, 'both')


def _spoken(known: RunInputs) -> frozenset[str]:
    """Types that were published to clients."""
    return frozenset(
        t
        for bag in known.inputs.app_data.values()
        for _, by_type in wire.objects(wire.load_object(bag.get('frontends', '')))
        for t in by_type
    )


def names_of_clients(known: RunInputs, now: Decision) -> dict[str, tuple[str, ...]]:
    """By type, the names and addresses that the catalogue has: a certificate must be for these."""
    exposure = now.opts.exposure
    out: dict[str, tuple[str, ...]] = {}
    for asked in now.asked:
        for endpoint in asked.endpoints if isinstance(asked, interface.Request) else ():
            if endpoint.protocol != 'http':
                continue
            named = reply.named(endpoint, exposure)
            for t in endpoint.types:
                first = exposure_.registered(t, endpoint, exposure, named)[:1]
                # What another in front serves is for its own certificate.
                found = [o.name for o in first if not (o.spelt and o.scheme == 'http')]
                out[t] = tuple(dict.fromkeys((*out.get(t, ()), *found)))
    return out


def names(
    known: RunInputs, now: Decision, every: Mapping[str, reply.Member]
) -> dict[str, tuple[str, ...]]:
    """By type that is served, all that its certificate is to be for: names, VIPs, or the units' own addresses."""
    exposure = now.opts.exposure
    named = names_of_clients(known, now)
    served = {t for f in now.layout.frontends if f.protocol == 'http' for t in f.types}
    out: dict[str, tuple[str, ...]] = {}
    for t in ENDPOINT_TYPES:
        if t not in served:
            continue
        binding = now.around.bindings.get(t, layout.Binding(addresses=()))
        outside = [o.name for o in exposure.external_vips.get(t, ())]
        vips = layout.usable(layout.Binding(addresses=(), vips=binding.vips), exposure.families)
        own = [a for _, m in sorted(every.items()) for a in m.addresses.get(t, ())]
        found = [*named.get(t, ()), *outside, *(vips or own)]
        out[t] = tuple(sorted(dict.fromkeys(n.lower() for n in found)))
    return out


def late(known: RunInputs) -> frozenset[str]:
    """Types whose certificate the provider has let come near its end."""
    return frozenset(
        t
        for t, c in known.tls.credentials.by_type.items()
        if c.request and c.not_after - known.inputs.now < (c.not_after - c.not_before) / 4
    )


def changes(known: RunInputs) -> Iterator[float]:
    """When something changes by time alone; seconds since the epoch."""
    yield from known.tls.both_until.values()


def statuses(known: RunInputs, now: Decision) -> Iterator[Status]:
    """What the operator should know of certificates, and of clients that change over."""
    found = known.tls.credentials
    for text in (*found.problems, *certificate_requests.refused(known.inputs)):
        yield Status('blocked', text)
    ended, soon = credentials.ageing(found, known.inputs.now)
    for text in ended:
        yield Status('blocked', text)
    if not found.configured:
        missing = set[str]()
    else:
        missing = {t for f in now.layout.frontends for t in f.types if f.protocol == 'http'} - {
            *found.by_type
        }
    if missing:
        ordered = ', '.join(t for t in ENDPOINT_TYPES if t in missing)
        yield Status('waiting', f'waiting for a certificate for {ordered}')
    for t, wanted in names_of_clients(known, now).items():
        lacks = [n for n in wanted if t in found.by_type and not found.by_type[t].covers(n)]
        if lacks and found.configured:
            yield Status('waiting', f'the certificate for {t} is not for {lacks[0]}')
    for text in soon:
        yield Status('active', text)
    yield from _changing_over(known)
    replaced = known.inputs.seen.get('certificates')
    if isinstance(replaced, runtime_certificates.Replaced) and replaced.reloaded:
        yield Status('active', f'haproxy was reloaded for a certificate: {replaced.reloaded}')


def _changing_over(known: RunInputs) -> Iterator[Status]:
    """Clients that change from one way to the other, and those that do not."""
    old = 'http' if known.tls.credentials.configured else 'https'
    for t in known.tls.still_used:
        last = known.tls.published[t].since + known.tls.limit_s
        yield Status(
            'active',
            f'{old} for {t} is still used; refused in {_hours(last - known.tls.now)} at the latest',
        )
    for until in sorted(set(known.tls.both_until.values())):
        types = [
            t
            for t, at in known.tls.both_until.items()
            if at == until and t not in known.tls.still_used
        ]
        if not types:
            continue
        yield Status('active', f'http and https for {", ".join(types)} until {clock_time(until)}')


def _hours(seconds: float) -> str:
    return f'{max(0, -int(-seconds // 3600))} h'
