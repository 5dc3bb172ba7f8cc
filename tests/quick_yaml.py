"""ops.testing reads and writes a charm's whole charmcraft.yaml for each hook: by libyaml, where PyYAML has it.

Of the time of a charm's tests, half went into PyYAML's Python. Only ops.testing is changed: our own code reads YAML
in its tests as it does on a machine.
"""

from __future__ import annotations

import functools
import types
from typing import Any, cast

import scenario._runtime
import scenario.state
import yaml

LOADER: Any = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
DUMPER: Any = getattr(yaml, 'CSafeDumper', yaml.SafeDumper)


def load(text: Any) -> Any:
    """What *text* says, as ``yaml.safe_load`` reads it."""
    return yaml.load(text, Loader=LOADER)  # noqa: S506


def dump(value: Any, stream: Any = None, **options: Any) -> Any:
    """*value* as YAML, as ``yaml.safe_dump`` writes it."""
    return cast('Any', yaml.dump_all([value], stream, Dumper=DUMPER, **options))


@functools.cache
def read(text: str) -> Any:
    """What *text* says, read once: nobody is to change it."""
    return load(text)


def quicken() -> None:
    """Have ops.testing use these. KeyError if it has come to use something else."""
    for module in (scenario.state, scenario._runtime):
        used: Any = vars(module)
        if used['yaml'] is yaml:
            used['yaml'] = types.SimpleNamespace(
                **{**vars(yaml), 'safe_load': load, 'safe_dump': dump}
            )
