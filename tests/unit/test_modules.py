"""The modules of all charms are imported side by side when all tests run in one process: each has a name of its own."""

from __future__ import annotations

import collections
import pathlib

ROOT = pathlib.Path(__file__).parents[2] / 'charms'


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
