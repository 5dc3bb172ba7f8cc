"""The site of the documents: where pages stand, what links become, and that nothing is left out."""

from __future__ import annotations

import pathlib
import posixpath
import re

import pytest

from tools import site

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [
    'README.md', 'docs/how-to/a.md', 'docs/reference/b.md', 'docs/reference/charms/README.md',
    'jujulet/src/jujulet/ARCHITECTURE.md',
]  # fmt: skip


@pytest.mark.parametrize(
    ('path', 'link', 'becomes'),
    [
        ('docs/how-to/a.md', '../reference/b.md#flags', '../reference/b.md#flags'),
        ('README.md', 'docs/how-to/a.md', '../how-to/a.md'),
        ('docs/how-to/a.md', '../../README.md', '../project/readme.md'),
        ('README.md', 'jujulet/src/jujulet/ARCHITECTURE.md', '../parts/jujulet-src-jujulet-architecture.md'),
        ('docs/how-to/a.md', '../reference/charms', '../reference/charms/README.md'),
        ('docs/how-to/a.md', '../../charms/x/src/charm.py', f'{site.REPOSITORY}/blob/main/charms/x/src/charm.py'),
        ('docs/how-to/a.md', '#below', '#below'),
        ('docs/how-to/a.md', 'https://example.org/x.md', 'https://example.org/x.md'),
        ('README.md', 'docs/dmz.svg', '../dmz.svg'),
    ],
)  # fmt: skip
def test_a_link_follows_its_page_to_its_place(path: str, link: str, becomes: str) -> None:
    assert site.linked(f'See [it]({link}).', path, PAGES) == f'See [it]({becomes}).'


def test_what_is_code_is_left_as_it_is() -> None:
    text = '[a](../reference/b.md)\n\n```\n[a](README.md)\n```\n'
    assert site.linked(text, 'docs/how-to/a.md', PAGES) == text


def test_no_two_pages_have_one_place() -> None:
    places = [site.place(one) for one in site.pages_of(ROOT)]
    assert len({*places}) == len(places)


def test_every_page_is_led_to_every_decision_and_every_charm_too() -> None:
    names = site.pages_of(ROOT)
    found = site.indexed({site.place(one): one for one in names})
    led = {
        posixpath.normpath(posixpath.join(posixpath.dirname(index), line)) + '.md'
        for index, text in found.items()
        for line in re.findall(r'^[\w./-]+$', text, re.MULTILINE)
    }
    assert {site.place(one) for one in names} <= led
    assert {f'adr/{one.name}' for one in (ROOT / 'docs/adr').glob('*.md')} <= led
    charms = {one.parent.name for one in ROOT.glob('charms/*/charmcraft.yaml')}
    assert {f'reference/charms/{one}.md' for one in charms} <= led
    assert {f'{kind}/index' for kind in site.KINDS} <= {one.removesuffix('.md') for one in led}


def test_every_link_to_a_file_of_the_repository_is_to_one_that_is_there() -> None:
    names = site.pages_of(ROOT)
    gone = [
        (name, path)
        for name in names
        for path in re.findall(
            rf'\({site.REPOSITORY}/blob/main/([^)#]+)',
            site.linked((ROOT / name).read_text(), name, names),
        )
        if not (ROOT / path).exists()
    ]
    assert gone == []
