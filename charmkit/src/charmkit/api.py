"""The charm of an OpenStack API service: a subclass says what the service is, and no more."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import time
from collections.abc import Iterable
from typing import ClassVar

import ops

from . import apply, charm, host, memcached, migration, packages, releases, run, service, state
from .relations import loadbalancer, wire

_HEALTHY_WITHIN_S = 60.0


class ApiCharm(charm.Charm):
    """Charm for an OpenStack API service: a subclass only sets :attr:`spec`.

    Of the actions that it knows, a charm declares those it offers: ``pause``, ``resume``,
    ``openstack-upgrade``, ``db-expand``, ``db-contract``.
    """

    spec: ClassVar[service.ServiceSpec]

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        self._tick = self._healthy = self._leaving = False
        self._wish: loadbalancer.Lifecycle | None = None
        framework.observe(self.on.stop, self._on_stop)
        for name, handler in (
            ('openstack-upgrade', self._on_openstack_upgrade),
            ('db-expand', self._on_db_expand),
            ('db-contract', self._on_db_contract),
        ):
            if name in self.meta.actions:
                framework.observe(self.on[name].action, handler)

    def desired_state(self, inputs: state.Inputs) -> state.Desired:
        """What the service's spec says."""
        return service.desired_state(self.spec, inputs)

    def prepared(self, facts: state.Facts) -> host.Host:
        """The packages of the service, of Apache and of memcached; none of the package's own servers runs."""
        return service.prepared(self.spec, facts)

    def inputs(self) -> state.Inputs:
        """As for any charm, with what only a service behind a load balancer needs."""
        inputs = super().inputs()
        if self._leaving:
            # Its relations are gone already, and it must go as if they had never been.
            return dataclasses.replace(inputs, paused=True, leaving=True)
        return dataclasses.replace(
            inputs, tick=self._tick, healthy=self._healthy, drain_wish=self._wish
        )

    def converge(self, inputs: state.Inputs, desired: state.Desired) -> state.Desired:
        """Tell the load balancers that this unit is back once it answers for itself."""
        if inputs.paused or not _comes_back(inputs):
            return desired
        app = self.spec.on(releases.of_base(inputs.facts.base)).apps[0]
        if not _answers(app.port, _HEALTHY_WITHIN_S):
            return desired
        return self.desired_state(dataclasses.replace(inputs, healthy=True))

    def notes(self, outcome: apply.Outcome) -> list[state.Status]:
        """Say it when the token cache had died: nothing else would ever show it."""
        died = host.Step('start', memcached.SERVICE) in outcome.steps
        if died and not any(step.verb == 'install' for step in outcome.steps):
            return [state.Status('active', 'the token cache had stopped: started it again')]
        return []

    def _on_any(self, event: ops.EventBase) -> None:
        self._tick = isinstance(event, ops.UpdateStatusEvent)
        super()._on_any(event)

    def _on_pause(self, event: ops.ActionEvent) -> None:
        self._wish = loadbalancer.Lifecycle(
            state='drain',
            token='',
            reason=str(event.params.get('reason', 'paused')),
            deadline_s=int(event.params.get('deadline', 300)),
            on_deadline='force' if event.params.get('force') else 'wait',
            force=bool(event.params.get('force', False)),
        )
        super()._on_pause(event)

    def _on_stop(self, _: ops.StopEvent) -> None:
        self._leaving = True
        inputs = self.inputs()
        apply.reconcile(self.here, self.desired_state(inputs).host)

    def _on_openstack_upgrade(self, event: ops.ActionEvent) -> None:
        inputs = self.inputs()
        if _serves_clients(inputs) and not event.params.get('force'):
            event.fail('a load balancer sends clients to this unit: run the pause action first')
            return
        before = dict(inputs.versions)
        release = releases.of_base(inputs.facts.base)
        spec = self.spec.on(release)
        packages.install(spec.packages, masked=spec.masked, upgrade=True)
        self.reconcile()
        after = dict(self.inputs().versions)
        event.set_results(
            {'upgraded': ' '.join(sorted(p for p in after if after[p] != before.get(p))) or 'none'}
        )

    def _on_db_expand(self, event: ops.ActionEvent) -> None:
        self._migrate(event, self.spec.migrations.expand or self.spec.migrations.sync)

    def _on_db_contract(self, event: ops.ActionEvent) -> None:
        self._migrate(event, self.spec.migrations.contract)

    def _migrate(self, event: ops.ActionEvent, lines: Iterable[str]) -> None:
        inputs = self.inputs()
        wanted = service.schema(self.spec, inputs)
        if wanted is None:
            event.fail('there is no database yet')
            return
        # The service's configuration must be there; the leader's own migration need not be.
        self.reconcile()
        try:
            for command in migration.run(lines, self.spec.user, wanted):
                event.log(command.name)
                run.command(command)
        except run.CommandError as e:
            event.fail(str(e))
            return
        self.write_peer_data({migration.KEY: wire.dump(dataclasses.asdict(wanted))})
        self.reconcile()
        event.set_results({'schema-release': wanted.release, 'schema-version': wanted.version})


def _comes_back(inputs: state.Inputs) -> bool:
    """Whether a load balancer waits to hear that this unit is ready again."""
    return _lifecycle_state(inputs) in ('drain', 'maintenance')


def _serves_clients(inputs: state.Inputs) -> bool:
    return _lifecycle_state(inputs) in ('ready', 'drain')


def _lifecycle_state(inputs: state.Inputs) -> str:
    lifecycle = loadbalancer.last(r for name in loadbalancer.ENDPOINTS for r in inputs.of(name))
    return lifecycle.state if lifecycle else ''


def _answers(port: int, seconds: float) -> bool:
    """Whether ``/healthcheck`` on this machine answers 200 within *seconds*."""
    end = time.monotonic() + seconds
    while True:
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=5)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request('GET', '/healthcheck')
            if connection.getresponse().status == http.client.OK:
                return True
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
