"""Runs in the container: one run of the charm on this machine, without Juju.

What Juju would say comes as JSON on the standard input; what is to be published goes to the standard output.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

import charm
import charmkit
import keys
import keystone_run
from charmkit import apply, drive, facts, options, relations, state


def main() -> None:
    said = json.load(sys.stdin)
    rings = {f'secret:{name}': {'ring': text} for name, text in said['rings'].items()}
    known = {k.name: keys.load(said['rings'][k.label]) for k in keys.KINDS}
    # As the charm reads them: what will not do is named, and the last good value stays.
    declared = charm.KeystoneCharm.declared_options()
    given = [o for o in declared if o.name in said['options']]
    read = options.read(given, said['options'], said['memory'].get(options.MEMORY, {}))
    inputs = state.Inputs(
        site=relations.Site(
            unit='keystone/0',
            leader=said.get('leader', True),
            address=said['address'],
            addresses={t: said['address'] for t in relations.ENDPOINT_TYPES},
        ),
        facts=facts.read(),
        relations={
            'shared-db': (_database(said['generation'], said.get('db_host', '127.0.0.1')),),
            'identity-service': tuple(_asked(*item) for item in said['asked'].items()),
        },
        options=read.values,
        peers={
            **said['peers'],
            'seed': 'secret:seed',
            **{k.label: f'secret:{k.label}' for k in keys.KINDS},
        },
        secrets={'secret:seed': {'seed': said['seed']}, **rings, **said.get('secrets', {})},
        my_peer_data={name: ring.digest for name, ring in known.items() if ring},
        memory=said['memory'],
        now=said['now'],
        unit_secret='u' * 48,
        fresh=said['fresh'],
    )

    def run(why: charmkit.Why, now: charmkit.Inputs) -> charmkit.Desired:
        return keystone_run.run(charm.KeystoneCharm.spec, why, now)

    why: charmkit.Why = charmkit.Hook(said['hook'], said.get('subject', ''))
    if said.get('action'):
        why = charmkit.Action(said['action'], said.get('params', {}), '1')
    driven = drive.drive(apply.LocalMachine('keystone'), run, why, inputs)
    desired = driven.desired
    out: dict[str, Any] = {
        'steps': [str(s) for s in driven.steps],
        'rings': {label: s.content['ring'] for label, s in desired.secrets.items()},
        'status': [
            *(f'blocked: {words}' for words in read.refused.values()),
            *(f'{s.kind}: {s.message}' for s in desired.status),
        ],
        'peers': dict(desired.app_data.get('peers', said['peers'])),
        'memory': {**said['memory'], **desired.memory, options.MEMORY: dict(read.good)},
        'answers': {str(k): dict(v) for k, v in desired.unit_data.items() if isinstance(k, int)},
        'results': dict(desired.results),
        'failure': desired.failure,
        'done': [
            line
            for seen in driven.inputs.seen.values()
            if dataclasses.is_dataclass(seen)
            for line in getattr(seen, 'done', ())
        ],
    }
    print(json.dumps(out))


def _database(generation: str, db_host: str) -> relations.Relation:
    bag = {
        'db_host': db_host, 'password': 'pw', 'allowed_units': 'keystone/0',
        'generation': generation,
    }  # fmt: skip
    return relations.Relation(id=1, name='shared-db', app='mysql', units={'mysql/0': bag})


def _asked(number: str, bag: dict[str, str]) -> relations.Relation:
    app = f'app{number}'
    return relations.Relation(
        id=int(number), name='identity-service', app=app, units={f'{app}/0': bag}
    )


if __name__ == '__main__':
    main()
