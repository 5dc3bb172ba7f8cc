"""Where etcd is: an option's address, or the interface ``etcd``. Pure.

Source: the interface of that name that Charmed Kubernetes' etcd speaks: its units each say ``connection_string``, all
members (``https://10.0.0.1:2379,https://10.0.0.2:2379``), and ``client_ca``, ``client_cert`` and ``client_key``, PEM.
"""

from __future__ import annotations

import dataclasses
import re
import urllib.parse

from charmkit import relations, validators

PORT = 2379
_CERTIFICATE, _KEY = (
    re.compile(
        rf'(?:-----BEGIN {kind}-----\r?\n(?:[A-Za-z0-9+/=]{{1,76}}\r?\n)+-----END {kind}-----\s*)+'
    )
    for kind in ('CERTIFICATE', r'(?:EC |RSA )?PRIVATE KEY')
)
_LONGEST = 50_000
"""Characters of a certificate or a key."""
_OWN = ('127.0.0.1', '::1')
"""A gateway of etcd on the machine itself, which knows all members."""
_MOST = 32
"""Members that are looked at."""


@dataclasses.dataclass(frozen=True)
class Etcd:
    """One member, or what stands before all; networking-calico speaks to one address."""

    host: str
    port: int
    tls: bool
    ca: str = ''
    """PEM, as what follows; '' trusts whom the machine trusts."""
    certificate: str = ''
    key: str = dataclasses.field(default='', repr=False)


def at(url: str) -> Etcd | None:
    """The one at *url*, such as ``http://10.0.0.5:2379``; None when it is no address of one."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or PORT
    except ValueError:
        return None
    host = parts.hostname or ''
    bare = parts.scheme in ('http', 'https') and parts.path in ('', '/') and parts.netloc
    if not bare or '@' in parts.netloc or parts.query or parts.fragment:
        return None
    if not (validators.is_hostname(host) or validators.is_unicast(host) or host in _OWN):
        return None
    return Etcd(host, port, parts.scheme == 'https')


def need(relation: str) -> relations.Need[Etcd]:
    """One of the members that an etcd charm names: another one for each unit, as far as there are as many."""

    def parse(bag: relations.Databag, site: relations.Site) -> Etcd | None:
        urls = bag.get('connection_string', '')[:_LONGEST].split(',')[:_MOST]
        members = [found for url in urls if (found := at(url.strip()))]
        if not members:
            return None
        number = site.unit.rpartition('/')[2]
        one = members[(int(number) if number.isdecimal() else 0) % len(members)]
        pair = (
            _pem(_CERTIFICATE, bag.get('client_cert', '')),
            _pem(_KEY, bag.get('client_key', '')),
        )
        return dataclasses.replace(
            one,
            ca=_pem(_CERTIFICATE, bag.get('client_ca', '')),
            # One without the other is none.
            **(dict(zip(('certificate', 'key'), pair, strict=True)) if all(pair) else {}),
        )

    return relations.Need(
        relation, lambda _: {}, relations.first(parse), "etcd's members", optional=True
    )


def _pem(kind: re.Pattern[str], text: str) -> str:
    return text if len(text) <= _LONGEST and kind.fullmatch(text) else ''
