"""The documents as a site with search: `make site`, in build/site/html.

The pages are those of the repository, as they are: a copy of them is laid out for Sphinx, links from page to page are
made to follow, and what is no page is linked in the repository. A link that leads nowhere fails.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

ROOT = pathlib.Path(__file__).parents[1]
BUILD = ROOT / 'build/site'
REPOSITORY = 'https://github.com/rambla-charms/rambla'

KINDS: Mapping[str, str] = {
    'tutorial': 'Tutorials: learn by doing',
    'how-to': 'How-to guides: do one thing',
    'reference': 'Reference: look it up',
    'explanation': 'Explanation: understand why',
}
"""The four kinds of Diátaxis (https://diataxis.fr), each a folder of docs/."""

_LINK = re.compile(r'(?P<before>!?\[[^\]]*\]\()(?P<target>[^)\s]+)(?P<after>\))')
_FENCE = re.compile(r'^(```.*?^```$)', re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'^# +(.+)$', re.MULTILINE)


def place(path: str) -> str:
    """Where a page of the repository stands in the site. Pure."""
    if path.startswith('docs/'):
        return path.removeprefix('docs/')
    if '/' not in path:
        return f'project/{path.lower()}'
    return f'parts/{path.replace("/", "-").lower()}'


def linked(text: str, path: str, pages: Iterable[str]) -> str:
    """A page's text with its links as they are in the site. Pure.

    Args:
        text: the page.
        path: its path in the repository.
        pages: the paths of all pages of the site.
    """
    known = frozenset(pages)

    def follow(found: re.Match[str]) -> str:
        target, _, anchor = found['target'].partition('#')
        if not target or re.match(r'[a-z]+:', target):
            return found[0]
        there = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if there + '/README.md' in known:
            there += '/README.md'
        hash_ = f'#{anchor}' if anchor else ''
        if there in known:
            way = posixpath.relpath(place(there), posixpath.dirname(place(path)))
            return f'{found["before"]}{way}{hash_}{found["after"]}'
        if there.startswith('docs/') and there.endswith(('.svg', '.png')):
            way = posixpath.relpath(place(there), posixpath.dirname(place(path)) or '.')
            return f'{found["before"]}{way}{found["after"]}'
        return f'{found["before"]}{REPOSITORY}/blob/main/{there}{hash_}{found["after"]}'

    parts = _FENCE.split(text)
    return ''.join(one if n % 2 else _LINK.sub(follow, one) for n, one in enumerate(parts))


def indexed(pages: Mapping[str, str]) -> dict[str, str]:
    """The pages that lead to all others: the first one, one for each kind, and one for the decisions. Pure.

    Args:
        pages: the title of each page, by its place in the site.
    """
    found: dict[str, str] = {}
    for kind, title in KINDS.items():
        found[f'{kind}/index.md'] = _index(title, _below(pages, kind))
    found['adr/index.md'] = _index('Decisions', _below(pages, 'adr'))
    found['project/index.md'] = _index('The project', _below(pages, 'project'))
    rest = [one for one in pages if one.partition('/')[0] not in {*KINDS, 'adr', 'project'}]
    found['more/index.md'] = _index(
        'Figures, and inside the parts', sorted(f'../{one}' for one in rest)
    )
    ways = [f'{kind}/index' for kind in KINDS] + ['adr/index', 'project/index', 'more/index']
    found['index.md'] = (
        "# Rambla\n\nOpenStack's API control plane as charms, its load balancer standing on its own, "
        'and the tools to run, test and upgrade all of it.\n\n'
        + ''.join(f'- [{title}]({kind}/index.md)\n' for kind, title in KINDS.items())
        + '\n[The charms](reference/charms/README.md) · [Decisions](adr/index.md) · [Changes](project/changes.md)\n\n'
        + _tree(ways)
    )
    return found


def _below(pages: Mapping[str, str], folder: str) -> list[str]:
    return sorted(one.removeprefix(f'{folder}/') for one in pages if one.startswith(f'{folder}/'))


def _index(title: str, some: Sequence[str]) -> str:
    return f'# {title}\n\n{_tree(one.removesuffix(".md") for one in some)}'


def _tree(some: Iterable[str]) -> str:
    return '```{toctree}\n:maxdepth: 1\n\n' + ''.join(f'{one}\n' for one in some) + '```\n'


CONF = f"""project = 'Rambla'
copyright = 'the Rambla authors'
extensions = ['myst_parser', 'openstackdocstheme']
html_theme = 'openstackdocs'
openstackdocs_auto_name = False
openstackdocs_auto_version = False
openstackdocs_repo_name = 'rambla'
openstackdocs_pdf_link = False
html_theme_options = {{'display_badge': False, 'show_other_versions': False}}
html_context = {{'gitsha': '', 'bug_title': 'Documentation', 'bug_url': '{REPOSITORY}/issues'}}
version = release = ''
myst_heading_anchors = 4
source_suffix = {{'.md': 'markdown'}}
nitpicky = True
suppress_warnings = ['misc.highlighting_failure']  # a block that shows an outline is none of a language
html_show_sphinx = False
html_last_updated_fmt = None
"""
"""Sphinx's configuration: OpenStack's own theme, which is in the colours and places that its readers know."""


def pages_of(root: pathlib.Path) -> list[str]:
    """The paths of all pages of the repository, as git lists them and as they are there."""
    patterns = ('*.md', 'docs/**/*.md', 'charmkit/*.md', '*/src/*/*.md', 'changes/README.md')
    return sorted(
        {str(one.relative_to(root)) for pattern in patterns for one in root.glob(pattern)}
    )


def laid_out(root: pathlib.Path, into: pathlib.Path) -> None:
    """Put the sources of the site into a folder."""
    shutil.rmtree(into, ignore_errors=True)
    names = pages_of(root)
    titles: dict[str, str] = {}
    for name in names:
        text = (root / name).read_text(encoding='utf-8')
        target = into / place(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(linked(text, name, names), encoding='utf-8')
        title = _TITLE.search(text)
        titles[place(name)] = title[1] if title else name
    for picture in (root / 'docs').rglob('*.svg'):
        target = into / picture.relative_to(root / 'docs')
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, target)
    for name, text in indexed(titles).items():
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        (into / name).write_text(text, encoding='utf-8')
    (into / 'conf.py').write_text(CONF)


def built(
    root: pathlib.Path, build: pathlib.Path, run: Callable[..., int] = subprocess.call
) -> int:
    """Build it; what Sphinx warns of is an error. Returns Sphinx's exit code."""
    laid_out(root, build / 'source')
    program = pathlib.Path(sys.executable).with_name('sphinx-build')
    words = [
        str(program),
        '-q',
        '-W',
        '--keep-going',
        '-b',
        'html',
        str(build / 'source'),
        str(build / 'html'),
    ]
    return run(words, env={**os.environ, 'LC_ALL': 'C.UTF-8'})


def main(argv: Sequence[str] | None = None) -> int:
    """Build the site; the exit code."""
    parser = argparse.ArgumentParser(prog='tools.site', description=__doc__)
    parser.add_argument('-o', '--out', type=pathlib.Path, default=BUILD)
    call = parser.parse_args(argv)
    code = built(ROOT, call.out)
    if not code:
        print(f'{os.path.relpath(call.out)}/html/index.html')
    return code


if __name__ == '__main__':
    sys.exit(main())
