"""keystone's own options, as data: what each may be, and what it is for."""

from __future__ import annotations

import dataclasses
import re

import compliance
import domains
from charmkit import options, settings
from charmkit.options import Kind, Option

VALIDATE = 'identity:validate_token'
_SERVICES = re.compile(r'@|role:(?i:admin|service)\b|rule:\S')
"""What a check has that services pass, by the roles of their accounts. What other rules say is not known here.
oslo.policy compares the names of roles without regard to case, and all else of a check with it."""


def _rules(text: str) -> bool:
    """Whether *text* may be the policy: every service validates its clients' tokens by one of the rules."""
    check = settings.rules(text).get(VALIDATE, '@')
    if check.strip() and not _SERVICES.search(check):
        raise ValueError(
            f'{VALIDATE} must let role:service or role:admin: by it services validate tokens'
        )
    return True


OPTIONS = (
    *(
        dataclasses.replace(o, kind=dataclasses.replace(o.kind, good=_rules, kept=o.kind.good))
        for o in options.API
        if o.name == 'policy-overrides'
    ),
    Option(
        'region',
        options.REGIONS,
        'RegionOne',
        "Region of keystone's endpoints in the catalogue. Several, separated by spaces, share one keystone.",
        published=True,
    ),
    Option(
        'token-expiration',
        options.count(60, 31_536_000, 'seconds'),
        3600,
        'How long a token lives.',
    ),
    Option(
        compliance.OPTION,
        Kind(
            'string',
            'a YAML map of such options',
            lambda text: bool(compliance.parse(text)) or True,
            longest=10_000,
        ),
        '',
        "Rules for passwords, as a YAML map of the options of keystone's section security_compliance, such as "
        '`{lockout_failure_attempts: 5, password_expires_days: 90}`. They bind users; accounts of services '
        'neither expire nor are they locked out.',
        tried=True,
    ),
    Option(
        domains.OPTION,
        Kind(
            'string',
            'a YAML map of domains to such options',
            lambda text: bool(domains.parse(text)) or True,
            kept=lambda text: bool(domains.parse(text, kept=True)) or True,
            longest=10_000,
            confidential=True,
        ),
        '',
        'Domains whose users are in an LDAP directory, as a YAML map of their names to options of '
        'keystone\'s section ldap, such as `{staff: {url: "ldaps://ldap.example", suffix: "dc=example"}}`. '
        "Who may read the application's configuration reads a password in it; a subordinate on "
        '`domain-backend` keeps it elsewhere.',
    ),
)
