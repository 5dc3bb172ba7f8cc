"""A load balancer unit with a VIP, without Juju: applies what the charm decides, once.

usage: vip.py '{"unit": "lb/0", "interface": "eth0", "vips": ["10.0.0.250"],
                "addresses": {"10.0.0.2": "10.0.0.0/24"}, "peers": {"lb/1": ["10.0.0.3"]}}'
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

from balancer import answer, decision, vrrp
from charmkit import apply, drive, state
from charmkit.relations import Relation, Site, loadbalancer

plan = json.loads(sys.argv[1])
own = tuple(plan['addresses'])
serve = pathlib.Path(__file__).parents[1] / 'api' / 'src' / 'serve.py'
subprocess.run(
    ['systemd-run', '--unit=serve', sys.executable, serve, own[0], '9000', plan['unit']],
    check=True,
)
service = loadbalancer.Service(
    name='keystone', type='identity', frontend_port=5000, backend_port=9000
)
ready = loadbalancer.Lifecycle(state='ready', token='t')
backend = Relation(
    id=1,
    name='backend',
    app='keystone',
    app_data=loadbalancer.app_request([service], 'public'),
    units={
        'keystone/0': loadbalancer.unit_request([service], 'public', [own[0]], ready),
    },
)
inputs = state.Inputs(
    site=Site(unit=plan['unit'], leader=True, address=own[0]),
    relations={'backend': (backend,)},
    peer_units={
        u: answer.write_member(answer.Member(addresses={'public': tuple(a)}))
        for u, a in plan['peers'].items()
    },
    options={'vip': ' '.join(plan['vips'])},
    versions={'haproxy': '', 'keepalived': ''},
)
interfaces = tuple(
    vrrp.Interface(name=plan['interface'], address=a, network=n)
    for a, n in plan['addresses'].items()
)
known = decision.Known(inputs=inputs, networks={'public': interfaces}, metrics_addresses=())
done = drive.reconcile(apply.LocalMachine('rig'), decision.decide(known).host)
print(json.dumps([str(s) for s in done.steps]))
sys.exit(1 if done.failed else 0)
