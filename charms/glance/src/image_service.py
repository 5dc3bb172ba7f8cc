"""What a unit of glance is told, where its images are, and what is not offered to users. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import charmkit
from charmkit import conf, glance, host, keystone, mount, mysql, options, relations

DB = mysql.need('glance')
IDENTITY = keystone.need('glance')
HOME = '/var/lib/glance'
STORE = mount.need('shared-store', f'{HOME}/images')
PORT = 9292
PACKAGED = '/etc/glance/glance-api-paste.ini'
PASTE = '/etc/glance/charm-paste.ini'
METADEFS = 'glance-manage db_load_metadefs'
STORES = {'fs': 'images', 'os_glance_staging_store': 'staging', 'os_glance_tasks_store': 'tasks'}
OPTIONS = (
    options.Option(
        'store-is-shared',
        options.SWITCH,
        False,
        'You have mounted a shared filesystem at /var/lib/glance/images on every unit yourself, so '
        'more than one unit may serve with no `shared-store` related: for a filesystem that no charm '
        'mounts on this base.',
    ),
    options.Option(
        'web-download-hosts',
        options.HOSTNAMES,
        '',
        'Hosts that the units may fetch images from for their users (import method web-download), by '
        'HTTP and HTTPS on their usual ports. Empty offers no such import: else any user could read '
        'what only the units can reach.',
    ),
)


def glance_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into glance-api.conf."""
    site = ready.inputs.site
    own_address = relations.host_in_url(site.address_on('internal'))
    secure = site.secure_port.get('glance')
    return conf.merge(
        conf.common('glance', debug=ready.debug),
        conf.database(ready[DB]),
        conf.keystone_authtoken(ready[IDENTITY], secret=ready.unit_secret),
        {
            'DEFAULT': {
                'enabled_backends': 'fs:file',
                # An image that was staged on one unit is imported by that unit.
                'worker_self_reference_url': f'https://{own_address}:{secure}'
                if secure
                else f'http://{own_address}:{PORT}',
            },
            'glance_store': {'default_backend': 'fs'},
            'paste_deploy': {'flavor': 'keystone', 'config_file': PASTE},
        },
        imports(str(ready.inputs.options.get('web-download-hosts') or '').split()),
        {s: {'filesystem_store_datadir': f'{HOME}/{name}'} for s, name in STORES.items()},
    )


def paste(_: charmkit.Ready) -> conf.Ini:
    """The package's pipeline, with one thing changed: a keystone that cannot be asked is no reason to refuse a token.

    With the package's ``delay_auth_decision`` a good token gets 401 while keystone's database is away, and clients
    log in again and again; without it they get 503, as from every other service. Requests without a token
    get 401 from keystonemiddleware instead of from glance, and versions are listed before it is asked.
    """
    theirs = {
        **{
            f'filter:{name}': name for name in ('cors', 'http_proxy_to_wsgi', 'versionnegotiation')
        },
        **{f'filter:{name}': name for name in ('osprofiler', 'context')},
        **{f'app:{name}': name for name in ('rootapp', 'apiversions', 'apiv2app')},
    }
    return {
        'pipeline:glance-api-keystone': {
            'pipeline': 'cors healthcheck http_proxy_to_wsgi versionnegotiation osprofiler '
            'authtoken context rootapp'
        },
        'filter:authtoken': {
            'paste.filter_factory': 'keystonemiddleware.auth_token:filter_factory',
            'delay_auth_decision': False,
        },
        # An application of its own in the newer releases.
        'filter:healthcheck': {
            'paste.filter_factory': 'oslo_middleware:Healthcheck.factory',
            'backends': 'disable_by_file',
            'disable_by_file_path': '/etc/glance/healthcheck_disable',
        },
        **{section: {'use': f'config:{PACKAGED}#{name}'} for section, name in theirs.items()},
    }


def imports(hosts: list[str]) -> conf.Ini:
    """How images come in. glance can only tell hosts that it may ask, not networks that it must not."""
    methods = ['glance-direct', 'copy-image', *(['web-download'] if hosts else [])]
    filters = {'allowed_hosts': _bracketed(h.lower() for h in hosts)} if hosts else {}
    return {
        'DEFAULT': {'enabled_import_methods': _bracketed(methods)},
        'import_filtering_opts': {
            'allowed_schemes': _bracketed(('http', 'https')),
            'allowed_ports': _bracketed(('80', '443')),
            **filters,
        },
    }


def _bracketed(items: Iterable[str]) -> str:
    # oslo.config calls it a list with bounds; it looks at one only when an image is imported.
    return f'[{",".join(items)}]'


def place(ready: charmkit.Ready, _: relations.Relation) -> relations.Databag:
    """Where services find images."""
    return glance.databag(glance.Images(ready.inputs.site.urls['glance']['internal']))


def stores(_: charmkit.Ready) -> host.Host:
    """The directories that images are kept in."""
    return host.Host(
        directories=tuple(
            host.Directory(path=f'{HOME}/{name}', owner='glance', group='glance', mode=0o750)
            for name in STORES.values()
        )
    )


def not_alone(inputs: charmkit.Inputs) -> str:
    """Files on one unit are not there for the others: the first unit alone may serve them."""
    first = min((inputs.site.unit, *inputs.peer_units), key=relations.unit_order)
    shared = inputs.of(STORE.relation) or inputs.options.get('store-is-shared')
    if shared or inputs.site.unit == first:
        return ''
    return f'images are files on {first}: more units need a shared store (relation shared-store)'
