"""The ``nova-ceilometer`` interface: an agent beside a nova-compute, and what nova-compute is to do for it.

Source: the interface that Charmed OpenStack's charms ceilometer-agent and nova-compute speak. The agent, a subordinate
(endpoint ``nova-ceilometer``, container scope), provides it and alone speaks: ``subordinate_configuration`` for the
service ``nova`` (:mod:`charmkit.relations.subordinate`).
"""

from __future__ import annotations

from . import Need, subordinate

RELATION = 'nova-ceilometer'
"""The endpoint's name, on both sides."""
SERVICE = 'nova'
CONF = '/etc/nova/nova.conf'


def sections() -> Need[tuple[subordinate.Contribution, ...]]:
    """What agents have for nova-compute's files."""
    return subordinate.need(RELATION, SERVICE)


def databag(sections: subordinate.Sections, **more: str) -> dict[str, str]:
    """What an agent says to nova-compute: *sections* of its files, and *more*, of :func:`subordinate.extras`."""
    return {subordinate.KEY: subordinate.configuration(SERVICE, sections), **more}
