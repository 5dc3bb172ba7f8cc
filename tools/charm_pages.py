"""Write the page of each charm, ``docs/reference/charms/NAME.md``, from its ``charmcraft.yaml``.

``make pages`` brings the pages up to date; ``python -m tools.charm_pages --check`` only says which are not
(exit status 1). What a page says is said in the charm: nothing is written here by hand.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import yaml

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = pathlib.Path('docs/reference/charms')
_NOTE = '<!-- Written by `make pages` from the charm. -->'
_BESIDE = '. It is a subordinate: it runs beside its principal.'
_SIDES = {
    'requires': ('needs', 'What it is given by others.'),
    'provides': ('provides', 'What it has for others.'),
}
Meta = Mapping[str, Any]


def page(meta: Meta, root: str = '../../..') -> str:
    """The page of the charm whose ``charmcraft.yaml`` is *meta*; *root*: the way from the page to the repository."""
    name = str(meta['name'])
    blocks = [
        _NOTE,
        f'# {meta.get("title", name)}',
        str(meta.get('description', meta.get('summary', ''))).strip(),
        f'[The charm]({root}/charms/{name}) · `juju deploy ./charms/{name}`'
        + _links(meta)
        + (
            '. It is a subordinate: it runs beside its principal.'
            if meta.get('subordinate')
            else ''
        ),
        *_relations(meta),
        *_bindings(_entries(meta, 'extra-bindings')),
        *_options(_entries(_entries(meta, 'config'), 'options')),
        *_actions(_entries(meta, 'actions')),
        *_storage(_entries(meta, 'storage')),
    ]
    return '\n\n'.join(b for b in blocks if b) + '\n'


def _entries(meta: Meta, key: str) -> Mapping[str, Meta]:
    """What stands under *key*, by name; nothing where it is not there or empty."""
    found = cast('Mapping[str, Meta | None]', meta.get(key) or {})
    return {name: said or {} for name, said in found.items()}


def index(metas: Iterable[Meta]) -> str:
    """The page that leads to all of them."""
    rows = [
        f'| [{m["name"]}]({m["name"]}.md) | {_cell(m.get("summary", ""))} |'
        for m in sorted(metas, key=lambda m: str(m['name']))
    ]
    head = ('| charm | what it is |', '|---|---|')
    return '\n'.join([_NOTE, '', '# The charms', '', *head, *rows]) + '\n'


def _links(meta: Meta) -> str:
    found = _entries(meta, 'links').get('documentation')
    return f' · [documentation of what it runs]({found})' if found else ''


def _relations(meta: Meta) -> list[str]:
    out: list[str] = []
    for key, (title, words) in _SIDES.items():
        rows = [
            f'| `{name}` | `{said.get("interface", "")}` | {", ".join(_traits(said, key))} |'
            for name, said in _entries(meta, key).items()
        ]
        if rows:
            table = '\n'.join(['| endpoint | interface | |', '|---|---|---|', *rows])
            out += [f'## Relations that it {title}', words, table]
    return out


def _traits(said: Meta, side: str) -> list[str]:
    return [
        *(['on the same machine (container)'] if said.get('scope') == 'container' else []),
        *(['optional'] if side == 'requires' and said.get('optional') else []),
        *([f'at most {said["limit"]}'] if said.get('limit') else []),
    ]


def _bindings(bindings: Mapping[str, Any]) -> list[str]:
    if not bindings:
        return []
    names = ', '.join(f'`{name}`' for name in bindings)
    return ['## Bindings', f'Beside its relations, a space may be given to: {names}.']


def _options(options: Mapping[str, Meta]) -> list[str]:
    if not options:
        return []
    rows = [
        f'| `{name}` | {said.get("type", "")} | {_default(said.get("default"))} '
        f'| {_cell(said.get("description", ""))} |'
        for name, said in options.items()
    ]
    head = ('| option | type | default | |', '|---|---|---|---|')
    return ['## Options', '\n'.join([*head, *rows])]


def _default(value: object) -> str:
    if value is None or value == '':
        return 'empty'
    return f'`{str(value).lower() if isinstance(value, bool) else value}`'


def _actions(actions: Mapping[str, Meta]) -> list[str]:
    out: list[str] = ['## Actions'] if actions else []
    for name, said in actions.items():
        out += [f'### `{name}`', str(said.get('description', '')).strip()]
        required = {*cast('Iterable[str]', said.get('required') or ())}
        rows = [
            f'| `{p}` | {what.get("type", "")} '
            f'| {"required" if p in required else _default(what.get("default"))} '
            f'| {_cell(what.get("description", ""))} |'
            for p, what in _entries(said, 'params').items()
        ]
        if rows:
            head = ('| parameter | type | default | |', '|---|---|---|---|')
            out.append('\n'.join([*head, *rows]))
    return out


def _storage(storage: Mapping[str, Meta]) -> list[str]:
    if not storage:
        return []
    rows = [
        f'| `{name}` | {said.get("type", "")} | {_cell(said.get("description", ""))} |'
        for name, said in storage.items()
    ]
    return ['## Storage', '\n'.join(['| name | type | |', '|---|---|---|', *rows])]


def _cell(text: object) -> str:
    """*text* in one line, as a table takes it."""
    return ' '.join(str(text).split()).replace('|', r'\|')


def pages(root: pathlib.Path) -> dict[pathlib.Path, str]:
    """Every page, by its path below *root*."""
    found = sorted((root / 'charms').glob('*/charmcraft.yaml'))
    metas = [yaml.safe_load(path.read_text()) for path in found]
    out = {FOLDER / f'{meta["name"]}.md': page(meta) for meta in metas}
    return {**out, FOLDER / 'README.md': index(metas)}


def stale(root: pathlib.Path) -> dict[pathlib.Path, str | None]:
    """The pages below *root* that are not as they should be, and how they should; None: there should be none."""
    wanted = pages(root)
    there = {p.relative_to(root) for p in (root / FOLDER).glob('*.md')}
    gone: dict[pathlib.Path, str | None] = dict.fromkeys(there - wanted.keys())
    wrong = {
        p: text
        for p, text in wanted.items()
        if not (root / p).exists() or (root / p).read_text() != text
    }
    return {**gone, **wrong}


def main(argv: Sequence[str], root: pathlib.Path = ROOT) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog='python -m tools.charm_pages', description=__doc__)
    parser.add_argument('--check', action='store_true', help='only say which are not up to date')
    check = parser.parse_args(argv).check
    found = stale(root)
    for path, text in sorted(found.items()):
        if check:
            print(f'{path} is not as its charm declares it: run make pages')
        elif text is None:
            (root / path).unlink()
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
            print(path)
    return 1 if check and found else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
