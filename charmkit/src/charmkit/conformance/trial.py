"""``charmkit check --run``: the charm at work on a machine that is only remembered. It executes the charm's own code.

What cannot be seen in a text is seen there: the sites that Apache would have, where memcached listens, whether a unit
that is paused goes on serving until it is drained, and whether a password that it was given comes out. Only for
code that one trusts as much as one's own; without ``--run`` nothing of a charm is executed.

The work is done by a program of its own (:mod:`charmkit.conformance.stage`), so that a charm that ends, or hangs, or
changes Python under it takes nothing with it.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import cast

from . import ConformanceRule, Verdict, asking, finding
from .asking import asks
from .view import View

TIMEOUT_S = 300


class RefusedError(Exception):
    """It cannot be tried out; the text says why."""


def _seen(_: View) -> Iterator[str]:
    """Found by the stage, not in a view."""
    return iter(())


RULES: tuple[ConformanceRule, ...] = tuple(
    asks(name, sentence, cure, of=of)(_seen)
    for name, sentence, cure, of in (
        (
            'runs',
            'It runs each hook and action on a machine of each base, with everything related that it requires.',
            "Run its unit tests: what was raised stands in the finding's text.",
            asking.declared,
        ),
        (
            'generated',
            'What charmcraft.yaml and lifecycle.yaml repeat is as the code declares it.',
            'Run charmkit generate.',
            asking.declared,
        ),
        (
            'runs-mod-wsgi',
            'Apache runs, and serves each application by mod_wsgi in a process group of its own.',
            'Leave the machine of the spec to charmkit: override neither run nor prepared.',
            asking.declared_api,
        ),
        (
            'runs-memcached',
            'memcached runs on loopback alone.',
            'Leave the machine of the spec to charmkit: override neither run nor prepared.',
            asking.declared_api,
        ),
        (
            'runs-drain',
            'A paused unit asks its load balancer first, and serves until that has let it go.',
            'Leave the machine of the spec to charmkit: override neither run nor prepared.',
            asking.declared_api,
        ),
        (
            'runs-quietly',
            'No password that it was given is in a log, a status, an argument or a file that all can read.',
            'Keep secrets in files of mode 0640, and out of messages.',
            asking.declared,
        ),
    )
)


def try_out(view: View, verdict: Verdict, ignored: Iterable[str]) -> Verdict:
    """*verdict*, and what was seen of the charm at work.

    Raises:
        RefusedError: it is packed, or what is needed for it is not installed.
    """
    if view.packed:
        raise RefusedError(f'{view.path}: --run wants a folder, not a packed charm')
    rules = {
        r.name: r for r in RULES if r.applies(view) and r.name not in ignored and not view.mute
    }
    if not rules:
        return verdict
    said = _stage(pathlib.Path(view.path))
    more = [
        finding(rules[name], text)
        for name, texts in said.items()
        if name in rules
        for text in texts
    ]
    return dataclasses.replace(
        verdict,
        asked=(*verdict.asked, *rules),
        findings=tuple(sorted({*verdict.findings, *more})),
    )


def _stage(folder: pathlib.Path) -> dict[str, list[str]]:
    """What the program of its own found, by rule."""
    argv = [sys.executable, '-m', 'charmkit.conformance.stage', str(folder.absolute())]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, errors='replace', timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {'runs': [f'it was not done after {TIMEOUT_S} seconds']}
    last = done.stdout.strip().rpartition('\n')[2]
    try:
        found = json.loads(last)
    except ValueError:
        if 'No module named' in done.stderr and 'scenario' in done.stderr:
            raise RefusedError(
                "ops.testing is missing: install it with pip install 'charmkit[author]'"
            ) from None
        said = done.stderr.strip().rpartition('\n')[2]
        return {'runs': [f'it ended by itself: {said[:200] or f"exit status {done.returncode}"}']}
    return cast('dict[str, list[str]]', found) if isinstance(found, dict) else {}
