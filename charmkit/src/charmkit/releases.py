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


def by_name(name: str) -> Release | None:
    """The release called *name*, if these charms know it."""
    return next((r for r in OF_BASE.values() if r.name == name), None)
