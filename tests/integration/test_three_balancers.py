"""bundles/dmz.yaml with three units of the public load balancer and VIPs of both IP versions; their owner dies."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import threading
import time
from collections.abc import Generator

import jubilant
import pytest
import yaml

from tools import cloud as cloud_

from .conftest import BUNDLES, Model, settle, subnet
from .test_dmz import SPACES, vips

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(2400)]

UNITS = ('lb-public/0', 'lb-public/1', 'lb-public/2')
VERSIONS = (4, 6)


@pytest.fixture(scope='module')
def juju(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Generator[jubilant.Juju]:
    overlay = tmp_path_factory.mktemp('overlay') / 'three.yaml'
    with model('debian@13', SPACES) as juju:
        three = {'num_units': 3, 'options': {'vip': f'{vip(juju, 4)} {vip(juju, 6)}'}}
        inner = {**vips(juju)['lb-internal'], 'num_units': 1}
        # What is asked is keystone, by HTTP: three units fewer to wait for.
        applications = {
            'lb-public': three,
            'lb-internal': inner,
            'glance': None,
            'placement': None,
        }
        overlay.write_text(yaml.safe_dump({'applications': applications}))
        juju.deploy(BUNDLES / 'dmz.yaml', overlays=[overlay])
        settle(juju)
        yield juju


def vip(juju: jubilant.Juju, version: int) -> str:
    return str(subnet(juju, 'dmz', version)[250])


def owners(juju: jubilant.Juju, version: int, units: tuple[str, ...] = UNITS) -> list[str]:
    """Those of *units* that hold the VIP of IP *version*."""
    wanted = f' {vip(juju, version)}/'
    return [u for u in units if wanted in juju.exec('ip -o address show', unit=u).stdout]


def owned(juju: jubilant.Juju, units: tuple[str, ...] = UNITS) -> str:
    """The one of *units* that holds the VIPs of both versions, once that is so."""
    juju.wait(
        lambda _: all(len(owners(juju, v, units)) == 1 for v in VERSIONS), timeout=90, successes=2
    )
    (unit,) = {one for v in VERSIONS for one in owners(juju, v, units)}
    return unit


@dataclasses.dataclass
class Load:
    """Requests to keystone at *address*, one after the other, each on a connection of its own."""

    address: str
    said: list[bool] = dataclasses.field(default_factory=list[bool])
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.is_set():
            self.said.append(self.ask())
            time.sleep(0.02)

    def ask(self) -> bool:
        connection = http.client.HTTPConnection(self.address, 5000, timeout=3)
        try:
            connection.request('GET', '/v3')
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    @property
    def gaps(self) -> int:
        """How often it began to fail."""
        return sum(
            good and not after for good, after in zip(self.said, self.said[1:], strict=False)
        )


@pytest.fixture
def loads(juju: jubilant.Juju) -> Generator[dict[int, Load]]:
    found = {version: Load(vip(juju, version)) for version in VERSIONS}
    threads = [threading.Thread(target=one.run) for one in found.values()]
    for thread in threads:
        thread.start()
    yield found
    for one in found.values():
        one.stop.set()
    for thread in threads:
        thread.join()


def more(loads: dict[int, Load], number: int = 50) -> None:
    """Wait for so many requests more of each, and expect all of them to succeed."""
    before = {version: len(load.said) for version, load in loads.items()}
    end = time.monotonic() + 120
    while any(len(loads[v].said) < n + number for v, n in before.items()):
        assert time.monotonic() < end
        time.sleep(0.2)
    assert all(all(loads[v].said[n : n + number]) for v, n in before.items())


def test_three_units_have_one_owner_and_clients_reach_it_by_both_versions(
    juju: jubilant.Juju, loads: dict[int, Load]
):
    assert owned(juju) in UNITS
    more(loads)
    urls = cloud_.find(juju).urls['keystone']
    assert vip(juju, 4) in urls['public']


def test_another_takes_over_from_an_owner_whose_machine_dies(
    juju: jubilant.Juju, loads: dict[int, Load]
):
    """It says no goodbye, so the others must notice. What is asked meanwhile is lost, and nothing after it."""
    held = owned(juju)
    left = tuple(unit for unit in UNITS if unit != held)
    more(loads)
    with contextlib.suppress(jubilant.CLIError):  # The way in dies with the machine.
        juju.cli('ssh', held, 'sudo systemctl reboot --force --force')
    assert owned(juju, left) in left
    more(loads)
    settle(juju)
    more(loads)
    assert owned(juju) in left, 'one that comes back takes the VIPs from who serves'
    assert {version: load.gaps for version, load in loads.items()} == {4: 1, 6: 1}


def test_the_vips_leave_an_owner_that_is_removed_before_it_goes(
    juju: jubilant.Juju, loads: dict[int, Load]
):
    """Twice: down to one unit, and up again."""
    left = UNITS
    for _ in range(2):
        held = owned(juju, left)
        left = tuple(unit for unit in left if unit != held)
        more(loads)
        juju.remove_unit(held)
        juju.wait(lambda s, gone=held: gone not in s.apps['lb-public'].units, timeout=300)
        assert owned(juju, left) in left
        settle(juju)
        more(loads)
    assert all(load.gaps <= 2 for load in loads.values())
    juju.add_unit('lb-public')
    settle(juju)
    (new,) = set(juju.status().apps['lb-public'].units) - {*left}
    assert owned(juju, (*left, new)) in left, 'a new unit takes the VIPs from who serves'
    more(loads)
