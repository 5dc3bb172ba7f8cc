"""The site builds, and a link that leads nowhere is an error."""

from __future__ import annotations

import pathlib

import pytest

from tools import site

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_the_site_builds_with_search_and_no_link_is_broken(tmp_path: pathlib.Path) -> None:
    assert site.built(site.ROOT, tmp_path) == 0
    html = tmp_path / 'html'
    assert (html / 'searchindex.js').is_file()
    assert (html / 'search.html').is_file()
    for kind in site.KINDS:
        assert (html / kind / 'index.html').is_file()


def test_a_broken_link_is_an_error(tmp_path: pathlib.Path) -> None:
    root = tmp_path / 'root'
    (root / 'docs/how-to').mkdir(parents=True)
    (root / 'docs/reference/charms').mkdir(parents=True)
    (root / 'docs/reference/charms/README.md').write_text('# Charms\n')
    (root / 'CHANGES.md').write_text('# Changes\n')
    (root / 'docs/how-to/a.md').write_text('# A\n\n[b](b.md#nowhere)\n')
    (root / 'docs/how-to/b.md').write_text('# B\n')
    assert site.built(root, tmp_path / 'broken') != 0
    (root / 'docs/how-to/a.md').write_text('# A\n\n[b](b.md#b)\n')
    assert site.built(root, tmp_path / 'whole') == 0
