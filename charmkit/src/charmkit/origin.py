"""Where OpenStack's packages come from: a release is a choice of archive on a base. Pure.

The option ``openstack-origin``, as Charmed OpenStack's charms have it: ``distro``, ``cloud:noble-epoxy`` (Ubuntu's
cloud archive, ``…/proposed`` for what is not released yet), or a line of ``sources.list`` (``deb URL SUITE
COMPONENT…``), whose key is the option ``openstack-origin-key``. Sources: charm-helpers' ``fetch.ubuntu.add_source``;
sources.list(5).
"""

from __future__ import annotations

import dataclasses
import re

from . import host, validators

OPTION = 'openstack-origin'
KEY_OPTION = 'openstack-origin-key'
DISTRO = 'distro'
LIST = '/etc/apt/sources.list.d/openstack.list'
KEYRING = '/etc/apt/keyrings/openstack.asc'
_CLOUD_KEYRING = '/usr/share/keyrings/ubuntu-cloud-keyring.gpg'
_SUITES = {'ubuntu@22.04': 'jammy', 'ubuntu@24.04': 'noble', 'ubuntu@26.04': 'resolute'}


@dataclasses.dataclass(frozen=True)
class Origin:
    """An archive beside the base's own; :data:`DISTRO` has neither line nor key."""

    name: str
    line: str = ''
    key: str = ''
    packages: frozenset[str] = frozenset()
    """What the machine must have to trust it."""

    @property
    def digest(self) -> str:
        """Another one for another archive."""
        return host.digest(f'{self.line}\n{self.key}')


def read(text: str, key: str, base: str) -> Origin:
    """The archive that the options name.

    Raises:
        ValueError: when they name none for *base*, in words for the operator.
    """
    text, key = text.strip(), key.strip()
    if text in ('', DISTRO):
        return Origin(DISTRO)
    if cloud := validators.CLOUD_ARCHIVE.fullmatch(text):
        suite, release, proposed = cloud.groups()
        if _SUITES.get(base) != suite:
            raise ValueError(
                f'{OPTION} {text!r} is not for {base}: the cloud archive of {suite} is for Ubuntu {suite}'
            )
        pocket = 'proposed' if proposed else 'updates'
        where = f'{suite}-{pocket}/{release} main'
        line = f'deb [signed-by={_CLOUD_KEYRING}] http://ubuntu-cloud.archive.canonical.com/ubuntu {where}'
        return Origin(text, line, packages=frozenset({'ubuntu-cloud-keyring'}))
    if found := validators.ARCHIVE.fullmatch(text):
        if not key.startswith('-----BEGIN PGP PUBLIC KEY BLOCK-----'):
            raise ValueError(
                f'{KEY_OPTION} must hold the ASCII-armoured public key that signs {found["url"]}'
            )
        line = f'deb [signed-by={KEYRING}] {found["url"]} {found["where"]}'
        return Origin(text, line, key)
    shown = re.sub(r'//[^ ]*@', '//…@', text)  # apt takes a password there; this does not.
    raise ValueError(
        f'{OPTION} {shown[:80]!r} is no archive: distro, cloud:SUITE-RELEASE, or deb URL SUITE COMPONENT… is wanted'
    )


def desired(origin: Origin) -> host.Host:
    """The archive known to apt, before any package comes from it."""
    if not origin.line:
        return host.Host(absent=(host.Absent(path=LIST), host.Absent(path=KEYRING)))
    key = host.File(path=KEYRING, content=f'{origin.key}\n', before_packages=True)
    text = f'# Written by the charm: option {OPTION}.\n{origin.line}\n'
    return host.Host(
        packages=origin.packages,
        files=(
            *((key,) if origin.key else ()),
            host.File(path=LIST, content=text, before_packages=True),
        ),
        absent=() if origin.key else (host.Absent(path=KEYRING),),
    )
