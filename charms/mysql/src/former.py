"""A former server: who still comes by it. An edge."""

from __future__ import annotations

import dataclasses

import charmkit
import relays
import replication
import server

COMING = 'coming'
"""What a former server's :class:`Watch` has found."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Watch:
    """Whose connections still come to the server at *address* by this one, at *here*: their users, sorted.

    The result is a tuple, or None when the server does not say. It waits until there are none, for *most_s* seconds.
    """

    address: str
    here: str
    most_s: float = 0.0
    name: str = COMING

    def carry_out(self, machine: charmkit.Machine) -> tuple[str, ...] | None:
        """Look until nobody comes, or the time is over."""
        ends = machine.now() + self.most_s
        while True:
            found = self._look(machine)
            if found == () or machine.now() >= ends:
                return found
            machine.sleep(2.0)

    def _look(self, machine: charmkit.Machine) -> tuple[str, ...] | None:
        sql = (
            'SELECT DISTINCT user, host FROM information_schema.processlist '  # noqa: S608 -- our own names
            f'WHERE user NOT IN ({relays.OURS});'
        )
        try:
            rows = replication.over_there(machine, self.address, sql)
        except server.ServerError:
            return None
        return tuple(
            sorted({r['user'] for r in rows if r['host'].rpartition(':')[0] == self.here})
        )
