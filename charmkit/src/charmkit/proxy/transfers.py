"""Requests that last as long as their client likes: outsiders never get all places of a backend by them. Pure.

A client that trickles the body of its request, or takes a long response slowly, has one of the places that a server has
for requests (``maxconn``) for so long. Where outsiders come, those who transfer much together get most of the places,
and not all: one more is answered 503 at once, and all other requests go on.

That is for services whose servers take many requests at once (glance: 64). Where a server takes as many as it has
processes (nova), each request has its place for as long as it is worked on, with a large body or not: there is none to
spare, and one that has to wait its turn is not to be refused.

What haproxy knows, and when:

- of a request, before a server is chosen: how long its body is to be, if that is said, and how much of it is there.
  What is not there whole, or is of unknown length (``Transfer-Encoding``; HTTP/2 need say nothing), is an upload.
- of a response, once its head has come, with the request served: how long it is to be, if that is said. What does not
  fit into one of haproxy's buffers stays at the server until the client takes it.

Whether a token is good it does not know: an upload may be anybody's. A response that is long is somebody's who was let
in. So uploads have a share that is sure whichever server is away; downloads may have, beyond that share of all
transfers, whatever is free, but for some places that stay. A long response to what is no GET counts, and is never
refused: the server has done what was asked, and its client must hear of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import limits
from . import config

_SHARE = 0.75
_MANY = 32
"""As many places has each server of a service in which transfers are counted, at least."""
_BUFFER_BYTES = 16_384
"""``tune.bufsize``: a response up to this length haproxy has taken whole before the client takes any of it."""
_AGAIN_S = 5
_UPLOAD, _DOWNLOAD = 1, 2
"""Keys of the rows in which they are counted."""
_NO_LENGTH = '!{ req.hdr(content-length) -m found }'
_BODIES = (
    f'{{ req.hdr_val(content-length) gt {limits.SMALL_BODY_BYTES} }}',
    # A long header leaves no room for a body that would be short enough.
    '{ req.body_size,sub(txn.there) gt 0 }',
    '{ req.hdr(transfer-encoding) -m found }',
    f'{{ fc_http_major 2 }} {_NO_LENGTH} {{ method POST PUT PATCH }}',
    f'{{ fc_http_major 2 }} {_NO_LENGTH} {{ req.body_len gt 0 }}',
)
_RESPONSES = (
    f'{{ res.hdr_val(content-length) gt {_BUFFER_BYTES} }}',
    '{ res.hdr(transfer-encoding) -m found }',
    '!{ res.hdr(content-length) -m found } !{ status 204 304 }',
)
_IS_UPLOAD, _IS_DOWNLOAD = '{ var(txn.upload) -m found }', '{ var(txn.download) -m found }'


def most(backend: config.Backend) -> int:
    """How many transfers *backend* takes at once, with any one server away; 0: they are not counted."""
    return max(1, int(found * _SHARE)) if (found := _certain(backend)) else 0


def _certain(backend: config.Backend) -> int:
    """The places that are there whichever server is away; 0 where a server has few."""
    each = [server.maxconn for server in backend.servers if not server.backup]
    if min(each, default=0) < _MANY:  # 0: nobody says what it takes.
        return 0
    return sum(each) - (max(each) if len(each) > 1 else 0)


def unannounced() -> str:
    """The condition under which a request of HTTP/2 has a body or not, and only waiting for it shows which."""
    return f'{{ fc_http_major 2 }} {_NO_LENGTH} !{{ method POST PUT PATCH }}'


def rules(backend: config.Backend) -> Iterator[str]:
    """Lines of the section of *backend*, which outsiders come to."""
    number = most(backend)
    if backend.mode != 'http' or not number:
        return
    spare = max(1, int(_certain(backend) * (1 - _SHARE) / 2))
    deny = f'deny deny_status 503 hdr Retry-After {_AGAIN_S}'
    full = (
        f'{{ sc_conn_cur(2),add(txn.others) gt {number} }} '
        f'{{ be_conn_free({backend.name}) lt {spare} }}'
    )
    # Two rows, as long as they are used: uploads and downloads of this backend that are under way.
    yield 'stick-table type integer size 2 expire 1h store conn_cur'
    yield 'http-request set-var(txn.there) req.body_len'
    yield f'http-request set-var(txn.upload) bool(true) if {" or ".join(_BODIES)}'
    yield f'http-request set-var(txn.others) int({_DOWNLOAD}),table_conn_cur({backend.name})'
    yield f'http-request track-sc2 int({_UPLOAD}) if {_IS_UPLOAD}'
    yield f'http-request {deny} if {_IS_UPLOAD} {{ sc_conn_cur(2) gt {number} }}'
    yield f'http-request {deny} if {_IS_UPLOAD} {full}'
    large = ' or '.join(f'!{_IS_UPLOAD} !METH_HEAD {r}' for r in _RESPONSES)
    yield f'http-response set-var(txn.download) bool(true) if {large}'
    yield f'http-response set-var(txn.others) int({_UPLOAD}),table_conn_cur({backend.name})'
    yield f'http-response track-sc2 int({_DOWNLOAD}) if {_IS_DOWNLOAD}'
    yield f'http-response {deny} if METH_GET {_IS_DOWNLOAD} {full}'
