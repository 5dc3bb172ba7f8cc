"""``charmcraft.yaml`` taken apart, as ``charmcraft pack`` does: into metadata, config, actions, bases and parts.

Source: Charmcraft's file reference (version 4), and for older files its ``bases`` key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from . import bases as bases_
from . import charm as charm_
from . import findings

METADATA = (
    'name', 'title', 'summary', 'description', 'assumes', 'containers', 'devices', 'display-name',
    'docs', 'extra-bindings', 'issues', 'maintainers', 'peers', 'provides', 'requires', 'resources',
    'source', 'storage', 'subordinate', 'terms', 'website', 'charm-user',
)  # fmt: skip
"""Keys that go into ``metadata.yaml``."""

_OTHERS = (
    'actions', 'analysis', 'base', 'bases', 'build-base', 'build-snaps', 'charm-libs', 'charmhub',
    'config', 'contact', 'icon', 'license', 'links', 'package-repositories', 'parts', 'platforms',
    'source-code', 'type', 'adopt-info', 'version',
)  # fmt: skip

PLUGINS = ('uv', 'charm', 'python', 'dump', 'nil')
"""Plugins of parts that can be built without Charmcraft."""

_REFUSED = {
    'poetry': 'plugin "poetry" is not supported: use plugin "uv" with the dependencies under [project] in '
    'pyproject.toml, or pack the charm with charmcraft and deploy the .charm file',
    'reactive': 'plugin "reactive" is not supported: pack the charm with charmcraft and deploy the .charm file',
    'bundle': 'this is a bundle project: deploy its bundle.yaml',
}


@dataclasses.dataclass(frozen=True)
class Part:
    """One part: where it comes from and what of it goes into the charm."""

    name: str
    plugin: str
    source: str = '.'
    """Relative to the folder of ``charmcraft.yaml``."""
    subdir: str = ''
    """``source-subdir``, relative to the source."""
    prime: tuple[str, ...] = ()
    """What to keep, as globs; ``-x`` leaves x out; empty: everything."""
    organize: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: cast('dict[str, str]', {})
    )
    requirements: tuple[str, ...] = ()
    """Requirements files named by the part."""
    packages: tuple[str, ...] = ()
    """Python packages named by the part."""
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    entrypoint: str = 'src/charm.py'
    unmet: tuple[str, ...] = ()
    """Keys that only Charmcraft's build machine can honour, such as ``override-build``: said, not done."""


@dataclasses.dataclass(frozen=True)
class Project:
    """What ``charmcraft.yaml`` holds, by the file that ``charmcraft pack`` would write it to."""

    metadata: Mapping[str, Any]
    config: Any
    actions: Any
    bases: tuple[charm_.Base, ...]
    parts: tuple[Part, ...]


def split(data: Any, *, file: str = 'charmcraft.yaml') -> Project:
    """Take *data*, the YAML of ``charmcraft.yaml``, apart.

    Raises:
        charm.Invalid: a key that there is not, a part that cannot be built here; one line a problem.
    """
    if not isinstance(data, dict):
        raise charm_.Invalid(f'{file}: must be a mapping with at least "name" and "parts"')
    found = {str(k): v for k, v in cast('dict[Any, Any]', data).items()}
    known = (*METADATA, *_OTHERS)
    problems = [
        f'{file}: unknown key "{key}"{findings.near(key, known)}'
        for key in found
        if key not in known
    ]
    if found.get('type') not in (None, 'charm'):
        problems.append(f'{file}: type: must be "charm", not "{found["type"]}"')
    parts: list[Part] = []
    for name, raw in _mapping(found.get('parts'), file, 'parts', problems).items():
        part = _part(name, _mapping(raw, file, f'parts.{name}', problems), file, problems)
        parts.extend([part] if part.plugin in PLUGINS else [])
    if problems:
        raise charm_.Invalid('\n'.join(problems))
    return Project(
        metadata=_metadata(found),
        config=found.get('config'),
        actions=found.get('actions'),
        bases=_bases(found, file),
        parts=tuple(parts) or (Part(name='charm', plugin='charm'),),
    )


def _metadata(found: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: found[key] for key in METADATA if key in found}
    if 'title' in metadata:
        metadata['display-name'] = metadata.pop('title')
    links = found.get('links')
    if isinstance(links, dict):
        for key, target in (
            ('documentation', 'docs'),
            ('issues', 'issues'),
            ('website', 'website'),
        ):
            value = cast('dict[str, Any]', links).get(key)
            if value is not None:
                metadata[target] = value
    return metadata


def _mapping(value: Any, file: str, where: str, problems: list[str]) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        problems.append(f'{file}: {where}: must be a mapping')
        return {}
    return {str(k): v for k, v in cast('dict[Any, Any]', value).items()}


def _strings(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in cast('list[Any]', value)) if isinstance(value, list) else ()


def _part(name: str, raw: dict[str, Any], file: str, problems: list[str]) -> Part:
    plugin = str(raw.get('plugin') or (name if name in PLUGINS or name in _REFUSED else ''))
    if plugin in _REFUSED:
        problems.append(f'{file}: parts.{name}: {_REFUSED[plugin]}')
    elif plugin not in PLUGINS:
        hint = findings.near(plugin, PLUGINS) if plugin else ''
        problems.append(
            f'{file}: parts.{name}: plugin "{plugin}" is not supported, {", ".join(PLUGINS)} are{hint}; '
            'or pack the charm with charmcraft and deploy the .charm file'
        )
    source = str(raw.get('source') or '.')
    if '://' in source or source.startswith('git@'):
        problems.append(
            f'{file}: parts.{name}: source "{source}" is not a local folder: pack the charm with charmcraft '
            'and deploy the .charm file'
        )
    return Part(
        name=name,
        plugin=plugin,
        source=source,
        subdir=str(raw.get('source-subdir') or ''),
        prime=_strings(raw.get('prime')) or _strings(raw.get('stage')),
        organize={str(k): str(v) for k, v in cast('dict[Any, Any]', raw.get('organize') or {}).items()},
        requirements=_strings(raw.get('charm-requirements')) or _strings(raw.get('python-requirements')),
        packages=tuple(
            package
            for key in ('charm-python-packages', 'charm-binary-python-packages', 'python-packages')
            for package in _strings(raw.get(key))
            if package not in ('pip', 'setuptools', 'wheel')
        ),
        extras=_strings(raw.get('uv-extras')),
        groups=_strings(raw.get('uv-groups')),
        entrypoint=str(raw.get('charm-entrypoint') or 'src/charm.py'),
        unmet=tuple(
            key for key in ('override-pull', 'override-build', 'override-stage', 'override-prime')
            if key in raw
        ),
    )  # fmt: skip


def _bases(found: Mapping[str, Any], file: str) -> tuple[charm_.Base, ...]:
    """Bases in order: ``base``, else those that ``platforms`` name, else the old ``bases``."""
    if found.get('base') is not None:
        return (_base(str(found['base']), f'{file}: base'),)
    bases: list[charm_.Base] = []
    platforms: Any = found.get('platforms')
    if isinstance(platforms, dict):
        for name, platform in cast('dict[Any, Any]', platforms).items():
            bases += _platform_bases(str(name), platform)
    for entry in cast('list[Any]', found.get('bases') or []):
        bases += _old_bases(entry)
    return tuple(dict.fromkeys(bases))


def _platform_bases(name: str, platform: Any) -> list[charm_.Base]:
    """``ubuntu@24.04:amd64:`` by name, or ``jammy: {build-for: [ubuntu@22.04:amd64]}``."""
    entry: dict[str, Any] = cast('dict[str, Any]', platform) if isinstance(platform, dict) else {}
    texts = _strings(entry.get('build-for')) or _strings(entry.get('build-on')) or (name,)
    found: list[charm_.Base] = []
    for text in (*texts, name):
        base = text.rpartition(':')[0] if ':' in text else text
        if '@' in base:
            found.append(_base(base, f'platforms.{name}'))
    return found[:1]


def _old_bases(entry: Any) -> list[charm_.Base]:
    if not isinstance(entry, dict):
        return []
    mapping = cast('dict[str, Any]', entry)
    runs: Any = mapping.get('run-on') or [mapping]
    return [
        charm_.Base(str(run['name']), str(run['channel']).partition('/')[0])
        for run in cast('list[dict[str, Any]]', runs)
        if 'name' in run and 'channel' in run
    ]


def _base(text: str, where: str) -> charm_.Base:
    try:
        return bases_.parse(text)
    except charm_.Invalid as error:
        raise charm_.Invalid(f'{where}: {error}') from None
