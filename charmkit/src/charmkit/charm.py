"""The edge to Juju. Read, run, publish.

Any charm is a subclass of :class:`Charm` with one pure function::

    class MysqlCharm(charmkit.Charm):
        def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
            return workload.run(why, inputs)          # a pure module of the charm's own

Every hook that asks for something and every action leads there, so there is nothing to observe; some hooks ask
for nothing (:mod:`charmkit.idle`): another comes right behind them, or a run has found all that they say already.
What needs the services *running* (grants, a catalogue over REST, health) is a task of :attr:`Desired.tasks`;
databags are written when all tasks have ended, so nothing is published that does not exist yet.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast

import ops

from . import apply, disks, drive, host, idle, model_access, options, proven, relations, run, state
from .machine import Facts, Machine
from .why import Action, Hook, Why, event_name

_log = logging.getLogger(__name__)

# Juju runs these of a new unit before its first config-changed, which finds all that they would have found.
_BEFORE_CONFIGURED = (
    ops.LeaderElectedEvent,
    ops.LeaderSettingsChangedEvent,
    ops.RelationCreatedEvent,  # See charmkit.idle.
)
# Nothing runs for these.
_IDLE = (
    ops.RelationJoinedEvent,  # See charmkit.idle.
    ops.CollectMetricsEvent,
    ops.RemoveEvent,  # Its stop hook came before it.
    ops.SecretRemoveEvent,
    ops.SecretExpiredEvent,
)
_STATUSES: dict[state.Kind, type[ops.StatusBase]] = {
    'blocked': ops.BlockedStatus,
    'waiting': ops.WaitingStatus,
    'maintenance': ops.MaintenanceStatus,
    'active': ops.ActiveStatus,
}
PEERS = 'peers'


class Charm(ops.CharmBase):
    """A charm that is one function from why it runs and what is there to what is wanted."""

    machine: ClassVar[Machine | None] = None
    """What stands for the machine; None is the one that the charm runs on. Tests set a fake."""
    _stored = ops.StoredState()

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        # Each line costs a program of Juju's; at DEBUG ops says which hook it is, as Juju does itself.
        logging.getLogger().setLevel(logging.INFO)
        self._stored.set_default(
            configured=False,
            versions={},
            shown_version='',
            memory='{}',
            dying=False,
            stopped=False,
        )
        self.here: Machine = self.machine or apply.LocalMachine(self.meta.name)
        # ops takes milliseconds to observe all that there are.
        asked = getattr(self.on, event_name(os.environ.get('JUJU_DISPATCH_PATH', '')), None)
        for event in [asked] if isinstance(asked, ops.BoundEvent) else self.on.events().values():
            kind = event.event_type
            if issubclass(kind, ops.ActionEvent):
                framework.observe(event, self._on_action)
            elif issubclass(kind, ops.HookEvent) and not issubclass(kind, _IDLE):
                framework.observe(event, self._on_hook)
        framework.observe(self.on.secret_remove, self._on_secret_remove)

    @classmethod
    def declared_options(cls, facts: Facts | None = None) -> tuple[options.Option, ...]:
        """What the operator may set, with what each may be. By default nothing is checked. Pure.

        *facts* are those of the unit's machine; without them each option has the limits that hold on any.
        """
        return ()

    def run(self, why: Why, inputs: state.Inputs) -> state.Desired:
        """Decide everything from *why* this run is and from *inputs*: a subclass must say how. Pure."""
        raise NotImplementedError

    def decide(self, why: Why, inputs: state.Inputs) -> state.Desired:
        """:meth:`run`, with what all charms do besides. Pure."""
        return disks.followed(self.run(why, inputs), inputs, *self.written_to())

    def written_to(self) -> tuple[str, ...]:
        """Directories whose file systems must have room."""
        return ('/', '/var/log')

    def prepared(self, facts: Facts) -> host.Host:
        """What the machine needs whatever its place will be: packages, above all. By default nothing. Pure.

        The `install` hook brings this about and asks Juju nothing, so what it leaves behind is the same on
        every unit, and can be kept and used again for the next one.
        """
        return host.Host()

    def _on_hook(self, event: ops.HookEvent) -> None:
        if self._is_over(event):
            return
        if isinstance(event, ops.InstallEvent):
            outcome = drive.reconcile(self.here, self.prepared(self.here.facts()))
            for name, reason in (*outcome.failed.items(), *outcome.refused.items()):
                _log.error('%s: %s', name, reason)
        elif self._stored.configured or not isinstance(event, _BEFORE_CONFIGURED):
            self._carry_out(_hook(event))
            now = (True, isinstance(event, ops.StopEvent))
            if now != (self._stored.configured, self._stored.stopped):
                self._stored.configured, self._stored.stopped = now

    def _is_over(self, event: ops.HookEvent) -> bool:
        """Whether the unit was stopped for good: what a program of its own asks for then brings nothing back."""
        departing = getattr(event, 'departing_unit', None)
        if isinstance(departing, ops.Unit) and departing.name == self.unit.name:
            self._stored.dying = True
        return bool(self._stored.stopped) and not isinstance(event, ops.StartEvent)

    def _leads(self) -> bool:
        # One that is being removed sees its relations go, and would say for all that nobody is there.
        return not self._stored.dying and self.unit.is_leader()

    def _on_action(self, event: ops.ActionEvent) -> None:
        names = {name.replace('-', '_'): name for name in self.meta.actions}
        name = names[event.handle.kind.removesuffix('_action')]
        try:
            driven = self._carry_out(Action(name, dict(event.params), event.id))
        except run.CommandError as e:
            event.fail(str(e))
            return
        for line in driven.desired.log:
            event.log(line)
        if driven.desired.results:
            event.set_results(dict(driven.desired.results))
        if driven.desired.failure:
            event.fail(driven.desired.failure)

    def _on_secret_remove(self, event: ops.SecretRemoveEvent) -> None:
        # Nobody reads this revision any more, and Juju keeps each until its owner says so.
        event.remove_revision()

    def _carry_out(self, why: Why) -> drive.Driven:
        """Bring everything to where the run wants it, and publish.

        Raises:
            CommandError: what :func:`drive.drive` raises; Juju shows it and tries again.
        """
        idle.forget(self.charm_dir)
        inputs = self.inputs(why)
        tried = [o for o in self.declared_options(inputs.facts) if o.tried]
        driven = self._drive(why, proven.held(tried, inputs), tried)
        desired = driven.desired
        if desired.failure or desired.read_only or why.removing:
            return driven  # One that leaves has nobody left to tell.
        if dict(cast('Mapping[str, str]', self._stored.versions)) != driven.inputs.versions:
            self._stored.versions = dict(driven.inputs.versions)
        good = self._read_options(inputs.facts).good
        self._keep(
            {
                **desired.memory,
                **({options.MEMORY: good} if good else {}),
                **proven.memory(tried, driven, self.decide, why),
            }
        )
        news = self._publish(desired)
        refused = [state.Status('blocked', w) for w in driven.inputs.refused_options.values()]
        troubles = state.troubles(driven.inputs, desired.status)
        shown = self._show([*refused, *desired.status, *troubles])
        at_rest = not (news or driven.steps or shown == 'blocked')
        heard = self._heard(inputs, desired.unheeded) if at_rest else {}
        idle.remember(
            self.charm_dir,
            heard,
            desired.unheeded,
            ready_to_stop=inputs.dying and desired.ready_to_stop,
        )
        return driven

    def _drive(
        self, why: Why, inputs: state.Inputs, tried: Sequence[options.Option]
    ) -> drive.Driven:
        """Drive; and again without the options that a service did not come up with, where it does then."""
        first = drive.drive(self.here, self.decide, why, inputs)
        names = proven.suspects(tried, first)
        if not names or isinstance(why, Action):  # What an action does it does once.
            return first
        second = drive.drive(self.here, self.decide, why, proven.without(names, inputs, first))
        if second.inputs.failed:
            return first
        return dataclasses.replace(second, steps=(*first.steps, *second.steps))

    def _keep(self, memory: Mapping[str, object]) -> None:
        before = self._memory()
        after = {**before, **memory}
        if after != before:
            self._stored.memory = json.dumps(after, sort_keys=True)

    def _memory(self) -> dict[str, Any]:
        return json.loads(str(self._stored.memory))

    def _read_options(self, facts: Facts) -> options.Read:
        return options.read(
            self.declared_options(facts),
            dict(self.config),
            self._memory().get(options.MEMORY, {}),
        )

    def inputs(self, why: Why | None = None) -> state.Inputs:
        """Everything that the desired state depends on; with the secrets that an action's parameters name."""
        facts = self.here.facts()
        chosen = self._read_options(facts)
        every = {
            name: tuple(self._relation(r) for r in found)
            for name in (*self.meta.requires, *self.meta.provides)
            if (found := sorted(self.model.relations[name], key=lambda r: r.id))
        }
        peer = self.model.get_relation(PEERS) if PEERS in self.meta.peers else None
        peers = dict(peer.data[self.app]) if peer else {}
        peer_units = {u.name: dict(peer.data[u]) for u in peer.units} if peer else {}
        leader = self._leads()
        addresses = model_access.Bindings(self.model, lambda n: str(n.ingress_address))
        bags = [chosen.values, peers, *peer_units.values()]
        if isinstance(why, Action):
            bags.append(why.params)
        for relation in (r for found in every.values() for r in found):
            bags += [relation.app_data, *relation.units.values()]
        return state.Inputs(
            site=relations.Site(
                unit=self.unit.name,
                leader=leader,
                address=addresses[next(iter(self.meta.extra_bindings), PEERS)],
                addresses=addresses,
                all_addresses=model_access.Bindings(
                    self.model, lambda n: tuple(str(a) for a in n.ingress_addresses)
                ),
                networks=model_access.Bindings(self.model, model_access.networks),
                region=str(chosen.values.get('region', 'RegionOne')),
            ),
            facts=facts,
            relations=every,
            app_data=model_access.OwnAppData(self) if leader else {},
            peers=peers,
            my_peer_data=dict(peer.data[self.unit]) if peer else {},
            peer_units=peer_units,
            options=chosen.values,
            refused_options=chosen.refused,
            unsettled=chosen.unsettled,
            secrets=self._secrets(bags),
            resources=model_access.resources(self),
            versions=dict(cast('Mapping[str, str]', self._stored.versions)),
            memory=self._memory(),
            now=self.here.now(),
            dying=bool(self._stored.dying),
            unit_secret=self.here.unit_secret(self.unit.name),
            fresh=secrets.token_hex(32),
        )

    def _relation(self, r: ops.Relation) -> relations.Relation:
        return relations.Relation(
            id=r.id,
            name=r.name,
            app=r.app.name,
            app_data=dict(r.data[r.app]),
            units={u.name: dict(r.data[u]) for u in r.units},
            my_data=dict(r.data[self.unit]),
        )

    def _secrets(self, bags: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
        uris = {v for bag in bags for v in bag.values() if str(v).startswith('secret:')}
        found: dict[str, dict[str, str]] = {}
        for uri in sorted(uris):
            # One that was not granted yet, or is gone, counts as not there.
            with contextlib.suppress(ops.SecretNotFoundError, ops.ModelError):
                found[uri] = self.model.get_secret(id=uri).get_content(refresh=True)
        return found

    def _heard(
        self, inputs: state.Inputs, unheeded: Mapping[str, frozenset[str]]
    ) -> dict[str, str]:
        """What the databags say that *inputs* were read from; see :mod:`idle`."""
        out: dict[str, str] = {}

        def note(number: int, name: str, who: str, bag: Mapping[str, str]) -> None:
            keys = unheeded.get(name, frozenset())
            out[idle.key(number, who)] = idle.digest(name, inputs.site.unit, bag, keys)

        for relation in (r for found in inputs.relations.values() for r in found):
            for who, bag in ((relation.app, relation.app_data), *relation.units.items()):
                note(relation.id, relation.name, who, bag)
        for peer in self.model.relations[PEERS] if PEERS in self.meta.peers else ():
            for who, bag in ((self.app.name, inputs.peers), *inputs.peer_units.items()):
                note(peer.id, PEERS, who, bag)
        return out

    def _publish(self, desired: state.Desired) -> bool:
        """Say what others are to know; whether there was news."""
        uris: dict[str, str] = {}
        news = False
        leader = self._leads()
        if leader:
            for label, secret in desired.secrets.items():
                uris[label], fresh = self._keep_secret(label, secret)
                news |= fresh
        for key, data in desired.unit_data.items():
            for relation in self._named(key):
                news |= model_access.write(relation.data[self.unit], data, uris)
        for key, data in desired.app_data.items() if leader else ():
            for relation in self._named(key):
                news |= model_access.write(relation.data[self.app], data, uris)
        self.unit.set_ports(*desired.ports)
        if desired.version and desired.version != self._stored.shown_version:
            self.unit.set_workload_version(desired.version)
            self._stored.shown_version = desired.version
        return news

    def _named(self, key: str | int) -> list[ops.Relation]:
        if isinstance(key, str):
            return list(self.model.relations[key])
        every = [r for name in self.meta.relations for r in self.model.relations[name]]
        return [r for r in every if r.id == key]

    def _keep_secret(self, label: str, secret: state.Secret) -> tuple[str, bool]:
        """Its URI, and whether anything about it is new."""
        content = dict(secret.content)
        news = False
        try:
            kept = self.model.get_secret(label=label)
            if kept.peek_content() != content:
                kept.set_content(content)
                news = True
        except ops.SecretNotFoundError:
            news = True
            kept = self.app.add_secret(
                content,
                label=label,
                description=secret.description or None,
                rotate=ops.SecretRotate(secret.rotate),
            )
        for relation_id in secret.grant:
            for relation in self._named(relation_id):
                kept.grant(relation)
        return kept.id or kept.get_info().id, news

    def _show(self, statuses: list[state.Status]) -> state.Kind:
        shown = state.summary(statuses)
        self.unit.status = _STATUSES[shown.kind](shown.message)
        return shown.kind


def _hook(event: ops.HookEvent) -> Hook:
    name = event.handle.kind.replace('_', '-')
    match event:
        case ops.SecretEvent():
            subject = event.secret.label or ''
        case ops.RelationDepartedEvent(departing_unit=ops.Unit() as departing):
            subject = departing.name
        case _:
            subject = ''
    return Hook(name, subject)
