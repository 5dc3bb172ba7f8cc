"""Values from relations and options, checked against what they may be.

All of it is untrusted: a newline in a port would add a directive to haproxy's configuration, and
``haproxy -c`` would call it valid. So nothing passes but what matches a narrow form, and
every function here raises :class:`InvalidError` with one line that says where and why.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NAME = re.compile(r'[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?')
HOSTNAME = re.compile(r'(?=.{1,253}\Z)(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.?)+')
PATH = re.compile(r'/[A-Za-z0-9._~/-]{0,255}')
URL_PATH = re.compile(r'|/[A-Za-z0-9._~/%()$-]{0,255}')
STATUS = re.compile(r'[1-5][0-9]{2}(?:-[1-5][0-9]{2})?')
DURATION = re.compile(r'([1-9][0-9]{0,6})(ms|s|m|h|d)')
TOKEN = re.compile(r'[A-Za-z0-9._:/-]{1,100}')
_MS = {'ms': 1, 's': 1000, 'm': 60_000, 'h': 3_600_000, 'd': 86_400_000}


class InvalidError(ValueError):
    """A value is not what it may be; the message is safe to show and to log."""


def shown(value: object) -> str:
    """*value* for a message: short, and with nothing but printable ASCII."""
    text = ascii(value)
    return text if len(text) <= 60 else f'{text[:57]}...'


def json_list(text: str, where: str, *, at_most: int) -> list[Any]:
    """The JSON list in *text*; an empty text is an empty list."""
    try:
        value: object = json.loads(text) if text else []
    except (ValueError, RecursionError):
        raise InvalidError(f'{where} is not JSON') from None
    if not isinstance(value, list):
        raise InvalidError(f'{where} is not a list')
    items = cast('list[Any]', value)
    if len(items) > at_most:
        raise InvalidError(f'{where} has {len(items)} items, and at most {at_most} are allowed')
    return items


def mapping(value: object, where: str) -> Mapping[str, Any]:
    """*value* as an object with text keys; None is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidError(f'{where} is not an object: {shown(value)}')
    return cast('Mapping[str, Any]', value)


def text(value: object, where: str, form: re.Pattern[str]) -> str:
    """*value* if it is a text that has the *form* from its first character to its last."""
    if not isinstance(value, str) or not form.fullmatch(value):
        raise InvalidError(f'{where} is not allowed: {shown(value)}')
    return value


def integer(value: object, where: str, low: int, high: int) -> int:
    """*value* if it is a whole number from *low* to *high*; a text of digits counts as one."""
    if isinstance(value, str) and re.fullmatch(r'[0-9]{1,9}', value):
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
    found = DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise InvalidError(f'{where} is not a time such as 60s: {shown(value)}')
    ms = int(found[1]) * _MS[found[2]]
    if ms > _MS['d']:
        raise InvalidError(f'{where} is longer than a day: {shown(value)}')
    return ms


def address(value: object, where: str) -> Address:
    """An address that another machine can have: not unspecified, loopback, multicast, link-local."""
    try:
        found = ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or '%' in str(found):
        raise InvalidError(f'{where} is not an IP address: {shown(value)}')
    if found.is_unspecified or found.is_loopback or found.is_multicast or found.is_link_local:
        raise InvalidError(f'{where} cannot be the address of a machine: {shown(value)}')
    return found


def network(value: object, where: str) -> Network:
    """A network in CIDR notation."""
    try:
        found = ipaddress.ip_network(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise InvalidError(f'{where} is not a network such as 10.0.0.0/24: {shown(value)}')
    return found


def items(value: object, where: str, *, at_most: int = 64) -> list[Any]:
    """*value* as a list; None is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidError(f'{where} is not a list: {shown(value)}')
    found = cast('list[Any]', value)
    if len(found) > at_most:
        raise InvalidError(f'{where} has more than {at_most} items')
    return found
