"""What a load on the cloud says of its requests: a journal of JSON lines, which any program may write.

    {"at": 1795959969.8, "seconds": 0.004, "ok": true, "what": "GET /v3", "said": "200"}

`at` is when it was sent (seconds since the epoch). It comes from elsewhere: a line that is no such object is left out.
"""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any, cast

from lifecycle.problem import ProblemError, clean

_MOST_BYTES = 8 * 1024 * 1024
_LATEST = 1e11


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """One request of the load."""

    at: float
    """When it was sent, in seconds since the epoch."""
    seconds: float
    """Until it was answered, or given up."""
    ok: bool
    what: str = ''
    said: str = ''

    def __str__(self) -> str:
        """In words."""
        return f'{self.what or "a request"}: {self.said or "no answer"} after {self.seconds:.1f} s'


def parse(lines: Iterable[str]) -> Iterator[Request]:
    """The requests in *lines*."""
    for line in lines:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(said, dict):
            continue
        one = cast('dict[str, Any]', said)
        at, seconds, ok = one.get('at'), one.get('seconds', 0.0), one.get('ok')
        if isinstance(ok, bool) and _is_time(at) and _is_time(seconds):
            yield Request(
                at=float(cast('float', at)),
                seconds=float(seconds),
                ok=ok,
                what=clean(one.get('what', ''), 100),
                said=clean(one.get('said', ''), 200),
            )


def _is_time(value: object) -> bool:
    return (
        type(value) in (int, float)
        and math.isfinite(cast('float', value))
        and 0 <= cast('float', value) < _LATEST
    )


def read(path: pathlib.Path) -> tuple[Request, ...]:
    """All requests of a file."""
    with path.open(errors='replace') as lines:
        return tuple(parse(lines))


class Watch:
    """Requests that are written into a file from now on."""

    def __init__(self, path: pathlib.Path):
        """Raises ProblemError: there is no such file."""
        self._path = path
        try:
            self._at = path.stat().st_size
        except OSError as error:
            raise ProblemError(
                f'the journal of the load cannot be read: {path}: {error.strerror}. Start the load first '
                f'(juju matrix load --journal {path})'
            ) from None
        self._rest = b''

    def __call__(self) -> tuple[Request, ...]:
        """Those that were written since it was asked last."""
        with self._path.open('rb') as file:
            file.seek(self._at)
            new = file.read(_MOST_BYTES)
        self._at += len(new)
        *lines, self._rest = (self._rest + new).split(b'\n')
        return tuple(parse(line.decode(errors='replace') for line in lines))
