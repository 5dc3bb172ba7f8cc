"""Runs in the container: one run of the charm on this machine, without Juju.

What Juju would say comes as JSON on the standard input; what was decided goes to the standard output.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import sys

import charm
import charmkit
from charmkit import apply, drive, facts, options, relations, state


def main() -> None:
    """One run, decided again when something came to light, as the charm does."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    said = json.load(sys.stdin)
    kind = charm.CinderNfsCharm
    name = said['relation']
    machine = apply.LocalMachine('cinder-nfs')
    inputs = state.Inputs(
        site=relations.Site(unit=said['unit'], leader=False, address=said['address']),
        facts=facts.read(),
        relations={name: (relations.Relation(id=3, name=name, app='principal'),)},
        options=options.read(kind.declared_options(), said['options'], {}).values,
        peer_units=said['peers'],
        now=machine.now(),
    )

    def run(why: charmkit.Why, known: state.Inputs) -> state.Desired:
        return charm.nfs_run.run(why, known)

    driven = drive.drive(machine, run, charmkit.Hook(said['hook']), inputs)
    desired = driven.desired
    out = {
        'steps': [str(s) for s in driven.steps],
        'failed': dict(driven.inputs.failed),
        'status': [dataclasses.asdict(s) for s in desired.status],
        'peers': dict(desired.unit_data.get('peers', {})),
        'told': dict(desired.unit_data.get(name, {})),
    }
    print(json.dumps(out))


main()
