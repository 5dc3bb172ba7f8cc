"""The modules of all charms are imported side by side in one process: each has its own name. Any holds one idea."""

from __future__ import annotations

import collections
import pathlib

MOST_LINES = 400
REPOSITORY = pathlib.Path(__file__).parents[2]
ROOT = REPOSITORY / 'charms'


def twice(folders: list[pathlib.Path]) -> dict[str, list[str]]:
    """Modules and packages that are in more than one of the folders, with the charms that have them."""
    found: dict[str, list[str]] = collections.defaultdict(list)
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix == '.py' or (path / '__init__.py').exists():
                found[path.stem].append(folder.parent.name)
    # Each charm's entry is run, or loaded by its path.
    return {name: owners for name, owners in found.items() if len(owners) > 1 and name != 'charm'}


def test_no_two_charms_have_a_module_of_one_name():
    assert twice(sorted(ROOT.glob('*/src'))) == {}


def test_two_that_have_would_be_found(tmp_path: pathlib.Path):
    for charm in ('keystone', 'rabbitmq-server'):
        (tmp_path / charm / 'src').mkdir(parents=True)
        (tmp_path / charm / 'src/accounts.py').touch()
        (tmp_path / charm / 'src/charm.py').touch()
    assert twice(sorted(tmp_path.glob('*/src'))) == {'accounts': ['keystone', 'rabbitmq-server']}


def too_long(files: list[pathlib.Path]) -> dict[str, int]:
    """Modules of as many lines as one may not have, by path."""
    found = {str(path): len(path.read_text().splitlines()) for path in files}
    return {path: lines for path, lines in found.items() if lines >= MOST_LINES}


def test_every_module_holds_one_idea_in_under_400_lines():
    sources = [*REPOSITORY.glob('*/src/**/*.py'), *ROOT.glob('*/src/**/*.py')]
    assert len(sources) > 300
    assert too_long([*sources, *(REPOSITORY / 'tools').glob('**/*.py')]) == {}


def test_one_that_has_more_would_be_found(tmp_path: pathlib.Path):
    for name, lines in {'short.py': 399, 'long.py': 400}.items():
        (tmp_path / name).write_text('x = 1\n' * lines)
    assert too_long(sorted(tmp_path.iterdir())) == {str(tmp_path / 'long.py'): 400}
