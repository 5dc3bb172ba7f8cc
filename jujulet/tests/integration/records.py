"""What the charm "recorder" wrote: one line an event, words such as `hook=start`."""

from __future__ import annotations

import dataclasses

import jubilant


@dataclasses.dataclass(frozen=True)
class Event:
    """One event of one unit, and what the hook tools said while it ran."""

    hook: str
    unit: str
    leader: bool
    relation: str
    remote_app: str
    remote_unit: str
    departing: str
    members: tuple[str, ...]
    note: str
    words: dict[str, str]


def read(juju: jubilant.Juju, unit: str) -> list[Event]:
    """Every event that *unit* has seen, in order."""
    text = juju.exec('cat events', unit=unit).stdout
    return [_event(dict(w.split('=', 1) for w in line.split())) for line in text.splitlines()]


def _event(words: dict[str, str]) -> Event:
    return Event(
        hook=words['hook'],
        unit=words['unit'],
        leader=words['leader'] == 'True',
        relation=words['relation'],
        remote_app=words['remote-app'],
        remote_unit=words['remote-unit'],
        departing=words['departing'],
        members=tuple(m for m in words['members'].split(',') if m),
        note=words['note'],
        words=words,
    )


def hooks(events: list[Event]) -> list[str]:
    """Names of the events alone, without exec and actions."""
    return [e.hook for e in events if e.hook not in ('clear', 'secret')]
