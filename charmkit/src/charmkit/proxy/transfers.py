"""Requests that last as long as their client likes: outsiders never get all places of a backend by them. Pure.

A client that trickles the body of its request, or takes a long response slowly, has one of the places that a server has
for requests (``maxconn``) for so long. Where outsiders come, those who transfer much together get most of the places,
and not all: one more is answered 503 at once, and all other requests go on.

That is for services whose servers take many requests at once (glance: 64). Where a server takes as many as it has
processes (nova), each request has its place for as long as it is worked on, with a large body or not: there is none to
spare, and one that has to wait its turn is not to be refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import limits
from . import config

_SHARE = 0.75
_MANY = 32
"""As many places has each server of a service in which transfers are counted, at least."""
_LARGE_RESPONSE_BYTES = 2**20
"""Less than this the kernel takes from the service at once, however slowly the client does."""
_AGAIN_S = 5
_BODY = f'{{ req.hdr_val(content-length) gt {limits.SMALL_BODY_BYTES} }} or {{ req.hdr(transfer-encoding) -m found }}'
_RESPONSE = f'{{ res.hdr_val(content-length) gt {_LARGE_RESPONSE_BYTES} }}'
_KNOWN = '{ var(txn.transfer) -m found }'


def most(backend: config.Backend) -> int:
    """How many transfers *backend* takes at once, with any one server away; 0: they are not counted."""
    each = [server.maxconn for server in backend.servers if not server.backup]
    if min(each, default=0) < _MANY:  # 0: nobody says what it takes.
        return 0
    certain = sum(each) - (max(each) if len(each) > 1 else 0)
    return max(1, int(certain * _SHARE))


def rules(backend: config.Backend) -> Iterator[str]:
    """Lines of the section of *backend*, which outsiders come to."""
    number = most(backend)
    if backend.mode != 'http' or not number:
        return
    refused = (
        f'deny deny_status 503 hdr Retry-After {_AGAIN_S} if {{ sc_conn_cur(2) gt {number} }}'
    )
    # One row, as long as it is used: all transfers of this backend that are under way.
    yield 'stick-table type integer size 1 expire 1h store conn_cur'
    yield f'http-request set-var(txn.transfer) bool(true) if {_BODY}'
    yield f'http-request track-sc2 int(1) if {_KNOWN}'
    yield f'http-request {refused} {_KNOWN}'
    yield f'http-response track-sc2 int(1) if !{_KNOWN} {_RESPONSE}'
    yield f'http-response {refused} !{_KNOWN} {_RESPONSE}'
