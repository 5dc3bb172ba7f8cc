"""How a service is declared: what sets it apart from every other, and nothing else. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

from . import conf, host, migration, releases, state
from .relations import ENDPOINT_TYPES, EndpointType, Need

T = TypeVar('T')


@dataclasses.dataclass(frozen=True)
class WsgiApp:
    """One WSGI application, served by Apache on a port of its own."""

    name: str
    script: str
    port: int
    type: str = ''
    """The service's type in the catalogue; without one it is not offered to a load balancer."""
    path: str = ''
    """What follows host and port in the catalogue, such as ``/v2.1``."""
    health: str = ''
    """The path that answers for it where it has no ``/healthcheck`` of its own."""
    chunked: bool = False
    one_thread: bool = False
    """Patched by eventlet: a second thread would break it."""
    body_limit: int = 0
    grace_s: int = 30
    types: tuple[EndpointType, ...] = ENDPOINT_TYPES


def _nothing_else(_: Ready) -> host.Host:
    return host.Host()


def _no_objection(_: state.Inputs) -> str:
    return ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServiceSpec:
    """All that sets one OpenStack service apart from another."""

    name: str
    user: str
    packages: tuple[str, ...]
    """The first one's version is the workload's."""
    needs: tuple[Need[Any], ...]
    apps: tuple[WsgiApp, ...]
    config: Mapping[str, Callable[[Ready], conf.Ini]]
    """Each configuration file, and what goes into it once every need is met."""
    daemons: tuple[str, ...] = ()
    """systemd units of the service that run beside its API."""
    masked: tuple[str, ...] = ()
    """What the packages would start by themselves: Apache serves here."""
    migrations: migration.Commands = dataclasses.field(default_factory=migration.Commands)
    also: Callable[[Ready], host.Host] = _nothing_else
    """What else it wants of the machine."""
    objection: Callable[[state.Inputs], str] = _no_objection
    """Why this unit must not serve as things are, in words for the operator; '' if it may."""
    by_release: Mapping[str, Mapping[str, Any]] = dataclasses.field(
        default_factory=dict[str, Mapping[str, Any]]
    )
    """What differs: release name, then field of this class, then its value there."""

    def on(self, release: releases.Release) -> Self:
        """This service as it is in *release*."""
        return dataclasses.replace(self, **self.by_release.get(release.name, {}))


@dataclasses.dataclass(frozen=True)
class Ready:
    """Inputs with every need met; a need is the key to its own data."""

    inputs: state.Inputs
    found: Mapping[Need[Any], object] = dataclasses.field(repr=False)

    def __getitem__(self, need: Need[T]) -> T:
        return self.found[need]  # type: ignore[return-value]

    @property
    def unit_secret(self) -> str:
        """Random, this unit's own."""
        return self.inputs.unit_secret

    @property
    def debug(self) -> bool:
        """The option of that name."""
        return bool(self.inputs.options.get('debug', False))
