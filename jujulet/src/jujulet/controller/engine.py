"""Holds the models, starts what is due, and tells the core how it ended.

The core decides everything; this loop only asks ``schedule.due`` after each change and each end, and at the
times that ``schedule.wake_at`` names. One thread: a change is never seen half done.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any

from ..core import agenda as agenda_
from ..core import backoff, crossmodel, debugging, operations, schedule
from ..core import model as model_
from ..machines import protocol
from . import error_messages, fair_queue
from . import store as store_

logger = logging.getLogger(__name__)

BACKOFF_S = 5.0
"""How long a model rests that could not be removed."""

LONGEST_REST_S = 60.0
"""How long a machine rests at most that could not be started, restarted or removed: nothing else is done with it."""

_OF_MACHINES = (operations.StartMachine, operations.DestroyMachine, operations.RebootMachine)

Carry = Callable[[str, Any], Awaitable[None]]
"""Carries out one operation of the model with that uuid, to its end."""


class Engine:
    """The models of one user, and what is being done for them at this moment."""

    def __init__(
        self,
        store: store_.Store,
        machines: Mapping[str, protocol.Machines],
        *,
        clock: Callable[[], float] = time.time,
    ):
        self.store = store
        self.machines = machines
        """By ``Model.machines_kind``."""
        self.clock = clock
        self.models: dict[str, model_.Model] = {m.uuid: m for m in store.load()}
        self.changed = Signal()
        """Fires after every change of any model, and every line of a log."""
        self.carry: dict[type, Carry] = {}
        """What carries out each kind of operation; filled by ``service.build``."""
        self.removing: set[str] = set()
        """Models of which nothing more is started or heard: they go, or this process does."""
        self.debugging: dict[tuple[str, str], debugging.Session] = {}
        """By model and unit: what a user wants to run by hand."""
        self.on_remove: Callable[[str], None] = _nobody
        """Told the uuid of a model that goes, before its machines do."""
        self._busy: dict[str, set[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._model_tasks: dict[str, set[asyncio.Task[None]]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._pumps: set[str] = set()
        self._turns = fair_queue.Turns(self._turn_freed)
        self._refused: set[str] = set()
        """Models of which a hook waits for its turn."""
        self._started = False
        self._attempts: dict[tuple[str, str], int] = {}
        """By model and machine: how often in a row something with the machine itself went wrong."""

    def machines_of(self, uuid: str) -> protocol.Machines:
        """What makes the machines of a model."""
        return self.machines[self.models[uuid].machines_kind]

    def update(
        self,
        uuid: str,
        change: Callable[[model_.Model], model_.Model],
        lines: Iterable[store_.LogLine] = (),
    ) -> model_.Model:
        """Replace a model by what *change* makes of it, on disk first; then look what is due."""
        old = self.models[uuid]
        new = change(old)
        lines = tuple(lines)
        if new is not old:
            self.store.save(old, new, lines)
            self.models[uuid] = new
            self.pump_soon(uuid)
            self._carry_across(uuid)
        elif lines:
            self.store.log(uuid, lines)
        self.changed.fire()
        return self.models[uuid]

    def _carry_across(self, uuid: str) -> None:
        """Tell models that are related to this one what it has said, and they theirs, until all is passed on."""
        waiting = [uuid]
        while waiting:
            model = self.models[waiting.pop()]
            pairs = [(model.uuid, other) for other in crossmodel.offerers(model)]
            pairs += [(other, model.uuid) for other in crossmodel.consumers(model)]
            for consumer, offerer in pairs:
                if consumer not in self.models or offerer not in self.models:
                    continue
                before = self.models[consumer], self.models[offerer]
                after = crossmodel.synchronise(*before, self.clock())
                waiting += [
                    new.uuid for old, new in zip(before, after, strict=True) if self._put(old, new)
                ]

    def _put(self, old: model_.Model, new: model_.Model) -> bool:
        """Keep what a model has become by another's doing; whether that is anything."""
        if new is not old:
            self.store.save(old, new)
            self.models[new.uuid] = new
            self.pump_soon(new.uuid)
        return new is not old

    def _part(self, gone: str) -> None:
        """Tell models that were related to one that is no more."""
        now = self.clock()
        for other in list(self.models.values()):
            if any(remote.model == gone for remote in other.remotes.values()):
                left = crossmodel.without_offerer(other, gone, now)
                self._put(other, crossmodel.without_consumer(left, gone, now))

    def add(self, model: model_.Model) -> None:
        """Take in a new model."""
        self.store.save(None, model)
        self.models[model.uuid] = model
        self.changed.fire()

    def take(self, model: model_.Model) -> None:
        """Keep a model that came from elsewhere, new or in place of the one of its uuid."""
        self.store.save(self.models.get(model.uuid), model)
        self.models[model.uuid] = model

    def log(self, uuid: str, entity: str, level: str, module: str, *messages: str) -> None:
        """Append to a model's debug log."""
        if uuid in self.models:
            now = self.clock()
            lines = [store_.LogLine(now, entity, level, module, m) for m in messages]
            try:
                self.store.log(uuid, lines)
            except sqlite3.Error as error:  # A full disk: what is logged is not worth a hook.
                logger.error('%d lines of the log are lost: %s', len(lines), error)
            self.changed.fire()

    def occupied(self, uuid: str) -> frozenset[str]:
        """Machines on which something is being done."""
        return frozenset(self._busy.get(uuid, ()))

    def pump_soon(self, uuid: str) -> None:
        """Look what is due, once what is being done at this moment is done."""
        if self._started and uuid not in self._pumps:
            self._pumps.add(uuid)
            asyncio.get_running_loop().call_soon(self._pump, uuid)

    def _pump(self, uuid: str) -> None:
        self._pumps.discard(uuid)
        model = self.models.get(uuid)
        if model is None or uuid in self.removing:
            return
        if model.life != 'alive' and (model.force or _empty(model)):
            self.removing.add(uuid)
            self.spawn(self._remove(uuid))
            return
        now = self.clock()
        busy = self._busy.setdefault(uuid, set())
        model = schedule.aged(model, now)
        agenda = schedule.followed(model, frozenset(busy), now)
        for operation in schedule.without_hooks(model, agenda):
            self._begin(uuid, model, operation, _nothing)
        for hook in fair_queue.fair(model, agenda.hooks()) if self._turns.free else ():
            operation = agenda.anew(model, hook.machine, now)
            if operation is None:
                continue
            if not agenda_.is_hook(operation):
                self._begin(uuid, model, operation, _nothing)
            elif end := self._turns.take():
                self._begin(uuid, model, operation, end)
            else:
                break
        if not self._turns.free:
            self._refused.add(uuid)
        self._wake(uuid, schedule.wake_at(model, now), now)

    def _begin(
        self,
        uuid: str,
        model: model_.Model,
        operation: operations.Operation,
        end: Callable[[], None],
    ) -> None:
        """Have an operation carried out; *end* is called when it is over."""
        machine = _machine(model, operation)
        self._busy[uuid].add(machine)
        task = self.spawn(self._carry_out(uuid, machine, operation), uuid)
        task.add_done_callback(lambda _: end())

    def _turn_freed(self) -> None:
        refused, self._refused = self._refused, set()
        for uuid in refused:
            self.pump_soon(uuid)

    def _wake(self, uuid: str, at: float | None, now: float) -> None:
        if timer := self._timers.pop(uuid, None):
            timer.cancel()
        if at is not None:
            delay = max(at - now, 0.0) + 0.005  # Past the instant, whatever the clocks' grain.
            loop = asyncio.get_running_loop()
            self._timers[uuid] = loop.call_later(delay, self.pump_soon, uuid)

    async def _carry_out(self, uuid: str, machine: str, operation: operations.Operation) -> None:
        try:
            await self.carry[type(operation)](uuid, operation)
            self._attempts.pop((uuid, machine), None)
            if uuid in self.models:
                self.update(uuid, lambda m: backoff.over(m, operation))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # Whatever it was: nothing stays in hand for ever.
            await self._stumble(uuid, machine, operation, error)
        finally:
            self._busy.get(uuid, set()).discard(machine)
            if uuid in self.models:
                self.pump_soon(uuid)

    async def _stumble(
        self, uuid: str, machine: str, operation: operations.Operation, error: Exception
    ) -> None:
        """Tell of what should not be able to fail and has, and have it tried again after a while."""
        said = error_messages.sentence(error)
        logger.error('%s failed: %s', operation, said, exc_info=error)
        self.log(uuid, f'machine-{machine}', 'ERROR', 'jujulet.controller', f'{operation}: {said}')
        while uuid in self.models and uuid not in self.removing:
            now = self.clock()
            try:
                self.update(uuid, lambda m, now=now: backoff.met(m, operation, said, now))
                break
            except sqlite3.Error as full:  # The disk is: until it is not, nothing else can go on.
                logger.error('the store cannot be written: %s', full)
                await asyncio.sleep(BACKOFF_S)
        if isinstance(operation, _OF_MACHINES):
            attempts = self._attempts.get((uuid, machine), 0) + 1
            self._attempts[uuid, machine] = attempts
            await asyncio.sleep(min(backoff.pause(attempts), LONGEST_REST_S))

    def start(self) -> None:
        """From now on, do what is due."""
        self._started = True
        for uuid in self.models:
            self.pump_soon(uuid)

    async def stop(self) -> None:
        """Let go of everything that is being done; units take it up again at the next start."""
        self.removing.update(self.models)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, work: Coroutine[Any, Any, None], uuid: str = '') -> asyncio.Task[None]:
        """Start work that nobody waits for; what is done for a model ends when the model goes."""
        task = asyncio.get_running_loop().create_task(work)
        for tasks in (self._tasks, *([self._model_tasks.setdefault(uuid, set())] if uuid else [])):
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        return task

    async def _remove(self, uuid: str) -> None:
        """Take down all that a dying model has on this host, then forget it."""
        tasks = list(self._model_tasks.pop(uuid, ()))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.on_remove(uuid)
        try:
            await self.machines_of(uuid).destroy_model(uuid)
        except Exception as error:  # Whatever it was: a model that goes must not hang for ever.
            unforeseen = not isinstance(error, protocol.MachineError)
            logger.error('model %s: %s', self.models[uuid].name, error, exc_info=unforeseen)
            self.log(uuid, 'controller-0', 'ERROR', 'jujulet.controller', str(error))
            await asyncio.sleep(BACKOFF_S)
            self.removing.discard(uuid)
            self.pump_soon(uuid)
            return
        self.store.save(self.models[uuid], None)
        del self.models[uuid]
        self._part(uuid)
        self._busy.pop(uuid, None)
        if timer := self._timers.pop(uuid, None):
            timer.cancel()
        self.removing.discard(uuid)
        self.changed.fire()


class Signal:
    """Lets any number of tasks wait for the next change."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def fire(self) -> None:
        """Wake all that wait."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait for the next change; False when *timeout* seconds went by without one."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout)
        except TimeoutError:
            return False
        return True


def _nothing() -> None:
    pass


def _nobody(_: str) -> None:
    pass


def _empty(model: model_.Model) -> bool:
    return not (model.machines or model.applications or model.units)


def _machine(model: model_.Model, operation: operations.Operation) -> str:
    """The machine that an operation occupies."""
    if isinstance(operation, operations.DeployCharm | operations.AttachStorage):
        return model.units[operation.unit].machine
    return operation.machine


def replaced(model: model_.Model, machine: str, **fields: Any) -> model_.Model:
    """*model* with other fields of one machine."""
    new = dataclasses.replace(model.machines[machine], **fields)
    return dataclasses.replace(model, machines=model_.put(model.machines, machine, new))
