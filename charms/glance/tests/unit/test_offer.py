"""Services that need images hear where they are, once glance serves."""

from __future__ import annotations

import pytest
from charmkit import testing as machines
from ops import testing

from charms import conftest as shared


@pytest.mark.parametrize('migrated', [True, False])
def test_who_needs_images_hears_where_they_are_once_there_is_a_database(
    machine: machines.FakeMachine, migrated: bool
):
    ctx = testing.Context(shared.load('glance').GlanceCharm)
    relation = testing.Relation('image-service', remote_app_name='cinder')
    granted = shared.database('glance/0') if migrated else testing.Relation('shared-db')
    state = testing.State(
        leader=True,
        networks=shared.networks(),
        relations={
            granted, shared.identity('glance'), testing.PeerRelation('peers'), relation,
        },
    )  # fmt: skip
    out = ctx.run(ctx.on.config_changed(), state)
    told = out.get_relation(relation.id).local_unit_data
    assert told.get('glance-api-server') == ('http://10.0.0.2:9292' if migrated else None)
    assert told.get('glance-api-ready') == ('yes' if migrated else None)
