"""What a user can ask of a model itself: its configuration, spaces and machines, secrets, offers, its end.

As :mod:`.requests`, which has those of applications and units, and is where all of them are had from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from . import model as model_

Strings = Mapping[str, str]
Anything = Mapping[str, Any]


def empty() -> dict[Any, Any]:
    """An empty mapping, for the default of a field."""
    return {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetModelConfig:
    """``juju model-config k=v… --reset a,b``."""

    options: Anything = dataclasses.field(default_factory=empty)
    reset: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class AddSpace:
    """``juju add-space NAME [CIDR…]``; without a CIDR the controller gives it some, and more when it is full."""

    name: str
    cidrs: tuple[str, ...] = ()
    grows: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class GrowSpace:
    """Another subnet for a space that is full: the controller asks for it, no user."""

    name: str
    cidrs: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MoveSubnets:
    """``juju move-to-space``."""

    name: str
    cidrs: tuple[str, ...]
    force: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoveSpace:
    """``juju remove-space``."""

    name: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class RenameSpace:
    """``juju rename-space``."""

    name: str
    new: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class SwitchBlock:
    """``juju disable-command`` and, with ``on`` false, ``juju enable-command``; kinds are in ``core.blocks``."""

    kind: str
    on: bool
    message: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class CreatePool:
    """``juju create-storage-pool``."""

    name: str
    provider: str
    attributes: Strings = dataclasses.field(default_factory=empty)


@dataclasses.dataclass(frozen=True, kw_only=True)
class UpdatePool:
    """``juju update-storage-pool``; an empty provider is the one that the pool has."""

    name: str
    provider: str = ''
    attributes: Strings = dataclasses.field(default_factory=empty)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemovePool:
    """``juju remove-storage-pool``."""

    name: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class AddMachine:
    """``juju add-machine``. Answer: ``{"machines": [ids]}``."""

    base: str = ''
    constraints: Anything = dataclasses.field(default_factory=empty)
    count: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoveMachine:
    """``juju remove-machine``."""

    machines: tuple[str, ...]
    force: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class RetryProvisioning:
    """``juju retry-provisioning MACHINE…|--all``: machines that could not be made are tried again."""

    machines: tuple[str, ...] = ()
    all: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class AddSecret:
    """``juju add-secret``. Answer: ``{"id": …}``."""

    name: str
    content: Strings = dataclasses.field(repr=False)
    info: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class UpdateSecret:
    """``juju update-secret``; ``id`` is a name, an id or a URI."""

    id: str
    content: Strings | None = dataclasses.field(default=None, repr=False)
    name: str = ''
    info: str | None = None
    auto_prune: bool | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoveSecret:
    """``juju remove-secret``; revision 0: all of it."""

    id: str
    revision: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class GrantSecret:
    """``juju grant-secret`` and, with ``revoke``, ``juju revoke-secret``."""

    id: str
    applications: tuple[str, ...]
    revoke: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class AddOffer:
    """``juju offer APP:ep,ep NAME``."""

    application: str
    endpoints: tuple[str, ...]
    name: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoveOffer:
    """``juju remove-offer``."""

    name: str
    force: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class AddRemote:
    """The consuming side of ``juju consume``; the controller has looked the offer up."""

    remote: model_.RemoteApplication


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoveRemote:
    """``juju remove-saas``."""

    name: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetSshKeys:
    """``juju add-ssh-key`` and ``juju remove-ssh-key``: add whole keys, remove by key, comment or fingerprint."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class DestroyModel:
    """``juju destroy-model``: everything in it becomes dying; it is gone once it is empty."""

    destroy_storage: bool = False
    force: bool = False
