"""The install cache: machines that start where another unit's install hook ended.

What the hook asked of its tools, and what it was told, is recorded. For a new unit the same calls are made again,
purely: only if every answer is the same is the layer used, and the calls' effects are the hook's
(``core.layers``). So the key of a layer is what the hook really read.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import Any

from .. import codec
from ..core import context as context_
from ..core import layers, lifecycle, modelconfig, operations
from ..core import model as model_
from ..machines import files, protocol
from . import engine as engine_
from .toolsockets import ToolSockets

logger = logging.getLogger(__name__)


COMPLETION_S = 120.0
"""How long a layer that was taken may take until it can be used; behind that it is not waited for."""


class InstallCache:
    """Finds, replays and takes layers."""

    def __init__(self, engine: engine_.Engine):
        self._engine = engine
        self._claims: dict[str, tuple[str, str]] = {}
        """By family: model uuid and name of the unit whose install hook will bring a layer."""
        self._completing: dict[str, tuple[str, float]] = {}
        """By family: key of a layer that was taken and is not complete, and until when it is waited for."""

    def awaited(self, uuid: str, machine: str) -> str:
        """Name of the unit whose layer this machine should wait for; empty: it need not, and may be waited for itself.

        Machines for units of one charm that start together would each install the same, and each slower for the others.
        It is asked again and again by each machine that waits: while another unit installs, nothing is looked up on the
        disk. So whoever may start from a layer that is there already asks :meth:`layer_for` first.
        """
        unit = self._candidate(uuid, machine)
        if unit is None:
            return ''
        family = layers.family(self._engine.models[uuid], unit.name)
        holder = self._claims.get(family)
        if holder and holder != (uuid, unit.name):
            if self._installing(*holder):
                return holder[1]
            key, until = self._completing.get(family, ('', 0.0))
            if self._engine.clock() < until and key not in self._keys(uuid):
                return holder[1]
        if not self.layer_for(uuid, machine):
            self._claims[family] = (uuid, unit.name)
        return ''

    def _installing(self, uuid: str, unit: str) -> bool:
        model = self._engine.models.get(uuid)
        found = model.units.get(unit) if model else None
        if model is None or found is None or found.agent.installed or found.agent.step == 'failed':
            return False
        return model.machines[found.machine].phase in ('pending', 'started')

    def _candidate(self, uuid: str, machine: str) -> model_.Unit | None:
        """The one new unit of *machine*, if nothing but its install hook will make the machine what it is."""
        model = self._engine.models[uuid]
        units = [u for u in model.units.values() if u.machine == machine]
        if not model.machines[machine].exclusive or len(units) != 1 or not _fit(model, units[0]):
            return None
        return units[0]

    def _keys(self, uuid: str) -> set[str]:
        return {layer.key for layer in self._engine.machines_of(uuid).layers()}

    def layer_for(self, uuid: str, machine: str) -> str:
        """Key of a layer that the one new unit of *machine* can start from; empty if there is none."""
        unit = self._candidate(uuid, machine)
        if unit is None:
            return ''
        model = self._engine.models[uuid]
        there = self._keys(uuid)
        wanted = layers.family(model, unit.name)
        for key, body in self._engine.store.layers().items():
            if key in there and body['family'] == wanted:
                recording = _recording(body)
                if recording and self._replayed(model, unit, recording):
                    return key
        return ''

    def _replayed(
        self, model: model_.Model, unit: model_.Unit, recording: layers.Recording
    ) -> bool:
        now = self._engine.clock()
        hook = operations.RunHook(unit.name, unit.machine, model_.Hook('install'))
        begun, context = lifecycle.begin(model, hook, 'probe', now)
        return layers.replay(begun, context, recording, now) is not None

    def replay(self, uuid: str, context: context_.Context, sockets: ToolSockets) -> bool:
        """Let the recorded calls stand for the hook, if its machine was made from a layer. False: run it."""
        model = self._engine.models[uuid]
        unit = model.units[context.unit]
        key = model.machines[unit.machine].layer
        body = self._engine.store.layers().get(key) if key else None
        if body is None:
            return False
        recording = _recording(body)
        replayed = recording and layers.replay(model, context, recording, self._engine.clock())
        if replayed is None:
            return False
        model, context = replayed
        self._engine.update(uuid, lambda _: model)
        sockets.replace(context)
        return True

    def wants(self, uuid: str, unit: str) -> bool:
        """Whether this unit's install hook is worth recording."""
        model = self._engine.models[uuid]
        machine = model.machines[model.units[unit].machine]
        return machine.exclusive and not machine.layer and _fit(model, model.units[unit])

    async def keep(self, uuid: str, unit: str, recording: layers.Recording) -> None:
        """Keep the machine as the hook left it. A failure costs the cache, never the unit."""
        model = self._engine.models[uuid]
        machine = model.units[unit].machine
        family = layers.family(model, unit)
        key = secrets.token_hex(16)
        machines = self._engine.machines_of(uuid)
        root = machines.root(uuid, machine)
        mark = f'var/lib/juju/agents/unit-{unit.replace("/", "-")}/.layer'
        try:
            files.write(root, mark, '')
            await machines.keep_layer(uuid, machine, key)
            self._completing[family] = (key, self._engine.clock() + COMPLETION_S)
        except (OSError, protocol.MachineError) as error:
            logger.warning('no layer was kept of %s: %s', unit, error)
            return
        finally:
            files.remove(root, mark)
        charm = model.charm_of(model.units[unit].application)
        self._engine.store.put_layer(
            key,
            {
                'family': family,
                'recording': codec.encode(recording),
                'about': {'charm': charm.name, 'base': str(model.machines[machine].base)},
            },
        )


def _recording(body: Mapping[str, Any]) -> layers.Recording | None:
    """What was recorded of a layer's hook; None if another version did so and says more than this one knows."""
    try:
        return codec.decode(layers.Recording, body['recording'])
    except (ValueError, TypeError, KeyError):
        return None


def _fit(model: model_.Model, unit: model_.Unit) -> bool:
    """Whether nothing but the install hook can have made the machine what it is after it."""
    return (
        model.machines_kind == 'container'
        and modelconfig.get(model, 'install-cache') is not False
        and not unit.principal
        and not any(s.owner == unit.name for s in model.storage.values())
    )
