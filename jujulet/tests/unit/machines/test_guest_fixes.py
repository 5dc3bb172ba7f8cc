"""What we put into a fresh file system can be read by everybody on it, as what a distribution puts there."""

from __future__ import annotations

import os
import pathlib
import stat

from jujulet.machines import guest_fixes


def closed(root: pathlib.Path) -> list[str]:
    """What below *root* not everybody may read (and enter), relative to it."""
    found: list[str] = []
    for path in root.rglob('*'):
        wanted = 0o005 if path.is_dir() else 0o004
        if path.stat().st_mode & wanted != wanted:
            found.append(str(path.relative_to(root)))
    return sorted(found)


def test_settings_are_for_all_to_read_whatever_the_umask(tmp_path: pathlib.Path):
    before = os.umask(0o077)
    try:
        guest_fixes.settings(tmp_path)
        (tmp_path / 'sabotaged').write_text('')
    finally:
        os.umask(before)
    assert closed(tmp_path) == ['etc/sudoers.d/90-ubuntu', 'sabotaged', 'var/lib/juju/run']
    assert stat.S_IMODE((tmp_path / 'etc/sudoers.d/90-ubuntu').stat().st_mode) == 0o440
