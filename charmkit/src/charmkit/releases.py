"""OpenStack's releases, and which one each base brings with it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, order=True)
class Release:
    """An OpenStack release; a later one is greater."""

    number: int
    """Counted from Austin, so neighbours differ by one."""
    name: str
    version: str = ''
    """As the release is dated, where it is."""


ZED = Release(26, 'zed', '2022.2')
CARACAL = Release(29, 'caracal', '2024.1')
EPOXY = Release(31, 'epoxy', '2025.1')

OF_BASE = {'debian@12': ZED, 'ubuntu@24.04': CARACAL, 'debian@13': EPOXY}
"""What the base's own archive has."""


def of_base(base: str) -> Release:
    """The release that *base*'s own archive has.

    Raises:
        ValueError: for a base that these charms do not know.
    """
    try:
        return OF_BASE[base]
    except KeyError:
        known = ', '.join(OF_BASE)
        raise ValueError(f'{base} is not a base of these charms: {known}') from None


_FIRST = {
    'nova': 0,
    'glance': 1,
    'keystone': 4,
    'neutron': 5,
    'cinder': 5,
    'placement': 18,
}
"""What a project's major version lacks to the number of its release: each counts one for each release (nova 26,
glance 25 and placement 8 are Zed's; OpenStack's release notes)."""
_NAMES = {
    26: ZED,
    27: Release(27, 'antelope', '2023.1'),
    28: Release(28, 'bobcat', '2023.2'),
    29: CARACAL,
    30: Release(30, 'dalmatian', '2024.2'),
    31: EPOXY,
    32: Release(32, 'flamingo', '2025.2'),
    33: Release(33, 'gazpacho', '2026.1'),
}


def of_package(base: str, package: str, version: str) -> Release:
    """The release that *package* is of, by the version that is installed: an archive is a choice on a base.

    Before it is installed, and for a project that these charms do not know, the base's own.

    Raises:
        ValueError: for a base that these charms do not know.
    """
    usual = of_base(base)
    project = package.removeprefix('python3-').partition('-')[0]
    major = version.rpartition(':')[2].partition('.')[0]
    if project not in _FIRST or not major.isdecimal():
        return usual
    number = int(major) + _FIRST[project]
    return (
        _NAMES.get(number, Release(number, f'release-{number}')) if number >= ZED.number else usual
    )


def by_name(name: str) -> Release | None:
    """The release called *name*, if these charms know it."""
    return next((r for r in _NAMES.values() if r.name == name), None)
