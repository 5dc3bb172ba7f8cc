"""Which certificate a server shows its clients, and whom they are to trust by what is published. Pure.

Where another authority takes the place of the first, clients hear of both before the server shows what only the new
one has signed: the certificate before stays until each client that verifies says that it trusts both, or for an hour.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from .relations import server_tls
from .unit_certificate import UnitCertificate

HOLD_S = 3600.0
"""So long clients have to hear of another authority; seconds."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shown:
    """What a server is to show now."""

    pem: str = dataclasses.field(default='', repr=False)
    """For its file; '' leaves that as it is."""
    digest: str = ''
    """Stands for what is in the file; '' while there is no certificate."""
    root: str = ''
    """Who stands behind it, PEM."""
    trusted: str = ''
    """Whom clients are to trust, as is published once the server shows it, PEM."""
    held: bool = False
    """It is the certificate before: clients are to hear of another authority first."""
    memory: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    """For the next time."""


def decide(
    certificate: UnitCertificate,
    digest: str,
    before: Mapping[str, Any],
    marks: Collection[str],
    now: float,
) -> Shown:
    """What to show of *certificate*, which *digest* stands for.

    *before* is what :func:`in_force` gave the last time; *marks* are what clients say that verify the server
    (:func:`charmkit.relations.server_tls.mark`), each once; *now* in seconds since the epoch.
    """
    root, shown = str(before.get('root', '')), str(before.get('digest', ''))
    offered = f'{certificate.ca}\n' if certificate.ca else ''
    both = ''.join(sorted({t for t in (root, offered) if t}))
    since = float(before.get('since', 0.0))
    over = bool(since) and now > since + HOLD_S
    heard = set(marks) in (set[str](), {server_tls.mark(both)})
    if root and offered and root != offered and shown and not (heard or over):
        kept = {'root': root, 'since': since or now}
        return Shown(digest=shown, root=root, trusted=both, held=True, memory=kept)
    return Shown(
        pem=certificate.pem,
        digest=digest if certificate.pem else '',
        root=offered,
        trusted=offered,
        memory={'root': offered, 'since': 0.0},
    )


def kept(before: Mapping[str, Any]) -> Shown:
    """The certificate that is shown already, where another one would be of no use to clients."""
    root = str(before.get('root', ''))
    memory = {'root': root, 'since': 0.0}
    digest = str(before.get('digest', ''))
    return Shown(digest=digest, root=root, trusted=root, held=True, memory=memory)


def in_force(shown: Shown, before: Mapping[str, Any], *, taken_up: bool) -> dict[str, Any]:
    """What the next :func:`decide` is to know; *taken_up*: the server shows what it is to show."""
    return {**shown.memory, 'digest': shown.digest if taken_up else before.get('digest', '')}
