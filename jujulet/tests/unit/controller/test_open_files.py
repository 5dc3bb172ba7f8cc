"""The controller of 1,000 units opens more files than a shell allows."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Generator

import pytest

from jujulet.controller import service

INFINITY = resource.RLIM_INFINITY


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Generator[list[tuple[int, int]]]:
    """The limits of this process, as a list with the newest last: none of the tests' own."""
    kept = [(1024, 1048576)]

    def getrlimit(_: int) -> tuple[int, int]:
        return kept[-1]

    def setrlimit(_: int, both: tuple[int, int]) -> None:
        kept.append(both)

    monkeypatch.setattr(resource, 'getrlimit', getrlimit)
    monkeypatch.setattr(resource, 'setrlimit', setrlimit)
    yield kept


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        ((1024, 1048576), (64000, 1048576)),
        ((1024, INFINITY), (64000, INFINITY)),
        ((1024, 4096), (4096, 4096)),  # What the host does not allow is not asked for.
        ((1024, 1024), (1024, 1024)),
        ((63999, 64000), (64000, 64000)),
        ((1048576, 1048576), (1048576, 1048576)),  # Never lower than it was.
        ((INFINITY, INFINITY), (INFINITY, INFINITY)),
    ],
)
def test_a_controller_may_open_as_many_files_as_jujus_agents(
    limits: list[tuple[int, int]], before: tuple[int, int], after: tuple[int, int]
):
    limits[:] = [before]
    service.allow_open_files()
    assert limits[-1] == after


def test_the_controller_asks_for_it_before_it_serves(
    monkeypatch: pytest.MonkeyPatch, limits: list[tuple[int, int]], tmp_path: object
):
    seen: list[tuple[int, int]] = []

    async def serve(*_: object) -> None:
        seen.append(limits[-1])

    monkeypatch.setattr(service, 'serve', serve)
    monkeypatch.setattr(sys, 'argv', ['controller', str(tmp_path)])
    before = os.umask(0o077)
    try:
        assert service.main() == 0
    finally:
        os.umask(before)
    assert seen == [(64000, 1048576)]
