"""Runs in the container: one run of the charm on this machine, without Juju. Not a test.

`calico_on_machine.py WHEEL`: the resource. What neutron-api says, and the options, come as JSON on the standard input.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
from typing import Any

import calico_driver
import charmkit
from charmkit import apply, drive, facts, options, relations, state
from charmkit.calico import library

UNIT = 'neutron-api-plugin-calico/0'


def main(wheel: str) -> None:
    """One run, decided again when something came to light, as the charm does."""
    said: dict[str, Any] = json.load(sys.stdin)
    attached = state.Resource(pathlib.Path(wheel).read_bytes())
    machine = apply.LocalMachine(UNIT)
    name = calico_driver.PRINCIPAL.relation
    found = relations.Relation(
        id=1, name=name, app='neutron-api', units={'neutron-api/0': said['principal']}
    )
    inputs = state.Inputs(
        site=relations.Site(unit=UNIT, leader=True, address='127.0.0.1'),
        facts=facts.read(),
        relations={name: (found,)},
        options=options.read(calico_driver.OPTIONS, said['options'], {}).values,
        resources={library.RESOURCE: attached},
        now=machine.now(),
        unit_secret='u' * 48,
        fresh='f' * 64,
    )

    driven = drive.drive(machine, calico_driver.run, charmkit.Hook('config-changed'), inputs)
    out = {
        'steps': [str(s) for s in driven.steps],
        'status': [dataclasses.asdict(s) for s in driven.desired.status],
        'told': dict(driven.desired.unit_data.get(name, {})),
    }
    print(json.dumps(out))


if __name__ == '__main__':
    main(*sys.argv[1:])
