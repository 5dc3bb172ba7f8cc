"""Each charm has its page, and the page says what the charm declares."""

from __future__ import annotations

import pathlib

import pytest
import yaml

from tools import charm_pages

META = yaml.safe_load("""
name: demo
title: Demo
summary: A | charm
description: |
  Does things.
subordinate: true
requires:
  shared-db: {interface: mysql-shared, limit: 1}
  storage: {interface: disk, scope: container, optional: true}
provides:
  api: {interface: http}
extra-bindings: {public: }
config:
  options:
    debug: {type: boolean, default: false, description: "Log a lot."}
    name:
      type: string
      default: ""
      description: |
        One | or
        the other.
actions:
  tidy:
    description: Tidy up.
    params:
      room: {type: string, description: Which one.}
      hours: {type: integer, default: 3, description: How long.}
    required: [room]
storage:
  disk: {type: filesystem, description: Where it is kept.}
""")


@pytest.mark.parametrize(
    'line',
    [
        '# Demo',
        'Does things.',
        '| `shared-db` | `mysql-shared` | at most 1 |',
        '| `storage` | `disk` | on the same machine (container), optional |',
        '| `api` | `http` |  |',
        '| `debug` | boolean | `false` | Log a lot. |',
        r'| `name` | string | empty | One \| or the other. |',
        '### `tidy`',
        '| `room` | string | required | Which one. |',
        '| `hours` | integer | `3` | How long. |',
        '| `disk` | filesystem | Where it is kept. |',
        'Beside its relations, a space may be given to: `public`.',
    ],
)
def test_a_page_says_what_the_charm_declares(line: str):
    assert line in charm_pages.page(META).split('\n')


def test_a_subordinate_says_so():
    assert 'It is a subordinate' in charm_pages.page(META)
    assert 'It is a subordinate' not in charm_pages.page({**META, 'subordinate': False})


def test_a_charm_that_declares_nothing_has_no_empty_sections():
    assert '##' not in charm_pages.page({'name': 'bare', 'summary': 'Nothing.'})


def test_the_index_leads_to_every_page():
    assert r'| [demo](demo.md) | A \| charm |' in charm_pages.index([META])


def test_the_pages_in_docs_are_up_to_date(capsys: pytest.CaptureFixture[str]):
    assert charm_pages.main(['--check']) == 0, capsys.readouterr().out


def test_a_page_that_is_missing_old_or_of_a_charm_that_is_gone_is_noticed_and_mended(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    """The twin: the check above would notice."""
    meta = tmp_path / 'charms/demo/charmcraft.yaml'
    meta.parent.mkdir(parents=True)
    meta.write_text(yaml.safe_dump(META))
    assert charm_pages.main(['--check'], tmp_path) == 1
    assert charm_pages.main([], tmp_path) == 0
    assert charm_pages.main(['--check'], tmp_path) == 0
    meta.write_text(yaml.safe_dump({**META, 'title': 'Other'}))
    (tmp_path / charm_pages.FOLDER / 'gone.md').write_text('# Gone\n')
    capsys.readouterr()
    assert charm_pages.main(['--check'], tmp_path) == 1
    said = capsys.readouterr().out
    assert 'demo.md' in said
    assert 'gone.md' in said
    charm_pages.main([], tmp_path)
    assert not (tmp_path / charm_pages.FOLDER / 'gone.md').exists()
    assert charm_pages.main(['--check'], tmp_path) == 0
