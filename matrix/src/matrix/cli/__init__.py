"""The command `juju-matrix` (so `juju matrix`), and `matrix`.

    juju matrix [-p BUNDLE] [options] [SUITE…]     test a bundle, as juju-solutions/matrix was called
    juju matrix COMMAND …                          run, replay, check, lint, heal, shrink, report, …

Exit codes: 0 passed, 101 a test failed (or it is unknown whether it did: `--unknown-is`), 200 no model could be made,
1 anything else that went wrong (2 of `gate`, where 1 says that it is worse), 2 what was asked was not understood,
130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence

from matrix.cli import registry
from matrix.grammar import problem
from matrix.juju import link
from matrix.run import ending

_NOT_UNDERSTOOD = 2
_READER_GONE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    try:
        try:
            return _main(list(sys.argv[1:] if argv is None else argv))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away (`| head`); Python must not complain when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READER_GONE


def _main(words: list[str]) -> int:
    if words in (['help'], ['--help'], ['-h']):
        print(registry.overview())
        return 0
    name = words.pop(0) if words and words[0] in registry.COMMANDS else 'run'
    command = registry.load(name)
    broken = getattr(command, 'BROKEN', 1)
    parser = argparse.ArgumentParser(prog=f'juju matrix {name}', description=command.HELP)
    command.configure(parser)
    try:
        return command.run(parser.parse_args(words))
    except problem.RefusedError as refused:
        for one in refused.problems:
            print(one, file=sys.stderr)
        return _NOT_UNDERSTOOD
    except BrokenPipeError:
        raise
    except (link.LinkError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return broken
    except (KeyboardInterrupt, asyncio.CancelledError):
        return ending.INTERRUPTED
    except Exception as error:  # Nobody shall have to read a traceback; who wants to, may.
        path = _kept(traceback.format_exc())
        said = f'{type(error).__name__}: {error}'
        print(f'error: this is a fault of matrix: {said} (more: {path})', file=sys.stderr)
        return broken


def _kept(text: str) -> str:
    """Where the traceback of an error was written."""
    with tempfile.NamedTemporaryFile(
        'w', prefix='matrix-error-', suffix='.txt', delete=False
    ) as file:
        file.write(text)
        return file.name


if __name__ == '__main__':
    sys.exit(main())
