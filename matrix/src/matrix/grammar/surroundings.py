"""What a suite, a plan and tests/test.yaml name that is not there: faults, applications, checks, effects. Pure.

`lint` and a run ask the same, before anything is deployed.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from matrix.grammar import located, problem, suite

CHECKS = (
    'rules', 'load', 'errors', 'latency', 'left', 'tokens', 'owners', 'faults', 'fingerprint', 'quiet', 'effects',
    'journal', 'thresholds', 'abort', 'resources',
)  # fmt: skip
"""The checks of matrix that have one name."""

FAMILIES = ('acknowledged', 'reads of', 'kept', 'history of', 'session of', 'probe')
"""Those of which there is one for each kind of operation: `acknowledged put`."""

EFFECTS = ('leader',)
"""What matrix itself sees happen."""

_CHAOS, _HEALTH, _ACTION = 'matrix.tasks.chaos', 'matrix.tasks.health', 'matrix.tasks.run_action'
_SECONDS = {
    _CHAOS: ('gap', 'hold', 'control', 'patience'),
    _HEALTH: ('stability_period', 'patience'),
    _ACTION: ('timeout',),
}
_TRUTHS = {_CHAOS: ('serial', 'redundant', 'cover')}


@dataclasses.dataclass(frozen=True)
class Known:
    """What there is.

    Args:
        faults: names of faults, the bundle's own too.
        applications: those of the bundle; None: no bundle is known, so nothing is said of them.
        checks: names of checks of others.
    """

    faults: frozenset[str] = frozenset()
    applications: frozenset[str] | None = None
    checks: frozenset[str] = frozenset()


def of_suite(one: suite.Suite, known: Known) -> tuple[problem.Problem, ...]:
    """What is wrong with the arguments of a suite's rules, in the order of its lines."""
    found = [said for test in one.tests for rule in test.rules for said in _of_rule(rule, known)]
    return tuple(sorted(found, key=lambda said: said.where.line))


def _of_rule(rule: suite.RuleSpec, known: Known) -> Iterator[problem.Problem]:
    for name in _SECONDS.get(rule.task, ()):
        if name in rule.args and not _is_seconds(rule.args[name]):
            said = f'{name!r} is a number of seconds, this is {_shown(rule.args[name])}'
            yield problem.Problem(rule.at(name), said)
    for name in _TRUTHS.get(rule.task, ()):
        if name in rule.args and not isinstance(rule.args[name], bool):
            said = f'{name!r} is true or false, this is {_shown(rule.args[name])}'
            yield problem.Problem(rule.at(name), said)
    if rule.task == _CHAOS:
        yield from _of_chaos(rule, known)
    if rule.task == _ACTION and isinstance(rule.args.get('application'), str):
        names = [str(rule.args['application'])]
        yield from _applications(names, known, rule.at('application'))


def _of_chaos(rule: suite.RuleSpec, known: Known) -> Iterator[problem.Problem]:
    count = rule.args.get('count')
    if count is not None and (type(count) is not int or count < 1):
        said = f"'count' is a whole number from 1, this is {_shown(count)}"
        yield problem.Problem(rule.at('count'), said)
    strikes = rule.args.get('strikes')
    said_in = [(rule.args, rule.at('kinds'), rule.at('applications'))]
    if isinstance(strikes, list):
        where = rule.at('strikes')
        said_in += [(one, where, where) for one in strikes if isinstance(one, dict)]
    for args, at_kinds, at_applications in said_in:
        for glob in words(args.get('kinds')):
            if not fnmatch.filter(known.faults, glob):
                near = problem.suggestion(glob, known.faults)
                yield problem.Problem(at_kinds, f'there is no fault {glob!r}{near}')
        yield from _applications(words(args.get('applications')), known, at_applications)


def _applications(
    names: Iterable[str], known: Known, where: problem.Where
) -> Iterator[problem.Problem]:
    if known.applications is None:
        return
    for name in names:
        if name not in known.applications:
            near = problem.suggestion(name, known.applications)
            yield problem.Problem(where, f'the bundle has no application {name!r}{near}')


def of_targets(
    named: Iterable[tuple[str, problem.Where]], known: Known
) -> tuple[problem.Problem, ...]:
    """What is wrong with whom a plan strikes: `named` are applications or units, each with its place."""
    return tuple(
        said
        for name, where in named
        if not name.isdecimal()  # A machine: which there are, only the model knows.
        for said in _applications([name.partition('/')[0]], known, where)
    )


def of_expect(value: located.Value | None, known: Known) -> tuple[problem.Problem, ...]:
    """What an `expect` names that cannot come: checks, applications, effects."""
    if not isinstance(value, located.Mapping):
        return ()
    found: list[problem.Problem] = []
    for name, where in _items(value, 'ignore'):
        single = {*CHECKS, *known.checks}
        if name not in single and not name.startswith(tuple(f'{one} ' for one in FAMILIES)):
            near = problem.suggestion(name, {*single, *FAMILIES})
            found.append(problem.Problem(where, f'there is no check {name!r} to ignore{near}'))
    for name, where in _items(value, 'changes'):
        found += _applications([name], known, where)
    for name, where in _items(value, 'effects'):
        if name not in EFFECTS:
            near = problem.suggestion(name, EFFECTS) or f'; there is {", ".join(EFFECTS)}'
            said = f'nothing ever says {name!r}, so this can never be met{near}'
            found.append(problem.Problem(where, said))
    return tuple(found)


PLACE = re.compile(r'\{([a-z][a-z0-9-]*(?:/(?:\d+|leader))?)\}')
"""In a URL: the address of each unit of an application, of one unit, or of the one that leads."""

_KEY = 'key'  # In a URL, it is the name of what is written.


def of_probes(value: located.Value | None, known: Known) -> tuple[problem.Problem, ...]:
    """What is wrong with where probes are to run, and whom they ask."""
    items = value.items if isinstance(value, located.Sequence) else (value,) if value else ()
    mappings = [item for item in items if isinstance(item, located.Mapping)]
    named = [
        *((name, where) for item in mappings for name, where in _items(item, 'on')),
        *(one for item in mappings for key in ('http', 'prometheus') for one in _asked(item, key)),
    ]
    return of_targets(named, known)


def of_load(value: located.Value | None, known: Known) -> tuple[problem.Problem, ...]:
    """What is wrong with whom a load is to ask."""
    if not isinstance(value, located.Mapping):
        return ()
    http, sql = value.get('http'), value.get('sql')
    items = http.items if isinstance(http, located.Sequence) else (http,) if http else ()
    named = [
        one
        for item in items
        for one in (_asked(item, 'url') if isinstance(item, located.Mapping) else _places(item))
    ]
    if isinstance(sql, located.Mapping):
        named += [*_asked(sql, 'at'), *_asked(sql, 'read-at')]
        account = sql.get('account')
        named += _items(account, 'unit') if isinstance(account, located.Mapping) else ()
    return (*of_targets(named, known), *_unbraced(sql, known))


def _unbraced(sql: located.Value | None, known: Known) -> Iterator[problem.Problem]:
    """Addresses of a database that are an application or a unit of the bundle without braces."""
    if not isinstance(sql, located.Mapping):
        return
    for key in ('at', 'read-at'):
        for text, where in _items(sql, key):
            name, colon, port = text.partition(':')
            if name.partition('/')[0] in (known.applications or ()):
                meant = f'{{{name}}}{colon}{port}'
                said = f'{text!r} is a host; the bundle has an application of that name: did you mean {meant!r}?'
                yield problem.Problem(where, said)


def _asked(value: located.Mapping, key: str) -> Iterator[tuple[str, problem.Where]]:
    inner = value.get(key)
    return iter(()) if inner is None else _places(inner)


def _places(value: located.Value) -> Iterator[tuple[str, problem.Where]]:
    """The applications and units that a URL, or each of several, names."""
    if isinstance(value, located.Sequence):
        yield from (one for item in value.items for one in _places(item))
        return
    said = value.value if isinstance(value, located.Scalar) else None
    for name in PLACE.findall(said) if isinstance(said, str) else ():
        if name != _KEY:
            yield name, value.where


def _items(value: located.Mapping, key: str) -> Iterator[tuple[str, problem.Where]]:
    inner = value.get(key)
    items: Sequence[located.Value] = (
        inner.items if isinstance(inner, located.Sequence) else (inner,) if inner else ()
    )
    for item in items:
        if isinstance(item, located.Scalar) and isinstance(item.value, str):
            yield item.value, item.where


def words(value: located.Plain) -> tuple[str, ...]:
    """A word, words with spaces or commas between them, or a list of words; anything else is none."""
    if isinstance(value, str):
        return tuple(value.replace(',', ' ').split())
    if isinstance(value, list):
        return tuple(one for one in value if isinstance(one, str))
    return ()


def _is_seconds(value: located.Plain) -> bool:
    if isinstance(value, bool) or value is None:
        return value is None
    try:
        found = float(str(value))
    except ValueError:
        return False
    return math.isfinite(found) and found >= 0


def _shown(value: located.Plain) -> str:
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, Mapping):
        return 'a mapping'
    return 'a list' if isinstance(value, list) else repr(value)
