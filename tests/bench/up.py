"""``make up`` of a fresh clone, beside the floor: the same packages in the same containers by a plain shell script.

All in one run, one after the other: ``floor.sh``, ``make up`` with nothing cached (its own environment, caches and
jujulet), ``make down``, ``make up`` again. It takes about a quarter of an hour, so ``make bench`` leaves it out. The
clone is of the last commit; each line that ``make`` prints comes with the seconds since its start.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping

from . import local
from .figure import Figure

FLOOR = pathlib.Path(__file__).with_name('floor.sh')
SUBNETS = ('10.180.', '10.183.')
"""The bundle's own may be in use by a ``make up`` of this machine's user."""


def up() -> Iterator[Figure]:
    """The floor, then ``make up`` cold and again, and with TLS."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix='jb-up-'))
    try:
        floor = _floor(folder / 'floor')
        with _clone(folder) as (clone, environment):
            cold = _make('up', clone, environment, 'TLS=no')  # The floor has none.
            down = _make('down', clone, environment)
            again = _make('up', clone, environment, 'TLS=no')
            _make('down', clone, environment)
            _make('up', clone, environment)  # What the authority installs is kept from then on.
            _make('down', clone, environment)
            secure = _make('up', clone, environment)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    yield Figure(
        'make up with nothing cached, of the floor', cold / floor, '', 1.3,
        how=f'{cold:.0f} s; the floor {floor:.0f} s in the same run',
    )  # fmt: skip
    yield Figure('make up with nothing cached', cold, 's', 480, how='one run, the proof in it')
    yield Figure(
        'make up again after make down, of the floor', again / floor, '', 0.6,
        how=f'{again:.0f} s; make down {down:.0f} s',
    )  # fmt: skip
    yield Figure(
        'make up again with TLS, of the same without', secure / again, '', 1.6,
        how=f'{secure:.0f} s and {again:.0f} s',
    )  # fmt: skip


def _floor(folder: pathlib.Path) -> float:
    began = time.monotonic()
    try:
        subprocess.run([FLOOR, 'up', folder], check=True)
        return time.monotonic() - began
    finally:
        subprocess.run([FLOOR, 'down', folder], check=True)


@contextlib.contextmanager
def _clone(folder: pathlib.Path) -> Generator[tuple[pathlib.Path, Mapping[str, str]]]:
    """A clone of the last commit in networks of its own, and an environment in which nothing is cached."""
    clone = folder / 'clone'
    subprocess.run(['git', 'clone', '--quiet', local.ROOT, clone], check=True)
    for path in (clone / 'bundles').rglob('*.yaml'):
        path.write_text(path.read_text().replace(*SUBNETS))
    ours = {
        'JUJULET_DATA': str(folder / 'data'),
        'XDG_CACHE_HOME': str(folder / 'cache'),
        'PYTHONUNBUFFERED': '1',
    }
    environment = {k: v for k, v in os.environ.items() if k != 'VIRTUAL_ENV'} | ours
    try:
        yield clone, environment
    finally:
        _make('down', clone, environment)


def _make(
    target: str, clone: pathlib.Path, environment: Mapping[str, str], *variables: str
) -> float:
    """Seconds that ``make`` took. CalledProcessError when it fails."""
    began = time.monotonic()
    argv = ['make', '-C', str(clone), target, *variables]
    with subprocess.Popen(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    ) as running:  # fmt: skip
        for line in running.stdout or ():
            print(f'{time.monotonic() - began:6.1f} {line}', end='', file=sys.stderr)
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, argv)
    return time.monotonic() - began
