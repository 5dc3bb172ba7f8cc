"""What `juju matrix load` writes, `juju lifecycle upgrade --load-journal` reads: two islands that meet in a file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lifecycle import load
from matrix.history import redact
from matrix.load import requests


@given(
    at=st.floats(0, 9e10),
    seconds=st.floats(0, 1e6),
    ok=st.booleans(),
    what=st.from_regex(r'[a-z]{1,9}[.][a-z]{1,9} [0-9.:]{1,20}', fullmatch=True),
    said=st.from_regex(r'([a-z0-9]{1,5} ){0,4}[a-z]', fullmatch=True),
)
def test_each_request_is_read_as_it_was_written(
    at: float, seconds: float, ok: bool, what: str, said: str
):
    written = requests.Request(at=at, seconds=seconds, ok=ok, what=what, said=said)
    (read,) = load.parse([written.line(redact.secrets(()))])
    assert (read.ok, read.what, read.said) == (ok, what, said)
    assert abs(read.at - at) <= 0.001 + at * 1e-12
    assert abs(read.seconds - seconds) <= 1e-5
