"""Bring Apache with one WSGI application to what is asked for, on the machine that this runs on, without Juju.

`python3 apache_on_machine.py INPUTS.json`: fields of the site, and limits to scale down; prints what was done as JSON.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

from charmkit import apache, apply, host, limits, memcached

DEFAULTS: dict[str, Any] = {
    'name': 'demo-api',
    'script': '/opt/demo/app.wsgi',
    'port': 9000,
    'user': 'demo',
}


def main() -> None:
    """One reconcile."""
    given = json.loads(pathlib.Path(sys.argv[1]).read_text())
    for name, value in given.pop('limits', {}).items():
        setattr(limits, name, value)
    version = given.pop('version', '')
    held = given.pop('held', False)
    fields: dict[str, Any] = {
        **DEFAULTS,
        **given,
        'addresses': ('127.0.0.1', *given['addresses']),
        'size': apache.Size(*given.get('size', (2, 2))),
        'silence': limits.Silence(**given.get('silence', {'client_s': 60, 'server_s': 60})),
        'trusted': tuple(given.get('trusted', ())),
    }
    site = apache.VirtualHost(**fields)
    desired = host.merge(
        apache.desired([site], running=True, version=version, held=held), memcached.desired(4096)
    )
    machine = apply.LocalMachine('demo')
    steps = host.plan(desired, machine.observe(desired))
    said = {str(step): machine.carry_out(step, desired) for step in steps}
    print(json.dumps({'steps': [*said], 'failed': {k: v for k, v in said.items() if v}}))


if __name__ == '__main__':
    main()
