"""After a failure: the search for the smallest plan, on the model that failed or on new ones."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import pathlib
import time
from collections.abc import Awaitable, Callable, Mapping

from matrix.blame import suspects
from matrix.faults import heal
from matrix.grammar import located, suite
from matrix.history import journal, journalfile, notes
from matrix.judge import panel, trial, verdict
from matrix.juju import link, live, model_health, observe, watching
from matrix.load import requests
from matrix.plans import plan, planfile, snapshot
from matrix.run import (
    onetest,
    options,
    outcome,
    prepare,
    replays,
    rundir,
    setting,
    writing,
)

_LOG = logging.getLogger('matrix')

_SETTLE = 5.0  # seconds: a model that was healthy a moment ago need not show it for long
_CONTROL = 5.0  # seconds of load before the first fault of a replay
_COME_BACK = 90.0  # seconds for a model to become what it was, before a new one is made
_CHAOS, _HEALTH = 'matrix.tasks.chaos', 'matrix.tasks.health'

SMALLEST = 'smallest.yaml'


@dataclasses.dataclass
class ReplayModel:
    """The model that replays run in. `another` makes a new one in place of this, or is None where there may be none.

    `deployed` says that the bundle is there.
    """

    name: str
    another: Callable[[str], Awaitable[str]] | None
    deployed: bool = True

    async def move(self) -> None:
        """Go on in a new model; the one before goes first, since two may be more than the machine can bear.

        Raises:
            link.LinkError: it cannot be made.
        """
        if self.another is None:
            raise link.LinkError(f'model {self.name} is not what it was before')
        self.name = await self.another(self.name)
        self.deployed = False


async def smallest(
    prepared: prepare.Prepared,
    test: suite.Test,
    judged: panel.Judged,
    replay_model: ReplayModel,
    directory: pathlib.Path,
    write: writing.Journal,
    *,
    part: journal.Journal,
    seconds: float,
) -> replays.Found | None:
    """Search for the smallest plan with which a test fails as it did; None where there is nothing to search.

    Args:
        prepared: the run.
        test: the test that failed.
        judged: how.
        replay_model: the model that it failed in.
        directory: the run's folder.
        write: the run's journal.
        part: what it says of the test.
        seconds: how long the search may take.
    """
    found = replays.executed_plan(part.entries)
    if judged.signature is None or found is None or not found.events:
        return None
    worst = judged.worst
    if worst is not None and suspects.before_any_fault(part.entries, worst.evidence):
        why = f'{suspects.BEFORE}, so that no fault was looked for'
        write(journal.Note(notes.NOT_AGAIN, {'why': why}))
        return None
    ranked = suspects.rank(part.entries, () if worst is None else worst.evidence)
    before = _before(part.entries)
    kinds = {name: one.kind for name, one in prepared.faults.items()}
    replaying = _Replaying(prepared, for_replay(test), replay_model, before, part.entries)
    search = replays.Search(
        replaying.run,
        directory / 'replays' / test.name.replace('/', '-'),
        judged.signature,
        write,
        time.monotonic() + seconds,
    )
    said = f'looking for the smallest plan that fails alike, for at most {seconds:g} s'
    if replay_model.another is None:
        said += (
            f': faults strike model {replay_model.name} again, which is yours; no other is made, and it is not '
            'destroyed (--no-shrink leaves it alone)'
        )
    write(journal.Note(notes.SEARCH, said))
    result = await search.smallest(found, tuple(one.event for one in ranked), kinds)
    if result.reproduced:
        # Nobody waits long for what is nice to know: a short search has time left for it.
        until = search.until if prepared.options.shrink_bundle else search.until - seconds / 2
        chosen = await _smaller(search, replaying, result, part, until)
        path = directory / (
            SMALLEST if len(prepared.suite.tests) == 1 else f'{test.name}-{SMALLEST}'
        )
        path.write_text(planfile.write(result.plan))
        write(journal.Note('smallest', _note(result, path, prepared, test, chosen)))
    else:
        again: located.Plain = {
            'replays': result.replays,
            'in_time': result.in_time,
            'shown': result.shown,
            'dead': result.dead,
            'broken': result.broken,
            'reason': result.reason,
        }
        write(journal.Note(notes.NOT_AGAIN, again))
    return result


async def _smaller(
    search: replays.Search,
    replaying: _Replaying,
    result: replays.Found,
    part: journal.Journal,
    until: float,
) -> setting.Setting:
    """Less load, and a smaller bundle, with which the smallest plan still fails alike."""
    if result.control or not result.in_time:
        return setting.FULL
    targets = [target for event in result.plan.events for target in event.targets]
    # Another bundle needs another model.
    asked = replaying.prepared.options
    may_move = replaying.replay_model.another is not None and asked.shrink_bundle
    applications = replaying.prepared.bundle.applications if may_move else ()

    async def alike(candidate: setting.Setting) -> bool:
        replaying.setting = candidate
        return await search.alike(result.plan, str(candidate))

    return await setting.smaller(
        alike,
        rate=setting.rate_of(part.entries),
        applications=setting.spare(applications, targets),
        enough=lambda: search.out_of_time or time.monotonic() >= until,
    )


def _note(
    found: replays.Found,
    path: pathlib.Path,
    prepared: prepare.Prepared,
    test: suite.Test,
    chosen: setting.Setting,
) -> dict[str, located.Plain]:
    more = '' if chosen.rate is None else f' --rate {chosen.rate:g}'
    if text := setting.overlay(chosen):
        over = path.with_name(f'{path.stem}-overlay.yaml')
        over.write_text(text)
        more += f' --overlay {_shown(over)}'
    return {
        **setting.plain(chosen),
        'plan': planfile.write(found.plan),
        'events': [replays.in_words(one) for one in found.plan.events],
        'command': command(path, prepared, test) + more,
        'replays': found.replays,
        'necessary': [*found.necessary],
        'minimal': found.minimal,
        'control': found.control,
        'test': test.name,
    }


def command(path: pathlib.Path, prepared: prepare.Prepared, test: suite.Test) -> str:
    """What runs a plan again; everything else it finds beside the plan."""
    chosen = sum(prepare.has_chaos(one) for one in prepared.suite.tests) > 1
    return f'juju matrix replay {_shown(path)}' + (f' -t {test.name}' if chosen else '')


def _shown(path: pathlib.Path) -> pathlib.Path:
    here = pathlib.Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def for_replay(test: suite.Test) -> suite.Test:
    """The same test with less waiting: it runs in a model that was healthy. Pure."""
    least = {_HEALTH: ('stability_period', _SETTLE), _CHAOS: ('control', _CONTROL)}
    rules: list[suite.RuleSpec] = []
    for rule in test.rules:
        args = dict(rule.args)
        if rule.task in least:
            key, most = least[rule.task]
            said = args.get(key)
            shorter = isinstance(said, int | float) and said < most
            args[key] = said if shorter else most
        rules.append(dataclasses.replace(rule, args=args))
    return dataclasses.replace(test, rules=tuple(rules))


def _before(entries: tuple[journal.Entry, ...]) -> Mapping[str, located.Plain]:
    for entry in entries:
        if isinstance(entry.what, journal.Note) and entry.what.kind == notes.FINGERPRINT:
            value = entry.what.value
            found = value.get('applications') if isinstance(value, dict) else None
            return found if isinstance(found, dict) else {}
    return {}


@dataclasses.dataclass
class _Replaying:
    prepared: prepare.Prepared
    test: suite.Test
    replay_model: ReplayModel
    before: Mapping[str, located.Plain]
    last: tuple[journal.Entry, ...] = ()
    """The journal of the last replay: `ready` takes back what it may have left."""
    setting: setting.Setting = setting.FULL

    async def run(self, candidate: plan.Plan, folder: pathlib.Path) -> panel.Judged:
        """One replay, in a model that is as it was before the first failure.

        What a fault broke may stay broken where no status shows it. So what fails before the first fault, in a model
        that was used before, says nothing of the plan: the replay is done again in a new model, and that one counts.
        """
        used, name = self.replay_model.deployed, self.replay_model.name
        judged, entries = await self.once(candidate, folder)
        if not used or name != self.replay_model.name or not entries:
            return judged  # In a new model, or in none: another would not say more.
        if not broken_before(judged, entries):
            return judged
        why = f'model {self.replay_model.name} is broken by what was done in it before'
        if self.replay_model.another is None:
            return outcome.not_run(self.test.name, why, 'infrastructure')
        _LOG.info('%s: a new one is made', why)
        try:
            await self.replay_model.move()
        except link.LinkError as error:
            return outcome.not_run(self.test.name, str(error), 'infrastructure')
        journal_before = folder / rundir.JOURNAL
        journal_before.rename(journal_before.with_suffix('.used-model.jsonl'))
        judged, _ = await self.once(candidate, folder)
        return judged

    async def once(
        self, candidate: plan.Plan, folder: pathlib.Path
    ) -> tuple[panel.Judged, tuple[journal.Entry, ...]]:
        """One replay, in this model or, where it does not come back, in a new one; without entries where in none."""
        try:
            await self.ready()
        except link.LinkError as error:
            return outcome.not_run(self.test.name, str(error), 'infrastructure'), ()
        own = dataclasses.replace(
            self.prepared, options=self.options(folder, candidate), seed=candidate.seed
        )
        with writing.opened(folder / rundir.JOURNAL, lambda _: None) as write:
            write(journal.Note(notes.RUN, run_note(own)))
            try:
                judged = await onetest.run(
                    own,
                    self.test,
                    self.replay_model.name,
                    folder,
                    write,
                    deployed=self.replay_model.deployed,
                )
            except link.LinkError as error:
                judged = outcome.not_run(self.test.name, str(error), 'infrastructure')
            self.replay_model.deployed = True
            code = verdict.exit_code([judged.ending])
            write(journal.Note(notes.RUN_END, {'ending': judged.ending, 'code': code}))
        self.last = journalfile.read(folder / rundir.JOURNAL).entries
        return judged, self.last

    def options(self, folder: pathlib.Path, candidate: plan.Plan) -> options.Options:
        asked = self.prepared.options
        over = asked.overlay
        if text := setting.overlay(self.setting):
            path = folder / 'overlay.yaml'
            path.write_text(text)
            over = (*over, path)
        return dataclasses.replace(
            asked,
            chaos_plan=folder / 'plan.yaml',
            control=not candidate.events,
            chaos_output=None,
            overlay=over,
            rate=asked.rate if self.setting.rate is None else self.setting.rate,
        )

    async def ready(self) -> None:
        """Heal everything, and wait for the model to be as it was; else make a new one.

        Raises:
            link.LinkError: neither is possible.
        """
        if self.setting.without:
            await self.replay_model.move()
            return
        if await self.came_back():
            return
        if self.replay_model.another is not None:
            _LOG.info(
                'model %s does not become what it was: a new one is made', self.replay_model.name
            )
        await self.replay_model.move()

    async def came_back(self) -> bool:
        if not self.replay_model.deployed:
            return True
        try:
            async with live.opened(self.replay_model.name) as at, asyncio.timeout(_COME_BACK):
                await heal.machines(at)
                await heal.amends(at, self.last)
                async with watching.watch(at) as watch:
                    seen = await watch.next(0)
                    while not self.as_before(seen):
                        seen = await watch.next(None)
        except (link.LinkError, TimeoutError):
            return False
        return True

    def as_before(self, seen: snapshot.Model) -> bool:
        now = observe.fingerprint(seen)
        return model_health.look(seen).well and not observe.differences(self.before, now)


def broken_before(judged: panel.Judged, entries: tuple[journal.Entry, ...]) -> bool:
    """Whether a replay failed before anything was done in it: no client got what it asked for, say. Pure."""
    if not any(isinstance(one.what, journal.Fault) for one in entries):
        return judged.ending in {'failed', 'infrastructure'}
    for name, part in trial.split(journal.Journal(entries)):
        of = trial.of(name, part)
        may_be_false = frozenset[str]().union(*map(requests.answering, of.values(notes.LOAD)))
        for one in of.split['before']:
            no = one.end is not None and one.end.value is False
            if one.how != 'ok' or (no and one.invoke.kind not in may_be_false):
                return True
    return False


def run_note(prepared: prepare.Prepared) -> dict[str, located.Plain]:
    """The first entry of a journal, as far as it is known without asking anybody."""
    asked = prepared.options
    return {
        'bundle': str(prepared.bundle.file),
        'digest': prepared.bundle.digest,
        'seed': prepared.seed,
        'model': asked.model or asked.model_prefix,
        'tests': [test.name for test in prepared.suite.tests],
        'ha': prepared.ha,
        'words': [*asked.words],
    }
