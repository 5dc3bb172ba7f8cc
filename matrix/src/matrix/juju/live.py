"""The link to a real model: jubilant in threads, one asker for status, a deadline on everything."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import re
import secrets
import shlex
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any, TypeVar, cast

import jubilant

from matrix.history import notes
from matrix.juju import client, link, observe
from matrix.plans import snapshot

T = TypeVar('T')

_CALLS = 16  # at once: each is a process of its own
_MOST_OUTPUT = 64 * 1024
_LOST = 120.0  # seconds without an answer
_HICCUP = 20.0  # seconds without an answer that are borne
_QUICK = 0.7  # seconds between two questions while the model changes
_ROOT = '[ "$(id -u)" = 0 ] && exec sh -s; exec sudo -n sh -s'
GONE = f'{notes.GONE} while the test ran'
_NO_MODEL = re.compile(
    r'model\b.*\b(not found|does not exist|been removed|no longer)', re.IGNORECASE
)
_NAME = re.compile(r'[A-Za-z_][A-Za-z0-9_]*\Z')


class Live:
    """A `link.Link`. Use it as `async with live.opened(...)`.

    The asker asks quickly while the model changes, and every `interval` seconds while it does not.
    """

    def __init__(self, model: str, *, interval: float = 5.0, program: str = 'juju'):
        self._model = model
        self._interval = interval
        self._program = program
        self._pool = concurrent.futures.ThreadPoolExecutor(_CALLS, 'juju')
        # Of its own: scripts that hang on frozen machines must not keep the status from being seen.
        self._asking = concurrent.futures.ThreadPoolExecutor(1, 'status')
        self._ever = False  # whether there was an answer at all
        self._newest = snapshot.Model()
        self._asked = 0  # how many questions were begun
        self._answered = 0  # the newest question that has an answer
        self._trouble = ''
        self._gone = False  # it was there, and Juju says that it is not any more
        self._failed = 0.0  # seconds since the last answer, when there was trouble
        self._news = asyncio.Condition()
        self._hurry = asyncio.Event()
        self._clients: set[client.Client] = set()

    @property
    def model(self) -> str:
        """Its name."""
        return self._model

    def now(self) -> snapshot.Model:
        """The newest status that is known; asks nobody."""
        return self._newest

    async def fresh(self) -> snapshot.Model:
        """A status that was asked for after this call.

        Raises:
            link.LinkError: Juju does not answer, for a while where it did before.
        """
        wanted = self._asked + 1
        self._hurry.set()
        async with self._news:
            await self._news.wait_for(
                lambda: (
                    self._answered >= wanted
                    and not (self._trouble and self._ever and self._failed < _HICCUP)
                )
            )
            if self._trouble:
                raise link.LinkError(self._trouble)
            return self._newest

    async def changes(self) -> AsyncIterator[snapshot.Model]:
        """The status now, and each one that differs from the one before.

        Raises:
            link.LinkError: Juju has not answered for two minutes.
        """
        seen: snapshot.Model | None = None
        while True:
            seen = await self._other_than(seen)
            yield seen

    async def _other_than(self, seen: snapshot.Model | None) -> snapshot.Model:
        async with self._news:
            await self._news.wait_for(
                lambda: self._failed >= _LOST or (self._answered > 0 and self._newest != seen)
            )
            if self._failed >= _LOST:
                raise link.LinkError(self._trouble)
            return self._newest

    async def script(
        self,
        target: str,
        text: str,
        *,
        env: Mapping[str, str] | None = None,
        within: float = 30.0,
    ) -> link.ScriptResult:
        """Run a shell script as root on a machine, over ssh; see `link.Link`."""
        mark = f'ended-{secrets.token_hex(8)}'
        stdin_text = wrapped(text, env or {}, mark)

        def call(juju: client.Client) -> link.ScriptResult:
            try:
                output, errors = juju.both('ssh', target, _ROOT, stdin=stdin_text)
            except jubilant.CLIError as error:
                output, errors = error.stdout or '', error.stderr or ''
            before, found, code = output.rpartition(mark)
            if not found:
                raise link.LinkError(f'{target} cannot be reached: {_last(errors or output)}')
            # Errors of the way there, such as ssh's own warnings, are not what the script said.
            return link.ScriptResult(int(code), before.removesuffix('\n')[-_MOST_OUTPUT:])

        return await self.carry(call, within, f'a script on {target}')

    async def run_action(
        self, unit: str, action: str, params: Mapping[str, object], *, within: float
    ) -> Mapping[str, object]:
        """Run an action to its end; LinkError when it fails."""

        def call(juju: client.Client) -> Mapping[str, object]:
            try:
                return juju.run(unit, action, dict(params) or None, wait=within).results
            except (jubilant.TaskError, ValueError, TimeoutError) as error:
                said = error.task.message if isinstance(error, jubilant.TaskError) else str(error)
                raise link.LinkError(f'action {action} on {unit}: {_last(said)}') from error

        return await self.carry(call, within + 5, f'action {action} on {unit}')

    async def add_unit(self, application: str, count: int = 1, to: str | None = None) -> None:
        """Ask for more units."""
        await self.carry(
            lambda juju: juju.add_unit(application, num_units=count, to=to), 120, 'add-unit'
        )
        self._hurry.set()

    async def remove_unit(self, unit: str, *, force: bool = False) -> None:
        """Ask for a unit to be removed."""
        await self.carry(lambda juju: juju.remove_unit(unit, force=force), 120, 'remove-unit')
        self._hurry.set()

    async def cli(self, *args: str, within: float = 60.0) -> str:
        """Any other `juju` command on this model; its standard output."""
        return await self.carry(lambda juju: juju.cli(*args), within, args[0])

    async def deploy(self, bundle: str, *overlays: str, within: float = 900.0) -> None:
        """Deploy a local bundle into the model."""
        await self.carry(
            lambda juju: juju.deploy(bundle, overlays=overlays, trust=True), within, 'deploy'
        )
        self._hurry.set()

    async def carry(
        self,
        act: Callable[[client.Client], T],
        within: float,
        what: str,
        *,
        pool: concurrent.futures.Executor | None = None,
    ) -> T:
        """Run something of jubilant's in a thread; a cancelled call ends its command."""
        juju = client.Client(self._model or None, within=within, program=self._program)
        self._clients.add(juju)
        try:
            return await asyncio.get_running_loop().run_in_executor(pool or self._pool, act, juju)
        except asyncio.CancelledError:
            juju.end()
            raise
        except jubilant.CLIError as error:
            raise link.LinkError(f'{what}: {_last(error.stderr or error.stdout or "")}') from error
        except client.OverdueError as error:
            raise link.LinkError(f'{what}: {error}') from error
        except FileNotFoundError as error:
            raise link.LinkError(f'there is no {self._program!r} on the PATH') from error
        finally:
            self._clients.discard(juju)

    async def ask(self) -> None:
        """Ask for the status for ever; the one asker of this link."""
        loop = asyncio.get_running_loop()
        wait, responded_at = _QUICK, loop.time()
        while True:
            self._hurry.clear()
            self._asked += 1
            question, before = self._asked, self._newest
            self._trouble = await self._ask()
            if not self._trouble:
                responded_at, self._ever = loop.time(), True
            self._failed = _LOST if self._gone else loop.time() - responded_at
            async with self._news:
                self._answered = question
                self._news.notify_all()
            wait = _QUICK if self._newest != before else min(wait * 1.5, self._interval)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), wait)

    async def _ask(self) -> str:
        try:
            self._newest = observe.model(
                await self.carry(lambda juju: juju.status(), 60, 'status', pool=self._asking)
            )
        except link.LinkError as error:
            if self._ever and _NO_MODEL.search(str(error)):
                self._gone = True
                return f'model {self._model} {GONE}'
            return str(error)
        except Exception as error:  # The asker goes on, whatever it is told.
            return f'status: what Juju said was not understood: {_reason(error)}'
        return ''

    def close(self) -> None:
        """End what still runs."""
        for juju in tuple(self._clients):
            juju.end()
        for pool in (self._pool, self._asking):
            pool.shutdown(wait=False, cancel_futures=True)


@contextlib.asynccontextmanager
async def opened(
    model: str, *, interval: float = 5.0, program: str = 'juju'
) -> AsyncGenerator[Live]:
    """A link whose asker runs inside.

    Raises:
        link.LinkError: the model cannot be asked.
    """
    found = Live(model, interval=interval, program=program)
    asker = asyncio.create_task(found.ask(), name=f'status of {model}')
    try:
        await found.fresh()
        yield found
    finally:
        asker.cancel()
        await asyncio.gather(asker, return_exceptions=True)
        found.close()


def wrapped(text: str, env: Mapping[str, str], mark: str) -> str:
    """A script that is read whole before any of it runs, keeps its own standard input empty, and ends with its code.

    What it says as an error stands among the rest: standard error is the way's own.

    Raises:
        ValueError: a name in `env` is not a variable's.
    """
    if bad := [name for name in env if not _NAME.match(name)]:
        raise ValueError(f'{bad[0]!r} is not the name of a variable')
    exports = ''.join(f'export {name}={shlex.quote(value)}\n' for name, value in env.items())
    return f"(\n{exports}{text}\n) </dev/null 2>&1\nprintf '\\n{mark}%s' $?\n"


def _last(text: str) -> str:
    """What a failed command said in the end: the line of its error, without the word."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith('ERROR ')]
    return (errors or lines or ['it said nothing'])[-1].removeprefix('ERROR ')


@dataclasses.dataclass(frozen=True)
class Session:
    """What can be asked of Juju without a model: one call after the other, each with its deadline."""

    controller: str | None = None
    program: str = 'juju'

    async def add_model(self, name: str, cloud: str | None, config: Mapping[str, str]) -> str:
        """Make a model; returns the name to use for it."""

        def call(juju: client.Client) -> str:
            juju.add_model(
                name, cloud, controller=self.controller, config=cast('dict[str, Any]', config)
            )
            return str(juju.model)

        return await self._do(call, 120, 'add-model')

    async def destroy_model(self, name: str) -> None:
        """Destroy a model and all that is in it."""
        await self._do(
            lambda juju: juju.destroy_model(name, destroy_storage=True, force=True),
            600,
            'destroy-model',
        )

    async def cli(self, model: str, *args: str, within: float = 60.0) -> str:
        """Any other `juju` command on a model."""

        def call(juju: client.Client) -> str:
            juju.model = model
            return juju.cli(*args)

        return await self._do(call, within, args[0])

    async def reachable(self) -> str:
        """Juju's version, once its controller has answered.

        Raises:
            link.LinkError: there is no Juju, or its controller does not answer.
        """
        chosen = ('--controller', self.controller) if self.controller else ()

        def call(juju: client.Client) -> str:
            juju.cli('models', *chosen, '--format', 'json', include_model=False)
            return juju.cli('version', include_model=False).strip()

        return await self._do(call, 60, 'models')

    async def _do(self, act: Callable[[client.Client], T], within: float, what: str) -> T:
        found = Live('', program=self.program)
        try:
            return await found.carry(act, within, what)
        finally:
            found.close()


def _reason(error: Exception) -> str:
    """Why an answer is not one of `juju status --format json`, in words."""
    if isinstance(error, ValueError):
        return f'it is no JSON ({error})'
    if isinstance(error, KeyError):
        return f'it has no {error}'
    return f'it is not of the form that it should have ({error})'
