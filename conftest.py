"""Import the parts first: their folders have their names, and tests would hide them otherwise.

In pytest's importlib mode a test below ``charmkit/tests`` makes ``charmkit`` an empty package
unless the real one is there already.
"""

from __future__ import annotations

import contextlib
import importlib

for _part in ('charmkit', 'jujulet', 'matrix', 'lifecycle'):
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module(_part)
