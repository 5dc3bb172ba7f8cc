"""Horizon's settings, as the text of its local_settings.py, and the options that stand for some of them. Pure.

Sources: Horizon's and Django's references of settings; the options' names are those of Charmed OpenStack's charm. What
is said in the database or by other charms is given as values, and is written as Python's own literals.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping

from charmkit import options, validators
from charmkit.options import SWITCH, Kind, Option, Value
from charmkit.relations import host_in_url

STATIC_ROOT = '/var/lib/openstack-dashboard/static/'
"""Where the package collects and compresses what browsers load; for the site's root, and so that is where it is."""

_TYPES = ('publicURL', 'internalURL', 'adminURL')
_FORMATS = ('aki', 'ami', 'ari', 'docker', 'iso', 'ova', 'ploop', 'qcow2', 'raw', 'vdi', 'vhd',
            'vhdx', 'vmdk')  # fmt: skip
_PORTS = {
    'ssh': 22, 'smtp': 25, 'dns': 53, 'http': 80, 'pop3': 110, 'imap': 143, 'ldap': 389,
    'https': 443, 'smtps': 465, 'imaps': 993, 'pop3s': 995, 'ms_sql': 1433, 'mysql': 3306,
    'rdp': 3389,
}  # fmt: skip
"""Rules of security groups that are offered by name, beside Horizon's own for all of a protocol."""


def _is_types(text: str) -> bool:
    words = text.split(',')
    return len(words) <= 2 and len({*words}) == len(words) and {*words} <= {*_TYPES}


_TEXT = Kind(
    'string', 'text in one line, without spaces around it', validators.is_line, longest=255
)
_URL = Kind(
    'string',
    'a URL that begins with http:// or https://',
    lambda text: not text or validators.is_web_address(text),
    longest=2000,
)


@dataclasses.dataclass(frozen=True)
class Setting:
    """An option, and the setting that it stands for; with *key*, that entry of a setting of several."""

    option: Option
    name: str
    key: str = ''
    read: Callable[[Value], object] = lambda value: value


def _switch(option: str, default: bool, name: str, key: str, description: str) -> Setting:
    return Setting(Option(option, SWITCH, default, description), name, key)


def _formats(value: Value) -> object:
    return [('', '-'), *((f, f.upper()) for f in str(value).split())]


SETTINGS = (
    Setting(
        Option(
            'session-timeout', options.count(60, 604_800, 'seconds'), 3600,
            "For how long somebody who does nothing stays logged in; never longer than keystone's token.",
        ),
        'SESSION_TIMEOUT',
    ),
    Setting(
        Option(
            'default-theme', options.one_of('default', 'material'), 'default',
            'The look of the site. Who uses it may choose another one.',
        ),
        'DEFAULT_THEME',
    ),
    Setting(
        Option(
            'image-upload-mode', options.one_of('legacy', 'off'), 'legacy',
            'How images are uploaded: through the dashboard (`legacy`), or not at all.',
        ),
        'HORIZON_IMAGES_UPLOAD_MODE',
    ),
    Setting(
        Option(
            'console-type', options.one_of('AUTO', 'VNC', 'SPICE', 'SERIAL', 'off'), 'AUTO',
            "Which of a server's consoles is shown; `AUTO` takes the first that there is.",
        ),
        'CONSOLE_TYPE',
        read=lambda value: None if value == 'off' else value,
    ),
    Setting(
        Option(
            'dropdown-max-items', options.count(1, 1000), 30,
            'The most items in a menu, such as that of projects.',
        ),
        'DROPDOWN_MAX_ITEMS',
    ),
    Setting(
        Option(
            'api-result-limit', options.count(1, 10_000, or_zero=True), 0,
            'The most objects in one page of a list, such as that of images. 0 is 1000.',
        ),
        'API_RESULT_LIMIT',
    ),
    Setting(
        Option(
            'image-formats', options.words(f'formats among {" ".join(_FORMATS)}', _FORMATS.__contains__),
            '', 'The formats that images may be uploaded in. Empty offers all that Horizon knows.',
        ),
        'OPENSTACK_IMAGE_BACKEND', 'image_formats', _formats,
    ),
    Setting(Option('site-branding', _TEXT, '', "The site's name in the titles of its pages."), 'SITE_BRANDING'),
    Setting(
        Option('site-branding-link', _URL, '', 'Where a click on the logo leads. Empty leads to the first page.'),
        'SITE_BRANDING_LINK',
    ),
    Setting(
        Option('help-url', _URL, '', "Where Help in the menu leads. Empty leads to OpenStack's documentation."),
        'HORIZON_CONFIG', 'help_url',
    ),
    Setting(
        Option(
            'allow-password-autocompletion', SWITCH, False,
            'Browsers may fill in passwords that they have kept.',
        ),
        'HORIZON_CONFIG', 'password_autocomplete', lambda value: 'on' if value else 'off',
    ),
    _switch('disable-password-reveal', False, 'HORIZON_CONFIG', 'disable_password_reveal',
            'No button shows the password that is typed.'),
    Setting(
        Option(
            'enforce-password-check', SWITCH, True,
            "An admin who changes somebody's password has to give their own.",
        ),
        'ENFORCE_PASSWORD_CHECK',
    ),
    Setting(
        Option('password-retrieve', SWITCH, False, "A server's own password can be asked for."),
        'OPENSTACK_ENABLE_PASSWORD_RETRIEVE',
    ),
    _switch('cinder-backup', False, 'OPENSTACK_CINDER_FEATURES', 'enable_backup',
            'Pages for backups of volumes.'),
    _switch('default-create-volume', True, 'LAUNCH_INSTANCE_DEFAULTS', 'create_volume',
            'A new server gets a volume made from its image, unless told otherwise.'),
    _switch('hide-create-volume', False, 'LAUNCH_INSTANCE_DEFAULTS', 'hide_create_volume',
            'That choice is not shown.'),
    _switch('disable-instance-snapshot', False, 'LAUNCH_INSTANCE_DEFAULTS', 'disable_instance_snapshot',
            'No server is made from the snapshot of another one.'),
    _switch('enable-router-panel', True, 'OPENSTACK_NEUTRON_NETWORK', 'enable_router',
            'Pages for routers and floating addresses.'),
    _switch('enable-fip-topology-check', True, 'OPENSTACK_NEUTRON_NETWORK', 'enable_fip_topology_check',
            'A floating address is offered only where a router of the project leads to its network.'),
    _switch('neutron-network-dvr', False, 'OPENSTACK_NEUTRON_NETWORK', 'enable_distributed_router',
            'A router can be made distributed.'),
    _switch('neutron-network-l3ha', False, 'OPENSTACK_NEUTRON_NETWORK', 'enable_ha_router',
            'A router can be made highly available.'),
)  # fmt: skip
_DOMAIN = Option(
    'default-domain', _TEXT, '',
    'The domain of everybody who logs in. Empty has them say it in the login page.',
)  # fmt: skip
_ENDPOINTS = Option(
    'endpoint-type',
    Kind('string', f'one or two of {", ".join(_TYPES)}, separated by a comma', _is_types),
    'internalURL',
    'Which endpoints of the catalogue the dashboard asks, and after a comma, which where there is no such one. '
    'Browsers ask none of them.',
)
OPTIONS = (*(s.option for s in SETTINGS), _DOMAIN, _ENDPOINTS)
"""The charm's own."""


def endpoints(types: str) -> Mapping[str, object]:
    """Which endpoints are asked, from the option ``endpoint-type``."""
    first, _, second = types.partition(',')
    return {'OPENSTACK_ENDPOINT_TYPE': first, 'SECONDARY_ENDPOINT_TYPE': second or first}


def place(hosts: Iterable[str], url: str) -> Mapping[str, object]:
    """Where the site is: at any of *hosts*, and at *url* for who comes from outside.

    Cookies that only TLS may carry would not come back where there is none; and a client could write the header that
    says so where no load balancer does.
    """
    secure = url.startswith('https:')
    tls = {'SECURE_PROXY_SSL_HEADER': ('HTTP_X_FORWARDED_PROTO', 'https')} if secure else {}
    return {
        'ALLOWED_HOSTS': [*map(host_in_url, hosts), 'localhost'],
        'CSRF_COOKIE_SECURE': secure,
        'SESSION_COOKIE_SECURE': secure,
        **tls,
    }


def log(*, debug: bool) -> Mapping[str, object]:
    """What happens goes to Apache's log of errors; what libraries say of each request only with *debug*."""
    level = 'DEBUG' if debug else 'INFO'
    return {
        'LOGGING': {
            'version': 1,
            'disable_existing_loggers': False,
            'formatters': {'line': {'format': '%(levelname)s %(name)s %(message)s'}},
            'handlers': {'stderr': {'class': 'logging.StreamHandler', 'formatter': 'line'}},
            'root': {'handlers': ['stderr'], 'level': level},
            'loggers': {
                'urllib3': {'level': 'INFO' if debug else 'WARNING'},
                'django.template': {'level': 'INFO'},
                'django.db.backends': {'level': 'INFO'},
            },
        }
    }


def render(chosen: Mapping[str, object], given: Mapping[str, Value]) -> str:
    """The file: settings that follow from the site (*chosen*), and those that the options *given* stand for."""
    plain = {**_FIXED, **chosen, **_domain(str(given[_DOMAIN.name]))}
    several: dict[str, dict[str, object]] = {}
    for setting in SETTINGS:
        value = given[setting.option.name]
        if value == '' or (value == 0 and not isinstance(value, bool)):
            continue  # Horizon's own.
        if setting.key:
            several.setdefault(setting.name, {})[setting.key] = setting.read(value)
        else:
            plain[setting.name] = setting.read(value)
    several['SECURITY_GROUP_RULES'] = {name: _rule(name, port) for name, port in _PORTS.items()}
    return _HEAD + ''.join(
        (
            *(f'{name} = {value!r}\n' for name, value in sorted(plain.items())),
            *(
                f'{n} = {{**{_HOME.get(n, f"defaults.{n}")}, **{v!r}}}\n'
                for n, v in several.items()
            ),
        )
    )


def _domain(name: str) -> Mapping[str, object]:
    if not name:
        return {'OPENSTACK_KEYSTONE_MULTIDOMAIN_SUPPORT': True}
    return {
        'OPENSTACK_KEYSTONE_MULTIDOMAIN_SUPPORT': False,
        'OPENSTACK_KEYSTONE_DEFAULT_DOMAIN': name,
    }


def _rule(name: str, port: int) -> Mapping[str, str]:
    shown = name.upper().replace('_', ' ')
    return {'name': shown, 'ip_protocol': 'tcp', 'from_port': str(port), 'to_port': str(port)}


_FIXED: Mapping[str, object] = {
    'DEBUG': False,  # It shows settings to whoever comes upon an error.
    'COMPRESS_OFFLINE': True,
    'STATIC_ROOT': STATIC_ROOT,
    'WEBROOT': '/',
    'TIME_ZONE': 'UTC',
    'OPENSTACK_KEYSTONE_DEFAULT_ROLE': 'member',
}
_HOME = {'HORIZON_CONFIG': 'HORIZON_CONFIG'}
_HEAD = """# Written by the charm: local changes are overwritten.
from openstack_dashboard import defaults
from openstack_dashboard.settings import HORIZON_CONFIG

"""
