"""For whom a certificate is issued: what a requirer may ask for. Pure.

A request comes from whoever is related, and is believed in nothing. It gets a certificate for names that look like
names, that the operator lets this authority certify, and that no other application has a certificate for: who may be
related must not be able to pass for another.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping

from charmkit import validators, x509
from charmkit.relations import certificates

_MOST_SHOWN = 60


class RefusedError(ValueError):
    """A request is refused; the message is one sentence that names what is wrong."""

    def __init__(self, reason: str, name: str = 'other'):
        super().__init__(reason)
        self.name = name
        """By the interface's table."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """What may be certified."""

    domains: tuple[str, ...] = ()
    """Host names in these, and these themselves; () is every host name."""
    networks: tuple[str, ...] = ()
    """Addresses in these, CIDR; () is every address that a unit can have."""


def admitted(
    asked: certificates.Asked, app: str, policy: Policy, held: Mapping[str, str]
) -> tuple[x509.Request, x509.Names]:
    """What *asked* of application *app* is to have a certificate for; *held* says which application has which name.

    Raises:
        RefusedError: when it is to have none.
    """
    if asked.ca:
        raise RefusedError('certificates for other certificate authorities are not issued')
    try:
        found = x509.read_request(asked.csr)
    except x509.InvalidError as e:
        raise RefusedError(str(e)) from None
    names = found.names
    common = found.common_name.lower()
    if not names.all and common:
        names = x509.Names.of([common])  # As clients of old have it (RFC 9525, appendix A).
    if not names.all:
        raise RefusedError('it asks for no host name and no address')
    for host in names.hosts:
        _check_host(host, policy)
    for address in names.addresses:
        _check_address(address, policy)
    for name in names.all:
        owner = held.get(name, app)
        if owner != app:
            raise RefusedError(f'{_shown(name)} is certified for {owner}', _kind(name))
    return found, names


def _check_host(host: str, policy: Policy) -> None:
    if '*' in host:
        raise RefusedError(f'{_shown(host)} is a wildcard', 'wildcard_not_allowed')
    if not validators.is_hostname(host) or host.endswith('.') or host == 'localhost':
        raise RefusedError(f'{_shown(host)} is no host name', 'domain_not_allowed')
    if policy.domains and not any(host == d or host.endswith(f'.{d}') for d in policy.domains):
        raise RefusedError(f'{_shown(host)} is not in allowed-domains', 'domain_not_allowed')


def _check_address(address: str, policy: Policy) -> None:
    if not validators.is_unicast(address):
        raise RefusedError(f'{address} is no address of a unit', 'ip_not_allowed')
    inside = (ipaddress.ip_address(address) in ipaddress.ip_network(n) for n in policy.networks)
    if policy.networks and not any(inside):
        raise RefusedError(f'{address} is not in allowed-networks', 'ip_not_allowed')


def _kind(name: str) -> str:
    return 'ip_not_allowed' if x509.Names.of([name]).addresses else 'domain_not_allowed'


def _shown(text: str) -> str:
    plain = ''.join(c if c.isascii() and c.isprintable() else '?' for c in text)
    return plain if len(plain) <= _MOST_SHOWN else f'{plain[: _MOST_SHOWN - 1]}…'
