"""What a mutant changes, which mutants say something, and what came of them. Pure.

A mutant is a copy of one function in which mutmut changed one thing. It writes the copies of ``f`` beside it, as
``x_f__mutmut_1`` and so on, ``x_f__mutmut_orig`` being the function as it was.
"""

from __future__ import annotations

import ast
import collections
import dataclasses
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeGuard, cast

_NAME = re.compile(r'(?:x_|xǁ(?P<kind>\w+?)ǁ)(?P<function>\w+?)__mutmut_(?P<number>\d+|orig)')
_KILLED = {1, 2, 3}
"""Exit codes of pytest: tests failed, were interrupted, or could not be loaded."""
_NO_TESTS = {5, 33}
LEFT_OUT = object()
_SKIPPED = 34
"""mutmut's exit code of a mutant that is not to be run: it was not."""
_ENTRY = re.compile(r'^- `(?P<key>[^`]+)`: (?P<why>.+)$', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One mutant: mutmut's name of it, the module, the function that it is in, its line there, and what it changes."""

    name: str
    module: str
    function: str
    line: int
    before: str
    after: str
    number: int = 1

    @property
    def key(self) -> str:
        """The same for as long as the function holds this expression, wherever that moves."""
        more = f' #{self.number}' if self.number > 1 else ''
        return f'{self.module}:{self.function} {self.before} → {self.after}{more}'


def mutants(module: str, source: str) -> tuple[Mutant, ...]:
    """The mutants in *source*, the text of a module as mutmut wrote it."""
    found: list[Mutant] = []
    seen = collections.Counter[str]()
    originals: dict[str, ast.AST] = {}
    copies: list[tuple[str, re.Match[str], ast.AST]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            match = _NAME.fullmatch(node.name)
            if match is None:
                continue
            if match['number'] == 'orig':
                originals[_function(match)] = node
            else:
                copies.append((node.name, match, node))
    for name, match, node in copies:
        function = _function(match)
        before, after = _change(originals[function], node)
        one = Mutant(
            f'{module}.{name}', module, function, _line(before), _text(before), _text(after)
        )
        seen[one.key] += 1
        found.append(dataclasses.replace(one, number=seen[one.key]))
    return tuple(found)


def _function(match: re.Match[str]) -> str:
    return f'{match["kind"]}.{match["function"]}' if match['kind'] else match['function']


def _line(node: object) -> int:
    return int(getattr(node, 'lineno', 0))


def _text(node: object) -> str:
    if node is LEFT_OUT:
        return '(left out)'
    said = ast.unparse(node) if isinstance(node, ast.AST) else repr(node)
    return ' '.join(said.replace('`', "'").split())


def _change(before: ast.AST, after: ast.AST) -> tuple[object, object]:
    """The smallest expressions or statements that hold all that differs between two functions."""
    if isinstance(before, ast.Constant) or type(before) is not type(after):
        return before, after
    if _casts(before) and not _same(before.args[:1], getattr(after, 'args', [])[:1]):
        return before, after
    different = [
        (old, new)
        for (name, old), (_, new) in zip(
            ast.iter_fields(before), ast.iter_fields(after), strict=True
        )
        if not _same(old, new)
        and not (name == 'name' and isinstance(before, ast.FunctionDef | ast.AsyncFunctionDef))
    ]
    if len(different) != 1:
        return before, after
    old, new = different[0]
    if isinstance(old, list) and isinstance(new, list):
        ones, others = cast('list[object]', old), cast('list[object]', new)
        pairs = [(a, b) for a, b in zip(ones, others, strict=False) if not _same(a, b)]
        if len(ones) == len(others) + 1:
            return (pairs[0][0] if pairs else ones[-1]), LEFT_OUT
        if len(ones) == len(others) and len(pairs) == 1:
            old, new = pairs[0]
    if isinstance(old, ast.expr | ast.stmt) and isinstance(new, ast.AST):
        return _change(old, new)
    if isinstance(old, _PARTS) and isinstance(new, ast.AST):
        inner = _change(old, new)
        if inner[0] is not old:
            return inner
    return before, after  # An operator by itself says too little.


_PARTS = (ast.comprehension, ast.match_case, ast.keyword, ast.arguments, ast.ExceptHandler)


def _casts(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ('cast', 'typing.cast')


def _same(old: object, new: object) -> bool:
    if isinstance(old, ast.AST) and isinstance(new, ast.AST):
        return ast.dump(old) == ast.dump(new)
    if isinstance(old, list) and isinstance(new, list):
        ones, others = cast('list[object]', old), cast('list[object]', new)
        return len(ones) == len(others) and all(map(_same, ones, others))
    return old == new


def says_nothing(mutant: Mutant) -> str:
    """Why a mutant is not worth a run; '' if it is."""
    before, after = (_constant(text) for text in (mutant.before, mutant.after))
    if isinstance(before, str) and isinstance(after, str):
        if before.lower() == after.lower():
            return 'the case of a text: what wraps it in XX says the same'
        if ' ' in before.strip() or before != before.strip():
            return 'the wording of a sentence'
    if mutant.before.startswith(('cast(', 'typing.cast(')):
        return 'a name for the type checker'
    return ''


def _constant(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def outcome(code: int | None) -> str:
    """``killed``, ``timeout``, ``survived``, ``no tests`` or ``not run``, of mutmut's exit code."""
    if code is None or code == _SKIPPED:
        return 'not run'
    if code == 0:
        return 'survived'
    if code in _NO_TESTS:
        return 'no tests'
    return 'killed' if code in _KILLED else 'timeout'


def waiting(
    chosen: Iterable[Mutant], codes: Mapping[str, int | None], *, again: bool = False
) -> tuple[str, ...]:
    """Names, as mutmut has them, of those to be run: what is not known; *again*: and what survived or hung."""
    wanted = {'not run', 'survived', 'no tests', 'timeout'} if again else {'not run'}
    return tuple(one.name for one in chosen if outcome(codes.get(one.name)) in wanted)


def sample(found: Sequence[Mutant], count: int, seed: int) -> tuple[Mutant, ...]:
    """*count* of them, the same for the same *seed*; all where there are no more."""
    ordered = sorted(found, key=lambda one: one.key)
    return tuple(random.Random(seed).sample(ordered, min(count, len(ordered))))  # noqa: S311


def argued(document: str) -> dict[str, str]:
    """Survivors that stay, by key, and why each does: the lines ``- `KEY`: why`` of docs/mutants.md."""
    return {match['key']: match['why'] for match in _ENTRY.finditer(document)}


@dataclasses.dataclass(frozen=True)
class Score:
    """How many mutants there were of one module or of many, and what came of them."""

    killed: int = 0
    timeout: int = 0
    survived: int = 0
    untested: int = 0

    @property
    def rate(self) -> float:
        """The share that was killed, from 0 to 1; a mutant that hung was noticed, one that no test runs was not."""
        total = self.killed + self.timeout + self.survived + self.untested
        return (self.killed + self.timeout) / total if total else 1.0


def score(outcomes: Iterable[str]) -> Score:
    """The score of mutants of these outcomes; those that did not run do not count."""
    counts = collections.Counter(outcomes)
    return Score(counts['killed'], counts['timeout'], counts['survived'], counts['no tests'])


def report(results: Mapping[Mutant, str], known: Mapping[str, str]) -> Iterator[str]:
    """Lines for people: a table of the modules, and what survived, argued (*known*) or not."""
    yield f'{"module":44} {"killed":>6} {"hung":>5} {"survived":>8} {"no test":>7} {"rate":>6}'
    by: dict[str, list[str]] = collections.defaultdict(list)
    for mutant, said in results.items():
        by[mutant.module].append(said)
    for module, outcomes in sorted(by.items()):
        yield _row(module, score(outcomes))
    yield _row('all', score(results.values()))
    left = [one for one, said in results.items() if said in {'survived', 'no tests'}]
    for title, those in (
        ('survived', [one for one in left if one.key not in known]),
        ('survived, and argued', [one for one in left if one.key in known]),
    ):
        if those:
            yield ''
            yield f'{title}:'
        for one in sorted(those, key=lambda one: one.key):
            note = ' (no test runs it)' if results[one] == 'no tests' else ''
            yield f'- `{one.key}`{note}'
    killed = {one.key for one, said in results.items() if said in {'killed', 'timeout'}}
    if gone := sorted(killed & {*known}):
        yield ''
        yield 'argued, and killed after all:'
        yield from (f'- `{key}`' for key in gone)


def _row(name: str, one: Score) -> str:
    return f'{name:44} {one.killed:6} {one.timeout:5} {one.survived:8} {one.untested:7} {one.rate:6.1%}'
