"""What cannot be observed and must be remembered, in one user secret of the model, named `lifecycle`. Pure.

Who is at work, the target, how many units each application had, which actions that are run once were run, and what was
skipped and why. JSON, in pieces that Juju takes, so that anybody may read it: `juju show-secret lifecycle --reveal`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, cast

from lifecycle.problem import UNIT, ProblemError, clean

NAME = 'lifecycle'
VERSION = 1
LEASE_S = 600
"""Seconds after which somebody who has not been heard of is no longer at work."""
_PIECE = 6000  # Before 3.6.9 Juju takes 8 KiB a value and 64 KiB in all, each in base64.
_MOST_PIECES = 8
_MOST_SKIPS = 200
_MOST_LOST = 20
MOST_SAID = 200
"""Characters of what an action has found."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Holder:
    """Who is at work."""

    who: str
    """A user, a machine, a process."""
    nonce: str
    """Of the run, and of no other."""
    until: int
    """Seconds since the epoch."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Started:
    """An application as it was before it was touched."""

    base: str
    units: int
    """How many it had: so many are admitted at every instant from then on."""
    old: tuple[str, ...]
    """Those that were not on the target."""
    origin: str | None = None
    """The archive that its option named; None when it has no such option, or that was not asked."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ran:
    """An action that is run once for an application."""

    verb: str
    unit: str
    at: int
    """Seconds since the epoch."""
    said: str = ''
    """What it has found, in one line."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lost:
    """Requests of a load that were lost."""

    step: str
    """The step at work; empty: none was yet."""
    requests: int
    said: str
    """The first of them."""
    at: int
    """Seconds since the epoch."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """All of it."""

    base: str = ''
    """The target, if it is a base."""
    origin: str = ''
    """The target, if it is an archive."""
    charms: str = ''
    """The target, if it is charms: their folder."""
    digest: str = ''
    """Of what lay there."""
    ways: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The ways that the user chose, by application."""
    back: bool = False
    """It is a rollback: each application goes back to the base that it had."""
    began: int = 0
    holder: Holder | None = None
    started: Mapping[str, Started] = dataclasses.field(default_factory=dict[str, Started])
    """By application."""
    ran: Mapping[str, tuple[Ran, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[Ran, ...]]
    )
    """By application."""
    skips: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Reasons, by the id of a step or finding."""
    lost: tuple[Lost, ...] = ()
    """The last of what loads have lost."""

    def has_run(self, application: str, verb: str, unit: str = '') -> bool:
        """Whether an action that is run once was: on that unit, or on any."""
        ran = self.ran.get(application, ())
        return any(one.verb == verb and unit in ('', one.unit) for one in ran)

    def said(self, application: str, verb: str) -> str:
        """What an action that was run once has found; empty where it says nothing."""
        ran = self.ran.get(application, ())
        return next((one.said for one in reversed(ran) if one.verb == verb), '')

    def has_begun(self, application: str, verb: str, unit: str = '') -> bool:
        """Whether such an action was run, or may have been."""
        return self.has_run(application, verb, unit) or self.has_run(
            application, f'begin {verb}', unit
        )

    @property
    def empty(self) -> bool:
        """Whether nothing was ever begun."""
        return not (self.base or self.origin or self.digest)


EMPTY = Record()


def with_started(record: Record, application: str, started: Started) -> Record:
    """*record*, in which *application* was begun."""
    return dataclasses.replace(record, started={**record.started, application: started})


def with_ran(record: Record, application: str, ran: Ran) -> Record:
    """*record*, in which an action was run."""
    before = record.ran.get(application, ())
    return dataclasses.replace(record, ran={**record.ran, application: (*before, ran)})


def with_lost(record: Record, lost: Lost) -> Record:
    """*record*, in which requests were lost; the first ones are forgotten when there are many."""
    return dataclasses.replace(record, lost=(*record.lost, lost)[-_MOST_LOST:])


def without(record: Record, application: str, verb: str) -> Record:
    """*record*, in which no such action was run."""
    ran = tuple(one for one in record.ran.get(application, ()) if one.verb != verb)
    return dataclasses.replace(record, ran={**record.ran, application: ran})


def with_skip(record: Record, step: str, reason: str) -> Record:
    """*record*, in which *step* is skipped.

    Raises:
        ProblemError: there is no reason, or there are too many skips.
    """
    if not reason.strip():
        raise ProblemError(
            f'skip {clean(step)}: a reason is needed: --reason "why it may be left out"'
        )
    if len(record.skips) >= _MOST_SKIPS and step not in record.skips:
        raise ProblemError(f'{_MOST_SKIPS} steps are skipped already: this is no upgrade any more')
    return dataclasses.replace(record, skips={**record.skips, step: clean(reason, 500)})


def with_holder(record: Record, holder: Holder | None) -> Record:
    """*record*, held by another one, or nobody."""
    return dataclasses.replace(record, holder=holder)


def held_by_other(record: Record, nonce: str, now: int) -> Holder | None:
    """Who else is at work *now* (seconds since the epoch)."""
    holder = record.holder
    return holder if holder and holder.nonce != nonce and holder.until > now else None


def dump(record: Record) -> dict[str, str]:
    """The secret's content.

    Raises:
        ProblemError: it is more than a secret can hold.
    """
    text = json.dumps({'version': VERSION, **dataclasses.asdict(record)}, separators=(',', ':'))
    pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
    if len(pieces) > _MOST_PIECES:
        raise ProblemError(
            f'the record would have {len(text)} bytes, more than {_PIECE * _MOST_PIECES}: '
            'move fewer applications at once, by naming them'
        )
    return {f'record-{number}': piece for number, piece in enumerate(pieces)}


def load(content: Mapping[str, object]) -> Record:
    """What `dump` made.

    Raises:
        ProblemError: it is something else; names the secret.
    """
    pieces: list[str] = []
    while (
        isinstance(piece := content.get(f'record-{len(pieces)}'), str)
        and len(pieces) < _MOST_PIECES
    ):
        pieces.append(piece)
    try:
        return _record(cast('dict[str, Any]', json.loads(''.join(pieces))))
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise ProblemError(
            f'the secret {NAME} of this model is no record of juju-lifecycle ({clean(error, 80)}): '
            f'look at it (juju show-secret {NAME} --reveal), and remove it if nothing is under way'
        ) from None


def _record(data: dict[str, Any]) -> Record:
    if data['version'] != VERSION:
        raise ValueError(f'version {clean(data["version"], 40)}, {VERSION} is known')
    holder = data['holder']
    return Record(
        base=str(data['base']),
        origin=str(data.get('origin', '')),
        charms=str(data.get('charms', '')),
        digest=str(data.get('digest', '')),
        ways={str(app): str(way) for app, way in data.get('ways', {}).items()},
        back=bool(data['back']),
        began=int(data['began']),
        holder=Holder(
            who=clean(holder['who']), nonce=str(holder['nonce']), until=int(holder['until'])
        )
        if holder
        else None,
        started={
            str(app): Started(
                base=str(one['base']),
                units=int(one['units']),
                old=tuple(map(_unit, one['old'])),
                origin=None if one.get('origin') is None else str(one['origin']),
            )
            for app, one in data['started'].items()
        },
        ran={
            str(app): tuple(
                Ran(
                    verb=str(one['verb']),
                    unit=str(one['unit']),
                    at=int(one['at']),
                    said=clean(one.get('said', ''), MOST_SAID),
                )
                for one in every
            )
            for app, every in data['ran'].items()
        },
        skips={str(step): clean(reason, 500) for step, reason in data['skips'].items()},
        lost=tuple(
            Lost(
                step=clean(one['step'], 100),
                requests=int(one['requests']),
                said=clean(one['said']),
                at=int(one['at']),
            )
            for one in data.get('lost', ())
        ),
    )


def _unit(name: object) -> str:
    if not isinstance(name, str) or not UNIT.fullmatch(name):
        raise ValueError(f'{clean(name, 40)} is no name of a unit')
    return name
