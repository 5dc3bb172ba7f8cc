"""Operating system releases: how they are written, and the Python that each one brings.

Source: Juju's ``--base`` flag and core/base (``ubuntu@24.04/stable``; series names until 3.x), and the
distributions' own releases for the version of ``python3``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from . import charm as charm_

SERIES = {
    'focal': ('ubuntu', '20.04'),
    'jammy': ('ubuntu', '22.04'),
    'noble': ('ubuntu', '24.04'),
    'resolute': ('ubuntu', '26.04'),
    'bullseye': ('debian', '11'),
    'bookworm': ('debian', '12'),
    'trixie': ('debian', '13'),
}
"""Series names, as older bundles and charms write them."""

PYTHON = {
    'ubuntu@20.04': '3.8',
    'ubuntu@22.04': '3.10',
    'ubuntu@24.04': '3.12',
    'ubuntu@26.04': '3.14',
    'debian@11': '3.9',
    'debian@12': '3.11',
    'debian@13': '3.13',
}
"""Version of ``/usr/bin/python3`` by base."""

LATEST_LTS = charm_.Base('ubuntu', '24.04')
"""What a charm that names no base gets, when nobody else names one either."""

_SHAPE = re.compile(r'([a-z][a-z0-9-]*)[@:]([0-9][0-9a-z.]*)(/[a-z]+)?')


def parse(text: str) -> charm_.Base:
    """``debian@12``, ``ubuntu@24.04/stable`` or a series name → its base.

    Raises:
        charm.Invalid: the text is neither.
    """
    text = text.strip()
    if text in SERIES:
        return charm_.Base(*SERIES[text])
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise charm_.Invalid(
            f'base "{text}" not valid: write it as name@version, such as debian@12 or ubuntu@24.04'
        )
    return charm_.Base(match.group(1), match.group(2))


def lsb_release(text: str) -> str:
    """What ``/etc/lsb-release`` says on a release of Ubuntu, such as ``ubuntu@24.04``.

    Source: the file of that name of Ubuntu's package base-files, which Debian's does not have.

    Raises:
        charm.Invalid: it is no release of Ubuntu that is known here.
    """
    base = parse(text)
    names = [n for n, known in SERIES.items() if known == (base.name, base.channel)]
    if base.name != 'ubuntu' or not names:
        known = ', '.join('@'.join(b) for b in SERIES.values() if b[0] == 'ubuntu')
        raise charm_.Invalid(f'"{text}" is not a release of Ubuntu: one of {known}')
    return (
        f'DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE={base.channel}\nDISTRIB_CODENAME={names[0]}\n'
        f'DISTRIB_DESCRIPTION="Ubuntu {base.channel} LTS"\n'
    )


def python_of(base: charm_.Base) -> str:
    """Version of the base's own ``python3``, such as ``3.11``.

    Raises:
        charm.Invalid: the base is unknown.
    """
    try:
        return PYTHON[str(base)]
    except KeyError:
        known = ', '.join(PYTHON)
        raise charm_.Invalid(f'base "{base}" is not known; known: {known}') from None


CAN_BE_NAMED = frozenset({'ubuntu', 'centos', 'almalinux'})
"""Systems that a charm can name as its bases: Charmcraft's schema has no other."""


def supported(charm: charm_.Charm, base: charm_.Base) -> bool:
    """Whether *charm* may be deployed on *base*: it names it, names none, or could not name it (Debian)."""
    return not charm.bases or base in charm.bases or base.name not in CAN_BE_NAMED


def choose(
    charm: charm_.Charm,
    wanted: charm_.Base | None = None,
    default: charm_.Base | None = None,
    *,
    force: bool = False,
) -> charm_.Base:
    """The base that *charm* is deployed on.

    Juju's order (its base selector): *wanted* (``--base``, or the bundle's), which the charm must support
    unless *force*; else *default* (the model's ``default-base``) if the charm supports it; else the first that
    the charm names; else *default*, else the latest LTS. One that was packed for a Debian passes over a
    *default* that is another.

    Raises:
        charm.Invalid: the charm does not support what was wanted.
    """
    if wanted is not None:
        if not supported(charm, wanted) and not force:
            raise charm_.Invalid(
                f'base "{wanted}" not supported by charm "{charm.name}", the charm supported bases are: '
                f'{names(charm.bases)}. Use --force to deploy the charm anyway.'
            )
        return wanted
    # One that was packed here for a Debian names that, and runs on no other without need.
    packed = {one.name for one in charm.bases} - CAN_BE_NAMED
    if (
        default is not None
        and supported(charm, default)
        and (default in charm.bases or default.name not in packed)
    ):
        return default
    return charm.bases[0] if charm.bases else LATEST_LTS


def names(bases: Iterable[charm_.Base]) -> str:
    """``debian@12, ubuntu@24.04``."""
    return ', '.join(str(base) for base in bases)
