"""Runs in the container: one run of the charm on this machine, without Juju.

What Juju would say comes as JSON on the standard input; what was done and decided goes to the standard output.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
from typing import Any

import charm
import charmkit
from charmkit import api, apply, drive, facts, options, relations, state

UNIT = 'nova-cloud-controller/0'
PREFIXES = ('nova', 'novaapi', 'novacell0')


def main() -> None:
    """One run, decided again when something came to light, as the charm does."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    said = json.load(sys.stdin)
    spec = charm.NovaCloudControllerCharm.spec
    spec_options = charm.NovaCloudControllerCharm.declared_options()
    machine = apply.LocalMachine(UNIT)
    inputs = state.Inputs(
        site=relations.Site(unit=UNIT, leader=True, address=said['address']),
        facts=facts.read(),
        relations=_relations(said),
        options=options.read(spec_options, said.get('options', {}), {}).values,
        peers=said.get('peers', {}),
        now=machine.now(),
        unit_secret='u' * 48,
        fresh='f' * 64,
    )

    def run(why: charmkit.Why, known: state.Inputs) -> state.Desired:
        return api.run(spec, why, known)

    driven = drive.drive(machine, run, charmkit.Hook('config-changed'), inputs)
    desired = driven.desired
    shown = (*desired.status, *state.troubles(driven.inputs, desired.status))
    out: dict[str, Any] = {
        'steps': [str(s) for s in driven.steps],
        'failed': dict(driven.inputs.failed),
        'status': [dataclasses.asdict(s) for s in shown],
        'version': desired.version,
        'peers': {k: v for k, v in desired.app_data.get('peers', {}).items() if k == 'schema'},
        'told': dict(desired.unit_data.get(7, {})),
    }
    print(json.dumps(out))


def _relations(said: dict[str, Any]) -> dict[str, tuple[relations.Relation, ...]]:
    keystone = {'protocol': 'http', 'host': said['address'], 'port': '5000'}
    database = {'db_host': said['address']}
    for p in PREFIXES:
        database |= {f'{p}_password': said['db_password'], f'{p}_allowed_units': UNIT}
    bags = {
        'shared-db': database,
        'amqp': {'hostname': said['address'], 'password': 'pw', **said['broker']},
        'identity-service': {
            **{
                f'{r}_{k}': v for r in ('auth', 'service', 'internal') for k, v in keystone.items()
            },
            **{'service_username': 'nova', 'service_password': 'pw'},
            **{'service_tenant': 'services', 'service_domain': 'service_domain'},
        },
        'cloud-compute': said['compute'],
    }
    return {
        name: (relations.Relation(id=4 + i, name=name, app=name, units={f'{name}/0': bag}),)
        for i, (name, bag) in enumerate(bags.items())
    }


if __name__ == '__main__':
    main()
