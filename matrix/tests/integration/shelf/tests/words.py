"""A task of the bundle's own, as it was written for juju-solutions/matrix."""

# pyright: basic, reportCallIssue=false
import asyncio

from matrix.model import TestFailure


async def put(context, rule, task, event=None):
    """Give every unit its word."""
    for unit in context.juju_model.applications['shelf'].units:
        done = await unit.run(f'echo {task.args["word"]} > "$HOME/word"')
        if done.status != 'completed':
            raise TestFailure(task, f'{unit.name} keeps no word')
    await asyncio.sleep(0.1, loop=context.loop)
    return True
