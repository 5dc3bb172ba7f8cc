"""A load of the bundle's own: `tests/end_to_end.py`, or an executable `tests/end_to_end`.

It goes on until it is stopped; one that ends by itself has failed, as juju-solutions/matrix documents it. It may say
what it does (`record.py`, or lines of JSON from an executable), and is then judged as any other load.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import json
import logging
import pathlib
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from matrix import model, programs
from matrix.grammar import located
from matrix.history import journal, notes
from matrix.judge import histories
from matrix.load import record

_WORDS = ('endpoint', 'request', 'error')


def load_file(path: pathlib.Path) -> types.ModuleType:
    """The module of a bundle's file, without regard to other packages that are called `tests`.

    Raises:
        Exception: whatever the file raises.
    """
    name = f'matrix_bundle_{path.stem}'
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise ImportError(f'{path.name} is not a module')
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    return module


@dataclasses.dataclass
class Python:
    """`async def end_to_end(model, logger)` of a bundle's file."""

    path: pathlib.Path
    facade: object
    load_file: Callable[[pathlib.Path], types.ModuleType] = load_file

    @property
    def sentence(self) -> str:
        """What it does, for people."""
        return f"the bundle's own tests/{self.path.name}"

    async def run(self, said: record.Record, log: logging.Logger) -> None:
        """Go on until cancelled.

        Raises:
            model.TestFailure: it ended by itself, or raised.
            model.InfraFailure: there is no such function, the file cannot be loaded, or says of itself what is wrong.
        """
        try:
            module = self.load_file(self.path)
            function: Any = module.end_to_end
        except Exception as error:
            why = f'{self.path.name} cannot be used: {type(error).__name__}: {error}'
            raise model.InfraFailure(why) from error
        names = ('WRITES', 'MODELS', 'NOTHING')
        _announce(said, self, {name.lower(): getattr(module, name, None) for name in names})
        token = record.current.set(said)
        try:
            await function(self.facade, log)
        except Exception as error:
            why = f'{self.path.name} ended: {type(error).__name__}: {error}'
            raise model.TestFailure(self, why) from error
        finally:
            record.current.reset(token)
        raise model.TestFailure(self, f'{self.path.name} returned, and should go on')


@dataclasses.dataclass
class Executable:
    """A program; its first argument is the name of the model."""

    path: pathlib.Path
    model: str

    @property
    def sentence(self) -> str:
        """What it does, for people."""
        return f"the bundle's own tests/{self.path.name}"

    async def run(self, said: record.Record, log: logging.Logger) -> None:
        """Go on until cancelled; then end it and all its children.

        Raises:
            model.TestFailure: it ended by itself.
            model.InfraFailure: it cannot be started, or what it says of itself is wrong.
        """
        _announce(said, self, {})
        lines = _Lines(said, self)
        try:
            async with (
                programs.running(
                    str(self.path), self.model, cwd=self.path.parent.parent
                ) as process,
                asyncio.TaskGroup() as group,
            ):
                group.create_task(
                    programs.follow(process.stdout, lambda one: _heard(one, lines, log))
                )
                group.create_task(programs.follow(process.stderr, log.error))
                code = await process.wait()
        except OSError as error:
            raise model.InfraFailure(f'{self.path.name} cannot be started: {error}') from error
        except ExceptionGroup as several:
            if (wrong := several.subgroup(model.InfraFailure)) is None:
                raise
            raise wrong.exceptions[0] from several
        raise model.TestFailure(self, f'{self.path.name} exited with {code}, and should go on')


@dataclasses.dataclass
class _Lines:
    """Turns lines of JSON into operations."""

    said: record.Record
    whose: Executable
    open: set[str] = dataclasses.field(default_factory=set[str])

    def take(self, line: dict[str, Any]) -> None:
        """One line. ValueError says what is wrong with it."""
        if line.keys() & {'writes', 'models', 'nothing'}:
            _announce(self.said, self.whose, line)
            return
        kind, phase, name = (str(line.get(key, '')) for key in ('op', 'phase', 'id'))
        if not kind or phase not in {'invoke', 'ok', 'fail', 'info'} or not name:
            raise ValueError("an operation has 'op', 'id' and 'phase' (invoke, ok, fail or info)")
        endpoint, request, error = (str(line.get(key, '')) for key in _WORDS)
        process = str(line.get('process', ''))
        own = f'own.{name}'
        if phase != 'invoke' and own not in self.open:
            self.said.put(journal.Operation(own, kind, 'invoke', process, line.get('value')))
        (self.open.add if phase == 'invoke' else self.open.discard)(own)
        self.said.put(
            journal.Operation(
                own, kind, cast('Any', phase), process, line.get('value'), endpoint, request, error
            )
        )


def _heard(text: str, lines: _Lines, log: logging.Logger) -> None:
    if not text.startswith('{'):
        log.info(text)
        return
    try:
        lines.take(json.loads(text))
    except (ValueError, TypeError, AttributeError) as error:
        log.warning('not an operation (%s): %s', error, text[:200])


def _announce(said: record.Record, whose: Python | Executable, parts: Mapping[str, Any]) -> None:
    """Write down what a load says of itself: `writes`, `models`, `nothing`.

    Raises:
        model.InfraFailure: with what is wrong; what is not understood would not be judged.
    """
    models = cast('dict[str, located.Plain]', parts.get('models') or {})
    if why := histories.wrong(models):
        raise model.InfraFailure(f'MODELS of {whose.path.name}: {why}')
    value: dict[str, located.Plain] = {
        'kinds': [],
        'rate': 0,
        'sentence': whose.sentence,
        'writes': _pairs(parts, 'writes', whose),
        'nothing': _pairs(parts, 'nothing', whose),
        'own': True,
        'models': dict(models),
    }
    said.write(journal.Note(notes.LOAD, value))


def _pairs(parts: Mapping[str, Any], name: str, whose: Python | Executable) -> list[located.Plain]:
    some: object = parts.get(name)
    pairs: object = () if some is None else some
    if not isinstance(pairs, list | tuple):
        pairs = (pairs,)
    found: list[located.Plain] = []
    for pair in cast('Iterable[object]', pairs):
        both = cast('Sequence[object]', pair) if isinstance(pair, list | tuple) else ()
        if len(both) != 2 or not all(isinstance(one, str) and one for one in both):
            raise model.InfraFailure(
                f'{name.upper()} of {whose.path.name} is pairs of kinds of operation, as in [("put", "get")], '
                f'not {some!r}'
            )
        found.append([str(one) for one in both])
    return found
