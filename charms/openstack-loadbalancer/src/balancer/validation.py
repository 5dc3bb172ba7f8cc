"""Values from relations and options, checked against what they may be.

All of it is untrusted: a newline in a port would add a directive to haproxy's configuration, and
``haproxy -c`` would call it valid. So nothing passes but what matches a narrow form, and every
function here raises :class:`InvalidError` with one line that says where and why. Each looks at a
value once and in bounded time, however long or deep it is.
"""

from __future__ import annotations

import ipaddress
import json
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# No pattern has a repetition within a repetition: each takes time in proportion to the text.
NAME = re.compile(r'[a-z0-9][a-z0-9-]{0,62}')
PATH = re.compile(r'/[A-Za-z0-9._~/-]{0,255}')
URL_PATH = re.compile(r'|/[A-Za-z0-9._~/%()$-]{0,255}')
TOKEN = re.compile(r'[A-Za-z0-9._:/-]{1,100}')
_LABEL = re.compile(r'[A-Za-z0-9][A-Za-z0-9-]{0,62}')
_NUMBER = re.compile(r'[0-9]+|0[xX][0-9A-Fa-f]*')
_STATUS = re.compile(r'([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?')
_DURATION = re.compile(r'([1-9][0-9]{0,6})(ms|s|m|h|d)')
_ADDRESS = re.compile(r'[0-9A-Fa-f:.]{2,45}')
_NETWORK = re.compile(r'[0-9A-Fa-f:.]{2,45}(?:/[0-9]{1,3})?')
_MS = {'ms': 1, 's': 1000, 'm': 60_000, 'h': 3_600_000, 'd': 86_400_000}
_MOST_TEXT = 2**20
"""The longest text that is read at all: a databag or an option has far less."""

_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother, _REPR.maxlong = 3, 50, 50, 40
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = 4


class InvalidError(ValueError):
    """A value is not what it may be; the message is safe to show and to log."""


def shown(value: object) -> str:
    """*value* for a message: short, and with nothing but printable ASCII."""
    try:
        brief = _REPR.repr(value)
    except ValueError:  # Python writes no number of more than 4300 digits.
        brief = 'a number with thousands of digits'
    text = brief.encode('ascii', 'backslashreplace').decode()
    text = ''.join(c if c.isprintable() else '?' for c in text)
    return text if len(text) <= 60 else f'{text[:57]}...'


def json_value(text: str, where: str) -> object:
    """The JSON value in *text*."""
    if len(text) > _MOST_TEXT:
        raise InvalidError(f'{where} is longer than {_MOST_TEXT} characters')
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidError(f'{where} is not JSON') from None


def json_list(text: str, where: str, *, at_most: int) -> list[Any]:
    """The JSON list in *text*; an empty text is an empty list."""
    value: object = json_value(text, where) if text else list[Any]()
    if not isinstance(value, list):
        raise InvalidError(f'{where} is not a list')
    found = cast('list[Any]', value)
    if len(found) > at_most:
        raise InvalidError(f'{where} has {len(found)} items, and at most {at_most} are allowed')
    return found


def mapping(value: object, where: str, known: Iterable[str] | None = None) -> Mapping[str, Any]:
    """*value* as an object with text keys; None is an empty one. Where *known* says which keys there are, no other."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidError(f'{where} is not an object: {shown(value)}')
    found = cast('Mapping[object, Any]', value)
    if len(found) > 1024:
        raise InvalidError(f'{where} has more than 1024 keys')
    names = None if known is None else sorted(known)
    for key in found:
        if not isinstance(key, str):
            raise InvalidError(f'{where} has a key that is no text: {shown(key)}')
        if names is not None and key not in names:
            raise InvalidError(f'{where} has no {shown(key)}; there are {", ".join(names)}')
    return cast('Mapping[str, Any]', value)


def text(value: object, where: str, form: re.Pattern[str]) -> str:
    """*value* if it is a text that has the *form* from its first character to its last."""
    if not isinstance(value, str) or not form.fullmatch(value):
        raise InvalidError(f'{where} is not allowed: {shown(value)}')
    return value


def name(value: object, where: str) -> str:
    """The name of a service: lower-case letters, digits, and hyphens within."""
    found = text(value, where, NAME)
    if found.endswith('-'):
        raise InvalidError(f'{where} is not allowed: {shown(value)}')
    return found


def plain_path(value: object, where: str) -> str:
    """The beginning of a path, without empty and dot segments: those of requests are resolved first."""
    found = text(value, where, PATH)
    if {'', '.', '..'} & {*found.split('/')[1:-1]} or found.endswith(('/.', '/..')):
        raise InvalidError(f'{where} has an empty or a dot segment: {shown(value)}')
    return found


def hostname(value: object, where: str) -> str:
    """A DNS name (RFC 1123, section 2.1), without a dot at its end.

    A name that ends in a number is none: programs read it as an IPv4 address, whose parts may be
    hexadecimal and fewer than four (inet_aton; the URL standard, "ends in a number").
    """
    labels = value.split('.') if isinstance(value, str) and len(value) <= 253 else []
    well = all(_LABEL.fullmatch(x) and x[-1] != '-' for x in labels)
    if not labels or not well or _NUMBER.fullmatch(labels[-1]):
        raise InvalidError(f'{where} is not allowed: {shown(value)}')
    return str(value)


def host(value: object, where: str) -> str:
    """A DNS name, or an address that a machine can have."""
    if isinstance(value, str) and (':' in value or value.rpartition('.')[2].isdecimal()):
        return str(address(value, where))
    return hostname(value, where)


def status(value: object, where: str) -> str:
    """An HTTP status, or a range of them such as ``200-399``."""
    found = _STATUS.fullmatch(value) if isinstance(value, str) else None
    if isinstance(value, int) and not isinstance(value, bool):
        found = _STATUS.fullmatch(str(value)) if 100 <= value < 600 else None
    if not found:
        raise InvalidError(f'{where} is not allowed: {shown(value)}')
    if found[2] and int(found[2]) < int(found[1]):
        raise InvalidError(f'{where} is a range that ends before it begins: {shown(value)}')
    return found[0]


def integer(value: object, where: str, low: int, high: int) -> int:
    """*value* if it is a whole number from *low* to *high*; a text of digits counts as one."""
    if isinstance(value, str) and len(value) < 10 and value.isascii() and value.isdecimal():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidError(f'{where} is not a number from {low} to {high}: {shown(value)}')
    return value


def port(value: object, where: str) -> int:
    """A TCP port."""
    return integer(value, where, 1, 65535)


def boolean(value: object, where: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise InvalidError(f'{where} is neither true nor false: {shown(value)}')
    return value


def one_of(value: object, where: str, allowed: Sequence[str]) -> str:
    """One of the *allowed* texts."""
    if not isinstance(value, str) or value not in allowed:
        raise InvalidError(f'{where} is none of {", ".join(allowed)}: {shown(value)}')
    return value


def duration_ms(value: object, where: str) -> int:
    """A time as haproxy writes it (``60s``, ``250ms``, ``1h``), in milliseconds; at most a day."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise InvalidError(f'{where} is not a time such as 60s: {shown(value)}')
    ms = int(found[1]) * _MS[found[2]]
    if ms > _MS['d']:
        raise InvalidError(f'{where} is longer than a day: {shown(value)}')
    return ms


def address(value: object, where: str) -> Address:
    """An address by which another machine is reached, in its plain form.

    Refused are unspecified, loopback, link-local (scoped ones among them), multicast and reserved
    ones, and those that stand for an address of the other family (RFC 4291, 6052, 3056, 4380).
    """
    try:
        plain = isinstance(value, str) and _ADDRESS.fullmatch(value)
        found = ipaddress.ip_address(str(value)) if plain else None
    except ValueError:
        found = None
    if found is None:
        raise InvalidError(f'{where} is not an IP address: {shown(value)}')
    if _nobodys(found):
        raise InvalidError(f'{where} cannot be the address of a machine: {shown(value)}')
    return found


def network(value: object, where: str) -> Network:
    """A network in CIDR notation."""
    try:
        plain = isinstance(value, str) and _NETWORK.fullmatch(value)
        found = ipaddress.ip_network(str(value)) if plain else None
    except ValueError:
        found = None
    if found is None:
        raise InvalidError(f'{where} is not a network such as 10.0.0.0/24: {shown(value)}')
    return found


def items(value: object, where: str, *, at_most: int = 1024) -> list[Any]:
    """*value* as a list; None is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidError(f'{where} is not a list: {shown(value)}')
    found = cast('list[Any]', value)
    if len(found) > at_most:
        raise InvalidError(f'{where} has more than {at_most} items')
    return found


def _nobodys(a: Address) -> bool:
    if a.is_unspecified or a.is_loopback or a.is_multicast or a.is_link_local or a.is_reserved:
        return True
    if isinstance(a, ipaddress.IPv6Address):
        stands_for = a.ipv4_mapped or a.sixtofour or a.teredo
        return bool(stands_for) or a.is_site_local
    return a in _THIS_NETWORK


_THIS_NETWORK = ipaddress.IPv4Network('0.0.0.0/8')
