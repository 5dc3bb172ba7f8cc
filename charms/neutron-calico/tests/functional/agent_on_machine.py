"""Runs in the container: one run of the charm on this machine, without Juju. Not a test.

`agent_on_machine.py`: what etcd says (`etcd`), what earlier runs kept (`memory`), and the `hook`, as JSON on the
standard input; the resource is `/opt/agent.whl`.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
from typing import Any

import charm
import charmkit
import dhcp_agent
from charmkit import api, apply, drive, facts, options, relations, state
from charmkit.calico import library, store

UNIT = 'neutron-calico/0'
SPEC = charm.NeutronCalicoCharm.spec


def run(why: charmkit.Why, inputs: state.Inputs) -> state.Desired:
    """As the charm decides."""
    if why.removing:
        return charmkit.Desired(host=dhcp_agent.cleared(inputs))
    return api.run(SPEC, why, inputs)


def main() -> None:
    """One run, decided again when something came to light, as the charm does."""
    said: dict[str, Any] = json.load(sys.stdin)
    machine = apply.LocalMachine(UNIT)
    etcd = relations.Relation(
        id=1, name=store.RELATION, app='etcd', units={'etcd/0': said['etcd']}
    )
    compute = relations.Relation(id=2, name='neutron-plugin', app='nova-compute')
    declared = charm.NeutronCalicoCharm.declared_options()
    inputs = state.Inputs(
        site=relations.Site(unit=UNIT, leader=True, address='127.0.0.1'),
        facts=facts.read(),
        relations={store.RELATION: (etcd,), 'neutron-plugin': (compute,)},
        options=options.read(declared, {o.name: o.default for o in declared}, {}).values,
        resources={library.RESOURCE: state.Resource(pathlib.Path('/opt/agent.whl').read_bytes())},
        memory=said.get('memory', {}),
        now=machine.now(),
        unit_secret='u' * 48,
        fresh='f' * 64,
    )
    driven = drive.drive(machine, run, charmkit.Hook(said['hook']), inputs)
    out = {
        'steps': [str(s) for s in driven.steps],
        'status': [dataclasses.asdict(s) for s in driven.desired.status],
        'told': dict(driven.desired.unit_data.get(2, {})),
        'memory': {**inputs.memory, **driven.desired.memory},
    }
    print(json.dumps(out))


if __name__ == '__main__':
    main()
