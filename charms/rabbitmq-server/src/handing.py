"""The tasks by which one broker takes another's place. An edge."""

from __future__ import annotations

import dataclasses

import broker
import charmkit
import succession
from charmkit import host

EXPORT, IMPORT, SWITCH, COMING = 'export', 'import', 'switch-over', 'coming'
REST_S = 5
"""Seconds for which publishers are held at most, so that what others wait for is delivered."""
_UNWATCHED_S = 60
"""Seconds after which they go on by themselves, if whoever holds them has died."""
_LOOK_S = 2.0

# To block publishers is what RabbitMQ does when memory is short; consumers go on (its documentation of memory alarms).
# A queue is asked itself (`stat`): what is listed of quorum queues may be five seconds old.
_HOLD = f"""
Old = vm_memory_monitor:get_vm_memory_high_watermark(),
Set = fun(To) -> vm_memory_monitor:set_vm_memory_high_watermark(To) end,
Count = fun() ->
  lists:sum([M || Q <- rabbit_amqqueue:list(), {{ok, M, C}} <- [catch rabbit_amqqueue:stat(Q)], C > 0])
end,
Wait = fun
  (_, 0) -> Count();
  (Again, N) -> case Count() of 0 -> 0; _ -> timer:sleep(100), Again(Again, N - 1) end
end,
Set(0.0),
spawn(fun() -> timer:sleep({_UNWATCHED_S * 1000}), Set(Old) end),
case Wait(Wait, {REST_S * 10}) of 0 -> at_rest; Left -> Set(Old), {{left, Left}} end.
"""


@dataclasses.dataclass(frozen=True)
class Export:
    """What a follower is to have of this server (:func:`succession.portable`); None when it does not say."""

    name: str = EXPORT

    def carry_out(self, machine: charmkit.Machine) -> str | None:
        """Ask."""
        output = broker.ctl(machine, 'export_definitions', '-', '--format', 'json')
        line = next((x for x in output.output.splitlines() if x.startswith('{')), '')
        return succession.portable(line) if line and not output.status else None


@dataclasses.dataclass(frozen=True)
class Import:
    """Take *definitions*; the result is what was said against it, or ''."""

    definitions: str = dataclasses.field(repr=False)
    name: str = IMPORT

    @property
    def digest(self) -> str:
        """Of them."""
        return host.digest(self.definitions)

    def carry_out(self, machine: charmkit.Machine) -> str:
        """Do it."""
        return broker.import_definitions(machine, self.definitions)


@dataclasses.dataclass(frozen=True)
class HandOver:
    """Hold publishers until all that somebody waits for is delivered; the result is why that is not so, or ''.

    They are held from then on, until the server stops: nothing comes in any more that would be lost.
    """

    name: str = SWITCH

    def carry_out(self, machine: charmkit.Machine) -> str:
        """Do it."""
        done = broker.ctl(machine, 'eval', _HOLD, timeout_s=_UNWATCHED_S)
        said = ' '.join(done.output.split())
        if not done.status and said.endswith('at_rest'):
            return ''
        left = said.rpartition('{left,')[2].rstrip('}').strip() if '{left,' in said else ''
        if left.isdecimal():
            return (
                f'{left} messages were not taken within {REST_S} s from queues that are consumed: see '
                'list_queues, or wait until whoever is to take them does'
            )
        return f'RabbitMQ refused: {said[:300] or "no answer in time"}'


@dataclasses.dataclass(frozen=True)
class Watch:
    """How many clients still come by this former server; it waits until there are none, for *most_s* seconds."""

    most_s: float = 0.0
    name: str = COMING

    def carry_out(self, machine: charmkit.Machine) -> int:
        """Look."""
        ends = machine.now() + self.most_s
        while True:
            tables = (machine.read(f'/proc/net/{name}') or '' for name in ('tcp', 'tcp6'))
            found = sum(map(succession.connections, tables))
            if not found or machine.now() >= ends:
                return found
            machine.sleep(_LOOK_S)


@dataclasses.dataclass(frozen=True)
class Retire:
    """Be rid of the relay, where a hand-over was taken back; the result is whether there was one."""

    name: str = 'retire-relay'

    def carry_out(self, machine: charmkit.Machine) -> bool:
        """Do it."""
        every = {n: f'/etc/systemd/system/{n}' for n in succession.RELAYS.values()}
        there = {n: p for n, p in every.items() if machine.read(f'{p}.socket') is not None}
        for name, path in there.items():
            machine.program('systemctl', 'disable', '--now', '--quiet', f'{name}.socket')
            machine.program('rm', '-f', f'{path}.socket', f'{path}.service')
        if there:
            machine.program('systemctl', 'daemon-reload')
        return bool(there)
