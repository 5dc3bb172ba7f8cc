"""All that one run knows of TLS at the edge: certificates, and how each endpoint type is served. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Literal

from charmkit import Inputs
from charmkit.proxy import config
from charmkit.relations import ENDPOINT_TYPES

from . import credentials, old_scheme, schemes

STRICT_TRANSPORT_S = 365 * 86_400


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tls:
    """TLS on this unit."""

    credentials: credentials.Credentials = dataclasses.field(
        default_factory=credentials.Credentials
    )
    published: Mapping[str, schemes.PublishedScheme] = dataclasses.field(
        default_factory=dict[str, schemes.PublishedScheme]
    )
    """What is published to clients, by endpoint type, as the leader has noted it."""
    modes: Mapping[str, schemes.Mode] = dataclasses.field(default_factory=dict[str, schemes.Mode])
    minimum: Literal['1.2', '1.3'] = '1.2'
    transition_s: float = 0.0
    limit_s: float = 0.0
    used: Mapping[str, float] = dataclasses.field(default_factory=dict[str, float])
    """By type, when somebody last came by the way that is to be closed; seconds since the epoch."""
    now: float = 0.0

    @property
    def shown(self) -> Mapping[str, credentials.Credential]:
        """By endpoint type, the certificates that this unit shows clients or is about to."""
        found = self.credentials
        return {
            t: c
            for t, c in found.by_type.items()
            if found.configured or self.modes.get(t, 'http') != 'http'
        }

    def mode(self, types: Iterable[str]) -> schemes.Mode:
        """How a frontend of *types* is served."""
        return schemes.together(self.modes.get(t, 'http') for t in types)

    def of(self, types: Iterable[str]) -> config.Tls | None:
        """For haproxy."""
        types = tuple(types)
        mode = self.mode(types)
        if mode == 'http':
            return None
        return config.Tls(
            folders=tuple(f'{credentials.FOLDER}/{t}' for t in types),
            minimum=self.minimum,
            plain_too=mode == 'both',
            # While one may have to go back, no browser is told not to.
            strict_transport_s=STRICT_TRANSPORT_S if mode == 'https' else 0,
        )

    def changed_over(self, types: Iterable[str]) -> bool:
        """Whether both schemes were taken for *types* before this, as far as can be known."""
        types = tuple(types)
        back = any(self.published[t].since for t in types if t in self.published)
        return self.mode(types) == 'https' or (self.mode(types) == 'http' and back)

    @property
    def both_until(self) -> Mapping[str, float]:
        """By type, until when HTTP and TLS are both taken; seconds since the epoch."""
        return schemes.ends(
            self.modes,
            self.published,
            self.transition_s,
            now=self.now,
            limit_s=self.limit_s,
            quiet_s=old_scheme.quiet_s(self.transition_s),
            used=self.used,
        )

    @property
    def still_used(self) -> tuple[str, ...]:
        """Types that clients still reach by the old way, though they have had their time."""
        return tuple(
            t
            for t, until in self.both_until.items()
            if self.now >= self.published[t].since + self.transition_s and until > self.now
        )


def gather(
    inputs: Inputs,
    *,
    secret: str,
    minimum: Literal['1.2', '1.3'],
    transition_s: float,
    limit_s: float = 0.0,
    used: Mapping[str, float] | None = None,
) -> Tls:
    """From the operator's options and what is there."""
    found = credentials.read(inputs, secret)
    published = schemes.load(inputs.peers.get(schemes.PUBLISHED, ''))
    old: schemes.Scheme = 'http' if found.configured else 'https'
    last = {t: (used or {}).get(f'{t} {old}', 0.0) for t in ENDPOINT_TYPES}
    return Tls(
        credentials=found,
        published=published,
        modes={
            t: schemes.mode(
                wanted=found.configured,
                ready=t in found.by_type,
                published=published.get(t),
                now=inputs.now,
                transition_s=transition_s,
                limit_s=limit_s,
                quiet_s=old_scheme.quiet_s(transition_s),
                used=last[t],
            )
            for t in ENDPOINT_TYPES
        },
        minimum=minimum,
        transition_s=transition_s,
        limit_s=limit_s,
        used=last,
        now=inputs.now,
    )
