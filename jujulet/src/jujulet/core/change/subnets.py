"""Subnets: which ones a space has, and how one goes to another space.

Source: cmd/juju/space/{space,move}.go and apiserver/facades/client/spaces/{move,integrity}.go of Juju 3.6.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .. import addresses, display, gnuflag, topology
from ..model import Machine, Model, Refused, Space, Subnet, put
from ..requests import GrowSpace, MoveSubnets

_BAD = 'invalid arguments specified: '


def parsed(words: Iterable[str]) -> tuple[str, ...]:
    """CIDRs as they are kept, from how they were typed. Raises Refused with Juju's words."""
    found: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    for word in words:
        try:
            net = ipaddress.ip_network(word, strict=False)
        except ValueError:
            raise Refused(f'{_BAD}{gnuflag.quote(word)} is not a valid CIDR', code=2) from None
        if '/' not in word:
            raise Refused(f'{_BAD}{gnuflag.quote(word)} is not a valid CIDR', code=2)
        for other in found:
            if str(other) == word:
                raise Refused(f'{_BAD}duplicate subnet "{word}" specified', code=2)
            if _overlap(str(net), str(other)):
                raise Refused(f'{_BAD}subnet "{word}" overlaps with "{other}"', code=2)
        found.append(net)
    return tuple(map(str, found))


def _overlap(one: str, other: str) -> bool:
    a, b = ipaddress.ip_network(one), ipaddress.ip_network(other)
    return a.version == b.version and a.overlaps(b)  # pyright: ignore[reportArgumentType]


def paired(model: Model, space: str, cidrs: Iterable[str]) -> tuple[Subnet, ...]:
    """The subnets of *space* that *cidrs* are: the first of IPv4 with the first of IPv6 is one network, and so on.

    Raises Refused if one of them overlaps what the model has.
    """
    cidrs = parsed(cidrs)
    for cidr in cidrs:
        for other in model.spaces.values():
            for theirs in other.cidrs:
                if _overlap(cidr, theirs):
                    raise Refused(f'subnet "{cidr}" overlaps "{theirs}" of space "{other.name}"')
    names = _free_networks(model, space)
    four, six = [c for c in cidrs if ':' not in c], [c for c in cidrs if ':' in c]
    pairs = itertools.zip_longest(four, six, fillvalue='')
    return tuple(Subnet(*pair, next(names)) for pair in pairs)


def _free_networks(model: Model, space: str) -> Iterator[str]:
    """What networks of a space may be called: as the space, with a number where another one is called so."""
    taken = {s.network for each in model.spaces.values() for s in each.subnets}
    taken |= {s.belongs for s in model.spaces.values() if s.name != space}
    candidates = itertools.chain([space], (f'{space}--{n}' for n in itertools.count(2)))
    return (c for c in candidates if c not in taken)


def grow(request: GrowSpace, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """Another subnet, for a space that is full."""
    space = model.spaces[request.name]
    more = paired(model, space.name, request.cidrs)
    return _put(model, topology.with_subnets(space, (*space.subnets, *more))), {}


def move(request: MoveSubnets, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju move-to-space``: of subnets in which no machine is. A network goes whole, IPv4 and IPv6."""
    cidrs = parsed(request.cidrs)
    if not cidrs:
        raise Refused(f'{_BAD}CIDRs required but not provided', code=2)
    moving = {
        subnet.network: space
        for space in sorted(model.spaces.values(), key=lambda s: s.name)
        for subnet in space.subnets
        if set(subnet.cidrs) & set(cidrs)
    }
    known = {c for s in model.spaces.values() for c in s.cidrs}
    if not set(cidrs) <= known:
        raise Refused(f'error getting subnet tags for {",".join(sorted(cidrs))}')
    why = f'cannot update space "{request.name}": '
    if request.name not in model.spaces:
        raise Refused(
            f'{why}determining affected networks: space with name "{request.name}" not found'
        )
    after = _moved(model, request.name, moving)
    inside = [m for m in model.machines.values() if _networks(model, m) & set(moving)]
    if not request.force:
        for violated in _violated(model, after, inside, request.name):
            raise Refused(f'{why}{violated}')
    if inside and after is not model:
        names = ', '.join(sorted((m.id for m in inside), key=display.natural))
        raise Refused(
            f'{why}in the subnet is machine {names}: a network keeps its space here while machines are in it'
        )
    return after, {
        'moved': [
            {'from': space.name, 'to': request.name, 'cidr': cidr}
            for network, space in moving.items()
            for subnet in space.subnets
            if subnet.network == network
            for cidr in subnet.cidrs
        ]
    }


def _moved(model: Model, name: str, moving: Mapping[str, Space]) -> Model:
    """*model* in which networks are in the space *name*."""
    coming: list[Subnet] = []
    for old in model.spaces.values():
        departing = [s for s in old.subnets if s.network in moving and old.name != name]
        if departing:
            left = [s for s in old.subnets if s not in departing]
            model = _put(model, topology.with_subnets(old, left))
            coming += departing
    if not coming:
        return model
    space = model.spaces[name]
    return _put(model, topology.with_subnets(space, (*space.subnets, *coming)))


def _put(model: Model, space: Space) -> Model:
    return dataclasses.replace(model, spaces=put(model.spaces, space.name, space))


def _networks(model: Model, machine: Machine) -> set[str]:
    return {
        topology.subnet_of(model.spaces[a.space], a).network
        for a in machine.addresses
        if a.space in model.spaces
    }


def _violated(model: Model, after: Model, inside: Sequence[Machine], name: str) -> Iterator[str]:
    """What a move to the space *name* would break, as Juju says it: constraints of applications, then bindings."""
    spaces = {space.name: {s.network for s in space.subnets} for space in after.spaces.values()}
    moving = f'moving subnet(s) to space "{name}" violates '
    of: dict[str, dict[str, set[str]]] = {}
    for machine in inside:
        for unit in model.units_on(machine.id):
            of.setdefault(unit.application, {})[unit.name] = _networks(model, machine)
    for application, units in sorted(of.items()):
        value = model.applications[application].constraints.get('spaces') or ()
        named = sorted(value.split(',') if isinstance(value, str) else value)
        limits = f'space constraints for application "{application}": {", ".join(named)}'
        if f'^{name}' in named:
            yield moving + limits
        for wanted in addresses.spaces_in({'spaces': named}):
            if lost := [u for u, there in units.items() if not there & spaces.get(wanted, set())]:
                yield f'{moving}{limits}\n\tunits not connected to the space: {", ".join(sorted(lost))}'
    for application, units in sorted(of.items()):
        charm = model.charm_of(application)
        for endpoint in ('', *sorted((*charm.relations, *charm.extra_bindings))):
            space = display.space_of(model, application, endpoint)
            if lost := [u for u, there in units.items() if not there & spaces.get(space, set())]:
                yield (
                    f'{moving}endpoint binding {endpoint}:{space} for application "{application}"'
                    f'\n\tunits not connected to the space: {", ".join(sorted(lost))}'
                )


VERBS: Mapping[type, Any] = {GrowSpace: grow, MoveSubnets: move}
