"""How large an API is made, and what Apache is told of it."""

from __future__ import annotations

import dataclasses

import hypothesis
import pytest
from charmkit import apache
from hypothesis import strategies as st

SITE = apache.Site(
    name='demo-api',
    script='/usr/bin/demo',
    port=8778,
    addresses=('127.0.0.1', '2001:db8::2'),
    user='demo',
    size=apache.Size(2, 8),
)


def vhost(site: apache.Site) -> str:
    files = apache.desired([site], running=True).files
    return next(f.content for f in files if f.path.endswith(f'{site.name}.conf'))


@pytest.mark.parametrize(
    ('cpus', 'memory_mib', 'one_thread', 'size'),
    [
        (2, 8192, False, (2, 8)),
        (8, 32768, False, (8, 8)),
        (64, 262144, False, (16, 8)),
        (2, 8192, True, (4, 1)),
        (8, 1024, False, (2, 8)),
        (1, 256, False, (1, 8)),
    ],
)
def test_processes_follow_the_machine(
    cpus: int, memory_mib: int, one_thread: bool, size: tuple[int, int]
):
    got = apache.size(cpus, memory_mib, one_thread=one_thread)
    assert (got.processes, got.threads) == size


@hypothesis.given(st.integers(1, 512), st.integers(128, 10**6), st.booleans())
def test_there_is_always_a_process_and_never_more_than_memory_bears(
    cpus: int, memory_mib: int, one_thread: bool
):
    got = apache.size(cpus, memory_mib, one_thread=one_thread)
    assert 1 <= got.processes <= 16
    assert got.processes == 1 or got.processes * 140 <= memory_mib // 3


def test_options_override_the_size_but_not_eventlets_single_thread():
    assert apache.size(2, 8192, one_thread=False, processes=5, threads=3) == apache.Size(5, 3)
    assert apache.size(2, 8192, one_thread=True, processes=5, threads=3) == apache.Size(5, 1)


def test_it_listens_on_literal_addresses_only():
    text = vhost(SITE)
    assert 'Listen 127.0.0.1:8778\nListen [2001:db8::2]:8778\n' in text
    listens = [line for line in text.splitlines() if line.startswith('Listen')]
    assert len(listens) == 2


def test_chunked_requests_are_for_those_who_ask():
    assert 'WSGIChunkedRequest On' not in vhost(SITE)
    assert 'WSGIChunkedRequest On' in vhost(dataclasses.replace(SITE, chunked=True))


def test_the_healthcheck_is_drained_before_it_is_answered():
    text = vhost(dataclasses.replace(SITE, health='/'))
    drain, answer = '[R=503,L]', 'RewriteRule ^/healthcheck$ / [PT,L]'
    assert text.index(drain) < text.index(answer)


def test_applications_are_loaded_when_their_processes_start():
    assert 'process-group=demo-api application-group=%{GLOBAL}' in vhost(SITE)
