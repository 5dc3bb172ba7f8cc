"""What it takes to run an OpenStack service, with an API or as an agent: data in, data out. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from . import (
    apache,
    archive,
    client_tls,
    config_files,
    consumers,
    daemons,
    departure,
    front,
    host,
    memcached,
    migration,
    needs,
    releases,
    renewal,
    shared_secrets,
    state,
    trust,
    unit_certificate,
    vip,
    webserver,
)
from .relations import Databag, Need, keystone, mysql
from .spec import Daemon as Daemon
from .spec import Offer as Offer
from .spec import Ready as Ready
from .spec import Served as Served
from .spec import ServiceSpec as ServiceSpec
from .spec import WsgiApp as WsgiApp
from .why import Action, Why


def desired_state(spec: ServiceSpec, why: Why, inputs: state.Inputs) -> state.Desired:
    """Work out everything from *why* this run is and from *inputs*: no Juju, no machine, no clock."""
    try:
        release = release_of(spec, inputs)
    except ValueError as e:
        return state.Desired(status=(state.Status('blocked', str(e)),))
    spec = spec.on(release)
    intent = front.intent(why, inputs)
    given = inputs
    serving_state = (
        front.serving_state(spec, given, intent) if spec.apps else front.nowhere(given, intent)
    )
    inputs = dataclasses.replace(given, site=serving_state.site)
    found = needs.found(spec, inputs)
    theirs = config_files.merged(spec, found)
    source = archive.decide((*spec.packages, *theirs.packages), why, inputs, spec.steady)
    values = shared_secrets.decide(spec.chosen, inputs)
    unmet = [*needs.unmet(found, inputs), *values.status, *_unread(spec, inputs)]
    waits = serving_state.tls.waits
    unmet += waits
    missing = spec.missing(inputs)
    renews = renewal.Renewal(taken_up=not spec.apps)  # Agents are restarted at once.
    if spec.apps and not (unmet or missing):
        renews = webserver.renew(spec, why, inputs, intent, serving_state)
    if spec.apps and (renews.drains or not renews.taken_up):
        serving_state = front.serving_state(
            spec,
            given,
            dataclasses.replace(intent, renews=renews.drains),
            takes_up=renews.taken_up,
        )
    installed = inputs.versions.get(spec.packages[0], '')
    trusted = trust.read(inputs)
    settled = _settled(needs.requests(spec, inputs), serving_state)
    asked = client_tls.with_published(settled, client_tls.published_before(inputs, found))
    outset = state.Desired(
        host=host.merge(
            _always(spec, inputs.facts),
            host.Host(packages=frozenset(theirs.packages)),
            source.host,
            trust.machine(trusted, _clients(spec)),
            host.Host(files=client_tls.files(found)),
        ),
        unit_data={
            **_keeping_published(spec, inputs, asked),
            **serving_state.unit_data,
            **(
                {unit_certificate.RELATION: serving_state.certificate.request}
                if inputs.of(unit_certificate.RELATION)
                else {}
            ),
        },
        app_data={
            **_settled(needs.app_requests(spec, inputs), serving_state),
            **serving_state.app_data,
        },
        unheeded=serving_state.unheeded,
        version=archive.upstream(installed),
        memory={
            front.PAUSED: intent.paused,
            **serving_state.urls_memory,
            vip.IN_FORCE: serving_state.vips,
            **({departure.GONE: True} if intent.gone else {}),
            **source.memory,
            **trusted.memory,
            **serving_state.certificate.memory,
            **(serving_state.tls.memory if renews.taken_up else {}),
        },
        status=(
            *source.status,
            *trust.statuses(trusted),
            *serving_state.certificate.status,
            *serving_state.tls.status,
        ),
    )
    if unmet or missing:
        goes_on = intent.closing or _goes_on(found, why, inputs, intent)
        machine = webserver.going_on(spec, closing=intent.closing)
        if not goes_on:
            machine = _idle(spec, known=intent.gone)
        said = {k: v for k, v in inputs.my_peer_data.items() if k != renewal.WAITS}
        there = Ready(inputs, found, release, values.values)
        may_offer = serving_state.settled and not missing
        early = _offered_first(spec, there, unmet, asked) if may_offer else {}
        return dataclasses.replace(
            outset,
            host=host.merge(outset.host, serving_state.vrrp.unready, machine),
            unit_data={
                **outset.unit_data,
                **vip.over(said, serving_state.vrrp.unit_data),
                **early,
            },
            app_data={**outset.app_data, **vip.over(inputs.peers, serving_state.vrrp.app_data)},
            status=(
                *(map(_said_before, unmet) if goes_on else unmet),
                *missing,
                *((serving_state.status,) if waits and serving_state.status else ()),
                *outset.status,
            ),
            tasks=departure.tasks(intent.closing),
            memory={**outset.memory, front.SERVED: goes_on},
        )
    ready = Ready(inputs, found, release, values.values, why.time_passes)
    decision = migration.decide(
        spec.migrations,
        inputs,
        user=spec.user,
        wanted=_schema(spec, ready),
        ready=ready,
        order=migration.order(spec.migrations, why, ready),
    )
    ready = dataclasses.replace(ready, migrated=decision.done)
    refusal = spec.refusal(inputs)
    serving = decision.usable and not refusal and not serving_state.out_of_service
    running = daemons.wanted(
        spec,
        ready,
        usable=decision.usable and not refusal,
        paused=intent.paused,
        out_of_service=serving_state.out_of_service,
    )
    asks = bool(spec.apps) and serving and not (inputs.failed or renews.goes_unhealthy)
    return dataclasses.replace(
        outset,
        host=host.merge(
            outset.host,
            host.Host(
                files=config_files.files(spec, ready),
                commands=decision.commands,
                services=running,
            ),
            daemons.drop_ins(spec),
            config_files.no_rules(spec, inputs),
            webserver.serve(
                spec,
                inputs,
                serving_state,
                renews,
                running=serving,
                version=installed,
                departs=intent.closing or intent.gone,
            )
            if spec.apps
            else host.Host(),
            serving_state.vrrp.machine,
            spec.machine(ready),
        ),
        unit_data={
            **client_tls.with_published(
                outset.unit_data,
                client_tls.published(inputs, found, in_force=renews.taken_up),
            ),
            **(_offered(spec, ready, asked) if decision.usable and serving_state.settled else {}),
            'peers': {**decision.unit_data, **serving_state.peer_data, **renews.unit_data},
        },
        app_data={
            **outset.app_data,
            'peers': {
                **decision.app_data,
                **values.app_data,
                **serving_state.vrrp.app_data,
                **renews.app_data,
            },
        },
        secrets=values.secrets,
        ports=webserver.ports(spec, serving_state),
        status=(
            *_status(refusal, decision, serving_state.status),
            *outset.status,
            *webserver.unhealthy(inputs),
            *renews.status,
            *consumers.notes(spec, ready),
            *config_files.notes(spec, ready),
            *needs.refusals(spec, inputs),
            *spec.notes(ready),
        ),
        tasks=(
            *departure.tasks(intent.closing),
            *renews.tasks,
            *((webserver.ask(spec, inputs, serving_state),) if asks else ()),
            *(spec.tasks(ready) if decision.usable else ()),
            *consumers.tasks(spec, ready, running),
        ),
        memory={
            **outset.memory,
            front.SERVED: decision.usable and not refusal,
            **serving_state.vrrp.memory,
            **renews.memory,
            **webserver.memory(spec, inputs, renews),
            **spec.memory(ready),
        },
    )


def _goes_on(
    found: Mapping[Need[Any], object], why: Why, inputs: state.Inputs, intent: front.ServiceIntent
) -> bool:
    """Whether a unit that lacks something goes on with what it had: what is said no more is not gone.

    What takes it out of service is a relation that is not there, what may lapse, and an operator's action.
    """
    gone = any(
        data is None and needs.due(need, inputs) and (need.lapses or not inputs.of(need.relation))
        for need, data in found.items()
    )
    at_work = bool(inputs.memory.get(front.SERVED)) and not (intent.paused or intent.removing)
    return at_work and not gone and not isinstance(why, Action)


def _idle(spec: ServiceSpec, *, known: bool = False) -> host.Host:
    agents = host.Host(
        services=tuple(host.SystemdService(d.name, 'stopped') for d in spec.daemons)
    )
    return host.merge(webserver.idle(known=known), agents) if spec.apps else agents


def _unread(spec: ServiceSpec, inputs: state.Inputs) -> list[state.Status]:
    said = spec.lacking(inputs) if inputs.memory.get(front.SERVED) else ''
    return [state.Status('waiting', said)] if said else []


def _said_before(status: state.Status) -> state.Status:
    return dataclasses.replace(
        status, message=f'{status.message}; what it said before stays in force'
    )


def release_of(spec: ServiceSpec, inputs: state.Inputs) -> releases.Release:
    """The release that is installed here, or that is going to be. Raises ValueError for a base that is not known."""
    package = spec.packages[0]
    return releases.of_package(inputs.facts.base, package, inputs.versions.get(package, ''))


def ready(spec: ServiceSpec, inputs: state.Inputs) -> Ready | None:
    """What there is, once every need is met; None before. Raises ValueError for a base that is not known."""
    release = release_of(spec, inputs)
    spec = spec.on(release)
    found, values = needs.found(spec, inputs), shared_secrets.decide(spec.chosen, inputs)
    unmet = needs.unmet(found, inputs) or values.status
    return None if unmet else Ready(inputs, found, release, values.values)


def schema(spec: ServiceSpec, inputs: state.Inputs) -> migration.Schema | None:
    """The schema that this unit wants; None while it has no database."""
    there = ready(spec, inputs)
    return there and _schema(spec.on(there.release), there)


def _schema(spec: ServiceSpec, ready: Ready) -> migration.Schema:
    """Other data is another schema; so is one for whose subordinates it is to be migrated again."""
    asked = config_files.merged(spec, ready.found).migrations
    more = f'+{host.digest(" ".join(asked))[:12]}' if asked else ''
    version = ready.inputs.versions.get(spec.packages[0], '')
    found: list[mysql.Database | None] = [
        ready[n] for n in spec.needs if n.relation == 'shared-db'
    ]
    return migration.Schema(
        ready.release.number,
        version and version + more,
        host.digest(' '.join(sorted(d.holds for d in found if d))),
        servers=host.digest(' '.join(sorted(map(repr, found)))),
    )


def prepared(spec: ServiceSpec, facts: state.Facts) -> host.Host:
    """What a machine needs for the service, wherever it is going to be."""
    try:
        spec = spec.on(releases.of_base(facts.base))
    except ValueError:
        return host.Host()  # The next hook says so, in the unit's status.
    return host.merge(_always(spec, facts), _idle(spec))


def _clients(spec: ServiceSpec) -> tuple[str, ...]:
    """What asks other services: it reads at its start whom it is to trust."""
    return (*(apache.group(a.name) for a in spec.apps), *(d.name for d in spec.daemons))


def _always(spec: ServiceSpec, facts: state.Facts) -> host.Host:
    """What is wanted from the first hook on, so that only configuration is left for later."""
    own = host.Host(
        packages=frozenset((*spec.packages, *spec.steady)),
        services=tuple(host.SystemdService(name, 'masked') for name in spec.masked),
    )
    if not spec.apps:
        return own
    web = host.Host(packages=frozenset(apache.PACKAGES))
    return host.merge(own, web, memcached.desired(facts.memory_mib))


def _offered(
    spec: ServiceSpec, ready: Ready, asked: Mapping[str | int, Databag]
) -> dict[int, Databag]:
    """What is said to others: what it asks of them, and beside that what it offers them."""
    out: dict[int, Databag] = {}
    for offer in spec.offers:
        for relation in ready.inputs.of(offer.relation):
            before = out.get(relation.id, asked.get(relation.name, {}))
            out[relation.id] = {**before, **offer.said(ready, relation)}
    return out


def _keeping_published(
    spec: ServiceSpec, inputs: state.Inputs, asked: Mapping[str | int, Databag]
) -> dict[str | int, Databag]:
    """What is asked, over what was offered before: one that is not ready takes nothing of that back."""
    out = dict(asked)
    for name in {offer.relation for offer in spec.offers} & asked.keys():
        del out[name]
        out |= {r.id: {**r.published, **asked[name]} for r in inputs.of(str(name))}
    return out


def _offered_first(
    spec: ServiceSpec,
    ready: Ready,
    unmet: Sequence[state.Status],
    asked: Mapping[str | int, Databag],
) -> dict[int, Databag]:
    """What is said to those who wait for it before they answer, once nobody's answer is wanting but theirs."""
    offers = tuple(offer for offer in spec.offers if offer.first)
    wanting = needs.unmet(ready.found, ready.inputs, {offer.relation for offer in offers})
    alone = len(wanting) == len(unmet)
    return _offered(dataclasses.replace(spec, offers=offers), ready, asked) if alone else {}


def _settled(
    requests: Mapping[str | int, Databag], serving_state: front.ServingState
) -> dict[str | int, Databag]:
    """Nothing of endpoints while it is not known what is right: what was said stays as it is."""
    return {k: v for k, v in requests.items() if serving_state.settled or k != keystone.RELATION}


def _status(
    refusal: str, decision: migration.Decision, front_status: state.Status | None
) -> tuple[state.Status, ...]:
    out = [front_status] if front_status else []
    if refusal:
        out.append(state.Status('blocked', refusal))
    if decision.message:
        out.append(state.Status(decision.kind, decision.message))
    return tuple(out)
