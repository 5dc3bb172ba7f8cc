"""The processes of neutron: its API's program, the daemons beside it, and units of those that no package has one for.

Pure.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import charmkit
from charmkit import apache, host

HOME = '/var/lib/neutron'
CONFIG = ('/etc/neutron/neutron.conf', '/etc/neutron/plugins/ml2/ml2_conf.ini')
RPC = 'neutron-rpc-server'
"""What agents talk to."""
PERIODIC = 'neutron-periodic-workers'
"""What notices agents that are dead, and moves what they had to others; since 2024.2."""
UNWATCHED = ('zed', 'caracal')
"""Releases that have none: there the server of neutron's own does it (`wsgi_eventlet`), which Apache stands for."""
NATIVE = '/usr/local/lib/charmkit/neutron-api.wsgi'
"""The API's program until 2024.1."""
_NATIVE = """# Written by the charm.
# The package's program has eventlet in place of threads. What neutron tells its agents waits for eventlet's next
# turn then, which under mod_wsgi is the next request that this process gets: a rule of a security group, say.
from neutron import server
from neutron.server import api_eventlet

application = server.boot_server(api_eventlet.eventlet_api_server)
"""
_MOST = 8
_UNIT = """# Written by the charm: no package has a unit for it.
[Unit]
Description=OpenStack Networking ({name})
Wants=network-online.target
After=network-online.target

[Service]
User=neutron
Group=neutron
WorkingDirectory={home}
ExecStart=/usr/bin/{name} {files}
Restart=on-failure
LimitNOFILE=65535

[Install]
WantedBy=multi-user.target
"""


IN_USE = '/etc/neutron/in_use.py'
"""Keeps a column for servers of an older release while the database is migrated; see :mod:`subnet_migration`."""
_IN_USE = pathlib.Path(__file__).with_name('subnet_migration.py').read_text(encoding='utf-8')


def program() -> host.Host:
    """What the migrations are run by."""
    file = host.File(path=IN_USE, content=_IN_USE, group='neutron', mode=0o640)
    return host.Host(files=(file,))


def unit_of(name: str) -> Callable[[charmkit.Ready], host.Host]:
    """The systemd unit of the daemon *name*, and that program."""
    files = ' '.join(f'--config-file={path}' for path in CONFIG)
    content = _UNIT.format(name=name, home=HOME, files=files)
    path = f'/etc/systemd/system/{name}.service'
    unit = host.Host(files=(host.File(path=path, content=content, notify=(name,)),))
    wanted = host.merge(unit, program())
    return lambda _: wanted


def native(_: charmkit.Ready) -> host.Host:
    """The API's program, with threads of the system, and that of the migrations."""
    file = host.File(path=NATIVE, content=_NATIVE, notify=(apache.group('neutron-api'),))
    return host.merge(host.Host(files=(file,)), program())


def native_and(name: str) -> Callable[[charmkit.Ready], host.Host]:
    """That program, and the unit of the daemon *name*."""
    unit = unit_of(name)
    return lambda ready: host.merge(native(ready), unit(ready))


def counts(ready: charmkit.Ready) -> dict[str, int]:
    """How many of each there are: neutron's own choice would be by the processors of the whole host."""
    api = int(ready.inputs.options['workers']) or min(ready.inputs.facts.cpus, _MOST)
    return {'api_workers': api, 'rpc_workers': max(api // 2, 1), 'rpc_state_report_workers': 1}
