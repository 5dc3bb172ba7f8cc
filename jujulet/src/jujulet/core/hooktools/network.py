"""Tools about addresses and ports. Source: network-get.go, ports.go in Juju's runner/jujuc."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from .. import addresses, gnuflag, relations, topology
from .. import model as model_
from .tool import BAD_ARGUMENTS, OUTPUT, RELATION, Ask, Failure, Reply, Tool

_RANGE = re.compile(r'([0-9]{1,9})(?:-([0-9]{1,9}))?(?:/([a-z]+))?', re.ASCII)


def network_get(ask: Ask) -> Reply:
    """``network-get``: where to listen for a binding, and what to tell others."""
    words = ask.args.positionals
    if not words:
        raise Failure('no arguments specified', BAD_ARGUMENTS)
    if not words[0]:
        raise Failure('no binding name specified', BAD_ARGUMENTS)
    ask.relation_or_none()
    binding = words[0]
    found = (
        addresses.address(ask.model, ask.unit.name, binding) if _bindable(ask, binding) else None
    )
    if found is None:
        raise Failure(f'no network config found for binding {gnuflag.quote(binding)}')
    flags = [n for n in ('bind-address', 'egress-subnets', 'ingress-address') if ask.args[n]]
    main = addresses.host(found)
    if ask.args['primary-address']:
        if flags:
            raise Failure('--primary-address must be the only flag specified')
        return ask.says(main)
    known: dict[str, Any] = {
        'bind-address': main,
        'egress-subnets': [addresses.subnet(found)],
        'ingress-address': main,
    }
    if len(flags) == 1:
        return ask.says(known[flags[0]])
    if flags:
        return ask.says({name: known[name] for name in flags})
    return ask.says(_everything(ask, found))


def _bindable(ask: Ask, binding: str) -> bool:
    return (
        binding in ask.charm.relations
        or binding in ask.charm.extra_bindings
        or binding == relations.IMPLICIT
    )


def _everything(ask: Ask, found: model_.Address) -> dict[str, Any]:
    space = ask.model.spaces.get(found.space)
    subnet = topology.subnet_of(space, found) if space else topology.Subnet('')
    pairs = [(found.ipv4, subnet.ipv4), (found.ipv6, subnet.ipv6)]
    pairs = [(ip, cidr) for ip, cidr in pairs if ip]
    with_old_names = ask.args['format'] != 'json'
    listed: list[dict[str, Any]] = []
    for ip, cidr in pairs:
        entry = {'hostname': '', 'value': ip, 'cidr': cidr}
        listed.append({**entry, 'address': ip} if with_old_names else entry)
    name = model_.interface(ask.model.machines[ask.unit.machine].addresses.index(found))
    interface: dict[str, Any] = {
        'mac-address': found.mac,
        'interface-name': name,
        'addresses': listed,
    }
    if with_old_names:
        interface |= {'macaddress': found.mac, 'interfacename': name}
    return {
        'bind-addresses': [interface],
        'egress-subnets': [addresses.subnet(found)],
        'ingress-addresses': [ip for ip, _ in pairs],
    }


def open_port(ask: Ask) -> Reply:
    """``open-port``: kept until the hook succeeds."""
    wanted = _port(ask)
    opened = list(_ports(ask))
    for other in _machine_ports(ask):
        if _conflict(wanted, *other, ask.unit.name):
            raise Failure(
                f'cannot open {text(wanted)} (unit {gnuflag.quote(ask.unit.name)}): port range '
                f'conflicts with {text(other[1])} (unit {gnuflag.quote(other[0])})'
            )
    for endpoint in _endpoints(ask):
        port = dataclasses.replace(wanted, endpoint=endpoint)
        if port not in opened:
            opened.append(port)
    return ask.buffers(ports=tuple(opened))


def close_port(ask: Ask) -> Reply:
    """``close-port``: kept until the hook succeeds. Without ``--endpoints`` it closes the range everywhere."""
    wanted = _port(ask)
    opened = list(_ports(ask))
    endpoints = _endpoints(ask)
    if endpoints == ['']:
        left = [p for p in opened if _bare(p) != wanted]
        return ask.buffers(ports=tuple(left))
    if wanted in opened:  # Open everywhere: stays open everywhere else.
        opened.remove(wanted)
        opened += [dataclasses.replace(wanted, endpoint=e) for e in _all_endpoints(ask)]
    closed = {dataclasses.replace(wanted, endpoint=e) for e in endpoints}
    return ask.buffers(ports=tuple(p for p in dict.fromkeys(opened) if p not in closed))


def opened_ports(ask: Ask) -> Reply:
    """``opened-ports``: with what this hook has opened and closed."""
    by_range: dict[model_.Port, set[str]] = {}
    for port in _ports(ask):
        by_range.setdefault(_bare(port), set()).add(port.endpoint)
    ordered = sorted(by_range, key=lambda p: (p.protocol, p.first, p.last))
    if not ask.args['endpoints']:
        return ask.says([text(p) for p in ordered])
    lines: list[str] = []
    for port in ordered:
        names = by_range[port]
        lines.append(f'{text(port)} ({"*" if "" in names else ", ".join(sorted(names))})')
    return ask.says(lines)


def text(port: model_.Port) -> str:
    """``80/tcp``, ``8000-8999/udp``, ``icmp``."""
    if port.protocol == 'icmp':
        return 'icmp'
    if port.first == port.last:
        return f'{port.first}/{port.protocol}'
    return f'{port.first}-{port.last}/{port.protocol}'


def parse_port(word: str) -> model_.Port:
    """A port or range as a charm writes it. Raises Failure, exit code 2."""
    word = word.lower()
    if word in ('icmp', '-1/icmp'):
        return model_.Port('icmp')
    match = _RANGE.fullmatch(word)
    if match is None:
        raise Failure(f'invalid port {gnuflag.quote(word)}', BAD_ARGUMENTS)
    first, last = int(match[1]), int(match[2] or match[1])
    protocol = match[3] or 'tcp'
    if protocol not in ('tcp', 'udp'):
        raise Failure(
            f'invalid protocol {gnuflag.quote(protocol)}, expected "tcp", "udp", or "icmp"',
            BAD_ARGUMENTS,
        )
    if first > last:
        raise Failure(f'invalid port range {first}-{last}/{protocol}', BAD_ARGUMENTS)
    if first < 1 or last > 65535:
        raise Failure(
            f'port range bounds must be between 1 and 65535, got {first}-{last}', BAD_ARGUMENTS
        )
    return model_.Port(protocol, first, last)


def _port(ask: Ask) -> model_.Port:
    if not ask.args.positionals:
        raise Failure('no port or range specified', BAD_ARGUMENTS)
    return parse_port(ask.args.positionals[0])


def _endpoints(ask: Ask) -> list[str]:
    """Endpoints that the call names; ``['']`` for all."""
    given: str = ask.args['endpoints']
    if not given:
        return ['']
    names = [name.strip() for name in given.split(',')]
    for name in names:
        if name and name not in _all_endpoints(ask):
            raise Failure(
                f'endpoint {gnuflag.quote(name)} for application '
                f'{gnuflag.quote(ask.application.name)} not found'
            )
    return names


def _all_endpoints(ask: Ask) -> list[str]:
    return sorted({*ask.charm.relations, *ask.charm.extra_bindings, relations.IMPLICIT})


def _ports(ask: Ask) -> tuple[model_.Port, ...]:
    return ask.unit.ports if ask.writes.ports is None else ask.writes.ports


def _machine_ports(ask: Ask) -> list[tuple[str, model_.Port]]:
    """Ports open on the unit's machine, each with the unit that opened it."""
    out = [(ask.unit.name, port) for port in _ports(ask)]
    for unit in ask.model.units.values():
        if unit.machine == ask.unit.machine and unit.name != ask.unit.name:
            out += [(unit.name, port) for port in unit.ports]
    return out


def _conflict(wanted: model_.Port, owner: str, other: model_.Port, me: str) -> bool:
    if wanted.protocol != other.protocol or wanted.protocol == 'icmp':
        return False
    if wanted.last < other.first or other.last < wanted.first:
        return False
    return owner != me or _bare(other) != wanted


def _bare(port: model_.Port) -> model_.Port:
    return dataclasses.replace(port, endpoint='')


_PORT_USAGE = '<port>[/<protocol>] or <from>-<to>[/<protocol>] or icmp'
_PORT_FLAGS = (
    gnuflag.Flag(('endpoints',), help='a comma-delimited list of application endpoints to target'),
    gnuflag.Flag(('format',), help='deprecated format flag'),
)

TOOLS = (
    Tool(
        'network-get',
        network_get,
        'Get network config.',
        '<binding-name> [--ingress-address] [--bind-address] [--egress-subnets]',
        (
            *OUTPUT,
            RELATION,
            gnuflag.Flag(
                ('primary-address',), 'bool', help='(deprecated) get the primary address'
            ),
            gnuflag.Flag(('bind-address',), 'bool', help='get the address on which to listen'),
            gnuflag.Flag(('ingress-address',), 'bool', help='get the ingress address'),
            gnuflag.Flag(('egress-subnets',), 'bool', help='get the egress subnets'),
        ),
        1,
    ),
    Tool('open-port', open_port, 'Open a port or port range.', _PORT_USAGE, _PORT_FLAGS, 1),
    Tool('close-port', close_port, 'Close a port or port range.', _PORT_USAGE, _PORT_FLAGS, 1),
    Tool(
        'opened-ports',
        opened_ports,
        'List all ports or port ranges opened by the unit.',
        '',
        (*OUTPUT, gnuflag.Flag(('endpoints',), 'bool', help='display the target endpoints')),
        0,
    ),
)
