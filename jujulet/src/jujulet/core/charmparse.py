"""From a charm's files, already read as YAML, to a :class:`~jujulet.core.charm.Charm`.

All problems are found at once, each with its file and what would be right. Source: Juju's charm package
(metadata, config and actions) and Charmcraft's reference of ``charmcraft.yaml``.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from . import bases as bases_
from . import charm as charm_
from . import lxdprofile

Role = Literal['provider', 'requirer', 'peer']

_NAME = re.compile(r'[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*')
_ACTION = re.compile(r'[a-z](?:[a-z0-9-]*[a-z0-9])?')
_OPTION = re.compile(r'[A-Za-z][A-Za-z0-9_.-]*')
_ROLES: dict[str, Role] = {'provides': 'provider', 'requires': 'requirer', 'peers': 'peer'}
_TYPES: dict[str, tuple[type, ...]] = {
    'string': (str,),
    'int': (int,),
    'float': (float, int),
    'boolean': (bool,),
    'secret': (str,),
}
_JSON_TYPES = ('string', 'integer', 'number', 'boolean', 'array', 'object', 'null')


class _Findings:
    """Problems found so far, and how to look into YAML of any shape without falling over it."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def add(self, file: str, where: str, problem: str) -> None:
        self.problems.append(f'{file}: {where}: {problem}' if where else f'{file}: {problem}')

    def mapping(self, value: Any, file: str, where: str) -> dict[str, Any]:
        """*value* if it is a mapping, {} for null, else a problem and {}."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.add(file, where, f'must be a mapping, not {_kind(value)}')
            return {}
        return {str(k): v for k, v in cast('dict[Any, Any]', value).items()}

    def text(self, value: Any, file: str, where: str) -> str:
        if value is None:
            return ''
        if isinstance(value, (dict, list)):
            self.add(file, where, f'must be text, not {_kind(value)}')
            return ''
        return str(value)

    def choice(self, value: Any, known: tuple[str, ...], file: str, where: str) -> str:
        """*value* if it is one of *known*, else a problem and the first of them."""
        if value not in known:
            self.add(
                file, where, f'"{value}" is not one of {", ".join(known)}{near(str(value), known)}'
            )
            return known[0]
        return str(value)


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
    found = _Findings()
    file = files.names[0]
    meta = found.mapping(files.metadata, file, '')
    name = found.text(meta.get('name'), file, 'name')
    if not meta.get('name'):
        found.add(file, '', 'a charm needs a "name"')
    elif not _NAME.fullmatch(name):
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
        extra_bindings=tuple(found.mapping(meta.get('extra-bindings'), file, 'extra-bindings')),
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


def _profile(found: _Findings, raw: Any) -> charm_.Profile | None:
    try:
        return lxdprofile.parse(raw)
    except charm_.Invalid as error:
        found.problems.append(str(error))
        return None


def near(word: str, known: tuple[str, ...] | list[str]) -> str:
    """``; did you mean "x"?`` for the nearest of *known*, or nothing."""
    best = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f'; did you mean "{best[0]}"?' if best else ''


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return 'a mapping'
    if isinstance(value, list):
        return 'a list'
    return f'"{value}"'


def _truth(found: _Findings, value: Any, file: str, where: str) -> bool:
    if not isinstance(value, bool):
        found.add(file, where, f'must be true or false, not {_kind(value)}')
        return False
    return value


def _relations(
    found: _Findings, meta: Mapping[str, Any], file: str
) -> dict[str, charm_.RelationMeta]:
    relations: dict[str, charm_.RelationMeta] = {}
    for section, role in _ROLES.items():
        for name, raw in found.mapping(meta.get(section), file, section).items():
            where = f'{section}.{name}'
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


def _options(found: _Findings, config: Any, file: str) -> dict[str, charm_.Option]:
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


def _actions(found: _Findings, actions: Any, file: str) -> dict[str, charm_.Action]:
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


def _schema(found: _Findings, schema: Any, file: str, where: str) -> None:
    """The few faults of a parameter's JSON schema that are common; the rest is jsonschema's."""
    kind = found.mapping(schema, file, where).get('type')
    if isinstance(kind, str) and kind not in _JSON_TYPES:
        better = {'int': 'integer', 'float': 'number', 'bool': 'boolean', 'str': 'string'}.get(
            kind
        )
        hint = f'; did you mean "{better}"?' if better else near(kind, _JSON_TYPES)
        found.add(file, f'{where}.type', f'"{kind}" is not a JSON schema type{hint}')


def _each(
    found: _Findings,
    meta: Mapping[str, Any],
    section: str,
    file: str,
    read: Callable[[_Findings, str, dict[str, Any], str, str], Any],
) -> dict[str, Any]:
    entries = found.mapping(meta.get(section), file, section)
    return {
        name: read(
            found, name, found.mapping(raw, file, f'{section}.{name}'), file, f'{section}.{name}'
        )
        for name, raw in entries.items()
    }


def _storage(
    found: _Findings, name: str, entry: dict[str, Any], file: str, where: str
) -> charm_.StorageMeta:
    kind = found.choice(entry.get('type'), ('filesystem', 'block'), file, f'{where}.type')
    low, high = _range(
        found, found.mapping(entry.get('multiple'), file, f'{where}.multiple'), file, where
    )
    return charm_.StorageMeta(
        name=name,
        kind='block' if kind == 'block' else 'filesystem',
        location=found.text(entry.get('location'), file, f'{where}.location'),
        minimum=low,
        maximum=high,
        minimum_size=size(found, entry.get('minimum-size'), file, f'{where}.minimum-size'),
        read_only=bool(entry.get('read-only', False)),
        shared=bool(entry.get('shared', False)),
    )


def _range(found: _Findings, multiple: dict[str, Any], file: str, where: str) -> tuple[int, int]:
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
    low = int(match.group(1))
    if not match.group(2):
        return low, low
    return low, int(match.group(3)) if match.group(3) else -1


def size(found: _Findings, value: Any, file: str, where: str) -> int:
    """``1G`` → 1024 (MiB)."""
    if value is None:
        return 0
    match = re.fullmatch(r'(\d+(?:\.\d+)?)\s*([MGTP]?)(?:i?B)?', str(value))
    if match is None:
        found.add(file, where, f'"{value}" is not a size such as 512M or 1G')
        return 0
    factor = {'': 1, 'M': 1, 'G': 1024, 'T': 1024**2, 'P': 1024**3}[match.group(2)]
    return int(float(match.group(1)) * factor)


def _resource(
    found: _Findings, name: str, entry: dict[str, Any], file: str, where: str
) -> charm_.ResourceMeta:
    kind = found.choice(entry.get('type', 'file'), ('file', 'oci-image'), file, f'{where}.type')
    filename = found.text(entry.get('filename'), file, f'{where}.filename')
    if kind == 'file' and not filename:
        found.add(file, where, 'a file resource needs a "filename"')
    if '/' in filename or filename in ('.', '..'):
        found.add(file, f'{where}.filename', f'"{filename}" must be a file name without a folder')
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


def _assumes(found: _Findings, raw: Any, file: str) -> tuple[Any, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list):
        found.add(file, 'assumes', f'must be a list, not {_kind(raw)}')
        return ()
    assumes = tuple(cast('list[Any]', raw))
    if 'k8s-api' in assumes:
        found.add(
            file,
            'assumes',
            'this charm is for Kubernetes (k8s-api): only machine charms can run here',
        )
    return assumes
