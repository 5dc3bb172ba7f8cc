"""What an installer writes down of the machine that it ran on is not packed."""

from __future__ import annotations

import pathlib

from jujulet.charmdir import traces


def installed(folder: pathlib.Path, where: str) -> pathlib.Path:
    """A package as an installer leaves it, in a folder *where* of its machine."""
    site = folder / 'venv/lib/python3.11/site-packages'
    info = site / 'x-1.dist-info'
    info.mkdir(parents=True)
    (site / 'x.py').write_text('pass\n')
    (info / 'METADATA').write_text('Name: x\n')
    (info / 'direct_url.json').write_text(f'{{"url": "file://{where}"}}')
    (info / 'uv_cache.json').write_text(f'{{"timestamp": {len(where)}}}')
    lines = [
        'x.py,sha256=a,5', 'x-1.dist-info/METADATA,sha256=b,8', 'x-1.dist-info/RECORD,,',
        f'x-1.dist-info/direct_url.json,sha256={len(where)},9', f'bin/x,sha256={where},7',
        'x-1.dist-info/uv_cache.json,sha256=c,1',
    ]  # fmt: skip
    (info / 'RECORD').write_text('\n'.join(lines) + '\n')
    return folder


def bytes_of(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(folder)): one.read_bytes()
        for one in folder.rglob('*')
        if one.is_file()
    }


def test_two_machines_give_the_same_bytes(tmp_path: pathlib.Path) -> None:
    here, there = installed(tmp_path / 'a', '/home/a'), installed(tmp_path / 'b', '/srv/build/b')
    assert bytes_of(here) != bytes_of(there)
    for folder in (here, there):
        traces.forget(folder)
    assert bytes_of(here) == bytes_of(there)
    record = (here / 'venv/lib/python3.11/site-packages/x-1.dist-info/RECORD').read_text()
    assert record == 'x-1.dist-info/METADATA,sha256=b,8\nx-1.dist-info/RECORD,,\nx.py,sha256=a,5\n'
    traces.forget(here)
    assert bytes_of(here) == bytes_of(there)


def test_a_charm_without_packages_is_left_as_it_is(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'metadata.yaml').write_text('name: x\n')
    traces.forget(tmp_path)
    assert bytes_of(tmp_path) == {'metadata.yaml': b'name: x\n'}
