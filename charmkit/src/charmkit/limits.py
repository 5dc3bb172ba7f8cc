"""Limits of time and size that several layers must agree on, each said once. Pure.

A request crosses client, load balancer, Apache and service. Whoever stands farther in waits
longer (:func:`behind`): so it is always the load balancer that gives up first, and the client
hears from it why. All times are in seconds, sizes in bytes.
"""

from __future__ import annotations

import dataclasses

MARGIN_S = 15
"""How much longer a layer farther in waits than the one before it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Silence:
    """How long nothing may cross a connection while a request is under way; not how long it takes."""

    client_s: int
    """The client sends no more of the body, or takes no more of the answer."""
    server_s: int
    """The service has not begun to answer, or sends no more of its answer."""


IDLE_S = 3600
"""Transfers and connections that may pause: images, objects, consoles, plain TCP."""
BULK = Silence(client_s=IDLE_S, server_s=IDLE_S)
ORDINARY = Silence(client_s=60, server_s=60)
SLOW = Silence(client_s=60, server_s=300)
"""APIs that work before they answer: a 504 while the work goes on leaves it half known."""

REQUEST_HEADER_S = 10
"""From the first byte of a request to the end of its header; with small bodies buffered, to their end."""
QUEUE_S = 30
"""How long a request waits at the load balancer for a server that has a place for it."""
KEEP_ALIVE_S = 10
"""How long the load balancer keeps an idle connection of a client, and the longest that it keeps
one to a service. Apache keeps it :func:`behind` that: it is never the server that hangs up."""
CONNECT_S = 5
CHECK_S = 5
"""How long a health check waits for its answer."""

SMALL_BODY_BYTES = 16_000
"""Bodies up to this size are taken in whole before a service sees the request (``http-buffer-request``)."""


def behind(seconds: int) -> int:
    """How long the next layer waits for what this one waits *seconds* for."""
    return seconds + MARGIN_S
