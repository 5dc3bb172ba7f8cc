"""Run one pass of the core of an API charm, or of an agent's, on the machine that this runs on, without Juju.

`python3 on_machine.py CHARM.py INPUTS.json`: the inputs hold relation data as Juju would show it;
prints what was done and what was decided as JSON. Started by the functional tests in a container.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import logging
import pathlib
import sys
from collections.abc import Iterable
from typing import Any

from charmkit import api, apply, drive, facts, front, options, relations, state, why


def load(path: str) -> type[api.ApiCharm] | type[api.AgentCharm]:
    """The charm's class, from its file."""
    sys.path.insert(0, str(pathlib.Path(path).parent))
    spec = importlib.util.spec_from_file_location('charm', path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return next(
        x
        for x in vars(module).values()
        if isinstance(x, type)
        and issubclass(x, api.ApiCharm | api.AgentCharm)
        and x not in (api.ApiCharm, api.AgentCharm)
    )


def inputs(
    given: dict[str, Any], machine: apply.LocalMachine, declared: Iterable[options.Option]
) -> state.Inputs:
    """Inputs for one run, where *given* says what differs from a lone leader with no option set."""
    defaults = {option.name: option.default for option in declared}
    found = {
        name: (relations.Relation(id=i, name=name, app=name, units={f'{name}/0': bag}),)
        for i, (name, bag) in enumerate(given['relations'].items())
    }
    unit = given['unit']
    return state.Inputs(
        site=relations.Site(
            unit=unit,
            leader=given.get('leader', True),
            address=given['address'],
            networks={
                binding: tuple(relations.Network(*n) for n in networks)
                for binding, networks in given.get('networks', {}).items()
            },
        ),
        facts=facts.read(),
        relations=found,
        options={**defaults, **given.get('options', {})},
        memory={front.PAUSED: given.get('paused', False), **given.get('memory', {})},
        now=machine.now(),
        peers=given.get('peers', {}),
        versions=given.get('versions', {}),
        unit_secret=machine.unit_secret(unit),
        fresh='f' * 64,
    )


def main() -> None:
    """One run, decided again when versions changed, as the charm does."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    charm = load(sys.argv[1])
    given = json.loads(pathlib.Path(sys.argv[2]).read_text())
    machine = apply.LocalMachine(charm.spec.name)

    def run(reason: why.Why, found: state.Inputs) -> state.Desired:
        return api.run(charm.spec, reason, found)

    known = inputs(given, machine, charm.declared_options())
    driven = drive.drive(machine, run, why.Hook('config-changed'), known)
    desired = driven.desired
    print(
        json.dumps(
            {
                'steps': [str(s) for s in driven.steps],
                'failed': dict(driven.inputs.failed),
                'status': [dataclasses.asdict(s) for s in desired.status],
                'version': desired.version,
                'versions': dict(driven.inputs.versions),
                'peers': dict(desired.app_data.get('peers', {})),
                'memory': dict(desired.memory),
            }
        )
    )


if __name__ == '__main__':
    main()
