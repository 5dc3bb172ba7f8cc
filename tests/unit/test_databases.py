"""The database that mysql makes for each charm, and the one that the charm's service asks for: one set of characters.

What the services make of it (their tables, and the foreign keys between them) is theirs: their migrations run in it.
"""

from __future__ import annotations

import importlib
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from charmkit import host
from charmkit.relations import Relation, mysql

from . import charm_at_work as work

ROOT = pathlib.Path(__file__).parents[2] / 'charms'
WITH_DATABASE = [
    folder
    for folder in work.api_charms(ROOT)
    if folder.meta['requires'].get('shared-db', {}).get('interface') == 'mysql-shared'
]
NAMES = [folder.name for folder in WITH_DATABASE]
MADE = re.compile(r'CREATE DATABASE IF NOT EXISTS `(\w+)` CHARACTER SET (\w+) COLLATE (\w+);')
CHARACTERS, COLLATION = 'utf8mb4', 'utf8mb4_general_ci'
_THEIRS = ('grants', 'generations')


@pytest.fixture
def grants(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of the charm mysql that decides which databases there are."""
    kept = {name: sys.modules.pop(name) for name in _THEIRS if name in sys.modules}
    monkeypatch.setattr(sys, 'path', [str(ROOT / 'mysql' / 'src'), *sys.path])
    yield importlib.import_module('grants')
    for name in _THEIRS:
        sys.modules.pop(name, None)
    sys.modules.update(kept)


def made(grants: Any, folder: work.Folder, base: str) -> dict[str, tuple[str, str]]:
    """What mysql makes for a unit of the charm: by database, its character set and collation."""
    out = work.at_work(folder, base).out
    (bag,) = (r.local_unit_data for r in out.relations if r.endpoint == 'shared-db')
    unit = f'{folder.name}/0'
    relation = Relation(id=1, name='shared-db', app=folder.name, units={unit: dict(bag)})
    requests, refused = mysql.requests(relation)
    assert not refused
    plan = grants.plan(grants.desired(requests), grants.Observed(), grants.Keys('s' * 64))
    found = [MADE.fullmatch(s.sql) for s in plan if s.sql.startswith('CREATE DATABASE')]
    assert all(found)
    return {m[1]: (m[2], m[3]) for m in found if m}


def asked(files: tuple[host.File, ...]) -> dict[str, set[str]]:
    """The databases that the service connects to, each with the character sets that it speaks there."""
    text = '\n'.join(f.content for f in files)
    urls = [m[0] for m in re.finditer(r'mysql\+pymysql://\S+', text)]
    found: dict[str, set[str]] = {}
    for url in urls:
        parts = urlsplit(url)
        found.setdefault(parts.path[1:], set()).update(parse_qs(parts.query).get('charset', ['']))
    return found


def test_every_service_with_a_database_is_looked_at():
    known = {'cinder', 'glance', 'heat', 'keystone', 'neutron-api', 'placement'}
    assert {*known, 'nova-cloud-controller'} <= {*NAMES}


@pytest.mark.parametrize('base', work.BASES)
@pytest.mark.parametrize('folder', WITH_DATABASE, ids=NAMES)
def test_what_is_made_is_what_the_service_speaks(grants: Any, folder: work.Folder, base: str):
    databases = made(grants, folder, base)
    assert databases
    assert set(databases.values()) == {(CHARACTERS, COLLATION)}
    spoken = asked(work.at_work(folder, base).machine.desired.files)
    assert spoken
    assert spoken.keys() <= databases.keys()
    assert set().union(*spoken.values()) == {CHARACTERS}


@pytest.mark.parametrize('said', ['?charset=utf8', ''])
def test_sabotaged_a_service_that_speaks_another_one_is_found(said: str):
    def spoken(query: str) -> dict[str, set[str]]:
        url = f'mysql+pymysql://u:p@h/nova{query}'
        return asked((host.File(path='/x', content=f'connection = {url}\n'),))

    assert spoken('?charset=utf8mb4') == {'nova': {CHARACTERS}}
    assert spoken(said) != {'nova': {CHARACTERS}}
