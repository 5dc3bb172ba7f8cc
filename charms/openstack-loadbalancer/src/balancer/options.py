"""The operator's options, read and checked, each by itself: one that is wrong leaves its last good value in force."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, cast

from charmkit import settings
from charmkit.relations import ENDPOINT_TYPES

from . import behaviour, dns_options, exposure, interface, option_limits, validation

_MOST_YAML = 65_536
_MOST_PLACES = 4
Held = Callable[[str, Any], str]
SERVICE_OPTIONS = 'service-options'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """All options, as values of their own kind."""

    exposure: exposure.Exposure
    vips: tuple[str, ...]
    maxconn: int
    log_requests: bool
    proxy_protocol_from: tuple[str, ...]
    forwarded_from: tuple[str, ...]
    ready_from: tuple[str, ...]
    backend_networks: tuple[str, ...]
    ready_port: int
    metrics_port: int
    max_concurrent: int
    lease_s: float
    linger_s: float
    drain_wait_s: float
    vrrp_id: int
    advert_s: float
    handover_s: float
    """How long connections stay with a unit that gives its VIPs away."""
    tls_minimum: Literal['1.2', '1.3'] = '1.2'
    tls_transition_s: float = 3600
    tls_transition_limit_s: float = 604_800
    requests_limit: int = 0
    """Of each public client in ten seconds; 0: none."""
    logins_limit: int = 0
    """Wrong passwords of each public client in a minute; 0: any number."""
    peers_port: int = 8406
    syslog: tuple[str, ...] = ()
    http_backends: bool = True
    """Units that serve no TLS get requests too."""
    dns: dns_options.Dns = dataclasses.field(default_factory=dns_options.Dns)
    tls_secret: str = ''
    """The URI of the secret with the operator's own certificate; '': there is none."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Effective:
    """The options that are in force."""

    options: Options
    raw: Mapping[str, Any]
    """The same as Juju gives them: what to keep as the last good ones."""
    problems: tuple[str, ...] = ()
    """What is wrong with those that were given, and what holds instead."""
    complete: bool = True
    """False: one is wrong, and no good value of it was ever known. Then nothing may be served by guess."""


def read(
    given: Mapping[str, Any],
    good: Mapping[str, Any],
    held: Held = lambda _, __: '',
    services: Collection[str] = (),
) -> Effective:
    """*given* as Juju has them, and in place of those that are not what they may be, *good*.

    What is set anew must keep its limits too (:mod:`balancer.option_limits`); a good value needs its form alone.
    *held* says what the value of an option in :data:`COLLIDE` collides with, in words; '' when with nothing.
    *services* are names and types of services that are related. What is meant for another one changes nothing: a name
    that neither they nor the table of types have is reported.
    """
    raw: dict[str, Any] = {}
    problems: list[str] = []
    complete = True
    for name, (reader, default) in _READERS.items():
        value = given.get(name, default)
        try:
            found = reader(value, name)
            _free(name, found, held)
            option_limits.check(name, found)
            raw[name] = value
            continue
        except validation.InvalidError as e:
            problem = f'option {e}'
        try:
            raw[name] = good[name]
            found = reader(raw[name], name)
            if name in PORTS:  # haproxy could not come up with one that another program has.
                _free(name, found, held)
            stays = 'it' if raw[name] == value else 'its last good value'
            problems.append(f'{problem}; {stays} is in force')
        except (KeyError, validation.InvalidError):
            raw[name], complete = default, False
            problems.append(f'{problem}; nothing is served until it is right')
    if unknown := _unknown(raw[SERVICE_OPTIONS], services):
        before = good.get(SERVICE_OPTIONS) or raw[SERVICE_OPTIONS]
        what = 'all else of it' if before == raw[SERVICE_OPTIONS] else 'its last good value'
        raw[SERVICE_OPTIONS] = before
        problems.append(f'{unknown}; {what} is in force')
    same = [n for n in PORTS if [raw[other] for other in PORTS].count(raw[n]) > 1]
    if same:
        problems.append(f'options {" and ".join(same)} are the same')
        raw.update({n: good.get(n, _READERS[n][1]) for n in PORTS})
    return Effective(
        options=_options({n: reader(raw[n], n) for n, (reader, _) in _READERS.items()}),
        raw=raw,
        problems=tuple(problems),
        complete=complete,
    )


def _named(text: object) -> dict[str, int]:
    """The services that a good value names, each with its line."""
    return settings.yaml_lines(_text(text, SERVICE_OPTIONS))[1]


def _unknown(text: object, services: Collection[str]) -> str:
    """The first name in *text* that no service and no type of services has, in words for the operator."""
    known = {*services, *behaviour.TABLE, *interface.V1_TYPES}
    for name, line in _named(text).items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f': did you mean {near[0]}?' if near else ', nor is any of that type related'
            return f'option {SERVICE_OPTIONS}: line {line}: no service is called {validation.shown(name)}{hint}'
    return ''


def _free(name: str, value: Any, held: Held) -> None:
    if name in COLLIDE and (value or name == HTTP_BACKENDS) and (who := held(name, value)):
        raise validation.InvalidError(f'{name}: {who}')


def _options(v: Mapping[str, Any]) -> Options:
    outside = dict.fromkeys((*v['proxy-protocol-from'], *v['forwarded-from']))
    return Options(
        exposure=exposure.Exposure(
            types=v['endpoint-types'],
            families=v['address-families'],
            allow_shared_spaces=v['allow-shared-spaces'],
            external_vips=v['external-vips'],
            hostnames={t: found[0] for t, found in v['hostnames'].items()},
            service_options=v['service-options'],
            strict_hosts=v['strict-hosts'],
            reserved_ports={v[n]: n for n in reversed(PORTS)},
        ),
        vips=v['vip'],
        maxconn=v['maxconn'],
        log_requests=v['log-requests'],
        proxy_protocol_from=v['proxy-protocol-from'],
        forwarded_from=v['forwarded-from'],
        ready_from=v['ready-from'] or tuple(outside),
        backend_networks=v['backend-networks'],
        ready_port=v['ready-port'],
        metrics_port=v['metrics-port'],
        max_concurrent=v['max-concurrent-drains'],
        lease_s=v['drain-lease'],
        linger_s=v['linger'],
        drain_wait_s=v['drain-wait'],
        vrrp_id=v['vrrp-id'],
        advert_s=v['vrrp-advert-ms'] / 1000,
        handover_s=v['handover-timeout'],
        tls_minimum=v['tls-minimum'],
        tls_transition_s=v['tls-transition'],
        tls_transition_limit_s=v['tls-transition-limit'],
        requests_limit=v['rate-limit'],
        logins_limit=v['login-limit'],
        peers_port=v['peers-port'],
        syslog=v['syslog-to'],
        http_backends=v['http-backends'],
        dns=dns_options.read(v),
        tls_secret=v['tls-secret'],
    )


_Reader = Callable[[Any, str], Any]


def _number(low: int, high: int) -> _Reader:
    return lambda value, name: validation.integer(value, name, low, high)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise validation.InvalidError(f'{name} is no text: {validation.shown(value)}')
    if len(value) > _MOST_YAML:
        raise validation.InvalidError(f'{name} is longer than {_MOST_YAML} characters')
    return value


def _types(value: object, name: str) -> tuple[str, ...]:
    given = [validation.one_of(t, name, ENDPOINT_TYPES) for t in _text(value, name).split()]
    if not given:
        raise validation.InvalidError(f'{name} is empty')
    return tuple(t for t in ENDPOINT_TYPES if t in given)


def _tls(value: object, name: str) -> str:
    return validation.one_of(value, name, ('1.2', '1.3'))


def _families(value: object, name: str) -> str:
    return validation.one_of(value, name, ('auto', 'ipv4', 'ipv6', 'dual'))


def _networks(value: object, name: str) -> tuple[str, ...]:
    return tuple(str(validation.network(n, name)) for n in _text(value, name).split())


def _addresses(value: object, name: str) -> tuple[str, ...]:
    found = tuple(str(validation.address(a, name)) for a in _text(value, name).split())
    twice = next((a for a in found if found.count(a) > 1), '')
    if twice:
        raise validation.InvalidError(f'{name} has {twice} twice')
    return found


def _places(value: object, name: str) -> tuple[str, ...]:
    """``HOST:PORT``, an address of IPv6 in brackets; at most four."""
    found = _text(value, name).split()
    if len(found) > _MOST_PLACES:
        raise validation.InvalidError(f'{name} has more than {_MOST_PLACES} places')
    for place in found:
        host, colon, port = place.rpartition(':')
        inner = host[1:-1] if host.startswith('[') and host.endswith(']') else ''
        if not (colon and host and port.isdecimal()) or (':' in host and not inner):
            raise validation.InvalidError(f'{name} is not HOST:PORT: {validation.shown(place)}')
        validation.host(inner or host, name)
        validation.port(port, name)
    return tuple(found)


def _outside(value: object, name: str) -> dict[str, tuple[exposure.Outside, ...]]:
    """``public=HOST,HOST internal=HOST``, each ``[SCHEME://]HOST[:PORT]``."""
    found: dict[str, tuple[exposure.Outside, ...]] = {}
    for item in _text(value, name).split():
        key, equals, hosts = item.partition('=')
        if not equals:
            raise validation.InvalidError(f'{name} is not like public=…: {validation.shown(item)}')
        t = validation.one_of(key, name, ENDPOINT_TYPES)
        found[t] = (*found.get(t, ()), *(exposure.outside(h, name) for h in hosts.split(',')))
    return found


def _hostnames(value: object, name: str) -> dict[str, tuple[exposure.Outside, ...]]:
    found = _outside(value, name)
    for t, each in found.items():
        if len(each) > 1:
            raise validation.InvalidError(
                f'{name} has {len(each)} names for {t}, and one can be registered'
            )
    return found


def _vips_outside(value: object, name: str) -> dict[str, tuple[exposure.Outside, ...]]:
    found = _outside(value, name)
    for each in found.values():
        for host in each:
            validation.address(host.name, name)
    return found


def _service_options(value: object, name: str) -> dict[str, Mapping[str, Any]]:
    try:
        data = settings.yaml_map(_text(value, name))
    except validation.InvalidError:
        raise
    except ValueError as e:
        raise validation.InvalidError(f'{name}: {e}') from None
    out: dict[str, Mapping[str, Any]] = {}
    for key, given in validation.mapping(data, name).items():
        where = f'{name} {validation.name(key, name)}'
        found = validation.mapping(given, where)
        behaviour.overridden(behaviour.UNKNOWN, found, where, operator=True)
        exposure.urls(found, where)
        out[key] = found
    return out


_READERS: Mapping[str, tuple[_Reader, Any]] = {
    'vip': (_addresses, ''),
    'endpoint-types': (_types, ' '.join(ENDPOINT_TYPES)),
    'address-families': (_families, 'auto'),
    'external-vips': (_vips_outside, ''),
    'hostnames': (_hostnames, ''),
    **dns_options.READERS,
    'strict-hosts': (validation.boolean, True),
    'log-requests': (validation.boolean, False),
    'allow-shared-spaces': (validation.boolean, False),
    'service-options': (_service_options, ''),
    'backend-networks': (_networks, ''),
    'maxconn': (_number(0, option_limits.MOST_CONNECTIONS), 0),
    'proxy-protocol-from': (_networks, ''),
    'forwarded-from': (_networks, ''),
    'ready-from': (_networks, ''),
    'ready-port': (_number(1, 65535), 8405),
    'metrics-port': (_number(1, 65535), 8404),
    'max-concurrent-drains': (_number(1, 1000), 1),
    'drain-lease': (_number(60, 86_400), 1800),
    'linger': (_number(0, 86_400), 120),
    'drain-wait': (_number(0, 600), 2),
    'handover-timeout': (_number(0, 86_400), 300),
    'vrrp-id': (_number(1, 255), 51),
    'vrrp-advert-ms': (_number(50, 10_000), 200),
    'tls-minimum': (_tls, '1.2'),
    'tls-transition': (_number(0, 2_592_000), 3600),
    'tls-transition-limit': (_number(0, 2_592_000), 604_800),
    'tls-secret': (dns_options.secret, ''),
    'http-backends': (validation.boolean, True),
    'rate-limit': (_number(0, 1_000_000), 0),
    'login-limit': (_number(0, 100_000), 0),
    'peers-port': (_number(1, 65535), 8406),
    'syslog-to': (_places, ''),
}
"""How each option is read, and its default."""

NAMES = tuple(_READERS)
METRICS_PORT = 'metrics-port'
PORTS = ('ready-port', METRICS_PORT, 'peers-port')
"""Options that are ports which haproxy listens on for itself; the last one only with a limit of requests, but such a
limit, set later, is to take nothing from a service."""
VIP = 'vip'
TYPES, FAMILIES, SHARED_SPACES = 'endpoint-types', 'address-families', 'allow-shared-spaces'
HTTP_BACKENDS, BACKEND_NETWORKS = 'http-backends', 'backend-networks'
COLLIDE = (*PORTS, VIP, TYPES, FAMILIES, HTTP_BACKENDS)
"""Options that can be right by themselves and yet be in somebody's way (:mod:`balancer.collisions`)."""


def parsed(name: str, raw: object) -> Any:
    """What the option *name* says with the value *raw*; None where that is none, or will not do."""
    try:
        return None if raw is None else _READERS[name][0](raw, name)
    except validation.InvalidError:
        return None


def kept(text: object) -> Mapping[str, Any]:
    """Last good options as they were kept: an object, or nothing."""
    return cast('Mapping[str, Any]', text) if isinstance(text, Mapping) else {}


def held_back(found: Effective, good: Mapping[str, Any], name: str, wrong: str) -> Effective:
    """*found* with the last *good* value of the option *name*: *wrong* has come to light of the one given."""
    raw = {**found.raw, name: good[name]}
    problem = f'option {name}: {wrong}; its last good value is in force'
    return dataclasses.replace(
        found,
        options=_options({n: reader(raw[n], n) for n, (reader, _) in _READERS.items()}),
        raw=raw,
        problems=(*found.problems, problem),
    )


def without(given: Mapping[str, Any], good: Mapping[str, Any], reason: str) -> Effective:
    """What holds when haproxy itself refuses the options *given*: the last *good* ones, whole.

    With none, nothing is served, and everything has its default.
    """
    changed = [n for n, (_, d) in _READERS.items() if given.get(n, d) != good.get(n, d)]
    if good and changed:
        held = read(good, good)
        which = ' and '.join(f'option {n}' for n in changed)
        problem = f'{which}: {reason}; the last good options are in force'
        return dataclasses.replace(held, problems=(problem, *held.problems))
    held = read({}, {})
    problem = f'{reason}; nothing is served until it is right'
    return dataclasses.replace(held, problems=(problem,), complete=False)
