"""The program that tries KVM, with programs that stand for QEMU."""

from __future__ import annotations

import importlib.util
import pathlib
import platform
import sys
from types import ModuleType

import pytest

PROGRAM = pathlib.Path(__file__).parents[2] / 'src/kvm_trial/trial.py'
QEMU = """#!{python}
import sys
kernel = '-kernel' in sys.argv
print({said!r})
sys.exit({kernel} if kernel else {sector})
"""


@pytest.fixture
def trial() -> ModuleType:
    spec = importlib.util.spec_from_file_location('kvm_trial_program', PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """A machine with all that KVM wants."""
    for name, text in {
        'proc/cpuinfo': 'flags\t\t: fpu vmx de\n',
        'dev/kvm': '',
        f'boot/vmlinuz-{platform.release()}': 'kernel',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def stand_in(
    trial: ModuleType, root: pathlib.Path, *, sector: int, said: str = 'Kernel panic'
) -> None:
    path = root / 'qemu'
    path.write_text(QEMU.format(python=sys.executable, said=said, kernel=0, sector=sector))
    path.chmod(0o755)
    trial.QEMU = str(path)  # type: ignore[attr-defined]


def test_kvm_that_boots_a_sector_and_a_kernel_is_good(trial: ModuleType, root: pathlib.Path):
    stand_in(trial, root, sector=43)
    assert trial.trial(root) == ''


@pytest.mark.parametrize(
    ('sector', 'said', 'words'),
    [
        (1, 'Kernel panic', 'a boot sector does not run with /dev/kvm'),
        (0, 'Kernel panic', 'a boot sector does not run with /dev/kvm'),
        (43, 'Probing EDD', 'a kernel does not boot with /dev/kvm'),
    ],
)
def test_kvm_that_only_claims_to_be_is_not(
    trial: ModuleType, root: pathlib.Path, sector: int, said: str, words: str
):
    stand_in(trial, root, sector=sector, said=said)
    assert trial.trial(root) == words


def test_a_machine_without_it_is_not_asked_to_boot_anything(trial: ModuleType, root: pathlib.Path):
    trial.QEMU = '/nowhere/qemu'  # type: ignore[attr-defined]
    assert trial.trial(root) == 'a boot sector does not run with /dev/kvm'
    (root / 'dev/kvm').unlink()
    assert trial.trial(root) == 'there is no /dev/kvm'
    (root / 'proc/cpuinfo').write_text('flags\t\t: fpu de\n')
    assert trial.trial(root) == 'the processor has neither vmx nor svm'


def test_the_sector_is_one_that_firmware_boots_and_ends_qemu(trial: ModuleType):
    assert len(trial.SECTOR) == 512
    assert trial.SECTOR[510:] == b'\x55\xaa'
    assert trial.SECTOR[:7] == bytes([0xBA, 0xF4, 0, 0xB0, 0x15, 0xEE, 0xF4])
