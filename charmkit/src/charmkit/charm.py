"""The edge to Juju: the one module that imports ops. Read, decide, apply, converge, publish.

Any charm is a subclass of :class:`Charm` with one pure function::

    class MysqlCharm(charmkit.Charm):
        def desired_state(self, inputs: charmkit.Inputs) -> charmkit.Desired:
            return workload.desired_state(inputs)          # a pure module of the charm's own

Every event that asks for something leads to the same reconcile, so there is nothing to observe; only actions, stop,
remove and secret rotation have handlers of their own, which the subclass observes in its ``__init__``. Some ask
for nothing (:mod:`charmkit.unasked`): another comes right behind them, or a run has found all that they say already.
What needs the service *running* (grants, a catalogue over REST) goes into
:meth:`Charm.converge`, which may also amend what is published: it runs after the machine is
as desired and before a databag is written, so nobody is told of what does not exist yet.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import ClassVar, TypeVar, cast

import ops

from . import apply, host, relations, state, unasked

_log = logging.getLogger(__name__)

# Juju runs these of a new unit before its first config-changed, which finds all that they would have found.
_BEFORE_CONFIGURED = (
    ops.LeaderElectedEvent,
    ops.LeaderSettingsChangedEvent,
    ops.RelationCreatedEvent,  # See charmkit.unasked.
)
# Reconciling is not what these ask for: each has its own handler, or none.
_DEDICATED = (
    ops.RelationJoinedEvent,  # See charmkit.unasked.
    ops.CollectMetricsEvent,
    ops.StopEvent,
    ops.RemoveEvent,
    ops.SecretRotateEvent,
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
T = TypeVar('T')
_JUJUS_OWN = frozenset({'egress-subnets', 'ingress-address', 'private-address'})


class Charm(ops.CharmBase):
    """A charm that is one function from what is there to what is wanted.

    Where the charm declares the actions ``pause`` and ``resume``, they are served from here:
    :attr:`state.Inputs.paused` says which was last.
    """

    machine: ClassVar[apply.Machine | None] = None
    """What stands for the machine; None is the one that the charm runs on. Tests set a fake."""
    _stored = ops.StoredState()

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        self._stored.set_default(paused=False, configured=False, versions={}, shown_version='')
        self.here: apply.Machine = self.machine or apply.LocalMachine(self.meta.name)
        for event in self.on.events().values():
            if issubclass(event.event_type, ops.HookEvent) and not issubclass(
                event.event_type, _DEDICATED
            ):
                framework.observe(event, self._on_any)
        framework.observe(self.on.secret_remove, self._on_secret_remove)
        if 'pause' in self.meta.actions:
            framework.observe(self.on['pause'].action, self._on_pause)
        if 'resume' in self.meta.actions:
            framework.observe(self.on['resume'].action, self._on_resume)

    def desired_state(self, inputs: state.Inputs) -> state.Desired:
        """Decide everything from *inputs*: a subclass must say how. Pure."""
        raise NotImplementedError

    def prepared(self, facts: state.Facts) -> host.Host:
        """What the machine needs whatever its place will be: packages, above all. By default nothing. Pure.

        The `install` hook brings this about and asks Juju nothing, so what it leaves behind is the same on
        every unit, and can be kept and used again for the next one.
        """
        return host.Host()

    def converge(self, inputs: state.Inputs, desired: state.Desired) -> state.Desired:
        """Do what needs the service running, and return what to publish; by default *desired*.

        Called once in each run, when the machine is as desired and no service has failed. It must
        bear being repeated: compare what is there with what is wanted, and change the rest.
        """
        return desired

    def reconcile(self) -> state.Desired:
        """Bring everything to where it should be. Actions call it when they have changed a fact.

        Raises:
            Exception: what :func:`apply.reconcile` raises; Juju shows it and tries again.
        """
        unasked.forget(self.charm_dir)
        inputs = self.inputs()

        def decide(versions: Mapping[str, str]) -> host.Host:
            return self.desired_state(dataclasses.replace(inputs, versions=versions)).host

        outcome = apply.settle(self.here, decide, inputs.versions)
        if inputs.versions != outcome.versions:
            self._stored.versions = dict(outcome.versions)
            inputs = dataclasses.replace(inputs, versions=outcome.versions)
        desired = self.desired_state(inputs)
        failed = [
            state.Status('blocked', f'{name} does not run: see journalctl -u {name}')
            for name in outcome.failed
        ]
        if not failed:
            desired = self.converge(inputs, desired)
        news = self._publish(desired)
        shown = self._show([*failed, *desired.status, *self.notes(outcome)])
        at_rest = not (news or outcome.steps or shown == 'blocked')
        unasked.remember(self.charm_dir, self._heard(inputs) if at_rest else {})
        return desired

    def notes(self, outcome: apply.Outcome) -> list[state.Status]:
        """What the operator should hear about what had to be done; by default nothing."""
        return []

    def inputs(self) -> state.Inputs:
        """Everything that the desired state depends on."""
        every = {
            name: tuple(self._relation(r) for r in found)
            for name in (*self.meta.requires, *self.meta.provides)
            if (found := sorted(self.model.relations[name], key=lambda r: r.id))
        }
        peer = self.model.get_relation(PEERS) if PEERS in self.meta.peers else None
        peers = dict(peer.data[self.app]) if peer else {}
        peer_units = {u.name: dict(peer.data[u]) for u in peer.units} if peer else {}
        leader = self.unit.is_leader()
        addresses = _Bindings(self.model, lambda n: str(n.ingress_address))
        bags = [peers, *peer_units.values()]
        for relation in (r for found in every.values() for r in found):
            bags += [relation.app_data, *relation.units.values()]
        return state.Inputs(
            site=relations.Site(
                unit=self.unit.name,
                leader=leader,
                address=addresses[next(iter(self.meta.extra_bindings), PEERS)],
                addresses=addresses,
                all_addresses=_Bindings(
                    self.model, lambda n: tuple(str(a) for a in n.ingress_addresses)
                ),
                networks=_Bindings(self.model, _networks),
                region=str(self.config.get('region', 'RegionOne')),
            ),
            facts=self.here.facts(),
            relations=every,
            app_data=_OwnAppData(self) if leader else {},
            peers=peers,
            my_peer_data=dict(peer.data[self.unit]) if peer else {},
            peer_units=peer_units,
            options=dict(self.config),
            secrets=self._secrets(bags),
            versions=dict(cast('Mapping[str, str]', self._stored.versions)),
            paused=bool(self._stored.paused),
            unit_secret=self.here.unit_secret(self.unit.name),
            fresh=secrets.token_hex(32),
        )

    def write_peer_data(self, data: Mapping[str, str]) -> None:
        """Add *data* to what this unit tells its peers."""
        for relation in self.model.relations[PEERS]:
            relation.data[self.unit].update(data)

    def _on_any(self, event: ops.EventBase) -> None:
        if isinstance(event, ops.InstallEvent):
            apply.reconcile(self.here, self.prepared(self.here.facts()))
        elif isinstance(event, _BEFORE_CONFIGURED) and not self._stored.configured:
            _log.debug('%s: config-changed follows, and does it all at once', event)
        else:
            self.reconcile()
            if not self._stored.configured:
                self._stored.configured = True

    def _on_secret_remove(self, event: ops.SecretRemoveEvent) -> None:
        # Nobody reads this revision any more, and Juju keeps each until its owner says so.
        event.remove_revision()

    def _on_pause(self, event: ops.ActionEvent) -> None:
        self._stored.paused = True
        self.reconcile()
        event.set_results({'status': str(self.unit.status.message)})

    def _on_resume(self, event: ops.ActionEvent) -> None:
        self._stored.paused = False
        self.reconcile()
        event.set_results({'status': str(self.unit.status.message)})

    def _relation(self, r: ops.Relation) -> relations.Relation:
        return relations.Relation(
            id=r.id,
            name=r.name,
            app=r.app.name,
            app_data=dict(r.data[r.app]),
            units={u.name: dict(r.data[u]) for u in r.units},
            my_data=dict(r.data[self.unit]),
        )

    def _secrets(self, bags: Iterable[Mapping[str, str]]) -> dict[str, dict[str, str]]:
        uris = {v for bag in bags for v in bag.values() if v.startswith('secret:')}
        found: dict[str, dict[str, str]] = {}
        for uri in sorted(uris):
            # One that was not granted yet, or is gone, counts as not there.
            with contextlib.suppress(ops.SecretNotFoundError, ops.ModelError):
                found[uri] = self.model.get_secret(id=uri).get_content(refresh=True)
        return found

    def _heard(self, inputs: state.Inputs) -> dict[str, str]:
        """What the databags say that *inputs* were read from; see :mod:`unasked`."""
        out: dict[str, str] = {}
        for relation in (r for found in inputs.relations.values() for r in found):
            for who, bag in ((relation.app, relation.app_data), *relation.units.items()):
                key = unasked.key(relation.id, who)
                out[key] = unasked.digest(relation.name, inputs.site.unit, bag)
        for peer in self.model.relations[PEERS] if PEERS in self.meta.peers else ():
            for who, bag in ((self.app.name, inputs.peers), *inputs.peer_units.items()):
                out[unasked.key(peer.id, who)] = unasked.digest(PEERS, inputs.site.unit, bag)
        return out

    def _publish(self, desired: state.Desired) -> bool:
        """Say what others are to know; whether there was news."""
        uris: dict[str, str] = {}
        news = False
        leader = self.unit.is_leader()
        if leader:
            for label, secret in desired.secrets.items():
                uris[label], fresh = self._keep_secret(label, secret)
                news |= fresh
        for key, data in desired.unit_data.items():
            for relation in self._named(key):
                news |= _write(relation.data[self.unit], data, uris)
        for key, data in desired.app_data.items() if leader else ():
            for relation in self._named(key):
                news |= _write(relation.data[self.app], data, uris)
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


class _Bindings(Mapping[str, T]):
    """Something of each binding's network, asked of Juju only when wanted."""

    def __init__(self, model: ops.Model, pick: Callable[[ops.Network], T]):
        self._model, self._pick = model, pick
        self._known: dict[str, T] = {}

    def __getitem__(self, binding: str) -> T:
        if binding not in self._known:
            try:
                self._known[binding] = self._pick(self._model.get_binding(binding).network)
            except ops.ModelError:  # A binding that the charm does not declare.
                raise KeyError(binding) from None
        return self._known[binding]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _networks(network: ops.Network) -> tuple[relations.Network, ...]:
    return tuple(
        relations.Network(i.name, str(i.address), str(i.subnet or ''))
        for i in network.interfaces
        if i.address is not None
    )


class _OwnAppData(Mapping[int, Mapping[str, str]]):
    """What this application's leader wrote, read from Juju only when wanted."""

    def __init__(self, charm: ops.CharmBase):
        self._charm = charm
        self._by_id = {
            r.id: r for name in charm.meta.relations for r in charm.model.relations[name]
        }

    def __getitem__(self, relation_id: int) -> Mapping[str, str]:
        return dict(self._by_id[relation_id].data[self._charm.app])

    def __iter__(self) -> Iterator[int]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)


def _write(bag: ops.RelationDataContent, data: Mapping[str, str], uris: Mapping[str, str]) -> bool:
    """Make *bag* hold *data* and nothing else of ours, in one call, none when it already does; whether it did not."""

    def filled(value: str) -> str:
        return re.sub(r'\{secret:([^}]+)\}', lambda m: uris.get(m[1], ''), value)

    gone = {key: '' for key in bag if key not in data and key not in _JUJUS_OWN}
    wanted = {**gone, **{key: filled(value) for key, value in data.items()}}
    news = any(bag.get(key, '') != value for key, value in wanted.items())
    bag.update(wanted)
    return news
