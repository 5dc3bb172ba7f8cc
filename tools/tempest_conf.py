"""Tempest's configuration file, from what a deployment says of itself.

Source: Tempest's sample configuration (docs.openstack.org/tempest/latest/sampleconf.html).
"""

from __future__ import annotations

import configparser
import dataclasses
import io
import pathlib
from collections.abc import Mapping
from typing import Any

# Tempest takes the first one where any will do. These are its defaults.
_CONTAINER_FORMATS = ('bare', 'ami', 'ari', 'aki', 'ovf', 'ova')
_DISK_FORMATS = ('qcow2', 'raw', 'ami', 'ari', 'aki', 'vhd', 'vmdk', 'vdi', 'iso', 'vhdx')

_COMPLIANCE = {
    'user_lockout_failure_attempts': 'lockout_failure_attempts',
    'user_lockout_duration': 'lockout_duration',
    'user_unique_last_password_count': 'unique_last_password_count',
    'user_minimum_password_age': 'minimum_password_age',
}


@dataclasses.dataclass(frozen=True)
class Images:
    """What a glance offers."""

    import_methods: tuple[str, ...]
    stores: tuple[str, ...]
    container_formats: tuple[str, ...]
    disk_formats: tuple[str, ...]
    locations: bool
    """Whether clients may see and say where an image is kept."""
    cache: bool
    format_enforced: bool
    """Whether data of another format than an image says is refused."""


def features(images: Images, compliance: Mapping[str, Any]) -> frozenset[str]:
    """What the deployment has of what tests/tempest/known.yaml may say that one is without."""
    has = {
        'cache': images.cache,
        'locations': images.locations,
        'several stores': len(images.stores) > 1,
        'http store': 'http' in images.stores,
        'data of any format': not images.format_enforced,
        'glance-download': 'glance-download' in images.import_methods,
        'web-download': 'web-download' in images.import_methods,
        'security compliance': bool(compliance),
    }
    return frozenset(feature for feature, there in has.items() if there)


def offered(
    imports: Mapping[str, Any],
    stores: Mapping[str, Any],
    schema: Mapping[str, Any],
    new: Mapping[str, Any],
    *,
    cache: bool,
    format_enforced: bool,
) -> Images:
    """What glance offers.

    From its answers to ``/v2/info/import``, ``/v2/info/stores``, ``/v2/schemas/image`` and a *new* image (the schema
    has locations whether they are shown or not); whether ``/v2/cache`` answers, and whether data of another format
    are refused.
    """
    properties = schema['properties']
    return Images(
        import_methods=tuple(imports['import-methods']['value']),
        stores=tuple(store['id'] for store in stores.get('stores', ())),
        container_formats=_in_order(_CONTAINER_FORMATS, properties['container_format']['enum']),
        disk_formats=_in_order(_DISK_FORMATS, properties['disk_format']['enum']),
        locations='locations' in new,
        cache=cache,
        format_enforced=format_enforced,
    )


def _in_order(first: tuple[str, ...], here: list[str | None]) -> tuple[str, ...]:
    return (
        *(one for one in first if one in here),
        *(one for one in here if one and one not in first),
    )


def configuration(
    login: Mapping[str, Any],
    images: Images,
    compliance: Mapping[str, Any],
    folder: pathlib.Path,
    image_url: str,
    servers: Mapping[str, Mapping[str, object]],
) -> str:
    """tempest.conf for the cloud that *login* (as openstacksdk wants it) leads to. It holds the password.

    *compliance* is keystone's section security_compliance; empty: it is not set, and not tested. Logs go into
    *folder*. *image_url* is where glance can download a small qcow2 image from; empty: nowhere. *servers* are the
    sections of servers, networks and volumes.
    """
    auth = login['auth']
    sections: dict[str, Mapping[str, object]] = {
        'DEFAULT': {'log_dir': folder, 'log_file': 'tempest.log'},
        'oslo_concurrency': {'lock_path': folder / 'locks'},
        'auth': {
            'use_dynamic_credentials': True,
            'admin_username': auth['username'],
            'admin_password': auth['password'],
            'admin_project_name': auth['project_name'],
            'admin_domain_name': auth['user_domain_name'],
        },
        'identity': {
            'auth_version': 'v3',
            'uri_v3': auth['auth_url'],
            'v3_endpoint_type': 'public',
            'region': login['region_name'],
            **({'ca_certificates_file': login['cacert']} if 'cacert' in login else {}),
            **{
                option: compliance[setting]
                for option, setting in _COMPLIANCE.items()
                if setting in compliance
            },
        },
        'identity-feature-enabled': {'security_compliance': bool(compliance)},
        **servers,
        'service_available': {**servers['service_available'], 'glance': True},
        'image': {
            'container_formats': ','.join(images.container_formats),
            'disk_formats': ','.join(images.disk_formats),
            'http_image': image_url,
            'http_qcow2_image': image_url,
        },
        'image-feature-enabled': {
            'import_image': bool(images.import_methods),
            'manage_locations': images.locations,
            'http_store_enabled': 'http' in images.stores,
            'image_caching_enabled': images.cache,
            'image_format_enforcement': images.format_enforced,
        },
    }
    written = configparser.ConfigParser(interpolation=None, default_section='')
    written.read_dict(
        {
            section: {name: str(value).replace('$', '$$') for name, value in values.items()}
            for section, values in sections.items()
        }
    )
    text = io.StringIO()
    written.write(text)
    return text.getvalue()
