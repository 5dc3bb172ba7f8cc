"""Apache in front of a service's applications: what it serves, when it is renewed, and how it is asked. Pure."""

from __future__ import annotations

from . import apache, endpoints, front, health, host, renewal, state, unit_tls
from .relations import loadbalancer
from .spec import ServiceSpec
from .why import Why


def serve(
    spec: ServiceSpec,
    inputs: state.Inputs,
    serving_state: front.ServingState,
    renews: renewal.Renewal,
    *,
    running: bool,
    version: str,
    departs: bool = False,
) -> host.Host:
    """Apache with the applications of *spec*. Who asks hears that they are out of service, or it *departs*."""
    unannounced = not running and not serving_state.announced
    return host.merge(
        apache.desired(
            _virtual_hosts(spec, inputs, serving_state),
            running=running,
            version=version,
            linger_s=loadbalancer.NOTICE_S if unannounced else 0,
            held=renews.held,
            certificate=_certificate(serving_state),
        ),
        _no_certificate(inputs, serving_state),
        apache.drain(unannounced or renews.fails or departs),
    )


def ports(spec: ServiceSpec, serving_state: front.ServingState) -> frozenset[int]:
    """TCP ports that clients come to."""
    tls = serving_state.tls
    plain = (a.port for a in spec.apps if tls.plain or not a.type)
    secure = (a.port + apache.TLS_OFFSET for a in spec.apps if tls.secure and a.type)
    return frozenset((*plain, *secure, *(s.port for s in spec.served)))


def going_on(spec: ServiceSpec, *, closing: bool) -> host.Host:
    """It goes on as it is; those who ask hear how it is, or that it is *closing*."""
    return apache.drain(closing) if spec.apps else host.Host()


def idle(*, known: bool = False) -> host.Host:
    """Out of service for want of something: it may have served until now. *known*: nobody has to notice any more."""
    api = host.SystemdService(
        apache.SERVICE,
        'stopped',
        linger_s=0 if known else loadbalancer.NOTICE_S,
        configured_by=apache.DROP_IN,
    )
    return host.merge(apache.drain(True), host.Host(services=(api,)))


def renew(
    spec: ServiceSpec,
    why: Why,
    inputs: state.Inputs,
    intent: front.ServiceIntent,
    serving_state: front.ServingState,
) -> renewal.Renewal:
    """Whether Apache takes up in this run what *spec* and *serving_state* ask for, if that is not in force."""
    balancers = front.load_balancers(inputs)
    wanted = host.merge(
        apache.desired(
            _virtual_hosts(spec, inputs, serving_state),
            running=True,
            certificate=_certificate(serving_state),
        ),
        _no_certificate(inputs, serving_state),
    )
    return renewal.decide(
        wanted.config_digest(apache.SERVICE),
        why,
        inputs,
        renewal.Clients(
            served=bool(inputs.memory.get(front.SERVED)) and not serving_state.out_of_service,
            balancers=tuple(balancers),
            vip=not balancers and bool(inputs.options.get('vip')),
        ),
        paused=intent.paused or intent.closing,
        healthy=intent.healthy,
        refused=not wanted.configuration_of(apache.SERVICE).isdisjoint(inputs.refused),
        failed=apache.SERVICE in inputs.failed,
    )


def memory(
    spec: ServiceSpec, inputs: state.Inputs, renews: renewal.Renewal
) -> dict[str, dict[str, int]]:
    """What the next runs are to know: how many requests each application takes at once with what is in force."""
    if not (renews.taken_up and spec.apps):
        return {}
    return {
        renewal.REQUESTS: {
            app.name: endpoints.requests_at_once(spec, app, inputs) for app in spec.apps
        }
    }


def ask(
    spec: ServiceSpec, inputs: state.Inputs, serving_state: front.ServingState
) -> health.Health:
    """The unit's question to its own API."""
    serves = {apache.SERVICE, *(apache.group(a.name) for a in spec.apps)}
    patient = serving_state.coming_back or not serves.isdisjoint(inputs.started)
    return health.Health(
        tuple(
            health.App(a.name, a.port, f'{apache.LOGS}/{a.name}-error.log and {apache.SERVER_LOG}')
            for a in spec.apps
        ),
        health.COMES_UP_S if patient else health.AT_REST_S,
    )


def unhealthy(inputs: state.Inputs) -> list[state.Status]:
    """What the API has answered, if that is not well."""
    said = inputs.seen.get(front.HEALTH)
    return [state.Status('blocked', said)] if isinstance(said, str) and said else []


def _certificate(serving_state: front.ServingState) -> host.File | None:
    tls = serving_state.tls
    return host.File(path=unit_tls.FILE, content=tls.pem, mode=0o600) if tls.secure else None


def _no_certificate(inputs: state.Inputs, serving_state: front.ServingState) -> host.Host:
    """Where TLS was served and is no more, no key is left."""
    if serving_state.tls.secure or unit_tls.MEMORY not in inputs.memory:
        return host.Host()
    return host.Host(absent=(host.Absent(path=unit_tls.FILE, notify=(apache.SERVICE,)),))


def _virtual_hosts(
    spec: ServiceSpec, inputs: state.Inputs, serving_state: front.ServingState
) -> list[apache.VirtualHost]:
    return [
        apache.VirtualHost(
            name=app.name,
            script=app.script,
            port=app.port,
            addresses=front.listen(inputs, app.types),
            user=spec.user,
            size=endpoints.size(spec, app, inputs),
            health=app.health,
            silence=app.silence,
            trusted=serving_state.trusted,
            body_limit=app.body_limit,
            grace_s=app.grace_s,
            static=tuple(app.static.items()),
            aliases=app.aliases,
            # What no load balancer has is reached by others as before.
            plain=serving_state.tls.plain or not app.type,
            certificate=unit_tls.FILE if serving_state.tls.secure and app.type else '',
        )
        for app in spec.apps
    ]
