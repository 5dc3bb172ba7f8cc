"""How a load of a bundle's own says what it does, so that it is judged as any other.

In `tests/end_to_end.py`:

    from matrix.load import record

    WRITES = [('put', 'get')]              # 'get' reads back what 'put' wrote
    NOTHING = [('get', 'get of nothing')]  # what was never written: true when it rightly is not there

    async def end_to_end(model, logger):
        while True:
            with record.operation('put', value=key):
                await put(key)                     # an exception: nobody knows whether it happened
            with record.operation('get', value=key) as op:
                op.value = await is_there(key)     # False: it is lost
            await asyncio.sleep(0.1)

`raise record.Refused('http 409')` says that it certainly did not happen. Where no run is going on, nothing is written.
"""

from __future__ import annotations

import collections
import contextlib
import contextvars
import dataclasses
import itertools
from collections.abc import Callable, Generator

from matrix.grammar import located
from matrix.history import journal
from matrix.load import load, outcome

Refused = load.Refused

_NUMBERS = itertools.count(1)


@dataclasses.dataclass
class Operation:
    """What an operation came to; set what is known before its block ends."""

    value: located.Plain = None
    endpoint: str = ''
    request: str = ''


@dataclasses.dataclass
class Record:
    """Where operations are written, and how many there were."""

    write: Callable[[journal.What], object]
    tried: int = 0
    worked: int = 0
    kinds_tried: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter[str]
    )
    kinds_worked: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter[str]
    )

    def put(self, operation: journal.Operation) -> None:
        """Write one edge."""
        self.tried += operation.phase == 'invoke'
        self.worked += operation.phase == 'ok'
        self.kinds_tried[operation.kind] += operation.phase == 'invoke'
        self.kinds_worked[operation.kind] += operation.phase == 'ok'
        self.write(operation)


current: contextvars.ContextVar[Record | None] = contextvars.ContextVar('record', default=None)


@contextlib.contextmanager
def operation(
    kind: str,
    value: located.Plain = None,
    endpoint: str = '',
    *,
    swallow: bool = False,
    process: str = '',
) -> Generator[Operation]:
    """One operation, from the beginning of the block to its end.

    Args:
        kind: what is done; a word that stays the same.
        value: what is written, or asked for.
        endpoint: who is asked.
        process: which client asks: what it sees is never to be less than it saw before.
        swallow: an exception ends the block and goes no further: the load goes on.
    """
    record, doing = current.get(), Operation(endpoint=endpoint)
    invoke = journal.Operation(f'own.{next(_NUMBERS)}', kind, 'invoke', process, value, endpoint)
    if record is not None:
        record.put(invoke)
    try:
        yield doing
    except Exception as error:
        if record is not None:
            record.put(outcome.ended(invoke, error))
        if not swallow:
            raise
    except BaseException:
        if record is not None:
            record.put(journal.Operation(invoke.id, kind, 'info', error=outcome.STOPPED))
        raise
    else:
        if record is not None:
            record.put(
                journal.Operation(
                    invoke.id, kind, 'ok', '', doing.value, doing.endpoint, doing.request
                )
            )
