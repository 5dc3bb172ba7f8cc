"""The ``glance`` interface (``image-service``): where images are.

Source: the interface that Charmed OpenStack's charms speak. All keys live in unit databags, and glance alone speaks:
``glance-api-server``, its URL with no path, and ``glance-api-ready``, ``yes`` once it serves.
"""

from __future__ import annotations

import dataclasses
import re
from urllib.parse import urlsplit

from . import Databag, Need, Site, first, wire

RELATION = 'image-service'
"""The endpoint's name, on both sides."""
_READY = 'yes'
_HOST = re.compile(r'[A-Za-z0-9.:_-]{1,255}')


@dataclasses.dataclass(frozen=True)
class Images:
    """Glance's API, for other services."""

    url: str
    """Scheme, host and port."""


def need(*, optional: bool = False) -> Need[Images]:
    """Where glance is, once it serves; *optional* for a service that has a use for images, and serves without."""

    def parse(bag: Databag, _: Site) -> Images | None:
        url = bag.get('glance-api-server', '').rstrip('/')
        # One that says nothing of being ready is of a charm older than the key.
        ready = bag.get('glance-api-ready', _READY) == _READY
        return Images(url) if ready and _is_url(url) else None

    return Need(RELATION, lambda _: {}, first(parse), 'images', optional=optional)


def databag(images: Images) -> Databag:
    """What a unit of glance says once it serves."""
    return {'glance-api-server': images.url, 'glance-api-ready': _READY}


def _is_url(text: str) -> bool:
    if not wire.one_line(text, 300):
        return False
    try:
        parts = urlsplit(text)
        good = parts.port is None or parts.port > 0
    except ValueError:
        return False
    host = _HOST.fullmatch(parts.hostname or '')
    more = parts.username or parts.path or parts.query or parts.fragment
    return good and parts.scheme in ('http', 'https') and bool(host) and not more
