"""What Charmhub shows of each charm: README, icon, licence, maintainers, links; and that all of it is packed.

``make pages`` brings it up to date. Of a README that somebody wrote by hand, of maintainers and of an icon that is
there, nothing is changed; of ``charmcraft.yaml`` only what is missing is added.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from tools import charm_icons

ROOT = pathlib.Path(__file__).parents[1]
REPOSITORY = 'https://github.com/rambla-charms/rambla'
MARK = '<!-- Written by `make pages` from charmcraft.yaml. To write it by hand, take this line out. -->'
PART = """  store:
    plugin: dump
    source: .
    prime: [LICENSE, README.md, icon.svg]
"""
STATUSES = ('core', 'incubating', 'leaving')
"""What a charm may be: GOVERNANCE.md."""

_LINKS = {
    'source': REPOSITORY,
    'issues': f'{REPOSITORY}/issues',
    'contact': f'{REPOSITORY}/discussions',
}
_MAINTAINERS = """# Who keeps this charm, and what it is: GOVERNANCE.md
status: {status}
maintainers:
  - {{name: The Rambla authors, contact: '{contact}'}}
"""


def readme(meta: Mapping[str, Any]) -> str:
    """The README of a charm from its ``charmcraft.yaml``. Pure; links are whole, since Charmhub has no other files."""
    name = str(meta['name'])
    blocks = [
        MARK,
        f'# {meta.get("title", name)}',
        str(meta.get('description', meta.get('summary', ''))).strip(),
        f'```sh\njuju deploy {name}\n```',
    ]
    requires: Mapping[str, Mapping[str, Any]] = meta.get('requires') or {}
    needed = [
        f'- `{endpoint}` (`{said.get("interface", "")}`)'
        for endpoint, said in requires.items()
        if not said.get('optional')
    ]
    if needed:
        blocks += ['It needs these relations:', '\n'.join(needed)]
    page = f'{REPOSITORY}/blob/main/docs/reference/charms/{name}.md'
    blocks += [
        f'All relations, options and actions: [reference]({page}). Bundles, how-to guides, and how to take part: '
        f'[Rambla]({REPOSITORY}).',
        'Under Apache-2.0. Who keeps it stands in MAINTAINERS.yaml.',
    ]
    return '\n\n'.join(blocks) + '\n'


def declared(text: str) -> str:
    """A ``charmcraft.yaml`` with the part that packs these files, and with all links; what is there stays. Pure."""
    meta: dict[str, Any] = yaml.safe_load(text)
    missing = {key: to for key, to in _LINKS.items() if key not in (meta.get('links') or {})}
    lines = text.splitlines(keepends=True)
    if missing and 'links:\n' in lines:
        at = lines.index('links:\n') + 1
        while at < len(lines) and lines[at].startswith(' '):
            at += 1
        lines[at:at] = [f'  {key}: {to}\n' for key, to in missing.items()]
    if 'store' not in (meta.get('parts') or {}) and 'parts:\n' in lines:
        at = lines.index('parts:\n') + 1
        while at < len(lines) and (lines[at].startswith((' ', '#')) or not lines[at].strip()):
            at += 1
        lines[at:at] = PART.splitlines(keepends=True)
    return ''.join(lines)


def wanted(folder: pathlib.Path, licence: str) -> dict[str, str]:
    """What the files of a charm should be, by their names."""
    text = (folder / 'charmcraft.yaml').read_text(encoding='utf-8')
    meta: dict[str, Any] = yaml.safe_load(text)
    found = {'LICENSE': licence, 'charmcraft.yaml': declared(text)}
    beside = folder / 'README.md'
    if not beside.exists() or MARK in beside.read_text(encoding='utf-8'):
        found['README.md'] = readme(meta)
    if not (folder / 'icon.svg').exists():
        found['icon.svg'] = charm_icons.icon(folder.name)
    if not (folder / 'MAINTAINERS.yaml').exists():
        contact = f'{REPOSITORY}/discussions'
        found['MAINTAINERS.yaml'] = _MAINTAINERS.format(status='core', contact=contact)
    return found


def stale(root: pathlib.Path) -> dict[pathlib.Path, str]:
    """The files of all charms that are missing or not as they should be, each with its text."""
    licence = (root / 'LICENSE').read_text(encoding='utf-8')
    return {
        path.parent / name: text
        for path in sorted(root.glob('charms/*/charmcraft.yaml'))
        for name, text in wanted(path.parent, licence).items()
        if not (path.parent / name).exists()
        or (path.parent / name).read_text(encoding='utf-8') != text
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Write what is missing; with ``--check`` only say it, with exit code 1."""
    parser = argparse.ArgumentParser(prog='tools.charm_store', description=__doc__)
    parser.add_argument('--check', action='store_true')
    call = parser.parse_args(argv)
    found = stale(ROOT)
    for path, text in found.items():
        if call.check:
            print(
                f'ERROR {path.relative_to(ROOT)} is not as it should be: make pages',
                file=sys.stderr,
            )
        else:
            path.write_text(text, encoding='utf-8')
    return 1 if call.check and found else 0


if __name__ == '__main__':
    sys.exit(main())
