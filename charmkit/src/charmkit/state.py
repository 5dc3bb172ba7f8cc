"""What a charm decides from, and what it decides: plain data for any charm.

A charm is a pure function ``run(why, inputs) -> desired``; :mod:`charmkit.charm` reads the
:class:`Inputs` from Juju and the machine, and :mod:`charmkit.drive` carries the :class:`Desired` out.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from . import host
from .machine import Facts as Facts
from .machine import Task as Task
from .relations import Databag, Relation, Site

Kind = Literal['blocked', 'maintenance', 'waiting', 'active']
_WORST_FIRST: tuple[Kind, ...] = ('blocked', 'maintenance', 'waiting', 'active')
PAUSED = 'paused'
"""The name in the unit's memory of whether it is paused."""
SERVED = 'served'
"""There: whether it has had all that it needs, and has not been put out of service for want of it since."""


@dataclasses.dataclass(frozen=True)
class Resource:
    """A charm resource of type file."""

    content: bytes = dataclasses.field(default=b'', repr=False)
    """b'' where none is attached."""
    failure: str = ''
    """Why Juju does not give it now, in its words."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inputs:
    """Everything read from Juju and the machine for one run of the charm, as plain data."""

    site: Site
    facts: Facts = dataclasses.field(default_factory=lambda: Facts(base='debian@12'))
    relations: Mapping[str, tuple[Relation, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[Relation, ...]]
    )
    """By endpoint name, in the order of their ids; an endpoint without a relation is absent."""
    app_data: Mapping[int, Databag] = dataclasses.field(
        default_factory=dict[int, Databag], repr=False
    )
    """What this application's leader wrote, by relation id. Juju shows it to the leader only."""
    peers: Databag = dataclasses.field(default_factory=dict[str, str], repr=False)
    """The application's data on its peer relation ``peers``; every unit sees it."""
    my_peer_data: Databag = dataclasses.field(default_factory=dict[str, str], repr=False)
    """This unit's own data on the peer relation."""
    peer_units: Mapping[str, Databag] = dataclasses.field(
        default_factory=dict[str, Databag], repr=False
    )
    """Each *other* unit's data on the peer relation."""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    """Values that are good, by name: the last one that was, where the operator's will not do."""
    refused_options: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Those that will not do, by name, in words for the operator."""
    unsettled: frozenset[str] = frozenset()
    """Options that are published to others and that never had a good value (:mod:`charmkit.options`)."""
    secrets: Mapping[str, Mapping[str, str]] = dataclasses.field(
        default_factory=dict[str, Mapping[str, str]], repr=False
    )
    """Content of each Juju secret whose ``secret:`` URI stands in a databag or an option, by that URI."""
    resources: Mapping[str, Resource] = dataclasses.field(default_factory=dict[str, Resource])
    """The charm's resources, by name."""
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Version of each installed package that the charm last asked for."""
    versions_before: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The same as it was when the run began."""
    memory: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    """What this unit's earlier runs kept (:attr:`Desired.memory`): JSON values by name."""
    dying: bool = False
    """This unit is being removed: its relations go one by one, and it leads no more."""
    now: float = 0.0
    """When the run began, in seconds since the epoch."""
    refused: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Files that this run wanted and their check refused, by path, and what the check said. The
    file that was there is in force."""
    unrun: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str], repr=False)
    """Commands that may fail (:attr:`charmkit.host.Command.may_fail`) and did in this run, by name, and what they said:
    one that is still wanted is not run again before the next run."""
    failed: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Services that this run wanted running and that did not come up, and why."""
    started: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Services that this run has brought up, and how: ``start``, ``restart``, ``reload`` or ``recycle``."""
    seen: Mapping[str, object] = dataclasses.field(default_factory=dict[str, object], repr=False)
    """What this run's tasks have found, by their names."""
    unit_secret: str = dataclasses.field(default='', repr=False)
    """Random, made once on this unit, never leaves it."""
    fresh: str = dataclasses.field(default='', repr=False)
    """Random, new in every run: what new passwords are made of (:func:`password`)."""

    def of(self, endpoint: str) -> tuple[Relation, ...]:
        """The relations on *endpoint*, none if there is none."""
        return self.relations.get(endpoint, ())


@dataclasses.dataclass(frozen=True)
class Status:
    """What the operator should know."""

    kind: Kind
    message: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Secret:
    """A Juju secret of the application; its leader keeps it so."""

    content: Mapping[str, str] = dataclasses.field(repr=False)
    description: str = ''
    rotate: Literal['never', 'hourly', 'daily', 'weekly', 'monthly', 'quarterly', 'yearly'] = (
        'never'
    )
    grant: tuple[int, ...] = ()
    """Ids of the relations whose other side may read it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Desired:
    """Everything that one run of the charm must bring about."""

    host: host.Host = dataclasses.field(default_factory=host.Host)
    unit_data: Mapping[str | int, Databag] = dataclasses.field(
        default_factory=dict[str | int, Databag], repr=False
    )
    """What this unit says, whole: by endpoint name (every relation of it) or by relation id.
    Keys that are not in it are taken back, Juju's own aside. A relation that is not named is left
    alone."""
    app_data: Mapping[str | int, Databag] = dataclasses.field(
        default_factory=dict[str | int, Databag], repr=False
    )
    """The same for the application; written by the leader, ignored on other units."""
    secrets: Mapping[str, Secret] = dataclasses.field(default_factory=dict[str, Secret])
    """By label. :func:`secret_uri` puts one's URI into a databag."""
    ports: frozenset[int] = frozenset()
    """TCP ports to open."""
    status: tuple[Status, ...] = ()
    """What is missing or wrong; nothing means active."""
    version: str = ''
    """The workload's version, for ``juju status``."""
    tasks: tuple[Task, ...] = ()
    """What is to be done or found out once all services are as desired, in this order. Their results come with the
    inputs of the next round of the same run, which may want others; what is published is what the last round says."""
    unheeded: Mapping[str, frozenset[str]] = dataclasses.field(
        default_factory=dict[str, frozenset[str]]
    )
    """By relation, keys of databags: what changes there asks this unit for nothing, as long as it rests as this run
    leaves it. A relation-changed for no more than that ends at once (:mod:`charmkit.idle`); every run reads all."""
    ready_to_stop: bool = False
    """This unit is being removed, and has nothing to do any more before its stop hook: as it leaves its relations one
    after the other, those hooks end at once (:mod:`charmkit.idle`)."""
    memory: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    """What later runs of this unit are to know: JSON values by name; those that are not named stay as they are."""
    results: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """What the action answers."""
    failure: str = ''
    """Why the action fails, in words for the operator; then nothing else of this value counts."""
    log: tuple[str, ...] = ()
    """What the action tells while it is under way, each line once."""
    read_only: bool = False
    """An action that only looks: machine, databags and status stay as they are."""


def secret_uri(label: str) -> str:
    """Stands in a databag for the URI of the secret with *label*, which only Juju can tell."""
    return f'{{secret:{label}}}'


def password(inputs: Inputs, name: str, length: int = 32) -> str:
    """A new password for *name*, as random as :attr:`Inputs.fresh`; store it at once.

    Within a run the same name gives the same password; the next run gives another.
    """
    mac = hmac.new(inputs.fresh.encode(), name.encode(), hashlib.sha256)
    return mac.hexdigest()[:length]


def troubles(inputs: Inputs, said: Iterable[Status]) -> list[Status]:
    """What went wrong with files and services, where *said* does not speak of it already."""
    words = ' '.join(s.message for s in said)
    out = [
        Status('blocked', _does_not_run(name, reason))
        for name, reason in inputs.failed.items()
        if name not in words
    ]
    out += [
        Status('blocked', f'{path} was refused, the one before is in force: {_short(reason)}')
        for path, reason in inputs.refused.items()
        if path not in words
    ]
    return out


def _does_not_run(name: str, reason: str) -> str:
    """What is part of another service says itself where to look."""
    if ':' in name:
        return reason
    return f'{name} does not run: {reason}; see journalctl -u {name}'


def _short(text: str, most: int = 300) -> str:
    """The end of *text* in one line: programs say last what stopped them."""
    line = ' '.join(text.split())
    return line if len(line) <= most else f'…{line[-most:]}'


def summary(statuses: Iterable[Status]) -> Status:
    """The one status to show: the worst kind, with the messages of that kind, and then of those less bad.

    What is merely reported of a unit that is active is left out of any other.
    """
    every = sorted([*statuses, Status('active')], key=lambda s: _WORST_FIRST.index(s.kind))
    worst = every[0].kind
    shown = (s for s in every if s.kind in (worst, *_WORST_FIRST[:-1]))
    return Status(worst, '; '.join(dict.fromkeys(s.message for s in shown if s.message)))
