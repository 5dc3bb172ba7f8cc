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
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence

from lifecycle import (
    commandline,
    engine,
    journal,
    keeping,
    observed,
    page,
    preflight,
    shown,
    story,
)
from lifecycle import record as record_
from lifecycle.beginning import Known, Wish, survey
from lifecycle.journal import Event, Journal, folder
from lifecycle.juju import Live
from lifecycle.problem import ProblemError, clean
from lifecycle.step import Target
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
        print(f'ERROR {error}', file=sys.stderr)
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
    wish = Wish(
        target=_target(world, call),
        chosen=tuple(call.applications),
        ways=dict(call.way),
    )
    _show(survey(world, wish), call.format)
    return 0


def _target(world: Live, call: argparse.Namespace) -> Target:
    """That of the command line, or of the upgrade that is under way.

    Raises:
        ProblemError: there is neither.
    """
    if call.to or call.origin:
        return Target(base=call.to or '', origin=call.origin or '')
    record = keeping.read(world)
    if record.empty:
        raise ProblemError(
            'no upgrade was begun in this model: name a target, such as --to debian@13'
        )
    return Target(base=record.base, origin=record.origin, back=record.back)


def _show(known: Known, how: str) -> None:
    show = shown.as_json if how == 'json' else shown.table
    print(show(known.seen, known.plan, known.findings))


def _status(call: argparse.Namespace) -> int:
    world = Live(call.model)
    record = keeping.read(world)
    if record.empty:
        print('{}' if call.format == 'json' else 'no upgrade was begun in this model')
        return 0
    there = Target(base=record.base, origin=record.origin, back=record.back)
    wish = Wish(target=there, begun=True)
    _show(survey(world, wish), call.format)
    return 0


def _upgrade(call: argparse.Namespace) -> int:
    world = Live(call.model)
    return _run(call, world, _target(world, call), dict(call.way))


def _rollback(call: argparse.Namespace) -> int:
    world = Live(call.model)
    record = keeping.read(world)
    return _run(call, world, Target(base=record.base, origin=record.origin, back=True), {})


def _run(call: argparse.Namespace, world: Live, target: Target, ways: Mapping[str, str]) -> int:
    wish = Wish(target=target, chosen=tuple(call.applications), ways=ways, until=call.until)
    if call.dry_run or not call.yes:
        known = survey(world, wish)
        _show(known, 'table')
        if call.dry_run:
            return 0
        if known.plan.next is not None and not preflight.blocking(known.findings):
            _ask()
    nonce = secrets.token_hex(8)
    path = call.journal or folder() / _name(world, nonce)
    print(f'journal: {path}', file=sys.stderr)
    try:
        with Journal(path) as kept:

            def tell(event: Event) -> None:
                kept.write(event)
                _say(event)

            engine.run(world, wish, nonce, tell)
    finally:
        try:
            print(f'page: {_page(path)}', file=sys.stderr)
        except OSError as error:  # It does not hide how the run has ended.
            print(f'no page: {error}', file=sys.stderr)
    return 0


def _page(path: pathlib.Path, output: pathlib.Path | None = None) -> pathlib.Path:
    assets = importlib.resources.files('lifecycle') / 'assets'
    template, style = assets / 'page.html.jinja', assets / 'page.css'
    text = page.render(story.tell(journal.read(path)), template.read_text(), style.read_text())
    where = output or path.with_suffix('.html')
    where.write_text(text)
    return where


def _report(call: argparse.Namespace) -> int:
    print(_page(call.journal, call.output))
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


def _say(event: Event) -> None:
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
    book = keeping.Book(world, secrets.token_hex(8))
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
