"""The names that charms of others rely on: a change of the list is one of the API, for charmkit/CHANGES.md."""

from __future__ import annotations

import dataclasses
import inspect
import pathlib
import types
from collections.abc import Iterator

import charmkit
from charmkit import related, testing
from syrupy.assertion import SnapshotAssertion

ROOT = pathlib.Path(__file__).parents[2]


def names() -> Iterator[str]:
    """Each public name, with what may be said to it."""
    for name in sorted(charmkit.__all__):
        yield from described(name, getattr(charmkit, name))
    for module in (related, testing):
        yield from described(module.__name__.rpartition('.')[2], module)


def described(name: str, thing: object) -> Iterator[str]:
    if isinstance(thing, types.ModuleType):
        for inner, value in sorted(vars(thing).items()):
            own = getattr(value, '__module__', thing.__name__).startswith(thing.__name__)
            if (
                not inner.startswith('_')
                and inner != 'annotations'
                and own
                and not isinstance(value, types.ModuleType)
            ):
                yield from described(f'{name}.{inner}', value)
    elif dataclasses.is_dataclass(thing):
        yield f'{name}({", ".join(f.name for f in dataclasses.fields(thing))})'
    elif inspect.isfunction(thing):
        yield f'{name}({", ".join(inspect.signature(thing).parameters)})'
    else:
        yield name


def test_the_public_names_are_as_they_were(snapshot: SnapshotAssertion):
    assert '\n'.join(names()) == snapshot


def test_the_version_that_is_released_next_has_a_heading():
    project = (ROOT / 'pyproject.toml').read_text()
    version = project.partition('\nversion = "')[2].partition('"')[0]
    assert f'## {version}\n' in (ROOT / 'CHANGES.md').read_text()


def test_a_charm_needs_nothing_of_an_author():
    project = (ROOT / 'pyproject.toml').read_text()
    needed = project.partition('\ndependencies = [')[2].partition('\n]')[0]
    assert [line.strip()[:5] for line in needed.strip().splitlines()] == ['"ops>']
