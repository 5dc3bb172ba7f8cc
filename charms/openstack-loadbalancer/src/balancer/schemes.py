"""When clients come by TLS, when without, and when both ways are open. Pure.

Something is published to clients only when every unit serves it, and taken away only when clients have had time to hear
of what is in its place. So from HTTP to TLS: every unit takes both on the same port; then the catalogue says
``https``; then, after ``tls-transition``, HTTP is refused. Back it goes the same way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Literal

from charmkit.relations import wire

Scheme = Literal['http', 'https']
Mode = Literal['http', 'both', 'https']
PUBLISHED = 'schemes'
"""In the application's peer data: what is published to clients, by endpoint type."""


@dataclasses.dataclass(frozen=True)
class PublishedScheme:
    """What clients of an endpoint type get to see, and since when (seconds since the epoch; 0: never anything else)."""

    scheme: Scheme
    since: float = 0.0


def load(text: str) -> dict[str, PublishedScheme]:
    """What :func:`dump` wrote."""
    return {
        t: PublishedScheme(
            'https' if x.get('scheme') == 'https' else 'http', float(wire.number(x.get('since')))
        )
        for t, x in wire.objects(wire.load_object(text))
    }


def dump(published: Mapping[str, PublishedScheme]) -> str:
    """For the peers."""
    return wire.dump(
        {t: {'scheme': x.scheme, 'since': int(x.since)} for t, x in published.items()}
    )


def mode(
    *,
    wanted: bool,
    ready: bool,
    published: PublishedScheme | None,
    now: float,
    transition_s: float,
    limit_s: float = 0.0,
    quiet_s: float = 0.0,
    used: float = 0.0,
) -> Mode:
    """How a type is served. *wanted*: the operator wants TLS; *ready*: this unit has a certificate for it.

    *used*: when somebody last came by the way that is to be closed (seconds since the epoch; 0: never). It is open
    until nobody has for *quiet_s*, and at the most for *limit_s* after it was published.
    """
    if not ready:
        return 'http'
    over = published is None or now >= _end(
        published, now, transition_s, limit_s, quiet_s=quiet_s, used=used
    )
    if wanted:
        # As long as nothing was published, a unit that was upgraded cannot know what clients use.
        return 'https' if published and published.scheme == 'https' and over else 'both'
    return 'http' if (published is None or published.scheme == 'http') and over else 'both'


def together(modes: Iterable[Mode]) -> Mode:
    """Of types that share their addresses, which cannot be told apart."""
    found = set(modes)
    if len(found) == 1:
        return found.pop()
    return 'http' if 'http' in found else 'both'


def _end(
    published: PublishedScheme,
    now: float,
    transition_s: float,
    limit_s: float,
    *,
    quiet_s: float,
    used: float,
) -> float:
    """Until when both ways are open, as things are *now*."""
    first = published.since + transition_s
    if not published.since or now < first or not used or now >= used + quiet_s:
        return first
    return max(first, min(used + quiet_s, published.since + limit_s))


def ends(
    modes: Mapping[str, Mode],
    published: Mapping[str, PublishedScheme],
    transition_s: float,
    *,
    now: float = 0.0,
    limit_s: float = 0.0,
    quiet_s: float = 0.0,
    used: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """By type, until when both ways are open, where that is known; seconds since the epoch."""
    return {
        t: _end(
            published[t],
            now,
            transition_s,
            limit_s,
            quiet_s=quiet_s,
            used=(used or {}).get(t, 0.0),
        )
        for t, m in modes.items()
        if m == 'both' and t in published
    }


def next_published(
    before: PublishedScheme | None,
    *,
    wanted: bool,
    everywhere: Mapping[Scheme, bool],
    spoken: bool,
    now: float,
) -> PublishedScheme | None:
    """What is to be published to clients of a type; None: nothing yet.

    *everywhere*: by scheme, whether every unit takes it; *spoken*: the type was published before anybody noted
    the scheme, so it was ``http``.
    """
    if before is None and spoken:
        before = PublishedScheme('http')
    scheme: Scheme = 'https' if wanted else 'http'
    if before is None:
        return PublishedScheme(scheme) if everywhere[scheme] else None
    if before.scheme != scheme and everywhere[scheme]:
        return PublishedScheme(scheme, now)
    return before
