"""Hooks that ask for nothing. They end before ``ops`` is loaded, which would be half of what their Python costs.

A unit with ten relations runs some thirty of them while it starts. Neither leaves anything undone:

* a relation-changed of the same unit follows each relation-joined at once (Juju's documentation of relation-joined),
  and finds all that it would have found;
* a relation-created before the unit's first config-changed is followed by that. A later one may be followed by
  nothing for as long as the other side has no units (or a peer relation, that an upgrade brought, no other unit),
  and is a hook like any other.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Mapping

_MARK = '.configured'
"""The file in the charm's directory, beside what ops keeps there, by which a later hook knows without ops."""


def note_configured(charm_dir: pathlib.Path) -> None:
    """A config-changed of the unit has done its work: from now on relation-created asks for something."""
    mark = charm_dir / _MARK
    if not mark.exists():
        mark.touch()


def is_hook(environment: Mapping[str, str]) -> bool:
    """Whether Juju runs this program for a hook that asks for nothing (``JUJU_DISPATCH_PATH``, ``JUJU_CHARM_DIR``)."""
    path = environment.get('JUJU_DISPATCH_PATH', '')
    if not path.startswith('hooks/'):
        return False
    if path.endswith('-relation-created'):
        return not pathlib.Path(environment.get('JUJU_CHARM_DIR', '.'), _MARK).exists()
    return path.endswith('-relation-joined')


def leave(environment: Mapping[str, str]) -> None:
    """End the program here, and well, if it is such a hook. Raises SystemExit."""
    if is_hook(environment):
        sys.exit(0)
