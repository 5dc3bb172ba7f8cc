"""A Juju model as one immutable value: what exists, and how far each agent has come.

Every change is a function from one :class:`Model` to the next (see ``core.change``, ``core.hooks``); nothing in
here knows a file, a clock or a process. Times are seconds since the epoch, in UTC, and are handed in.

All mappings are treated as immutable: use :func:`put`, :func:`drop` and ``dataclasses.replace``. Identity is
meaningful: whatever a change did not touch stays the same object, which is how the store knows what to write.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from . import charm as charm_
from .agent import Agent as Agent
from .agent import Hook as Hook
from .agent import KnownRelation as KnownRelation
from .indexes import Indexes
from .parts import Life as Life
from .parts import drop as drop
from .parts import frozen_map as frozen_map
from .parts import put as put
from .refusal import Refused as Refused
from .topology import Address as Address
from .topology import Machine as Machine
from .topology import Space as Space
from .topology import Subnet as Subnet
from .topology import interface as interface


@dataclasses.dataclass(frozen=True)
class Status:
    """One status as Juju keeps it: what, why, since when."""

    current: str
    message: str = ''
    since: float = 0.0
    data: Mapping[str, Any] = dataclasses.field(default_factory=frozen_map)


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One side of a relation."""

    application: str
    name: str
    role: Literal['provider', 'requirer', 'peer']
    interface: str
    scope: Literal['global', 'container'] = 'global'


@dataclasses.dataclass(frozen=True)
class Databag:
    """Settings of one unit or application in one relation. Version 0 was never written."""

    data: Mapping[str, str] = dataclasses.field(default_factory=frozen_map)
    version: int = 0


@dataclasses.dataclass(frozen=True)
class Relation:
    """A relation: its sides, who is in scope, and what everyone has said."""

    id: int
    endpoints: tuple[Endpoint, ...]
    """One for peers, else two: provider first."""
    life: Life = 'alive'
    suspended: bool = False
    units: Mapping[str, Databag] = dataclasses.field(default_factory=frozen_map)
    """Databag of every unit that has entered scope and not left it."""
    departed: Mapping[str, Databag] = dataclasses.field(default_factory=frozen_map)
    """Databags of units that left: readable while the relation lives."""
    applications: Mapping[str, Databag] = dataclasses.field(default_factory=frozen_map)
    ever_in_scope: bool = False
    linked: bool = False
    """Of a relation to a consumed application: it has been made in the other model too."""


@dataclasses.dataclass(frozen=True)
class Port:
    """A range that a unit has opened; ``icmp`` has no numbers."""

    protocol: str
    first: int = 0
    last: int = 0
    endpoint: str = ''
    """Empty for all endpoints."""


@dataclasses.dataclass(frozen=True)
class Unit:
    """One unit of an application."""

    name: str
    application: str
    machine: str
    principal: str = ''
    life: Life = 'alive'
    workload: Status = dataclasses.field(default_factory=lambda: Status('waiting'))
    status_set: bool = False
    """Whether the charm has ever set its own status."""
    agent_status: Status = dataclasses.field(default_factory=lambda: Status('allocating'))
    workload_version: str = ''
    ports: tuple[Port, ...] = ()
    state: Mapping[str, str] = dataclasses.field(default_factory=frozen_map)
    """What the charm keeps with ``state-set``."""
    force: bool = False
    """Removed with ``--force``: hooks that fail no longer hold it."""
    destroy_storage: bool = False
    agent: Agent = dataclasses.field(default_factory=Agent)
    history: tuple[tuple[str, Status], ...] = ()
    """Last statuses, oldest first, as (``workload`` or ``juju-unit``, status), for ``show-status-log``."""

    @property
    def number(self) -> int:
        """The number behind the slash."""
        return int(self.name.rpartition('/')[2])


@dataclasses.dataclass(frozen=True)
class Application:
    """An application: a charm, its configuration, and what its units share."""

    name: str
    charm: str
    """URL of its charm, a key of ``Model.charms``."""
    base: charm_.Base
    life: Life = 'alive'
    options: Mapping[str, Any] = dataclasses.field(default_factory=frozen_map)
    """What the user set; defaults are in the charm."""
    trust: bool = False
    exposed: bool = False
    exposed_endpoints: Mapping[str, Any] = dataclasses.field(default_factory=frozen_map)
    constraints: Mapping[str, Any] = dataclasses.field(default_factory=frozen_map)
    bindings: Mapping[str, str] = dataclasses.field(default_factory=frozen_map)
    """Space of each endpoint; the key ``''`` is the default."""
    storage: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=frozen_map)
    """Storage directives by name: pool, size (MiB), count."""
    resources: Mapping[str, Resource] = dataclasses.field(default_factory=frozen_map)
    status: Status | None = None
    """Set by the leader; None: derived from the units."""
    leader: str = ''
    leader_settings: Mapping[str, str] = dataclasses.field(default_factory=frozen_map)
    leader_settings_version: int = 0
    lease_until: float = 0.0
    """When a leader whose machine is down loses the office; 0 while it is up."""
    next_unit: int = 0
    charm_modified: int = 0
    """Counts refreshes and resource changes: units behind it run ``upgrade-charm``."""
    force_charm: bool = False
    """The last refresh had ``--force-units``: units in error get the new charm too."""
    destroy_storage: bool = False
    annotations: Mapping[str, str] = dataclasses.field(default_factory=frozen_map)


@dataclasses.dataclass(frozen=True)
class Resource:
    """A file given with ``--resource``, kept by its digest."""

    name: str
    filename: str
    """Basename under which the charm finds it."""
    digest: str
    size: int
    revision: int = 1


@dataclasses.dataclass(frozen=True)
class SecretRevision:
    """One revision of a secret. ``content`` is encrypted nowhere: the store is private to the user."""

    number: int
    content: Mapping[str, str] = dataclasses.field(repr=False)
    created: float = 0.0
    expires: float = 0.0
    """0: never."""
    expiry_seen: float = dataclasses.field(default=0.0, metadata={'was': 'expiry_told'})
    """When ``secret-expired`` last ran; it comes again until the revision is removed."""


@dataclasses.dataclass(frozen=True)
class SecretAccess:
    """Who may read a secret, and the relation on which that rests (None for user secrets)."""

    target: str
    """Application or unit name."""
    relation: int | None = None


@dataclasses.dataclass(frozen=True)
class SecretConsumer:
    """How one unit (or ``application`` for peers of the owner) follows a secret."""

    revision: int
    label: str = ''


@dataclasses.dataclass(frozen=True)
class Secret:
    """A secret: owned by an application, a unit, or (``owner`` empty) by the user."""

    id: str
    """20 characters, as Juju's xid; the URI is ``secret:<id>``."""
    owner: str
    revisions: Mapping[int, SecretRevision]
    name: str = ''
    label: str = ''
    description: str = ''
    rotate: str = 'never'
    rotate_at: float = 0.0
    rotate_done: int = 0
    auto_prune: bool = False
    access: tuple[SecretAccess, ...] = ()
    consumers: Mapping[str, SecretConsumer] = dataclasses.field(default_factory=frozen_map)
    """By consuming unit."""
    created: float = 0.0
    updated: float = 0.0

    @property
    def latest(self) -> int:
        """Number of the newest revision."""
        return max(self.revisions)


@dataclasses.dataclass(frozen=True)
class Storage:
    """One storage instance."""

    id: str
    """``data/0``."""
    name: str
    kind: Literal['filesystem', 'block']
    owner: str
    """Unit name, or empty while detached."""
    location: str
    pool: str = 'rootfs'
    size: int = 1024
    """MiB."""
    life: Life = 'alive'
    attached: bool = False
    """In place on the machine (set by the edge)."""
    detaching: bool = False
    """Its unit is to let go of it, and it is to stay."""
    machine: str = ''
    """The machine on which it is while it has no owner: it cannot leave that."""
    since: float = 0.0


@dataclasses.dataclass(frozen=True)
class Pool:
    """A pool of storage that the user has named."""

    provider: str
    """One of ``modelconfig.POOLS``."""
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=frozen_map)


@dataclasses.dataclass(frozen=True)
class Task:
    """One run of an action or command on one unit or machine."""

    id: str
    operation: str
    receiver: str
    """Unit name, or machine id for ``exec --machine``."""
    name: str
    """Action name; ``juju-exec`` for commands."""
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=frozen_map)
    command: str = ''
    """Shell text, for ``juju-exec``."""
    timeout: float = 0.0
    status: Literal[
        'pending', 'running', 'completed', 'failed', 'cancelled', 'aborted', 'aborting', 'error'
    ] = 'pending'
    message: str = ''
    results: Mapping[str, Any] = dataclasses.field(default_factory=frozen_map)
    log: tuple[tuple[float, str], ...] = ()
    enqueued: float = 0.0
    started: float = 0.0
    completed: float = 0.0


@dataclasses.dataclass(frozen=True)
class Operation:
    """What one ``juju run`` or ``juju exec`` asked for: one task a unit."""

    id: str
    summary: str
    tasks: tuple[str, ...]
    enqueued: float = 0.0


@dataclasses.dataclass(frozen=True)
class Offer:
    """Endpoints of an application that other models may consume."""

    name: str
    application: str
    endpoints: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class RemoteApplication:
    """An application of another model: consumed here (``url`` set), or standing in for a consumer of an offer.

    Cross-model relations exist once in each model; ``core.crossmodel`` copies databags and scope between them.
    """

    name: str
    url: str
    endpoints: tuple[Endpoint, ...]
    model: str
    """UUID of the other model."""
    application: str
    """Its name over there."""
    life: Life = 'alive'


@dataclasses.dataclass(frozen=True)
class Model:
    """Everything that one Juju model is."""

    uuid: str
    name: str
    owner: str = 'admin'
    created: float = 0.0
    life: Life = 'alive'
    machines_kind: Literal['container', 'process'] = 'container'
    juju_version: str = '3.6.12'
    seed: int = 0
    """Shuffles what Juju leaves to chance, such as the order of relations."""
    config: Mapping[str, Any] = dataclasses.field(default_factory=frozen_map)
    """What the user set; defaults are in ``core.modelconfig``."""
    constraints: Mapping[str, Any] = dataclasses.field(default_factory=frozen_map)
    destroy_storage: bool = False
    force: bool = False
    spaces: Mapping[str, Space] = dataclasses.field(default_factory=frozen_map)
    charms: Mapping[str, charm_.Charm] = dataclasses.field(default_factory=frozen_map)
    applications: Mapping[str, Application] = dataclasses.field(default_factory=frozen_map)
    units: Mapping[str, Unit] = dataclasses.field(default_factory=frozen_map)
    machines: Mapping[str, Machine] = dataclasses.field(default_factory=frozen_map)
    relations: Mapping[int, Relation] = dataclasses.field(default_factory=frozen_map)
    secrets: Mapping[str, Secret] = dataclasses.field(default_factory=frozen_map)
    storage: Mapping[str, Storage] = dataclasses.field(default_factory=frozen_map)
    pools: Mapping[str, Pool] = dataclasses.field(default_factory=frozen_map)
    operations: Mapping[str, Operation] = dataclasses.field(default_factory=frozen_map)
    tasks: Mapping[str, Task] = dataclasses.field(default_factory=frozen_map)
    offers: Mapping[str, Offer] = dataclasses.field(default_factory=frozen_map)
    remotes: Mapping[str, RemoteApplication] = dataclasses.field(default_factory=frozen_map)
    ssh_keys: tuple[str, ...] = ()
    blocks: Mapping[str, str] = dataclasses.field(default_factory=frozen_map)
    """Sets of commands that are disabled (see ``core.blocks``), each with what the user said of it."""
    sequences: Mapping[str, int] = dataclasses.field(default_factory=frozen_map)
    """Next number of each kind: machine, relation, task, secret, storage, charm:<name>."""
    indexes: Indexes = dataclasses.field(default_factory=Indexes, compare=False, repr=False)
    """No part of what the model says, only of how soon it says it; models that come of one another share it."""

    def charm_of(self, application: str) -> charm_.Charm:
        """The charm of an application. KeyError if there is no such application."""
        return self.charms[self.applications[application].charm]

    def units_of(self, application: str) -> list[Unit]:
        """Its units in order of their numbers."""
        names = self.indexes.units_by_application.find(self.units, application)
        return [self.units[name] for name in names]

    def units_on(self, machine: str) -> list[Unit]:
        """Units on a machine, by name and number."""
        return [self.units[n] for n in self.indexes.units_by_machine.find(self.units, machine)]

    def relations_of(self, application: str) -> list[Relation]:
        """Relations that have *application* on a side, by id."""
        numbers = self.indexes.relations.find(self.relations, application)
        return [self.relations[number] for number in numbers]

    def subordinates_of(self, unit: str) -> list[Unit]:
        """Subordinate units that live with *unit*, by name and number."""
        return [self.units[n] for n in self.indexes.subordinates.find(self.units, unit)]
