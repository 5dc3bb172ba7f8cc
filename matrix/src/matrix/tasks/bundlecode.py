"""Python of a bundle's own: found as `tests.…`, and what Python has dropped since is taken out of it.

Code for juju-solutions/matrix says `asyncio.sleep(5, loop=context.loop)`, which Python 3.10 refuses.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import logging
import pathlib
import sys
import types
from collections.abc import Generator, Sequence

_LOG = logging.getLogger('matrix.bundle')
_WARNED: set[tuple[str, int]] = set()
_TAKES_LOOP = frozenset(
    {
        'sleep', 'wait', 'wait_for', 'gather', 'shield', 'as_completed', 'Lock', 'Event', 'Condition', 'Semaphore',
        'BoundedSemaphore', 'Queue', 'PriorityQueue', 'LifoQueue', 'create_subprocess_exec', 'create_subprocess_shell',
        'open_connection', 'start_server', 'timeout',
    }
)  # fmt: skip


class _Old(ast.NodeTransformer):
    def __init__(self) -> None:
        self.lines: list[int] = []

    def visit_Call(self, node: ast.Call) -> ast.AST:  # the name that ast calls
        self.generic_visit(node)
        name = (
            node.func.attr
            if isinstance(node.func, ast.Attribute)
            else getattr(node.func, 'id', '')
        )
        kept = [one for one in node.keywords if one.arg != 'loop']
        if name in _TAKES_LOOP and len(kept) < len(node.keywords):
            self.lines.append(node.lineno)
            node.keywords = kept
        return node


def compiled(text: bytes, path: str) -> types.CodeType:
    """The code of a file without `loop=` in calls of asyncio, with a warning for each.

    Raises:
        SyntaxError: it is not Python.
    """
    tree = ast.parse(text, path)
    old = _Old()
    tree = old.visit(tree)
    for line in old.lines:
        if (path, line) in _WARNED:
            continue
        _WARNED.add((path, line))
        _LOG.warning(
            "%s:%d: 'loop=' is left out: asyncio has not taken it since Python 3.10", path, line
        )
    return compile(ast.fix_missing_locations(tree), path, 'exec')


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> types.CodeType | None:
        path = self.get_filename(fullname)
        return compiled(self.get_data(path), path)  # Never from a cache: that holds it as it was.


class _Finder(importlib.abc.MetaPathFinder):
    """Modules and packages below a folder, `tests` among them though other packages are called so."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        place = self.folder.joinpath(*fullname.split('.'))
        package = place / '__init__.py'
        for file, inside in ((package, [str(place)]), (place.with_suffix('.py'), None)):
            if file.is_file():
                return importlib.util.spec_from_file_location(
                    fullname,
                    file,
                    loader=_Loader(fullname, str(file)),
                    submodule_search_locations=inside,
                )
        if place.is_dir() and any(place.glob('*.py')):
            spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(place)]
            return spec
        return None


@contextlib.contextmanager
def importable(folder: pathlib.Path) -> Generator[None]:
    """Inside, modules below a bundle's folder can be imported; after, they are forgotten again."""
    before = {**sys.modules}
    finder = _Finder(folder)
    # What is called `tests` here must not be another's `tests` that was imported before.
    hidden = {name for name in before if name == 'tests' or name.startswith('tests.')}
    for name in hidden:
        del sys.modules[name]
    sys.meta_path.append(finder)
    sys.meta_path.insert(0, _Tests(finder))
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.meta_path[:] = [
            one
            for one in sys.meta_path
            if one is not finder and not (isinstance(one, _Tests) and one.finder is finder)
        ]
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        for name, module in tuple(sys.modules.items()):
            file = getattr(module, '__file__', None) or ''
            if name not in before and (file.startswith(f'{folder}/') or name == 'tests'):
                del sys.modules[name]
        sys.modules.update({name: before[name] for name in hidden})


class _Tests(importlib.abc.MetaPathFinder):
    """Lets the bundle's `tests` go before every other package of that name."""

    def __init__(self, finder: _Finder):
        self.finder = finder

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname == 'tests' or fullname.startswith('tests.'):
            return self.finder.find_spec(fullname, path, target)
        return None


def load_file(path: pathlib.Path) -> types.ModuleType:
    """The module of one file of a bundle, whatever else has its name.

    Raises:
        Exception: whatever the file raises.
    """
    name = f'matrix_bundle_{path.stem}'
    spec = importlib.util.spec_from_file_location(name, path, loader=_Loader(name, str(path)))
    if spec is None or spec.loader is None:
        raise ImportError(f'{path.name} is not a module')
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
