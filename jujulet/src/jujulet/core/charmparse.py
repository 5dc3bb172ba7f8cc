"""From a charm's files, already read as YAML, to a :class:`~jujulet.core.charm.Charm`.

All problems are found at once, each with its file and what would be right. Source: Juju's charm package
(metadata, config and actions) and Charmcraft's reference of ``charmcraft.yaml``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from . import bases as bases_
from . import charm as charm_
from . import findings, lxdprofile

Role = Literal['provider', 'requirer', 'peer']

_NAME = re.compile(r'[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*')
_ACTION = re.compile(r'[a-z](?:[a-z0-9-]*[a-z0-9])?')
_OPTION = re.compile(r'[A-Za-z][A-Za-z0-9_.-]*')
_ENDPOINT = re.compile(r'[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)*')
_RESOURCE = re.compile(r'[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?')
_LOCATION = re.compile(r'(?:/(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f]+)+/?')
MOST_INSTANCES = 1000
"""Of storage, that every unit of a charm must have."""
_ROLES: dict[str, Role] = {'provides': 'provider', 'requires': 'requirer', 'peers': 'peer'}
_TYPES: dict[str, tuple[type, ...]] = {
    'string': (str,),
    'int': (int,),
    'float': (float, int),
    'boolean': (bool,),
    'secret': (str,),
}
_JSON_TYPES = ('string', 'integer', 'number', 'boolean', 'array', 'object', 'null')


@dataclasses.dataclass(frozen=True)
class Files:
    """A charm's files as YAML gave them, with the names under which problems are reported."""

    metadata: Any
    config: Any = None
    actions: Any = None
    names: tuple[str, str, str] = ('metadata.yaml', 'config.yaml', 'actions.yaml')
    bases: tuple[charm_.Base, ...] = ()
    """From a manifest or from ``charmcraft.yaml``; empty: the metadata's ``series``, or any."""
    profile: Any = None
    """``lxd-profile.yaml``, all of its values as text."""


def parse(files: Files, *, version: str = '', digest: str = '') -> charm_.Charm:
    """The charm that *files* describe, with an empty URL and revision 0.

    Raises:
        charm.Invalid: one line a problem: file, place, what is wrong, what would be right.
    """
    found = findings.Findings()
    file = files.names[0]
    meta = found.mapping(files.metadata, file, '')
    name = found.text(meta.get('name'), file, 'name')
    if not meta.get('name'):
        found.add(file, '', 'a charm needs a "name"')
    elif not _NAME.fullmatch(name) or len(name) > findings.MOST_LETTERS:
        found.add(
            file,
            'name',
            f'"{name}" is not a charm name: lower case letters, digits and hyphens, such as my-app',
        )
    charm = charm_.Charm(
        url='',
        name=name,
        revision=0,
        digest=digest,
        summary=found.text(meta.get('summary'), file, 'summary'),
        description=found.text(meta.get('description'), file, 'description'),
        version=version,
        subordinate=_truth(found, meta.get('subordinate', False), file, 'subordinate'),
        relations=_relations(found, meta, file),
        extra_bindings=_bindings(found, meta, file),
        options=_options(found, files.config, files.names[1]),
        actions=_actions(found, files.actions, files.names[2]),
        storage=_each(found, meta, 'storage', file, _storage),
        resources=_each(found, meta, 'resources', file, _resource),
        bases=files.bases or _series(meta),
        assumes=_assumes(found, meta.get('assumes'), file),
        profile=_profile(found, files.profile),
    )
    if charm.subordinate and not any(
        r.scope == 'container' and r.role == 'requirer' for r in charm.relations.values()
    ):
        found.add(
            file,
            'subordinate',
            'a subordinate charm requires at least one endpoint with "scope: container"',
        )
    if found.problems:
        raise charm_.Invalid('\n'.join(found.problems))
    return charm


def _profile(found: findings.Findings, raw: Any) -> charm_.Profile | None:
    try:
        return lxdprofile.parse(raw)
    except charm_.Invalid as error:
        found.problems.append(str(error))
        return None


def _truth(found: findings.Findings, value: Any, file: str, where: str) -> bool:
    if not isinstance(value, bool):
        found.add(file, where, f'must be true or false, not {findings.kind_of(value)}')
        return False
    return value


_ENDPOINT_NAMES = 'letters and digits, with "-" or "_" between them'


def _bindings(found: findings.Findings, meta: Mapping[str, Any], file: str) -> tuple[str, ...]:
    names = tuple(found.mapping(meta.get('extra-bindings'), file, 'extra-bindings'))
    for name in names:
        found.name(name, _ENDPOINT, file, 'extra-bindings', _ENDPOINT_NAMES)
    return names


def _relations(
    found: findings.Findings, meta: Mapping[str, Any], file: str
) -> dict[str, charm_.RelationMeta]:
    relations: dict[str, charm_.RelationMeta] = {}
    for section, role in _ROLES.items():
        for name, raw in found.mapping(meta.get(section), file, section).items():
            where = f'{section}.{name}'
            found.name(name, _ENDPOINT, file, section, _ENDPOINT_NAMES)
            if name in relations:
                found.add(file, where, 'a charm cannot use one endpoint name twice')
            entry = {'interface': raw} if isinstance(raw, str) else found.mapping(raw, file, where)
            interface = found.text(entry.get('interface'), file, where)
            if not interface:
                found.add(file, where, 'an endpoint needs an "interface"')
            if role == 'provider' and interface == 'juju-info' and name != 'juju-info':
                found.add(
                    file, where, 'interface juju-info is reserved: every charm provides it already'
                )
            scope = found.choice(
                entry.get('scope') or 'global', ('global', 'container'), file, f'{where}.scope'
            )
            limit = entry.get('limit') or 0
            if not isinstance(limit, int) or isinstance(limit, bool):
                found.add(file, f'{where}.limit', 'must be a whole number')
                limit = 0
            relations[name] = charm_.RelationMeta(
                name=name,
                role=role,
                interface=interface,
                scope='container' if scope == 'container' else 'global',
                limit=limit,
                optional=bool(entry.get('optional', True)),
            )
    return relations


def _options(found: findings.Findings, config: Any, file: str) -> dict[str, charm_.Option]:
    outer = found.mapping(config, file, '')
    if outer and 'options' not in outer:
        found.add(file, '', 'options belong under "options:"')
    options: dict[str, charm_.Option] = {}
    for name, raw in found.mapping(outer.get('options'), file, 'options').items():
        where = f'options.{name}'
        entry = found.mapping(raw, file, where)
        if not _OPTION.fullmatch(name):
            found.add(file, where, 'not an option name: letters, digits, "-", "_" and "."')
        kind = found.choice(entry.get('type', 'string'), tuple(_TYPES), file, f'{where}.type')
        default = entry.get('default')
        if default is not None and not _fits(default, kind):
            found.add(file, f'{where}.default', f'{default!r} is not of type {kind}')
        if kind == 'float' and isinstance(default, int):
            default = float(default)
        options[name] = charm_.Option(
            name=name,
            type=cast('Any', kind),
            default=default,
            description=found.text(entry.get('description'), file, f'{where}.description'),
        )
    return options


def _fits(value: Any, kind: str) -> bool:
    if isinstance(value, bool) and kind != 'boolean':
        return False
    return isinstance(value, _TYPES[kind])


def _actions(found: findings.Findings, actions: Any, file: str) -> dict[str, charm_.Action]:
    parsed: dict[str, charm_.Action] = {}
    for name, raw in found.mapping(actions, file, '').items():
        if not _ACTION.fullmatch(name):
            found.add(file, name, 'not an action name: lower case letters, digits and hyphens')
        if name.startswith('juju-'):
            found.add(file, name, 'names that start with "juju-" are reserved')
        entry = found.mapping(raw, file, name)
        parameters = found.mapping(entry.get('params'), file, f'{name}.params')
        for key, schema in parameters.items():
            _schema(found, schema, file, f'{name}.params.{key}')
        required: Any = entry.get('required') or []
        if not isinstance(required, list) or not all(
            isinstance(r, str) for r in cast('list[Any]', required)
        ):
            found.add(file, f'{name}.required', 'must be a list of parameter names')
            required = []
        parsed[name] = charm_.Action(
            name=name,
            description=found.text(entry.get('description'), file, f'{name}.description'),
            parameters=parameters,
            required=tuple(cast('list[str]', required)),
            additional_properties=bool(entry.get('additionalProperties', True)),
        )
    return parsed


def _schema(found: findings.Findings, schema: Any, file: str, where: str) -> None:
    """The few faults of a parameter's JSON schema that are common; the rest is jsonschema's."""
    kind = found.mapping(schema, file, where).get('type')
    if isinstance(kind, str) and kind not in _JSON_TYPES:
        better = {'int': 'integer', 'float': 'number', 'bool': 'boolean', 'str': 'string'}.get(
            kind
        )
        hint = f'; did you mean "{better}"?' if better else findings.near(kind, _JSON_TYPES)
        found.add(file, f'{where}.type', f'"{kind}" is not a JSON schema type{hint}')


def _each(
    found: findings.Findings,
    meta: Mapping[str, Any],
    section: str,
    file: str,
    read: Callable[[findings.Findings, str, dict[str, Any], str, str], Any],
) -> dict[str, Any]:
    entries = found.mapping(meta.get(section), file, section)
    return {
        name: read(
            found, name, found.mapping(raw, file, f'{section}.{name}'), file, f'{section}.{name}'
        )
        for name, raw in entries.items()
    }


def _storage(
    found: findings.Findings, name: str, entry: dict[str, Any], file: str, where: str
) -> charm_.StorageMeta:
    kind = found.choice(entry.get('type'), ('filesystem', 'block'), file, f'{where}.type')
    found.name(name, _NAME, file, 'storage', 'lower case letters, digits and hyphens')
    location = found.text(entry.get('location'), file, f'{where}.location')
    if location and not _LOCATION.fullmatch(location):
        found.add(file, f'{where}.location', f'{location!a} is not the absolute path of a folder')
    low, high = _range(
        found, found.mapping(entry.get('multiple'), file, f'{where}.multiple'), file, where
    )
    return charm_.StorageMeta(
        name=name,
        kind='block' if kind == 'block' else 'filesystem',
        location=location,
        minimum=low,
        maximum=high,
        minimum_size=size(found, entry.get('minimum-size'), file, f'{where}.minimum-size'),
        read_only=bool(entry.get('read-only', False)),
        shared=bool(entry.get('shared', False)),
    )


def _range(
    found: findings.Findings, multiple: dict[str, Any], file: str, where: str
) -> tuple[int, int]:
    """``multiple.range``: ``2``, ``0-10``, ``1-``, ``1+`` → least and most; -1 for no limit."""
    text = str(multiple.get('range', '')).strip()
    if not text:
        return 1, 1
    match = re.fullmatch(r'(\d+)(?:(\+|-)(\d*))?', text)
    if match is None:
        found.add(
            file, f'{where}.multiple.range', f'"{text}" is not a range such as 2, 0-10 or 1-'
        )
        return 1, 1
    low = int(match.group(1)[:9])
    if low > MOST_INSTANCES:
        found.add(
            file,
            f'{where}.multiple.range',
            f'at least {low} are wanted, at most {MOST_INSTANCES} can be',
        )
    if not match.group(2):
        return low, low
    return low, int(match.group(3)[:9]) if match.group(3) else -1


def size(found: findings.Findings, value: Any, file: str, where: str) -> int:
    """``1G`` → 1024 (MiB)."""
    if value is None:
        return 0
    match = re.fullmatch(r'(\d{1,12}(?:\.\d{1,12})?)\s*([MGTP]?)(?:i?B)?', str(value))
    if match is None:
        found.add(file, where, f'"{value}" is not a size such as 512M or 1G')
        return 0
    factor = {'': 1, 'M': 1, 'G': 1024, 'T': 1024**2, 'P': 1024**3}[match.group(2)]
    return int(float(match.group(1)) * factor)


def _resource(
    found: findings.Findings, name: str, entry: dict[str, Any], file: str, where: str
) -> charm_.ResourceMeta:
    kind = found.choice(entry.get('type', 'file'), ('file', 'oci-image'), file, f'{where}.type')
    filename = found.text(entry.get('filename'), file, f'{where}.filename')
    if kind == 'file' and not filename:
        found.add(file, where, 'a file resource needs a "filename"')
    found.name(name, _RESOURCE, file, 'resources', 'letters, digits, "-", "_" and "."')
    if '/' in filename or filename in ('.', '..'):
        found.add(file, f'{where}.filename', f'"{filename}" must be a file name without a folder')
    elif not filename.isprintable() or len(filename) > findings.MOST_LETTERS:
        found.add(
            file, f'{where}.filename', f'{filename[: findings.MOST_LETTERS]!a} is not a file name'
        )
    return charm_.ResourceMeta(
        name=name,
        kind='oci-image' if kind == 'oci-image' else 'file',
        filename=filename,
        description=found.text(entry.get('description'), file, f'{where}.description'),
    )


def _series(meta: Mapping[str, Any]) -> tuple[charm_.Base, ...]:
    raw: Any = meta.get('series') or []
    names = [raw] if isinstance(raw, str) else cast('list[Any]', raw)
    return tuple(
        charm_.Base(*bases_.SERIES[str(name)]) for name in names if str(name) in bases_.SERIES
    )


def _assumes(found: findings.Findings, raw: Any, file: str) -> tuple[Any, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list):
        found.add(file, 'assumes', f'must be a list, not {findings.kind_of(raw)}')
        return ()
    assumes = tuple(cast('list[Any]', raw))
    if 'k8s-api' in assumes:
        found.add(
            file,
            'assumes',
            'this charm is for Kubernetes (k8s-api): only machine charms can run here',
        )
    return assumes
