"""A vendor's afternoon: charmkit's wheel in an environment of one's own, a charm of one's own, and it serves.

What is done here has nothing of this repository but the wheel; the control plane beside it is ours.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Generator
from typing import Any

import jubilant
import pytest
import yaml

from tools import cloud as cloud_

from .conftest import CHARMS, JUJULET, ROOT, Model, settle

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

UV = pathlib.Path(sys.executable).with_name('uv')
NAME = 'vendor-api'
OTHERS = ('neutron-plugin', 'cinder-backend', 'compute-agent', 'monitoring')
LOADBALANCER = {'allow-shared-spaces': True}


@dataclasses.dataclass(frozen=True)
class Vendor:
    """An empty folder, and an environment that has charmkit from its wheel."""

    folder: pathlib.Path
    wheel: pathlib.Path

    def run(self, *argv: str, folder: pathlib.Path | None = None) -> str:
        """What a command of the environment prints; it must succeed."""
        done = subprocess.run(
            [str(self.folder / '.venv/bin' / argv[0]), *argv[1:]],
            cwd=folder or self.folder,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def new(self, kind: str, name: str = '') -> pathlib.Path:
        """A charm of *kind*, as the command makes it."""
        self.run('charmkit', 'new', name or f'vendor-{kind}', '--kind', kind)
        return self.folder / (name or f'vendor-{kind}')


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'VIRTUAL_ENV')}


@pytest.fixture(scope='session')
def vendor() -> Generator[Vendor]:
    """Somebody who has the wheel, and nothing else of ours."""
    with tempfile.TemporaryDirectory(prefix='vendor-') as made:
        folder = pathlib.Path(made)
        _uv('build', '--quiet', '--wheel', str(ROOT / 'charmkit'), '--out-dir', str(folder))
        (wheel,) = folder.glob('charmkit-*.whl')
        _uv('venv', '--quiet', '--python', sys.executable, str(folder / '.venv'))
        python = str(folder / '.venv/bin/python')
        _uv('pip', 'install', '--quiet', '--python', python, f'{wheel}[author]')
        yield Vendor(folder, wheel)


def _uv(*argv: str) -> None:
    done = subprocess.run(
        [UV, *argv], cwd='/', env=_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope='module')
def api(vendor: Vendor) -> pathlib.Path:
    return vendor.new('api', NAME)


def proved(vendor: Vendor, charm: pathlib.Path) -> None:
    """The rules are kept, its code as it runs among them; its unit tests pass; nothing of ours was loaded."""
    found = json.loads(
        vendor.run('charmkit', 'check', '--run', '--strict', '--format=json', str(charm))
    )
    assert found['charms'][0]['findings'] == []
    assert ' passed' in vendor.run('python', '-m', 'pytest', '-q', folder=charm)
    where = vendor.run('python', '-c', 'import charmkit; print(charmkit.__file__)', folder=charm)
    assert where.startswith(str(vendor.folder))


def test_an_api_keeps_the_rules_and_is_packed(vendor: Vendor, api: pathlib.Path):
    proved(vendor, api)
    packed = subprocess.run(
        [JUJULET, 'pack', str(api), '-o', str(vendor.folder / 'packed')],
        env=_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert packed.returncode == 0, packed.stderr
    (file,) = (vendor.folder / 'packed').glob('*.charm')
    vendor.run('charmkit', 'check', '--strict', str(file))


@pytest.mark.slow
@pytest.mark.parametrize('kind', OTHERS)
def test_so_does_each_other_kind(vendor: Vendor, kind: str):
    charm = vendor.new(kind)
    proved(vendor, charm)
    subprocess.run(
        [JUJULET, 'pack', str(charm), '-o', str(vendor.folder / 'packed')],
        env=_environment(), check=True,
    )  # fmt: skip


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def plane(request: pytest.FixtureRequest, model: Model) -> Generator[jubilant.Juju]:
    """A database, keystone, and a load balancer before it."""
    with model(request.param) as juju:
        juju.deploy(CHARMS / 'mysql')
        juju.deploy(CHARMS / 'keystone')
        juju.deploy(CHARMS / 'openstack-loadbalancer', 'lb', config=LOADBALANCER)
        juju.integrate('keystone:shared-db', 'mysql:shared-db')
        for kind in cloud_.TYPES:
            juju.integrate(f'keystone:{kind}-backend', 'lb:backend')
        yield juju


@pytest.mark.slow
def test_it_serves_behind_the_load_balancer(plane: jubilant.Juju, api: pathlib.Path):
    plane.deploy(api)
    plane.integrate(f'{NAME}:shared-db', 'mysql:shared-db')
    plane.integrate(f'{NAME}:identity-service', 'keystone:identity-service')
    plane.integrate(f'{NAME}:public-backend', 'lb:backend')
    settle(plane)
    cloud = cloud_.find(plane)
    url = cloud.urls[NAME]['public']
    assert get(url) == (200, {'versions': [{'id': 'v1', 'status': 'CURRENT'}]})
    assert get(f'{url}/v1/visits')[0] == 401
    login: Any = cloud_.connect(cloud)
    token = str(login.auth_token)
    assert get(f'{url}/v1/visits', token) == (200, {'project': 'admin', 'visits': 1})
    assert login.identity.find_service(NAME, ignore_missing=False).type == NAME


def get(url: str, token: str = '') -> tuple[int, Any]:
    request = urllib.request.Request(url, headers={'X-Auth-Token': token} if token else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as e:
        return e.code, None


PRINCIPAL = """\
name: principal
type: charm
summary: Whatever a subordinate stands beside
description: It has each relation of a principal, and does nothing.
base: ubuntu@24.04
platforms: {amd64: }
parts: {charm: {plugin: charm, source: .}}
requires:
  storage-backend: {interface: cinder-backend, scope: container, optional: true}
  neutron-plugin-api-subordinate:
    {interface: neutron-plugin-api-subordinate, scope: container, optional: true}
  nova-ceilometer: {interface: nova-ceilometer, scope: container, optional: true}
"""
PROGRAM = """\
#!/usr/bin/env python3
import subprocess

import ops


class Principal(ops.CharmBase):
    def __init__(self, framework):
        super().__init__(framework)
        framework.observe(self.on.install, self._install)
        framework.observe(self.on.start, self._active)
        for name in ('storage-backend', 'neutron-plugin-api-subordinate', 'nova-ceilometer'):
            framework.observe(self.on[name].relation_created, self._ready)

    def _install(self, _):
        # As the packages of a nova-compute would.
        subprocess.run(['useradd', '--system', '--user-group', 'nova'], check=True)

    def _active(self, _):
        self.unit.status = ops.ActiveStatus()

    def _ready(self, event):
        event.relation.data[self.unit].update(
            {'neutron-api-ready': 'yes', 'neutron_config_data': '{"service_plugins": ["router"]}'}
        )


if __name__ == '__main__':
    ops.main(Principal)
"""
RELATIONS = {
    'neutron-plugin': 'neutron-plugin-api-subordinate',
    'cinder-backend': 'storage-backend',
    'compute-agent': 'nova-ceilometer',
    'monitoring': 'juju-info',
}


@pytest.mark.slow
def test_subordinates_are_active_beside_a_principal(
    vendor: Vendor, model: Model, tmp_path: pathlib.Path
):
    principal = tmp_path / 'principal'
    (principal / 'src').mkdir(parents=True)
    (principal / 'charmcraft.yaml').write_text(PRINCIPAL)
    (principal / 'requirements.txt').write_text('ops>=3,<4\n')
    (principal / 'src/charm.py').write_text(PROGRAM)
    with model('debian@12') as juju:
        juju.deploy(CHARMS / 'rabbitmq-server')
        for kind, relation in RELATIONS.items():
            # Each has a machine of its own: what the package of one makes is no other's.
            juju.deploy(principal, f'beside-{kind}')
            juju.deploy(vendor.new(kind, f'placed-{kind}'))
            juju.integrate(f'placed-{kind}:{relation}', f'beside-{kind}:{relation}')
        juju.integrate('placed-compute-agent:amqp', 'rabbitmq-server:amqp')
        settle(juju)
        journal = 'journalctl -u placed-compute-agent -n 5 --no-pager'
        assert 'is at work' in juju.exec(journal, unit='placed-compute-agent/0').stdout
        figures = (
            "import urllib.request as r; print(r.urlopen('http://localhost:9100/metrics').read())"
        )
        said = juju.exec(f'python3 -c "{figures}"', unit='placed-monitoring/0').stdout
        assert 'node_memory_MemTotal_bytes' in said
        arguments = juju.exec(
            'ps -o args= -C prometheus-node-exporter', unit='placed-monitoring/0'
        )
        assert '--collector.systemd' in arguments.stdout


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['api', 'neutron-plugin'])
def test_each_step_of_its_ci_passes(vendor: Vendor, kind: str):
    charm = vendor.new(kind, f'ci-{kind}')
    workflow = yaml.safe_load((charm / '.github/workflows/check.yaml').read_text())
    steps = [str(step['run']) for step in workflow['jobs']['check']['steps'] if 'run' in step]
    assert len(steps) == 5
    for step in steps:
        argv = [str(UV), *step.split()[1:]]
        done = subprocess.run(
            argv, cwd=charm, env=_environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f'{step}\n{done.stdout}\n{done.stderr}'
