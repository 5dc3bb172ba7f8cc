"""What no model needs is removed from the disk, and nothing else."""

from __future__ import annotations

import pathlib
import time

import pytest

from jujulet.controller import prune
from jujulet.core import charm, model

LATER = time.time() + 3600


def of_model() -> model.Model:
    """A model with a charm that was made ready for two bases, and with a resource."""
    found = charm.Charm(
        'local:a-0', 'a', 0, 'first', builds={'debian@12': 'first', 'debian@13': 'second'}
    )
    app = model.Application(
        'a',
        'local:a-0',
        charm.Base('debian', '12'),
        resources={'r': model.Resource('r', 'f', 'blob', 1)},
    )
    return model.Model('u', 'm', charms={found.url: found}, applications={'a': app})


@pytest.fixture
def store(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in (
        'charms/first',
        'charms/second',
        'charms/old',
        'charms/.making-x',
        'venvs/e',
        'bases/b',
        'layers/l',
    ):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / 'file').write_bytes(bytes(1000))
    (tmp_path / 'blobs').mkdir()
    for name in ('blob', 'other'):
        (tmp_path / 'blobs' / name).write_bytes(bytes(500))
    return tmp_path


def left(store: pathlib.Path) -> set[str]:
    return {str(p.relative_to(store)) for p in store.glob('*/*')}


def test_what_no_model_has_goes_and_the_rest_stays(store: pathlib.Path):
    gone = prune.prune(store, [of_model()], LATER)
    assert gone == [
        prune.Pruned('charms', 2, 2000),
        prune.Pruned('resources', 1, 500),
        prune.Pruned('environments of charms', 1, 1000),
    ]
    assert left(store) == {'charms/first', 'charms/second', 'blobs/blob', 'bases/b', 'layers/l'}


def test_without_a_model_nothing_is_needed(store: pathlib.Path):
    prune.prune(store, [], LATER)
    assert left(store) == {'bases/b', 'layers/l'}


def test_what_somebody_may_be_deploying_stays(store: pathlib.Path):
    before = left(store)
    assert [p.many for p in prune.prune(store, [])] == [0, 0, 0]
    assert left(store) == before


def test_a_link_is_removed_and_not_what_it_leads_to(store: pathlib.Path, tmp_path: pathlib.Path):
    outside = tmp_path.parent / f'{tmp_path.name}-outside'
    outside.mkdir()
    (outside / 'kept').touch()
    (store / 'charms' / 'link').symlink_to(outside)
    prune.prune(store, [], LATER)
    assert not (store / 'charms' / 'link').is_symlink()
    assert (outside / 'kept').exists()


def test_a_store_without_these_folders_is_empty(tmp_path: pathlib.Path):
    assert [p.many for p in prune.prune(tmp_path, [], LATER)] == [0, 0, 0]
