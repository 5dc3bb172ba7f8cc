"""What can be known to be wrong before anything is deployed: of suites, plans and tests/test.yaml, each at its line.

`juju matrix lint` and a run both ask here, so that what one lets pass the other does not refuse.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Iterator

from matrix.grammar import fields, lint, located, problem, suite, surroundings
from matrix.judge import abort, expect, probes
from matrix.load import spec
from matrix.plans import chaosplan, plan, planfile
from matrix.run import bundlefile

_CHAOS = 'matrix.tasks.chaos'


def known(
    bundle: bundlefile.Bundle | None, faults: Iterable[str], checks: Iterable[str]
) -> surroundings.Known:
    """What suites and plans may name; without a bundle nothing is said of applications."""
    return surroundings.Known(
        frozenset(faults),
        None if bundle is None else frozenset(bundle.applications),
        frozenset(checks),
    )


def of_suite(
    one: suite.Suite, there: surroundings.Known, folder: pathlib.Path | None
) -> tuple[problem.Problem, ...]:
    """Every problem of a suite: what it says, what it names, and the plans that it has carried out.

    `folder` is the bundle's: where `{bundle}` and plans without a whole path are.
    """
    found = [*lint.check(one), *surroundings.of_suite(one, there)]
    for test in one.tests:
        for rule in test.rules:
            found += _refusals(
                lambda rule=rule: spec.of_args(rule.args, rule.where, lines=rule.lines)
            )
            for key in ('http', 'sql'):
                if (said := rule.args.get(key)) is not None:
                    load = fields.at({key: said}, rule.at(key))
                    found += surroundings.of_load(load, there)
            if (said := rule.args.get('expect')) is not None:
                found += of_expect(fields.at(said, rule.at('expect')), there)
            if rule.task == _CHAOS and folder is not None:
                found += _of_plan_argument(rule, there, folder)
    return tuple(found)


def of_extra(
    extra: located.Mapping | None, there: surroundings.Known
) -> tuple[problem.Problem, ...]:
    """Every problem of `load`, `expect`, `probes` and `abort` in tests/test.yaml."""
    if extra is None:
        return ()
    found = [
        *_refusals(lambda: spec.read(extra.get('load'))),
        *surroundings.of_load(extra.get('load'), there),
        *_refusals(lambda: probes.read(extra.get('probes'))),
        *_refusals(lambda: abort.read(extra.get('abort'))),
        *surroundings.of_probes(extra.get('probes'), there),
    ]
    return (*found, *of_expect(extra.get('expect'), there))


def of_expect(
    value: located.Value | None, there: surroundings.Known
) -> tuple[problem.Problem, ...]:
    """Every problem of an `expect`."""
    return (*_refusals(lambda: expect.read(value)), *surroundings.of_expect(value, there))


def of_plan(text: str, source: str, there: surroundings.Known) -> tuple[problem.Problem, ...]:
    """Every problem of a plan of either format: what it says, and whom it would strike with what."""
    try:
        document = located.load(text, source)
        if planfile.is_second_format(document):
            return tuple(_of_second(planfile.read(text, source), document, there))
        old = chaosplan.read(text, source)
    except problem.RefusedError as refused:
        return refused.problems
    actions = chaosplan.places(document)
    named = [
        (str(step.get('application')), where)
        for action, where in zip(old.actions, actions, strict=False)
        for step in action.selectors
        if step.get('application') is not None
    ]
    return surroundings.of_targets(named, there)


def _of_second(
    full: plan.Plan, document: located.Value, there: surroundings.Known
) -> Iterator[problem.Problem]:
    events = document.get('events') if isinstance(document, located.Mapping) else None
    places = events.items if isinstance(events, located.Sequence) else ()
    for event, value in zip(full.events, places, strict=True):
        if event.fault not in there.faults:
            near = problem.suggestion(event.fault, there.faults)
            yield problem.Problem(value.where, f'there is no fault {event.fault!r}{near}')
        named = [
            *event.targets,
            *(str(step.get('application')) for step in event.selectors if step.get('application')),
        ]
        yield from surroundings.of_targets([(name, value.where) for name in named], there)


def _of_plan_argument(
    rule: suite.RuleSpec, there: surroundings.Known, folder: pathlib.Path
) -> tuple[problem.Problem, ...]:
    said = rule.args.get('plan')
    if said is None:
        return ()
    if not isinstance(said, str):
        return (problem.Problem(rule.at('plan'), "'plan' is the name of a file"),)
    path = folder / said.replace('{bundle}', str(folder))
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else 'not UTF-8 text'
        there_are = (
            [one.name for one in path.parent.glob('*.yaml')] if path.parent.is_dir() else []
        )
        near = problem.suggestion(path.name, there_are)
        message = f'the plan {said} cannot be read: {reason}{near}'
        return (problem.Problem(rule.at('plan'), message),)
    return of_plan(text, str(path), there)


def _refusals(read: Callable[[], object]) -> tuple[problem.Problem, ...]:
    try:
        read()
    except problem.RefusedError as refused:
        return refused.problems
    return ()
