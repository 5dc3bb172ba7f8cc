"""Pictures of bundles."""

from __future__ import annotations

import pathlib

import pytest

from tools import draw

pytestmark = pytest.mark.timeout(60)
ROOT = pathlib.Path(__file__).parents[2]
SUBNETS = {'out': '10.0.0.0/24', 'in': '10.0.1.0/24'}


@pytest.mark.parametrize('name', ['dmz', 'small-cloud', 'cloud'])
def test_pictures_in_the_documents_are_of_the_bundles_as_they_are(
    name: str, capsys: pytest.CaptureFixture[str]
):
    assert draw.main(['draw.py', str(ROOT / f'bundles/{name}.yaml')]) == 0
    assert capsys.readouterr().out == (ROOT / f'docs/{name}.svg').read_text(), (
        f'python tools/draw.py bundles/{name}.yaml > docs/{name}.svg'
    )


def test_an_application_has_a_foot_in_each_of_its_networks_and_its_virtual_address_where_that_is():
    app = {
        'num_units': 2,
        'bindings': {'': 'in', 'public': 'out'},
        'constraints': 'spaces=third,^not',
        'options': {'vip': '10.0.0.9'},
    }
    networks, (drawn,) = draw.read({'applications': {'lb': app}}, SUBNETS)
    assert networks == ['out', 'in', 'third']
    assert (drawn.spaces, drawn.vips) == (('in', 'out', 'third'), {'out': '10.0.0.9'})
    picture = draw.svg(networks, [drawn], SUBNETS)
    assert (picture.count('<circle'), picture.count('class="box"')) == (3, 2)
    assert 'VIP 10.0.0.9' in picture


def test_many_applications_of_one_network_stand_in_rows_within_its_band():
    few, many = ({'applications': {f'a{i}': {'num_units': 1} for i in range(n)}} for n in (4, 9))
    heights: list[int] = []
    for bundle in (few, many):
        networks, drawn = draw.read(bundle, {})
        picture = draw.svg(networks, drawn, {})
        assert picture.count('class="box"') == len(drawn)
        heights.append(int(picture.split('viewBox="0 0 ', 1)[1].split('"')[0].split()[1]))
    assert heights[1] - heights[0] == 2 * draw.ROW


def test_where_a_gateway_brings_servers_the_picture_says_what_they_have_of_it():
    app = {'num_units': 1, 'bindings': {'': 'in', 'external': 'out', 'data': 'in'}}
    networks, drawn = draw.read({'applications': {'gateway': app}}, SUBNETS)
    picture = draw.svg(networks, drawn, SUBNETS)
    assert 'floating addresses' in picture
    assert 'networks of servers' in picture


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        (None, 'No such file'),
        ('a: b: c', 'bundle.yaml: mapping values'),
        ('', 'is no bundle'),
        ('spaces: {}', "is no bundle: KeyError 'applications'"),
        ('applications: {a: 3}', 'is no bundle'),
        ('applications: {a: {bindings: {"": [1]}}}', 'is no bundle'),
    ],
)
def test_what_is_no_bundle_gets_one_line(
    text: str | None, says: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / 'bundle.yaml'
    if text is not None:
        path.write_text(text)
    assert draw.main(['draw.py', str(path)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.startswith('ERROR ')) == ('', True)
    assert says in err
