"""Which processes are those of a WSGI application, and what is said when there are none."""

from __future__ import annotations

import pathlib

import pytest
from charmkit import processes

WORDS = b'neutron-api      \0-k\0start\0'


@pytest.mark.parametrize(
    ('comm', 'words', 'is_one'),
    [
        ('apache2', WORDS, True),
        # Seen on Debian 12: neutron loads setproctitle.
        ('neutron-api    ', b'neutron-api       -k start\0', True),
        ('python3', WORDS, False),
        ('apache2', b'/usr/sbin/apache2\0-k\0start\0', False),
        ('neutron-api', b'/usr/bin/python3\0/usr/bin/neutron-api\0', False),
    ],
)
def test_a_process_is_known_by_its_words_and_its_program(
    tmp_path: pathlib.Path, comm: str, words: bytes, is_one: bool
):
    (tmp_path / '17').mkdir()
    (tmp_path / '17/comm').write_text(f'{comm}\n')
    (tmp_path / '17/cmdline').write_bytes(words)
    found = processes._of('neutron-api', tmp_path)  # pyright: ignore[reportPrivateUsage]
    assert found == (frozenset({17}) if is_one else frozenset())


def test_renewing_what_is_not_there_is_no_success():
    assert processes.recycle('wsgi:nobody-is-this') != ''
