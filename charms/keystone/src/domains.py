"""Domains whose users are in a directory: each has a file of its own, by option or from a subordinate. Pure.

Source: keystone's documentation of domain-specific drivers, and the interface
``keystone-domain-backend`` that Charmed OpenStack's subordinates (keystone-ldap) speak: a subordinate
writes the file itself, says ``domain-name``, and says another ``restart-nonce`` whenever keystone is to read it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import directory_options
from charmkit import conf, host
from charmkit.relations import Relation, wire
from charmkit.settings import yaml_map

OPTION = 'ldap-domains'
RELATION = 'domain-backend'
PACKAGES = frozenset({'ca-certificates', 'python3-ldap', 'python3-ldappool'})
DIRECTORY = '/etc/keystone/domains'
KEY = 'ldap-domains'
"""Under which a unit remembers the domains whose files it wrote, and the leader says which are made."""
_NONCES = '/etc/keystone/domain-backends'
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,63}')
_RESERVED = frozenset({'default', 'service_domain'})


def parse(text: str, *, kept: bool = False) -> dict[str, conf.Ini]:
    """The file of each domain in *text*: a YAML map of names to maps of keystone's ``[ldap]`` options.

    *kept*: it is in force, perhaps since an older version of the charm, which took more.

    Raises:
        ValueError: what is wrong with it, and what would be right.
    """
    return {name: _file(name, value, kept=kept) for name, value in yaml_map(text).items()}


def _file(name: str, value: object, *, kept: bool) -> conf.Ini:
    if not _NAME.fullmatch(name) or name.lower() in _RESERVED:
        raise ValueError(f'{name[:80]!r} is no name that such a domain can have')
    if not isinstance(value, Mapping):
        raise ValueError(f'{name} is no map of [ldap] options')
    given = {str(k): v for k, v in cast('Mapping[object, Any]', value).items()}
    urls = directory_options.urls(given)
    if not urls or not all(map(_is_url, urls)):
        raise ValueError(f'{name}: url must be one such as ldaps://ldap.example')
    return {
        'identity': {'driver': 'ldap'},
        'ldap': directory_options.settings(name, given, kept=kept),
    }


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ('ldap', 'ldaps') and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def related(relations: Iterable[Relation]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The restart nonce of each domain that a subordinate brings, and what of that is refused, in words."""
    found: dict[str, str] = {}
    refused: list[str] = []
    for relation in relations:
        for bag in relation.remote_databags():
            name = bag.get('domain-name', '')
            if name and (not _NAME.fullmatch(name) or name.lower() in _RESERVED):
                reason = f'{name[:80]!r} is no name that such a domain can have'
                refused.append(f'refused {relation.app}: {reason}')
            elif name:
                found[name] = bag.get('restart-nonce', '')
    return found, tuple(refused)


def desired(
    own: Mapping[str, conf.Ini],
    nonces: Mapping[str, str],
    written: Iterable[str],
    notify: tuple[str, ...],
) -> host.Host:
    """Files for domains of the *own* option, and a restart for those of subordinates.

    *written* are domains whose files the charm wrote before; *notify* are services to start anew.
    """
    if not own and not nonces and not set(written):
        return host.Host()
    return host.Host(
        packages=PACKAGES if own else frozenset(),
        directories=(host.Directory(path=DIRECTORY, group='keystone', mode=0o750),),
        files=(
            *(
                host.File(
                    path=path(name),
                    content=conf.render(ini),
                    group='keystone',
                    mode=0o640,
                    notify=notify,
                )
                for name, ini in sorted(own.items())
            ),
            host.File(path=_NONCES, content=wire.dump(nonces), notify=notify),
        ),
        absent=tuple(
            host.Absent(path=path(name), notify=notify)
            for name in sorted(set(written) - {*own, *nonces})
        ),
    )


def path(domain: str) -> str:
    """Where keystone looks for what is particular to *domain*."""
    return f'{DIRECTORY}/keystone.{domain}.conf'


def switch(names: Iterable[str]) -> conf.Ini:
    """What keystone.conf says when domains with these *names* have files of their own."""
    if not set(names):
        return {}
    return {'identity': {'domain_specific_drivers_enabled': True, 'domain_config_dir': DIRECTORY}}
