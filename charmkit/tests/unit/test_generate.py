"""What the library writes into a charm's charmcraft.yaml, and what it leaves as the author has it."""

from __future__ import annotations

import pathlib

import charmkit
import pytest
import yaml
from charmkit import generate, keystone, mysql, options

TEXT = """\
name: demo
# Nobody but the author knows this.
title: Demo
# Where clients are.
extra-bindings:
  internal:
actions:
  # Said by the author.
  pause:
    description: |
      Old words.

      # no comment
  # What only this charm has.
  tidy:
    # Deeper.
    description: Tidy up.
  # Last of all.
"""


class Demo(charmkit.ApiCharm):
    spec = charmkit.ServiceSpec(
        name='demo',
        user='demo',
        packages=('demo-api',),
        needs=(mysql.need('demo'), keystone.need('demo')),
        apps=(charmkit.WsgiApp('demo-api', '/usr/bin/demo-api', 9999, type='demo'),),
        config={},
    )


@pytest.mark.parametrize(
    'default',
    ['', 'distro', 'no', 'True', 'OFF', 'null', 'y', 'a"b', 'a\\b', 'two\nlines', 'é', ' x', '1.5', '-', '#'],
)  # fmt: skip
def test_a_texts_default_is_that_text_to_whoever_reads_the_file(default: str):
    text = generate.option(options.Option('o', options.Kind('string', ''), default, 'Some words.'))
    assert yaml.safe_load(text)['o']['default'] == default


@pytest.mark.parametrize(('kind', 'default'), [('int', 3), ('boolean', False), ('boolean', True)])
def test_so_are_numbers_and_switches(kind: str, default: options.Value):
    text = generate.option(options.Option('o', options.Kind(kind, ''), default, 'Some words.'))  # type: ignore[arg-type]
    assert yaml.safe_load(text)['o']['default'] is default


def test_what_the_author_wrote_stays_with_what_it_was_written_for():
    text = generate.metadata(TEXT, 'demo', Demo)
    assert '# Nobody but the author knows this.\ntitle: Demo\n' in text
    assert '# Where clients are.\nextra-bindings:\n' in text
    assert '  # Said by the author.\n  pause:\n    description: |\n      Stop serving' in text
    assert '  # What only this charm has.\n  tidy:\n    # Deeper.\n    description: Tidy' in text
    assert '  # Last of all.\n' in text
    assert 'Old words' not in text
    assert 'no comment' not in text
    assert {*yaml.safe_load(text)['actions']} >= {'pause', 'resume', 'tidy'}


def test_a_file_that_was_brought_up_to_date_is_up_to_date():
    once = generate.metadata(TEXT, 'demo', Demo)
    assert generate.metadata(once, 'demo', Demo) == once


def test_a_mapping_that_is_empty_is_filled():
    text = generate.metadata('name: demo\nprovides: {}  # none of its own\n', 'demo', Demo)
    assert {*yaml.safe_load(text)['provides']} >= {'public-backend', 'admin-backend'}
    assert 'provides:  # none of its own\n' in text


def test_a_mapping_in_one_line_is_refused_by_its_file(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / 'src').mkdir()
    (tmp_path / 'src/charm.py').write_text(
        'import charmkit\n\n\nclass Demo(charmkit.ApiCharm):\n    spec = charmkit.ServiceSpec(\n'
        "        name='d', user='d', packages=('d',), needs=(), apps=(), config={})\n"
    )
    meta = tmp_path / 'charmcraft.yaml'
    meta.write_text('name: demo\nactions: {tidy: {description: Tidy up.}}\n')
    assert generate.main([str(tmp_path)]) == 2
    assert f'{meta}: ' in capsys.readouterr().err
    assert 'public-backend' not in meta.read_text()


def test_parts_beside_the_charms_own_stay():
    profile = '  profile:\n    plugin: dump\n    source: .\n    prime: [lxd-profile.yaml]\n'
    before = generate.metadata(f'name: demo\nparts:\n{profile}', 'demo', Demo)
    assert profile in before
    assert 'source-subdir: charms/demo' in before
    assert generate.metadata(before, 'demo', Demo) == before


class Site(charmkit.WebsiteCharm):
    spec = Demo.spec


def test_a_site_is_related_as_an_api_is_and_has_its_actions():
    api, site = (yaml.safe_load(generate.metadata(TEXT, 'demo', c)) for c in (Demo, Site))
    assert site['provides'] == api['provides']
    assert site['actions'] == api['actions']
    assert 'config-flags' not in site['config']['options']
