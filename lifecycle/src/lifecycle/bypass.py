"""By which addresses applications reach one another, as the databags of their relations say it. Pure.

No interface is known by name here. A value that holds a URL, or whose key ends with `_host`, names an address that
somebody will use: endpoints of a catalogue, an `auth_url`. What a unit tells its load balancers and its peers is left
out: they must know where it is. So is an endpoint that `endpoint_types` keeps out of the catalogue (interface
`keystone`, as these charms speak it).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, cast

from lifecycle.problem import clean

_URL = re.compile(
    r'([a-z][a-z0-9+.-]{1,15})://(?:[^\s/"\'@]{0,200}@)?(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(:[0-9]{1,5})?',
    re.IGNORECASE,
)
_ENDPOINT = re.compile(r'(.{0,60}?)(public|internal|admin)_url')
_MOST_CHARACTERS = 64 * 1024
_MOST = 200


@dataclasses.dataclass(frozen=True, order=True)
class Mention:
    """An address that is published to somebody."""

    endpoint: str
    """The unit's own name of the relation."""
    key: str
    host: str
    place: str
    """The address as it stands there, without what may be secret."""


def mentions(
    unit: str, relations: Iterable[Mapping[str, Any]], behind: Collection[str]
) -> tuple[Mention, ...]:
    """What *unit* publishes and gets in *relations* (its `relation-info`), without those in *behind*."""
    found: set[Mention] = set()
    app = unit.partition('/')[0]
    for one in relations:
        endpoint = clean(one.get('endpoint', ''), 60)
        related = _object(one.get('related-units'))
        if endpoint in behind or any(name.partition('/')[0] == app for name in related):
            continue
        bags = [_object(one.get('application-data')), _data(one.get('local-unit'))]
        for bag in (*bags, *(_data(said) for said in related.values())):
            for key, value in bag.items():
                if isinstance(value, str) and len(value) <= _MOST_CHARACTERS and _used(key, bag):
                    found.update(_of_value(endpoint, clean(key, 60), value))
    return tuple(sorted(found)[:_MOST])


def _used(key: str, bag: Mapping[str, Any]) -> bool:
    """Whether the endpoint of that *key* is in the catalogue, where `endpoint_types` beside it says which are."""
    endpoint = _ENDPOINT.fullmatch(key)
    said = bag.get(f'{endpoint[1]}endpoint_types') if endpoint else None
    return endpoint is None or not isinstance(said, str) or endpoint[2] in said.split(',')


def _of_value(endpoint: str, key: str, value: str) -> Iterator[Mention]:
    if key.endswith('_host'):
        yield Mention(endpoint, key, value.strip('[]'), clean(value, 60))
    for scheme, host, port in _URL.findall(value):
        yield Mention(endpoint, key, host.strip('[]').lower(), f'{scheme}://{host}{port}')


def _data(said: object) -> dict[str, Any]:
    return _object(_object(said).get('data'))


def _object(value: object) -> dict[str, Any]:
    return cast('dict[str, Any]', value) if isinstance(value, dict) else {}
