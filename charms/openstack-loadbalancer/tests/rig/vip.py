"""A load balancer unit with a VIP, without Juju: applies what the charm decides, once.

usage: vip.py '{"unit": "lb/0", "interface": "eth0", "vips": ["10.0.0.250"],
                "addresses": {"10.0.0.2": "10.0.0.0/24"}, "peers": {"lb/1": ["10.0.0.3"]},
                "said": {"lb/1": {}}, "memory": {}, "action": "drain-self"}'

The last three may be left out: what the others say beside their addresses, what the unit remembers, and the action.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

from balancer import reply, run
from charmkit import apply, drive, state
from charmkit.proxy import vip_admission
from charmkit.relations import Network, Relation, Site, loadbalancer
from charmkit.why import Action, Hook

BACKEND = '10.99.0.1'
plan = json.loads(sys.argv[1])
own = tuple(plan['addresses'])
serve = pathlib.Path(__file__).parents[1] / 'api' / 'src' / 'serve.py'
subprocess.run(['ip', 'address', 'replace', f'{BACKEND}/32', 'dev', 'lo'], check=True)
subprocess.run(
    ['systemd-run', '--unit=serve', sys.executable, serve, BACKEND, '9000', plan['unit']],
    check='said' not in plan,  # It may run already.
)
service = loadbalancer.Api(name='keystone', type='identity', frontend_port=5000, backend_port=9000)
ready = loadbalancer.Lifecycle(state='ready', token='t')
backend = Relation(
    id=1,
    name='backend',
    app='keystone',
    app_data=loadbalancer.app_request([service], 'public'),
    units={
        'keystone/0': {
            'ingress-address': BACKEND,
            **loadbalancer.unit_request([service], 'public', [BACKEND], ready),
        }
    },
)
machine = apply.LocalMachine('rig')
inputs = state.Inputs(
    site=Site(
        unit=plan['unit'],
        leader=True,
        address=own[0],
        networks={
            'public': tuple(Network(plan['interface'], a, n) for a, n in plan['addresses'].items())
        },
    ),
    facts=state.Facts(
        base='debian@12',
        # What stands for a service behind is on this machine, and is not to show.
        interfaces={a: i for a, i in machine.facts().interfaces.items() if a != BACKEND},
    ),
    relations={'backend': (backend,)},
    peer_units={
        u: {
            **reply.write_member(
                reply.Member(
                    addresses={'public': tuple(a)},
                    vrrp=vip_admission.Said(
                        advertises_to=frozenset({plan['unit']}), takes_part=True
                    ),
                )
            ),
            **plan.get('said', {}).get(u, {}),
        }
        for u, a in plan['peers'].items()
    },
    memory=plan.get('memory', {}),
    options={'vip': ' '.join(plan['vips'])},
    now=machine.now(),
)
named = plan.get('action')
why = Action(named) if named else Hook('config-changed')
done = drive.drive(machine, run.run, why, inputs)
print(
    json.dumps(
        {
            'steps': [str(s) for s in done.steps],
            'memory': done.desired.memory,
            'says': done.desired.unit_data.get('peers', {}),
            'status': [s.message for s in done.desired.status],
            'failure': done.desired.failure,
        }
    )
)
sys.exit(1 if done.inputs.failed else 0)
