"""Boot something with KVM: ends with 0 when it came up, else with 1 and a last line that says what it did instead.

First a boot sector that tells QEMU to end; then, where the machine has its own kernel to read, that kernel, which must
say who it is: where KVM is not what it claims to be, a sector runs and a kernel hangs.
"""

from __future__ import annotations

import os
import pathlib
import platform
import subprocess
import sys
import tempfile

QEMU = 'qemu-system-x86_64'
PORT = 0xF4
"""Of QEMU's device ``isa-debug-exit``: a byte N written there ends QEMU with 2 * N + 1."""
CODE = 0x15
SECTOR = bytes([0xBA, PORT, 0x00, 0xB0, CODE, 0xEE, 0xF4]).ljust(510, b'\0') + b'\x55\xaa'
"""mov dx, PORT; mov al, CODE; out dx, al; hlt."""
SECTOR_S = 20
KERNEL_S = 60


def trial(root: pathlib.Path = pathlib.Path('/')) -> str:
    """'' when both came up, else what is wrong."""
    flags = (root / 'proc/cpuinfo').read_text().split()
    if not {'vmx', 'svm'} & {*flags}:
        return 'the processor has neither vmx nor svm'
    if not os.access(root / 'dev/kvm', os.R_OK | os.W_OK):
        return 'there is no /dev/kvm'
    with tempfile.TemporaryDirectory() as folder:
        disk = pathlib.Path(folder, 'sector')
        disk.write_bytes(SECTOR)
        status, _ = run(
            *('-m', '16', '-device', f'isa-debug-exit,iobase={PORT:#x},iosize=1'),
            *('-drive', f'file={disk},format=raw,if=floppy', '-boot', 'a'),
            within_s=SECTOR_S,
        )
    if status != 2 * CODE + 1:
        return 'a boot sector does not run with /dev/kvm'
    kernel = root / 'boot' / f'vmlinuz-{platform.release()}'
    if os.access(kernel, os.R_OK):
        options = 'console=ttyS0 panic=-1'
        _, said = run('-m', '256', '-kernel', str(kernel), '-append', options, within_s=KERNEL_S)
        # Without a root file system it panics, and a panic ends it.
        if 'Kernel panic' not in said:
            return 'a kernel does not boot with /dev/kvm'
    return ''


def run(*arguments: str, within_s: float) -> tuple[int, str]:
    """QEMU with *arguments*: its exit status (-1: it did not end in time, or is not there), and its serial port."""
    argv = (QEMU, '-accel', 'kvm', '-cpu', 'host', '-no-reboot', '-nographic', *arguments)
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=within_s, check=False
        )
    except subprocess.TimeoutExpired as e:
        return -1, (e.stdout or b'').decode(errors='replace')
    except OSError as e:
        return -1, str(e)
    return done.returncode, done.stdout.decode(errors='replace')


if __name__ == '__main__':
    said = trial()
    print(said)
    sys.exit(1 if said else 0)
