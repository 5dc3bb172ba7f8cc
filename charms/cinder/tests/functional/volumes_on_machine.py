"""Runs in the container: one run of a charm on this machine, without Juju.

``volumes_on_machine.py CHARM``: what Juju would say comes as JSON on the standard input, what was done, decided and
told goes to the standard output.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import logging
import pathlib
import sys
from typing import Any, cast

import charmkit
from charmkit import apply, drive, facts, options, relations, state


def kind(name: str) -> type[charmkit.Charm]:
    """The class of the charm *name*."""
    sys.path.insert(0, f'/opt/charms/{name}/src')
    found = vars(importlib.import_module('charm')).values()
    return next(x for x in found if isinstance(x, type) and issubclass(x, charmkit.Charm))


def main() -> None:
    """One run, decided again when something came to light, as the charm does."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    name, said = sys.argv[1], cast('dict[str, Any]', json.load(sys.stdin))
    unit, charm = f'{name}/0', kind(name)
    machine = apply.LocalMachine(name)
    kept = pathlib.Path(f'/var/lib/{name}-memory.json')
    inputs = state.Inputs(
        site=relations.Site(unit=unit, leader=True, address=said['address']),
        facts=facts.read(),
        relations={
            endpoint: (relations.Relation(id=i, name=endpoint, app=endpoint, units=bags),)
            for i, (endpoint, bags) in enumerate(said['relations'].items())
        },
        options=options.read(charm.declared_options(), said['options'], {}).values,
        peers=said['peers'],
        memory=json.loads(kept.read_text()) if kept.exists() else {},
        now=machine.now(),
        unit_secret='u' * 48,
        fresh='f' * 64,
    )

    def run(why: charmkit.Why, known: state.Inputs) -> state.Desired:
        return charm.run(cast('charmkit.Charm', charm), why, known)

    driven = drive.drive(machine, run, charmkit.Hook('config-changed'), inputs)
    desired = driven.desired
    kept.write_text(json.dumps(dict(desired.memory)))
    out = {
        'steps': [str(s) for s in driven.steps],
        'failed': dict(driven.inputs.failed),
        'status': [dataclasses.asdict(s) for s in desired.status],
        'version': desired.version,
        'peers': dict(desired.app_data.get('peers', {})),
        'told': dict(desired.unit_data.get('storage-backend', {})),
    }
    print(json.dumps(out))


main()
