#!/usr/bin/env python3
"""Charm for the load balancer in front of OpenStack's APIs."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import dataclasses
import time

import charmkit
import ops
from balancer import (
    answer,
    checked,
    decision,
    handshake,
    haproxy_cfg,
    interface,
    linger,
    publish,
    runtime,
    stats,
    vrrp,
    workload,
)
from charmkit import drive, files, host, legacy
from charmkit.relations import ENDPOINT_TYPES, loadbalancer, wire


class LoadBalancerCharm(legacy.LegacyCharm):
    """Charm for haproxy and keepalived as OpenStack's load balancer."""

    _memory = ops.StoredState()
    _orders = decision.Orders()

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        self._memory.set_default(before='[]', gone='', drains='{}', out_of_service=False)
        self._guilty: dict[int, str] = {}
        actions = {
            'drain-backend': self._on_drain_backend,
            'resume-backend': self._on_resume_backend,
            'list-backends': self._on_list_backends,
            'drain-self': self._on_drain_self,
            'resume-self': self._on_resume_self,
            'show-grants': self._on_show_grants,
            'release-grant': self._on_release_grant,
            'exclude-unit': self._on_exclude_unit,
            'include-unit': self._on_include_unit,
            'stats': self._on_stats,
        }
        for name, observer in actions.items():
            framework.observe(self.on[name].action, observer)

    def desired_state(self, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What this unit is to be, before anything was seen of haproxy."""
        self._known = self._know(inputs)
        try:
            self._decision = decision.decide(self._known)
        except checked.InvalidError as e:
            self._decision = None
            return charmkit.Desired(status=(charmkit.Status('blocked', str(e)),))
        return charmkit.Desired(host=self._decision.host)

    def prepared(self, facts: charmkit.Facts) -> host.Host:
        """haproxy, and keepalived for the case that there will be a VIP."""
        return decision.PREPARED

    def converge(self, inputs: charmkit.Inputs, desired: charmkit.Desired) -> charmkit.Desired:
        """Bring haproxy's servers to what is wanted, and answer."""
        if self._decision is None:
            return desired
        try:
            settled = self._settle_servers(self._decision)
        except runtime.UnreachableError as e:
            return dataclasses.replace(
                desired, status=(*desired.status, charmkit.Status('blocked', f'haproxy: {e}'))
            )
        self._decision = now = settled.decision
        # Grants of this very hook: a start of haproxy from nothing must know of them too.
        drive.reconcile(self.here, now.host)
        self._remember(inputs, settled)
        return publish.published(self._known, now, settled.acks, settled.workers)

    def reconcile(self) -> charmkit.Desired:
        """As any charm, and when haproxy refuses a configuration, find out whose fault it is."""
        try:
            return super().reconcile()
        except files.RefusedError as e:
            guilty = self._find_guilty()
            if not guilty or guilty.keys() <= self._guilty.keys():
                self.unit.status = ops.BlockedStatus(f'haproxy refuses its configuration: {e}')
                return charmkit.Desired()
            self._guilty.update(guilty)
            return self.reconcile()

    def _find_guilty(self) -> dict[int, str]:
        now = self._decision
        if now is None:
            return {}
        out: dict[int, str] = {}
        every = {a.relation for a in now.asked}
        for relation in every:
            others = {r: 'left out' for r in every if r != relation}
            alone = decision.decide(dataclasses.replace(self._known, guilty=others))
            said = workload.objection(alone.config)
            if said:
                out[relation] = f'haproxy does not take it: {said}'
        return out

    def _know(self, inputs: charmkit.Inputs) -> decision.Known:
        there = [r for name in decision.ENDPOINTS for r in inputs.of(name)]
        linger_s = float(inputs.options.get('linger', 120))
        gone = linger.departed(
            linger.load(str(self._memory.before)),
            there,
            linger.load_gone(str(self._memory.gone)),
            now=time.time(),
            linger_s=linger_s,
        )
        names = workload.interface_names()
        return decision.Known(
            inputs=inputs,
            networks={t: vrrp.interfaces(inputs, t, names) for t in ENDPOINT_TYPES},
            metrics_addresses=tuple(
                dict.fromkeys(
                    i.address for i in vrrp.interfaces(inputs, 'metrics-endpoint', names)
                )
            ),
            gone=gone,
            guilty=self._guilty,
            out_of_service=bool(self._memory.out_of_service),
            orders=self._orders,
        )

    def _settle_servers(self, first: decision.Decision) -> workload.Settled:
        mark = haproxy_cfg.mark(first.config)
        try:
            runtime.await_worker(mark)
        except runtime.UnreachableError:
            workload.reload()
            runtime.await_worker(mark)
        members = {
            unit: answer.read_member(bag) for unit, bag in self._known.inputs.peer_units.items()
        }

        def decide(
            acks: workload.Acks,
            workers: tuple[workload.rotation.Worker, ...],
            now: decision.Decision,
        ) -> decision.Decision:
            if not self._known.inputs.site.leader:
                return now
            locks = handshake.decide(
                workload.candidates(now, workers),
                now.locks,
                {**{u: m.acks for u, m in members.items()}, self.unit.name: acks},
                now.members,
                handshake.Policy(
                    min_ready=interface.min_ready(now.requests),
                    max_concurrent=now.opts.max_concurrent,
                    lease_s=now.opts.lease_s,
                ),
                time.time(),
            )
            if locks == now.locks:
                return now
            return decision.decide(dataclasses.replace(self._known, locks=locks))

        said = answer.read_member(self._known.inputs.my_peer_data).acks
        return workload.settle(first, decide, self._drains(), said, wait_s=first.opts.drain_wait_s)

    def _drains(self) -> workload.Drains:
        kept = wire.load_object(str(self._memory.drains))
        return workload.Drains(since={u: (str(t), float(s)) for u, (t, s) in kept.items()})

    def _remember(self, inputs: charmkit.Inputs, settled: workload.Settled) -> None:
        there = [r for name in decision.ENDPOINTS for r in inputs.of(name)]
        self._memory.before = linger.dump(there)
        self._memory.gone = linger.dump_gone(self._known.gone)
        self._memory.drains = wire.dump(settled.drains.since)

    # -- actions

    def _ordered(self, event: ops.ActionEvent, orders: decision.Orders) -> bool:
        if not self.unit.is_leader():
            event.fail('Only the leader can do this: run it on the unit APPLICATION/leader.')
            return False
        self._orders = orders
        self.reconcile()
        return True

    def _on_drain_backend(self, event: ops.ActionEvent) -> None:
        unit = str(event.params['unit'])
        hold = loadbalancer.Lifecycle(
            state='drain',
            token=f'operator-{event.id}',
            reason='the operator',
            deadline_s=int(event.params.get('deadline', 300)),
            on_deadline='force' if event.params.get('force') else 'wait',
            force=bool(event.params.get('force')),
        )
        if self._ordered(event, decision.Orders(hold={unit: hold})):
            event.set_results(self._grant_of(unit))

    def _on_resume_backend(self, event: ops.ActionEvent) -> None:
        unit = str(event.params['unit'])
        if self._ordered(event, decision.Orders(resume=frozenset({unit}))):
            event.set_results(self._grant_of(unit))

    def _on_release_grant(self, event: ops.ActionEvent) -> None:
        unit = str(event.params['unit'])
        if self._ordered(event, decision.Orders(release=frozenset({unit}))):
            event.set_results(self._grant_of(unit))

    def _on_exclude_unit(self, event: ops.ActionEvent) -> None:
        unit = str(event.params['unit'])
        if self._ordered(event, decision.Orders(exclude=frozenset({unit}))):
            event.set_results({'excluded': ' '.join(sorted(self._now().excluded)) or 'none'})

    def _on_include_unit(self, event: ops.ActionEvent) -> None:
        unit = str(event.params['unit'])
        if self._ordered(event, decision.Orders(include=frozenset({unit}))):
            event.set_results({'excluded': ' '.join(sorted(self._now().excluded)) or 'none'})

    def _on_drain_self(self, event: ops.ActionEvent) -> None:
        self._memory.out_of_service = True
        self.reconcile()
        event.set_results({'status': self.unit.status.message})

    def _on_resume_self(self, event: ops.ActionEvent) -> None:
        self._memory.out_of_service = False
        self.reconcile()
        event.set_results({'status': self.unit.status.message})

    def _on_show_grants(self, event: ops.ActionEvent) -> None:
        locks = self._now().locks
        event.set_results(
            {
                'grants': '\n'.join(
                    f'{unit}: {lock.state} {lock.reason}'.rstrip() for unit, lock in locks.items()
                )
                or 'none',
                'json': handshake.dump(locks),
            }
        )

    def _on_list_backends(self, event: ops.ActionEvent) -> None:
        try:
            workers = runtime.workers()
        except runtime.UnreachableError as e:
            event.fail(str(e))
            return
        rows = publish.backends(self._now(), workers)
        event.set_results({'backends': publish.table(rows), 'json': wire.dump(rows)})

    def _on_stats(self, event: ops.ActionEvent) -> None:
        members = {
            unit: answer.read_member(bag).metrics for unit, bag in self.inputs().peer_units.items()
        }
        found, missing = runtime.statistics(members, self.unit.name)
        lines = stats.merged(found)
        if event.params.get('format') == 'json':
            event.set_results({'stats': wire.dump([dataclasses.asdict(x) for x in lines])})
        else:
            event.set_results({'stats': stats.table(lines)})
        if missing:
            event.set_results({'missing': '; '.join(missing)})

    def _now(self) -> decision.Decision:
        return decision.decide(self._know(self.inputs()))

    def _grant_of(self, unit: str) -> dict[str, str]:
        lock = self._decision.locks.get(unit) if self._decision else None
        return {
            'unit': unit,
            'grant': f'{lock.state} {lock.reason}'.strip() if lock else 'none',
        }


if __name__ == '__main__':  # pragma: nocover
    ops.main(LoadBalancerCharm)
