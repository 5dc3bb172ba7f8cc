"""Hooks that ask for nothing. They end before ``ops`` is loaded, which would be most of what they cost.

A unit with ten relations runs some thirty of them while it starts. Neither leaves anything undone:

* a relation-changed of the same unit follows each relation-joined at once (Juju's documentation of relation-joined),
  and finds all that it would have found;
* relation-created comes before the first config-changed, or before the first unit of the other side is seen, and
  with it a relation-changed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

_KINDS = ('-relation-joined', '-relation-created')


def is_hook(environment: Mapping[str, str]) -> bool:
    """Whether Juju runs this program for a hook that asks for nothing (``JUJU_DISPATCH_PATH``)."""
    return environment.get('JUJU_DISPATCH_PATH', '').endswith(_KINDS)


def leave(environment: Mapping[str, str]) -> None:
    """End the program here, and well, if it is such a hook. Raises SystemExit."""
    if is_hook(environment):
        sys.exit(0)
