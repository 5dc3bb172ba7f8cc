"""Puts the parts of the controller together, and runs them until they are told to stop."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import pathlib
import resource
import signal
import sqlite3
import sys
import time
from typing import Literal, cast

from .. import paths
from ..core import adoption, operations
from ..machines import podman, process
from . import (
    backups,
    engine,
    hookrun,
    installcache,
    provision,
    questions,
    server,
    store,
    strangers,
    toolsockets,
)

logger = logging.getLogger(__name__)


def opened(folder: pathlib.Path) -> store.Store:
    """The store of *folder*.

    Raises:
        store.Unusable: it is damaged, or another version's. The text names the last good copy.
    """
    try:
        found = store.Store(paths.database(folder))
        found.load()
        return found
    except store.Damaged as error:
        backup = backups.good(folder)
        if backup is None:
            raise store.Unusable(f'{error}; there is no backup of it') from None
        made = time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(backup.made))
        raise store.Unusable(
            f'{error}; the last good backup is of {made}: `jujulet restore {backup.path}`'
        ) from None


def meet_strangers(folder: pathlib.Path, engine_: engine.Engine, strangers_: Strangers) -> None:
    """Do with machines that the store does not know as was said.

    Raises:
        store.Unusable: nothing was said, and there are some.
    """
    known = {(u, i) for u, m in engine_.models.items() for i in m.machines}
    found = strangers.find(folder, known)
    if found and strangers_ == 'refuse':
        raise strangers.refuse(folder, found)
    if found and strangers_ == 'adopt':
        before = dict(engine_.models)
        for uuid, model in adoption.adopted(before, found, engine_.clock()).items():
            if model is not before.get(uuid):
                engine_.take(model)


Strangers = Literal['refuse', 'adopt', 'remove']
"""What becomes of machines that the store does not know."""


async def serve(folder: pathlib.Path, lock: int, strangers_: Strangers = 'refuse') -> None:
    """Serve *folder* until SIGTERM, SIGINT or the question ``stop-controller``. Machines are left running.

    It ends too once *lock*, the descriptor that holds the folder's lock, is no longer of the file that is there.

    Raises:
        store.Unusable: it is not to be worked with as it is.
    """
    store_ = opened(folder)
    machines = {
        'container': podman.PodmanMachines(folder),
        'process': process.ProcessMachines(folder),
    }
    engine_ = engine.Engine(store_, machines)
    meet_strangers(folder, engine_, strangers_)
    if engine_.models:
        try:
            backups.make_own(folder, engine_.clock())
        except (
            OSError,
            sqlite3.Error,
        ) as error:  # A full disk: models go on, and this is heard of.
            logger.warning('no backup of the store was made: %s', error)
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
    asked = questions.Questions(engine_, stopped.set).table()
    server_ = server.Server(folder, asked, lock, stopped.set)
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


MACHINE_AGENT_FILES = 64000
"""As many files as Juju's own agents may open (``LimitNOFILE`` of jujud's unit of systemd)."""


def allow_open_files() -> None:
    """Let this process open as many files as Juju's agents may, where the host allows it.

    A unit takes two or three; shells commonly allow 1,024, which is some 400 units.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = MACHINE_AGENT_FILES if hard == resource.RLIM_INFINITY else hard
    wanted = min(MACHINE_AGENT_FILES, allowed)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> int:
    """Run the controller of the folder that is the first argument; the second may say what strangers become.

    Exit code 1: it could not start.
    """
    folder = pathlib.Path(sys.argv[1])
    logging.basicConfig(
        level=logging.INFO,
        format='%(asctime)s %(levelname)s %(name)s: %(message)s',
        stream=sys.stderr,
    )
    os.umask(0o077)
    allow_open_files()
    with open(paths.lock(folder), 'w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0  # Another one was quicker: whoever started us will find that one.
        if not server.holds(folder, lock.fileno()):
            return 0  # The folder was removed meanwhile: whoever started us tries again.
        try:
            strangers_ = cast('Strangers', (*sys.argv[2:], 'refuse')[0])
            asyncio.run(serve(folder, lock.fileno(), strangers_))
        except store.Unusable as error:
            print(error, file=sys.stderr)
            return 1
    return 0
