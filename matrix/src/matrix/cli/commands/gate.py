"""`juju matrix gate`: is a bundle worse with another charm in it?"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import os
import pathlib
import secrets
import sys
from collections.abc import Generator

from matrix.cli import flags, running
from matrix.grammar import problem
from matrix.history import journal
from matrix.judge import costs, gate
from matrix.juju import live
from matrix.report import gated, words, write
from matrix.run import (
    alltests,
    bundlefile,
    candidates,
    defaults,
    ending,
    gating,
    models,
    prepare,
    rundir,
    writing,
)

HELP = (
    'Put candidates into a bundle, run its tests and faults with the old charms and with the new ones, again and '
    'again, and say whether it is worse: in what its checks say, in latency, in losses, in how long hooks take, in '
    'what the machines use. Exit code 0 not worse, 1 worse, 2 undecided or what was asked was not understood.'
)
RESULT = 'gate.json'
BROKEN = 2
"""The exit code where Juju is lost, or anything else is no verdict of the candidate: 1 says that it is worse."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments: the candidates, and all flags of a run."""
    parser.conflict_handler = 'resolve'
    flags.configure(parser)
    ours = parser.add_argument_group('of the gate')
    ours.add_argument(
        '--replace', action='append', type=flags.pair, metavar='APPLICATION=CANDIDATE', dest='candidates',
        help='the charm that stands at the gate: a folder, a .charm, or a revision (721, 721@2024.1/edge); repeatable',
    )  # fmt: skip
    ours.add_argument(
        '--runs',
        type=flags.count,
        metavar='N',
        help=f'runs of each side before the first look ({gate.RUNS})',
    )
    ours.add_argument(
        '--deploy-once', '--deploy_once', action='store_true',
        help='deploy each side once and run the tests again and again in the same two models: quicker, and hooks of a '
        'deployment are not compared',
    )  # fmt: skip
    ours.add_argument(
        '--json', type=pathlib.Path, metavar='FILE', help='write the answer here too, as JSON'
    )
    ours.add_argument(
        '--from', type=pathlib.Path, metavar='GATEDIR', dest='finished',
        help='judge a finished gate again, from its journals; nothing is run',
    )  # fmt: skip


def run(call: argparse.Namespace) -> int:
    """Run both sides, decide, tell; returns the exit code.

    Raises:
        problem.RefusedError: something cannot be used; nothing has been run.
    """
    finished: pathlib.Path | None = getattr(call, 'finished', None)
    if finished is not None:
        subject = _subject_of(finished)
        with write.calm():
            decision = gating.judged_again(finished)
        return _report(call, decision, subject, finished.resolve(), '')
    runs = getattr(call, 'runs', gate.RUNS)
    prepared, some = _prepared(call, runs)
    subject = f'{prepared.bundle.name} with {", ".join(one.words for one in some)}'
    juju = asyncio.run(live.Session(prepared.options.controller).reachable())
    folder = rundir.make(prepared.options.output_dir, f'{prepared.options.model_prefix}-gate')
    (folder / gating.CANDIDATES).write_text(subject + '\n')
    overlay = folder / gating.OVERLAY
    overlay.write_text(candidates.overlay(some))
    both = gating.sides(prepared, some, overlay)
    for warning in prepared.warnings:
        print(warning, file=sys.stderr)
    print(f'{subject}: {runs} runs of each, seed {prepared.seed}', file=sys.stderr)
    try:
        with running.logs(prepared.options, folder), _deployed(both, call) as ready:
            decision = gating.decided(ready, folder, runs, _Once(juju), _progress)
    except gating.EndedError:
        return ending.INTERRUPTED
    return _report(call, decision, subject, folder, str(prepared.bundle.file))


def _prepared(
    call: argparse.Namespace, runs: int
) -> tuple[prepare.Prepared, tuple[candidates.Candidate, ...]]:
    said: list[tuple[str, str]] = getattr(call, 'candidates', [])
    if not said:
        raise _refused(
            '--replace', 'name what stands at the gate: --replace APPLICATION=CANDIDATE'
        )
    if runs < gate.RUNS:
        message = (
            f'{runs} runs of each side cannot be distinguished from chance: {gate.RUNS} or more'
        )
        raise _refused('--runs', message)
    bundle = bundlefile.find(getattr(call, 'path', flags.DEFAULTS.path))
    extra = defaults.read(bundle.folder)
    asked = flags.gather(call, flags.of_bundle(defaults.matrix(extra), bundle.folder))
    if asked.model is not None:
        raise _refused('--model', 'the gate makes its own models, one of each side: leave it out')
    some = candidates.read(said, bundle)
    seed = secrets.randbelow(2**32) if asked.seed is None else asked.seed
    asked = dataclasses.replace(asked, words=flags.words(call, bundle.file))
    return prepare.prepare(asked, bundle, extra, seed), some


@contextlib.contextmanager
def _deployed(both: gating.Sides, call: argparse.Namespace) -> Generator[gating.Sides]:
    """Both sides in models that stay to the end, where they are deployed once; each run makes its own otherwise."""
    if not getattr(call, 'deploy_once', False):
        yield both
        return
    made: list[tuple[models.Models, str]] = []
    try:
        found: list[prepare.Prepared] = []
        for side in (both.old, both.new):
            session = live.Session(side.options.controller)
            of = models.Models(side.options, session, prepare.spaces_of(side.options, side.bundle))
            name = running.until_signalled(of.get())
            made.append((of, name))
            found.append(
                dataclasses.replace(side, options=dataclasses.replace(side.options, model=name))
            )
        yield gating.Sides(*found)
    finally:
        for of, name in made:
            asyncio.run(of.release(name))


@dataclasses.dataclass(frozen=True)
class _Once:
    """Carries one run out; `juju` is its version."""

    juju: str

    def __call__(self, prepared: prepare.Prepared, folder: pathlib.Path) -> bool:
        with writing.opened(folder / rundir.JOURNAL, _unheard) as opened:
            ran = running.until_signalled(alltests.run(prepared, folder, opened, self.juju))
        if opened.full:
            raise OSError(f'{opened.full} ({folder})')
        return not ran.interrupted


def _unheard(entry: journal.Entry) -> None:
    """Ten runs at once on a terminal tell nobody anything."""


def _progress(side: gating.Side, number: int, one: costs.Costs) -> None:
    said = one.broken or one.sentence
    outcome = 'not usable' if one.broken else words.OUTCOMES[one.outcome]
    print(f'{side} {number:>2}  {outcome}: {words.short(said, 100)}', file=sys.stderr, flush=True)


def _report(
    call: argparse.Namespace,
    decision: gate.Decision,
    subject: str,
    folder: pathlib.Path,
    bundle: str,
) -> int:
    result, xml = gated.as_json(decision, subject), gated.junit(decision, subject)
    wanted = [(folder / RESULT, result), (folder / write.JUNIT, xml)]
    for flag, text in (('json', result), ('xunit', xml)):
        if (path := getattr(call, flag, None)) is not None:
            wanted.append((path, text))
    wrong = [said for path, text in wanted if (said := write.file(path, text))]
    print(gated.text(decision, subject, str(folder)), end='')
    if os.environ.get('GITHUB_ACTIONS') == 'true':
        for line in gated.commands(decision, bundle or 'bundle.yaml'):
            print(line)
    if path := os.environ.get('GITHUB_STEP_SUMMARY'):
        try:
            with open(path, 'a', encoding='utf-8') as out:
                out.write(gated.summary(decision, subject))
        except OSError as error:
            wrong.append(f'{path} cannot be written: {error.strerror or error}')
    for said in wrong:
        print(f'error: {said}', file=sys.stderr)
    return gated.CODES[decision.result]


def _subject_of(folder: pathlib.Path) -> str:
    try:
        return (folder / gating.CANDIDATES).read_text(encoding='utf-8').strip()
    except OSError:
        return str(folder)


def _refused(flag: str, message: str) -> problem.RefusedError:
    return problem.RefusedError([problem.Problem(problem.Where(flag, 1), message)])
