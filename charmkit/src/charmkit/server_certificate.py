"""Which certificate a server shows its clients, and whom they are to trust by what is published. Pure.

Where another authority takes the place of the first, clients hear of both before the server shows what only the new
one has signed: the certificate before stays until each client that verifies says that it trusts both, or for an hour.
Once TLS is published to clients, a certificate that is of no use to them is not shown either: the one before stays.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from . import state
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
    """It is the certificate before: clients are to hear of another authority first, or could not use the new one."""
    names: tuple[str, ...] = ()
    """What it is for."""
    not_after: float = 0.0
    """When it ends; seconds since the epoch, 0 where that is not known."""
    memory: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    """For the next time."""


def unfit(certificate: UnitCertificate, here: str) -> str:
    """Why clients that come to the address *here* could not verify *certificate*; '' when they can, and for none."""
    if certificate.pem and here not in certificate.names:
        return f'its certificate is not for {here}'
    if certificate.pem and not certificate.ca:
        return 'nobody says whom clients are to trust'
    return ''


def decide(
    certificate: UnitCertificate,
    digest: str,
    before: Mapping[str, Any],
    marks: Collection[str],
    now: float,
    why_not: str = '',
) -> Shown:
    """What to show of *certificate*, which *digest* stands for.

    *before* is what :func:`in_force` gave the last time; *marks* are what clients say that verify the server
    (:func:`charmkit.relations.server_tls.mark`), each once; *now* in seconds since the epoch;
    *why_not* is what :func:`unfit` says: with it, what is published already stays.
    """
    if why_not and before.get('published') and before.get('digest'):
        return kept(before)
    root, shown = str(before.get('root', '')), str(before.get('digest', ''))
    offered = f'{certificate.ca}\n' if certificate.ca else ''
    both = ''.join(sorted({t for t in (root, offered) if t}))
    since = float(before.get('since', 0.0))
    over = bool(since) and now > since + HOLD_S
    heard = set(marks) in (set[str](), {server_tls.mark(both)})
    if root and offered and root != offered and shown and not (heard or over):
        return dataclasses.replace(
            kept(before), trusted=both, memory={'root': root, 'since': since or now}
        )
    return Shown(
        pem=certificate.pem,
        digest=digest if certificate.pem else '',
        root=offered,
        trusted=offered,
        names=certificate.names,
        not_after=certificate.not_after,
        memory={'root': offered, 'since': 0.0},
    )


def kept(before: Mapping[str, Any]) -> Shown:
    """The certificate that is shown already, where another one would be of no use to clients."""
    root = str(before.get('root', ''))
    memory = {'root': root, 'since': 0.0}
    digest = str(before.get('digest', ''))
    return Shown(
        digest=digest,
        root=root,
        trusted=root,
        held=True,
        names=tuple(before.get('names', ())),
        not_after=float(before.get('not_after', 0.0)),
        memory=memory,
    )


def in_force(shown: Shown, before: Mapping[str, Any], *, taken_up: bool) -> dict[str, Any]:
    """What the next :func:`decide` is to know; *taken_up*: the server shows what it is to show."""
    mine = {'digest': shown.digest, 'names': [*shown.names], 'not_after': shown.not_after}
    former = {what: before[what] for what in mine if what in before}
    return {**shown.memory, **(mine if taken_up else {'digest': '', **former})}


def statuses(shown: Shown, why_not: str, now: float, *, offered: bool) -> Iterator[state.Status]:
    """What the operator is to know where clients could not verify the certificate; *offered*: TLS is published."""
    if not why_not:
        return
    if not (offered and shown.held):
        yield state.Status('active', f'TLS is not published to clients: {why_not}')
        return
    if not shown.not_after:
        words = 'stays in force'
    else:
        from . import x509  # 60 ms, and seldom needed.

        day = x509.day(shown.not_after)
        words = f'stays in force until {day}' if now < shown.not_after else f'has ended on {day}'
    yield state.Status('blocked', f'the certificate before {words}: {why_not}')
