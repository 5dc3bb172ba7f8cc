"""What glance is told, and where its images are, from what a unit is ready with."""

from __future__ import annotations

from typing import Any

import image_service
import pytest
from charmkit import conf, relations, releases, spec, state
from charmkit.relations import keystone, mysql


def told(**options: Any) -> conf.Ini:
    site = relations.Site(unit='glance/0', leader=True, address='10.0.0.2', urls={})
    identity = keystone.Identity('http://k/v3', 'http://k/v3', 'glance', 'services', 'd', 'pw')
    database = mysql.Database('10.0.0.5', 'glance', 'glance', 'pw')
    given = {name.replace('_', '-'): value for name, value in options.items()}
    return image_service.glance_conf(
        spec.Ready(
            state.Inputs(site=site, options=given),
            {image_service.DB: database, image_service.IDENTITY: identity},
            releases.of_base('debian@12'),
        )
    )


@pytest.mark.parametrize('options', [{}, {'web_download_hosts': ''}])
def test_nothing_is_fetched_for_users_unless_hosts_are_allowed(options: dict[str, str]):
    found = told(**options)
    assert found['DEFAULT']['enabled_import_methods'] == '[glance-direct,copy-image]'
    assert found['import_filtering_opts'] == {
        'allowed_schemes': '[http,https]', 'allowed_ports': '[80,443]',
    }  # fmt: skip


def test_images_are_fetched_from_the_hosts_that_are_allowed_as_glance_spells_them():
    """It compares with what urllib has made of a URL: small letters."""
    found = told(web_download_hosts='Images.example  mirror.example')
    assert found['DEFAULT']['enabled_import_methods'] == '[glance-direct,copy-image,web-download]'
    assert found['import_filtering_opts'] == {
        'allowed_schemes': '[http,https]', 'allowed_ports': '[80,443]',
        'allowed_hosts': '[images.example,mirror.example]',
    }  # fmt: skip


@pytest.mark.parametrize('debug', [True, False])
def test_it_logs_at_debug_level_when_asked_to(debug: bool):
    assert told(debug=debug)['DEFAULT']['debug'] is debug


def test_the_directories_of_images_are_glances_alone():
    made = image_service.stores(_nothing()).directories
    assert {d.path for d in made} == {
        f'/var/lib/glance/{name}' for name in ('images', 'staging', 'tasks')
    }
    assert {(d.owner, d.group, d.mode) for d in made} == {('glance', 'glance', 0o750)}


def _nothing() -> Any:
    return None


@pytest.mark.parametrize(('unit', 'others'), [(10, (9,)), (9, (10, 11)), (2, (10,))])
def test_the_first_unit_is_the_one_with_the_smallest_number(unit: int, others: tuple[int, ...]):
    inputs = state.Inputs(
        site=relations.Site(unit=f'glance/{unit}', leader=True, address='10.0.0.2', urls={}),
        peer_units={f'glance/{n}': {} for n in others},
    )
    refused = image_service.not_alone(inputs)
    if unit < min(others):
        assert refused == ''
    else:
        assert refused.startswith(f'images are files on glance/{min(others)}: ')


def test_where_images_are_is_said_by_the_endpoint_of_services():
    site = relations.Site(
        unit='glance/0', leader=True, address='10.0.0.2', urls={'glance': {'internal': 'http://i'}}
    )
    relation = relations.Relation(id=1, name='image-service', app='nova')
    ready = spec.Ready(state.Inputs(site=site), {}, releases.of_base('debian@12'))
    assert image_service.place(ready, relation)['glance-api-server'] == 'http://i'
