"""Hooks that ask for nothing. They end before ``ops`` is loaded, and before fifty questions to Juju.

A unit with ten relations runs dozens of them while it starts, and as many when another unit of its application is
drained. None leaves anything undone:

* a relation-changed of the same unit follows each relation-joined at once (Juju's documentation of relation-joined),
  and finds all that it would have found;
* a leader-elected, leader-settings-changed or relation-created before the unit's first config-changed is followed by
  that. A later one may be followed by nothing for as long as the other side has no units (or a peer relation, that an
  upgrade brought, no other unit), and is a hook like any other;
* a relation-changed whose databag a run of a moment ago has found as it is now, and had nothing to do or to say: each
  run reads the databags of all relations. What a load balancer says to other units by name does not count, nor whom
  else another unit speaks to (:mod:`charmkit.proxy.vip_admission`), nor what that run has named as unheeded
  (:attr:`charmkit.state.Desired.unheeded`);
* a relation-departed of the unit itself, and a relation-broken, where it is being removed and a run has said that
  nothing is left to be done before its stop hook (:attr:`charmkit.state.Desired.ready_to_stop`): one with ten
  relations has dozens of them to go through.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sys
import time
from collections.abc import Collection, Mapping
from typing import cast

FRESH_S = 60.0
"""How long a run counts: what changes without a databag, on the machine or by time, is looked for this often."""

BY_UNIT = frozenset({'acks', 'grants'})
"""What load balancers tell units, by the unit's name (``relations.loadbalancer``): JSON objects."""
NAMING_UNITS = frozenset({'advertises-to'})
"""What units tell one another: JSON arrays of units' names, of which each looks for its own."""
BACKENDS = frozenset({'public-backend', 'internal-backend', 'admin-backend'})

_BEFORE_CONFIGURED = frozenset({'leader-elected', 'leader-settings-changed'})
_MEMORY = '.heard'
"""The file in the charm's directory, beside what ops keeps there. Where it is, a config-changed has done its work."""


def forget(charm_dir: pathlib.Path) -> None:
    """A run begins: until it ends, no hook may rely on the one before."""
    if (charm_dir / _MEMORY).exists():
        remember(charm_dir, {})


def remember(
    charm_dir: pathlib.Path,
    heard: Mapping[str, str],
    unheeded: Mapping[str, Collection[str]] | None = None,
    *,
    ready_to_stop: bool = False,
) -> None:
    """A run has ended well.

    *heard*: :func:`digest` by :func:`key` of what it found, if it had nothing to do or say. *unheeded*: by relation,
    keys of databags that were left out of it. *ready_to_stop*: a unit that is being removed only waits for its stop.
    """
    fresh = charm_dir / f'{_MEMORY}.new'
    known = {
        'heard': dict(heard),
        'unheeded': {name: sorted(keys) for name, keys in (unheeded or {}).items()},
        'ready-to-stop': ready_to_stop,
    }
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w') as file:
        json.dump(known, file)
    fresh.replace(charm_dir / _MEMORY)


def key(relation_id: int | str, who: str) -> str:
    """Names the databag of a unit or an application in a relation."""
    return f'{relation_id} {who}'


def digest(
    relation: str, unit: str, databag: Mapping[str, str], unheeded: Collection[str] = ()
) -> str:
    """Stands for what *databag*, of the other side of *relation*, has to say to *unit*, but for the keys *unheeded*."""
    import hashlib  # Loads OpenSSL, which most hooks that end here do without.

    said = {name: value for name, value in databag.items() if name not in unheeded}
    for name in (BY_UNIT if relation in BACKENDS else NAMING_UNITS) & said.keys():
        with contextlib.suppress(ValueError):
            value: object = json.loads(said[name])
            if isinstance(value, dict) and name in BY_UNIT:
                said[name] = json.dumps(cast('dict[str, object]', value).get(unit))
            elif isinstance(value, list) and name in NAMING_UNITS:
                said[name] = json.dumps(unit in value)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def asks_for_nothing(environment: Mapping[str, str]) -> bool:
    """Whether Juju runs this program for a hook that asks for nothing."""
    kind, _, name = environment.get('JUJU_DISPATCH_PATH', '').partition('/')
    if kind != 'hooks':
        return False
    if name.endswith('-relation-joined'):
        return True
    memory = pathlib.Path(environment.get('JUJU_CHARM_DIR', '.'), _MEMORY)
    if name in _BEFORE_CONFIGURED or name.endswith('-relation-created'):
        return not memory.exists()
    if name.endswith('-relation-changed'):
        return _heard(environment, memory)
    own = environment.get('JUJU_DEPARTING_UNIT', '') == environment.get('JUJU_UNIT_NAME')
    leaves = name.endswith('-relation-broken') or (own and name.endswith('-relation-departed'))
    return leaves and _ready_to_stop(memory)


def _ready_to_stop(memory: pathlib.Path) -> bool:
    try:
        return json.loads(memory.read_text())['ready-to-stop'] is True
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _heard(environment: Mapping[str, str], memory: pathlib.Path) -> bool:
    """Whether the databag that has changed is as a run of a moment ago has found it."""
    relation, _, relation_id = environment.get('JUJU_RELATION_ID', '').partition(':')
    unit = environment.get('JUJU_REMOTE_UNIT', '')
    who = unit or environment.get('JUJU_REMOTE_APP', '')
    try:
        if not 0 <= time.time() - memory.stat().st_mtime < FRESH_S:
            return False
        known = json.loads(memory.read_text())
        before = known['heard'].get(key(relation_id, who))
        if before is None:
            return False
        unheeded = known['unheeded'].get(relation, ())
        databag = _relation_get(who, app=not unit)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return (
            False  # ops will find out, and say it better; or the memory is of an earlier revision.
        )
    return digest(relation, environment.get('JUJU_UNIT_NAME', ''), databag, unheeded) == before


def _relation_get(who: str, *, app: bool) -> dict[str, str]:
    import subprocess

    argv = ('relation-get', '--format=json', '-', who, *(('--app',) if app else ()))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr)
    return json.loads(done.stdout)


def exit_if_idle() -> None:
    """End the program here, and well, if Juju runs it for such a hook. Raises SystemExit.

    The first line of a charm: what is imported after it costs those hooks nothing.
    """
    if asks_for_nothing(os.environ):
        sys.exit(0)
