# ruff: noqa: D102 -- goes with the load balancer.
"""The charm as it was before a run was a value; until the load balancer is one too."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import ops

from . import charm, drive, files, host, idle, state
from .why import Why


class LegacyCharm(charm.Charm):
    """A charm of ``desired_state`` and ``converge``."""

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)

    def desired_state(self, inputs: state.Inputs) -> state.Desired:
        raise NotImplementedError

    def converge(self, inputs: state.Inputs, desired: state.Desired) -> state.Desired:
        return desired

    def _on_hook(self, event: ops.HookEvent) -> None:
        if not isinstance(event, ops.StopEvent | ops.SecretRotateEvent):
            super()._on_hook(event)

    def _on_action(self, event: ops.ActionEvent) -> None:
        pass

    def _carry_out(self, why: Why) -> drive.Driven:
        self.reconcile()
        return drive.Driven(desired=state.Desired(), inputs=self.inputs())

    def reconcile(self) -> state.Desired:
        idle.forget(self.charm_dir)
        inputs = self.inputs()

        def decide(versions: Mapping[str, str]) -> host.Host:
            return self.desired_state(dataclasses.replace(inputs, versions=versions)).host

        versions = inputs.versions or self.here.observe(decide({})).packages
        steps: list[host.Step] = []
        while True:
            outcome = drive.reconcile(self.here, decide(versions))
            for path, said in outcome.refused.items():
                raise files.RefusedError(path, said)
            steps += outcome.steps
            if outcome.versions == versions:
                break
            versions = outcome.versions
        if inputs.versions != versions:
            self._stored.versions = dict(versions)
            inputs = dataclasses.replace(inputs, versions=versions)
        desired = self.desired_state(inputs)
        failed = [
            state.Status('blocked', f'{name} does not run: see journalctl -u {name}')
            for name in outcome.failed
        ]
        if not failed:
            desired = self.converge(inputs, desired)
        news = self._publish(desired)
        shown = self._show([*failed, *desired.status])
        at_rest = not (news or steps or shown == 'blocked')
        idle.remember(self.charm_dir, self._heard(inputs) if at_rest else {})
        return desired
