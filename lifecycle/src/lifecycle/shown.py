"""Plans as a table and as JSON. Pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Any

from lifecycle import waiting
from lifecycle.observed import Observed
from lifecycle.plan import Plan
from lifecycle.preflight import Finding
from lifecycle.step import Step

_MARKS = {'done': '✓', 'next': '▶', 'waiting': ' ', 'skipped': '-'}


def table(seen: Observed, plan: Plan, findings: Iterable[Finding]) -> str:
    """A plan for people."""
    return '\n'.join(_lines(seen, plan, tuple(findings)))


def _lines(seen: Observed, plan: Plan, findings: tuple[Finding, ...]) -> Iterator[str]:
    ended = sum(step.state in ('done', 'skipped') for step in plan.steps)
    yield f'Model {seen.model}: to {plan.target}; {ended} of {len(plan.steps)} steps done'
    holder = seen.record.holder
    if holder is not None:
        yield f'At work: {holder.who}'
    for one in seen.record.lost:
        during = one.step or 'the beginning'
        yield f'Lost: {_requests(one.requests)} during {during}: {one.said}'
    for app in plan.applications:
        yield ''
        yield from _of_application(seen, app, [s for s in plan.steps if s.application == app])
    if plan.left:
        yield ''
        yield 'Not moved:'
        width = max(len(one.application) for one in plan.left)
        yield from (f'  {one.application:{width}}  {one.why}' for one in plan.left)
    yield from _of_findings(findings)


def _of_application(seen: Observed, name: str, steps: list[Step]) -> Iterator[str]:
    app = seen.applications[name]
    releases = app.declaration.releases
    bases = sorted({unit.base for unit in app.units if unit.base})
    now = ', '.join(f'{base} ({releases[base]})' if base in releases else base for base in bases)
    behind = f', behind {" and ".join(app.balancers)}' if app.balancers else ''
    yield f'{name}: {len(app.units)} {"unit" if len(app.units) == 1 else "units"} on {now}{behind}'
    width = max(len(step.id) for step in steps)
    for step in steps:
        yield f'  {_MARKS[step.state]} {step.id:{width}}  {step.command or step.why}'.rstrip()
        note = step.note or (waiting.waiting_for(step, seen) if step.state == 'next' else '')
        if note and step.state in ('next', 'skipped', 'done'):
            yield f'    {"":{width}}  {note}'


def _requests(number: int) -> str:
    return 'one request' if number == 1 else f'{number} requests'


def _of_findings(findings: tuple[Finding, ...]) -> Iterator[str]:
    for title, some in (
        ('In the way:', [f for f in findings if f.blocking and not f.skipped]),
        ('To know:', [f for f in findings if not f.blocking and not f.skipped]),
        ('Accepted:', [f for f in findings if f.skipped]),
    ):
        if some:
            yield ''
            yield title
        for one in some:
            yield f'  {one.id}: {one.sentence}'
            yield f'    {one.skipped or one.cure}'


def as_json(seen: Observed, plan: Plan, findings: Iterable[Finding]) -> str:
    """A plan for programs."""
    return json.dumps(_value(seen, plan, findings), indent=2, ensure_ascii=False)


def all_as_json(plans: Iterable[tuple[Observed, Plan, Iterable[Finding]]]) -> str:
    """Several plans, one after the other, for programs."""
    values = [_value(*one) for one in plans]
    return json.dumps({'version': 1, 'plans': values}, indent=2, ensure_ascii=False)


def _value(seen: Observed, plan: Plan, findings: Iterable[Finding]) -> dict[str, Any]:
    holder = seen.record.holder
    target = plan.target
    return {
        'version': 1,
        'model': seen.model,
        'target': {
            'base': target.base,
            'origin': target.origin,
            'charms': target.charms,
            'back': target.back,
        },
        'at-work': holder.who if holder else None,
        'lost': [dataclasses.asdict(one) for one in seen.record.lost],
        'steps': [_dashed(dataclasses.asdict(step)) for step in plan.steps],
        'left': [dataclasses.asdict(one) for one in plan.left],
        'findings': [dataclasses.asdict(one) for one in findings],
    }


def _dashed(said: dict[str, Any]) -> dict[str, Any]:
    return {key.replace('_', '-'): value for key, value in said.items()}
