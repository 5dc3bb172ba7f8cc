"""A compute node, but for its servers: etcd with certificates, and a network namespace that stands for a server."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

from charms.tests import charm_container

CONTAINERFILE = """FROM {base}
RUN export DEBIAN_FRONTEND=noninteractive; \
 printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; apt-get -q update; \
 apt-get -q -y install --no-install-recommends {packages} etcd-server etcd-client busybox openssl procps iproute2; \
 rm /usr/sbin/policy-rc.d; systemctl disable neutron-dhcp-agent haproxy etcd
"""
NODE = 'node-1'
"""The machine's name, which nova has for it."""
NETWORK, SUBNET = '11111111-2222-4333-8444-555555555555', '21111111-2222-4333-8444-555555555555'
PORT, SERVER = '31111111-2222-4333-8444-555555555555', '41111111-2222-4333-8444-555555555555'
MAC, ADDRESS = 'fa:16:3e:00:00:05', '10.67.0.5'
_PKI = """set -e; mkdir -p /opt/pki; cd /opt/pki
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=etcd-ca -keyout ca.key -out ca.crt
for who in server client; do
  openssl req -newkey rsa:2048 -nodes -subj /CN=$who -keyout $who.key -out $who.csr
  printf 'subjectAltName=IP:127.0.0.1' > $who.ext
  openssl x509 -req -days 2 -in $who.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile $who.ext -out $who.crt
done
systemd-run --quiet --unit=etcd-of-test etcd --data-dir /var/lib/etcd-of-test --client-cert-auth \
 --cert-file server.crt --key-file server.key --trusted-ca-file ca.crt --listen-client-urls https://127.0.0.1:2379 \
 --advertise-client-urls https://127.0.0.1:2379
"""
_CTL = (
    'ETCDCTL_API=3 etcdctl --endpoints https://127.0.0.1:2379 --cacert /opt/pki/ca.crt '
    '--cert /opt/pki/client.crt --key /opt/pki/client.key'
)
_WITH_BRIDGE = """[Service]
ExecStart=
ExecStart=/usr/bin/python3 /opt/dhcp_agent_on_machine.py --config-file {0} --config-file {1}
"""


@dataclasses.dataclass
class Node(charm_container.CharmContainer):
    """The machine of a nova-compute."""

    memory: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    """What the charm keeps from run to run."""

    def prepare(self) -> None:
        """Start etcd, which takes none but those with a certificate."""
        self.sh(_PKI.replace(' etcd --data', ' --working-directory=/opt/pki etcd --data'))
        self.until(lambda: 'is healthy' in self.sh(f'{_CTL} endpoint health', check=False), 'etcd')

    def run(self, hook: str = 'config-changed', **instead: str) -> dict[str, Any]:
        """One run of the charm; *instead* takes the place of what etcd says."""
        texts = {
            f'client_{key}': self.sh(f'cat /opt/pki/{name}')
            for key, name in (('ca', 'ca.crt'), ('cert', 'client.crt'), ('key', 'client.key'))
        }
        etcd = {'connection_string': 'https://127.0.0.1:2379', **texts, **instead}
        given = {'etcd': etcd, 'memory': self.memory, 'hook': hook}
        out = self.run_charm('agent_on_machine.py', given)
        self.memory = out['memory']
        return out

    def without_dummies(self, *files: str) -> None:
        """Have the agent make a bridge where the kernel has no interfaces of kind dummy; it reads *files* as before."""
        folder = '/run/systemd/system/calico-dhcp-agent.service.d'
        text = _WITH_BRIDGE.format(*files)
        done = self.program(
            *(self.name, 'sh', '-c', f'mkdir -p {folder}; cat > {folder}/bridge.conf'), stdin=text
        )
        assert done.returncode == 0, done.stderr

    def says(self, key: str, value: dict[str, Any]) -> None:
        """Put *value* into etcd, as the driver does."""
        done = self.program(self.name, 'sh', '-c', f'{_CTL} put {key}', stdin=json.dumps(value))
        assert done.returncode == 0, done.stderr

    def port(self) -> None:
        """A subnet, and a server's port on this node, in the driver's format (its modules `subnets`, `endpoints`)."""
        subnet: dict[str, Any] = {
            'network_id': NETWORK,
            'cidr': '10.67.0.0/24',
            'host_routes': [],
            'gateway_ip': '10.67.0.1',
        }
        self.says(f'/calico/dhcp/v2/no-region/subnet/{SUBNET}', subnet)
        name = '-'.join(x.replace('-', '--') for x in (NODE, '\0', SERVER, PORT))
        name = name.replace('\0', 'openstack')
        kind = '/calico/resources/v3/projectcalico.org/workloadendpoints/openstack'
        spec = {
            'orchestrator': 'openstack',
            'workload': SERVER,
            'node': NODE,
            'endpoint': PORT,
            'interfaceName': f'tap{PORT[:11]}',
            'mac': MAC,
            'ipNetworks': [f'{ADDRESS}/32'],
            'ipv4Gateway': '10.67.0.1',
        }
        metadata = {
            'name': name,
            'namespace': 'openstack',
            'annotations': {'openstack.projectcalico.org/network-id': NETWORK},
        }
        self.says(
            f'{kind}/{name}',
            {
                'kind': 'WorkloadEndpoint',
                'apiVersion': 'projectcalico.org/v3',
                'metadata': metadata,
                'spec': spec,
            },
        )

    def plug(self) -> None:
        """Be the server of that port, in a network namespace ``guest``: what nova does, and libvirt."""
        tap, guest = f'tap{PORT[:11]}', 'ip netns exec guest ip link set guest0'
        self.sh(
            f'ip netns add guest; ip link add {tap} type veth peer name guest0; ip link set {tap} up; '
            f'ip link set guest0 netns guest; {guest} address {MAC}; {guest} up'
        )

    def ask(self) -> str:
        """What DHCP says to that server."""
        asked = 'ip netns exec guest busybox udhcpc -i guest0 -n -q -t 2 -T 2 -s /bin/true'
        return self.sh(asked, check=False)

    def until(self, seen: Callable[[], Any], what: str, seconds: float = 120) -> None:
        """Wait until *seen* sees something; an assertion with the log when it does not in so many *seconds*."""
        end = time.monotonic() + seconds
        while not seen():
            if time.monotonic() > end:
                log = self.sh('journalctl -n 60 --no-pager -u calico-dhcp-agent', check=False)
                raise AssertionError(f'not within {seconds} s: {what}\n{log}')
            time.sleep(1)
