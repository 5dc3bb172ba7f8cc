#!/usr/bin/env python3
"""Pack charm folders into `.charm` files, for Juju and jujulet alike: `tools/pack.py charms/*`.

A packed charm holds

    dispatch                                   runs one hook: no installing, nothing to download
    src/                                       as in the folder (and lib/, templates/, LICENSE)
    venv/                                      charmkit and every dependency, for any Python
    metadata.yaml config.yaml actions.yaml     split from charmcraft.yaml, as Charmcraft does
    manifest.yaml

It runs on Python 3.11, 3.12 and 3.13: dependencies are plain Python, and where one brings
compiled modules, those for each version lie side by side. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
PYTHONS = ('3.11', '3.12', '3.13')
PLATFORM = 'x86_64-manylinux_2_28'
COPIED = ('src', 'lib', 'templates', 'LICENSE', 'icon.svg', 'README.md')
DISPATCH = """#!/bin/sh
# Run one hook or action of the charm; everything that it needs is in this folder.
JUJU_DISPATCH_PATH="${JUJU_DISPATCH_PATH:-$0}" PYTHONPATH=lib:src:venv exec python3 src/charm.py
"""
_METADATA = (
    *('name', 'summary', 'description', 'assumes', 'containers', 'devices', 'extra-bindings'),
    *('peers', 'provides', 'requires', 'resources', 'storage', 'subordinate', 'terms'),
    'charm-user',
)
_LINKS = {'contact': 'maintainers', 'documentation': 'docs', 'issues': 'issues',
          'source': 'source', 'website': 'website'}  # fmt: skip
_EPOCH = (1980, 1, 1, 0, 0, 0)


def split(project: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The files that Juju reads, by name, from a whole ``charmcraft.yaml``.

    Source: Charmcraft 4's ``metadata``, ``config`` and ``actions`` models.
    """
    metadata = {key: project[key] for key in _METADATA if key in project}
    if 'title' in project:
        metadata['display-name'] = project['title']
    for link, key in _LINKS.items():
        if value := project.get('links', {}).get(link):
            metadata[key] = [value] if key == 'maintainers' and isinstance(value, str) else value
    name, _, channel = str(project['base']).partition('@')
    base = {'name': name, 'channel': channel, 'architectures': sorted(project['platforms'])}
    files = {'metadata.yaml': metadata, 'manifest.yaml': {'bases': [base]}}
    for key in ('config', 'actions'):
        if project.get(key):
            files[f'{key}.yaml'] = project[key]
    return files


def lay_out(charm: pathlib.Path, into: pathlib.Path) -> None:
    """Make the folder that a packed *charm* unpacks to.

    Raises:
        subprocess.CalledProcessError: when the dependencies cannot be had; uv has said why.
        OSError: when the folder is not a charm.
    """
    project = yaml.safe_load((charm / 'charmcraft.yaml').read_text())
    into.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source = charm / name
        if source.is_dir():
            ignored = shutil.ignore_patterns('__pycache__', '*.pyc')
            shutil.copytree(source, into / name, ignore=ignored, symlinks=True)
        elif source.exists():
            shutil.copy2(source, into / name)
    for name, content in split(project).items():
        (into / name).write_text(yaml.safe_dump(content, sort_keys=False))
    (into / 'dispatch').write_text(DISPATCH)
    (into / 'dispatch').chmod(0o755)
    _install(charm, into / 'venv')


def _install(charm: pathlib.Path, venv: pathlib.Path) -> None:
    first, *others = PYTHONS
    _uv_install(charm, venv, first)
    for python in others if any(venv.rglob('*.so')) else ():
        with tempfile.TemporaryDirectory() as scratch:
            other = pathlib.Path(scratch)
            _uv_install(charm, other, python)
            for compiled in other.rglob('*.so'):
                shutil.copy2(compiled, venv / compiled.relative_to(other))
    shutil.rmtree(venv / 'bin', ignore_errors=True)
    for dropped in (*venv.glob('*.dist-info/direct_url.json'), *venv.glob('*.dist-info/RECORD')):
        dropped.unlink()  # They name this machine's folders.
    (venv / '.lock').unlink(missing_ok=True)


def _uv_install(charm: pathlib.Path, target: pathlib.Path, python: str) -> None:
    uv = shutil.which('uv', path=f'{pathlib.Path(sys.executable).parent}:/usr/local/bin:/usr/bin')
    argv = [
        *(uv or 'uv', 'pip', 'install', '--quiet', '--no-compile-bytecode', '--link-mode', 'copy'),
        *('--target', str(target), '--python-version', python, '--python-platform', PLATFORM),
        *('--only-binary', ':all:', '--no-binary', 'charmkit', '--reinstall-package', 'charmkit'),
        *('-c', str(ROOT / 'constraints.txt'), '-r', str(charm / 'pyproject.toml')),
    ]
    subprocess.run(argv, check=True)


def pack(charm: pathlib.Path, build: pathlib.Path) -> pathlib.Path:
    """Pack the folder *charm* into ``build/NAME.charm``, and return that path."""
    name = yaml.safe_load((charm / 'charmcraft.yaml').read_text())['name']
    build.mkdir(parents=True, exist_ok=True)
    packed = build / f'{name}.charm'
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / name
        lay_out(charm.resolve(), folder)
        aside = packed.with_suffix('.new')
        with zipfile.ZipFile(aside, 'w', zipfile.ZIP_DEFLATED) as out:
            for path in _walk(folder):
                _add(out, path, str(path.relative_to(folder)))
        aside.replace(packed)
    return packed


def _walk(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    yield from sorted(p for p in folder.rglob('*') if p.is_symlink() or not p.is_dir())


def _add(out: zipfile.ZipFile, path: pathlib.Path, name: str) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # Unix: the mode below counts.
    if path.is_symlink():
        info.external_attr = 0o120777 << 16
        out.writestr(info, str(path.readlink()))
        return
    executable = path.stat().st_mode & 0o100
    info.external_attr = (0o100755 if executable else 0o100644) << 16
    out.writestr(info, path.read_bytes())


def main() -> None:
    """Pack every folder named on the command line that holds a charm."""
    parser = argparse.ArgumentParser(description='Pack charm folders into .charm files.')
    parser.add_argument('charms', nargs='+', type=pathlib.Path, help='folders, such as charms/*')
    parser.add_argument('-o', '--output', type=pathlib.Path, default=ROOT / 'build')
    args = parser.parse_args()
    for charm in args.charms:
        if not (charm / 'charmcraft.yaml').exists():
            sys.exit(f'{charm} holds no charmcraft.yaml')
        try:
            print(pack(charm, args.output))
        except subprocess.CalledProcessError as e:
            sys.exit(
                f'{charm}: its dependencies cannot be installed (uv ended with {e.returncode})'
            )


if __name__ == '__main__':
    main()
