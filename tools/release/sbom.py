"""What a packed charm is made of, as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/). Pure.

Nothing in it says when or where it was made: the same charm gives the same bytes.
"""

from __future__ import annotations

import dataclasses
import email.parser
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

_NAMESPACE = uuid.UUID('6f0d3f0e-8a43-5c1e-9d1b-2b3c5d7e9f10')
_DIST_INFO = re.compile(r'(?:^|/)([^/]+)\.dist-info/METADATA\Z')


@dataclasses.dataclass(frozen=True, order=True)
class Package:
    """A Python package in a charm: its name as PyPI spells it, its version, and its licence by SPDX ('' unknown)."""

    name: str
    version: str
    licence: str = ''

    @property
    def purl(self) -> str:
        """Its package URL."""
        return f'pkg:pypi/{self.name}@{self.version}'


def is_metadata(path: str) -> bool:
    """Whether a file of a charm describes an installed package."""
    return _DIST_INFO.search(path) is not None


def package(text: str) -> Package | None:
    """The package of a METADATA file; None where it names none."""
    said = email.parser.HeaderParser().parsestr(text)
    name, version = said.get('Name', ''), said.get('Version', '')
    if not name or not version:
        return None
    # Only what is an SPDX expression by its own word: the old free text is not.
    return Package(
        re.sub(r'[-_.]+', '-', name).lower(), version, said.get('License-Expression', '')
    )


def document(
    charm: str, version: str, digest: str, packages: Iterable[Package], own: Mapping[str, str]
) -> str:
    """The SBOM of a charm as text.

    Args:
        charm: its name.
        version: of the release.
        digest: SHA-256 of the packed file, hexadecimal.
        packages: what it brings.
        own: our own packages among it by name, with the version of the release: they come from this repository.
    """
    some = sorted({*packages})
    root = f'charm:{charm}'
    components: list[dict[str, Any]] = [_component(one, own) for one in some]
    value = {
        '$schema': 'http://cyclonedx.org/schema/bom-1.6.schema.json',
        'bomFormat': 'CycloneDX',
        'specVersion': '1.6',
        'serialNumber': f'urn:uuid:{uuid.uuid5(_NAMESPACE, f"{charm} {version} {digest}")}',
        'version': 1,
        'metadata': {
            'component': {
                'type': 'application',
                'bom-ref': root,
                'name': charm,
                'version': version,
                'licenses': [{'license': {'id': 'Apache-2.0'}}],
                'hashes': [{'alg': 'SHA-256', 'content': digest}],
            }
        },
        'components': components,
        'dependencies': [
            {'ref': root, 'dependsOn': [str(one['bom-ref']) for one in components]},
            *({'ref': str(one['bom-ref'])} for one in components),
        ],
    }
    return json.dumps(value, indent=2, sort_keys=True) + '\n'


def _component(one: Package, own: Mapping[str, str]) -> dict[str, Any]:
    version = own.get(one.name, one.version)
    found: dict[str, Any] = {
        'type': 'library',
        'bom-ref': f'{one.name}@{version}',
        'name': one.name,
        'version': version,
        'purl': f'pkg:pypi/{one.name}@{version}',
    }
    if one.licence:
        found['licenses'] = [{'expression': one.licence}]
    return found
