"""What a bundle is once it has been read: applications, machines, relations, all with the place they come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from .. import charm as charm_


def _map() -> dict[Any, Any]:
    return {}


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where one unit goes."""

    kind: Literal['new', 'machine', 'unit']
    target: str = ''
    """Bundle machine, or application."""
    unit: int | None = None
    """Which unit of the application, counted within the bundle; None: the next."""
    container: str = ''
    """``lxd``: in a container there."""
    text: str = 'new'


@dataclasses.dataclass(frozen=True)
class BundleApplication:
    """One application of a bundle."""

    name: str
    charm: str
    """A path seen from the working folder when :attr:`local`, else a name as Charmhub has it."""
    local: bool
    where: str
    """``file:line`` of the charm, for errors."""
    base: charm_.Base | None = None
    channel: str = ''
    """Of a charm on Charmhub."""
    revision: int | None = None
    num_units: int = 0
    to: tuple[Placement, ...] = ()
    options: Mapping[str, Any] = dataclasses.field(default_factory=_map)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=_map)
    constraints: Mapping[str, Any] = dataclasses.field(default_factory=_map)
    storage: Mapping[str, str] = dataclasses.field(default_factory=_map)
    bindings: Mapping[str, str] = dataclasses.field(default_factory=_map)
    resources: Mapping[str, str | int] = dataclasses.field(default_factory=_map)
    """Path seen from the working folder, or a revision on Charmhub."""
    expose: bool = False
    exposed_endpoints: Mapping[str, Any] = dataclasses.field(default_factory=_map)
    trust: bool = False
    offers: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=_map)
    places: Mapping[str, str] = dataclasses.field(default_factory=_map)
    """``file:line`` of its keys: ``options.debug`` and so on."""


@dataclasses.dataclass(frozen=True)
class BundleMachine:
    """One entry of ``machines``."""

    id: str
    base: charm_.Base | None = None
    constraints: Mapping[str, Any] = dataclasses.field(default_factory=_map)


@dataclasses.dataclass(frozen=True)
class BundleRelation:
    """Two sides, each ``application`` or ``application:endpoint``."""

    a: str
    b: str
    where: str

    @property
    def applications(self) -> tuple[str, str]:
        """Names of both sides without endpoints."""
        return self.a.partition(':')[0], self.b.partition(':')[0]


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle with its overlays merged, valid in itself."""

    path: str
    applications: Mapping[str, BundleApplication]
    machines: Mapping[str, BundleMachine] = dataclasses.field(default_factory=_map)
    relations: tuple[BundleRelation, ...] = ()
    saas: Mapping[str, str] = dataclasses.field(default_factory=_map)
    """URL of an offer by the name that it has here."""
    base: charm_.Base | None = None

    def base_of(self, application: str) -> charm_.Base | None:
        """The base that the bundle wants for *application*: its machine's, its own, or the bundle's; else None."""
        app = self.applications[application]
        for placement in app.to:
            if placement.kind == 'machine':
                machine = self.machines.get(placement.target)
                if machine is not None and machine.base is not None:
                    return machine.base
        return app.base or self.base
