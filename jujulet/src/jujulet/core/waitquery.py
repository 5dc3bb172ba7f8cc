"""The small language of ``juju wait-for --query``, and the facts it is asked about.

``name=="mysql" && (status=="active" || status=="idle")``, ``len(units) >= 3``,
``forEach(units, unit => unit.workload-status=="active")``. Source: Juju's documentation of wait-for.
"""

from __future__ import annotations

import dataclasses
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any


class Invalid(ValueError):  # noqa: N818 -- it is an answer, not a fault of ours
    """The query cannot be read or asked; the text says why."""


Facts = Mapping[str, Any]
Query = Callable[[Facts], Any]

_TOKEN = re.compile(
    r'\s*(?:(?P<op>=>|==|!=|<=|>=|&&|\|\||[<>!(),])|(?P<number>\d+(?:\.\d+)?)'
    r'|"(?P<double>[^"]*)"|\'(?P<single>[^\']*)\'|(?P<name>[A-Za-z_][A-Za-z0-9_.-]*))'
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    '==': operator.eq,
    '!=': operator.ne,
    '<': operator.lt,
    '<=': operator.le,
    '>': operator.gt,
    '>=': operator.ge,
}


@dataclasses.dataclass
class _Words:
    left: list[tuple[str, str]]
    text: str

    def next(self) -> tuple[str, str]:
        if not self.left:
            raise Invalid(f'cannot parse query {self.text!r}: it ends too early')
        return self.left.pop(0)

    def take(self, op: str) -> bool:
        if self.left and self.left[0] == ('op', op):
            self.left.pop(0)
            return True
        return False

    def expect(self, op: str) -> None:
        if not self.take(op):
            raise Invalid(f'cannot parse query {self.text!r}: expected {op!r}')


def parse(text: str) -> Query:
    """The query in *text*. Raises Invalid."""
    found: list[tuple[str, str]] = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise Invalid(f'cannot parse query {text!r} at {text[position:].strip()!r}')
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    words = _Words(found, text)
    query = _either(words)
    if words.left:
        raise Invalid(f'cannot parse query {text!r} at {words.left[0][1]!r}')
    return query


def holds(query: Query, facts: Facts) -> bool:
    """Whether the answer is yes. Raises Invalid for a name that there is no fact for."""
    try:
        return bool(query(facts))
    except TypeError as error:
        raise Invalid(f'cannot compare: {error}') from None


def _either(words: _Words) -> Query:
    left = _both(words)
    while words.take('||'):
        left = _or(left, _both(words))
    return left


def _or(a: Query, b: Query) -> Query:
    return lambda facts: bool(a(facts)) or bool(b(facts))


def _both(words: _Words) -> Query:
    left = _comparison(words)
    while words.take('&&'):
        left = _and(left, _comparison(words))
    return left


def _and(a: Query, b: Query) -> Query:
    return lambda facts: bool(a(facts)) and bool(b(facts))


def _comparison(words: _Words) -> Query:
    left = _term(words)
    for symbol, compare in _COMPARE.items():
        if words.take(symbol):
            return _compared(compare, left, _term(words))
    return left


def _compared(compare: Callable[[Any, Any], bool], a: Query, b: Query) -> Query:
    return lambda facts: compare(a(facts), b(facts))


def _term(words: _Words) -> Query:
    if words.take('!'):
        inner = _term(words)
        return lambda facts: not inner(facts)
    if words.take('('):
        inner = _either(words)
        words.expect(')')
        return inner
    kind, text = words.next()
    if kind == 'number':
        return _constant(float(text) if '.' in text else int(text))
    if kind in ('double', 'single'):
        return _constant(text)
    if kind != 'name':
        raise Invalid(f'cannot parse query {words.text!r} at {text!r}')
    if text in ('true', 'false'):
        return _constant(text == 'true')
    if words.take('('):
        return _call(text, words)
    return _fact(text)


def _constant(value: Any) -> Query:
    return lambda facts: value


def _fact(name: str) -> Query:
    def look(facts: Facts) -> Any:
        value: Any = facts
        for part in name.split('.'):
            if not isinstance(value, Mapping) or part not in value:
                raise Invalid(f'invalid query: there is no {name!r} to ask about')
            value = value[part]  # pyright: ignore[reportUnknownVariableType]
        return value  # pyright: ignore[reportUnknownVariableType]

    return look


def _call(name: str, words: _Words) -> Query:
    if name == 'forEach':
        return _for_each(words)
    arguments = [_either(words)]
    while words.take(','):
        arguments.append(_either(words))
    words.expect(')')
    if name == 'len' and len(arguments) == 1:
        return lambda facts: len(arguments[0](facts))
    if name in ('startsWith', 'endsWith') and len(arguments) == 2:
        method = 'startswith' if name == 'startsWith' else 'endswith'
        return lambda facts: getattr(str(arguments[0](facts)), method)(arguments[1](facts))
    if name in ('print', 'int', 'string') and len(arguments) == 1:
        return arguments[0]
    raise Invalid(f'cannot parse query {words.text!r}: no function {name!r} of {len(arguments)}')


def _for_each(words: _Words) -> Query:
    things = _either(words)
    words.expect(',')
    kind, name = words.next()
    if kind != 'name':
        raise Invalid(f'cannot parse query {words.text!r}: forEach needs a name')
    words.expect('=>')
    body = _either(words)
    words.expect(')')

    def every(facts: Facts) -> bool:
        found: Any = things(facts)
        values = found.values() if isinstance(found, Mapping) else found  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        return all(body({**facts, name: value}) for value in values)  # pyright: ignore[reportUnknownVariableType]

    return every


def facts(status: Mapping[str, Any], kind: str, name: str) -> dict[str, Any] | None:
    """What there is to ask about the entity, from ``juju status``'s JSON; None while it is not there."""
    units = _units(status)
    machines = {
        i: {'id': i, 'status': m['juju-status']['current'], 'life': m['juju-status'].get('life', 'alive')}
        for i, m in status['machines'].items()
    }  # fmt: skip
    applications = {
        n: {
            'name': n,
            'status': a['application-status']['current'],
            'charm': a['charm'],
            'exposed': a['exposed'],
            'life': a.get('life', 'alive'),
            'units': {u: f for u, f in units.items() if f['application'] == n},
        }
        for n, a in status['applications'].items()
    }
    if kind == 'model':
        state = status['model'].get('model-status', {}).get('current', 'available')
        return {
            'name': name.rpartition('/')[2],
            'status': state,
            'life': 'alive' if state == 'available' else 'dying',
            'applications': applications,
            'units': units,
            'machines': machines,
        }
    return {'application': applications, 'unit': units, 'machine': machines}[kind].get(name)


def _units(status: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for app in status['applications'].values():
        for name, unit in app.get('units', {}).items():
            below = unit.get('subordinates', {})
            for n, u in ((name, unit), *below.items()):
                found[n] = {
                    'name': n,
                    'application': n.rpartition('/')[0],
                    'workload-status': u['workload-status']['current'],
                    'workload-message': u['workload-status'].get('message', ''),
                    'agent-status': u['juju-status']['current'],
                    'status': u['workload-status']['current'],
                    'machine': u.get('machine', ''),
                    'leader': u.get('leader', False),
                    'life': u['juju-status'].get('life', 'alive'),
                }
    return found
