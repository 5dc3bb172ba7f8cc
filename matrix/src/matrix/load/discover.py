"""Which load fits a model, and running it."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import pathlib
import secrets
import types
from collections.abc import Callable
from typing import TypeAlias

from matrix import model
from matrix.history import journal, notes
from matrix.judge import histories
from matrix.juju import link
from matrix.load import external, http, load, openloop, openstack, record, spec, sql

Own: TypeAlias = external.Python | external.Executable
Ready = Callable[['openloop.Clients | record.Record'], None]


@dataclasses.dataclass(frozen=True)
class NoLoad:
    """Nothing can use this model; `why` is the sentence that says so."""

    why: str


async def find(
    model_link: link.Link,
    *,
    bundle: pathlib.Path,
    said: spec.Spec,
    run: str,
    facade: object = None,
    load_file: Callable[[pathlib.Path], types.ModuleType] = external.load_file,
) -> load.Load | Own | NoLoad:
    """The load of a model: the first of these that there is.

    1. what the suite or tests/test.yaml names (`said`);
    2. the bundle's own tests/load.py, whose `load_of(link, run)` gives a `load.Load`: it runs at a set rate and
       reads back what it wrote, as those of matrix do;
    3. the bundle's own tests/end_to_end.py, then an executable tests/end_to_end;
    4. an OpenStack, where there is a keystone that gives its administrator's password;
    5. every open port that speaks HTTP.

    Args:
        model_link: the model, settled.
        bundle: the bundle's folder.
        said: what is said of the load.
        run: the run's id; what is made carries it, with letters for this load: several may follow one another in a run.
        facade: what `end_to_end` is given as its model.
        load_file: loads a Python file of the bundle's.

    Raises:
        model.InfraFailure: tests/load.py gives no load.
    """
    own_run = f'{run}-{secrets.token_hex(3)}'
    if said.use == 'none':
        return NoLoad(notes.NO_LOAD_WANTED)
    if said.use == 'http' and said.http:
        return http.Http(said.http, model_link, own_run)
    if said.use == 'sql' and said.sql is not None:
        return sql.Sql(said.sql, model_link, own_run)
    if said.use in {'auto', 'load'} and (path := bundle / 'tests' / 'load.py').is_file():
        return _load_of(path, model_link, own_run, load_file)
    if said.use in {'auto', 'end_to_end'}:
        own = _own(bundle / 'tests', model_link, facade, load_file)
        if own is not None:
            return own
    if said.use in {'auto', 'openstack'} and openstack.fits(model_link.now()):
        return openstack.OpenStack(model_link, own_run, things=said.openstack)
    if said.use in {'auto', 'http'}:
        found = await http.discover(model_link)
        if found:
            return http.Http(found, model_link, own_run)
    return NoLoad(_why(said))


async def go(
    found: load.Load | Own | NoLoad,
    *,
    said: spec.Spec,
    seed: int,
    write: openloop.Write,
    log: logging.Logger,
    ready: Ready = lambda _: None,
) -> None:
    """Run what was found until cancelled; where there is no load, only wait.

    `ready` is given what counts the operations (`tried`, `worked`), and for a load of ours can `read_back`.

    Raises:
        model.TestFailure: the bundle's own load ended by itself, or the bundle refuses what a load needs.
        model.InfraFailure: the bundle's own load cannot be started, or Juju does not give what a load needs.
    """
    if isinstance(found, NoLoad):
        write(journal.Note(notes.LOAD_NONE, found.why))
        log.info(found.why)
        await asyncio.Event().wait()
    elif isinstance(found, external.Python | external.Executable):
        own = record.Record(write)
        ready(own)
        await found.run(own, log)
    else:

        def note_left(what: journal.What) -> None:
            write(what)
            if isinstance(what, journal.Note) and what.kind == notes.LOAD_LEFT:
                for one in openloop.left_of(what.value):
                    log.warning('not removed: %s', one)

        try:
            await openloop.run(
                found,
                rate=said.profile,
                seed=seed,
                write=note_left,
                arrivals=said.arrivals,
                ready=ready,
            )
        except load.Refused as refused:
            raise model.TestFailure(found, f'no load: {refused}') from refused
        except link.LinkError as error:
            raise model.InfraFailure(f'no load: {error}') from error


def _own(
    tests: pathlib.Path,
    model_link: link.Link,
    facade: object,
    load_file: Callable[[pathlib.Path], types.ModuleType],
) -> Own | None:
    if (path := tests / 'end_to_end.py').is_file():
        return external.Python(path, facade, load_file)
    path = tests / 'end_to_end'
    if path.is_file() and os.access(path, os.X_OK):
        return external.Executable(path.resolve(), model_link.model)
    return None


def _load_of(
    path: pathlib.Path,
    model_link: link.Link,
    run: str,
    load_file: Callable[[pathlib.Path], types.ModuleType],
) -> load.Load:
    try:
        found = load_file(path).load_of(model_link, run)
    except Exception as error:
        why = f'{path.name} cannot be used: {type(error).__name__}: {error}'
        raise model.InfraFailure(why) from error
    parts = ('sentence', 'secrets', 'writes', 'prepare', 'close')
    if missing := [one for one in parts if not hasattr(found, one)]:
        what = f'load_of gives {type(found).__name__}, which has no {" and no ".join(missing)}'
        raise model.InfraFailure(f'{path.name} cannot be used: {what}')
    if why := histories.wrong(getattr(found, 'models', None) or {}):
        raise model.InfraFailure(f'the models of {path.name}: {why}')
    return found


def _why(said: spec.Spec) -> str:
    wanted = {
        'auto': "nothing used the bundle: it has no tests/load.py or tests/end_to_end.py, no 'load' in "
        'tests/test.yaml, no keystone, and no open port that speaks HTTP',
        'load': 'nothing used the bundle: it has no tests/load.py',
        'end_to_end': 'nothing used the bundle: it has neither tests/end_to_end.py nor an executable tests/end_to_end',
        'sql': "nothing used the bundle: 'load' in tests/test.yaml has no 'sql'",
        'openstack': 'nothing used the bundle: it has no keystone',
        'http': 'nothing used the bundle: no open port of it speaks HTTP',
    }
    return wanted[said.use]
