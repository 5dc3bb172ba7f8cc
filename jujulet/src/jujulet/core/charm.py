"""What a charm says of itself: metadata, options, actions, storage, resources.

:func:`parse` turns the contents of ``charmcraft.yaml`` or ``metadata.yaml`` + ``config.yaml`` + ``actions.yaml``
into one frozen :class:`Charm`. Source: Charmcraft's file reference and Juju's charm package.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal


def _empty() -> dict[Any, Any]:
    return {}


@dataclasses.dataclass(frozen=True)
class Base:
    """An operating system release, ``debian@12``."""

    name: str
    channel: str

    def __str__(self) -> str:
        return f'{self.name}@{self.channel}'


@dataclasses.dataclass(frozen=True)
class RelationMeta:
    """An endpoint that a charm declares."""

    name: str
    role: Literal['provider', 'requirer', 'peer']
    interface: str
    scope: Literal['global', 'container'] = 'global'
    limit: int = 0
    optional: bool = True


@dataclasses.dataclass(frozen=True)
class Option:
    """A configuration option; ``default`` None means that there is none."""

    name: str
    type: Literal['string', 'int', 'float', 'boolean', 'secret']
    default: Any = None
    description: str = ''


@dataclasses.dataclass(frozen=True)
class Action:
    """An action, with the JSON schema of its parameters."""

    name: str
    description: str = ''
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=_empty)
    required: tuple[str, ...] = ()
    additional_properties: bool = True


@dataclasses.dataclass(frozen=True)
class StorageMeta:
    """Storage that a charm declares."""

    name: str
    kind: Literal['filesystem', 'block'] = 'filesystem'
    location: str = ''
    minimum: int = 1
    maximum: int = 1
    """-1: no limit."""
    minimum_size: int = 0
    """MiB."""
    read_only: bool = False
    shared: bool = False


@dataclasses.dataclass(frozen=True)
class ResourceMeta:
    """A resource that a charm declares."""

    name: str
    kind: Literal['file', 'oci-image'] = 'file'
    filename: str = ''
    description: str = ''


@dataclasses.dataclass(frozen=True)
class Profile:
    """A charm's ``lxd-profile.yaml``, as it stands there; what it means here: ``core.lxdprofile``."""

    config: Mapping[str, str] = dataclasses.field(default_factory=_empty)
    description: str = ''
    devices: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=_empty)


@dataclasses.dataclass(frozen=True)
class Device:
    """A device that a machine is to have."""

    path: str
    """Where the machine has it."""
    source: str
    """Where the host has it."""
    kind: Literal['unix-char', 'unix-block'] = 'unix-char'
    mode: int = 0o660
    uid: int = 0
    gid: int = 0


@dataclasses.dataclass(frozen=True)
class Charm:
    """One revision of a charm, as the model knows it."""

    url: str
    """``local:placement-3``."""
    name: str
    revision: int
    digest: str
    """Of everything in the charm's folder: names its content, and where the edge keeps it."""
    builds: Mapping[str, str] = dataclasses.field(default_factory=_empty)
    """The same charm made ready for each base, whose Python packages it holds: digests by base."""
    source: str = ''
    """The folder or file that it was read from; empty: not known."""
    summary: str = ''
    description: str = ''
    version: str = ''
    """Text of the charm's ``version`` file."""
    subordinate: bool = False
    relations: Mapping[str, RelationMeta] = dataclasses.field(default_factory=_empty)
    extra_bindings: tuple[str, ...] = ()
    options: Mapping[str, Option] = dataclasses.field(default_factory=_empty)
    actions: Mapping[str, Action] = dataclasses.field(default_factory=_empty)
    storage: Mapping[str, StorageMeta] = dataclasses.field(default_factory=_empty)
    resources: Mapping[str, ResourceMeta] = dataclasses.field(default_factory=_empty)
    bases: tuple[Base, ...] = ()
    """Bases it supports, preferred first; empty: any."""
    assumes: tuple[Any, ...] = ()
    profile: Profile | None = None

    def digest_on(self, base: Base) -> str:
        """Names its content on a machine of *base*."""
        return self.builds.get(str(base), self.digest)

    @property
    def digests(self) -> frozenset[str]:
        """Of all that was made from the same files."""
        return frozenset({self.digest, *self.builds.values()})


class Invalid(ValueError):  # noqa: N818 -- it is an answer, not a fault of ours
    """A charm, or what was said about one, cannot be used; the text says what would be right."""
