#!/usr/bin/env python3
"""A stand-in for an OpenStack API: it asks load balancers for frontends, and drains."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import time
import urllib.request

import charmkit
import ops
from charmkit import host
from charmkit.relations import loadbalancer

PORT = 9000
UNIT = """\
[Service]
ExecStart=/usr/bin/python3 /usr/local/bin/api-serve {address} {port} {unit}
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target
"""


class ApiCharm(charmkit.Charm):
    """The charm."""

    _healthy = False

    def desired_state(self, inputs: charmkit.Inputs) -> charmkit.Desired:
        """A service, and what it asks for."""
        found = [r for name in loadbalancer.ENDPOINTS for r in inputs.of(name)]
        wish = loadbalancer.Lifecycle(
            state='drain', token='', reason='paused', force=getattr(self, 'forced', False)
        )
        now = loadbalancer.steer(
            loadbalancer.last(found), found, unit=inputs.site.unit, paused=inputs.paused,
            healthy=self._healthy, fresh_token=inputs.fresh, wish=wish,
        )  # fmt: skip
        services = [
            loadbalancer.Service(
                name=inputs.site.app, type=str(inputs.options['service']),
                frontend_port=int(inputs.options['frontend-port']), backend_port=PORT,
                min_ready=int(inputs.options['min-ready']),
            )
        ]  # fmt: skip
        stopped = inputs.paused and now.state == 'maintenance'
        text = UNIT.format(address=inputs.site.address, port=PORT, unit=inputs.site.unit)
        serve = pathlib.Path(__file__).with_name('serve.py').read_text()
        app_data: dict[str | int, dict[str, str]] = {
            name: dict(loadbalancer.app_request(services, t))
            for name, t in loadbalancer.ENDPOINTS.items()
        }
        if inputs.options.get('bad-port'):
            for bag in app_data.values():
                asked = json.loads(bag['endpoints'])
                asked[0]['frontend-port'] = inputs.options['bad-port']
                bag['endpoints'] = json.dumps(asked)
        self.now = now
        drain = loadbalancer.drain(found, inputs.site.unit, now)
        return charmkit.Desired(
            host=host.Host(
                files=(
                    host.File(path='/usr/local/bin/api-serve', content=serve, notify=('api',)),
                    host.File(
                        path='/etc/systemd/system/api.service', content=text, notify=('api',)
                    ),
                ),
                services=(host.Service('api', 'stopped' if stopped else 'running'),),
            ),
            app_data=dict[str | int, charmkit.relations.Databag](app_data),
            unit_data={
                r.id: loadbalancer.unit_request(
                    services,
                    loadbalancer.ENDPOINTS[r.name],
                    [inputs.site.address],
                    loadbalancer.told(r, found, inputs.site.unit, now),
                )
                for r in found
            },
            status=(
                *(charmkit.Status('blocked', c) for c in loadbalancer.complaints(found)),
                *(
                    [charmkit.Status('maintenance', f'{now.state}: {drain.state} {drain.reason}')]
                    if inputs.paused
                    else []
                ),
                charmkit.Status('active', ' '.join(
                    f'{t}={u}' for t, u in loadbalancer.urls(found, inputs.site.app).items()
                )),
            ),
        )  # fmt: skip

    def converge(self, inputs: charmkit.Inputs, desired: charmkit.Desired) -> charmkit.Desired:
        """Say that it is back once it answers."""
        if inputs.paused or self.now.state == 'ready':
            return desired
        self._healthy = _answers(f'http://{inputs.site.address}:{PORT}/healthcheck')
        again = self.desired_state(inputs)
        return dataclasses.replace(desired, unit_data=again.unit_data, status=again.status)

    def _on_pause(self, event: ops.ActionEvent) -> None:
        self.forced = bool(event.params.get('force'))
        super()._on_pause(event)


def _answers(url: str) -> bool:
    for _ in range(50):
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310
                return True
        except OSError:
            time.sleep(0.1)
    return False


if __name__ == '__main__':  # pragma: nocover
    ops.main(ApiCharm)
