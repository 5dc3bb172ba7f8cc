"""Archives that are not what they say: refused with their name, before they fill the disk or the memory."""

from __future__ import annotations

import contextlib
import pathlib
import random
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest

from jujulet.charmdir import archive, members, source, store
from jujulet.core import bases, charm

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


FILE, LINK = stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777
METADATA = 'name: a\nsummary: s\ndescription: d\n'


def packed(path: pathlib.Path, *entries: tuple[str, int, bytes]) -> pathlib.Path:
    """A charm with entries of any name and mode."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr('metadata.yaml', METADATA)
        for name, mode, data in entries:
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, mode << 16
            zipped.writestr(entry, data)
    return path


HOSTILE = {
    'one name twice': ((('x', FILE, b'1'), ('x', FILE, b'2')), 'entry "x" is in it twice'),
    'one name, spelt otherwise': (
        (('d/x', FILE, b'1'), ('./d//x', FILE, b'2')),
        'entry "./d//x" is in it twice',
    ),
    'a file over a link': (
        (('l', LINK, b'sub'), ('l', FILE, b'data')),
        'entry "l" is in it twice',
    ),
    'a file as a folder': (
        (('d', FILE, b''), ('d/x', FILE, b'')),
        'entry "d/x" lies behind a file',
    ),
    'a link as a folder': (
        (('l/x', FILE, b''), ('l', LINK, b'sub')),
        'entry "l/x" lies behind a link',
    ),
    'a line break': ((('a\nb', FILE, b''),), r'entry "a\nb" has a control character in its name'),
    'a terminal escape': (
        (('a\x1b[2J', FILE, b''),),
        r'entry "a\x1b[2J" has a control character in its name',
    ),
    'a name too long': ((('n' * 300, FILE, b''),), 'has too long a name'),
    'a path too long': ((('/'.join(['n' * 100] * 30), FILE, b''),), 'has too long a name'),
    'no name': ((('.', FILE, b''),), 'entry "." has no name'),
    'a device': (
        (('null', stat.S_IFCHR | 0o666, b''),),
        'entry "null" is neither a file nor a folder nor a link',
    ),
    'a disk': (
        (('sda', stat.S_IFBLK | 0o666, b''),),
        'entry "sda" is neither a file nor a folder nor a link',
    ),
    'a pipe': (
        (('p', stat.S_IFIFO | 0o666, b''),),
        'entry "p" is neither a file nor a folder nor a link',
    ),
    'a way up': ((('../x', FILE, b''),), 'entry "../x" leads outside the charm'),
    'a root': ((('/x', FILE, b''),), 'entry "/x" leads outside the charm'),
    'a link out': (
        (('l', LINK, b'/etc/passwd'),),
        'link "l" leads outside the charm, to "/etc/passwd"',
    ),
    'a link out by another link': (
        (('deep/up', LINK, b'..'), ('l', LINK, b'deep/up/..')),
        'link "l" leads outside the charm, to "deep/up/.."',
    ),
    'a link that is none': (
        (('l', LINK, b'a\0b'),),
        r'link "l" leads outside the charm, to "a\x00b"',
    ),
    'a link to nothing': ((('l', LINK, b''),), 'link "l" leads outside the charm, to ""'),
}


@pytest.mark.parametrize('what', HOSTILE)
def test_an_archive_that_would_write_elsewhere_or_nowhere_is_refused_by_the_name_of_its_entry(
    what: str, tmp_path: pathlib.Path
):
    entries, said = HOSTILE[what]
    with pytest.warns(UserWarning) if what in _TWICE else contextlib.nullcontext():
        path = packed(tmp_path / 'a.charm', *entries)
    out = tmp_path / 'out'
    out.mkdir()
    attempts: tuple[Callable[[], object], ...] = (
        lambda: source.find(path),
        lambda: archive.unpack(path, out),
    )
    for attempt in attempts:
        with pytest.raises(charm.Invalid) as refused:
            attempt()
        assert str(refused.value).startswith('"a.charm" is refused: ')
        assert said in str(refused.value)
        assert str(refused.value).isprintable()
    assert not any(out.iterdir())


_TWICE = ('one name twice', 'a file over a link')


def test_links_that_stay_inside_are_kept_whatever_links_they_go_by(tmp_path: pathlib.Path):
    path = packed(
        tmp_path / 'a.charm',
        ('src/', stat.S_IFDIR | 0o755, b''),
        ('src/charm.py', FILE | 0o111, b'pass'),
        ('hooks/install', LINK, b'../src/charm.py'),
        ('deep/up', LINK, b'..'),
        ('again', LINK, b'deep/up/src/charm.py'),
        ('round', LINK, b'about'),
        ('about', LINK, b'round'),
        ('nowhere', LINK, b'not/there'),
    )
    out = tmp_path / 'out'
    out.mkdir()
    archive.unpack(path, out)
    assert (out / 'again').read_bytes() == (out / 'hooks/install').read_bytes() == b'pass'
    assert (out / 'round').is_symlink()


def test_a_link_is_followed_through_all_that_it_goes_by():
    links = {'a': 'b', 'b': 'c/..', 'c': 'deep/er', 'deep/er/up': '../..'}
    assert members.stays_inside('x', 'a/er/up', links)
    assert not members.stays_inside('x', 'a/er/up/..', links)
    assert not members.stays_inside('deep/x', '../..', {})
    assert members.stays_inside('deep/x', '..', {})


def test_an_archive_that_is_damaged_anywhere_is_told_in_a_sentence(tmp_path: pathlib.Path):
    path = packed(
        tmp_path / 'a.charm',
        ('hooks/install', FILE, b'#!/bin/sh'),
        ('l', LINK, b'hooks/install'),
        ('config.yaml', FILE, b'options: {a: {type: string}}'),
    )
    whole = path.read_bytes()
    chance = random.Random(2534)  # noqa: S311
    refused = 0
    for number in range(600):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged[: chance.randrange(len(whole))] if number % 10 == 0 else damaged)
        out = tmp_path / f'out-{number}'
        out.mkdir()
        try:
            source.find(path)
            archive.unpack(path, out)
        except charm.Invalid:
            refused += 1
    assert 300 < refused < 600


def test_an_environment_that_is_not_where_charmcraft_has_it_is_a_folder_like_others(
    tmp_path: pathlib.Path,
):
    site = 'x/venv/lib/python3.8/site-packages/a.py'
    path = packed(tmp_path / 'a.charm', (site, FILE, b''))
    loaded = store.load(path, bases.parse('debian@12'), tmp_path / 'data')
    assert (tmp_path / 'data' / 'charms' / loaded.digest / site).is_file()
