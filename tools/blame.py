"""Who is to blame for what a cloud does not do: the service, its own words, and where its log is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any

import cloud as cloud_

LOGS = {
    'nova': ('nova-cloud-controller', '/var/log/nova'),
    'console': ('nova-cloud-controller', '/var/log/nova/nova-novncproxy.log'),
    'compute': ('nova-compute', '/var/log/nova/nova-compute.log'),
    'neutron': ('neutron-api', '/var/log/neutron'),
    'agents': ('neutron-gateway', '/var/log/neutron'),
    'ovn': ('ovn-chassis', '/var/log/ovn /var/log/neutron'),
    'glance': ('glance', '/var/log/glance'),
    'cinder': ('cinder', '/var/log/cinder'),
    'dashboard': ('openstack-dashboard', '/var/log/apache2'),
    'placement': ('placement', '/var/log/apache2'),
    'keystone': ('keystone', '/var/log/keystone'),
}
"""By service: application, and where on its units it writes: a file, or folders."""


class Failed(RuntimeError):  # noqa: N818 -- what happened
    """A service did not do what it must; the text says which, what it said, and where its log is."""


@contextlib.contextmanager
def blamed(service: str, doing: str, units: Sequence[str] = ()) -> Generator[None]:
    """What fails while *doing* something is reported with the service and where its log is, on *units* or the first."""
    application, log = LOGS[service]
    where = (f'juju ssh {u} {_end_of(log)}' for u in units or [f'{application}/0'])
    try:
        with cloud_.plainly(doing):
            yield
    except Failed:
        raise
    except (RuntimeError, OSError) as error:
        raise Failed(f'{error} [{service}: {"; ".join(where)}]') from error


def _end_of(log: str) -> str:
    """A command that shows the last lines of a file, or of each in folders."""
    if log.endswith('.log'):
        return f'sudo tail -n 50 {log}'
    return f"sudo find {log} -name '*.log' -exec tail -v -n 50 {{}} +"


def until(found: Callable[[], Any], what: str, seconds: float, pause: float = 1.0) -> Any:
    """Ask until there is an answer. TimeoutError with what there was at last."""
    end = time.monotonic() + seconds
    while True:
        response = found()
        if response:
            return response
        if time.monotonic() > end:
            raise TimeoutError(f'{what} within {seconds:.0f} s')
        time.sleep(pause)
