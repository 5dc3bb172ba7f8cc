"""Puts the parts of the controller together, and runs them until they are told to stop."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import pathlib
import signal
import sys

from .. import paths
from ..core import operations
from ..machines import podman, process
from . import engine, hookrun, installcache, provision, questions, server, store, toolsockets

logger = logging.getLogger(__name__)


async def serve(folder: pathlib.Path) -> None:
    """Serve *folder* until SIGTERM, SIGINT or the question ``stop-controller``. Machines are left running."""
    store_ = store.Store(paths.database(folder))
    machines = {
        'container': podman.PodmanMachines(folder),
        'process': process.ProcessMachines(folder),
    }
    engine_ = engine.Engine(store_, machines)
    cache = installcache.InstallCache(engine_)
    provision_ = provision.Provision(engine_, cache)
    sockets = toolsockets.ToolSockets(engine_)
    provision_.on_listen = sockets.listen_all
    hooks = hookrun.HookRun(engine_, provision_, sockets, cache, folder)
    engine_.carry.update(
        {
            operations.StartMachine: provision_.start,
            operations.DestroyMachine: provision_.destroy,
            operations.RebootMachine: provision_.reboot,
            operations.DeployCharm: hooks.deploy,
            operations.AttachStorage: hooks.attach_storage,
            operations.RunHook: hooks.run,
        }
    )
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    hooks.recover()
    server_ = server.Server(folder, questions.Questions(engine_, stopped.set).table())
    await server_.start()
    logger.info('serving %d models', len(engine_.models))
    engine_.spawn(_begin(engine_, provision_))
    await stopped.wait()
    await server_.stop()
    await engine_.stop()
    await provision_.stop()
    store_.close()


async def _begin(engine_: engine.Engine, provision_: provision.Provision) -> None:
    """Find out what is there, while questions are answered already; then let work begin."""
    await provision_.recover()
    engine_.start()


def main() -> int:
    """Run the controller of the folder that is the one argument. Exit code 1: it could not start."""
    folder = pathlib.Path(sys.argv[1])
    logging.basicConfig(
        level=logging.INFO,
        format='%(asctime)s %(levelname)s %(name)s: %(message)s',
        stream=sys.stderr,
    )
    os.umask(0o077)
    with open(paths.lock(folder), 'w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0  # Another one was quicker: whoever started us will find that one.
        try:
            asyncio.run(serve(folder))
        except store.NewerStore as error:
            print(error, file=sys.stderr)
            return 1
    return 0
