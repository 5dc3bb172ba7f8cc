"""The order of events as rules over a trace: each is a function from what happened to what was wrong with it.

A rule knows only names and order, nothing of the resolver. Juju leaves some order to chance, so these are partial
orders; a recorder charm on a real Juju can be held against the same rules. Source:
worker/uniter of Juju 3.6, and documentation.ubuntu.com/juju/3.6/reference/hook.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar

from simulation import Event

STORAGE = ('-storage-attached', '-storage-detaching')
Rule = Callable[[list[Event]], Iterator[str]]


def by_unit(trace: Iterable[Event]) -> dict[str, list[Event]]:
    """Events of each unit in the order in which they began; tasks on machines left out."""
    out: dict[str, list[Event]] = {}
    for event in sorted(trace, key=lambda e: e.began):
        if event.unit:
            name = event.unit + "'" * event.generation
            out.setdefault(name, []).append(event)
    return out


def hooks_only(events: list[Event]) -> list[Event]:
    """Without actions and commands."""
    return [e for e in events if e.name not in ('action', 'exec')]


def install_comes_first(trace: list[Event]) -> Iterator[str]:
    """Only storage comes before install, and install succeeds once."""
    for unit, events in by_unit(trace).items():
        installed = 0
        for event in events:
            if event.name == 'install':
                installed += event.ok
            elif not installed and not event.name.endswith(STORAGE):
                yield f'{unit} ran {event.name} before install'
        if installed > 1:
            yield f'{unit} installed {installed} times'


def relations_are_created_before_start(trace: list[Event]) -> Iterator[str]:
    """Relations that were there at install are created before leadership and configuration are told of."""
    for unit, events in by_unit(trace).items():
        done = [e for e in events if e.ok]
        names = [e.name for e in done]
        if 'config-changed' not in names:
            continue
        first = names.index('config-changed')
        peers = {e.hook.relation for e in done if e.peer}
        created = {e.hook.relation for e in done[:first] if e.name.endswith('-relation-created')}
        for rid in peers - created:
            yield f'{unit} was configured before peer relation {rid} was created'


def leadership_is_told_before_config(trace: list[Event]) -> Iterator[str]:
    """The first unit of an application hears that it leads before its first config-changed."""
    for unit, events in by_unit(trace).items():
        names = [e.name for e in hooks_only(events)]
        if 'config-changed' in names:
            before = names[: names.index('config-changed')]
            if not {'leader-elected', 'leader-settings-changed'} & set(before):
                yield f'{unit} was configured before it heard who leads'


def start_follows_config_at_once(trace: list[Event]) -> Iterator[str]:
    """Nothing slips between the first config-changed and start."""
    for unit, events in by_unit(trace).items():
        mine = hooks_only(events)
        done = [i for i, e in enumerate(mine) if e.name == 'config-changed' and e.ok]
        if done and done[0] + 1 < len(mine) and mine[done[0] + 1].name != 'start':
            yield f'{unit} ran {mine[done[0] + 1].name} between its first config-changed and start'


def config_follows_upgrade_at_once(trace: list[Event]) -> Iterator[str]:
    """Nothing but the start after a reboot slips between upgrade-charm and config-changed."""
    for unit, events in by_unit(trace).items():
        mine = [e for e in hooks_only(events) if e.name != 'start']
        for one, other in itertools.pairwise(mine):
            if one.name == 'upgrade-charm' and one.ok and other.name != 'config-changed':
                yield f'{unit} ran {other.name} right after upgrade-charm'


def relation_hooks_wait_for_start(trace: list[Event]) -> Iterator[str]:
    """A unit that was never dying joins nobody before its start."""
    for unit, events in by_unit(trace).items():
        started = False
        for event in events:
            started |= event.name == 'start' and event.ok
            early = event.name.endswith(('-relation-joined', '-relation-changed'))
            if early and not started:
                yield f'{unit} ran {event.name} before start'


def relations_go_their_way(trace: list[Event]) -> Iterator[str]:
    """Of one relation: created, then joined before changed and departed of a unit, then broken, then nothing."""
    for unit, events in by_unit(trace).items():
        states: dict[int, _Course] = {}
        for event in events:
            rid = event.hook.relation
            if rid is not None and event.ok:
                for sentence in states.setdefault(rid, _Course()).go(event):
                    yield f'{unit}: {sentence}'


class _Course:
    """The automaton of one relation as one unit hears of it."""

    def __init__(self) -> None:
        self.created = self.broken = False
        self.members: set[str] = set()

    def go(self, event: Event) -> Iterator[str]:
        if self.broken and event.hook.kind != 'relation-joined':
            yield f'{event.name} after broken'
        if not self.created and event.hook.kind != 'relation-created':
            yield f'{event.name} before created'
        yield from self._AUTOMATON[event.hook.kind](self, event)
        if set(event.members) != self.members:
            yield f'{event.name} sees {event.members}, joined are {sorted(self.members)}'

    def _created(self, event: Event) -> Iterator[str]:
        if self.created:
            yield f'{event.name} twice'
        self.created = True

    def _joined(self, event: Event) -> Iterator[str]:
        if event.hook.remote_unit in self.members:
            yield f'{event.hook.remote_unit} joined twice'
        self.members.add(event.hook.remote_unit)

    def _changed(self, event: Event) -> Iterator[str]:
        remote = event.hook.remote_unit
        if remote and remote not in self.members:
            yield f'{event.name} of {remote}, which has not joined'

    def _departed(self, event: Event) -> Iterator[str]:
        yield from self._changed(event)
        self.members.discard(event.hook.remote_unit)

    def _broken(self, event: Event) -> Iterator[str]:
        if self.members:
            yield f'{event.name} while {sorted(self.members)} are joined'
        if event.peer:
            yield f'{event.name} of peers'
        self.broken = True

    _AUTOMATON: ClassVar[dict[str, Callable[[_Course, Event], Iterator[str]]]] = {
        'relation-created': _created,
        'relation-joined': _joined,
        'relation-changed': _changed,
        'relation-departed': _departed,
        'relation-broken': _broken,
    }


def changed_follows_joined(trace: list[Event]) -> Iterator[str]:
    """The next relation hook after a joined is the changed of the same unit in the same relation."""
    for unit, events in by_unit(trace).items():
        mine = [e for e in events if e.hook.relation is not None]
        for one, other in itertools.pairwise(mine):
            if one.hook.kind != 'relation-joined' or not one.ok:
                continue
            if other.hook.kind == 'relation-created':
                continue  # Of another relation: created comes before all.
            same = (other.hook.relation, other.hook.remote_unit) == (
                one.hook.relation,
                one.hook.remote_unit,
            )
            if not same or other.hook.kind != 'relation-changed':
                yield f'{unit} ran {other.name} {other.hook.remote_unit} right after {one.name} {one.hook.remote_unit}'


def only_installed_units_join(trace: list[Event]) -> Iterator[str]:
    """A remote unit is seen only once its own install has ended."""
    installed: dict[str, list[int]] = {}
    for event in trace:
        if event.name == 'install' and event.ok:
            installed.setdefault(event.unit, []).append(event.ended)
    for event in trace:
        if event.hook.kind != 'relation-joined':
            continue
        if min(installed.get(event.hook.remote_unit, [event.began + 1])) > event.began:
            yield f'{event.unit} was joined by {event.hook.remote_unit} before its install'


def the_departing_unit_is_named(trace: list[Event]) -> Iterator[str]:
    """The departing unit is the remote one, or the local one if that is dying."""
    for event in trace:
        if event.hook.kind == 'relation-departed':
            expected = event.unit if event.life != 'alive' else event.hook.remote_unit
            if event.hook.departing_unit != expected:
                yield f'{event.unit} was told that {event.hook.departing_unit} departs, not {expected}'
        elif event.hook.departing_unit:
            yield f'{event.unit} was told of a departing unit in {event.name}'


def teardown_is_in_order(trace: list[Event]) -> Iterator[str]:
    """Departed and broken, then stop, then remove, then nothing."""
    for unit, events in by_unit(trace).items():
        seen = ''
        for event in hooks_only(events):
            if seen == 'remove':
                yield f'{unit} ran {event.name} after remove'
            if seen == 'stop' and event.name not in ('stop', 'remove'):
                yield f'{unit} ran {event.name} after stop'
            if event.name in ('stop', 'remove') and event.ok:
                seen = event.name
            if event.name in ('stop', 'remove') and event.life == 'alive':
                yield f'{unit} ran {event.name} while alive'


def storage_detaches_before_relations_end(trace: list[Event]) -> Iterator[str]:
    """A dying unit's storage is detached before its relations are broken and it stops."""
    for unit, events in by_unit(trace).items():
        ended = ''
        for event in events:
            if event.life != 'alive' and event.name.endswith('-relation-broken') and event.ok:
                ended = event.name
            if event.name == 'stop' and event.ok:
                ended = event.name
            if ended and event.name.endswith('-storage-detaching'):
                yield f'{unit} ran {event.name} after {ended}'


def a_machine_does_one_thing(trace: list[Event]) -> Iterator[str]:
    """Hooks on one machine never overlap."""
    last: dict[str, Event] = {}
    for event in sorted(trace, key=lambda e: e.began):
        before = last.get(event.machine)
        if before is not None and before.ended > event.began:
            yield f'{before.unit} {before.name} and {event.unit} {event.name} ran at once'
        last[event.machine] = event


def leaders_alone_are_elected(trace: list[Event]) -> Iterator[str]:
    """leader-elected goes to a leader, leader-settings-changed to the others."""
    for event in trace:
        if event.name == 'leader-elected' and not event.leader:
            yield f'{event.unit} was elected and does not lead'
        if event.name == 'leader-settings-changed' and event.leader:
            yield f'{event.unit} leads and was told of settings'


RULES: tuple[Rule, ...] = (
    install_comes_first,
    relations_are_created_before_start,
    leadership_is_told_before_config,
    start_follows_config_at_once,
    config_follows_upgrade_at_once,
    relation_hooks_wait_for_start,
    relations_go_their_way,
    changed_follows_joined,
    only_installed_units_join,
    the_departing_unit_is_named,
    teardown_is_in_order,
    storage_detaches_before_relations_end,
    a_machine_does_one_thing,
    leaders_alone_are_elected,
)


def broken_rules(trace: list[Event]) -> list[str]:
    """What is wrong with a trace, rule by rule."""
    return [f'{rule.__name__}: {text}' for rule in RULES for text in rule(trace)]
