"""libvirt on the compute node: its files and what surrounds it. Pure.

In a container libvirt makes neither control groups nor mount namespaces for guests: control groups are not its own to
write there, and volumes attached later would not be seen in a namespace whose root is a private mount.

Nor is its firmware its own: all nodes of one host would have that host's UUID, and libvirt refuses to move a guest to
the host that it is on. In a container it takes the machine's id.
"""

from __future__ import annotations

import charmkit
from charmkit import host

LIBVIRT = 'libvirtd'
COMPUTE = 'nova-compute'
_NOTE = '# Written by the charm: local changes are overwritten.\n'
_QEMU_CONF = '/etc/libvirt/qemu.conf'
_LIBVIRTD_CONF = '/etc/libvirt/libvirtd.conf'
_OWN_UUID = 'host_uuid_source = "machine-id"\n'
_IN_CONTAINER = 'cgroup_controllers = [ ]\nnamespaces = [ ]\n'
# It would end while nobody is connected, and be taken for one that has died.
_ALWAYS_THERE = 'LIBVIRTD_ARGS=""\n'
_RESPONDS = 'until virsh --connect qemu:///system version >/dev/null 2>&1; do sleep 1; done'
_AFTER_LIBVIRT = f"""{_NOTE}[Unit]
After={LIBVIRT}.service
Wants={LIBVIRT}.service

[Service]
# Without libvirt it ends, with 0.
ExecStartPre=/usr/bin/timeout 60 /bin/sh -c '{_RESPONDS}'
TimeoutStartSec=180
"""
# /dev is empty again after each restart of a container.
_TUN = """d /dev/net 0755 root root -
c! /dev/net/tun 0666 root root - 10:200
"""


def desired(ready: charmkit.Ready) -> host.Host:
    """What it wants of the machine."""
    container = ready.inputs.facts.container
    notify = (LIBVIRT,)
    return host.Host(
        files=(
            host.File(
                path=_QEMU_CONF,
                content=_NOTE + (_IN_CONTAINER if container else ''),
                notify=notify,
            ),
            # As with that of QEMU, the package's has nothing but comments.
            host.File(
                path=_LIBVIRTD_CONF,
                content=_NOTE + (_OWN_UUID if container else ''),
                notify=notify,
            ),
            host.File(path='/etc/default/libvirtd', content=_NOTE + _ALWAYS_THERE, notify=notify),
            host.File(
                path=f'/etc/systemd/system/{COMPUTE}.service.d/libvirt.conf',
                content=_AFTER_LIBVIRT,
                notify=(COMPUTE,),
            ),
            *((host.File(path='/etc/tmpfiles.d/tun.conf', content=_TUN),) if container else ()),
        ),
        commands=(
            # Installed while nothing may start, polkit's policy is not known to dbus: connections of nova would hang.
            host.Command(
                name='reload dbus',
                argv=('systemctl', 'reload', 'dbus'),
                key=ready.inputs.versions.get(COMPUTE, ''),
            ),
            *(
                (
                    host.Command(
                        name='make tun',
                        argv=(
                            'systemd-tmpfiles',
                            '--create',
                            '--boot',
                            '/etc/tmpfiles.d/tun.conf',
                        ),
                        key='1',
                    ),
                )
                if container
                else ()
            ),
        ),
    )
