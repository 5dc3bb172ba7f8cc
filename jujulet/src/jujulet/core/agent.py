"""How far the agent of a unit has come: the hook in hand, and what its charm has been told.

Juju's uniter keeps the same (its package ``operation``); ``core.resolver`` decides from it which hook comes next.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from .parts import frozen_map


@dataclasses.dataclass(frozen=True)
class Hook:
    """One event for one unit.

    ``kind`` is the hook without the name of endpoint or storage: ``install``, ``relation-changed``,
    ``storage-attached``, ``secret-rotate``, ``action``, ``exec`` … (``core.hooks.name`` gives the full name).
    """

    kind: str
    relation: int | None = None
    endpoint: str = ''
    remote_app: str = ''
    remote_unit: str = ''
    departing_unit: str = ''
    storage: str = ''
    secret: str = ''
    secret_revision: int = 0
    secret_label: str = ''
    task: str = ''
    """Id of the task, for ``action`` and ``exec``."""
    base: str = ''
    version: int = 0
    """Version of what a hook tells of: the remote databag, the leader settings, the charm."""
    digest: str = ''
    """Digest of configuration, trust and addresses that a ``config-changed`` tells of."""


@dataclasses.dataclass(frozen=True)
class KnownRelation:
    """What a unit's agent has told its charm about one relation so far."""

    created: bool = False
    members: Mapping[str, int] = dataclasses.field(default_factory=frozen_map)
    """Remote units joined, with the version of their databag that the charm was last told of."""
    applications: Mapping[str, int] = dataclasses.field(default_factory=frozen_map)
    """Version of the remote application's databag that the charm was last told of."""
    read: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=frozen_map)
    """Remote units' settings as first read since their last ``joined`` or ``changed``: Juju caches them so."""
    changed_pending: str = ''
    """Remote unit whose ``joined`` has run and whose first ``changed`` must follow at once."""


@dataclasses.dataclass(frozen=True)
class Agent:
    """How far a unit's agent has come: everything that must survive its death."""

    deployed: str = ''
    """URL of the charm that is unpacked on the machine."""
    installed: bool = False
    started: bool = False
    stopped: bool = False
    removed: bool = False
    hook: Hook | None = None
    """The hook in hand; with ``step`` it says where it stands. Never an action or command: see ``task``."""
    step: Literal['idle', 'queued', 'running', 'failed'] = 'idle'
    then: Hook | None = None
    """What was queued or had failed when a reboot's ``start`` came before it: runs behind it."""
    task: str = ''
    """Id of the action or command in hand. It may run while a hook has failed."""
    context: str = ''
    """Id of the context of what is in hand: what ends in another context is not of this unit's life."""
    upgrading: bool = False
    config_seen: str = ''
    """Digest of configuration, trust and addresses at the last ``config-changed``."""
    leader_seen: bool | None = dataclasses.field(default=None, metadata={'was': 'leader_told'})
    """What the charm was last told about being the leader; None: nothing yet."""
    leader_settings_seen: int = dataclasses.field(
        default=-1, metadata={'was': 'leader_settings_told'}
    )
    """Version of the leader settings that ``leader-settings-changed`` last told of."""
    charm_seen: int = dataclasses.field(default=0, metadata={'was': 'charm_told'})
    """``Application.charm_modified`` at the last ``upgrade-charm`` (or at the first unpacking)."""
    hooks: int = 0
    """How many hooks have ended; makes what is left to chance differ from hook to hook."""
    relations: Mapping[int, KnownRelation] = dataclasses.field(default_factory=frozen_map)
    storage_attached: frozenset[str] = frozenset()
    secrets_seen: Mapping[str, int] = dataclasses.field(
        default_factory=frozen_map, metadata={'was': 'secrets_told'}
    )
    """Latest revision of each consumed secret that ``secret-changed`` has told of."""
    revisions_seen: frozenset[tuple[str, int]] = dataclasses.field(
        default=frozenset(), metadata={'was': 'revisions_told'}
    )
    """Owned revisions (uri, revision) for which ``secret-remove`` has run."""
    boots_seen: int = 0
    update_status_at: float = 0.0
    retries: int = 0
    retry_at: float = 0.0
    """When a failed hook runs again; 0: not by itself."""
    resolved: Literal['', 'retry', 'skip'] = ''
    stumbles: int = 0
    """Attempts in vain to carry out its next step, for a cause that is not the charm's (see ``core.backoff``)."""
    rests_until: float = 0.0
    """Nothing is begun for it before; 0: at any time."""
    trouble: str = ''
    """What keeps its next step from being carried out, one sentence; empty if nothing does."""
    reboot: Literal['', 'after', 'now'] = ''
