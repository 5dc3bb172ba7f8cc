"""ops.testing reads and writes a charm's whole charmcraft.yaml for each hook: here by libyaml, and once.

Of the time of a charm's tests, half went into YAML. What was read or written before is copied by pickle, so whoever
changes it changes his own. Only ops.testing is changed, and ops where it reads for it: our own code reads YAML in its
tests as it does on a machine. Its scratch folders, two for each hook, are in memory where there is a place for that.
"""

from __future__ import annotations

import functools
import os
import pickle
import tempfile
import types
from typing import Any, cast

import ops._private.yaml
import scenario._runtime
import scenario.state
import yaml

LOADER: Any = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
DUMPER: Any = getattr(yaml, 'CSafeDumper', yaml.SafeDumper)
MEMORY = '/dev/shm'


def load(text: Any) -> Any:
    """What *text* says, as ``yaml.safe_load`` reads it."""
    return pickle.loads(_pickled(text)) if isinstance(text, str) else _load(text)  # noqa: S301


def dump(value: Any, stream: Any = None, **options: Any) -> Any:
    """*value* as YAML, as ``yaml.safe_dump`` writes it."""
    if stream is None and not options:
        return _written(pickle.dumps(value))
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
    used = cast('Any', vars(ops._private.yaml))
    if used['safe_load'] is not load:
        used['safe_load'] = load
    used = cast('Any', vars(scenario._runtime))
    if used['tempfile'] is tempfile and os.access(MEMORY, os.W_OK | os.X_OK):
        folder = functools.partial(tempfile.TemporaryDirectory[str], dir=MEMORY)
        used['tempfile'] = types.SimpleNamespace(
            **{**vars(tempfile), 'TemporaryDirectory': folder}
        )


def _load(text: Any) -> Any:
    return yaml.load(text, Loader=LOADER)  # noqa: S506


@functools.lru_cache(1000)
def _pickled(text: str) -> bytes:
    return pickle.dumps(_load(text))


@functools.lru_cache(1000)
def _written(pickled: bytes) -> str:
    value = pickle.loads(pickled)  # noqa: S301
    return yaml.dump_all([value], None, Dumper=DUMPER)
