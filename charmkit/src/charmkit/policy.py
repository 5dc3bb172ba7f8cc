"""The operator's rules, held against those that the release has: a name that nobody knows has no effect. Pure.

oslo.policy takes such a name without a word, and a misspelt rule that was to forbid something forbids nothing. Which
there are is known on the unit alone, once the packages are there (:mod:`charmkit.policy_registry`). So rules are judged
before they are in force; until then, and when they will not do, the last good ones are. What was in force before it
could be judged stays, and is named. A new unit has no last good ones: it takes those that its application has in force,
as the leader says, or else the release's own.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import json
import re
from collections.abc import Mapping
from typing import Any, cast

from . import host, options, settings, state
from .drive import RunFunction
from .machine import Machine
from .why import Why

OPTION = 'policy-overrides'
NAME = 'policy rules'
IN_FORCE, JUDGED = 'policy-in-force', 'policy-judged'
"""Names in the unit's memory: the option's last good value, and what was found of the last one that was given."""
AGREED = 'policy-in-force'
"""The key in the application's data on the peer relation: what the leader has in force."""
_TIMEOUT_S = 60.0
_MOST = 3
_REFERENCE = re.compile(r'(?:^|[\s(])rule:([^\s()]{1,128})')
_DEFAULT = 'default'
"""What oslo.policy takes for a rule that there is not, if there is this one."""


@dataclasses.dataclass(frozen=True)
class Judged:
    """What was found of the option's value that *key* stands for."""

    key: str
    wrong: str
    """'' or which rules there are not, in words."""
    asked: bool = True
    """Whether the registry could be asked: if not, the next run asks again."""


@dataclasses.dataclass(frozen=True)
class Judge:
    """Find out which names in the rules *text* there are not."""

    text: str
    key: str
    """Stands for *text* and the packages."""
    name: str = NAME

    def carry_out(self, machine: Machine) -> Judged:
        """Ask oslo.policy's registry, by *machine*. What cannot be asked is not judged."""
        made, used = names(self.text)
        # -c leaves standard input to the names.
        done = machine.program(
            *('python3', '-c', _program()),
            stdin=json.dumps(sorted(made | used)),
            timeout_s=_TIMEOUT_S,
        )
        try:
            found = cast('dict[str, str]', json.loads(done.output.strip().rpartition('\n')[2]))
        except ValueError:
            return Judged(self.key, '', asked=False)
        if done.status:
            return Judged(self.key, '', asked=False)
        return Judged(self.key, words(found, made, used))


def _program() -> str:
    return importlib.resources.files(__package__ or '').joinpath('policy_registry.py').read_text()


def names(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The rules that *text* makes, without those that are only there for its others, and those that it refers to."""
    checks = settings.rules(text)
    used = {name for check in checks.values() for name in _REFERENCE.findall(check)}
    made = checks.keys() - used - {_DEFAULT}
    return frozenset(made), frozenset(used - checks.keys())


def words(unknown: Mapping[str, str], made: frozenset[str], used: frozenset[str]) -> str:
    """What is wrong, for the operator; '' when nothing is."""
    said = [f'there is no rule {n}{_nearest(unknown[n])}' for n in sorted(made & unknown.keys())]
    said += [
        f'a check refers to {n}, and there is no such rule{_nearest(unknown[n])}'
        for n in sorted(used & unknown.keys())
    ]
    more = f', and {len(said) - _MOST} more like this' if len(said) > _MOST else ''
    return ', '.join(said[:_MOST]) + more


def _nearest(name: str) -> str:
    return f' (is {name} meant?)' if name else ''


def judged(run: RunFunction, why: Why, inputs: state.Inputs) -> state.Desired:
    """What *run* wants, with no rules in force but those that have been judged."""
    given = str(inputs.options.get(OPTION) or '')
    before = _before(inputs)
    if not given:
        desired = run(why, inputs)
        reset = {IN_FORCE: ''} if inputs.memory.get(IN_FORCE) else {}
        desired = dataclasses.replace(desired, memory={**desired.memory, **reset})
        return _agreeing('', desired)
    key = host.digest(f'{given} {sorted(inputs.versions.items())}')
    found = _found(key, inputs)
    good = found is not None and not found.wrong
    text = given if good or before is None else before
    desired = run(why, dataclasses.replace(inputs, options={**inputs.options, OPTION: text}))
    if desired.failure or desired.read_only:
        return desired
    status = desired.status
    if found and found.wrong:
        stays = {given: 'it is in force', '': "the release's own rules are in force"}.get(
            text, 'its last good value is in force'
        )
        said = state.Status('blocked', f'option {OPTION}: {found.wrong}; {stays}')
        status = (said, *status)
    memory = {**desired.memory, IN_FORCE: text}
    if found and found.asked:
        memory[JUDGED] = dataclasses.asdict(found)
    known = cast('Mapping[str, Any]', inputs.memory.get(JUDGED) or {}).get('key') == key
    tasks = desired.tasks if known else (*desired.tasks, Judge(given, key))
    desired = dataclasses.replace(desired, status=status, memory=memory, tasks=tasks)
    return _agreeing(text, desired)


def _agreeing(text: str, desired: state.Desired) -> state.Desired:
    """*desired*, and for the units to come what is in force: *text*."""
    peers = desired.app_data.get('peers')
    if peers is None:
        return desired
    said = {**{k: v for k, v in peers.items() if k != AGREED}, **({AGREED: text} if text else {})}
    return dataclasses.replace(desired, app_data={**desired.app_data, 'peers': said})


def _before(inputs: state.Inputs) -> str | None:
    """The rules that are in force, or are to be until others are judged; None where it is not known which those are.

    That is so of a unit that has served, and has noted nothing of them: an older revision's.
    """
    kept = cast('Mapping[str, Any]', inputs.memory.get(options.MEMORY) or {})
    found = inputs.memory.get(IN_FORCE, kept.get(OPTION))
    if found is None and not inputs.memory.get(state.SERVED):
        return inputs.peers.get(AGREED, '')
    return None if found is None else str(found)


def _found(key: str, inputs: state.Inputs) -> Judged | None:
    seen = inputs.seen.get(NAME)
    if isinstance(seen, Judged) and seen.key == key:
        return seen
    kept = cast('Mapping[str, Any]', inputs.memory.get(JUDGED) or {})
    return Judged(key, str(kept.get('wrong', ''))) if kept.get('key') == key else None
