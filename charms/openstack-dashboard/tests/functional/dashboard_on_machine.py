"""Runs in the container: one run of the charm on this machine, without Juju.

The address of the machine, whether there is a database, and what the peers know come as JSON on the standard input;
what was done and decided goes to the standard output.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import sys

import charm
import charmkit
from charmkit import api, apply, drive, facts, options, relations, state

UNIT = 'openstack-dashboard/0'
KEYSTONE = {f'{r}_{k}': v for r in ('auth', 'service', 'internal') for k, v in
            {'protocol': 'http', 'host': '127.0.0.1', 'port': '5000'}.items()}  # fmt: skip
DATABASE = {'db_host': '127.0.0.1', 'password': 'pw', 'allowed_units': UNIT}


def main() -> None:
    """One run, decided again when something came to light, as the charm does."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    said = json.load(sys.stdin)
    kind = charm.DashboardCharm
    machine = apply.LocalMachine('openstack-dashboard-0')
    bags = {'identity-service': KEYSTONE, **({'shared-db': DATABASE} if said['database'] else {})}
    inputs = state.Inputs(
        site=relations.Site(unit=UNIT, leader=True, address=said['address']),
        facts=facts.read(),
        relations={
            name: (relations.Relation(id=i, name=name, app=name, units={f'{name}/0': bag}),)
            for i, (name, bag) in enumerate(bags.items())
        },
        options=options.read(kind.declared_options(), said['options'], {}).values,
        peers={**{name: f'secret:{name}' for name in kind.spec.chosen}, **said['peers']},
        secrets={f'secret:{name}': {'value': 'v' * 32} for name in kind.spec.chosen},
        now=machine.now(),
        unit_secret='u' * 48,
        fresh='f' * 64,
    )

    def run(why: charmkit.Why, known: state.Inputs) -> state.Desired:
        return api.run(kind.spec, why, known)

    driven = drive.drive(machine, run, charmkit.Hook('config-changed'), inputs)
    desired = driven.desired
    out = {
        'steps': [str(s) for s in driven.steps],
        'failed': dict(driven.inputs.failed),
        'status': [dataclasses.asdict(s) for s in desired.status],
        'version': desired.version,
        'peers': {'schema': desired.app_data.get('peers', {}).get('schema', '')},
    }
    print(json.dumps(out))


main()
