"""Runs in a machine: bring its bridges to what a charm wants; say what came of it as JSON.

`python3 bridges_on_machine.py GIVEN.json`: the address by which the unit is reached, the one on the network `external`,
and options.
"""

from __future__ import annotations

import json
import pathlib
import sys

from charmkit import apply, drive, facts, host, openvswitch, relations, state

given = json.loads(pathlib.Path(sys.argv[1]).read_text())
inputs = state.Inputs(
    site=relations.Site(
        unit='gateway/0',
        leader=True,
        address=given['address'],
        addresses={'external': given['external']},
    ),
    facts=facts.read(),
    options={'bridge-mappings': 'physnet1:br-ex', 'data-port': '', **given.get('options', {})},
)
bridges = openvswitch.decide(inputs, {'br-ex': 'external'}, reached_by=('amqp',))
wanted = host.merge(
    openvswitch.desired(bridges, ('neutron-openvswitch-agent',)),
    host.Host(services=(host.SystemdService(openvswitch.SERVICE),)),
)
outcome = drive.reconcile(apply.LocalMachine('bridges'), wanted)
said = {
    'steps': [str(s) for s in outcome.steps],
    'failed': dict(outcome.failed),
    'troubles': list(bridges.troubles),
    'userspace': bridges.userspace,
}
print(json.dumps(said))
