"""The interface ``etcd``: where etcd is, and what shows it who asks. Pure.

Source: the interface of that name that Charmed Kubernetes' etcd speaks: its units each say ``connection_string``, all
members (``https://10.0.0.1:2379,https://10.0.0.2:2379``), and ``client_ca``, ``client_cert`` and ``client_key``, PEM,
as the files of easy-rsa are: a certificate has what it says in words before it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

from .. import pem, validators
from . import Databag, Relation, host_in_url

PORT = 2379
MEMBERS, CA, CERTIFICATE, KEY = 'connection_string', 'client_ca', 'client_cert', 'client_key'
_HTTPS = 'https'
_SAID = {_HTTPS: f'{MEMBERS} with https', CA: CA, CERTIFICATE: f'{CERTIFICATE} with {KEY}'}
"""What guards a connection, and how it is said."""
_LONGEST = 50_000
"""Characters of the members' addresses."""
_URL = re.compile(r'[!-~]{1,300}')
_OWN = ('127.0.0.1', '::1')
"""A gateway of etcd on the machine itself, which knows all members."""
_MOST = 32
"""Members that are looked at."""


@dataclasses.dataclass(frozen=True)
class Etcd:
    """One member, or what stands before all: for clients that speak to one address."""

    host: str
    port: int
    tls: bool
    ca: str = ''
    """PEM, as what follows; '' trusts whom the machine trusts."""
    certificate: str = ''
    key: str = dataclasses.field(default='', repr=False)

    @property
    def url(self) -> str:
        """Its address."""
        return f'{"https" if self.tls else "http"}://{host_in_url(self.host)}:{self.port}'

    @property
    def guarded(self) -> frozenset[str]:
        """What guards a connection to it, by the names that the interface has for it."""
        has = {_HTTPS: self.tls, CA: self.ca, CERTIFICATE: self.certificate}
        return frozenset(name for name, there in has.items() if there)


@dataclasses.dataclass(frozen=True)
class Reply:
    """What is said over the interface."""

    store: Etcd | None = None
    """None while it is not complete."""
    wrong: str = ''
    """What of it will not do, or is said no more, in words that quote none of it; '' while it only is not said yet."""


def at(url: str) -> Etcd | None:
    """The one at *url*, such as ``http://10.0.0.5:2379``; None when it is no address of one."""
    try:
        # urlsplit would take blanks out, and whatever stands in brackets for a host.
        parts = urllib.parse.urlsplit(url if _URL.fullmatch(url) else '')
        port = PORT if parts.port is None else parts.port
        host = parts.hostname or ''
        if '[' in parts.netloc:
            host = str(ipaddress.IPv6Address(host))
    except ValueError:
        return None
    bare = parts.scheme in ('http', 'https') and parts.path in ('', '/') and parts.netloc
    if not bare or '@' in parts.netloc or parts.query or parts.fragment or not port:
        return None
    if not (validators.is_hostname(host) or validators.is_unicast(host) or host in _OWN):
        return None
    return Etcd(host, port, parts.scheme == 'https')


def related(found: Iterable[Relation], unit: str, before: Mapping[str, Any]) -> Reply:
    """One of the members that an etcd charm names, for this *unit*: where members come or go, most units keep theirs.

    Of units that say different things the one counts that says most. *before*: what :func:`remembered` made of what is
    in force; the same relation never makes a connection less guarded than that.
    """
    every = [(r.id, _read(bag, unit)) for r in found for bag in r.remote_databags()]
    good = [(number, reply.store) for number, reply in every if reply.store]
    if not good:
        return Reply(wrong=next((reply.wrong for _, reply in every if reply.wrong), ''))
    number, store = max(good, key=lambda one: len(one[1].guarded))  # The first of several alike.
    known = before.get('guarded', ()) if before.get('relation') == number else ()
    lost = [said for name, said in _SAID.items() if name in known and name not in store.guarded]
    return Reply(wrong=f'it says no more: {", ".join(lost)}') if lost else Reply(store)


def remembered(found: Iterable[Relation], store: Etcd) -> dict[str, Any]:
    """What a later run is to know of *store*, which is in force: JSON, with no secret in it."""
    number = next((r.id for r in found), None)
    return {'relation': number, 'guarded': sorted(store.guarded), 'url': store.url}


def _read(bag: Databag, unit: str) -> Reply:
    """What one unit says."""
    wrong: list[str] = []
    texts: dict[str, str] = {}
    for name, kinds in ((CA, pem.CERTIFICATE), (CERTIFICATE, pem.CERTIFICATE), (KEY, pem.KEY)):
        try:
            texts[name] = _blocks(bag.get(name, ''), kinds)
        except ValueError as e:
            wrong.append(f'{name}: {e}')
    if not wrong and bool(texts[CERTIFICATE]) != bool(texts[KEY]):
        there, away = (CERTIFICATE, KEY) if texts[CERTIFICATE] else (KEY, CERTIFICATE)
        wrong.append(f'{there} is there without {away}')
    urls = bag.get(MEMBERS, '')[:_LONGEST].split(',')[:_MOST]
    members = [one for url in urls if (one := at(url.strip(' ')))]
    guarded = [one for one in members if one.tls]
    if bag.get(MEMBERS, '') and not members:
        wrong.append(f'{MEMBERS}: no address such as https://10.0.0.5:{PORT}')
    elif members and any(texts.values()) and not guarded:
        wrong.append(f'{MEMBERS}: no address with https, though there are certificates')
    if wrong or not members:
        return Reply(wrong='; '.join(wrong))
    one = max(guarded or members, key=lambda each: _weight(unit, each))
    return Reply(
        dataclasses.replace(one, ca=texts[CA], certificate=texts[CERTIFICATE], key=texts[KEY])
    )


def _blocks(text: str, kinds: tuple[str, ...]) -> str:
    found = pem.blocks(text, kinds)
    if text.strip() and not found:
        what = 'private key without a password' if kinds is pem.KEY else 'certificate'
        raise ValueError(f'no {what} in PEM')
    if kinds is pem.KEY and len(found) > 1:
        raise ValueError(f'{len(found)} private keys, and one is wanted')
    return ''.join(found)


def _weight(unit: str, one: Etcd) -> str:
    """Each unit has an order of all members that there may ever be (rendezvous hashing)."""
    return hashlib.sha256(f'{unit} {one.url}'.encode()).hexdigest()
