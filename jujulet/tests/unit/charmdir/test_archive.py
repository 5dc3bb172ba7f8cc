"""Archives that are not what they say: refused with their name, before they fill the disk or the memory."""

from __future__ import annotations

import pathlib
import struct
import tracemalloc
import zipfile

import pytest

from jujulet.charmdir import archive, source
from jujulet.core import charm

LARGE = 200_000_000
SAID = 100


def lying(path: pathlib.Path, name: str) -> pathlib.Path:
    """An archive with an entry that says it has 100 bytes, and has 200 million zeros."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as zipped:
        if name != 'metadata.yaml':
            zipped.writestr('metadata.yaml', 'name: a\nsummary: s\ndescription: d\n')
        with zipped.open(name, 'w') as entry:
            for _ in range(20):
                entry.write(bytes(LARGE // 20))
    content = bytearray(path.read_bytes())
    at = content.rindex(b'PK\x01\x02')
    struct.pack_into('<I', content, at + 24, SAID)
    path.write_bytes(content)
    return path


def test_metadata_that_lies_of_its_size_does_not_fill_the_memory(tmp_path: pathlib.Path):
    path = lying(tmp_path / 'a.charm', 'metadata.yaml')
    tracemalloc.start()
    try:
        with pytest.raises(charm.Invalid, match=r'a\.charm" is not a charm: damaged: Bad CRC'):
            source.find(path)
        assert tracemalloc.get_traced_memory()[1] < LARGE / 10
    finally:
        tracemalloc.stop()


def test_a_file_that_lies_of_its_size_does_not_fill_the_disk(tmp_path: pathlib.Path):
    path = lying(tmp_path / 'a.charm', 'data')
    folder = tmp_path / 'out'
    folder.mkdir()
    with pytest.raises(charm.Invalid, match=r'"a\.charm" is damaged at "data"'):
        archive.unpack(path, folder)
    assert sum(p.stat().st_size for p in folder.iterdir()) < LARGE / 10
