"""What the operator may say about the authority."""

from __future__ import annotations

from charmkit import options, validators
from charmkit.options import NETWORKS, Kind, Option, count


def _is_called(text: str) -> bool:
    return validators.is_line(text) and len(text) <= 40


def every() -> tuple[Option, ...]:
    """All of them."""
    return (
        Option(
            'common-name',
            Kind('string', 'a name of at most 40 characters, in one line', _is_called),
            '',
            'What the root and the intermediate are called; empty takes the name of the application. It is part of '
            'what is made from then on.',
        ),
        Option(
            'certificate-days',
            count(1, 397, 'days'),
            90,
            'For how long a certificate is valid. It is renewed when a third of that is left.',
        ),
        Option(
            'allowed-domains',
            options.HOSTNAMES,
            '',
            'Domains in which host names may be certified, separated by spaces, themselves among them. Empty allows '
            'every host name; wildcards are never certified.',
        ),
        Option(
            'allowed-networks',
            NETWORKS,
            '',
            'Networks whose addresses may be certified: `10.0.0.0/8 fd00::/8`. Empty allows every address that a '
            'unit can have.',
        ),
    )
