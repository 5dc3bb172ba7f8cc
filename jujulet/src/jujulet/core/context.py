"""What a running hook holds: the event, its snapshot, and everything that it has asked for and not yet got.

A :class:`Context` lives from ``core.lifecycle.begin`` to ``core.lifecycle.finish``. Hook tools
(``core.hooktools``) turn one context into the next. Nothing in ``writes`` is true for anyone else
until the hook exits 0; then all of it is. Source: worker/uniter/runner/context/context.go of Juju 3.6.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from . import model as model_


@dataclasses.dataclass(frozen=True)
class SecretWrite:
    """One wish about a secret, in the order in which the charm uttered it."""

    verb: Literal['add', 'set', 'remove', 'grant', 'revoke', 'track']
    secret: str
    owner: str = ''
    content: Mapping[str, str] | None = dataclasses.field(default=None, repr=False)
    label: str | None = None
    description: str | None = None
    rotate: str | None = None
    expires: float | None = None
    revision: int = 0
    relation: int | None = None
    target: str = ''
    """Application or unit that is granted or loses access."""


@dataclasses.dataclass(frozen=True)
class Writes:
    """All that a hook has asked for and that is kept until it exits 0."""

    unit_settings: Mapping[int, Mapping[str, str]] = dataclasses.field(
        default_factory=model_.frozen_map
    )
    """By relation id: keys to set in this unit's databag; an empty value deletes."""
    application_settings: Mapping[int, Mapping[str, str]] = dataclasses.field(
        default_factory=model_.frozen_map
    )
    ports: tuple[model_.Port, ...] | None = None
    """All ports open at the end of the hook; None: unchanged."""
    state: Mapping[str, str | None] = dataclasses.field(default_factory=model_.frozen_map)
    """Keys to set; None deletes."""
    storage: Mapping[str, int] = dataclasses.field(default_factory=model_.frozen_map)
    secrets: tuple[SecretWrite, ...] = ()
    reboot: Literal['', 'after', 'now'] = ''


@dataclasses.dataclass(frozen=True)
class ActionResult:
    """What an action has said of itself so far. Delivered whatever its exit code."""

    results: Mapping[str, Any] = dataclasses.field(default_factory=model_.frozen_map)
    failed: bool = False
    message: str = ''


@dataclasses.dataclass(frozen=True)
class Context:
    """One run of one hook."""

    id: str
    unit: str
    """Empty for a command on a machine."""
    hook: model_.Hook
    started: float
    config: Mapping[str, Any]
    """Snapshot: every option that is set or has a default."""
    writes: Writes = dataclasses.field(default_factory=Writes)
    action: ActionResult = dataclasses.field(default_factory=ActionResult)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How the process of a hook ended, as the edge saw it."""

    code: int
    """Exit code; 0 is success."""
    missing: bool = False
    """The charm has no handler for it: success for a hook, failure for an action."""
    killed: bool = False
    """Ended by SIGTERM or SIGKILL, by its agent's death or by ``juju-reboot --now``: it runs again."""
    timed_out: bool = False
    stdout: bytes = b''
    """Captured for actions and commands only."""
    stderr: bytes = b''


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a hook tool, as its client saw it."""

    argv: tuple[str, ...]
    """``argv[0]`` is the tool's name."""
    stdin: bytes | None = None
    """None: the client did not attach any."""
    files: Mapping[str, bytes] = dataclasses.field(default_factory=model_.frozen_map)
    """Contents of files that the arguments name, read by the client where it runs; see ``hooktools.wants``."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What a hook tool answers, and what it leaves behind."""

    model: model_.Model
    """With what takes effect at once: status, version, leader settings, secret tracking and labels."""
    context: Context
    stdout: bytes = b''
    stderr: bytes = b''
    code: int = 0
    output: str = ''
    """File that the client writes ``stdout`` to, relative to where it runs; empty: its own stdout."""
    log: tuple[tuple[str, str], ...] = ()
    """Lines for the debug log: (level, message)."""
