"""``python -m tools.guest``: prints the path of the guest image, made if need be."""

from __future__ import annotations

import sys

from . import build


def main() -> int:
    """Exit code 0: it is there; 1: not, and why was said."""
    try:
        print(build.ensure(lambda line: print(line, file=sys.stderr, flush=True)))
    except build.Unbuilt as error:
        print(f'ERROR {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
