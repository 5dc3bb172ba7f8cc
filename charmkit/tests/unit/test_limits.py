"""Limits that several layers share: whoever stands farther in waits longer."""

from __future__ import annotations

import pytest
from charmkit import limits


@pytest.mark.parametrize('silence', [limits.BULK, limits.ORDINARY, limits.SLOW])
def test_a_layer_farther_in_never_gives_up_first(silence: limits.Silence) -> None:
    assert limits.behind(silence.client_s) > silence.client_s
    assert limits.behind(silence.server_s) > silence.server_s
    assert silence.client_s >= limits.REQUEST_HEADER_S


def test_the_server_never_hangs_up_on_an_idle_connection_of_the_load_balancer() -> None:
    assert limits.behind(limits.KEEP_ALIVE_S) > limits.KEEP_ALIVE_S
