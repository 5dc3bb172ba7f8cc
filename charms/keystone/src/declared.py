"""keystone's own options, as data; :mod:`settings` reads and checks them."""

from __future__ import annotations

from charmkit.options import Kind, Option

TEXT = Kind('string', '')
OPTIONS = (
    Option(
        'region',
        TEXT,
        'RegionOne',
        "Region of keystone's endpoints in the catalogue. Several, separated by spaces, share one keystone.",
    ),
    Option(
        'token-expiration',
        Kind('int', ''),
        3600,
        'How long a token lives, in seconds; at least 60.',
    ),
    Option(
        'password-security-compliance',
        TEXT,
        '',
        "Rules for passwords, as a YAML map of the options of keystone's section security_compliance, such as "
        '`{lockout_failure_attempts: 5, password_expires_days: 90}`. They bind users; accounts of services '
        'neither expire nor are they locked out.',
    ),
    Option(
        'ldap-domains',
        TEXT,
        '',
        'Domains whose users are in an LDAP directory, as a YAML map of their names to options of '
        'keystone\'s section ldap, such as `{staff: {url: "ldaps://ldap.example", suffix: "dc=example"}}`. '
        "Who may read the application's configuration reads a password in it; a subordinate on "
        '`domain-backend` keeps it elsewhere.',
    ),
)
