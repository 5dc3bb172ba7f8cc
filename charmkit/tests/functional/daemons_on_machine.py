"""Runs in a machine: have systemd run daemons of these names, as a charm does; say what came of it as JSON."""

from __future__ import annotations

import json
import pathlib
import sys

from charmkit import apply, drive, health, host

given = json.loads(pathlib.Path(sys.argv[1]).read_text())
probes: dict[str, str] = given.pop('probes', {})
health.COMES_UP_S = 5.0  # A test need not wait for a whole minute.
desired = host.Host(
    files=tuple(
        host.File(
            path=f'/etc/systemd/system/{name}.service',
            content=(
                f"[Service]\nExecStart=/bin/sh -c '{script}'\nRestart=always\nRestartSec=1\n"
                '[Install]\nWantedBy=multi-user.target\n'
            ),
            notify=(name,),
        )
        for name, script in given.items()
    ),
    services=tuple(
        host.SystemdService(name, stays_s=0 if name in probes else 3, probe=probes.get(name, ''))
        for name in given
    ),
)
outcome = drive.reconcile(apply.LocalMachine('daemons'), desired)
print(json.dumps({'steps': [str(s) for s in outcome.steps], 'failed': dict(outcome.failed)}))
