"""`juju matrix load`: clients that use a cloud while something else is done to it, and each of their requests."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import os
import pathlib
import secrets
import sys
import time

from matrix import model as model_
from matrix.cli import flags, running
from matrix.juju import facade, live
from matrix.load import discover, requests, spec
from matrix.run import bundlefile, defaults, load_only
from matrix.tasks import bundlecode

HELP = (
    'Use what is deployed, as its clients would, until Ctrl-C: nothing is broken or judged, each request is reported. '
    'Exit code: 0 none was lost, 101 one was.'
)
SAY_EVERY_S = 10.0
_LOST = 101


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    add = parser.add_argument
    add('-m', '--model', default='', help='the model; without it, the one in focus')
    add(
        '-p', '--path', type=pathlib.Path, metavar='BUNDLE',
        help="a bundle, its folder or file: its own load is used, or what its tests/test.yaml says of it",
    )  # fmt: skip
    add('--rate', type=flags.positive, metavar='N', help='operations a second (10)')
    add('--for', dest='seconds', type=flags.seconds, metavar='TIME', help='end after so long')
    add('--seed', type=flags.seed, help='ask in the same order again')
    add(
        '--journal', type=pathlib.Path, metavar='FILE',
        help='write each request there, a line of JSON; `juju lifecycle upgrade --load-journal FILE` reads it',
    )  # fmt: skip


def run(call: argparse.Namespace) -> int:
    """Run the load; 0: nothing was lost, 101: something was, 1: there was none.

    Raises:
        problem.RefusedError: the bundle or what it says of its load cannot be used.
        link.LinkError: the model cannot be asked.
        OSError: the journal cannot be written.
    """
    said, folder = spec.Spec(), None
    if call.path is not None:
        folder = bundlefile.find(call.path).folder
        found = defaults.read(folder)
        said = spec.read(None if found is None else found.get('load'))
    if call.rate is not None:
        said = dataclasses.replace(said, rate=call.rate)
    with contextlib.ExitStack() as stack:
        file = None
        if call.journal is not None:
            flags_ = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            file = os.open(call.journal, flags_, 0o600)
            stack.callback(os.close, file)
        return _run(call, said, folder, file)


def _run(
    call: argparse.Namespace, said: spec.Spec, folder: pathlib.Path | None, file: int | None
) -> int:
    def on_request(line: str, request: requests.Request) -> None:
        if file is not None:
            os.write(file, f'{line}\n'.encode())
        if not request.ok:
            say(
                f'LOST {request.what}: {request.said or "no answer"} after {request.seconds:.2f} s'
            )

    seed = secrets.randbits(32) if call.seed is None else call.seed
    try:
        ran = running.until_signalled(
            _load(call, said, folder, seed, on_request),
            'ending: what the load made is removed; twice more to leave at once',
        )
    except (model_.TestFailure, model_.InfraFailure) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    if isinstance(ran, discover.NoLoad):
        print(f'error: {ran.why}', file=sys.stderr)
        return 1
    for one in ran.left:
        say(f'LEFT {one}')
    print(ran.tally)
    if not ran.tally.count:
        print('error: there was not one request', file=sys.stderr)
        return 1
    return _LOST if ran.tally.lost or ran.left else 0


async def _load(
    call: argparse.Namespace,
    said: spec.Spec,
    folder: pathlib.Path | None,
    seed: int,
    on_request: load_only.OnRequest,
) -> load_only.Alone | discover.NoLoad:
    async with live.opened(call.model) as at:
        found = await discover.find(
            at,
            bundle=folder or pathlib.Path(os.devnull),
            said=said,
            run=f'load-{secrets.token_hex(3)}',
            facade=facade.Model(at, load_only.refuses('deploys'), load_only.refuses('removes')),
            load_file=bundlecode.load_file,
        )
        if isinstance(found, discover.NoLoad):
            return found
        one = load_only.Alone(found, on_request, time.time)
        saying = asyncio.create_task(_say(one.tally))
        try:
            await one.run(said, seed=seed, seconds=call.seconds)
        except asyncio.CancelledError:
            pass  # Ctrl-C is how it ends.
        finally:
            saying.cancel()
        return one


async def _say(tally: requests.Tally) -> None:
    while True:
        await asyncio.sleep(SAY_EVERY_S)
        say(str(tally))


def say(text: str) -> None:
    """A line of progress, with the time of day."""
    print(f'{time.strftime("%H:%M:%S")} {text}', file=sys.stderr, flush=True)
