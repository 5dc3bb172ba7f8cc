"""Runs in the container: one run of a charm of OVN on this machine, without Juju. Not a test.

`ovn_on_machine.py CLASS ADDRESS DATA`: the charm's class, the machine's address, and its address on the binding `data`.
What others' units say comes as JSON on the standard input, by relation.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

import charm
import charmkit
from charmkit import api, apply, drive, facts, options, relations, state


def main(name: str, address: str, data: str) -> None:
    """One run, decided again when something came to light, as the charm does."""
    found: Any = getattr(charm, name)
    unit = f'{name.lower()}/0'
    machine = apply.LocalMachine(unit)
    said: dict[str, dict[str, str]] = json.load(sys.stdin)
    inputs = state.Inputs(
        site=relations.Site(unit=unit, leader=True, address=address, addresses={'data': data}),
        facts=facts.read(),
        relations={
            endpoint: (relations.Relation(id=n, name=endpoint, app='o', units={'o/0': bag}),)
            for n, (endpoint, bag) in enumerate(said.items())
        },
        options=options.read(found.declared_options(), {'bridge-mappings': ''}, {}).values,
        now=machine.now(),
        unit_secret='u' * 48,
        fresh='f' * 64,
    )

    def run(why: charmkit.Why, known: state.Inputs) -> state.Desired:
        return api.run(found.spec, why, known)

    driven = drive.drive(machine, run, charmkit.Hook('config-changed'), inputs)
    out = {
        'steps': [str(s) for s in driven.steps],
        'failed': dict(driven.inputs.failed),
        'status': [dataclasses.asdict(s) for s in driven.desired.status],
        'told': {name: driven.desired.unit_data.get(n, {}) for n, name in enumerate(said)},
    }
    print(json.dumps(out))


if __name__ == '__main__':
    main(*sys.argv[1:])
