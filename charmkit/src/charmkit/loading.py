"""A charm's class, from its folder: what writes into the charm asks its code."""

from __future__ import annotations

import importlib.util
import pathlib
import sys

from .charm import Charm


def load(folder: pathlib.Path) -> type[Charm]:
    """The charm's class. Its folder stays as it is: nothing is compiled into it.

    Raises:
        LookupError: when ``src/charm.py`` has none, or several.
    """
    source = folder / 'src'
    before, path = dict(sys.modules), list(sys.path)
    compiles, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(source))
    try:
        spec = importlib.util.spec_from_file_location('charm', source / 'charm.py')
        if spec is None or spec.loader is None:
            raise LookupError(f'{source}/charm.py cannot be loaded')
        module = importlib.util.module_from_spec(spec)
        sys.modules['charm'] = module
        spec.loader.exec_module(module)
        found = [
            thing
            for thing in vars(module).values()
            if isinstance(thing, type) and issubclass(thing, Charm) and thing.__module__ == 'charm'
        ]
    finally:
        sys.path[:] = path
        sys.dont_write_bytecode = compiles
        for name in set(sys.modules) - set(before):
            where = getattr(sys.modules[name], '__file__', None)
            if where and pathlib.Path(where).is_relative_to(source):
                del sys.modules[name]
    if len(found) != 1:
        raise LookupError(f'{source}/charm.py has {len(found)} charms, not one')
    return found[0]
