"""LXCFS: whether it serves, and that whoever asks one that does not is never kept."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from jujulet.machines import mounts, procfiles

FOLDER = Path('/var/lib/lxcfs/proc')
LISTED = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:50 / /var/lib/lxcfs rw,nosuid shared:2 - fuse.lxcfs lxcfs rw
31 22 0:51 / /srv/with\\040space rw - tmpfs tmpfs rw
no line of it
"""


def test_lxcfs_is_there_when_it_says_something(tmp_path: Path) -> None:
    assert procfiles.there(tmp_path / 'none') == ()
    assert procfiles.there(tmp_path) == ()
    (tmp_path / 'uptime').write_text('')  # A folder that nobody serves.
    assert procfiles.there(tmp_path) == ()
    (tmp_path / 'uptime').write_text('1.00 1.00')
    assert procfiles.there(tmp_path) == ('uptime',), 'of the files it has, and no others'
    for name in ('swaps', 'meminfo'):
        (tmp_path / name).write_text('something')
    assert procfiles.there(tmp_path) == ('meminfo', 'swaps', 'uptime')


@pytest.mark.parametrize(
    ('number', 'state'),
    [
        (errno.ENOTCONN, 'dead'),
        (errno.ECONNABORTED, 'dead'),
        (errno.ENOENT, 'none'),
        (errno.EACCES, 'none'),
    ],
)
def test_a_mount_that_nobody_answers_for_is_data_and_no_exception(number: int, state: str) -> None:
    mount = mounts.holding(mounts.listed(LISTED), FOLDER)
    found = {f'{FOLDER}/{name}': number for name in procfiles.NAMES}
    seen = procfiles.judged(found, FOLDER, mount)
    assert seen == procfiles.Seen(state, (), '/var/lib/lxcfs', '0:50')  # type: ignore[arg-type]


def test_lxcfs_that_hangs_is_none_and_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / 'uptime')  # Whoever reads waits for a writer.
    monkeypatch.setattr(procfiles, 'PATIENCE_S', 0.1)
    assert procfiles.look(tmp_path).state == 'hangs'
    monkeypatch.undo()
    (tmp_path / 'uptime').unlink()
    (tmp_path / 'uptime').write_text('1.00 1.00')
    assert procfiles.there(tmp_path) == ('uptime',)


class Kept:
    """A process that the kernel keeps although it was killed, as in a question that LXCFS has taken."""

    began = 0
    returncode: int | None = None
    stdout = None

    def __init__(self, *_argv: Any, **_options: Any):
        type(self).began += 1

    def communicate(self, timeout: float) -> tuple[bytes, None]:
        raise subprocess.TimeoutExpired('look', timeout)

    def kill(self) -> None:
        pass

    def wait(self, timeout: float | None = None) -> int:
        assert timeout is not None, 'waits for a process that may never end'
        raise subprocess.TimeoutExpired('look', timeout)

    def poll(self) -> int | None:
        return self.returncode


def test_one_that_lxcfs_keeps_in_the_kernel_is_left_there_and_no_other_follows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, 'Popen', Kept)
        assert [procfiles.look(tmp_path).state for _ in range(3)] == ['hangs'] * 3
        assert Kept.began == 1
        patched.setattr(Kept, 'returncode', -9)  # LXCFS has answered, or ended.
        assert procfiles.look(tmp_path).state == 'hangs'
        assert Kept.began == 2
    # It is another file system, which somebody mounted there since.
    (tmp_path / 'uptime').write_text('1.00 1.00')
    mount = mounts.Mount(str(tmp_path), '0:99', 'fuse.lxcfs')
    monkeypatch.setattr(mounts, 'read', lambda: (mount,))
    assert procfiles.look(tmp_path) == procfiles.Seen('serves', ('uptime',), mount.point, '0:99')


def test_machines_that_start_together_wait_for_one_that_hangs_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    came = threading.Barrier(4, timeout=60)

    def hangs(key: object) -> None:
        asked.append(key)
        came.wait()  # All the others are there, and wait.

    def clock() -> float:
        now = next(ticks)
        if threading.current_thread() in others:
            came.wait()
        return now

    ticks = itertools.count()
    others = [threading.Thread(target=procfiles.look, args=(tmp_path,)) for _ in range(3)]
    monkeypatch.setattr(procfiles, '_clock', clock)
    monkeypatch.setattr(procfiles, '_ask', hangs)
    first = threading.Thread(target=procfiles.look, args=(tmp_path,))
    for thread in (first, *others):
        thread.start()
    for thread in (first, *others):
        thread.join(60)
    assert len(asked) == 1


def test_the_kernels_list_says_what_a_path_is_on_without_asking_it() -> None:
    found = mounts.listed(LISTED)
    assert [m.point for m in found] == ['/', '/var/lib/lxcfs', '/srv/with space']
    assert mounts.holding(found, FOLDER) == mounts.Mount('/var/lib/lxcfs', '0:50', 'fuse.lxcfs')
    assert mounts.holding(found, Path('/var/lib/lxcfs2')) == found[0]
    assert mounts.at(found, Path('/var/lib')) is None


MACHINE = """\
40 39 0:60 / / rw - overlay overlay rw
41 40 0:61 / /proc rw - proc proc rw
42 41 0:50 /proc/uptime /proc/uptime ro - fuse.lxcfs lxcfs rw
43 41 0:62 / /proc/meminfo ro - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ('seen', 'stale'),
    [
        (procfiles.Seen('serves', ('uptime',), '/var/lib/lxcfs', '0:50'), False),
        (procfiles.Seen('serves', ('uptime',), '/var/lib/lxcfs', '0:77'), True),
        (procfiles.Seen('dead', (), '/var/lib/lxcfs', '0:50'), True),
        (procfiles.Seen('none'), True),
    ],
    ids=['of that LXCFS', 'LXCFS came back', 'LXCFS has ended', 'and is unmounted'],
)
def test_a_machine_has_files_of_the_lxcfs_of_its_start(seen: procfiles.Seen, stale: bool) -> None:
    assert procfiles.stale(mounts.listed(MACHINE), seen) == stale
    without = '\n'.join(line for line in MACHINE.splitlines() if 'fuse' not in line)
    assert not procfiles.stale(mounts.listed(without), seen)
