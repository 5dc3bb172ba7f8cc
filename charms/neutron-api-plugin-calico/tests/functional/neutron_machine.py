"""A container with neutron's server, a database, a message broker, etcd, and a keystone that is played."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import time
from collections.abc import Callable
from typing import Any

from charms.tests import charm_container

PLAYED_KEYSTONE = (
    charm_container.REPOSITORY / 'charms/nova-cloud-controller/tests/functional/played_keystone.py'
)
CONTAINERFILE = """FROM {base}
RUN export DEBIAN_FRONTEND=noninteractive; \
 printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; apt-get -q update; \
 apt-get -q -y install --no-install-recommends neutron-server mariadb-server rabbitmq-server etcd-server etcd-client \
 curl procps python3-pymysql busybox dnsmasq-base iptables sudo {more}; \
 rm /usr/sbin/policy-rc.d; \
 systemctl disable neutron-api neutron-rpc-server rabbitmq-server mariadb etcd
"""
ML2 = '/etc/neutron/plugins/ml2/ml2_conf.ini'
CONF = """[DEFAULT]
core_plugin = ml2
service_plugins = router
transport_url = rabbit://neutron:pw@127.0.0.1:5672/openstack
api_workers = 1
rpc_workers = 1
state_path = /var/lib/neutron
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
[database]
connection = mysql+pymysql://neutron:pw@127.0.0.1/neutron
[oslo_concurrency]
lock_path = /var/lib/neutron/lock
[keystone_authtoken]
auth_url = http://127.0.0.1:5000
www_authenticate_uri = http://127.0.0.1:5000
auth_type = password
username = neutron
password = pw
project_name = services
user_domain_name = service_domain
project_domain_name = service_domain
"""
NODE = 'node-1'
_FILES = f'--config-file /etc/neutron/neutron.conf --config-file {ML2}'
_WORKLOADS = '/calico/resources/v3/projectcalico.org/workloadendpoints/openstack/'
_SUBNETS = '/calico/dhcp/v2/no-region/subnet/'
_FELIX = '/calico/felix/v2/no-region/host'


@dataclasses.dataclass
class Neutron(charm_container.CharmContainer):
    """A unit of neutron-api, but for its charm."""

    def prepare(self) -> None:
        """Start all that is there before neutron."""
        self.sh('systemctl start mariadb rabbitmq-server etcd')
        self.sh(
            "mariadb -e \"CREATE DATABASE neutron; GRANT ALL ON neutron.* TO neutron@'%' IDENTIFIED BY 'pw'\"; "
            'rabbitmqctl add_vhost openstack; rabbitmqctl add_user neutron pw; '
            "rabbitmqctl set_permissions -p openstack neutron '.*' '.*' '.*'"
        )
        self.sh(
            'systemd-run --quiet --unit=played-keystone python3 /opt/played_keystone.py 127.0.0.1'
        )
        self.put('/etc/neutron/neutron.conf', CONF)
        self.sh(f"su -s /bin/sh neutron -c 'neutron-db-manage {_FILES} upgrade head'")

    def put(self, path: str, content: str) -> None:
        """Write a file."""
        done = self.program(self.name, 'sh', '-c', f'cat > {path}', stdin=content)
        assert done.returncode == 0, done.stderr

    def serve(self, ml2: str) -> None:
        """Run neutron's server anew with *ml2*; etcd is empty then."""
        self.put(ML2, ml2)
        self.sh(
            'systemctl stop neutron-of-test; systemctl reset-failed neutron-of-test; '
            'ETCDCTL_API=3 etcdctl del --prefix /calico; '
            f'systemd-run --quiet --unit=neutron-of-test --uid=neutron neutron-server {_FILES} '
            '--log-file /var/log/neutron/of-test.log',
            check=False,
        )
        self.until(lambda: self.sh('curl -s 127.0.0.1:9696', check=False), 'its API answers')

    def until(self, seen: Callable[[], Any], what: str, seconds: float = 120) -> None:
        """Wait until *seen* sees something: an assertion with neutron's log when it does not, in so many *seconds*."""
        end = time.monotonic() + seconds
        while not seen():
            if time.monotonic() > end:
                log = self.sh('tail -n 60 /var/log/neutron/of-test.log', check=False)
                raise AssertionError(f'not within {seconds} s: {what}\n{log}')
            time.sleep(1)

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What neutron's API answers."""
        said = '--data @-' if body else ''
        done = self.program(
            *(self.name, 'sh', '-c'),
            f"curl -s -m 60 -X {method} -H 'X-Auth-Token: t' -H 'Content-Type: application/json' "
            f'{said} http://127.0.0.1:9696/v2.0/{path}',
            stdin=json.dumps(body) if body else '',
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else {}

    def etcd(self, prefix: str) -> dict[str, Any]:
        """What etcd has below *prefix*, by key."""
        said = json.loads(
            self.sh(f'ETCDCTL_API=3 etcdctl get --prefix {prefix} --write-out=json') or '{}'
        )
        texts = (
            (self._text(kv['key']), self._text(kv.get('value', ''))) for kv in said.get('kvs', [])
        )
        return {key: json.loads(value) for key, value in texts if value.startswith('{')}

    def subnets(self) -> list[dict[str, Any]]:
        """Subnets, as the DHCP agents of compute nodes read them."""
        return [*self.etcd(_SUBNETS).values()]

    def endpoints(self) -> dict[str, dict[str, Any]]:
        """Ports of servers, as Felix reads them, by the port's identifier."""
        return {x['spec']['endpoint']: x['spec'] for x in self.etcd(_WORKLOADS).values()}

    def felix(self, path: str, said: dict[str, Any]) -> None:
        """Say what Felix on :data:`NODE` would, at *path* below what is its own: it is not to be had here."""
        self.sh(f"ETCDCTL_API=3 etcdctl put {_FELIX}/{NODE}/{path} '{json.dumps(said)}'")

    def subnet(self, cidr: str) -> dict[str, Any]:
        """Make a network with a subnet; the subnet."""
        network = self.api('POST', 'networks', {'network': {'name': cidr}})['network']['id']
        body = {'network_id': network, 'ip_version': 4, 'cidr': cidr}
        return self.api('POST', 'subnets', {'subnet': body})

    def port(self, network: str, server: str) -> dict[str, Any]:
        """Make a port of a *server* on the node."""
        body = {
            'network_id': network,
            'device_owner': 'compute:nova',
            'device_id': server,
            'binding:host_id': NODE,
        }
        return self.api('POST', 'ports', {'port': body})

    def plug(self, port: dict[str, Any]) -> None:
        """Be the server of *port*, in a network namespace ``guest``: what nova does, and libvirt."""
        tap, guest = f'tap{port["id"][:11]}', 'ip netns exec guest ip link set guest0'
        self.sh(
            f'ip netns add guest; ip link add {tap} type veth peer name guest0; ip link set {tap} up; '
            f'ip link set guest0 netns guest; {guest} address {port["mac_address"]}; {guest} up'
        )

    def ask(self) -> str:
        """What DHCP says to that server."""
        asked = 'ip netns exec guest busybox udhcpc -i guest0 -n -q -t 2 -T 2 -s /bin/true'
        return self.sh(asked, check=False)

    @staticmethod
    def _text(encoded: str) -> str:
        import base64

        return base64.b64decode(encoded).decode()


AGENT = f"""[DEFAULT]
host = {NODE}
state_path = /var/lib/neutron
[agent]
root_helper = sudo /usr/bin/neutron-rootwrap /etc/neutron/rootwrap.conf
[oslo_concurrency]
lock_path = /var/lib/neutron/lock
"""
"""What the DHCP agent of a compute node reads, but for etcd."""


def wheel(folder: pathlib.Path) -> pathlib.Path:
    """The driver of PyPI, fetched into *folder* by pip: an assertion with its words when it cannot be had."""
    import subprocess
    import sys

    asked = (
        'download',
        '--quiet',
        '--no-deps',
        '--dest',
        str(folder),
        'networking-calico==3.12.0',
    )
    done = subprocess.run(
        (sys.executable, '-m', 'pip', *asked), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f'networking-calico 3.12.0 cannot be fetched: {done.stderr}'
    return next(folder.glob('*.whl'))
