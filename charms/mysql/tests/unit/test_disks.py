"""How full is full, by what `df` and the kernel say."""

from __future__ import annotations

import disks
import pytest

GIB = 1 << 30
# df --block-size=1 --output=size,avail,itotal,iavail,target, on Debian 12.
DF = """\
   1B-blocks       Avail   Inodes    IFree Mounted on
270553174016 71382142976 16777216 15882916 /
     1048576     1048576        -        - /mnt/with a blank
df: /no: No such file or directory
"""
MOUNTS = 'overlay / overlay rw,relatime 0 0\nnone /mnt/small tmpfs ro,relatime,size=1024k 0 0\n'


def disk(size: int, left: int, **more: int | bool) -> disks.Disk:
    return disks.Disk('/d', size, left, **more)  # pyright: ignore[reportArgumentType]


def test_what_df_says_is_understood():
    assert disks.disks(DF, MOUNTS) == (
        disks.Disk('/', 270553174016, 71382142976, 16777216, 15882916),
        disks.Disk('/mnt/with a blank', 1048576, 1048576),
    )


def test_a_read_only_file_system_is_seen():
    (found,) = disks.disks('1048576 1048576 0 0 /mnt/small\n', MOUNTS)
    assert [s.message for s in disks.statuses([found])] == [
        'the file system /mnt/small is mounted read-only'
    ]


@pytest.mark.parametrize('text', ['', 'nonsense', 'df: not there\n', '1 2\n', 'a b c d /e\n'])
def test_what_is_no_answer_of_df_tells_of_no_disk(text: str):
    assert disks.disks(text, text) == ()


@pytest.mark.parametrize(
    ('size', 'left', 'kind'),
    [
        (20 * GIB, 3 * GIB, ''),
        (20 * GIB, 2 * GIB, ''),
        (20 * GIB, 2 * GIB - 1, 'active'),
        (20 * GIB, GIB // 2, 'active'),
        (20 * GIB, GIB // 2 - 1, 'blocked'),
        (4 * GIB, int(0.03 * 4 * GIB) + 1, 'active'),
        (4 * GIB, int(0.03 * 4 * GIB), 'blocked'),
        (4000 * GIB, 5 * GIB, ''),
        (4000 * GIB, 5 * GIB - 1, 'active'),
        (GIB, 0, 'blocked'),
    ],
)
def test_a_share_counts_on_a_small_disk_and_an_amount_on_a_large_one(
    size: int, left: int, kind: str
):
    assert [s.kind for s in disks.statuses([disk(size, left)])] == ([kind] if kind else [])


def test_room_for_bytes_and_none_for_files_is_full_too():
    (status,) = disks.statuses([disk(20 * GIB, 10 * GIB, inodes=1000, inodes_left=9)])
    assert status.message == 'the file system /d can hold only 9 more files'
    assert not list(disks.statuses([disk(20 * GIB, 10 * GIB, inodes=1000, inodes_left=10)]))
    assert not list(disks.statuses([disk(20 * GIB, 10 * GIB)]))  # btrfs has no such limit.
