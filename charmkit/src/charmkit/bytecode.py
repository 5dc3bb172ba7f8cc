"""Python modules that packages bring are compiled all at once, not package by package.

Each Debian package with Python in it has `py3compile` started for itself: hundreds of starts of Python, most of the
time that OpenStack takes to install. While a charm installs, dpkg finds a program of that name that only writes down
what was asked for; one run compiles it afterwards. The system's own program is not touched: what lies aside is found
only by whom :func:`path` is given. A hook that is killed in between leaves its list to the next one.
"""

from __future__ import annotations

import os
import pathlib
import subprocess

from . import files

_ASIDE = pathlib.Path('/var/lib/charmkit/compile-later')
_PUBLIC = '/usr/lib/python3/dist-packages'
_TESTS = '/tests/'
"""What packages bring for tests of their own, a third of it all, is never imported here."""
_PATH = '/usr/sbin:/usr/bin:/sbin:/bin'
"""What apt gives to dpkg by itself."""


def path(aside: pathlib.Path = _ASIDE) -> str:
    """The `PATH` for dpkg while packages are installed; makes what stands in it."""
    program = f"""#!/bin/sh
# Written by the charm: what is asked for here is compiled in one run, once all packages are there.
set -eu
echo "$*" >>'{aside}/asked'
"""
    files.write(aside / 'bin/py3compile', program, mode=0o755)
    return f'{aside}/bin:{_PATH}'


def catch_up(aside: pathlib.Path = _ASIDE) -> None:
    """Compile what was put off. What cannot be compiled is left to Python, as `py3compile` leaves it."""
    asked = aside / 'asked'
    try:
        text = asked.read_text()
    except FileNotFoundError:
        return
    jobs = str(os.cpu_count() or 1)
    argv = ('python3', '-m', 'compileall', '-q', '-j', jobs, '-x', _TESTS, *folders(text))
    subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    asked.unlink()


def folders(asked: str) -> list[str]:
    """Where the modules of what was *asked* for are: one line for each package, folders of its own among the words."""
    own = {word for line in asked.splitlines() for word in line.split() if word.startswith('/')}
    return [_PUBLIC, *sorted(own)]
