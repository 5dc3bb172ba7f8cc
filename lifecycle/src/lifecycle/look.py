"""One look at a model, whole or at some applications: what is asked of the world, and how it becomes `Observed`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from lifecycle import declared, observed, preflight
from lifecycle import plan as plan_
from lifecycle import record as record_
from lifecycle.problem import ProblemError
from lifecycle.step import ORIGIN
from lifecycle.world import World, WorldError

Declarations = Mapping[str, declared.Declaration | ProblemError]


def declarations(
    world: World, status: Mapping[str, Any], chosen: Iterable[str] = ()
) -> Declarations:
    """What the charms of the *chosen* applications, or of all, declare; and of the subordinates that live on them.

    What cannot be read is not the same as nothing: it stands there as the error that it is.
    """
    bare = observed.read(status)
    wanted = set(chosen) or set(bare.applications)
    below = {
        name.partition('/')[0]
        for app in wanted & set(bare.applications)
        for unit in bare.applications[app].units
        for name in unit.subordinates
    }
    asked = {
        app.name: min(app.units, key=lambda unit: (unit.failed, not unit.leader, unit.number)).name
        for app in bare.applications.values()
        if app.name in wanted | below and app.units
    }
    texts = world.declarations(sorted(set(asked.values())))
    return {app: _declaration(app, texts.get(unit)) for app, unit in asked.items()}


def _declaration(app: str, text: str | WorldError | None) -> declared.Declaration | ProblemError:
    if isinstance(text, WorldError):
        return ProblemError(f'{app}: its lifecycle.yaml cannot be read: {text}')
    if text is None:
        return declared.UNDECLARED
    try:
        return declared.parse(text, f'{app}: lifecycle.yaml of its charm')
    except ProblemError as problem:
        return problem


def observe(
    world: World,
    known: Declarations,
    record: record_.Record,
    focus: Iterable[str] = (),
    status: Mapping[str, Any] | None = None,
    *,
    origins: bool = False,
) -> observed.Observed:
    """The model now; where load balancers send requests is asked for units of *focus*, or of all applications.

    So is the archive of packages, where *origins* matter.
    """
    said = world.status() if status is None else status
    names = _asked(said, known, focus)
    shown = world.show_units(names) if names else None
    if shown is not None and len(shown) < len(names):  # Some went between the two answers.
        said = world.status()
    there = [app for app in focus or known if app in _names(said)]
    archives = world.options(there, ORIGIN) if origins else None
    return observed.read(said, shown=shown, declarations=known, record=record, origins=archives)


def _asked(status: Mapping[str, Any], known: Declarations, focus: Iterable[str]) -> list[str]:
    bare = observed.read(status, declarations=known)
    wanted = set(focus) or set(bare.applications)
    return [
        unit.name
        for app in bare.applications.values()
        if app.name in wanted and app.balancers
        for unit in app.units
    ]


def checks(world: World, seen: observed.Observed, plan: plan_.Plan) -> preflight.Checks:
    """What *plan*'s preflight needs, of the applications that were not begun.

    Raises:
        WorldError: Juju does not answer.
    """
    fresh = [app for app in plan.applications if app not in seen.record.started]
    if not fresh or plan.target.back:
        return preflight.NONE
    units = [unit.name for app in fresh for unit in seen.applications[app].units]
    keep = (
        {}
        if plan.target.digest
        else {
            app: seen.applications[app].declaration.actions['backup']
            for app in preflight.keepers(seen, fresh)
        }
    )
    return preflight.Checks(
        now=world.now(),
        free=world.disks(units),
        actions=keep,
        backups={app: world.last_run(app, action) for app, action in keep.items()},
    )


def _names(status: Mapping[str, Any]) -> Collection[str]:
    found = status.get('applications')
    return cast('dict[str, object]', found) if isinstance(found, dict) else ()
