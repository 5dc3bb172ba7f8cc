"""At which addresses the services of a cloud are: what load balancers and the catalogue say. Pure."""

from __future__ import annotations

import collections
import contextlib
import json
from collections.abc import Sequence
from typing import Any, cast

_INTERFACES = ('public', 'internal', 'admin')


def frontends(unit: object) -> list[str]:
    """The addresses at which load balancers serve this unit's application, public ones first."""
    found: dict[str, list[str]] = collections.defaultdict(list)
    relations: Any = cast('dict[str, Any]', unit or {}).get('relation-info', [])
    for relation in relations:
        with contextlib.suppress(ValueError, AttributeError, KeyError, TypeError):
            said = json.loads(relation.get('application-data', {}).get('frontends', '{}'))
            for by_interface in said.values():
                for interface, frontend in by_interface.items():
                    found[interface].append(str(frontend['url']))
    return [url for interface in _INTERFACES for url in dict.fromkeys(found[interface])]


def catalogue(catalogue: Sequence[Any]) -> dict[str, list[str]]:
    """Service type → its addresses on every interface, each once."""
    return {
        str(service['type']): list(
            dict.fromkeys(str(endpoint['url']) for endpoint in service['endpoints'])
        )
        for service in catalogue
    }


def versioned(service: str, url: str) -> str:
    """An address of a service with the version of its interface, where its paths have one."""
    url, version = (
        url.rstrip('/'),
        {'identity': '/v3', 'image': '/v2', 'network': '/v2.0'}.get(service, ''),
    )
    return url if url.endswith(version) else url + version
