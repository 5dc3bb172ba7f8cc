"""Steps of a bundle's deployment: requests in order, with gaps for names that earlier answers give.

A gap is a text such as ``{machine:0}`` (the bundle's machine 0) or ``{unit:mysql/1}`` (its second unit of mysql) in
the ``to`` of a request: :func:`fill` fills it from what :func:`learn` learnt.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .. import requests

_GAP = re.compile(r'\{[^}]*\}')


@dataclasses.dataclass(frozen=True)
class Consume:
    """``juju consume URL NAME``: the controller looks the offer up, then ``requests.AddRemote``."""

    url: str
    name: str


@dataclasses.dataclass(frozen=True)
class Step:
    """One request, in words and as data."""

    request: requests.Request | Consume
    words: str
    """What ``--dry-run`` and progress say, as Juju says it."""
    learns: str = ''
    """The gap that the answer's first machine or unit fills."""


def fill(step: Step, names: Mapping[str, str]) -> requests.Request | Consume:
    """The step's request with its gaps filled from *names*.

    Raises:
        KeyError: a gap that no earlier step has filled.
    """
    request = step.request
    if not isinstance(request, (requests.AddUnit, requests.Deploy)):
        return request
    to = tuple(_GAP.sub(lambda gap: names[gap.group()], place) for place in request.to)
    return dataclasses.replace(request, to=to)


def learn(step: Step, reply: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    """*names*, and what *reply* says of the step's machine or unit."""
    if not step.learns:
        return dict(names)
    found = reply.get('machines') or reply.get('units')
    return {**names, step.learns: str(found[0])} if found else dict(names)


def describe(steps: Iterable[Step], *, dry_run: bool = False) -> str:
    """All steps in words, one a line, under the heading that Juju prints."""
    words = [step.words for step in steps]
    if not words:
        return 'No changes to apply.'
    head = 'Changes to deploy bundle:' if dry_run else 'Executing changes:'
    return '\n'.join([head, *(f'- {line}' for line in words)])
