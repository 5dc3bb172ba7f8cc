#!/usr/bin/env python3
"""A stand-in for an OpenStack API: it asks load balancers for frontends, and drains."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import json
import pathlib

import charmkit
import ops
from charmkit import front, health, host
from charmkit.relations import drains, loadbalancer

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

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        """A service, and what it asks for; it says that it is back once it answers."""
        found = [r for name in loadbalancer.ENDPOINTS for r in inputs.of(name)]
        intent = front.intent(why, inputs)
        before = drains.last_lifecycle(found)
        now = drains.next_lifecycle(
            before, found, unit=inputs.site.unit, paused=intent.paused,
            healthy=intent.healthy, fresh_token=inputs.fresh, wish=intent.drain,
        )  # fmt: skip
        away = before is not None and before.state != 'ready' and not intent.paused
        app = health.App('api', PORT, 'journalctl -u api', inputs.site.address)
        services = [
            loadbalancer.Api(
                name=inputs.site.app, type=str(inputs.options['service']),
                frontend_port=int(inputs.options['frontend-port']), backend_port=PORT,
                min_ready=int(inputs.options['min-ready']),
            )
        ]  # fmt: skip
        stopped = intent.paused and now.state == 'maintenance'
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
        drain = drains.drain(found, inputs.site.unit, now)
        return charmkit.Desired(
            host=host.Host(
                files=(
                    host.File(path='/usr/local/bin/api-serve', content=serve, notify=('api',)),
                    host.File(
                        path='/etc/systemd/system/api.service', content=text, notify=('api',)
                    ),
                ),
                services=(host.SystemdService('api', 'stopped' if stopped else 'running'),),
            ),
            tasks=(health.Health((app,), 5.0),) if away else (),
            memory={} if intent.removing else {front.PAUSED: intent.paused},
            app_data=dict[str | int, charmkit.relations.Databag](app_data),
            unit_data={
                r.id: loadbalancer.unit_request(
                    services,
                    loadbalancer.ENDPOINTS[r.name],
                    [inputs.site.address],
                    drains.lifecycle_for(r, found, inputs.site.unit, now),
                )
                for r in found
            },
            status=(
                *(charmkit.Status('blocked', c) for c in loadbalancer.complaints(found)),
                *(
                    [charmkit.Status('maintenance', f'{now.state}: {drain.state} {drain.reason}')]
                    if intent.paused
                    else []
                ),
                charmkit.Status('active', ' '.join(
                    f'{t}={u}' for t, u in loadbalancer.urls(found).get(inputs.site.app, {}).items()
                )),
            ),
        )  # fmt: skip


if __name__ == '__main__':  # pragma: nocover
    ops.main(ApiCharm)
