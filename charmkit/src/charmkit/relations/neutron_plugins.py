"""The ``neutron-plugin-api-subordinate`` interface: what subordinates of neutron-api have it load, and how.

Source: the interface that Charmed OpenStack's charms speak, in unit databags, container scope. The subordinate provides
it: ``neutron-plugin``, ``core-plugin``, ``neutron-plugin-config``, ``service-plugins``, ``mechanism-drivers``,
``extension-drivers``, ``tenant-network-types``, and what :mod:`charmkit.relations.subordinate` has. The requirer says
``neutron-api-ready``, ``neutron_config_data`` (JSON: what it would load without them), and ``migrate-database-nonce``.

There may be several: what they want is put together (:mod:`charmkit.relations.merging`).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping

from . import Databag, Need, Relation, Site, first, merging, subordinate, unit_order, wire

RELATION = 'neutron-plugin-api-subordinate'
"""The endpoint's name, on both sides."""
SERVICE = 'neutron-api'

_NAME = re.compile(r'[A-Za-z0-9_.-]{1,80}')
_LIST = re.compile(r'[A-Za-z0-9_.,-]{1,1000}')
_PATH = re.compile(r'/etc/neutron/[A-Za-z0-9_./-]{1,200}')
_READY, _YES = 'neutron-api-ready', 'yes'
_FACTS = 'neutron_config_data'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Backend:
    """What subordinates have neutron's API load; '' leaves the charm's own choice."""

    name: str = ''
    core_plugin: str = ''
    plugin_config: str = ''
    """The core plugin's file, below ``/etc/neutron``."""
    service_plugins: str = ''
    """Separated by commas, as all of the following."""
    mechanism_drivers: str = ''
    extension_drivers: str = ''
    tenant_network_types: str = ''


_BACKEND = {
    'name': ('neutron-plugin', _NAME),
    'core_plugin': ('core-plugin', _NAME),
    'plugin_config': ('neutron-plugin-config', _PATH),
    'service_plugins': ('service-plugins', _LIST),
    'mechanism_drivers': ('mechanism-drivers', _LIST),
    'extension_drivers': ('extension-drivers', _LIST),
    'tenant_network_types': ('tenant-network-types', _LIST),
}
_LISTS = ('service_plugins', 'mechanism_drivers', 'extension_drivers', 'tenant_network_types')
_CHOICES = ('core_plugin', 'plugin_config')


def backend(relation: str = RELATION) -> Need[Backend]:
    """What the subordinates that have said something bring, together.

    Their sections are ``subordinate.need(relation, SERVICE)``.
    """

    def read(relations: tuple[Relation, ...], _: Site) -> Backend | None:
        return merge(dict(_said(relations)))[0] if dict(_said(relations)) else None

    def refusal(relations: tuple[Relation, ...], _: Site) -> str:
        return '; '.join(map(str, merge(dict(_said(relations)))[1]))

    return Need(relation, lambda _: {}, read, 'a plugin', refusal=refusal, optional=True)


def merge(said: Mapping[str, Backend]) -> tuple[Backend, tuple[merging.Disagreement, ...]]:
    """What the applications of *said* bring together, and what one of them does not get. Pure."""
    values: dict[str, str] = {
        # What nova is given as the kind of network: a name that both of two have is no choice of anything.
        'name': next((b.name for _, b in sorted(said.items()) if b.name), '')
    }
    refused: list[merging.Disagreement] = []
    for field in _LISTS:
        values[field] = merging.together((app, getattr(b, field)) for app, b in said.items())
    for field in _CHOICES:
        wanted = [(app, str(getattr(b, field))) for app, b in said.items()]
        values[field], more = merging.choice(_BACKEND[field][0], wanted)
        refused += more
    return Backend(**values), tuple(refused)


def _said(relations: tuple[Relation, ...]) -> Iterator[tuple[str, Backend]]:
    """What each application says, by its first unit that says something."""
    for r in sorted(relations, key=lambda r: (r.app, r.id)):
        for _unit, bag in sorted(r.units.items(), key=lambda item: unit_order(item[0])):
            found = _backend(bag)
            if found != Backend():
                yield r.app, found
                break


def _backend(bag: Databag) -> Backend:
    good = {
        name: bag[key]
        for name, (key, kind) in _BACKEND.items()
        if kind.fullmatch(bag.get(key, ''))
    }
    if '..' in good.get('plugin_config', ''):
        del good['plugin_config']
    return Backend(**good)


def databag(backend: Backend, sections: subordinate.Sections, **more: str) -> dict[str, str]:
    """What a subordinate says to neutron-api.

    *sections* are for its files; *more* is what else it is to do, of :func:`subordinate.extras`.
    """
    said = {key: getattr(backend, name) for name, (key, _) in _BACKEND.items()}
    said[subordinate.KEY] = subordinate.configuration(SERVICE, sections)
    return {key: value for key, value in (said | more).items() if value}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Principal:
    """What neutron's API would load without its subordinates, as it says itself."""

    service_plugins: tuple[str, ...] = ()
    mechanism_drivers: tuple[str, ...] = ()
    extension_drivers: tuple[str, ...] = ()
    tenant_network_types: tuple[str, ...] = ()


def principal(relation: str = RELATION) -> Need[Principal]:
    """The neutron-api that this unit stands beside, once it has all but its subordinates' answers: it awaits those."""

    def parse(bag: Databag, _: Site) -> Principal | None:
        if not is_ready(bag):
            return None
        facts = wire.load_object(bag.get(_FACTS, ''))
        return Principal(
            **{
                name: tuple(x for x in wire.texts(facts.get(name)) if _NAME.fullmatch(x))
                for name in _LISTS
            }
        )

    return Need(relation, lambda _: {}, first(parse), 'that its API is ready')


def is_ready(bag: Mapping[str, str]) -> bool:
    """Whether neutron-api, whose databag is *bag*, has all that it needs but its subordinates' answers."""
    return bag.get(_READY) == _YES


def principal_databag(facts: Mapping[str, object], **more: str) -> dict[str, str]:
    """What neutron-api says to its subordinates.

    *facts* are its own choices, such as ``extension_drivers``; *more* is :func:`subordinate.migrated`.
    """
    return {_READY: _YES, _FACTS: wire.dump(dict(facts)), **more}
