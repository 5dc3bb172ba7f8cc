"""Runs in the container: brings the machine to what the charm's pure core wants, without Juju.

What Juju would say comes as JSON on the standard input; what was done goes to the standard output.
"""

from __future__ import annotations

import json
import sys

import charm
import charmkit
import identity
import keys
from charmkit import apply, drive, facts, relations, state


def main() -> None:
    said = json.load(sys.stdin)
    address: str = said['address']
    database = relations.Relation(
        id=1,
        name='shared-db',
        app='mysql',
        units={
            'mysql/0': {
                'db_host': '127.0.0.1', 'password': 'pw', 'allowed_units': 'keystone/0',
            }
        },
    )  # fmt: skip
    rings = {f'secret:{name}': {'ring': text} for name, text in said['rings'].items()}
    known = {k.name: keys.load(said['rings'][k.label]) for k in keys.KINDS}
    inputs = state.Inputs(
        site=relations.Site(
            unit='keystone/0',
            leader=True,
            address=address,
            addresses={t: address for t in relations.ENDPOINT_TYPES},
        ),
        facts=facts.read(),
        relations={'shared-db': (database,)},
        peers={'seed': 'secret:seed', **{k.label: f'secret:{k.label}' for k in keys.KINDS}},
        secrets={'secret:seed': {'seed': said['seed']}, **rings},
        my_peer_data={name: ring.digest for name, ring in known.items() if ring},
        unit_secret='u' * 48,
        fresh=said['fresh'],
    )

    def run(why: charmkit.Why, known: charmkit.Inputs) -> charmkit.Desired:
        return identity.desired_state(charm.KeystoneCharm.spec, why, known, said.get('due', ()))

    machine = apply.LocalMachine('keystone')
    driven = drive.drive(machine, run, charmkit.Hook('config-changed'), inputs)
    desired = driven.desired
    secrets = {label: secret.content['ring'] for label, secret in desired.secrets.items()}
    status = [f'{s.kind}: {s.message}' for s in desired.status]
    done = [str(s) for s in driven.steps]
    print(json.dumps({'steps': done, 'rings': secrets, 'status': status}))


if __name__ == '__main__':
    main()
