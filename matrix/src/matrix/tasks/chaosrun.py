"""Breaks the model as a plan says, with a quiet time before, and sees that it comes back after."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Awaitable, Callable

from matrix import model
from matrix.faults import find, heal, inject, lock
from matrix.grammar import located, problem
from matrix.history import journal, notes
from matrix.juju import link, model_health, observe, watching
from matrix.load import openloop
from matrix.plans import chaosplan, covering, plan, planfile, snapshot
from matrix.run import earlier, execution
from matrix.tasks import arguments, beside, planning, usage

CONTROL = 10.0
"""Seconds of load without any fault, before the first: what fails then, no fault has broken."""

PATIENCE = 120.0
"""Seconds without a change after which a model that is not as it was before is given up."""

_LOAD = 'matrix.tasks.end_to_end'
_SHORT = 'nothing more can be struck that leaves enough alone; see the kinds and applications of the chaos'
_LONGEST = 900.0  # seconds for a model to come back, however much happens in it
_STILL = 2.0  # seconds that it must stay as it was
_HEALS = 90.0  # seconds
_LOAD_BEGINS = 120.0  # seconds for the load to get what it needs
_FIRST_WORK = 60.0  # seconds for the load to do its first work
_FIRST_MADE = (
    420.0  # seconds for all to be there that lasts (a server takes a minute on a busy host)
)
_READ_BACK = 60.0  # seconds
_LOOK_BACK = 180.0  # seconds for what lasts to be as it was
_CLEAR = 300.0  # seconds for what lasts to be let go


async def chaos(
    context: model.Context, rule: model.Rule, task: model.Task, event: object = None
) -> bool:
    """Carry out the plan: a quiet time, every event at its moment, all healed, and the model as it was.

    Arguments: `plan` (a file; `{bundle}` is the bundle's folder), or what a plan is made from: `count`, `gap` and
    `hold` in seconds, `kinds`, `applications`. `serial`: never two faults at once. `control`, `patience`: seconds.

    Raises:
        model.TestFailure: the model does not come back.
        model.InfraFailure: the plan cannot be used, or Juju does not answer.
    """
    here = execution.of(context)
    try:
        async with (
            lock.held(here.link) as over,
            _healed_before(here, over),
            beside.owners(here),
            beside.resources(here),
            beside.probing(here) as sample,
        ):
            has_load = any(one.task == _LOAD for one in context.test.rules)
            chaos = _Chaos(here, rule, task, context.bus, has_load, sample)
            return await beside.until_aborted(here, task, chaos.run())
    except link.LinkError as error:
        raise model.InfraFailure(str(error)) from error
    except problem.RefusedError as error:
        raise model.InfraFailure(str(error)) from error
    finally:
        here.calm.set()
        here.waits(rule.name, '')


@contextlib.asynccontextmanager
async def _healed_before(here: execution.Execution, over: tuple[str, ...]) -> AsyncGenerator[None]:
    """What an earlier run left in the model is healed before this one strikes; each thing is told.

    Raises:
        link.LinkError: something cannot be undone; says what.
    """
    if not here.begun:
        here.begun = True  # A second chaos of this test must not heal what the first has armed.
        here.waits('chaos', 'heals what an earlier run left', _HEALS)
        below = here.directory.parent
        given = here.options.model is not None  # Others are new, and nobody has broken them.
        found = earlier.killed(below, here.link.model, but=here.directory) if given else ()
        done = await earlier.heal_all(here.link, found, holding=True)
        here.waits('chaos', '')
        if over or done.healed or done.failed:
            said: located.Plain = {
                'lock': [*over],
                'healed': [*done.healed],
                'failed': [*done.failed],
            }
            here.write(journal.Note(notes.EARLIER, said))
        broken = [one for one in done.failed if one.endswith(heal.NOT_UNDONE) or found]
        if broken:
            raise link.LinkError(
                f'an earlier run left model {here.link.model} broken: {"; ".join(broken)}. Put it right, then: '
                f'juju matrix heal -m {here.link.model} {found[0].parent if found else ""}'.rstrip()
            )
    yield


@dataclasses.dataclass
class _Chaos:
    here: execution.Execution
    rule: model.Rule
    task: model.Task
    bus: model.Bus
    has_load: bool
    sample: Callable[[], Awaitable[None]]

    async def run(self) -> bool:
        here = self.here
        asked = planning.wanted(
            self.task.args,
            chaos_plan=here.options.chaos_plan,
            count=here.options.chaos_num,
            redundant=here.ha,
            folder=here.bundle.folder,
            known=here.faults,
            seed=here.seed,
        )
        now = await here.link.fresh()
        full = plan.renamed(asked.full or await self.made(asked, now), here.planned)
        here.planned.update(one.id for one in full.events)
        if here.options.control:
            self.note(notes.CONTROL_RUN, None)
        elif asked.full is None and len(full.events) < asked.count:
            short: located.Plain = {
                'asked': asked.count,
                'planned': len(full.events),
                'why': _SHORT,
            }
            self.note(notes.SHORT, short)
        self.keep(full, asked.old)
        here.before = observe.fingerprint(now)
        self.note(notes.FINGERPRINT, {'moment': 'before', 'applications': here.before})
        here.phase('settled')
        await self.control()
        here.phase('chaos')
        await self.events(full, serial=asked.old is not None or bool(self.task.args.get('serial')))
        here.phase('recovery')
        healed, before = asyncio.get_running_loop().time(), beside.counts(here)
        missing = await self.converge()
        await beside.works_again(here, self.rule.name, before, healed + here.recovery)
        here.phase('readback')
        await self.read_back()
        if here.options.usage:
            self.note(notes.USAGE, await usage.look(here.link))
        await self.clear()
        if missing:
            raise model.TestFailure(self.task, missing)
        return True

    def note(self, kind: str, value: located.Plain) -> None:
        self.here.write(journal.Note(kind, value))

    async def made(self, asked: planning.Wanted, now: snapshot.Model) -> plan.Plan:
        here = self.here
        machine_facts = await here.look(self.rule.name)
        known = find.by_chance(here.faults.values())
        kinds, part = planning.able(asked, known, now, machine_facts)
        there = covering.places(kinds, [one.name for one in part.applications])
        said: located.Plain = {
            'places': {kind: [*some] for kind, some in there.items()},
            'phases': [*asked.phases],
        }
        self.note(notes.CELLS, said)
        # Of a large model it takes seconds, in which the load must go on.
        return await asyncio.to_thread(
            planning.make, asked, known, now, machine_facts, here.seed, here.bundle.digest
        )

    def keep(self, full: plan.Plan, old: chaosplan.Plan | None) -> None:
        here = self.here
        text = planfile.write(full)
        self.note(notes.PLAN, located.plain(located.load(text, 'plan')))
        (here.directory / 'plan.yaml').write_text(text)
        if old is not None:
            name = here.link.model.rpartition(':')[2].rpartition('/')[2]
            path = here.options.chaos_output or here.directory / f'chaos_plan_{name}.yaml'
            path.write_text(chaosplan.write(old))
        elif here.options.chaos_output is not None:
            here.options.chaos_output.write_text(text)

    async def control(self) -> None:
        """Load without faults: until it has done its first work, and then a while."""
        here = self.here
        seconds = arguments.seconds(self.task, 'control', CONTROL)
        here.phase('control')
        with beside.warming(here) as warming:
            try:
                async with asyncio.timeout(_LOAD_BEGINS if self.has_load else 0):
                    here.waits(self.rule.name, 'waits for the load to begin', _LOAD_BEGINS)
                    await here.loaded.wait()
            except TimeoutError:
                pass  # A test need not have a load; and one that does not begin, the checks see.
            try:
                async with asyncio.timeout(_FIRST_WORK):
                    # A bundle's own load need not say what it does: then there is nothing to wait for.
                    while beside.waited_for(here) and not any(one.worked for one in here.clients):
                        here.waits(
                            self.rule.name, 'waits for the first operation that works', _FIRST_WORK
                        )
                        await asyncio.sleep(0.2)
                async with asyncio.timeout(_FIRST_MADE):
                    while not all(one.begun for one in _of_ours(here)):
                        here.waits(
                            self.rule.name,
                            'waits until all is there that the faults are to meet',
                            _FIRST_MADE,
                        )
                        await asyncio.sleep(0.5)
            except TimeoutError:
                pass  # The checks say that nothing worked, or was there, before the faults.
            await beside.warmed_up(here, self.rule.name, warming, least=seconds)

    async def events(self, full: plan.Plan, *, serial: bool) -> None:
        began = asyncio.get_running_loop().time()
        ordered = sorted(full.events, key=lambda one: one.at)
        one_at_a_time = asyncio.Lock()
        biting: set[str] = set()

        async def one(event: plan.FaultEvent) -> None:
            if not serial:
                await self.event(event, began, full.seed, biting)
                return
            async with one_at_a_time:
                await self.event(event, began, full.seed, biting)

        async with asyncio.TaskGroup() as group:
            for event in ordered:
                group.create_task(one(event), name=event.id)

    async def event(
        self, event: plan.FaultEvent, began: float, seed: int, biting: set[str]
    ) -> None:
        here = self.here
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, began + event.at - loop.time()))
        try:
            chosen = planning.now(
                event, here.link.now(), seed, strict_compat=here.options.strict_compat
            )
        except ValueError as error:
            self.refuse(event, str(error))
            return
        found = here.faults.get(event.fault)
        if found is None:
            self.refuse(event, f'there is no fault {event.fault!r}')
            return
        chosen = self.with_charm(chosen)
        biting.add(event.id)
        here.calm.clear()
        self.bus.dispatch(
            self.rule.name,
            'chaos.activate',
            {'event': event.id, 'fault': event.fault, 'targets': [*chosen.targets]},
        )
        self.rule.log.info('%s: %s on %s', event.id, event.fault, ', '.join(chosen.targets))
        here.waits(
            f'{self.rule.name} {event.id}',
            f'{event.fault} on {", ".join(chosen.targets)}',
            event.hold,
        )
        try:
            await inject.drive(found, chosen, here.link, here.write, busy=here.busy)
        except (
            Exception
        ) as error:  # A fault of someone's own may raise anything; the others go on.
            self.refuse(event, f'the fault broke: {type(error).__name__}: {error}')
        finally:
            here.waits(f'{self.rule.name} {event.id}', '')
            biting.discard(event.id)
            if not biting:
                here.calm.set()

    def with_charm(self, event: plan.FaultEvent) -> plan.FaultEvent:
        """A refresh with the charm that the bundle has for its application, and that which it is replaced by."""
        said = dict(event.parameters)
        name = event.targets[0].partition('/')[0] if event.targets else ''
        if event.fault != 'refresh' or said.keys() & {'path', 'revision'}:
            return event
        if path := self.here.bundle.charms.get(name):
            said['path'] = path
        if other := dict(self.here.options.replace).get(name):
            said.setdefault('replacement', other)
        return dataclasses.replace(event, parameters=tuple(said.items()))

    def refuse(self, event: plan.FaultEvent, reason: str) -> None:
        self.note(notes.REFUSED, {'event': event.id, 'fault': event.fault, 'reason': reason})

    async def converge(self) -> str:
        """Wait until the model is as it was before; returns what is missing, '' when nothing is."""
        here = self.here
        loop = asyncio.get_running_loop()
        patience = arguments.seconds(self.task, 'patience', PATIENCE)
        began = changed = loop.time()
        seen = await here.link.fresh()
        async with watching.watch(here.link) as watch:
            while True:
                now = loop.time()
                look, after = model_health.look(seen), observe.fingerprint(seen)
                other = observe.differences(here.before or {}, after)
                done = look.well and not other
                quiet = now - changed
                if (done and quiet >= _STILL) or quiet >= patience or now - began >= _LONGEST:
                    break
                left = (_STILL if done else min(patience, _LONGEST)) - quiet
                here.waits(self.rule.name, _missing(look, other), left)
                before, seen = seen, await watch.next(max(0.1, left))
                if model_health.settled(seen) != model_health.settled(before):
                    changed = loop.time()
        here.waits(self.rule.name, '')
        self.note(
            notes.FINGERPRINT, {'moment': 'after', 'applications': observe.fingerprint(seen)}
        )
        look = model_health.look(seen)
        return f'the model did not come back: {look.sentence}' if not look.well else ''

    async def read_back(self) -> None:
        """Let the load read what it wrote, and go on for a moment after everything is healed."""
        here = self.here
        here.waits(self.rule.name, 'reads back what was written', _READ_BACK + _LOOK_BACK)
        for one in _of_ours(here):
            await one.read_back(within=_READ_BACK)
            await one.look_back(within=_LOOK_BACK)
        if here.clients:
            await asyncio.sleep(min(5.0, arguments.seconds(self.task, 'control', CONTROL)))
        await self.sample()

    async def clear(self) -> None:
        """Let the load delete what lasts, and look what is left."""
        here = self.here
        keeping = [one for one in _of_ours(here) if one.keeps]
        if keeping:
            here.phase('clearing')
            here.waits(
                self.rule.name, 'deletes what the load made, and looks what is left', _CLEAR
            )
        for one in keeping:
            await one.clear(within=_CLEAR)


def _of_ours(here: execution.Execution) -> list[openloop.Clients]:
    return [one for one in here.clients if isinstance(one, openloop.Clients)]


def _missing(look: model_health.ModelHealth, other: tuple[str, ...]) -> str:
    if not look.well:
        return f'waits for the model to come back; {look.sentence}'
    return f'waits for the model to be as it was; {"; ".join(other[:3])}' if other else ''
