"""What a controller may ask of machines, whatever they are made of.

Two kinds serve it: ``podman.PodmanMachines`` (system containers) and ``process.ProcessMachines`` (plain processes
in a private folder, for tests and simulation). A machine is named by its model's uuid and its id.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from jujulet.core import charm, model

AGENT_SOCKET = 'agent.socket'
"""Name of the socket in ``run_dir`` to which a machine's agent connects; the controller listens on it."""

RUN = '/var/lib/juju/run'
"""Where ``run_dir`` is, seen from within the machine (below :meth:`Machines.prefix`)."""


class MachineError(Exception):
    """A machine could not be made, started or kept. The text says what failed and what to do, for people."""


class LayerGone(MachineError):  # noqa: N818 -- what happened
    """The install layer that a machine should start from can no longer be used, and is forgotten: start without."""


def _empty() -> dict[str, Any]:
    return {}


@dataclasses.dataclass(frozen=True)
class MachineSpec:
    """Everything that a machine is made from."""

    model: str
    """The model's uuid."""
    model_name: str
    id: str
    base: charm.Base
    hostname: str
    layer: str = ''
    """Key of the install layer to start from; empty for the bare base."""
    addresses: tuple[model.Address, ...] = ()
    spaces: Mapping[str, model.Space] = dataclasses.field(default_factory=_empty)
    """All spaces of the model: networks of others are in the way."""
    constraints: Mapping[str, Any] = dataclasses.field(default_factory=_empty)
    """``cores`` and ``mem`` (MiB) become limits; the rest is not for us."""
    lsb_release: str = ''
    """What ``/etc/lsb-release`` is to say; empty: what it says by itself, if it is there."""
    ssh_keys: tuple[str, ...] = ()
    """Public keys that may log in as ``ubuntu``."""
    devices: tuple[charm.Device, ...] = ()
    cpu_shares: int = 1024
    """How much of busy processors it gets beside other machines; each has 1024 by itself."""
    modules: tuple[str, ...] = ()
    """Kernel modules that the host is to have before the machine starts."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """What an install hook left on a machine's file system, kept for the next one."""

    key: str
    base: str
    size: int
    """Bytes of its files; those still shared with the machine that it came from take no room twice."""
    created: float
    used: float
    """When it was last started from; seconds since the epoch."""


def unknown(model: str, machine: str) -> MachineSpec | None:
    """Machines are started as they were made, as long as nobody can be asked."""
    del model, machine
    return None


class Machines(Protocol):
    """The verbs. All may be called at the same time for different machines; not for one and the same.

    Every coroutine that says *idempotent* may be repeated after the controller was killed in mid-call.
    """

    kind: Literal['container', 'process']
    current: Callable[[str, str], MachineSpec | None]
    """What a machine is to be made from now; None once it is not wanted. Asked at each start: see :func:`unknown`."""

    async def ensure(self, spec: MachineSpec, progress: Callable[[str], None]) -> None:
        """Make the machine, or start it, or leave it running as it is; idempotent.

        Returns once its agent can be expected to connect (it may already have). The controller must listen on
        ``run_dir/agent.socket`` before calling. ``progress`` takes one short line for ``machine-status``.
        A machine whose system restarted by itself (``reboot`` within) is started again without being asked.

        Raises:
            LayerGone: its layer cannot be used; ask again without.
            MachineError: it could not be made; nothing half made is left behind.
        """
        ...

    async def destroy(self, model: str, machine: str) -> None:
        """Take a machine down at once and remove all of it; idempotent."""
        ...

    async def destroy_model(self, model: str) -> None:
        """Remove what is left of a model: machines, networks, folders; idempotent."""
        ...

    async def reboot(self, model: str, machine: str) -> None:
        """Restart its system. Its agent reconnects with a boot counter one higher."""
        ...

    async def stop(self, model: str, machine: str) -> None:
        """Cut its power: no process in it gets a warning. It stays so until :meth:`start`."""
        ...

    async def start(self, model: str, machine: str) -> None:
        """Start a machine that was stopped."""
        ...

    async def revive(self, model: str, machine: str) -> str:
        """Start the agent of a machine that is not heard of, if that alone has died: no boot of its system.

        The answer is empty, or what keeps it away and which command helps, for people.
        """
        ...

    def given(self, model: str, machine: str) -> dict[str, bool]:
        """Devices (by path) and kernel modules that it was to have at its last start, and whether the host has them."""
        ...

    def root(self, model: str, machine: str) -> Path:
        """Its file system, seen from the host. Valid while the machine exists and was ensured."""
        ...

    def run_dir(self, model: str, machine: str) -> Path:
        """The host's side of :data:`RUN`, made (mode 0700) if need be. Short enough for socket addresses."""
        ...

    def prefix(self, model: str, machine: str) -> str:
        """What to put before a machine's path to name it from within: empty, but for process machines."""
        ...

    def enter(
        self,
        model: str,
        machine: str,
        argv: tuple[str, ...],
        *,
        user: str = 'root',
        tty: bool = False,
    ) -> tuple[str, ...]:
        """The command line that runs *argv* in the machine from the host, as ``juju ssh`` needs it."""
        ...

    async def keep_layer(self, model: str, machine: str, key: str) -> None:
        """Keep what is on its file system as a layer; an existing one of that key stays.

        The machine is frozen while it is taken, and runs again when this returns; nothing that it does then shows in
        the layer. Layers are completed in the background: until then, or if that fails, :meth:`layers` is without it.

        ``/var/lib/juju/agents`` is kept with it; run directory, logs, identity and host keys are not.

        Raises:
            MachineError: it could not be kept; the machine runs on.
        """
        ...

    def layers(self) -> list[Layer]:
        """Layers that can be used, oldest use first."""
        ...

    async def drop_layer(self, key: str) -> None:
        """Forget a layer; idempotent. Machines made from it keep working."""
        ...

    async def drop_bases(self) -> int:
        """Remove the bases on which no machine and no layer stands; how many that were."""
        ...

    async def recover(self, alive: set[tuple[str, str]]) -> None:
        """Put right what an unclean end left behind; call once, before anything else.

        *alive* are the (model uuid, machine id) that should exist: what else is found is removed, and of these
        everything that pretends to run but does not is cleared, so that :meth:`ensure` brings them back.
        Machines that still run are left running.
        """
        ...
