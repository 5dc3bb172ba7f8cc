"""Whole bundles on a jujulet of the tests' own, in system containers.

What takes long to make is kept between sessions, in ``$JUJULET_TEST_DATA`` or ``build/test-jujulet``: environments
of charms, and what their install hooks left. Bases are those that ``jujulet image`` has built for the user. Models
go when the session ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import json
import os
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable

import jubilant
import pytest
import yaml

from jujulet import paths

ROOT = pathlib.Path(__file__).parents[2]
BUNDLES = ROOT / 'bundles'
CHARMS = ROOT / 'charms'
JUJULET = pathlib.Path(sys.executable).with_name('jujulet')
PATIENCE_S = 900
CONFIG = {'update-status-hook-interval': '60m'}
"""A hook that comes by itself would mend what a test has broken, or count where it counts."""

sys.path.insert(0, str(ROOT / 'tools'))  # Its modules import each other so.

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Model = Callable[..., contextlib.AbstractContextManager[jubilant.Juju]]


@pytest.fixture(scope='session', autouse=True)
def jujulet() -> Generator[pathlib.Path]:
    """The folder of the tests' own jujulet; ``juju`` means it meanwhile."""
    home = pathlib.Path(os.environ.get('JUJULET_TEST_DATA') or ROOT / 'build/test-jujulet')
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home / 'session.lock').open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.exit(f'other tests use {home}: wait for them, or set JUJULET_TEST_DATA', 3)
        _share_bases(home)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv('JUJULET_DATA', str(home.absolute()))
            patch.setenv('PATH', f'{home.absolute()}/bin{os.pathsep}{os.environ["PATH"]}')
            _jujulet('env')
            _remove_models()
            yield home
            _remove_models()
            _jujulet('controller', 'stop')


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def base(request: pytest.FixtureRequest) -> str:
    """What the units of a module's model run on: its tests run on each."""
    return str(request.param)


@pytest.fixture(scope='session')
def model(request: pytest.FixtureRequest) -> Model:
    """Makes a model whose machines are containers of a base; it is removed when the context ends.

    While a test is written: ``--no-juju-teardown`` keeps it, and ``--juju-model NAME --no-juju-setup`` takes that one.
    """

    @contextlib.contextmanager
    def made(base: str, spaces: Iterable[str] = ()) -> Generator[jubilant.Juju]:
        if request.config.getoption('--no-juju-setup'):
            yield jubilant.Juju(model=request.config.getoption('--juju-model'))
            return
        keep = bool(request.config.getoption('--no-juju-teardown'))
        config = {**CONFIG, 'default-base': base}
        failed = request.session.testsfailed
        with jubilant.temp_model(keep=keep, cloud='localhost', config=config) as juju:
            juju.wait_timeout = PATIENCE_S
            for space in spaces:
                juju.cli('add-space', space)  # Its subnets are chosen: this host may have others.
            try:
                yield juju
            finally:
                if request.session.testsfailed > failed or sys.exc_info()[0]:
                    print(juju.cli('status', '--relations'), juju.debug_log(limit=500))

    return made


def subnet(juju: jubilant.Juju, space: str, version: int = 4) -> Network:
    """The space's one subnet of IP *version*."""
    spaces = json.loads(juju.cli('spaces', '--format', 'json'))['spaces']
    (cidrs,) = (one['subnets'] for one in spaces if one['name'] == space)
    (found,) = (n for n in map(ipaddress.ip_network, cidrs) if n.version == version)
    return found


def settle(juju: jubilant.Juju, timeout: float = PATIENCE_S) -> jubilant.Status:
    """Wait until every unit is active and no hook is due."""
    return juju.wait(
        lambda s: jubilant.all_active(s) and jubilant.all_agents_idle(s), timeout=timeout
    )


def lie_in_wait(juju: jubilant.Juju, unit: str, script: str) -> None:
    """Start *script* on the unit's machine; it goes on by itself until what it waits for has come."""
    command = f'systemd-run --quiet --unit=lying-in-wait sh -c {shlex.quote(script)}'
    juju.exec(command, unit=unit)


def gone(juju: jubilant.Juju, unit: str) -> bool:
    """Whether what was lying in wait has done its work. RuntimeError if it has failed."""
    said = juju.cli('ssh', unit, 'systemctl is-active lying-in-wait || true').strip()
    if said == 'failed':
        raise RuntimeError(f'what was lying in wait on {unit} has failed')
    return said == 'inactive'


def _share_bases(home: pathlib.Path) -> None:
    bases = home / 'bases'
    bases.mkdir(exist_ok=True)
    for link in bases.iterdir():
        if link.is_symlink() and not link.exists():
            link.unlink()
    for built in (paths.root() / 'bases').glob('*-*-*'):
        if not (bases / built.name).exists():
            (bases / built.name).symlink_to(built.resolve())


def _remove_models() -> None:
    """Also those that a session which was killed has left."""
    for model in yaml.safe_load(_jujulet('models', '--format', 'yaml'))['models']:
        if str(model['short-name']).startswith('jubilant-'):
            _jujulet('destroy-model', '--no-prompt', '--force', str(model['short-name']))


def _jujulet(*args: str) -> str:
    return subprocess.run([JUJULET, *args], check=True, stdout=subprocess.PIPE, text=True).stdout
