"""Whether a load balancer sends clients to a unit, as the databags of their relation say it. Pure.

The contract, for whoever is at the other end of an endpoint that a charm names in `behind` (interface
`openstack-api-endpoints`, version 2: docs/reference/openstack-loadbalancer.md). All values are JSON:

- the unit writes `lifecycle`: `{"state": "ready|drain|maintenance|gone", "token": "…"}`, a new token with each state;
- each unit of the load balancer writes `acks`: `{"keystone/0": {"token": "…", "state": "ready|draining|drained|…"}}`;
- its leader writes `lb-units`, those whose acknowledgement counts, and `grants`, why a drain waits or was refused.

`ready` with the unit's own newest token from each of them is *admitted*. `drained` or `forced`, likewise, or the unit
in `maintenance` (which it enters when it was told so) is *drained*.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

from lifecycle.problem import clean

State = Literal['admitted', 'waiting', 'draining', 'drained', 'unbalanced']
_WORST_LAST: tuple[State, ...] = ('unbalanced', 'admitted', 'drained', 'draining', 'waiting')
_MOST_BYTES = 256 * 1024


@dataclasses.dataclass(frozen=True)
class Admission:
    """Where a unit stands with its load balancers."""

    state: State
    """`unbalanced`: no relation to one that admits units."""
    why: str = ''
    """What it waits for."""


UNBALANCED = Admission('unbalanced')


def read(
    unit: str, relations: Iterable[Mapping[str, Any]], related: Mapping[str, int]
) -> Admission:
    """Where *unit* stands; *relations* are its `relation-info` in `juju show-unit --format json`.

    *related* is how many load balancers its application is related to, by endpoint. The worst word of several holds,
    and one that is not heard says nothing good: a unit that is new is not yet in its relations.
    """
    each = [_one(unit, one) for one in relations if related.get(str(one.get('endpoint')))]
    if len(each) < sum(related.values()):
        each.append(
            Admission('waiting', f'{unit} is not in all relations to its load balancers yet')
        )
    states = {one.state for one in each}
    if 'drained' in states and states & {'admitted', 'waiting'}:
        return Admission('draining', 'some load balancers have let it go, others not yet')
    return max(each, key=lambda one: _WORST_LAST.index(one.state), default=UNBALANCED)


def _one(unit: str, relation: Mapping[str, Any]) -> Admission:
    theirs = _object(relation.get('application-data'))
    related = _object(relation.get('related-units'))
    mine = _json(_object(_object(relation.get('local-unit')).get('data')).get('lifecycle'))
    units = {
        clean(name, 100): _object(_object(said).get('data')) for name, said in related.items()
    }
    balancer = next(iter(units), '').partition('/')[0] or clean(
        relation.get('related-endpoint'), 60
    )
    if not units:
        return Admission('waiting', f'no unit of {balancer} has answered')
    state, token = mine.get('state'), mine.get('token')
    if state in ('maintenance', 'gone'):
        return Admission('drained')
    if not any('acks' in bag for bag in units.values()):
        if 'frontends' in theirs and 2 not in _json_list(theirs.get('interface-versions')):
            return Admission('unbalanced', f'{balancer} knows no drain')
        return Admission('waiting', f'{balancer} has not answered')
    listed = _json_list(theirs.get('lb-units'))
    named = [clean(one, 100) for one in listed if isinstance(one, str)]
    counted = named or sorted(units)  # Juju 4 shows the unit its own application's databag there.
    acks = {name: _object(_json(units.get(name, {}).get('acks')).get(unit)) for name in counted}
    said = {
        name: ack.get('state') if ack.get('token') == token else None for name, ack in acks.items()
    }
    if state == 'drain':
        return _draining(
            unit, balancer, said, _object(_json(theirs.get('grants')).get(unit)), token
        )
    if state == 'ready' and all(one == 'ready' for one in said.values()):
        return Admission('admitted')
    late = next((name for name, one in said.items() if one != 'ready'), balancer)
    return Admission('waiting', f'{late} does not send requests to {unit} yet')


def _draining(
    unit: str, balancer: str, said: Mapping[str, object], grant: Mapping[str, Any], token: object
) -> Admission:
    if said and all(one in ('drained', 'forced') for one in said.values()):
        return Admission('drained')
    if grant.get('token') == token and grant.get('state') in ('queued', 'refused'):
        reason = clean(grant.get('reason') or 'it does not say why', 120)
        return Admission(
            'draining', f'{balancer} has {grant["state"]} the drain of {unit}: {reason}'
        )
    late = next((name for name, one in said.items() if one not in ('drained', 'forced')), balancer)
    return Admission('draining', f'{late} has not seen the last request of {unit} end')


def _object(value: object) -> dict[str, Any]:
    return cast('dict[str, Any]', value) if isinstance(value, dict) else {}


def _loaded(text: object) -> object:
    if not isinstance(text, str) or len(text) > _MOST_BYTES:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _json(text: object) -> dict[str, Any]:
    return _object(_loaded(text))


def _json_list(text: object) -> list[object]:
    found = _loaded(text)
    return cast('list[object]', found) if isinstance(found, list) else []
