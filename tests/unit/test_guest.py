"""The guest image: what is decided about it, without building one."""

from __future__ import annotations

import json
import lzma
import pathlib
import struct
import subprocess
from collections.abc import Callable

import pytest

from tools.guest import build, cpio, disk, modules, packages


def names(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Name → mode and content, of an archive as the kernel reads it."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        header = archive[at : at + 110]
        assert header[:6] == b'070701'
        fields = [int(header[i : i + 8], 16) for i in range(6, 110, 8)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + length - 1].decode()
        start = -(-(at + 110 + length) // 4) * 4
        at = -(-(start + size) // 4) * 4
        if name == 'TRAILER!!!':
            assert at == len(archive)
            return found
        assert name not in found
        found[name] = (mode, archive[start : start + size])


def test_an_archive_holds_what_was_put_in_with_the_folders_above_it_first():
    entries = [cpio.file('a/b/c', b'abcde', program=True), cpio.file('a/d', b'')]
    found = names(cpio.archive(entries))
    assert list(found) == ['a', 'a/b', 'a/b/c', 'a/d']
    assert found['a/b/c'] == (0o100755, b'abcde')
    assert found['a/d'] == (0o100644, b'')
    assert found['a'] == (0o040755, b'')


def test_a_device_has_its_numbers():
    archive = cpio.archive([cpio.character_device('dev/console', 5, 1)])
    at = archive.index(b'dev/console') - 110
    fields = [int(archive[at + i : at + i + 8], 16) for i in range(6, 110, 8)]
    assert (fields[1], fields[9:11]) == (0o020600, [5, 1])


def module(*needed: str) -> bytes:
    return b'\x7fELF..license=GPL\0depends=' + ','.join(needed).encode() + b'\0name=x\0'


def test_a_module_says_what_it_needs():
    assert modules.needs(module('virtio-ring', 'virtio')) == ('virtio_ring', 'virtio')
    assert modules.needs(module()) == ()
    assert modules.needs(b'no module at all') == ()


def test_a_compressed_module_is_read_too():
    assert modules.unpacked(lzma.compress(module('a'))) == module('a')
    assert modules.unpacked(module('a')) == module('a')


def test_files_have_the_kernels_names():
    assert modules.name_of('kernel/drivers/char/virtio-rng.ko.xz') == 'virtio_rng'


def test_modules_are_loaded_behind_what_they_need_and_once():
    needed = {'net': ('core', 'fail'), 'fail': ('core',), 'core': (), 'blk': ('core', 'builtin')}
    assert modules.order(('net', 'blk', 'absent', 'net'), needed, lambda n: needed[n]) == (
        *('core', 'fail', 'net', 'blk'),
    )


def test_the_boot_record_has_a_program_and_one_active_partition():
    record = disk.boot_record(b'\xfa' * 440, disk.sectors(24))
    assert len(record) == 512
    assert record[:440] == b'\xfa' * 440
    assert record[510:] == b'\x55\xaa'
    active, _, kind, _, start, count = struct.unpack('<B3sB3sII', record[446:462])
    assert (active, kind, start, count) == (0x80, 0x0E, 2048, 24 * 2048 - 2048)
    assert record[462:510] == bytes(48)


def test_a_program_that_would_overwrite_the_partitions_is_refused():
    with pytest.raises(ValueError, match='441 bytes'):
        disk.boot_record(bytes(441), 1)


def test_the_kernels_package_is_found_by_what_the_newest_depends_on():
    depends = 'initramfs-tools | linux-initramfs-tool, linux-image-6.1.0-56-cloud-amd64 (= 6.1.1)'
    assert build.kernel_package(depends) == 'linux-image-6.1.0-56-cloud-amd64'
    with pytest.raises(build.Unbuilt, match='names no kernel'):
        build.kernel_package('libc6')


POLICY = """\
mtools:
  Installed: (none)
  Candidate: 4.0.32-1
  Version table:
     4.0.32-1 500
no-such:
  Installed: (none)
  Candidate: (none)
  Version table:
"""


def test_versions_are_those_that_apt_would_take():
    assert packages.candidates(POLICY) == {'mtools': '4.0.32-1', 'no-such': '(none)'}


def test_another_version_or_another_script_is_another_image(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
):
    before = build.key({'a': '1'})
    assert build.key({'a': '1'}) == before
    assert build.key({'a': '2'}) != before
    (tmp_path / 'init').write_text('another')
    monkeypatch.setattr(build, 'HERE', tmp_path)
    assert build.key({'a': '1'}) != before


def test_the_guest_says_when_it_is_up_by_the_words_that_are_waited_for():
    assert build.UP in (build.HERE / 'root/init').read_text()


ROOT = build.HERE / 'root'
Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def program(tmp_path: pathlib.Path) -> Program:
    """Runs one of the guest's own programs; what other programs are asked and answer is in files."""

    def run(name: str, *argv: str, **answers: str) -> subprocess.CompletedProcess[str]:
        for other, answer in answers.items():
            (tmp_path / f'{other}.answer').write_text(answer)
            fake = tmp_path / other
            fake.write_text(
                f'#!/bin/sh\necho "$@" >>{tmp_path}/{other}.argv\n'
                f'[ "{other}" = nc ] && cat >{tmp_path}/nc.asked\ncat {tmp_path}/{other}.answer\n'
            )
            fake.chmod(0o755)
        return subprocess.run(
            ['/bin/sh', str(ROOT / 'bin' / name), *argv], capture_output=True, text=True,
            env={'PATH': f'{tmp_path}:/usr/bin:/bin'}, check=False, timeout=30,
        )  # fmt: skip

    return run


def test_the_metadata_are_asked_for_and_come_as_they_are(program: Program, tmp_path: pathlib.Path):
    answer = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n192.0.2.7'
    done = program('curl', 'http://169.254.169.254/latest/meta-data/public-ipv4', nc=answer)
    assert (done.returncode, done.stdout) == (0, '192.0.2.7')
    asked = (tmp_path / 'nc.asked').read_bytes()
    assert asked == (
        b'GET /latest/meta-data/public-ipv4 HTTP/1.0\r\nHost: 169.254.169.254\r\n\r\n'
    )
    assert (tmp_path / 'nc.argv').read_text() == '-w 15 169.254.169.254 80\n'


def test_a_password_is_posted_to_the_metadata_service(program: Program, tmp_path: pathlib.Path):
    url = 'http://169.254.169.254/openstack/2013-10-17/password'
    done = program('curl', '-X', 'POST', '-d', 'sesame', url, nc='HTTP/1.1 204 No Content\r\n\r\n')
    assert (done.returncode, done.stdout) == (0, '')
    head, _, body = (tmp_path / 'nc.asked').read_text().partition('\n\n')
    assert head.startswith('POST /openstack/2013-10-17/password HTTP/1.0\n')
    assert 'Content-Length: 6' in head
    assert body == 'sesame'


@pytest.mark.parametrize(
    ('answer', 'said'), [('HTTP/1.1 404 Not Found\r\n\r\nno', '404 Not Found'), ('', 'answer')]
)
def test_a_metadata_service_that_has_nothing_is_no_success(
    program: Program, answer: str, said: str
):
    done = program('curl', 'http://169.254.169.254/x', nc=answer)
    assert done.returncode
    assert said in done.stderr
    assert done.stdout == ''


def test_disks_are_shown_in_the_columns_that_tempest_reads(program: Program):
    """`RemoteClient.get_disks` finds the type of each below the heading ``TYPE``."""
    heading, *rows = program('lsblk', '-lb', '--nodeps').stdout.splitlines()
    at = heading.index('TYPE')
    assert {row[at : at + 4].strip() for row in rows} <= {'disk', 'rom'}
    names = program('lsblk', '--nodeps', '--noheadings', '--output', 'NAME').stdout.split()
    assert names == [row.split()[0] for row in rows]


def test_who_may_log_in_is_who_has_a_key_in_the_metadata(tmp_path: pathlib.Path):
    (line,) = [x for x in (ROOT / 'init').read_text().splitlines() if 'authorized_keys' in x][:1]
    key = 'ecdsa-sha2-nistp256 AAAAE2VjZHNh+/= Generated-by-Nova'
    data = {
        'uuid': 'x', 'name': '"ssh-nothing', 'public_keys': {'mine': f'{key}\n'},
        'keys': [{'name': 'mine', 'type': 'ssh', 'data': f'{key}\n'}],
    }  # fmt: skip
    (tmp_path / 'metadata').write_text(json.dumps(data))
    script = line.replace('/run/', f'{tmp_path}/').replace('/root/.ssh/', f'{tmp_path}/')
    subprocess.run(['/bin/sh', '-c', script], check=True, timeout=30)
    kept = (tmp_path / 'authorized_keys').read_text().splitlines()
    assert kept == [key.removesuffix(' Generated-by-Nova')]
