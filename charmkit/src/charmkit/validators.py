"""What names, addresses and URLs from outside look like: each check is linear in the length of its text. Pure."""

from __future__ import annotations

import ipaddress
import re

CLOUD_ARCHIVE = re.compile(r'cloud:([a-z]{3,20})-([a-z]{3,20})(/proposed)?')
ARCHIVE = re.compile(
    r'deb (?P<url>https?://[A-Za-z0-9.:\[\]/_~+%-]{1,500}) '
    r'(?P<where>[A-Za-z0-9./_-]{1,100}(?: [A-Za-z0-9._-]{1,60}){0,8})'
)
_URL = re.compile(r"https?://[A-Za-z0-9.:_~!$&'()*+,;=@%/?#[\]-]{1,2000}")
# Linear: a label has no part that another could match too.
_LABEL = re.compile(r'[A-Za-z0-9-]{1,63}')


def is_hostname(text: str) -> bool:
    """Whether *text* is a host name (RFC 1123), or an IPv4 address that a unit can have.

    What ends in a number is taken for an address by whoever resolves it, short forms such as ``1.5`` among them (RFC
    3696, section 2; the URL standard of WHATWG, "ends in a number").
    """
    labels = text.removesuffix('.').split('.')
    if labels[-1].isdecimal():
        return is_unicast(text)
    return len(text) <= 253 and all(
        _LABEL.fullmatch(label) and label[0] != '-' and label[-1] != '-' for label in labels
    )


def is_unicast(text: str) -> bool:
    """Whether *text* is an address that a unit can have in a network."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = isinstance(address, ipaddress.IPv6Address) and (
        address.scope_id or address.ipv4_mapped
    )
    return not (
        mapped
        or (address.version == 4 and not address.packed[0])  # RFC 1122: "this" network.
        or address.is_unspecified
        or address.is_loopback
        or address.is_multicast
        or address.is_link_local
        or address.is_reserved
    )


def is_network(text: str) -> bool:
    """Whether *text* is a network in CIDR form, or one address."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def is_web_address(text: str) -> bool:
    """Whether *text* is a URL of http or https with a host and maybe a port, a path and what follows it."""
    if not _URL.fullmatch(text):
        return False
    origin = re.match(r'[^/]*//[^/?#]*', text)
    return bool(origin) and is_origin(origin[0])


def is_archive(text: str) -> bool:
    """Whether *text* says where packages come from, in one of the forms of :mod:`charmkit.origin`."""
    text = text.strip(' ')
    return text in ('', 'distro') or bool(CLOUD_ARCHIVE.fullmatch(text) or ARCHIVE.fullmatch(text))


def is_line(text: str) -> bool:
    """Whether *text* is in one line, and neither begins nor ends with a blank, which nobody sees."""
    return text.isprintable() and text == text.strip()


def is_public_key(text: str) -> bool:
    """Whether *text* is nothing, or an ASCII-armoured OpenPGP public key (RFC 9580, section 6)."""
    text = text.strip()
    return not text or (
        text.startswith('-----BEGIN PGP PUBLIC KEY BLOCK-----')
        and text.endswith('-----END PGP PUBLIC KEY BLOCK-----')
        and text.isascii()
        and all(line.isprintable() for line in text.splitlines())
    )


def is_origin(text: str) -> bool:
    """Whether *text* is a scheme, a host and maybe a port, and nothing more."""
    scheme, _, rest = text.partition('://')
    host, _, port = rest.partition(':')
    known = is_hostname(host)
    if rest.startswith('['):
        host, closed, port = rest[1:].partition(']')
        known = bool(closed) and ':' in host and is_unicast(host) and port[:1] in ('', ':')
        port = port[1:]
    return (
        scheme in ('http', 'https')
        and known
        and (not port or (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536))
        and not rest.endswith(':')
    )
