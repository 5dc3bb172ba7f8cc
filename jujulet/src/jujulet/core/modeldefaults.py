"""What models get that are made later: by cloud and by region, as ``juju model-defaults`` has it. Pure.

Source: cmd/juju/model/defaultscommand.go and environs/config of Juju 3.6.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from . import modelconfig
from .model import Model, Space

Kept = Mapping[str, Mapping[str, Any]]
"""Options by where they hold: ``''`` for every cloud, ``processes``, ``localhost/localhost``."""


def check(options: Mapping[str, Any]) -> dict[str, Any]:
    """*options* with the types that they have in a model. Raises Refused for what no model could have."""
    empty = Model(uuid='', name='', spaces={'alpha': Space('alpha', '')})
    return dict(modelconfig.update(empty, options, ()).config)


def changed(kept: Kept, where: str, options: Mapping[str, Any], reset: tuple[str, ...]) -> Kept:
    """*kept* with *options* set in one place, and those of *reset* no more."""
    here = {name: value for name, value in kept.get(where, {}).items() if name not in reset}
    after = {**kept, where: {**here, **options}}
    return {place: values for place, values in after.items() if values}


def inherited(kept: Kept, cloud: str, region: str = 'localhost') -> dict[str, Any]:
    """What a model of a cloud begins with."""
    places = ('', cloud, f'{cloud}/{region}')
    return {name: value for place in places for name, value in kept.get(place, {}).items()}


def source(kept: Kept, cloud: str, name: str, value: Any) -> str:
    """Where the value of an option that a model has comes from: ``model``, ``controller`` or ``region``."""
    of_region = kept.get(f'{cloud}/localhost', {})
    if name in of_region:
        return 'region' if of_region[name] == value else 'model'
    return 'controller' if inherited(kept, cloud).get(name, _NOTHING) == value else 'model'


_NOTHING = object()


@dataclasses.dataclass(frozen=True)
class Default:
    """One option: what Juju has for it, what the user has, and what in regions."""

    default: Any = None
    controller: Any = None
    regions: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])


def shown(kept: Kept, cloud: str) -> dict[str, Default]:
    """Every option that has a default for a cloud (``''``: for any)."""
    of_cloud = {**kept.get('', {}), **kept.get(cloud, {})}
    regions = {
        place.partition('/')[2]: values
        for place, values in kept.items()
        if '/' in place and cloud in ('', place.partition('/')[0])
    }
    names = {*modelconfig.DEFAULTS, *of_cloud, *(n for values in regions.values() for n in values)}
    return {
        name: Default(
            modelconfig.DEFAULTS.get(name),
            of_cloud.get(name),
            {r: values[name] for r, values in regions.items() if name in values},
        )
        for name in sorted(names)
    }
