"""Options that only the service itself can judge: what it would not come up with gives way to what it last did. Pure.

Their form is checked (:mod:`charmkit.options`); what their words mean is not known here. A service's trial finds it,
and puts its last good files back. With the option as it stands, those would stay for as long: a rotated password, a
certificate or another address could not be taken up any more. So the rest of the run goes on with the last value that
was proven.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, cast

from . import host, options, state
from .drive import Driven, RunFunction
from .why import Why

MEMORY, STRUCK = 'options-proven', 'options-refused-by-service'
"""Names in the unit's memory: the values that services came up with, and those that they did not."""
AGAIN_S = 3600.0
"""After so many seconds such a value is tried again: the fault may have been elsewhere."""


def held(declared: Iterable[options.Option], inputs: state.Inputs) -> state.Inputs:
    """*inputs* without what an earlier run has found not to do, while it stands there unchanged."""
    known = _kept(inputs, MEMORY)
    struck = {
        o.name: dict(cast('Mapping[str, Any]', found))
        for o in declared
        if (found := _kept(inputs, STRUCK).get(o.name))
        and o.name in known
        and found['digest'] == _digest(inputs.options.get(o.name))
        and 0 <= inputs.now - float(found['at']) < AGAIN_S
    }
    # Of several that were found together, the one that is another now may have been the fault.
    whole = {n: s for n, s in struck.items() if struck.keys() >= set(s.get('together', ()))}
    return _without(whole, inputs)


def suspects(declared: Iterable[options.Option], driven: Driven) -> tuple[str, ...]:
    """The options that may be why a service did not come up: those with another value than the proven one."""
    if not driven.inputs.failed:
        return ()
    known = _kept(driven.inputs, MEMORY)
    said = driven.inputs.options
    return tuple(o.name for o in declared if o.name in known and said.get(o.name) != known[o.name])


def without(names: Iterable[str], inputs: state.Inputs, driven: Driven) -> state.Inputs:
    """*inputs* with the proven values of *names*, since a service did not come up in the run that was *driven*."""
    names = tuple(names)
    said = next(iter(driven.inputs.failed.values()))
    for end in ('; its last good files', '; the old processes'):
        said = said.partition(end)[0]
    which = ' and '.join(f'option {name}' for name in names)
    stays = 'its last good value is' if len(names) == 1 else 'their last good values are'
    found = {
        name: {
            'digest': _digest(inputs.options.get(name)),
            'reason': f'{which}: {said}; {stays} in force',
            'at': inputs.now,
            'together': list(names),
        }
        for name in names
    }
    return _without({**_kept(inputs, STRUCK), **found}, inputs)


def memory(
    declared: Iterable[options.Option], driven: Driven, run: RunFunction, why: Why
) -> dict[str, Any]:
    """What later runs are to know."""
    inputs = driven.inputs
    known = dict(_kept(inputs, MEMORY))
    waits = any(s.on_change == 'hold' for s in driven.desired.host.services)
    # What a paused unit still runs (libvirt, say) proves nothing for what it does not.
    paused = bool(driven.desired.memory.get(state.PAUSED))
    if not (inputs.failed or inputs.refused or inputs.unrun or waits or paused):
        for option in declared:
            value = inputs.options.get(option.name, option.default)
            if known.get(option.name) != value and _is_used(option, driven, run, why):
                known[option.name] = value
    out = {MEMORY: known, STRUCK: dict(_kept(inputs, STRUCK))}
    return {name: found for name, found in out.items() if found or _kept(inputs, name)}


def _is_used(option: options.Option, driven: Driven, run: RunFunction, why: Why) -> bool:
    """Whether something that runs reads it.

    Before its relations are there, or while it waits for another unit's migration, a service takes up nothing.
    """
    if driven.inputs.options.get(option.name, option.default) == option.default:
        return True
    default = {**driven.inputs.options, option.name: option.default}
    other = run(why, dataclasses.replace(driven.inputs, options=default)).host
    ours = driven.desired.host
    running = [s.name for s in ours.services if s.state == 'running']
    return any(other.config_digest(name) != ours.config_digest(name) for name in running)


def _without(struck: Mapping[str, Mapping[str, Any]], inputs: state.Inputs) -> state.Inputs:
    known = _kept(inputs, MEMORY)
    before = _kept(inputs, STRUCK)
    if not struck and not before:
        return inputs
    reasons = dict.fromkeys(str(s['reason']) for s in struck.values())
    return dataclasses.replace(
        inputs,
        options={**inputs.options, **{name: known[name] for name in struck}},
        refused_options={**inputs.refused_options, **{f'service {r}': r for r in reasons}},
        memory={**inputs.memory, STRUCK: struck},
    )


def _kept(inputs: state.Inputs, name: str) -> Mapping[str, Any]:
    return cast('Mapping[str, Any]', inputs.memory.get(name) or {})


def _digest(value: object) -> str:
    return host.digest(repr(value))
