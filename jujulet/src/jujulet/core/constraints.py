"""Constraints as users write them (``mem=1G cores=4 spaces=a,b``) and as values.

Memory and disks are in MiB, as ``juju model-constraints --format json`` gives them. Source: Juju's core/constraints,
whose error texts are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import charm as charm_

_SUFFIXES = {'M': 1, 'G': 1024, 'T': 1024**2, 'P': 1024**3}
_ARCHES = ('amd64', 'arm64', 'ppc64el', 's390x', 'riscv64')
_CONTAINERS = ('none', 'lxd', 'kvm')
_ALIASES = {'cpu-cores': 'cores'}


class Invalid(charm_.Invalid):
    """What was written is no constraint; the text says what would be."""


def _size(text: str) -> int:
    factor = _SUFFIXES.get(text[-1:], 0)
    number = text[:-1] if factor else text
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not math.isfinite(value) or value < 0:
        raise Invalid('must be a non-negative float with optional M/G/T/P suffix')
    return math.ceil(value * (factor or 1))


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise Invalid('must be a non-negative integer')
    return int(text)


def _truth(text: str) -> bool:
    if text.lower() not in ('true', 'false'):
        raise Invalid("must be 'true' or 'false'")
    return text.lower() == 'true'


def _one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in names:
            raise Invalid(f'"{text}" not recognized')
        return text

    return check


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(',') if part.strip()]


_KINDS: dict[str, Callable[[str], Any]] = {
    'allocate-public-ip': _truth,
    'arch': _one_of(_ARCHES),
    'container': _one_of(_CONTAINERS),
    'cores': _count,
    'cpu-power': _count,
    'image-id': str,
    'instance-role': str,
    'instance-type': str,
    'mem': _size,
    'root-disk': _size,
    'root-disk-source': str,
    'spaces': _names,
    'tags': _names,
    'virt-type': str,
    'zones': _names,
}


def parse(text: str | Iterable[str]) -> dict[str, Any]:
    """``'mem=1G cores=4'``, or several such texts → ``{'mem': 1024, 'cores': 4}``.

    An empty value (``mem=``) unsets and is left out.

    Raises:
        Invalid: unknown or repeated name, or a bad value.
    """
    words = text.split() if isinstance(text, str) else [w for part in text for w in part.split()]
    found: dict[str, Any] = {}
    for word in words:
        name, equals, raw = word.partition('=')
        if not equals:
            raise Invalid(f'malformed constraint "{word}": write it as name=value')
        name = _ALIASES.get(name, name)
        if name not in _KINDS:
            raise Invalid(f'unknown constraint "{name}"; known: {", ".join(sorted(_KINDS))}')
        if name in found:
            raise Invalid(f'bad "{name}" constraint: already set')
        try:
            found[name] = _KINDS[name](raw) if raw else None
        except Invalid as error:
            raise Invalid(f'bad "{name}" constraint: {error}') from None
    return {name: value for name, value in found.items() if value is not None}


def render(values: Mapping[str, Any]) -> str:
    """``{'mem': 1024, 'spaces': ['a', 'b']}`` → ``'mem=1024M spaces=a,b'``, names in order: ``parse`` undoes it."""
    return ' '.join(f'{name}={_text(name, values[name])}' for name in sorted(values))


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, (list, tuple)):
        return ','.join(str(v) for v in value)  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
    return f'{value}M' if _KINDS.get(name) is _size else str(value)
