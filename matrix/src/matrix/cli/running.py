"""Carries a prepared run out on this terminal: signals, logs, reports, exit code."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pathlib
import signal
import sys
from collections.abc import Callable, Coroutine, Generator, Iterable, Sequence
from typing import Any, TypeVar

from matrix.cli import screen
from matrix.history import journal, journalfile
from matrix.judge import panel
from matrix.juju import live
from matrix.report import story, terminal, words, write
from matrix.run import alltests, corpus, options, prepare, rundir, writing

T = TypeVar('T')

_LOG = logging.getLogger('matrix')


def several(some: Iterable[prepare.Prepared]) -> int:
    """Run one after another, sum them up, and return the worst exit code; interrupted, the others do not begin.

    Raises:
        link.LinkError: there is no Juju, or it does not answer.
    """
    lines: list[str] = []
    codes: list[int] = []
    directory: pathlib.Path | None = None
    for one in some:
        ran = ran_of(one)
        directory = ran.directory
        codes.append(ran.code)
        report = story.summarise(journalfile.read(directory / rundir.JOURNAL), ran.tests)
        said = words.short(report.sentence, 90)
        lines.append(f'  seed {one.seed:<12} {words.OUTCOMES[report.outcome]:8} {said}')
        if ran.interrupted:
            break
    passed = sum(code == 0 for code in codes)
    print(f'{passed} of {len(codes)} seeds passed')
    print('\n'.join(lines))
    if directory is not None:
        found = corpus.coverage(corpus.of_newest(directory.parent))
        tried, every = (sum(found.of(sort)[n] for sort in ('on', 'in', 'with')) for n in (0, 1))
        if every:
            print(f'  tried so far: {tried} of {every} (juju matrix coverage {directory.parent})')
    return max(codes, key=_BAD.index, default=1)


_BAD = (0, 1, 200, 101, 130)
"""Exit codes, the worst last."""


def run(one: prepare.Prepared) -> int:
    """Run it, tell it, and return its exit code.

    Raises:
        link.LinkError: there is no Juju, or it does not answer.
    """
    return ran_of(one).code


def ran_of(one: prepare.Prepared) -> alltests.RunResult:
    """Run it and tell it.

    Raises:
        link.LinkError: there is no Juju, or it does not answer.
    """
    juju = asyncio.run(live.Session(one.options.controller).reachable())
    directory = rundir.make(one.options.output_dir, one.options.model_prefix)
    for warning in one.warnings:
        print(warning, file=sys.stderr)
    with logs(one.options, directory):
        ran = carry_out(one, directory, juju)
    report_results(directory, ran.tests, one.options)
    return ran


def carry_out(one: prepare.Prepared, directory: pathlib.Path, juju: str) -> alltests.RunResult:
    """Run it in its folder, heard on the terminal."""
    with (
        screen.beside(screen.wanted(one.options.skin), directory) as free,
        writing.opened(directory / rundir.JOURNAL, heard(free)) as opened,
    ):
        ran = until_signalled(alltests.run(one, directory, opened, juju))
    if opened.full:
        raise OSError(f'{opened.full} ({directory}); the run was ended, and all is healed')
    return ran


def heard(free: Callable[[], bool] = lambda: True) -> Callable[[journal.Entry], None]:
    """What is said of each entry on the terminal, while that is `free`."""
    progress = terminal.Progress(sys.stderr.isatty() and not os.environ.get('NO_COLOR'))

    def say(entry: journal.Entry) -> None:
        if (line := progress.said(entry)) and free():
            print(line, file=sys.stderr, flush=True)

    return say


HEALING = 'ending: everything is healed first; twice more to leave at once'


def until_signalled(main: Coroutine[Any, Any, T], saying: str = HEALING) -> T:
    """Run it to its end. The first SIGINT or SIGTERM cancels it, so that it ends in order; a third kills.

    *saying* is what is shown to the user at the first.
    """

    async def go() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(main)
        signals: list[int] = []

        def end() -> None:
            signals.append(1)
            if len(signals) == 1:
                print(saying, file=sys.stderr)
                task.cancel()
            elif len(signals) > 2:
                os._exit(130)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end)
        return await task

    return asyncio.run(go())


def report_results(
    directory: pathlib.Path, tests: Sequence[panel.Judged], asked: options.Options
) -> None:
    """The summary on the terminal, and every report."""
    read = journalfile.read(directory / rundir.JOURNAL)
    report = story.summarise(read, tests, folder=str(directory))
    wrong = write.everything(directory, report, xunit=asked.xunit)
    painted = sys.stdout.isatty() and not os.environ.get('NO_COLOR')
    print(terminal.summary(report, painted=painted), end='')
    for said in wrong:
        print(f'error: {said}', file=sys.stderr)


@contextlib.contextmanager
def logs(asked: options.Options, directory: pathlib.Path) -> Generator[None]:
    """Write logs to matrix.log, and warnings to the terminal too.

    Raises:
        problem.RefusedError: the level is not one.
    """
    root = logging.getLogger()
    file = logging.FileHandler(directory / 'matrix.log')
    file.setFormatter(logging.Formatter('%(asctime)s %(levelname)s %(name)s: %(message)s'))
    screen = logging.StreamHandler(sys.stderr)
    screen.setFormatter(logging.Formatter('%(levelname)s %(name)s: %(message)s'))
    screen.setLevel(logging.WARNING)
    for handler in (file, screen):
        handler.addFilter(_filter(asked))
        root.addHandler(handler)
    before = root.level
    root.setLevel(asked.log_level.upper())
    # A log that cannot be written (a full disk) must not bury what is said in tracebacks.
    loud, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        yield
    finally:
        root.setLevel(before)
        logging.raiseExceptions = loud
        for handler in (file, screen):
            root.removeHandler(handler)
            handler.close()


def _filter(asked: options.Options) -> Callable[[logging.LogRecord], bool]:
    def passes(record: logging.LogRecord) -> bool:
        named = not asked.log_name or any(
            record.name == name or record.name.startswith(f'{name}.') for name in asked.log_name
        )
        return named and all(text in record.getMessage() for text in asked.log_filter)

    return passes
