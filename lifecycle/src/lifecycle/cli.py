"""The command `juju-lifecycle` (so `juju lifecycle`).

Exit codes: 0 done, 1 stopped or refused (the message says why), 2 what was asked was not understood, 130 interrupted.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.resources
import os
import pathlib
import re
import secrets
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import get_args

from lifecycle import (
    charms,
    commandline,
    engine,
    journal,
    live,
    load,
    observed,
    page,
    preflight,
    sequence,
    shown,
    story,
    upgrade_lock,
)
from lifecycle import record as record_
from lifecycle.journal import Journal, JournalEntry, folder
from lifecycle.juju import Live
from lifecycle.problem import ProblemError, clean
from lifecycle.step import Target, Verb
from lifecycle.upgrade_request import Survey, UpgradeRequest, survey, target_of
from lifecycle.world import WorldError

_NOT_UNDERSTOOD = 2
_INTERRUPTED = 130
_READER_GONE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    try:
        call = commandline.parser().parse_args(argv)
        try:
            return _main(call)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READER_GONE


def _main(call: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _COMMANDS[call.command](call)
    except (ProblemError, WorldError, engine.StoppedError) as error:
        print(f'ERROR {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('interrupted; the same command goes on where this was', file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        said = f'{error.filename}: {error.strerror}' if error.filename else error
        print(f'ERROR {said}', file=sys.stderr)
        return 1
    except Exception as error:  # Nobody shall have to read a traceback; who wants to, may.
        path = _kept(traceback.format_exc())
        said = f'{type(error).__name__}: {error}'
        print(f'ERROR this is a fault of juju-lifecycle: {said} (more: {path})', file=sys.stderr)
        return 1


def _kept(text: str) -> str:
    with tempfile.NamedTemporaryFile(
        'w', prefix='lifecycle-error-', suffix='.txt', delete=False
    ) as f:
        f.write(text)
        return f.name


def _plan(call: argparse.Namespace) -> int:
    world = Live(call.model)
    targets = sequence.in_turn(_targets(world, call), upgrade_lock.read(world))
    wish = UpgradeRequest(target=targets[0], chosen=tuple(call.applications), ways=dict(call.way))
    shown_ = [survey(world, one) for one in sequence.wishes(wish, targets)]
    if call.format == 'json' and len(shown_) > 1:
        print(shown.all_as_json((one.seen, one.plan, one.findings) for one in shown_))
        return 0
    for one in shown_:
        _show(one, call.format)
    return 0


def _targets(world: Live, call: argparse.Namespace) -> tuple[Target, ...]:
    """Those of the command line, in their order, or that of the upgrade that is under way.

    Raises:
        ProblemError: there is neither.
    """
    found: list[Target] = []
    if call.charms:
        lies = charms.find(call.charms)
        found.append(Target(charms=lies.folder, digest=lies.digest, paths=lies.paths))
    if call.to:
        found.append(Target(base=call.to))
    if call.origin:
        found.append(Target(origin=call.origin))
    if found:
        return tuple(found)
    record = upgrade_lock.read(world)
    if record.empty or call.command == 'upgrade':
        under_way = '' if record.empty else f' (under way: {target_of(record).command})'
        raise ProblemError(
            'name a target: --to debian@13, --origin cloud:noble-epoxy or --charms FOLDER, or several of them'
            if call.command == 'upgrade'
            else f'no upgrade was begun in this model: name a target, such as --to debian@13{under_way}'
        )
    return (target_of(record),)


def _show(known: Survey, how: str) -> None:
    show = shown.as_json if how == 'json' else shown.table
    print(show(known.seen, known.plan, known.findings))


def _status(call: argparse.Namespace) -> int:
    world = Live(call.model)
    record = upgrade_lock.read(world)
    if record.empty:
        print('{}' if call.format == 'json' else 'no upgrade was begun in this model')
        return 0
    wish = UpgradeRequest(target=target_of(record), begun=True)
    _show(survey(world, wish), call.format)
    return 0


def _upgrade(call: argparse.Namespace) -> int:
    world = Live(call.model)
    targets = sequence.in_turn(_targets(world, call), upgrade_lock.read(world))
    return _run(call, world, targets, dict(call.way))


def _rollback(call: argparse.Namespace) -> int:
    world = Live(call.model)
    record = upgrade_lock.read(world)
    back = Target(base=record.base, origin=record.origin, digest=record.digest, back=True)
    return _run(call, world, (back,), {})


def _run(
    call: argparse.Namespace, world: Live, targets: Sequence[Target], ways: Mapping[str, str]
) -> int:
    wish = UpgradeRequest(
        target=targets[0], chosen=tuple(call.applications), ways=ways, until=call.until
    )
    watch = load.Watch(call.load_journal) if call.load_journal else tuple[load.Request, ...]
    terminal = sys.stdout.isatty()
    asks = call.dry_run or not call.yes
    every = (
        [survey(world, one) for one in sequence.wishes(wish, targets)] if asks or terminal else []
    )
    if asks:
        for known in every:
            _show(known, 'table')
        if call.dry_run:
            return 0
        if any(known.plan.next for known in every) and not preflight.blocking(every[0].findings):
            _ask()
    shows = _Shows(_view(every), terminal)
    nonce = secrets.token_hex(8)
    path = call.journal or folder() / _name(world, nonce)
    try:
        with Journal(path) as kept:
            print(f'journal: {path}', file=sys.stderr)

            def report(event: JournalEntry) -> None:
                kept.write(event)
                shows.event(event)

            def watched() -> Sequence[load.Request]:
                requests = watch()
                shows.requests(requests)
                return requests

            sequence.run(world, wish, targets, nonce, report, watched)
    finally:
        shows.end()
        _leave_page(path, call.load_journal)
    return 0


def _leave_page(path: pathlib.Path, load_journal: pathlib.Path | None) -> None:
    """Make the page of a run; where that cannot be, it does not hide how the run has ended."""
    try:
        if journal.read(path):  # Else nothing was begun.
            print(f'page: {_page(path, load_journal=load_journal)}', file=sys.stderr)
    except OSError as error:
        print(f'no page: {error.filename}: {error.strerror}', file=sys.stderr)


def _page(
    path: pathlib.Path,
    output: pathlib.Path | None = None,
    load_journal: pathlib.Path | None = None,
) -> pathlib.Path:
    assets = importlib.resources.files('lifecycle') / 'assets'
    template, style = assets / 'page.html.jinja', assets / 'page.css'
    entries = journal.read(path)
    if not entries:
        raise ProblemError(f'{path}: no journal of a run: it has no entry that one would have')
    summary = story.summarise(entries, load.read(load_journal) if load_journal else ())
    text = page.render(summary, template.read_text(), style.read_text())
    where = output or path.with_suffix('.html')
    where.write_text(text)
    return where


def _report(call: argparse.Namespace) -> int:
    print(_page(call.journal, call.output, call.load_journal))
    return 0


def _name(world: Live, nonce: str) -> str:
    model = re.sub(r'[^a-zA-Z0-9.-]+', '-', world.model()) or 'model'
    at = datetime.datetime.fromtimestamp(world.now(), datetime.UTC)
    return f'{model}-{at:%Y%m%d-%H%M%S}-{nonce[:4]}.jsonl'


def _ask() -> None:
    if not sys.stdin.isatty():
        raise ProblemError('nobody is there to ask whether to begin: add --yes')
    print('Begin? [y/N] ', end='', file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ('y', 'yes'):
        raise ProblemError('nothing was begun')


class _Shows:
    """Tells of a run; in a terminal its last line says how far it is."""

    def __init__(self, view: live.View, terminal: bool):
        self._view, self._terminal = view, terminal

    def event(self, event: JournalEntry) -> None:
        """One line more."""
        self.end()
        _say(event)
        self._view = live.after(self._view, event)
        self._draw()

    def requests(self, requests: Sequence[load.Request]) -> None:
        """Those of a load; also that time has passed."""
        self._view = live.counted(self._view, requests)
        self._draw()

    def _draw(self) -> None:
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f'\r\033[K{live.line(self._view, time.time(), width)}', end='', flush=True)

    def end(self) -> None:
        """Take the last line away."""
        if self._terminal:
            print('\r\033[K', end='', flush=True)


def _view(every: Sequence[Survey]) -> live.View:
    plans = [known.plan.steps for known in every]
    ended = [[s.id for s in steps if s.state in ('done', 'skipped')] for steps in plans]
    return live.view([[s.id for s in steps] for steps in plans], ended)


def _say(event: JournalEntry) -> None:
    at = time.strftime('%H:%M:%S', time.localtime(event.at))
    about = f' {event.step}' if event.step else ''
    said = f': {event.said}' if event.said else ''
    print(f'{at} {event.kind:6}{about}{said}', flush=True)


def _skip(call: argparse.Namespace) -> int:
    world = Live(call.model)
    name = call.step.partition('.')[0]
    if name == call.step or name not in observed.read(world.status()).applications:
        raise ProblemError(
            f'{clean(call.step, 60)}: no step or finding of an application of this model; '
            'juju lifecycle plan shows them'
        )
    if call.step.split('.')[1] not in (*get_args(Verb), *preflight.KINDS):
        raise ProblemError(
            f'{clean(call.step, 60)}: no step or finding is of that kind; juju lifecycle plan shows them'
        )
    book = upgrade_lock.Book(world, secrets.token_hex(8))
    book.take()  # Two that write at once would lose what one of them wrote.
    try:
        book.change(lambda record: record_.with_skip(record, call.step, call.reason))
    finally:
        book.release()
    print(f'{call.step} is left out: {call.reason}')
    return 0


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    'plan': _plan,
    'upgrade': _upgrade,
    'status': _status,
    'rollback': _rollback,
    'report': _report,
    'skip': _skip,
}

if __name__ == '__main__':
    sys.exit(main())
