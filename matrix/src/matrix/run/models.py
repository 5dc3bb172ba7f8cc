"""The models of a run: made when they are needed, gone when they are not."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import secrets
from collections.abc import Mapping

from matrix.juju import link, live
from matrix.run import options

_LOG = logging.getLogger('matrix')


@dataclasses.dataclass
class Models:
    """Makes models with names from the prefix; with `-m`, all there is is that one, and it stays.

    `spaces` are made in each, by name with their subnets.
    """

    options: options.Options
    session: live.Session
    spaces: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    made: list[str] = dataclasses.field(default_factory=list[str])

    @property
    def given(self) -> bool:
        """Whether the user gave a model: then none is made or destroyed."""
        return self.options.model is not None

    async def get(self) -> str:
        """A model for a test: the user's, or a new one with its spaces.

        Raises:
            link.LinkError: it cannot be made; what was made of it is gone again.
        """
        asked = self.options
        if asked.model is not None:
            controller = asked.controller if ':' not in asked.model else None
            return f'{controller}:{asked.model}' if controller else asked.model
        # A part of its own, so that runs side by side do not meet.
        name = f'{asked.model_prefix}-{secrets.token_hex(3)}'
        found = await self._add(name)
        _LOG.info('model %s', found)
        try:
            for space, subnet in self.spaces.items():
                await self.session.cli(found, 'add-space', space, subnet)
        except link.LinkError:
            await self.release(found)
            raise
        return found

    async def _add(self, name: str) -> str:
        """To its end, even when the run is being ended: half a model would be left behind."""
        asked = self.options
        task = asyncio.create_task(
            self.session.add_model(name, asked.cloud, dict(asked.model_config))
        )
        try:
            found = await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            if task.exception() is None:
                self.made.append(task.result())
                await self.release(task.result())
            raise
        self.made.append(found)
        return found

    async def another(self, old: str) -> str:
        """A new model in place of one that nobody needs any more.

        Raises:
            link.LinkError: it cannot be made.
        """
        await self.release(old)
        return await self.get()

    async def release(self, name: str) -> None:
        """Destroy a model that was made here, unless models are to be kept; also when the run is being ended."""
        if name not in self.made or self.options.keep_models:
            return
        self.made.remove(name)
        task = asyncio.create_task(self.session.destroy_model(name))
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if error := task.exception():
            _LOG.error('model %s is left: %s', name, error)
