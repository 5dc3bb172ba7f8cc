"""Whether a compute node is there that nova would not start beside: each release bears those of a few before. Pure.

Conductor, scheduler and API refuse to start while there is the record of an older one, unless they are told that such
an upgrade is under way (``[workarounds] disable_compute_service_check_for_ffu``). Source: nova's ``objects/service.py``
(``OLDEST_SUPPORTED_SERVICE_VERSION``).
"""

from __future__ import annotations

import charmkit
from charmkit import conf, migration, releases
from charmkit.relations import nova, running

OLDEST = {
    'caracal': 'antelope',
    'dalmatian': 'caracal',
    'epoxy': 'caracal',
    'flamingo': 'epoxy',
    'gazpacho': 'epoxy',
}
"""By the controller's release: the oldest one that a compute node may be of."""


def settings(ready: charmkit.Ready) -> conf.Ini:
    """What goes into nova.conf while such a node is there, or may be."""
    if not there(ready):
        return {}
    return {'workarounds': {'disable_compute_service_check_for_ffu': True}}


def there(ready: charmkit.Ready) -> bool:
    """Whether one says so; one that does not say may be as old as what the database still serves."""
    oldest = releases.by_name(OLDEST.get(ready.release.name, ''))
    if oldest is None:
        return False
    said = {
        running.read(bag).release
        for relation in ready.inputs.of(nova.RELATION)
        for bag in relation.units.values()
        if bag.get('hostname')
    }
    known = [r for r in map(releases.by_name, said) if r is not None]
    silent = len(known) < len(said)
    return any(r < oldest for r in known) or (
        silent and migration.oldest(ready.inputs) < oldest.number
    )
