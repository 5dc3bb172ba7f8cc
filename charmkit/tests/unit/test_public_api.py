"""The names that charms of others rely on, with what may be said to each: none goes by mistake.

`public_api.txt` has those of the last release. What is new need not be there; whoever takes one away takes its line
out, and says so in charmkit/CHANGES.md. At a release it is written anew: run this file.
"""

from __future__ import annotations

import dataclasses
import inspect
import pathlib
import types
from collections.abc import Iterator

import charmkit
from charmkit import related, testing

ROOT = pathlib.Path(__file__).parents[2]
LIST = pathlib.Path(__file__).with_name('public_api.txt')


def names() -> Iterator[str]:
    """Each public name, and each parameter and field: `mysql.need`, `mysql.need(prefix)`."""
    for name in sorted(charmkit.__all__):
        yield from described(name, getattr(charmkit, name))
    for module in (related, testing):
        yield from described(module.__name__.rpartition('.')[2], module)


def described(name: str, thing: object) -> Iterator[str]:
    yield name
    if isinstance(thing, types.ModuleType):
        for inner, value in sorted(vars(thing).items()):
            own = getattr(value, '__module__', thing.__name__).startswith(thing.__name__)
            if not inner.startswith('_') and own and not isinstance(value, types.ModuleType):
                yield from described(f'{name}.{inner}', value)
    elif dataclasses.is_dataclass(thing):
        yield from (f'{name}({field.name})' for field in dataclasses.fields(thing))
    elif inspect.isfunction(thing):
        yield from (f'{name}({parameter})' for parameter in inspect.signature(thing).parameters)


def gone(before: str, now: set[str]) -> list[str]:
    """What was public in the list *before*, and is so no more."""
    return sorted({*before.split()} - now)


def test_no_public_name_is_gone():
    assert gone(LIST.read_text(), {*names()}) == []


def test_one_that_goes_is_noticed():
    here = {*names()}
    for name in (
        'mysql.need',
        'mysql.need(prefix)',
        'ServiceSpec(packages)',
        'related.identity',
    ):
        assert name in {*LIST.read_text().split()}
        assert gone(LIST.read_text(), here - {name}) == [name]


def test_the_version_that_is_released_next_has_a_heading():
    project = (ROOT / 'pyproject.toml').read_text()
    version = project.partition('\nversion = "')[2].partition('"')[0]
    assert f'## {version}\n' in (ROOT / 'CHANGES.md').read_text()


def test_a_charm_needs_nothing_of_an_author():
    project = (ROOT / 'pyproject.toml').read_text()
    needed = project.partition('\ndependencies = [')[2].partition('\n]')[0]
    lines = [line.strip() for line in needed.strip().splitlines()]
    assert not [line for line in lines if line.startswith(('"jinja2', '"pytest', '"ops['))]


if __name__ == '__main__':
    LIST.write_text('\n'.join(sorted({*names()})) + '\n')
