"""How a service is declared: what sets it apart from every other, and nothing else. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

from . import (
    apache,
    conf,
    declaration,
    host,
    limits,
    migration,
    options,
    releases,
    spec_fields,
    state,
)
from .machine import Task
from .relations import ENDPOINT_TYPES, Databag, EndpointType, Need, Relation

T = TypeVar('T')


@dataclasses.dataclass(frozen=True)
class Ready:
    """Inputs with every need met; a need is the key to its own data."""

    inputs: state.Inputs
    found: Mapping[Need[Any], object] = dataclasses.field(repr=False)
    release: releases.Release
    """What is installed here."""
    chosen: Mapping[str, str] = dataclasses.field(repr=False, default_factory=dict[str, str])
    """Random values that all units of the application share (:attr:`ServiceSpec.chosen`), by name."""
    time_passes: bool = False
    """Nothing has happened but time: what changes by it alone is looked for now."""
    migrated: bool = False
    """The database is as this unit, with all of its subordinates, wants it, once its commands have run."""

    def __getitem__(self, need: Need[T]) -> T:
        return self.found[need]  # type: ignore[return-value]

    def has(self, need: Need[Any]) -> bool:
        """Whether an optional need is met."""
        return self.found.get(need) is not None

    @property
    def unit_secret(self) -> str:
        """Random, this unit's own."""
        return self.inputs.unit_secret

    @property
    def debug(self) -> bool:
        """The option of that name."""
        return bool(self.inputs.options.get('debug', False))


Config = Mapping[str, Callable[[Ready], conf.Ini | str]]
"""Configuration files by path, and what goes into each once every need is met: sections, or its text where it is
none of oslo.config's. To a text neither subordinates nor ``config-flags`` add anything."""


@dataclasses.dataclass(frozen=True)
class WsgiApp:
    """One WSGI application, served by Apache on a port of its own."""

    name: str
    script: str
    port: int
    """For HTTP; TLS towards a load balancer has another one (:data:`charmkit.apache.TLS_OFFSET`)."""
    type: str = ''
    """The service's type in the catalogue; without one it is not offered to a load balancer."""
    path: str = ''
    """What follows host and port in the catalogue, such as ``/v2.1``."""
    service: str = ''
    """The service that it is in the catalogue and at the load balancer; the first application of a
    spec has the spec's name by itself, another one its own."""
    health: str = ''
    """The path that answers for it where it has no ``/healthcheck`` of its own."""
    silence: limits.Silence = limits.ORDINARY
    """How long nothing may cross a connection while a request is under way: ``limits.BULK`` for transfers."""
    one_thread: bool = False
    """Patched by eventlet: a second thread would break it."""
    body_limit: int = 0
    """Bytes; 0 is no limit."""
    grace_s: int = 30
    static: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Directories of files that Apache hands out itself, by the path in the URL that each is at: ``/static``."""
    aliases: tuple[str, ...] = ()
    """Paths under which the application answers too, such as where it is in other clouds."""
    types: tuple[EndpointType, ...] = ENDPOINT_TYPES
    config: Config = dataclasses.field(default_factory=dict[str, Callable[[Ready], conf.Ini]])
    """Files that it alone reads, beside the spec's."""

    def __post_init__(self) -> None:
        spec_fields.refuse(
            f'WsgiApp {self.name!r:.60}',
            spec_fields.word('name', self.name),
            spec_fields.port(self.port, further=apache.TLS_OFFSET if self.type else 0),
            spec_fields.paths('script', (self.script,)),
            spec_fields.paths('config', self.config),
            spec_fields.single(self),
        )


def _always(_: Ready) -> bool:
    return True


@dataclasses.dataclass(frozen=True)
class Served:
    """What a daemon serves by itself, over HTTP. Clients come to it as to an application: by the load balancer.

    It is to listen on one address, ``ready.inputs.site.listening[service]``, and is reached at
    ``ready.inputs.site.urls[service]``. The units' own haproxy (option ``vip``) does not serve it.
    """

    service: str
    """What it is called at the load balancer."""
    type: str
    """The load balancer's type of service, such as ``novnc``: it knows for how long each may be silent."""
    port: int
    health: str = '/'
    """The path that answers 200."""
    silence: limits.Silence = limits.ORDINARY
    types: tuple[EndpointType, ...] = ('public',)

    def __post_init__(self) -> None:
        spec_fields.refuse(
            f'Served {self.service!r:.60}', spec_fields.port(self.port), spec_fields.single(self)
        )


@dataclasses.dataclass(frozen=True)
class Daemon:
    """A systemd unit of the service that runs beside its API."""

    name: str
    when: Callable[[Ready], bool] = _always
    """Whether this unit is to run it, once every need is met."""
    config: Config = dataclasses.field(default_factory=dict[str, Callable[[Ready], conf.Ini]])
    """Files that it alone reads, beside the spec's."""
    probe: str = ''
    """``host:port`` that accepts a connection while it works: its health, beside what systemd knows."""
    consumes: bool = False
    """It waits for messages: as long as it works it has a connection to the broker (:mod:`charmkit.consumers`)."""
    stop_s: int = 0
    """How long it may take to finish what it has begun when it is stopped; 0 is what its package says."""
    pauses: bool = True
    """A paused unit stops it too."""
    serves: Served | None = None
    """What it has for clients; then that is asked for its health, beside what systemd knows."""


@dataclasses.dataclass(frozen=True)
class Offer:
    """What a unit tells the other side of a relation once it is ready itself; until then what it said stays."""

    relation: str
    """The endpoint's name. It may be one of a need, too, where each side tells the other something."""
    databag: Callable[[Ready, Relation], Databag]
    """What goes into this unit's databag of one relation; keys that are not in it are taken back."""
    first: bool = False
    """The other side waits for it before it answers a need of the same relation: it is told as soon as nothing else is
    unmet, and says nothing that follows from that answer. Without it the two would wait for each other."""
    place: tuple[str, EndpointType] | None = None
    """The service and the type of endpoint whose URL this says. As long as a load balancer has not said where that is,
    ``urls`` has a unit's own address: what was said before stays, and who was told nothing yet goes on waiting."""
    place_keys: tuple[str, ...] = ('',)
    """Prefixes of the keys that hold it; the other keys follow what changes where something was published before."""

    def said(self, ready: Ready, relation: Relation) -> Databag:
        """What goes into the databag now."""
        found, before = self.databag(ready, relation), relation.published
        told = any(key.startswith(self.place_keys) for key in found)
        if self.place is None or not told or ready.inputs.site.is_placed(*self.place):
            return found
        if not before:
            return {}
        others = {k: v for k, v in found.items() if not k.startswith(self.place_keys)}
        return {**others, **{k: v for k, v in before.items() if k.startswith(self.place_keys)}}


def _nothing_else(_: Ready) -> host.Host:
    return host.Host()


def _no_tasks(_: Ready) -> tuple[Task, ...]:
    return ()


def _no_memory(_: Ready) -> Mapping[str, Any]:
    return {}


def _no_notes(_: Ready) -> tuple[state.Status, ...]:
    return ()


def _nothing_missing(_: state.Inputs) -> tuple[state.Status, ...]:
    return ()


def _may_serve(_: state.Inputs) -> str:
    return ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServiceSpec:
    """All that sets one OpenStack service apart from another.

    One without applications is an agent: its daemons alone run, with no Apache, no token cache and no load balancer.

    Raises:
        ValueError: when two applications have the same name, service or port, or names whose beginnings are alike; or
            where a field has what it cannot mean (:mod:`charmkit.spec_fields`).
    """

    name: str
    user: str
    packages: tuple[str, ...]
    """The first one's version is the workload's."""
    needs: tuple[Need[Any], ...]
    steady: tuple[str, ...] = ()
    """Packages whose upgrade would end what goes on, such as the switch under a cloud's networks: they are installed
    with the others, and ``openstack-upgrade`` leaves them."""
    apps: tuple[WsgiApp, ...] = ()
    config: Config = dataclasses.field(default_factory=dict[str, Callable[[Ready], conf.Ini]])
    """What all of its applications and daemons read."""
    daemons: tuple[Daemon, ...] = ()
    offers: tuple[Offer, ...] = ()
    """What it tells those that need something of it."""
    chosen: tuple[str, ...] = ()
    """Names of random values that its units share, such as a password that two services of other charms are to use.
    The leader chooses each once (:mod:`charmkit.shared_secrets`)."""
    masked: tuple[str, ...] = ()
    """What the packages would start by themselves: Apache serves here."""
    sections: tuple[Need[Any], ...] = ()
    """Needs that contribute sections to its files (:mod:`charmkit.relations.subordinate`)."""
    options: tuple[options.Option, ...] = ()
    """Its own ones, beside those that every API charm has; one of the same name takes their place."""
    migrations: migration.Commands = dataclasses.field(default_factory=migration.Commands)
    lifecycle: declaration.Declaration = dataclasses.field(default_factory=declaration.Declaration)
    """How the whole application is moved to another release or base, as far as the rest does not say it."""
    machine: Callable[[Ready], host.Host] = _nothing_else
    """What else it wants of the machine."""
    tasks: Callable[[Ready], tuple[Task, ...]] = _no_tasks
    """What it is to find out or to do once its services are as desired; results are in ``ready.inputs.seen``."""
    memory: Callable[[Ready], Mapping[str, Any]] = _no_memory
    """What later runs of this unit are to know, by name (:attr:`charmkit.state.Desired.memory`)."""
    notes: Callable[[Ready], tuple[state.Status, ...]] = _no_notes
    """What the operator should know besides."""
    refusal: Callable[[state.Inputs], str] = _may_serve
    """Why this unit must not serve as things are, in words for the operator; '' if it may."""
    missing: Callable[[state.Inputs], tuple[state.Status, ...]] = _nothing_missing
    """What it cannot be without beside its needs, such as a resource: while there is any, a unit waits as for a need,
    and one that has served goes on with what it had. It says itself with what."""
    lacking: Callable[[state.Inputs], str] = _may_serve
    """What a unit that has served cannot read now, beside its needs, in words; it goes on with what it had."""
    by_release: Mapping[str, Mapping[str, Any]] = dataclasses.field(
        default_factory=dict[str, Mapping[str, Any]]
    )
    """What differs: release name, then field of this class, then its value there."""

    def __post_init__(self) -> None:
        spec_fields.refuse(
            f'{self.name!s:.60}',
            spec_fields.single(self),
            spec_fields.word('name', self.name),
            spec_fields.account(self.user, serves=bool(self.apps)),
            spec_fields.paths('config', self.config),
        )
        for what in ('name', 'port'):
            values = [getattr(app, what) for app in self.apps]
            values += [s.port for s in self.served if what == 'port']
            if len(set(values)) < len(values):
                raise ValueError(f'{self.name}: two applications have the same {what}: {values}')
        shown = [apache.shown(app.name) for app in self.apps]
        if len({*shown, apache.HEALTH_GROUP}) <= len(shown):
            raise ValueError(
                f'{self.name}: processes of applications are told apart by the first '
                f'{apache.NAME_SHOWN} letters of a name, which may not be those of another one '
                f'or of {apache.HEALTH_GROUP}: {shown}'
            )
        services = [*map(self.service_of, self.apps), *(s.service for s in self.served)]
        if len(set(services)) < len(services):
            raise ValueError(f'{self.name}: two applications are the same service: {services}')

    def on(self, release: releases.Release) -> Self:
        """This service as it is in *release*."""
        return dataclasses.replace(self, **self.by_release.get(release.name, {}))

    def service_of(self, app: WsgiApp) -> str:
        """What *app* is called in the catalogue and at the load balancer."""
        return app.service or (
            self.name if app is self.apps[0] or app == self.apps[0] else app.name
        )

    @property
    def served(self) -> tuple[Served, ...]:
        """What its daemons have for clients."""
        return tuple(d.serves for d in self.daemons if d.serves)

    @property
    def every_release(self) -> tuple[Self, ...]:
        """The service as it is in each release that it differs in, and in any other."""
        return (self, *(dataclasses.replace(self, **d) for d in self.by_release.values()))

    @property
    def every_need(self) -> tuple[Need[Any], ...]:
        """What it needs, and what contributes to it."""
        return (*self.needs, *self.sections)
