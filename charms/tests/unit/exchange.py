"""Two of our charms that are related: each hears what the other has written, until neither has anything to add.

A charm's own tests hand it what the other side would say once all is well; here nobody says anything that the charm
on the other side does not say by itself, so that two that wait for each other are found.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from charmkit import testing as machines
from charmkit.relations import JUJUS_OWN
from ops import testing

from charms.tests.unit import sound

ROUNDS = 8
"""More than any two of ours need to have told each other everything."""
_ID = 1_000_000
"""No other relation of a session of tests has it: they are numbered one after another."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Given:
    """What a unit has beside its relations."""

    config: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    resources: frozenset[testing.Resource] = frozenset()
    prepare: Callable[[machines.FakeMachine], None] = lambda _: None
    """Makes its machine what the charm needs."""


@dataclasses.dataclass(frozen=True)
class Link:
    """Two endpoints of our charms that can be related."""

    provider: str
    provides: str
    requirer: str
    requires: str
    within_machine: bool

    def __str__(self) -> str:
        return f'{self.requirer}:{self.requires} {self.provider}:{self.provides}'


class Side:
    """A unit of the charm *name*, all of whose relations are answered but the one that is looked at: *endpoint*."""

    def __init__(
        self, name: str, endpoint: str, other: str, given: Given, *, within: bool
    ) -> None:
        self.name, self._within, self.machine = name, within, sound.machine()
        given.prepare(self.machine)
        self.ctx: Any = testing.Context(sound.charm(name), app_name=name)
        kind = testing.SubordinateRelation if within else testing.Relation
        self._link: testing.RelationBase = kind(endpoint, id=_ID, remote_app_name=other)
        self._others = {r for n, r in sound.related(name).items() if n != endpoint}
        self.state = testing.State(
            leader=True,
            relations={testing.PeerRelation('peers')},
            networks=sound.networks(name),
            config=dict(given.config),
            resources=given.resources,
        )

    @property
    def status(self) -> str:
        """As an operator sees it."""
        found = self.state.unit_status
        return f'{found.name}: {found.message}'.removesuffix(': ')

    def relate(self) -> None:
        """The relation that is looked at begins; nobody has said anything."""
        self._begin({self._link})

    def relate_others(self) -> None:
        """All other relations begin, and are answered."""
        self._begin(self._others)

    def _begin(self, relations: set[testing.RelationBase]) -> None:
        every = {*self.state.relations, *relations}
        self.state = dataclasses.replace(self.state, relations=every)

    def run(self) -> None:
        """A hook."""
        cls = sound.charm(self.name)
        cls.machine = self.machine
        try:
            self.state = self.ctx.run(self.ctx.on.config_changed(), self.state)
        finally:
            del cls.machine  # It would be the machine of all later tests of that charm.

    def said(self) -> tuple[dict[str, str], dict[str, str]]:
        """What the unit has written for the other side, and what its application has."""
        link: Any = self.state.get_relation(_ID)
        unit = {k: v for k, v in link.local_unit_data.items() if k not in JUJUS_OWN}
        return unit, dict(link.local_app_data)

    def hear(self, said: tuple[dict[str, str], dict[str, str]]) -> None:
        """The other side has *said* this."""
        unit, app = said
        link: Any = self.state.get_relation(_ID)
        told: Any = (
            {'remote_unit_data': unit} if self._within else {'remote_units_data': {0: unit}}
        )
        heard = dataclasses.replace(link, remote_app_data=app, **told)
        others = {r for r in self.state.relations if r.id != _ID}
        self.state = dataclasses.replace(self.state, relations={*others, heard})


def links() -> Iterator[Link]:
    """Every two endpoints of our charms that speak the same interface, but those that any charm has."""
    every = [
        (name, endpoint, *declared)
        for name in sound.charms()
        for endpoint, declared in sound.endpoints(name).items()
    ]
    for name, endpoint, role, interface in every:
        if role != 'provides':
            continue
        for other, its, its_role, its_interface in every:
            if its_role == 'requires' and its_interface == interface and other != name:
                within = sound.is_within_machine(other, its)
                yield Link(name, endpoint, other, its, within)


Order = Literal['together', 'others first', 'link first']
"""When the relation that is looked at begins: with all others, or after the units have run with these or without."""


def settle(link: Link, given: Mapping[str, Given], order: Order) -> tuple[Side, Side]:
    """Both sides, the requirer first, once neither has anything to add.

    Raises AssertionError when they go on telling each other something else.
    """
    requirer = Side(
        link.requirer,
        link.requires,
        link.provider,
        given.get(link.requirer, Given()),
        within=link.within_machine,
    )
    provider = Side(
        link.provider,
        link.provides,
        link.requirer,
        given.get(link.provider, Given()),
        within=link.within_machine,
    )
    both = (requirer, provider)
    if order == 'link first':
        for side in both:
            side.relate()
        _exchange(link, requirer, provider)
    for side in both:
        side.relate_others()
        if order == 'others first':
            side.run()
        if order != 'link first':
            side.relate()
    _exchange(link, requirer, provider)
    return both


def _exchange(link: Link, requirer: Side, provider: Side) -> None:
    for _ in range(ROUNDS):
        before = (requirer.said(), provider.said(), requirer.status, provider.status)
        requirer.run()
        provider.hear(requirer.said())
        provider.run()
        requirer.hear(provider.said())
        if (requirer.said(), provider.said(), requirer.status, provider.status) == before:
            return
    raise AssertionError(f'{link}: they go on: {requirer.said()}, {provider.said()}')
