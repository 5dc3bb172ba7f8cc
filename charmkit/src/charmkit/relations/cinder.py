"""The interfaces around cinder: ``cinder`` for nova, and ``cinder-backend`` for the storage behind it.

Source: the interfaces that Charmed OpenStack's charms speak.

``cinder`` (cinder's endpoint ``cinder-volume-service``; nova-cloud-controller requires it)
    Nobody says anything: that there is the relation tells nova that there are volumes. Where they are stands in the
    catalogue.
``cinder-backend`` (a subordinate of cinder, endpoint ``storage-backend``, container scope)
    The subordinate provides it, and alone speaks, in its unit databag: ``backend_name``, ``stateless`` and
    ``active_active`` (``True`` or ``False``), and ``subordinate_configuration``, which has a section of that name for
    ``/etc/cinder/cinder.conf`` (:mod:`charmkit.relations.subordinate`).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from . import Databag, Need, Relation, Site, sharing, subordinate, unit_order, wire

BACKENDS = 'storage-backend'
"""The endpoint's name, on both sides."""
VOLUMES = 'cinder-volume-service'
"""So is this."""
SERVICE = 'cinder'
CONF = '/etc/cinder/cinder.conf'
TYPE, NAME = 'volumev3', 'cinderv3'
"""What the catalogue has it as."""

_BACKEND = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]{0,79}')
_RESERVED = frozenset(
    {'backend_defaults', 'database', 'keystone_authtoken', 'nova', 'service_user'}
)
"""Sections of cinder's own, which no backend can have for a name; those that oslo's libraries have begin alike."""


# cinder: nova has volumes.


@dataclasses.dataclass(frozen=True)
class Volumes:
    """There are volumes."""

    catalog_info: str = f'{TYPE}:{NAME}:internalURL'
    """Where nova looks for them: its option of that name."""


def volumes() -> Need[Volumes]:
    """Cinder, as soon as there is one; nova serves without."""

    def read(relations: tuple[Relation, ...], _: Site) -> Volumes | None:
        return Volumes() if relations else None

    return Need(VOLUMES, lambda _: {}, read, 'volumes', optional=True)


# cinder-backend: what storage is behind it.


@dataclasses.dataclass(frozen=True)
class Backend:
    """One kind of storage on this unit, as its subordinate names it."""

    app: str
    name: str
    """The section of cinder.conf that it is configured in."""
    stateless: bool = False
    """Its volumes are not on this machine: any unit may serve them in the place of another."""
    active_active: bool = False
    """Its driver lets several units serve them at once."""


def backends() -> Need[tuple[Backend, ...]]:
    """What subordinates have said of their storage, by its name's order; none of it holds the API up."""

    def read(relations: tuple[Relation, ...], _: Site) -> tuple[Backend, ...]:
        return known(relations)[0]

    def refusal(relations: tuple[Relation, ...], _: Site) -> str:
        return '; '.join(f'{r.unit}: {r.reason}' for r in known(relations)[1])

    return Need(BACKENDS, lambda _: {}, read, 'backends', refusal=refusal, optional=True)


def sections() -> Need[tuple[subordinate.Contribution, ...]]:
    """What the subordinates have for cinder's files."""
    return subordinate.need(BACKENDS, SERVICE)


def known(
    relations: tuple[Relation, ...],
) -> tuple[tuple[Backend, ...], tuple[sharing.Refusal, ...]]:
    """The backends that subordinates have, and those that cannot be: a name will not do, or is another's."""
    found: dict[str, Backend] = {}
    refused: list[sharing.Refusal] = []
    for relation in sorted(relations, key=lambda r: (r.app, r.id)):
        for unit, bag in sorted(relation.units.items(), key=lambda item: unit_order(item[0])):
            name = bag.get('backend_name', '')
            if not name:
                continue
            if wrong := _wrong(name, found):
                refused.append(sharing.Refusal(unit, wrong))
                continue
            found[name] = Backend(
                app=relation.app,
                name=name,
                stateless=_true(bag.get('stateless', '')),
                active_active=_true(bag.get('active_active', '')),
            )
    return tuple(backend for _, backend in sorted(found.items())), tuple(refused)


def _wrong(name: str, found: Mapping[str, Backend]) -> str:
    if (
        not _BACKEND.fullmatch(name)
        or name.lower() in {*_RESERVED, 'default'}
        or name[:5] == 'oslo_'
    ):
        return f'backend_name {name[:80]!r} cannot be the name of a backend'
    if name in found:
        return f'backend_name {name!r} is the one of {found[name].app} already'
    return ''


def present(
    name: str, options: Mapping[str, str], *, stateless: bool = False, active_active: bool = False
) -> Databag:
    """What a subordinate tells cinder of a backend: its *name*, and the options of its section."""
    contributed = {SERVICE: {CONF: {'sections': {name: [[k, v] for k, v in options.items()]}}}}
    return {
        'backend_name': name,
        'stateless': str(stateless),
        'active_active': str(active_active),
        subordinate.KEY: wire.dump(contributed),
    }


def _true(text: str) -> bool:
    return text.lower() == 'true'
