"""Every file that the charm writes, on each base: read the goldens to see what a unit has."""

from __future__ import annotations

import image_service
import pytest
from charmkit import relations, releases, spec, state
from charmkit import testing as machines
from charmkit.relations import keystone, mysql
from ops import testing
from syrupy.assertion import SnapshotAssertion

from charms import conftest as shared

NAME = 'glance'


@pytest.mark.parametrize('base', shared.BASES)
def test_files_are_as_the_golden_has_them(
    machine: machines.FakeMachine, base: str, snapshot: SnapshotAssertion
):
    machine.base = base
    ctx = testing.Context(shared.load(NAME).GlanceCharm)
    relations = {
        shared.database(f'{NAME}/0'),
        shared.identity(NAME),
        testing.PeerRelation('peers'),
    }
    ctx.run(
        ctx.on.config_changed(),
        testing.State(leader=True, relations=relations, networks=shared.networks()),
    )
    files = sorted(machine.desired.files, key=lambda f: f.path)
    text = '\n'.join(f'==> {f.path} {f.owner}:{f.group} {f.mode:04o}\n{f.content}' for f in files)
    assert text == snapshot


@pytest.mark.parametrize(
    ('secure', 'url'),
    [({}, 'http://10.0.0.2:9292'), ({'glance': 19292}, 'https://10.0.0.2:19292')],
)
def test_other_units_hand_on_imports_by_the_way_that_this_unit_takes(
    machine: machines.FakeMachine, secure: dict[str, int], url: str
):
    site = relations.Site(
        unit='glance/0', leader=True, address='10.0.0.2', secure_port=secure, urls={}
    )
    identity = keystone.Identity('http://k/v3', 'http://k/v3', 'glance', 'services', 'd', 'pw')
    database = mysql.Database('10.0.0.5', 'glance', 'glance', 'pw')
    ready = spec.Ready(
        state.Inputs(site=site),
        {image_service.DB: database, image_service.IDENTITY: identity},
        releases.of_base('debian@12'),
    )
    assert image_service.glance_conf(ready)['DEFAULT']['worker_self_reference_url'] == url


def test_what_the_release_knows_of_images_metadata_is_loaded_once_the_tables_are_there(
    machine: machines.FakeMachine,
):
    ctx = testing.Context(shared.load(NAME).GlanceCharm)
    related = {
        shared.database(f'{NAME}/0'),
        shared.identity(NAME),
        testing.PeerRelation('peers'),
    }
    ctx.run(
        ctx.on.config_changed(),
        testing.State(leader=True, relations=related, networks=shared.networks()),
    )
    ran = [step for step in machine.steps if step.startswith('run glance-manage')]
    assert ran == ['run glance-manage db_sync', 'run glance-manage db_load_metadefs']
    expand = shared.load(NAME).GlanceCharm.spec.migrations.expand
    assert expand[-1] == 'glance-manage db_load_metadefs'
