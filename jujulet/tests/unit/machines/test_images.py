"""Why a base could not be built, from what the programs said."""

from __future__ import annotations

import pytest

from jujulet.machines import images

NO_MIRROR = """\
I: running apt-get update...
Err:1 http://127.0.0.1:9/debian bookworm InRelease
  Could not connect to 127.0.0.1:9 (127.0.0.1). - connect (111: Connection refused)
E: Failed to fetch http://127.0.0.1:9/InRelease  Could not connect to 127.0.0.1:9. - connect (111: Connection refused)
E: Some index files failed to download. They have been ignored, or old ones used instead.
E: apt-get update --error-on=any -oAPT::Status-Fd=<$fd> -oDpkg::Use-Pty=false failed
I: main() received signal PIPE: waiting for setup...
E: mmdebstrap failed to run
"""
NO_ROOM = """\
I: extracting archives...
tar: ./usr/lib/gconv/UTF-16.so: Cannot write: No space left on device
tar: ./usr/lib/gconv/UTF-32.so: Cannot write: No space left on device
tar: Exiting with failure status due to previous errors
E: tar --extract failed: 512
E: mmdebstrap failed to run
"""
NO_PACKAGE = """\
dpkg: error processing package base-files (--configure):
  installed base-files package post-installation script subprocess returned error exit status 1
Errors were encountered while processing:
 base-files
E: Sub-process /usr/bin/dpkg returned an error code (1)
E: apt-get --yes install failed
"""


@pytest.mark.parametrize(
    ('told', 'why'),
    [
        (
            NO_MIRROR,
            [
                'Failed to fetch http://127.0.0.1:9/InRelease  Could not connect to 127.0.0.1:9.'
                ' - connect (111: Connection refused)',
                'Some index files failed to download. They have been ignored, or old ones used instead.',
            ],
        ),
        (NO_ROOM, ['tar: ./usr/lib/gconv/UTF-16.so: Cannot write: No space left on device']),
        (
            NO_PACKAGE,
            [
                'dpkg: error processing package base-files (--configure):',
                'installed base-files package post-installation script subprocess returned error exit status 1',
                'Sub-process /usr/bin/dpkg returned an error code (1)',
            ],
        ),
        ('Killed\n', []),
    ],
)
def test_the_reason_is_told_and_not_the_command_lines(told: str, why: list[str]) -> None:
    assert images.reasons(told) == why
