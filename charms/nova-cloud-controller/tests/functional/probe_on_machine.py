"""Runs in the container: what a compute node's charm finds of the node in nova and placement, as JSON. Not a test.

`probe_on_machine.py ADDRESS HOST WAIT_S MAPPED...`: how long it waits for what comes by itself, and the services that
its controller says are mapped.
"""

from __future__ import annotations

import dataclasses
import json
import sys

import node_status
from charmkit import apply, keystone


def main(address: str, host: str, wait_s: str, *mapped: str) -> None:
    """Probe once."""
    node_status.WAIT_S = float(wait_s)
    url = f'http://{address}:5000/v3'
    identity = keystone.Identity(
        auth_url=url,
        public_url=url,
        username='nova',
        project='services',
        domain='service_domain',
        password='pw',
    )
    probe = node_status.ProbeNode(host, host, identity, frozenset(mapped))
    found = probe.carry_out(apply.LocalMachine('nova-compute/0'))
    print(json.dumps({**dataclasses.asdict(found), 'serves': found.serves}))


if __name__ == '__main__':
    main(*sys.argv[1:])
