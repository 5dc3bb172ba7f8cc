"""What the unit's machine is to be: haproxy, keepalived, and the programs beside them, as files and services."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from charmkit import host
from charmkit.proxy import config, haproxy, keepalived, vip_handover, vrrp_peers
from charmkit.proxy import programs as beside
from charmkit.relations import ENDPOINT_TYPES

from . import configuration, credentials, decision, handover, nsupdate, programs, vrrp

WATCH_UNIT = '/etc/systemd/system/openstack-loadbalancer-watch.service'
WATCH_SERVICE = 'openstack-loadbalancer-watch'

PREPARED = host.Host(
    packages=frozenset({'haproxy', 'keepalived', 'iproute2', vip_handover.PACKAGE}),
    services=(host.SystemdService('keepalived', state='stopped'),),
)
"""What a machine needs before its place is known."""
REMOVING = host.Host(services=(host.SystemdService('keepalived', state='stopped'),))
"""A unit that is removed lets go of its VIPs in order, and answers what it has to its end."""


def desired(known: decision.RunInputs, now: decision.Decision, *, wake_at: float = 0) -> host.Host:
    """All of it. *wake_at* is when the charm must look again (seconds since the epoch; 0: never)."""
    text = rendered(known, now)
    wanted = host.Host(
        packages=PREPARED.packages.union([nsupdate.PACKAGE] if now.opts.dns.server else []),
        directories=(
            host.Directory(path=programs.FOLDER),
            host.Directory(path=haproxy.LISTS),
            *_certificate_folders(known),
        ),
        absent=_no_certificates(known),
        files=(
            host.File(path=programs.SAVE_PATH, content=programs.SAVE, mode=0o755),
            host.File(
                path=programs.WATCH_PATH,
                content=programs.WATCH,
                mode=0o755,
                notify=(WATCH_SERVICE,),
            ),
            host.File(
                path=WATCH_UNIT,
                content=programs.watch_service(known.inputs.site.unit),
                notify=(WATCH_SERVICE,),
            ),
            host.File(path=programs.WAKE_AT, content=f'{math.ceil(wake_at)}\n'),
            # Before the text that refers to them.
            *_certificates(known),
            *(host.File(path=path, content=items) for path, items in text.lists.items()),
            host.File(
                path=haproxy.CONFIG,
                content=text.text,
                mode=0o640,
                check=('haproxy', '-c', '-f', '{path}'),
                # What is disabled a running haproxy is told through its socket.
                revision=haproxy.mark(text.text),
                notify=('haproxy',),
            ),
        ),
        services=(
            host.SystemdService('haproxy', on_change='reload'),
            host.SystemdService(WATCH_SERVICE),
        ),
    )
    return host.merge(
        beside.beside_haproxy(before_reload=programs.SAVE_PATH),
        wanted,
        _keepalived(known, now),
        vip_handover.beside(
            handover.kept(now.handover, now.vips),
            handover.passed_on(known.others.get(now.passes_on), now.vips, known.networks),
        ),
    )


def _certificate_folders(known: decision.RunInputs) -> Iterator[host.Directory]:
    if shown := known.tls.shown:
        yield host.Directory(path=credentials.FOLDER, mode=0o700)
        for t in shown:
            yield host.Directory(path=f'{credentials.FOLDER}/{t}', mode=0o700)


def _certificates(known: decision.RunInputs) -> Iterator[host.File]:
    # haproxy is told of a new one while it runs (runtime_certificates): no reload.
    for t, c in known.tls.shown.items():
        if c.pem:
            yield host.File(path=credentials.path(t), content=c.pem, mode=0o600)
    if known.tls.shown:
        yield host.File(path=haproxy.ENDS, content=credentials.ends(known.tls.shown))


def _no_certificates(known: decision.RunInputs) -> tuple[host.Absent, ...]:
    gone = (t for t in ENDPOINT_TYPES if t not in known.tls.shown)
    ends = () if known.tls.shown else (haproxy.ENDS,)
    return tuple(host.Absent(path=p) for p in (*map(credentials.path, gone), *ends))


def rendered(known: decision.RunInputs, now: decision.Decision) -> haproxy.Rendered:
    """The configuration of haproxy."""
    disabled: dict[str, frozenset[str]] = {}
    for (backend, server), wanted in now.wants.items():
        if wanted != 'ready':
            disabled[backend] = disabled.get(backend, frozenset()) | {server}
    return haproxy.render(_config(known, now, disabled))


def _config(
    known: decision.RunInputs, now: decision.Decision, disabled: Mapping[str, frozenset[str]]
) -> config.Config:
    facts, opts = known.inputs.facts, now.opts
    own = {t: tuple(i.address for i in found) for t, found in known.networks.items()}
    outside = tuple(dict.fromkeys(own.get('public', ())))
    inside = dict.fromkeys(
        a
        for a in (*(a for found in own.values() for a in found), *known.metrics_addresses)
        if a not in outside
    )
    asking = (a for m in known.others.values() for found in m.addresses.values() for a in found)
    unit = configuration.Unit(
        name=known.inputs.site.unit,
        inside=tuple(inside),
        outside=outside,
        ready_port=opts.ready_port,
        ready_from=tuple(dict.fromkeys((*opts.ready_from, *asking))),
        metrics_addresses=known.metrics_addresses,
        metrics_port=opts.metrics_port,
        maxconn=opts.maxconn,
        # A quarter of the memory for each of two generations of workers, 64 KiB a connection.
        descriptors=max(4000, facts.memory_mib * 1024 // 4 // 64 * 2),
        threads=min(facts.cpus, haproxy.MOST_THREADS),
        proxy_protocol_from=opts.proxy_protocol_from,
        forwarded_from=opts.forwarded_from,
        strict_hosts=opts.exposure.strict_hosts,
        log_requests=opts.log_requests,
        in_service=now.serving,
        requests_limit=opts.requests_limit,
        logins_limit=opts.logins_limit,
        peers=_peers(known, now),
        peers_port=opts.peers_port,
        syslog=opts.syslog,
        authorities=known.authorities.certificates,
        tls=known.tls,
    )
    return configuration.configuration(now.layout, unit, disabled)


def _peers(known: decision.RunInputs, now: decision.Decision) -> dict[str, str]:
    """By unit, where it counts clients together with the others."""
    members = {u: known.others[u].addresses for u in now.members if u in known.others}
    every = {**members, known.inputs.site.unit: now.addresses}
    found = {
        u: [a for t in ('internal', 'admin', 'public') for a in by_type.get(t, ())]
        for u, by_type in every.items()
    }
    return {u: addresses[0] for u, addresses in found.items() if addresses}


def ready_url(known: decision.RunInputs) -> str:
    """Where the other load balancer units may ask this one whether it is ready; '' when nowhere."""
    addresses = [
        i.address for t in ('internal', 'admin', 'public') for i in known.networks.get(t, ())
    ]
    if not addresses:
        return ''
    host_ = f'[{addresses[0]}]' if ':' in addresses[0] else addresses[0]
    return f'http://{host_}:{known.effective.options.ready_port}/ready'


def _keepalived(known: decision.RunInputs, now: decision.Decision) -> host.Host:
    opts = now.opts
    # One that goes passes its VIPs on first.
    if known.inputs.dying or not (now.vips and now.vrrp.joined):
        return keepalived.desired(None, opts.ready_port)
    instance = vrrp.instance(
        known.inputs.site.unit,
        now.vips,
        known.networks,
        {
            u: tuple(a for found in m.addresses.values() for a in found)
            for u, m in known.others.items()
        },
        departed=vrrp_peers.departed(known.vrrp_peers),
        router_id=opts.vrrp_id,
        advert_s=opts.advert_s,
    )
    return keepalived.desired(instance, opts.ready_port)
