"""The pipelines of requests: every part of them is there, and the health check wants no token."""

from __future__ import annotations

from typing import Any, cast

import nova_paste

INI = cast('dict[str, dict[str, str]]', nova_paste.paste(cast('Any', None)))


def test_every_part_of_each_pipeline_is_there():
    for section, options in INI.items():
        if section.startswith('pipeline:'):
            *filters, app = options['pipeline'].split()
            assert {f'filter:{name}' for name in filters} <= INI.keys()
            assert f'app:{app}' in INI


def test_every_path_leads_somewhere():
    for section, options in INI.items():
        if section.startswith('composite:'):
            names = {name for key, name in options.items() if key != 'use'}
            there = {s.partition(':')[2] for s in INI}
            assert names <= there


def test_what_needs_a_token_checks_it_and_the_health_check_does_not():
    for name in ('v2', 'v21'):
        assert 'authtoken keystonecontext' in INI[f'pipeline:{name}']['pipeline']
    for composite in ('osapi_compute', 'metadata'):
        assert INI[f'composite:{composite}']['/healthcheck'] == 'health'
    assert INI['app:health']['disable_by_file_path'] == '/etc/nova/healthcheck_disable'
