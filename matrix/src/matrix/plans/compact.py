"""A part of a plan without the waiting for what is no longer in it. Pure."""

from __future__ import annotations

import dataclasses

from matrix.plans import plan

FIRST = 1.0
"""Seconds before the first event."""

LONGEST = 5.0
"""Seconds that are left between the end of all earlier events and the next."""


def compact(full: plan.Plan) -> plan.Plan:
    """The same events in the same order: those that overlapped still do, and long pauses are short."""
    moved = 0.0  # by how many seconds events come earlier
    end = FIRST - LONGEST
    found: list[plan.FaultEvent] = []
    for event in sorted(full.events, key=lambda one: one.at):
        moved = max(moved, event.at - end - LONGEST)
        at = round(event.at - moved, 1)
        found.append(dataclasses.replace(event, at=at))
        end = max(end, at + event.hold)
    order = {event.id: index for index, event in enumerate(full.events)}
    return dataclasses.replace(full, events=tuple(sorted(found, key=lambda one: order[one.id])))
