"""Juju's model as mappings that ask Juju only when they are asked, and databags that are written at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import ops

from . import relations, state

T = TypeVar('T')


class Bindings(Mapping[str, T]):
    """Something of each binding's network, asked of Juju only when wanted."""

    def __init__(self, model: ops.Model, pick: Callable[[ops.Network], T]):
        self._model, self._pick = model, pick
        self._known: dict[str, T] = {}

    def __getitem__(self, binding: str) -> T:
        if binding not in self._known:
            try:
                self._known[binding] = self._pick(self._model.get_binding(binding).network)
            except ops.ModelError:  # A binding that the charm does not declare.
                raise KeyError(binding) from None
        return self._known[binding]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def networks(network: ops.Network) -> tuple[relations.Network, ...]:
    """The interfaces of a binding's network that have an address."""
    return tuple(
        relations.Network(i.name, str(i.address), str(i.subnet or ''))
        for i in network.interfaces
        if i.address is not None
    )


def resources(charm: ops.CharmBase) -> dict[str, state.Resource]:
    """The charm's resources, by name; what Juju says where it gives one not."""
    return {name: _resource(charm.model, name) for name in charm.meta.resources}


def _resource(model: ops.Model, name: str) -> state.Resource:
    try:
        return state.Resource(model.resources.fetch(name).read_bytes())
    except (NameError, ops.ModelError, OSError) as e:
        said = ' '.join(str(e).split())
        return state.Resource(failure=said[:200] or type(e).__name__)


class OwnAppData(Mapping[int, Mapping[str, str]]):
    """What this application's leader wrote, read from Juju only when wanted."""

    def __init__(self, charm: ops.CharmBase):
        self._charm = charm
        self._by_id = {
            r.id: r for name in charm.meta.relations for r in charm.model.relations[name]
        }

    def __getitem__(self, relation_id: int) -> Mapping[str, str]:
        return dict(self._by_id[relation_id].data[self._charm.app])

    def __iter__(self) -> Iterator[int]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)


def write(bag: ops.RelationDataContent, data: Mapping[str, str], uris: Mapping[str, str]) -> bool:
    """Make *bag* hold *data* and nothing else of ours, in one call, none when it already does; whether it did not."""

    def filled(value: str) -> str:
        return re.sub(r'\{secret:([^}]+)\}', lambda m: uris.get(m[1], ''), value)

    gone = {key: '' for key in bag if key not in data and key not in relations.JUJUS_OWN}
    wanted = {**gone, **{key: filled(value) for key, value in data.items()}}
    news = any(bag.get(key, '') != value for key, value in wanted.items())
    bag.update(wanted)
    return news
