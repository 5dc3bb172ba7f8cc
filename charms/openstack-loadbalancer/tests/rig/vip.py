"""A load balancer unit with a VIP, without Juju: applies what the charm decides, once.

usage: vip.py '{"unit": "lb/0", "address": "10.0.0.2", "interface": "eth0", "network": "10.0.0.0/24",
                "vip": "10.0.0.250", "peers": {"lb/1": "10.0.0.3"}, "options": {}}'
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

from balancer import answer, decision, vrrp

from charmkit import apply, state
from charmkit.relations import Relation, Site, loadbalancer

plan = json.loads(sys.argv[1])
serve = pathlib.Path(__file__).parents[1] / 'api' / 'src' / 'serve.py'
subprocess.run(
    ['systemd-run', '--unit=serve', sys.executable, serve, plan['address'], '9000', plan['unit']],
    check=True,
)
service = loadbalancer.Service(
    name='keystone', type='identity', frontend_port=5000, backend_port=9000
)
ready = loadbalancer.Lifecycle(state='ready', token='t')
units = {'keystone/0': plan['address']}
backend = Relation(
    id=1,
    name='backend',
    app='keystone',
    app_data=loadbalancer.app_request([service], 'public'),
    units={
        u: loadbalancer.unit_request([service], 'public', [a], ready) for u, a in units.items()
    },
)
inputs = state.Inputs(
    site=Site(unit=plan['unit'], leader=True, address=plan['address']),
    relations={'backend': (backend,)},
    peer_units={
        u: answer.write_member(answer.Member(addresses={'public': (a,)}))
        for u, a in plan['peers'].items()
    },
    options={'vip': plan['vip'], **plan.get('options', {})},
    versions={'haproxy': '', 'keepalived': ''},
)
interface = vrrp.Interface(
    name=plan['interface'], address=plan['address'], network=plan['network']
)
known = decision.Known(inputs=inputs, networks={'public': (interface,)}, metrics_addresses=())
done = apply.reconcile(apply.LocalMachine('rig'), decision.decide(known).host)
print(json.dumps([str(s) for s in done.steps]))
sys.exit(1 if done.failed else 0)
