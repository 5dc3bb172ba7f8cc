"""Reads the word of each unit in turn, for ever."""

# pyright: basic
import asyncio
import itertools

from matrix.load import record


async def end_to_end(model, logger):
    """The load: a word that is not there is an operation that failed."""
    for unit in itertools.cycle(model.applications['shelf'].units):
        with record.operation('read', swallow=True):
            done = await unit.run('cat "$HOME/word"')
            if done.status != 'completed':
                raise record.Refused('no word')
        await asyncio.sleep(0.2)
