"""The ``mount_info`` interface: a subordinate mounts a shared filesystem where its principal wants it.

Source: the interface between Charmed HPC's ``filesystem-client`` and the charms that it mounts for
(its library ``mount_info``, version 0). The principal's leader writes the mount point and the
options, each value as JSON, into its application's databag. The subordinate on each unit writes
``mounted`` into its own, ``true`` while the filesystem is there. What is mounted is none of the
principal's business: NFS, CephFS or another, by whichever charm the subordinate is related to.
"""

from __future__ import annotations

import dataclasses

from . import Databag, Need, Site, first, wire


@dataclasses.dataclass(frozen=True)
class Mount:
    """A shared filesystem, mounted on this unit."""

    path: str


def need(relation: str, path: str) -> Need[Mount]:
    """A shared filesystem at *path*; a unit serves without one as long as none is related."""

    def request(_: Site) -> Databag:
        return {}

    def request_app(_: Site) -> Databag:
        wanted = {'mountpoint': path, 'nodev': True, 'noexec': True, 'nosuid': True}
        return {k: wire.dump(v) for k, v in {**wanted, 'read_only': False}.items()}

    def parse(bag: Databag, _: Site) -> Mount | None:
        return Mount(path) if bag.get('mounted') == 'true' else None

    return Need(relation, request, first(parse), path, request_app, optional=True, lapses=True)
