"""Has a DNS server take an update (RFC 2136), by the program of that name, signed with a key (TSIG, RFC 8945)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from charmkit.machine import Finished, Machine

PACKAGE = 'bind9-dnsutils'
_PROGRAM_S = 6
"""How long the program itself gives an update."""
_PATIENCE_S = 20.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Update:
    """Have the server take each of the messages. Result: '' when it did, else why it did not take one, the first."""

    server: str
    port: int
    messages: tuple[str, ...]
    """Commands of the program, those of one zone each."""
    key_name: str
    algorithm: str
    key: str = dataclasses.field(repr=False)
    """In base64. It is passed on standard input, where no other process sees it."""
    name: str = 'dns-update'

    def carry_out(self, machine: Machine) -> str:
        """Send them, by *machine*."""
        argv = ('nsupdate', '-t', str(_PROGRAM_S), '-u', '2', '-r', '2')
        refused: list[str] = []
        for message in self.messages:
            script = '\n'.join((*self._begin(), message, 'send', ''))
            done = machine.program(*argv, stdin=script, timeout_s=_PATIENCE_S)
            if done.status:
                refused.append(said(done, self.key))
            if done.status == -1 or (done.status and 'timed out' in done.output):
                break  # Nor would it answer for another zone.
        return refused[0] if refused else ''

    def _begin(self) -> Iterable[str]:
        yield f'server {self.server} {self.port}'
        yield f'key {self.algorithm}:{self.key_name} {self.key}'


def said(done: Finished, key: str) -> str:
    """Why the update was not taken, in one line; without the key. Pure."""
    lines = [line.strip(' ;') for line in done.output.replace(key, '…').splitlines()]
    words = '; '.join(dict.fromkeys(line for line in lines if line))
    if done.status == -1:
        words = f'no answer within {_PATIENCE_S:.0f} s'
    shown = ''.join(c if c.isprintable() else ' ' for c in words[-200:])
    return shown or f'nsupdate ended with {done.status}'
