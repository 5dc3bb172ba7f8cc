"""What can be seen in a charm's code without executing it: calls, constant words, names of what is secret. Pure."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator, Mapping

from .view import ENTRY, View, last_name

_SECRET = re.compile(
    r'(^|_)(password|passwd|passphrase|secret|secrets|token|tokens|private_key|credential|credentials)($|_)',
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r'(fingerprint|digest|hash|length|len|name|names|id|ids|key_id|count|path|file|url_path|label|generation|lifetime|expiry|'
    r'need|needs|uri|ref|changed|age|cache|type|request|requests)$',
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class SpecCall:
    """A ``ServiceSpec(…)`` of ``src/charm.py``, as far as its words are constant."""

    node: ast.Call
    constants: Mapping[str, ast.expr]
    """What the module's names stand for, where that is one expression."""

    def argument(self, name: str) -> ast.expr | None:
        """The expression of the keyword *name*; what a name of the module's stands for is looked up."""
        return keyword(self.node, name)

    def words(self, name: str) -> tuple[str, ...]:
        """The texts that are constant in the tuple or list of the keyword *name*."""
        found = self.argument(name)
        return tuple(_words(found, self.constants)) if found is not None else ()

    def calls(self, name: str, *callees: str) -> list[ast.Call]:
        """Calls of *callees* in the keyword *name*, with what the module's names stand for."""
        found = self.argument(name)
        if found is None:
            return []
        nodes = list(_followed(found, self.constants))
        return [n for n in nodes if isinstance(n, ast.Call) and last_name(n.func) in callees]


def specs(view: View) -> list[SpecCall]:
    """Each spec that its entry declares."""
    tree = view.sources.get(ENTRY)
    if not isinstance(tree, ast.Module):
        return []
    constants = _constants(tree)
    return [SpecCall(node, constants) for node in _calls(tree, 'ServiceSpec')]


def calls(view: View, *names: str) -> Iterator[tuple[str, ast.Call]]:
    """Calls of anything called one of *names* in any module, with where each is."""
    for path, tree in view.trees():
        for node in _calls(tree, *names):
            yield f'{path}:{node.lineno}', node


def words(view: View) -> Iterator[tuple[str, str]]:
    """Each constant text of any module, with where it is."""
    for path, tree in view.trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f'{path}:{node.lineno}', node.value


def called(view: View, module: str, function: str) -> bool:
    """Whether ``module.function(…)`` is called anywhere."""
    return any(
        isinstance(node.func, ast.Attribute) and last_name(node.func.value) == module
        for _, node in calls(view, function)
    )


def keyword(node: ast.Call, name: str) -> ast.expr | None:
    """The value of the keyword *name* in a call."""
    return next((k.value for k in node.keywords if k.arg == name), None)


def argument(node: ast.Call, position: int, name: str) -> ast.expr | None:
    """The argument at *position*, or the keyword *name*; of a ``*(…)`` among them, what is in it counts."""
    given: list[ast.expr] = []
    for arg in node.args:
        inner = arg.value if isinstance(arg, ast.Starred) else None
        given += inner.elts if isinstance(inner, ast.Tuple | ast.List) else [arg]
    return given[position] if position < len(given) else keyword(node, name)


def constant(node: ast.expr | None) -> object:
    """The constant that *node* is; None for what is none."""
    return node.value if isinstance(node, ast.Constant) else None


def secrets_in(node: ast.AST) -> Iterator[str]:
    """Names in *node* that are called as a secret is: a variable, an attribute, a key of a mapping."""
    for inner in _values(node):
        if isinstance(inner, ast.Name | ast.Attribute):
            found = last_name(inner)
        elif isinstance(inner, ast.Subscript):
            found = key if isinstance(key := constant(inner.slice), str) else ''
        else:
            continue
        if is_secret(found):
            yield found


def is_secret(name: str) -> bool:
    """Whether what has this name is one that nobody may read."""
    plain = name.replace('-', '_')
    return bool(_SECRET.search(plain)) and not _HARMLESS.search(plain)


def _values(node: ast.AST) -> Iterator[ast.AST]:
    """*node* and what its value is made of: not what a function that is called makes of its arguments."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        if isinstance(found, ast.Call) and last_name(found.func) not in (
            'format',
            'join',
            'str',
            'repr',
        ):
            continue
        if isinstance(found, ast.Compare | ast.BoolOp | ast.Lambda):
            continue
        if isinstance(found, ast.IfExp):
            waiting += [found.body, found.orelse]
            continue
        waiting += ast.iter_child_nodes(found)


def _calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and last_name(node.func) in names:
            yield node


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name):
                found[target.id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = node.value
    return found


_MOST_STEPS = 2000


def _followed(node: ast.AST, constants: Mapping[str, ast.expr]) -> Iterator[ast.AST]:
    """All of *node*, and of what the names in it stand for, each name once."""
    waiting: list[ast.AST] = [node]
    seen: set[str] = set()
    for _ in range(_MOST_STEPS):
        if not waiting:
            return
        found = waiting.pop()
        yield found
        if isinstance(found, ast.Name) and found.id in constants and found.id not in seen:
            seen.add(found.id)
            waiting.append(constants[found.id])
        waiting += ast.iter_child_nodes(found)


def _words(node: ast.AST, constants: Mapping[str, ast.expr]) -> Iterator[str]:
    for inner in _followed(node, constants):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value
