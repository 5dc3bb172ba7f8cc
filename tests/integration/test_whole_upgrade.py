"""bundles/dmz.yaml, all of it, from Debian 12 to 13: load balancers and database too, under load; and back before that.

glance has two units here, on a store that they share: one that is alone has nobody to stand in for it while its Apache
reloads, and its clients wait until it is up again. What it prints stands in docs/benchmarks.md: `make test-all` runs
it, or `pytest -rP` of this file alone.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

import jubilant
import pytest
import yaml

from lifecycle import journal as journal_
from lifecycle import story
from lifecycle.load import Request, read

from . import shared_store
from .conftest import BUNDLES, Model, settle
from .test_dmz import SPACES, vips
from .test_upgrade import NEXT, NOW, PROGRAMS, bases

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(5400)]

LEAST = 10_000
"""Requests."""
RATE = 8
"""Requests a second: the cloud, what is installed in it and the clients share this machine's processors."""
APPLICATIONS = ('mysql', 'keystone', 'placement', 'glance', 'lb-public', 'lb-internal')
# Sessions and requests that haproxy's frontends have counted: those that are more came by a connection that was kept.
_COUNTED = """
import socket
s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy-master.sock')
s.sendall(b'@1 show stat\\n'); s.shutdown(socket.SHUT_WR)
text = b''.join(iter(lambda: s.recv(65536), b'')).decode()
names, *rows = [line.split(',') for line in text.strip().splitlines()]
every = [dict(zip(names, row)) for row in rows]
those = [one for one in every if one.get('svname') == 'FRONTEND' and one.get('req_tot')]
print(sum(int(one['req_tot']) for one in those), sum(int(one['stot']) for one in those))
"""


@pytest.fixture(scope='module')
def juju(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Generator[jubilant.Juju]:
    """The bundle on Debian 12, with two units of glance and a store that they share; active, and backed up."""
    folder = tmp_path_factory.mktemp('deployed')
    overlay = folder / 'vips.yaml'
    with model(NOW, SPACES) as juju:
        overlay.write_text(yaml.safe_dump({'applications': vips(juju)}))
        if not juju.status().apps:
            juju.deploy(BUNDLES / 'dmz.yaml', overlays=[overlay])
            shared_store.deploy(juju, folder / 'charms', 'api')
            juju.add_unit('glance')
        settle(juju)
        juju.run('mysql/leader', 'backup')
        yield juju


class Clients:
    """Matrix's load on a model, until the context ends; each of its requests is in `journal`."""

    def __init__(self, juju: jubilant.Juju, journal: pathlib.Path):
        self.journal = journal
        self._argv = [
            *(PROGRAMS / 'juju-matrix', 'load', '-m', str(juju.model)),
            *('--rate', str(RATE), '--journal', str(journal)),
        ]
        self.said = ''

    def __enter__(self) -> Clients:
        self._run = subprocess.Popen(
            self._argv, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True
        )
        while not self.journal.exists():
            assert self._run.poll() is None, self._run.communicate()[0]
            time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        self._run.terminate()
        self.said = self._run.communicate(timeout=180)[0]

    def until(self, number: int, within: float) -> None:
        """Wait for so many requests."""
        ends = time.monotonic() + within
        while len(read(self.journal)) < number and time.monotonic() < ends:
            time.sleep(2)


def lifecycle(
    juju: jubilant.Juju, load: pathlib.Path, state: pathlib.Path, command: str, *words: str
) -> subprocess.CompletedProcess[str]:
    """Run it; its journal is below *state*."""
    argv = [
        *(PROGRAMS / 'juju-lifecycle', command, '--model', str(juju.model), '--yes'),
        *('--load-journal', str(load), *words),
    ]
    said = {'XDG_STATE_HOME': str(state)}
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={**os.environ, **said}
    )
    print(done.stdout, done.stderr)
    return done


def upgraded(juju: jubilant.Juju, load: pathlib.Path, state: pathlib.Path) -> list[str]:
    """Upgrade everything; what it stopped at when a request was lost, each time. It goes on with the same command."""
    stops: list[str] = []
    while True:
        done = lifecycle(juju, load, state, 'upgrade', '--to', NEXT, *APPLICATIONS)
        if done.returncode == 0:
            return stops
        assert 'lost: ' in done.stderr
        stops.append(done.stderr)


def steps(state: pathlib.Path, requests: Sequence[Request]) -> Iterator[story.Band]:
    """What was done, in order, each with the requests meanwhile."""
    for path in sorted(
        (state / 'juju-lifecycle').glob('*.jsonl'), key=lambda p: p.stat().st_mtime
    ):
        yield from story.summarise(journal_.read(path), requests).bands


def figures(
    requests: Sequence[Request], bands: Sequence[story.Band], kept: Mapping[str, Sequence[int]]
) -> dict[str, Any]:
    """What is to be told of an upgrade."""
    whats: dict[str, int] = {}
    for one in requests:
        what = one.what.partition(' ')[0]
        whats[what] = whats.get(what, 0) + 1
    return {
        'requests': len(requests),
        'posts': sum(n for what, n in whats.items() if what in ('token.issue', 'image.create')),
        'kinds': whats,
        'lost': [str(one) for one in requests if not one.ok],
        'meanwhile': sum(band.requests for band in bands),
        'seconds': {band.step: round(band.end - band.start, 1) for band in bands},
        'slowest': round(max(one.seconds for one in requests), 2),
        'switch': max((b.slowest for b in bands if b.step.endswith('.switch')), default=None),
        'by connections that were kept': sum(all_ - new for all_, new in kept.values()),
        'seen by the new load balancers': sum(all_ for all_, _ in kept.values()),
    }


def kept(juju: jubilant.Juju) -> dict[str, list[int]]:
    """By unit of the load balancers: the requests and the connections that it has counted."""
    units = [u for app in ('lb-public', 'lb-internal') for u in juju.status().get_units(app)]
    return {
        unit: [int(n) for n in juju.exec('python3', '-c', _COUNTED, unit=unit).stdout.split()]
        for unit in units
    }


@pytest.mark.parametrize('app', ['placement', 'glance', 'keystone', 'lb-public', 'mysql'])
def test_an_application_goes_back_before_it_is_contracted_and_no_request_is_lost(
    juju: jubilant.Juju, tmp_path: pathlib.Path, app: str
) -> None:
    before = len(juju.status().get_units(app))
    journal, state = tmp_path / 'load.jsonl', tmp_path / 'state'
    with Clients(juju, journal) as clients:
        clients.until(50, 60)
        until = ('--until', f'{app}.admit.{before}')
        forth = lifecycle(juju, journal, state, 'upgrade', '--to', NEXT, *until, app)
        assert forth.returncode == 0
        assert NEXT in bases(juju, app)
        back = lifecycle(juju, journal, state, 'rollback')
        assert back.returncode == 0
    requests = read(journal)
    print(json.dumps(figures(requests, list(steps(state, requests)), {}), indent=1))
    assert bases(juju, app) == [NOW] * before
    assert [str(one) for one in requests if not one.ok] == []
    settle(juju)


def test_the_whole_bundle_is_upgraded_and_no_request_is_lost(
    juju: jubilant.Juju, tmp_path: pathlib.Path
) -> None:
    before = {app: len(juju.status().get_units(app)) for app in APPLICATIONS}
    journal, state = tmp_path / 'load.jsonl', tmp_path / 'state'
    with Clients(juju, journal) as clients:
        clients.until(50, 60)
        began = time.monotonic()
        stops = upgraded(juju, journal, state)
        took = time.monotonic() - began
        clients.until(LEAST, 900)
        counted = kept(juju)
    requests = read(journal)
    found = figures(requests, list(steps(state, requests)), counted)
    found['took'] = round(took)
    print(json.dumps(found, indent=1), clients.said[-2000:])
    assert {app: bases(juju, app) for app in APPLICATIONS} == {
        app: [NEXT] * number for app, number in before.items()
    }
    assert (found['lost'], stops) == ([], [])
    assert found['requests'] >= LEAST
    assert found['posts'] > LEAST / 20
    assert found['by connections that were kept'] > 0
    assert found['switch'] is not None
    settle(juju)


def test_the_figures_would_tell_of_a_lost_request() -> None:
    """The sabotaged twin of the count."""
    requests = [
        Request(at=float(n), seconds=0.1, ok=n != 7, what='token.issue http://a', said='http 503')
        for n in range(9)
    ]
    events = [
        journal_.JournalEntry(at=6.0, kind='step', step='mysql.switch', application='mysql'),
        journal_.JournalEntry(at=8.0, kind='done', step='mysql.switch', application='mysql'),
    ]
    (band,) = story.summarise(events, requests).bands
    found = figures(requests, [band], {'lb/2': [10, 4]})
    assert (found['requests'], found['posts'], found['by connections that were kept']) == (9, 9, 6)
    assert len(found['lost']) == 1
    assert band.lost == 1
