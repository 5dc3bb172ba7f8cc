"""A charm as rules see it: files that were read, and what they say. Pure: nothing is opened, nothing is executed."""

from __future__ import annotations

import ast
import dataclasses
import functools
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

from . import documents

Kind = Literal['api', 'website', 'agent', 'charm', '']
"""Which class of charmkit's its charm is a subclass of; '' is none."""
_CLASSES: Mapping[str, Kind] = {
    'ApiCharm': 'api',
    'WebsiteCharm': 'website',
    'AgentCharm': 'agent',
    'Charm': 'charm',
}
ENTRY = 'src/charm.py'
PROJECT, METADATA, LIFECYCLE = 'charmcraft.yaml', 'metadata.yaml', 'lifecycle.yaml'
PACKAGING = 'pyproject.toml'
_PARTS = {'config.yaml': 'config', 'actions.yaml': 'actions'}
_YAML = (PROJECT, METADATA, LIFECYCLE, *_PARTS)
MOST_SOURCE = 512 * 1024
"""Bytes of one module of Python."""


@dataclasses.dataclass(frozen=True)
class View:
    """What a charm is made of."""

    path: str
    """Where it is, as whoever asked has it."""
    files: Mapping[str, bytes] = dataclasses.field(repr=False)
    """By path in the charm, with slashes: what was read."""
    unread: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str], repr=False)
    """By path, why a file was not read: a link, too large, and so on. '' is the charm itself."""
    packed: bool = False

    @functools.cached_property
    def _documents(self) -> tuple[dict[str, Any], dict[str, str]]:
        found: dict[str, Any] = {}
        wrong: dict[str, str] = {}
        for name in _YAML:
            if name not in self.files:
                continue
            try:
                data = documents.load(self.files[name])
            except documents.UnreadableError as e:
                wrong[name] = str(e)
                continue
            if isinstance(data, dict):
                found[name] = data
            elif data is not None or name in (PROJECT, METADATA):
                wrong[name] = 'it is no mapping of names to values'
        if PACKAGING in self.files:
            try:
                found[PACKAGING] = documents.load_toml(self.files[PACKAGING])
            except documents.UnreadableError as e:
                wrong[PACKAGING] = str(e)
        return found, wrong

    @functools.cached_property
    def unreadable(self) -> Mapping[str, str]:
        """Files that a charm cannot do without, or that say nothing as they are, each with the reason."""
        source = {
            path: reason
            for path, reason in self.unread.items()
            if not path or path in (*_YAML, ENTRY, PACKAGING) or path.startswith('src/')
        }
        return {**source, **self._documents[1]}

    @property
    def mute(self) -> bool:
        """What it says of itself cannot be read: all else would seem to be missing."""
        return not {PROJECT, METADATA}.isdisjoint(self.unreadable)

    @functools.cached_property
    def meta(self) -> Mapping[str, Any]:
        """``charmcraft.yaml``; of a packed or an older charm, ``metadata.yaml`` and what stands beside it."""
        found = self._documents[0]
        out: dict[str, Any] = dict(found.get(METADATA, {})) | dict(found.get(PROJECT, {}))
        for name, key in _PARTS.items():
            if key not in out and name in found:
                out[key] = found[name]
        return out

    @functools.cached_property
    def packaging(self) -> Mapping[str, Any] | None:
        """The table ``project`` of ``pyproject.toml``; None when there is no such file that can be read."""
        found = self._documents[0].get(PACKAGING)
        return None if found is None else table(found, 'project')

    @functools.cached_property
    def lifecycle(self) -> Mapping[str, Any] | None:
        """``lifecycle.yaml``; None when there is none that can be read."""
        return self._documents[0].get(LIFECYCLE)

    def table(self, *keys: str) -> dict[str, Any]:
        """The mapping at *keys* of :attr:`meta`, its keys as text; empty where there is none."""
        return table(self.meta, *keys)

    def entries(self, *keys: str) -> dict[str, dict[str, Any]]:
        """The mapping at *keys*, each of its values a mapping: what is none is empty."""
        return {name: table({'x': value}, 'x') for name, value in self.table(*keys).items()}

    @property
    def name(self) -> str:
        """As it says itself; '' where it does not."""
        found = self.meta.get('name')
        return found if isinstance(found, str) else ''

    @property
    def subordinate(self) -> bool:
        """Whether it says that it is one."""
        return self.meta.get('subordinate') is True

    @functools.cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Its relations, of each role."""
        return tuple(
            Endpoint(role, name, text(said, 'interface'), text(said, 'scope') == 'container')
            for role in ('requires', 'provides', 'peers')
            for name, said in self.entries(role).items()
        )

    @functools.cached_property
    def sources(self) -> Mapping[str, ast.Module | str]:
        """Its own modules below ``src``, by path: what they say, or why they cannot be read as Python 3."""
        return {
            path: _parsed(data)
            for path, data in sorted(self.files.items())
            if path.startswith('src/') and path.endswith('.py')
        }

    def trees(self) -> Iterator[tuple[str, ast.Module]]:
        """Those of its modules that are Python."""
        for path, tree in self.sources.items():
            if isinstance(tree, ast.Module):
                yield path, tree

    @functools.cached_property
    def classes(self) -> tuple[tuple[str, Kind], ...]:
        """The classes of ``src/charm.py`` that are charms of charmkit's, with their kind."""
        tree = self.sources.get(ENTRY)
        if not isinstance(tree, ast.Module) or not self.uses_charmkit:
            return ()
        found: list[tuple[str, Kind]] = []
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                bases = [last_name(base) for base in node.bases]
                kinds: list[Kind] = [_CLASSES[base] for base in bases if base in _CLASSES]
                if kinds:
                    found.append((node.name, kinds[0]))
        return tuple(found)

    @property
    def kind(self) -> Kind:
        """Of the first of them; '' for a charm that is none of charmkit's."""
        return self.classes[0][1] if self.classes else ''

    @functools.cached_property
    def uses_charmkit(self) -> bool:
        """Whether its entry imports the library."""
        tree = self.sources.get(ENTRY)
        return isinstance(tree, ast.Module) and any(
            name.partition('.')[0] == 'charmkit'
            for node in ast.walk(tree)
            for name in imported(node)
        )

    @property
    def is_api(self) -> bool:
        """It is an API service: by its class, or for others' charms because it has an account and endpoints."""
        if self.kind:
            return self.kind == 'api'
        account = any(e.role == 'requires' and e.interface == 'keystone' for e in self.endpoints)
        return account and not self.subordinate


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One relation that it can have."""

    role: str
    """``requires``, ``provides`` or ``peers``."""
    name: str
    interface: str
    container: bool


def table(data: Mapping[Any, Any], *keys: str) -> dict[str, Any]:
    """The mapping at *keys* of *data*, its keys as text; empty where there is none."""
    found: Any = data
    for key in keys:
        found = cast('Mapping[Any, Any]', found).get(key) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        return {}
    return {str(k): v for k, v in cast('Mapping[Any, Any]', found).items()}


def items(value: Any) -> list[Any]:
    """What is in *value*, if it is a list."""
    return cast('list[Any]', value) if isinstance(value, list) else []


def text(data: Mapping[str, Any], key: str) -> str:
    """The text at *key*; '' where there is none."""
    found = data.get(key)
    return found if isinstance(found, str) else ''


def texts(value: Any) -> list[str]:
    """The texts in *value*, if it is a list."""
    return [item for item in items(value) if isinstance(item, str)]


def last_name(node: ast.AST) -> str:
    """``ApiCharm`` of ``charmkit.ApiCharm``; '' for what is no name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ''


def imported(node: ast.AST) -> list[str]:
    """The modules that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def _parsed(data: bytes) -> ast.Module | str:
    try:
        source = documents.decode(data, MOST_SOURCE)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            tree = ast.parse(source)
        _deep(tree)
        return tree
    except documents.UnreadableError as e:
        return str(e)
    except SyntaxError as e:
        return f'line {e.lineno}: {e.msg}'
    except (ValueError, RecursionError, MemoryError) as e:
        return str(e) or 'it is nested too deep'


_DEEPEST = 200


def _deep(tree: ast.AST) -> None:
    """Raise ValueError when it is nested so deep that whoever goes through it would run out of stack."""
    level: list[ast.AST] = [tree]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise ValueError(f'it is nested more than {_DEEPEST} deep')
