"""Sections that a subordinate contributes to its principal's configuration files.

Source: the interfaces of Charmed OpenStack's charms that carry ``subordinate_configuration``
(``cinder-backend``, ``keystone-domain-backend``, ``neutron-plugin`` and others): JSON of the form
``{"cinder": {"/etc/cinder/cinder.conf": {"sections": {"lvm": [["volume_group", "vg"]]}}}}``, in the
unit databag of the subordinate, keyed by the principal's service.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, cast

from . import Databag, Need, Relation, Site, unit_order, wire

KEY = 'subordinate_configuration'
_SECTION = re.compile(r'[A-Za-z0-9_.:-]{1,80}')
_OPTION = re.compile(r'[A-Za-z0-9_.-]{1,80}')
_LONGEST_VALUE = 4096

Sections = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By file, by section, by option."""


@dataclasses.dataclass(frozen=True)
class Contribution:
    """What one subordinate application wants in the principal's files."""

    app: str
    sections: Sections = dataclasses.field(repr=False)
    refused: str = ''
    """Why something of it is left out; '' when nothing is."""
    silent: bool = False
    """It has said nothing yet: nobody waits for it, and the status says so."""


def need(relation: str, service: str) -> Need[tuple[Contribution, ...]]:
    """What subordinates over *relation* have for the files of *service*: all of them, in the order of their names.

    One that is related to a service that runs already does not stop it while it has nothing to say.
    """

    def request(_: Site) -> Databag:
        return {}

    def read(relations: tuple[Relation, ...], _: Site) -> tuple[Contribution, ...]:
        ordered = sorted(relations, key=lambda r: (r.app, r.id))
        return tuple(_contribution(r, service) for r in ordered)

    return Need(relation, request, read, service, optional=True)


def _contribution(relation: Relation, service: str) -> Contribution:
    for _, bag in sorted(relation.units.items(), key=lambda item: unit_order(item[0])):
        text = bag.get(KEY, '')
        if not text:
            continue
        sections: dict[str, dict[str, dict[str, str]]] = {}
        refused: list[str] = []
        for path, wanted in wire.objects(_member(wire.load_object(text), service)):
            for name, options in _member(wanted, 'sections').items():
                try:
                    sections.setdefault(path, {})[name] = _options(name, options)
                except ValueError as e:
                    refused.append(f'{path}: {e}')
        return Contribution(relation.app, sections, '; '.join(refused))
    return Contribution(relation.app, {}, silent=True)


def _member(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    return cast('Mapping[str, Any]', found) if isinstance(found, Mapping) else {}


def _options(section: str, pairs: object) -> dict[str, str]:
    if not _SECTION.fullmatch(section):
        raise ValueError(f'section {section[:80]!r} is not a name')
    out: dict[str, str] = {}
    for item in wire.items(pairs):
        pair = wire.items(item)
        if len(pair) != 2:
            raise ValueError(
                f'section {section}: one of its options is not a pair of name and value'
            )
        name, value = str(pair[0]), str(pair[1])
        if not _OPTION.fullmatch(name):
            raise ValueError(f'section {section}: option {name[:80]!r} is not a name')
        if not value.isprintable() or len(value) > _LONGEST_VALUE:
            raise ValueError(f'section {section}: the value of {name} is not one line of text')
        out[name] = value
    return out
