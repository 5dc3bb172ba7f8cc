"""What a subordinate has its principal do: sections of its files, packages, restarts, migrations, authorities.

Source: the interfaces of Charmed OpenStack's charms that carry ``subordinate_configuration``
(``cinder-backend``, ``keystone-domain-backend``, ``neutron-plugin`` and others): JSON of the form
``{"cinder": {"/etc/cinder/cinder.conf": {"sections": {"lvm": [["volume_group", "vg"]]}}}}``, in the
unit databag of the subordinate, keyed by the principal's service. Beside it, in the same databag:

``restart-trigger``, ``restart-trigger-SERVICE``
    Another value than before has the principal's services started anew (``neutron-plugin-api-subordinate``).
``migrate-database-nonce``
    Another value than before has the principal's leader migrate its database again, for tables that the subordinate's
    packages have; the principal says the same value back once that is done (``neutron-plugin-api-subordinate``).
``packages``, ``release``, ``ca``
    Ours. Names of packages, separated by spaces, that the principal installs with its own and upgrades with them; the
    OpenStack release that they are of; certificates (PEM) of authorities that its services are to trust when they
    speak to what the subordinate stands for: they are in the file :func:`ca_file`.

What several of them want is put together by :mod:`charmkit.relations.merging`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from .. import pem
from . import Databag, Need, Relation, Site, unit_order, wire

KEY = 'subordinate_configuration'
RESTART = 'restart-trigger'
MIGRATE = 'migrate-database-nonce'
PACKAGES = 'packages'
RELEASE = 'release'
CA = 'ca'
_SECTION = re.compile(r'[A-Za-z0-9_.:-]{1,80}')
_OPTION = re.compile(r'[A-Za-z0-9_.-]{1,80}')
_LONGEST_VALUE = 4096
_LONGEST = 256 * 1024
"""Characters of all sections together: a principal's largest file has some thousands."""
_PACKAGE = re.compile(r'[a-z0-9][a-z0-9+.-]{1,99}')
_MOST_PACKAGES = 32
_WORD = re.compile(r'[a-z][a-z0-9.-]{0,40}')
_TRIGGER = re.compile(r'[!-~]{1,200}')

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
    packages: tuple[str, ...] = ()
    release: str = ''
    """The OpenStack release that it is for, by its name; '' is any."""
    restart: str = ''
    """Stands for the restarts that it has asked for."""
    migrate: str = ''
    """Stands for the migration that it has asked for last; '' is none."""
    ca: str = ''
    """Certificates of authorities, in PEM; '' is none."""


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


def configuration(service: str, sections: Sections) -> str:
    """What a subordinate says under :data:`KEY`: *sections* for the files of the principal's *service*."""
    files = {
        path: {
            'sections': {
                name: [[k, v] for k, v in sorted(values.items())]
                for name, values in sorted(wanted.items())
            }
        }
        for path, wanted in sections.items()
    }
    return wire.dump({service: files})


def ca_file(directory: str, app: str) -> str:
    """Where the authorities that the subordinate *app* has brought are, below the principal's *directory* of files."""
    return f'{directory}/subordinate-{app}.pem'


def extras(
    *,
    packages: Iterable[str] = (),
    release: str = '',
    restart: str = '',
    migrate: str = '',
    ca: str = '',
) -> dict[str, str]:
    """What a subordinate says beside its sections; the principal's :class:`Contribution` has it as it is here."""
    said = {
        PACKAGES: ' '.join(packages),
        RELEASE: release,
        RESTART: restart,
        MIGRATE: migrate,
        CA: ca,
    }
    return {key: value for key, value in said.items() if value}


def migrated(relation: Relation) -> dict[str, str]:
    """What a principal says back on *relation* once the migration that was asked for there is done."""
    bags = (bag for _, bag in sorted(relation.units.items(), key=lambda item: unit_order(item[0])))
    nonce = next((n for bag in bags if _TRIGGER.fullmatch(n := bag.get(MIGRATE, ''))), '')
    return {MIGRATE: nonce} if nonce else {}


def _contribution(relation: Relation, service: str) -> Contribution:
    for _, bag in sorted(relation.units.items(), key=lambda item: unit_order(item[0])):
        if any(bag.get(key) for key in (KEY, PACKAGES, CA, MIGRATE)):
            return _said(relation.app, bag, service)
    return Contribution(relation.app, {}, silent=True)


def _said(app: str, bag: Databag, service: str) -> Contribution:
    sections: dict[str, dict[str, dict[str, str]]] = {}
    refused: list[str] = []
    said = bag.get(KEY, '')
    if len(said) > _LONGEST:
        refused.append(f'{KEY}: longer than {_LONGEST} characters')
        said = ''
    for path, wanted in wire.objects(_member(wire.load_object(said), service)):
        for name, options in _member(wanted, 'sections').items():
            try:
                sections.setdefault(path, {})[name] = _options(name, options)
            except ValueError as e:
                refused.append(f'{path}: {e}')
    names = bag.get(PACKAGES, '').split()
    packages = tuple(dict.fromkeys(n for n in names if _PACKAGE.fullmatch(n)))[:_MOST_PACKAGES]
    if {*names} - {*packages}:
        refused.append(
            f'{PACKAGES}: at most {_MOST_PACKAGES} names of packages, separated by spaces'
        )
    release, trusted = bag.get(RELEASE, ''), ''
    try:
        trusted = _authorities(bag.get(CA, ''))
    except ValueError as e:
        refused.append(f'{CA}: not certificates in PEM: {e}')
    triggers = sorted(
        f'{key}={value}'
        for key, value in bag.items()
        if key.startswith(RESTART) and _TRIGGER.fullmatch(value)
    )
    return Contribution(
        app,
        sections,
        '; '.join(refused),
        packages=packages,
        release=release if _WORD.fullmatch(release) else '',
        restart=' '.join(triggers),
        migrate=nonce if _TRIGGER.fullmatch(nonce := bag.get(MIGRATE, '')) else '',
        ca=trusted,
    )


def _authorities(text: str) -> str:
    found = pem.blocks(text, pem.CERTIFICATE)
    if text and not found:
        raise ValueError('there is none')
    return ''.join(found)


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
        name = str(pair[0])
        if not _OPTION.fullmatch(name):
            raise ValueError(f'section {section}: option {name[:80]!r} is not a name')
        if not isinstance(pair[1], str | int | float):
            raise ValueError(
                f'section {section}: the value of {name} is no text, number or boolean'
            )
        value = str(pair[1])  # Booleans as oslo.config spells them.
        if not value.isprintable() or len(value) > _LONGEST_VALUE:
            raise ValueError(f'section {section}: the value of {name} is not one line of text')
        out[name] = value
    return out
