"""What a rule tells its task, read with errors that name the rule's argument. Pure."""

from __future__ import annotations

import math

from matrix import model


def seconds(task: model.Task, name: str, otherwise: float) -> float:
    """An argument in seconds.

    Raises:
        model.InfraFailure: it is not a number from 0.
    """
    said = task.args.get(name)
    if said is None:
        return otherwise
    try:
        found = math.nan if isinstance(said, bool) else float(str(said))
    except ValueError:
        found = math.nan
    if not (math.isfinite(found) and found >= 0):
        raise model.InfraFailure(f'{task.name}: {name!r} is a number of seconds, this is {said!r}')
    return found


def integer(task: model.Task, name: str, otherwise: int) -> int:
    """An argument that is a whole number from 0.

    Raises:
        model.InfraFailure: it is not.
    """
    found = seconds(task, name, otherwise)
    if found != int(found):
        raise model.InfraFailure(f'{task.name}: {name!r} is a whole number, this is {found!r}')
    return int(found)


def words(task: model.Task, name: str) -> tuple[str, ...]:
    """An argument that is a word or a list of words.

    Raises:
        model.InfraFailure: it is neither.
    """
    said = task.args.get(name)
    if said is None:
        return ()
    if isinstance(said, str):
        return tuple(said.replace(',', ' ').split())
    if isinstance(said, list) and all(isinstance(one, str) for one in said):
        return tuple(str(one) for one in said)
    raise model.InfraFailure(f'{task.name}: {name!r} is a list of names, this is {said!r}')
