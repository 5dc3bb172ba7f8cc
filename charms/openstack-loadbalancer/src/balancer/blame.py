"""Whose fault it is that haproxy does not take a configuration, or does not come up with it. Pure.

What haproxy's own check refuses is tried in parts (:class:`tasks.Trial`): the options by
themselves, and each relation by itself. What passes the check and still cannot be loaded is put
down to what is new since the configuration that was last in force. Who is found guilty is left
out, by name and with haproxy's words, until it says something else, or an hour has passed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, cast

from charmkit import Inputs, host
from charmkit.proxy import haproxy
from charmkit.relations import Relation, wire

from . import behaviour, decision, files, interface, layout, tasks

GUILTY, IN_FORCE = 'guilty', 'in-force'
"""Names in the unit's memory: who was left out and why, and what the configuration in force was made of."""
AGAIN_S = 3600.0
"""After so many seconds what could not be used is tried again: the fault may have been elsewhere."""
_OPTIONS = 'options'


def verdict(inputs: Inputs) -> tasks.Verdict:
    """What this run has concluded so far; nothing, as long as it has not."""
    found = inputs.seen.get('verdict')
    return found if isinstance(found, tasks.Verdict) else tasks.Verdict(guilty={})


def findings(
    known: decision.RunInputs, now: decision.Decision, inputs: Inputs
) -> tasks.Trial | tasks.Alerts | tasks.Verdict | None:
    """What is to be found out, or concluded, before this run can go on; None when nothing is."""
    if 'verdict' in inputs.seen:
        return None
    if haproxy.CONFIG in inputs.refused:
        tried = inputs.seen.get('trial')
        if not isinstance(tried, tasks.Tried):
            return trial(known, now)
        guilty = {
            i: f'haproxy refuses it ({haproxy.CONFIG}): {said}'
            for i, said in tried.relations.items()
            if said
        }
        if tried.options:
            return tasks.Verdict(guilty={}, options=_of_options(tried.options))
        if guilty:
            return tasks.Verdict(guilty=guilty)
        return _by_novelty(known, inputs, tasks.words(inputs.refused[haproxy.CONFIG]))
    if 'haproxy' in inputs.failed:
        alerts = inputs.seen.get('alerts')
        if not isinstance(alerts, tuple):
            return tasks.Alerts(since=inputs.now)
        return _not_loaded(known, now, inputs, cast('tuple[str, ...]', alerts))
    return None


def trial(known: decision.RunInputs, now: decision.Decision) -> tasks.Trial:
    """The parts of a configuration, each by itself."""
    requests = [a for a in now.asked if isinstance(a, interface.Request)]

    def rendered(what: layout.Layout) -> haproxy.Rendered:
        part = dataclasses.replace(now, layout=what, wants={})
        return files.rendered(known, part)

    sample = interface.Request(
        relation=0,
        app='options',
        version=2,
        endpoints=tuple(
            interface.Endpoint(
                service=f'option-{number}',
                type=key,
                port=20_000 + number,
                types=now.opts.exposure.types,
                behaviour=behaviour.of_type(key),
            )
            for number, key in enumerate(now.opts.exposure.service_options)
        ),
        servers=(),
        lifecycles={},
    )
    plain = dataclasses.replace(
        now.around,
        listeners=(),
        exposure=dataclasses.replace(now.opts.exposure, service_options={}),
    )
    return tasks.Trial(
        options=rendered(layout.lay_out([sample], dataclasses.replace(now.around, listeners=()))),
        relations={r.relation: rendered(layout.lay_out([r], plain)) for r in requests},
    )


def remembered(inputs: Inputs, options: Mapping[str, Any]) -> dict[int, str]:
    """Who was found guilty by an earlier run and has said nothing else since."""
    kept = cast('Mapping[str, Any]', inputs.memory.get(GUILTY) or {})
    said = {str(r.id): digest(r, options) for r in _relations(inputs)}
    return {
        int(i): str(x['reason'])
        for i, x in kept.items()
        if said.get(i) == x['digest'] and inputs.now - float(x['at']) < AGAIN_S
    }


def memory(known: decision.RunInputs, inputs: Inputs, *, in_force: bool) -> dict[str, Any]:
    """What later runs are to know."""
    before = cast('Mapping[str, Any]', inputs.memory.get(GUILTY) or {})
    raw = known.effective.raw
    there = {r.id: r for r in _relations(inputs)}
    guilty = {
        str(i): {
            'reason': reason,
            'digest': digest(there[i], raw),
            'at': before.get(str(i), {}).get('at', inputs.now)
            if i not in verdict(inputs).guilty
            else inputs.now,
        }
        for i, reason in known.guilty.items()
        if i in there
    }
    if not in_force:
        return {GUILTY: guilty}
    return {GUILTY: guilty, IN_FORCE: made_of(known, inputs)}


def made_of(known: decision.RunInputs, inputs: Inputs) -> dict[str, str]:
    """What a configuration is made of: a digest by relation, and one of the options."""
    raw = known.effective.raw
    parts = {str(r.id): digest(r, raw) for r in _relations(inputs) if r.id not in known.guilty}
    return {**parts, _OPTIONS: host.digest(wire.dump(dict(raw)))}


def digest(relation: Relation, options: Mapping[str, Any]) -> str:
    """Stands for all of *relation* that its part of the configuration is made of."""
    units = {u: bag.get('endpoints', '') for u, bag in relation.units.items()}
    return host.digest(wire.dump([dict(relation.app_data), units, dict(options)]))


def _not_loaded(
    known: decision.RunInputs, now: decision.Decision, inputs: Inputs, alerts: tuple[str, ...]
) -> tasks.Verdict:
    """Who is at fault when a configuration passes the check and cannot be loaded: who is named, or else who is new."""
    named: dict[int, str] = {}
    for (relation, _, _), frontend in now.layout.published.items():
        for said in alerts:
            # All of its name: `nova.public` is in `my-nova.public` too.
            if re.search(rf'(?<![a-z0-9.-]){re.escape(frontend)}[: ]', said):
                named[relation] = f'haproxy did not come up with it: {said}'
    if named:
        return tasks.Verdict(guilty=named)
    return _by_novelty(known, inputs, alerts[-1] if alerts else inputs.failed['haproxy'])


def _by_novelty(known: decision.RunInputs, inputs: Inputs, said: str) -> tasks.Verdict:
    before = cast('Mapping[str, str]', inputs.memory.get(IN_FORCE) or {})
    if not before:
        return tasks.Verdict(guilty={})
    now = made_of(known, inputs)
    if now[_OPTIONS] != before.get(_OPTIONS):
        return tasks.Verdict(guilty={}, options=_of_options(said))
    new = [i for i, x in now.items() if i != _OPTIONS and before.get(i) != x]
    return tasks.Verdict(guilty={int(i): f'haproxy did not come up with it: {said}' for i in new})


def _of_options(said: str) -> str:
    return f'haproxy refuses the options ({haproxy.CONFIG}): {said}'


def _relations(inputs: Inputs) -> tuple[Relation, ...]:
    return tuple(r for name in decision.ENDPOINTS for r in inputs.of(name))
