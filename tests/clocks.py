"""Finds tests that assert how long something took, as far as their text tells. Pure but for :func:`tests`.

Such a test fails on a machine that has something else to do, and says nothing of the code. Waiting for something in a
loop that gives up after a while is another thing: it is patience, and what is asserted is that it came.
"""

from __future__ import annotations

import ast
import pathlib
import subprocess
from collections.abc import Iterator

CLOCKS = frozenset(
    {
        'monotonic',
        'monotonic_ns',
        'perf_counter',
        'perf_counter_ns',
        'process_time',
        'time',
        'time_ns',
    }
)
"""Functions of the module time (``time`` is also a loop's)."""
MEASURES = frozenset({'timeit', 'repeat'})
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def tests(root: pathlib.Path) -> list[pathlib.Path]:
    """Every file of tests, but for the benchmarks."""
    listed = subprocess.run(
        ['git', '-C', root, 'ls-files', '--cached', '--others', '--exclude-standard', '*tests/*.py'],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = [root / line for line in listed.stdout.splitlines() if '/bench/' not in f'/{line}']
    return [path for path in found if path.exists()]


def asserted(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of each assertion that compares a duration."""
    if not any(f'{name}(' in text for name in (*CLOCKS, *MEASURES)):
        return
    tree = ast.parse(text)
    known = _Known(tree)
    waits = {
        id(node)
        for loop in ast.walk(tree)
        if isinstance(loop, ast.While)
        for node in ast.walk(loop)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assert):
            continue
        for compared in (n for n in ast.walk(node.test) if isinstance(n, ast.Compare)):
            if not any(isinstance(op, _ORDER) for op in compared.ops):
                continue
            sides = (compared.left, *compared.comparators)
            late = any(map(known.reads_clock, sides)) and id(node) not in waits
            if late or any(map(known.is_duration, sides)):
                yield node.lineno, ast.unparse(node.test)


class _Known:
    """Which names of a file stand for a duration: taken from a difference of clocks, or from another duration."""

    def __init__(self, tree: ast.AST):
        self.instants: set[str] = set()
        self.durations: set[str] = set()
        before = None
        while before != (
            len(self.instants),
            len(self.durations),
        ):  # Until nothing more follows from what is known.
            before = (len(self.instants), len(self.durations))
            for node in ast.walk(tree):
                self._learn(node)

    def _learn(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._name(name, value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self._name(name, value)
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr='append'), args=[value]
            ):
                self._name(name, value)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                returned = [
                    n.value for n in ast.walk(node) if isinstance(n, ast.Return) and n.value
                ]
                if any(map(self.is_duration, returned)):
                    self.durations.add(node.name)
            case _:
                pass

    def _name(self, name: str, value: ast.expr) -> None:
        if self.is_duration(value):
            self.durations.add(name)
        elif self.reads_clock(value):
            self.instants.add(name)

    def reads_clock(self, node: ast.AST) -> bool:
        """Whether it asks a clock."""
        return any(
            isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in CLOCKS
            for n in ast.walk(node)
        )

    def is_duration(self, node: ast.AST) -> bool:
        """Whether a difference of clocks is in it, or what is known as one."""
        for n in ast.walk(node):
            if isinstance(n, ast.Name) and n.id in self.durations:
                return True
            if (
                isinstance(n, ast.Call)
                and isinstance(n.func, ast.Attribute)
                and n.func.attr in MEASURES
            ):
                return True
            if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Sub) and self._instant(n.left):
                return True
        return False

    def _instant(self, node: ast.AST) -> bool:
        return self.reads_clock(node) or (isinstance(node, ast.Name) and node.id in self.instants)
