"""Why a charm runs: a hook or an action of Juju's, as a value. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Hook:
    """A hook: Juju's name for it, such as ``config-changed`` or ``shared-db-relation-changed``."""

    name: str
    subject: str = ''
    """What it is about, where Juju says so: the label of the secret of ``secret-rotate``, the unit that departs
    in a ``relation-departed`` (this one, when it is this one that is removed)."""

    @property
    def removing(self) -> bool:
        """The unit is being removed: its relations are gone already."""
        return self.name in ('stop', 'remove')

    @property
    def time_passes(self) -> bool:
        """Nothing has happened but time."""
        return self.name == 'update-status'


@dataclasses.dataclass(frozen=True)
class Action:
    """An action that the operator runs: name and parameters as in ``charmcraft.yaml``."""

    name: str
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    id: str = ''
    """Juju's, another one each time."""
    removing = False
    time_passes = False


Why = Hook | Action


def event_name(dispatch_path: str) -> str:
    """What ops calls the event that Juju runs ``dispatch`` for: ``config_changed``, of ``hooks/config-changed``."""
    kind, _, name = dispatch_path.partition('/')
    return name.replace('-', '_') + ('_action' if kind == 'actions' else '')


def secret_due(why: Why) -> str:
    """The label of the secret that Juju wants renewed now; '' when it wants none."""
    return why.subject if isinstance(why, Hook) and why.name == 'secret-rotate' else ''


def action(why: Why, name: str) -> Action | None:
    """*why* if it is the action *name*."""
    return why if isinstance(why, Action) and why.name == name else None
