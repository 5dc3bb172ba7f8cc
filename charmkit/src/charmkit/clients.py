"""What crosses a wire: a request over HTTP, one exchange over a Unix socket, and whether somebody listens."""

from __future__ import annotations

import http.client
import socket
import time
import urllib.error
import urllib.request

from .machine import HttpRequest, HttpResponse, UnreachableError

_LARGEST_RESPONSE = 64 * 2**20


def http_response(request: HttpRequest) -> HttpResponse:
    """Make *request*; a status that means an error, and no answer at all, are responses too."""
    # No proxy: what is asked is this machine or a neighbour, and the request may carry a password.
    end = time.monotonic() + request.timeout_s
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    try:
        asked = urllib.request.Request(  # noqa: S310 -- whose address it is the caller knows.
            request.url,
            data=request.body.encode() if request.body else None,
            headers=dict(request.headers),
            method=request.method,
        )
        with opener.open(asked, timeout=request.timeout_s) as raw:
            return _response(raw.status, raw.reason, raw, end)
    except urllib.error.HTTPError as e:
        return _response(e.code, str(e.reason), e, end)
    except (OSError, http.client.HTTPException, ValueError) as e:
        return HttpResponse(0, str(getattr(e, 'reason', '') or e or type(e).__name__))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Whoever redirects a request that carries a token says where the token is to go: not followed."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _response(
    status: int, reason: str, raw: http.client.HTTPResponse | urllib.error.HTTPError, end: float
) -> HttpResponse:
    body = bytearray()
    try:
        while chunk := raw.read1(65536):
            body += chunk
            if len(body) > _LARGEST_RESPONSE:
                return HttpResponse(0, 'the answer is longer than can be')
            # Each silence alone would be short enough: together they may not hold up a hook.
            if time.monotonic() > end:
                return HttpResponse(0, 'the answer did not end in time')
    except (OSError, http.client.HTTPException) as e:
        return HttpResponse(0, f'the answer broke off: {e}')
    if raw.length:  # Of what its Content-Length has promised.
        return HttpResponse(0, f'the answer broke off: {raw.length} bytes are missing')
    headers = {name.lower(): value for name, value in raw.headers.items()}
    return HttpResponse(status, reason, headers, body.decode(errors='replace'))


def ask(path: str, text: str, timeout_s: float) -> str:
    """Send *text* and a half-close to the Unix socket at *path*, and return all that comes back.

    Raises:
        UnreachableError: when nobody is there, or does not end within *timeout_s* seconds.
    """
    out, end = bytearray(), time.monotonic() + timeout_s
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(timeout_s)
            s.connect(path)
            s.sendall(text.encode())
            s.shutdown(socket.SHUT_WR)
            while chunk := s.recv(65536):
                out += chunk
                if time.monotonic() > end:
                    raise UnreachableError(f'{path}: the answer did not end in time')
                if len(out) > _LARGEST_RESPONSE:
                    raise UnreachableError(f'{path}: it says more than can be')
    except OSError as e:
        raise UnreachableError(f'{path}: {e}') from e
    return out.decode(errors='replace')


def accepts_within(probe: str, seconds: float) -> bool:
    """Whether something accepts connections at ``host:port``; True where there is no probe."""
    if not probe:
        return True
    address, _, port = probe.rpartition(':')
    end = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection((address, int(port)), timeout=seconds):
                return True
        except ConnectionRefusedError:
            # Nobody listens: at a start that may change, otherwise it is the answer.
            if seconds <= 1 or time.monotonic() > end:
                return False
            time.sleep(0.1)
        except OSError:
            return False
