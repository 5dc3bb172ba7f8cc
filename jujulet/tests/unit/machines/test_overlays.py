"""What machines stand on, and what of it is kept."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from jujulet.core import charm
from jujulet.machines import overlays, protocol, state_folders

MODEL = '3f9a01d2-0000-4000-8000-000000000001'


def spec(layer: str = '', base: str = '12') -> protocol.MachineSpec:
    return protocol.MachineSpec(MODEL, 'm', '0', charm.Base('debian', base), 'h', layer)


@pytest.fixture
def kept(tmp_path: Path) -> overlays.Overlays:
    """Two bases of one release, one of another, and a layer on the older base with one below it."""
    for number, name in enumerate(('debian-12-old', 'debian-12-new', 'debian-13-only')):
        (tmp_path / 'bases' / name).mkdir(parents=True)
        os.utime(tmp_path / 'bases' / name, (number, number))
    at = state_folders.StateFolders(tmp_path)
    for key, below in (('lower', []), ('upper', ['lower.000001'])):
        folder = tmp_path / 'layers' / f'{key}.000001'
        (folder / 'root').mkdir(parents=True)
        said = {
            'base': 'debian@12',
            'base_dir': 'debian-12-old',
            'below': below,
            'size': 1,
            'created': 1,
        }
        (folder / 'layer.json').write_text(json.dumps(said))
    return overlays.Overlays(at)


def bases(kept: overlays.Overlays) -> list[str]:
    """Those that are left when the unused ones are gone."""
    unused = kept.unused_bases()
    return sorted(p.name for p in (kept.folders.state / 'bases').iterdir() if p not in unused)


def test_a_base_on_which_nothing_stands_goes_when_all_are_to_go(kept: overlays.Overlays) -> None:
    folder = kept.folders.state / 'bases'
    (folder / 'debian-13-next.newab12').mkdir()  # One that is being built.
    assert sorted(p.name for p in kept.unused_bases(newest=True)) == [
        'debian-12-new',
        'debian-13-only',
    ]
    assert asyncio.run(kept.drop_bases()) == 2
    assert sorted(p.name for p in folder.iterdir()) == ['debian-12-old', 'debian-13-next.newab12']


def test_a_machine_with_a_layer_stands_on_the_layers_own_base(kept: overlays.Overlays) -> None:
    assert kept.choose(spec('upper')) == overlays.Stack(
        'debian-12-old', ('upper.000001', 'lower.000001')
    )
    assert kept.choose(spec()) is None


def test_a_layer_that_cannot_be_used_is_said_to_be_gone(kept: overlays.Overlays) -> None:
    for wrong in (spec('never'), spec('upper', base='13')):
        with pytest.raises(protocol.LayerGone):
            kept.choose(wrong)
    (kept.folders.state / 'bases/debian-12-old').rmdir()
    with pytest.raises(protocol.LayerGone):
        kept.choose(spec('upper'))
    assert kept.layers() == []


def test_a_base_stays_while_a_layer_or_a_machine_stands_on_it(kept: overlays.Overlays) -> None:
    assert len(bases(kept)) == 3
    kept.folders.keep_spec(spec('upper'))
    kept.settle_on(MODEL, '0', overlays.Stack('debian-12-old', ('upper.000001', 'lower.000001')))
    asyncio.run(kept.drop('lower'))
    asyncio.run(kept.drop('upper'))
    assert kept.layers() == []
    assert len(bases(kept)) == 3
    assert len(list((kept.folders.state / 'layers').iterdir())) == 2
    (kept.folders.folder(MODEL, '0') / 'machine.json').unlink()
    asyncio.run(kept.sweep())
    assert list((kept.folders.state / 'layers').iterdir()) == []
    assert bases(kept) == ['debian-12-new', 'debian-13-only']


def test_layers_are_listed_by_looking_at_each_once(
    kept: overlays.Overlays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that waits for a layer asks twice a second, and there may be a hundred."""
    read: list[str] = []
    plain = Path.read_text

    def counted(path: Path, *args: str) -> str:
        read.append(path.parent.name)
        return plain(path, *args)

    monkeypatch.setattr(Path, 'read_text', counted)
    monkeypatch.setattr(state_folders.StateFolders, 'find_layer', None)
    assert {layer.key for layer in kept.layers()} == {'lower', 'upper'}
    assert sorted(read) == ['lower.000001', 'upper.000001']
