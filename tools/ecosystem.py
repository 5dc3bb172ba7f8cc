"""Bundles of others that are tested before each release: bundles/ecosystem.yaml, what it may say, what is run for it.

    python -m tools.ecosystem check          say what is wrong with the file
    python -m tools.ecosystem run CHARMS     `juju matrix gate` for each bundle, with the packed charms of a folder

Exit code 0: all is well; 1: a bundle that blocks is worse; 2: the file or what it names cannot be used.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, cast

import yaml

ROOT = pathlib.Path(__file__).parents[1]
FILE = ROOT / 'bundles/ecosystem.yaml'

_TEXT = re.compile(r'\S.*')
_NAME = re.compile(r'[a-z][a-z0-9-]*')
_KEYS: Mapping[str, tuple[re.Pattern[str], str]] = {
    'name': (_NAME, 'a name of small letters, digits and hyphens'),
    'owner': (_TEXT, 'who keeps it'),
    'contact': (re.compile(r'(https://|mailto:)\S+'), 'https://… or mailto:…'),
    'source': (
        re.compile(r'\.|https://\S+'),
        '. (this repository) or the https:// address of a git repository',
    ),
    'ref': (_TEXT, 'a tag, branch or commit'),
    'bundle': (re.compile(r'(?!/)(?!.*\.\.)\S+'), "the bundle's path in its source"),
    'verdict': (re.compile(r'blocks|tells'), 'blocks or tells'),
}
_OPTIONAL = {'ref'}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One bundle: whose, where, which of its applications get our charms, and whether it holds a release up."""

    name: str
    owner: str
    contact: str
    source: str
    bundle: str
    replaces: tuple[str, ...]
    verdict: str
    ref: str = ''


def read(text: str) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """The entries of the file, and what is wrong with it: a sentence each. Pure."""
    try:
        document: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return (), (f'not YAML: {" ".join(str(error).split())}',)
    top = cast('dict[str, object]', document) if isinstance(document, dict) else {}
    some = top.get('bundles')
    if top.get('format') != 1 or not isinstance(some, list) or top.keys() - {'format', 'bundles'}:
        return (), ('the file has format: 1, a list bundles, and nothing else',)
    problems: list[str] = []
    entries: list[Entry] = []
    for number, one in enumerate(cast('list[object]', some), start=1):
        wrong = _wrong(one, f'bundle {number}')
        problems += wrong
        if not wrong:
            found = cast('dict[str, Any]', one)
            words: dict[str, str] = {key: found[key] for key in _KEYS if key in found}
            entries.append(Entry(**words, replaces=tuple(found['replaces'])))
    names = [one.name for one in entries]
    problems += [
        f'{name}: this name stands twice' for name in sorted({*names}) if names.count(name) > 1
    ]
    return tuple(entries), tuple(problems)


def _wrong(one: object, where: str) -> list[str]:
    if not isinstance(one, dict):
        return [f'{where}: it is a mapping']
    found = cast('dict[str, object]', one)
    where = str(found.get('name', where))
    problems = [
        f'{where}: there is no key {key!r}' for key in found if key not in {*_KEYS, 'replaces'}
    ]
    for key, (pattern, words) in _KEYS.items():
        value = found.get(key)
        if value is None and key in _OPTIONAL:
            continue
        if not isinstance(value, str) or not pattern.fullmatch(value):
            problems.append(f'{where}: {key} is {words}, this is {value!r}')
    replaces = found.get('replaces')
    if (
        not isinstance(replaces, list)
        or not replaces
        or not all(
            isinstance(name, str) and _NAME.fullmatch(name)
            for name in cast('list[object]', replaces)
        )
    ):
        problems.append(
            f'{where}: replaces is a list of applications of the bundle, this is {replaces!r}'
        )
    if str(found.get('source', '')).startswith('https://') and not found.get('ref'):
        problems.append(f'{where}: a source elsewhere needs a ref')
    return problems


def missing(entries: Sequence[Entry], root: pathlib.Path) -> tuple[str, ...]:
    """What entries of this repository name and it does not have."""
    problems: list[str] = []
    for one in entries:
        if one.source != '.':
            continue
        path = root / one.bundle
        if not path.is_file():
            problems.append(f'{one.name}: there is no {one.bundle}')
            continue
        there: dict[str, Any] = yaml.safe_load(path.read_text()).get('applications', {})
        problems += [
            f'{one.name}: {one.bundle} has no application {name}'
            for name in one.replaces
            if name not in there
        ]
    return tuple(problems)


def command(
    one: Entry, source: pathlib.Path, charms: Mapping[str, pathlib.Path], out: pathlib.Path
) -> list[str]:
    """The gate of one entry. Pure.

    Args:
        one: the entry.
        source: where its source is.
        charms: what is put in place of each of its applications.
        out: where its runs, answer and JUnit's file go.
    """
    words = ['juju', 'matrix', 'gate', '-p', str(source / one.bundle), '-d', str(out)]
    for name in one.replaces:
        words += ['--replace', f'{name}={charms[name]}']
    return [*words, '--json', str(out / f'{one.name}.json'), '-x', str(out / f'{one.name}.xml')]


def main(argv: Sequence[str] | None = None) -> int:
    """Check or run; the exit code."""
    parser = argparse.ArgumentParser(prog='tools.ecosystem', description=__doc__)
    sub = parser.add_subparsers(dest='what', required=True)
    sub.add_parser('check', help='say what is wrong with the file')
    running = sub.add_parser('run', help='the gate of each bundle')
    running.add_argument('charms', type=pathlib.Path, help='a folder with packed charms')
    running.add_argument('-o', '--out', type=pathlib.Path, default=ROOT / 'build/ecosystem')
    call = parser.parse_args(argv)
    entries, problems = read(FILE.read_text())
    problems = (*problems, *missing(entries, ROOT))
    for problem in problems:
        print(f'ERROR {FILE.relative_to(ROOT)}: {problem}', file=sys.stderr)
    if problems:
        return 2
    if call.what == 'check':
        print(f'{len(entries)} bundles: all is well')
        return 0
    call.out.mkdir(parents=True, exist_ok=True)
    return max((_run(one, call.charms, call.out) for one in entries), default=0)


def _run(one: Entry, folder: pathlib.Path, out: pathlib.Path) -> int:
    with tempfile.TemporaryDirectory() as aside:
        source = ROOT
        if one.source != '.':
            source = pathlib.Path(aside)
            clone = [
                'git',
                'clone',
                '--quiet',
                '--depth=1',
                '--branch',
                one.ref,
                one.source,
                aside,
            ]
            if subprocess.run(clone, check=False).returncode:
                print(
                    f'ERROR {one.name}: {one.source} cannot be cloned at {one.ref}',
                    file=sys.stderr,
                )
                return 2
        charms: dict[str, pathlib.Path] = {}
        for name in one.replaces:
            found = candidate(name, source / one.bundle, folder)
            if found is None:
                print(f'ERROR {one.name}: {folder} has no charm for {name}', file=sys.stderr)
                return 2
            charms[name] = found
        code = subprocess.run(command(one, source, charms, out), check=False).returncode
    print(
        f'{one.name} ({one.owner}): {"worse" if code == 1 else "not worse" if code == 0 else "cannot tell"}'
    )
    return code if one.verdict == 'blocks' else 0


def candidate(application: str, bundle: pathlib.Path, folder: pathlib.Path) -> pathlib.Path | None:
    """The packed charm in a folder for an application of a bundle; else the folder that the bundle has it from."""
    said = str(yaml.safe_load(bundle.read_text())['applications'][application].get('charm', ''))
    name = pathlib.PurePath(said.removeprefix('ch:')).name.partition('_')[0].removesuffix('.charm')
    found = sorted(folder.glob(f'{name}*.charm'))
    if found:
        return found[0].resolve()
    beside = (bundle.parent / said).resolve()
    return beside if said.startswith('.') and beside.is_dir() else None


if __name__ == '__main__':
    sys.exit(main())
