"""Proof of a cloud that runs servers: a guest from its image to its floating address, a volume, and nothing left of it.

All of it carries one name, by which it is removed: at the end, when the proof is interrupted, before it begins anew.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cloud as cloud_
import console
import dashboard
import jubilant
import machines
import moves
import network_agents
from blame import Failed, blamed, until
from guest import build
from leftovers import NAME, nothing_left, sweep
from steps import Proof, Step, left_out

TENANT = '192.168.77.0/24'
METADATA = 'metadata by service'
"""What the guest says on its console and on its page when the metadata service has answered."""
BOOT_S = 600.0
"""How long a guest may take until it is up, on a busy host whose processors it only has emulated."""
SETTLE_S = 120.0
ASK_S = 120.0
"""How long one request may take: neutron does much before it answers."""
CONSOLE = 'its console, opened through the load balancer'
LISTED = 'the dashboard, logged in, with the server in its list'
TIMEOUT_S = 30.0
"""How long the console may take to say something."""
POOL = (100, 199)
"""Hosts of the external network's subnet that floating addresses are taken from: machines have those below."""


def there(status: jubilant.Status) -> bool:
    """Whether a model has what servers need."""
    return {'nova-cloud-controller', 'nova-compute', 'neutron-api', 'glance'} <= set(status.apps)


def steps(juju: jubilant.Juju, cloud: cloud_.Cloud) -> Iterator[Step]:
    """What to prove, in order; every one needs those before it."""
    proof = Proof(juju, cloud_.connect(cloud, ASK_S))
    now = juju.status()

    def step(what: str, prove: Callable[[Proof], str]) -> Step:
        return Step(what, lambda: prove(proof))

    yield step('nothing left of an earlier proof', swept)
    yield step('compute hosts that take servers', host)
    yield step('a flavor and an image of the guest', image)
    yield step('an external network on the DMZ', external)
    yield step('a network, and a router to the DMZ', tenant)
    yield step('a server, active', server)
    yield step('its metadata read, by the guest itself', booted)
    if juju.config('nova-cloud-controller').get('console-access-protocol') == 'none':
        yield left_out(CONSOLE, 'console-access-protocol is none')
    else:
        yield step(CONSOLE, functools.partial(opened, cloud=cloud))
    if 'horizon' in cloud.urls:
        yield step(LISTED, functools.partial(listed, cloud=cloud))
    yield step('its floating address, refused before it is allowed', refused)
    yield step('its floating address, answering HTTP in the DMZ', responds)
    if 'cinder' in now.apps:
        yield step('a volume attached, written and read back', volume)
    alone = moves.ALONE if len(moves.nodes(now)) < 2 else ''
    same = 'a server may stay on its host' if moves.stays_on_its_host(juju) else ''
    for what, move, why in (
        (moves.LIVE, moves.live, alone),
        (moves.RESIZED, moves.resized, alone or same),
    ):
        yield left_out(what, why) if why else step(what, _seen_from_here(move))
    yield step('all deleted, and nothing left', deleted)


def _seen_from_here(move: Callable[[Proof, moves.Page], str]) -> Callable[[Proof], str]:
    """*move*, with what this host gets of the guest."""
    return lambda proof: move(proof, lambda seconds, path: _page(proof, None, seconds, path))


# Steps


def swept(proof: Proof) -> str:
    """Remove what an earlier run has left."""
    return sweep(proof.client) or 'there was nothing'


def host(proof: Proof) -> str:
    """Hypervisors that nova shows and has up, and in placement: as many as there are units.

    It shows those alone whose hosts are mapped to a cell: on others no server can be made, though their service is up.
    """
    now = proof.juju.status()
    compute, units = proof.client.compute, len(moves.nodes(now))
    proof.made['carrier'] = network_agents.blamed(now)
    with blamed('compute', 'looking for a compute host'):
        up = until(
            lambda: _as_many(units, _up_nodes(compute)),
            f'{units} nova-compute have not all been mapped to a cell and up',
            SETTLE_S,
        )
    with blamed('placement', 'looking for the compute hosts in placement'):
        found = until(
            lambda: _as_many(units, proof.client.placement.resource_providers()),  # type: ignore[attr-defined]
            'compute hosts have not all been in placement',
            SETTLE_S,
        )
    with blamed(_carrier(proof), 'looking for agents of the networks'):
        agents = until(
            lambda: _living(proof, len(up)),
            'the agents of the networks have not all lived',
            SETTLE_S,
        )
    return f'{", ".join(sorted(_host_of(h) for h in up))}; {len(found)} in placement; {", ".join(agents)}'


def _carrier(proof: Proof) -> str:
    """Who is to blame for networks: `host` has seen it."""
    return proof.made.get('carrier', 'agents')


def _as_many(count: int, found: Iterable[Any]) -> list[Any]:
    """What was found, once it is as many."""
    every = [*found]
    return every if len(every) >= count else []


def _up_nodes(compute: Any) -> Iterator[Any]:
    return (h for h in compute.hypervisors(details=True) if h.state == 'up')


def _host_of(hypervisor: Any) -> str:
    """What nova calls the host."""
    return str(hypervisor.service_details['host'])


def _living(proof: Proof, computes: int) -> list[str]:
    """Kinds of living agents, once the needed ones are there."""
    alive = [a.agent_type for a in proof.client.network.agents() if a.is_alive]
    enough = network_agents.complete(proof.juju.status(), alive, computes)
    return sorted(set(alive)) if enough else []


def image(proof: Proof) -> str:
    """Upload the guest, for the smallest server that it runs in."""
    path = build.ensure(lambda line: print(f'    {line}', file=sys.stderr, flush=True))
    with blamed('glance', 'uploading the guest'):
        made = proof.client.image.create_image(
            NAME,
            data=path.read_bytes(),  # A file that it opens itself it does not close.
            disk_format='raw',
            container_format='bare',
            allow_duplicates=True,
            hw_disk_bus='virtio',
            hw_vif_model='virtio',
            os_shutdown_timeout='5',  # It does not hear of being asked.
        )
        proof.made['image'] = made.id
    with blamed('nova', 'making a flavor'):
        flavor = proof.client.compute.create_flavor(name=NAME, ram=128, vcpus=1, disk=1)
        proof.made['flavor'] = flavor.id
    return f'{path.stat().st_size >> 20} MiB'


def external(proof: Proof) -> str:
    """A flat network whose subnet is the space's own, with floating addresses out of the way of machines."""
    space = network_agents.outside(proof.juju.status())
    cidr = ipaddress.ip_network(_subnet(proof.juju, space))
    network = proof.client.network
    with blamed('neutron', f'making a network on {cidr}'):
        made = network.create_network(
            name=NAME,
            is_router_external=True,
            provider_network_type='flat',
            provider_physical_network=_physical(proof.juju),
        )
        proof.made['external'] = made.id
        network.create_subnet(
            name=NAME,
            network_id=made.id,
            ip_version=4,
            cidr=str(cidr),
            gateway_ip=str(cidr[1]),
            is_dhcp_enabled=False,
            allocation_pools=[{'start': str(cidr[POOL[0]]), 'end': str(cidr[POOL[1]])}],
        )
    return f'{cidr} (space {space})'


def _subnet(juju: jubilant.Juju, space: str) -> str:
    spaces: list[dict[str, Any]] = json.loads(juju.cli('spaces', '--format', 'json'))['spaces']
    subnets: dict[str, Any] = next(s['subnets'] for s in spaces if s['name'] == space)
    return next(cidr for cidr in subnets if ':' not in cidr)


def _physical(juju: jubilant.Juju) -> str:
    """The name of the gateway's physical network for flat ones."""
    config = juju.config('neutron-api')
    return str(config.get('flat-network-providers') or 'physnet1').split()[0]


def tenant(proof: Proof) -> str:
    """A network of the tenant's own, and a router from it to the external one."""
    network: Any = proof.client.network
    with blamed('neutron', 'making a network and its router'):
        made = network.create_network(name=NAME + '-inner')
        subnet = network.create_subnet(
            name=NAME + '-inner', network_id=made.id, ip_version=4, cidr=TENANT
        )
        router = network.create_router(
            name=NAME, external_gateway_info={'network_id': proof.made['external']}
        )
        network.add_interface_to_router(router, subnet_id=subnet.id)
        group = network.create_security_group(name=NAME)
        proof.made |= {'network': made.id, 'router': router.id, 'group': group.id}
        gateway = network.get_router(router.id).external_gateway_info
    address = gateway['external_fixed_ips'][0]['ip_address']
    return f'{TENANT} ({made.provider_network_type}), router at {address}'


def server(proof: Proof) -> str:
    """Nova's own way: scheduled, its port bound, started."""
    compute = proof.client.compute
    began = time.monotonic()
    with blamed('nova', 'making a server'):
        made = compute.create_server(
            name=NAME,
            image_id=proof.made['image'],
            flavor_id=proof.made['flavor'],
            networks=[{'uuid': proof.made['network']}],
            security_groups=[{'name': NAME}],
        )
        proof.made['server'] = made.id
    service = 'compute'
    with blamed(service, 'waiting for the server'):
        found = until(lambda: _ended(proof, made.id), 'the server was not active', BOOT_S)
        if found.status != 'ACTIVE':
            fault = dict(found.fault or {}).get('message', 'no reason given')
            raise RuntimeError(f'the server is {found.status}: {fault}')
    inner = next(a['addr'] for each in found.addresses.values() for a in each)
    return f'{inner} on {found.compute_host}, {time.monotonic() - began:.0f} s'


def _ended(proof: Proof, uuid: str) -> Any:
    found = proof.client.compute.get_server(uuid)
    return found if found.status in ('ACTIVE', 'ERROR') else None


def booted(proof: Proof) -> str:
    """The guest's console says that it is up, and that the metadata are its own."""
    uuid = proof.made['server']
    with blamed(_carrier(proof), 'waiting for the guest to be up'):
        said = until(lambda: _up(proof), 'the guest did not say that it is up', BOOT_S, pause=3)
    lines = [line[line.index('GUEST') :].strip() for line in said.splitlines() if 'GUEST' in line]
    with blamed(_carrier(proof), "the guest's console"):
        if not any(METADATA in line and uuid in line for line in lines):
            raise RuntimeError(f'it read no metadata of its own: {" | ".join(lines)}')
    seen = next(line for line in lines if METADATA in line)
    return re.sub(r'\s+', ' ', seen.removeprefix('GUEST '))


def _up(proof: Proof) -> str:
    said = str(proof.client.compute.get_server_console_output(proof.made['server'])['output'])
    return said if build.UP in said else ''


def opened(proof: Proof, cloud: cloud_.Cloud) -> str:
    """The address that nova gives is the load balancer's; behind it a page, and VNC of the server's own node."""
    with blamed('nova', 'asking for a console'):
        made = proof.client.compute.create_server_remote_console(
            proof.made['server'], protocol='vnc', type='novnc'
        )
    served = cloud.urls.get('novnc', {}).get('public', '')
    if not served or not made.url.startswith(f'{served.rstrip("/")}/'):
        where = served or 'no console'
        raise Failed(f'the console is at {made.url}, and the load balancer serves {where}')
    with blamed('console', f'opening {made.url.partition("?")[0]}'):
        said = console.banner(made.url, TIMEOUT_S, cloud_.trusted(cloud))
    return f'{served}: {said}'


def listed(proof: Proof, cloud: cloud_.Cloud) -> str:
    """Whoever comes with a browser gets in, and finds the server; the dashboard speaks to keystone and nova for it."""
    with blamed('dashboard', 'looking for the server in the dashboard'):
        site = cloud.urls['horizon']['public']
        return dashboard.lists(
            site, cloud.password, proof.made['server'], ASK_S, cloud_.trusted(cloud)
        )


def refused(proof: Proof) -> str:
    """The security group has no rule yet: nobody is let in."""
    network = proof.client.network
    with blamed('neutron', 'making a floating address'):
        port = next(iter(network.ports(device_id=proof.made['server'])))
        floating = network.create_ip(
            floating_network_id=proof.made['external'], port_id=port.id, description=NAME
        )
        proof.made |= {'floating': floating.floating_ip_address, 'port': port.id}
    found = _page(proof, machine=None, seconds=5)
    if found:
        raise Failed(f'the guest answered, and no rule allows it: {found.splitlines()[0]}')
    return f'{floating.floating_ip_address} does not answer'


def responds(proof: Proof) -> str:
    """With a rule, a machine in the DMZ and this host get the guest's page."""
    network, group = proof.client.network, proof.made['group']
    with blamed('neutron', 'allowing HTTP'):
        for protocol, port in (('tcp', 80), ('icmp', None)):
            network.create_security_group_rule(
                security_group_id=group,
                direction='ingress',
                ethertype='IPv4',
                protocol=protocol,
                port_range_min=port,
                port_range_max=port,
            )
    space = network_agents.outside(proof.juju.status())
    with blamed(_carrier(proof), f'asking {proof.made["floating"]}'):
        here = until(lambda: _page(proof, None, 5), 'the guest did not answer this host', SETTLE_S)
        with machines.borrowed(proof.juju, '--constraints', f'spaces={space}') as one:
            there = until(
                lambda: _page(proof, one, 5), 'the guest did not answer in the DMZ', SETTLE_S
            )
    if proof.made['server'] not in there:
        raise Failed(f'another guest answered: {there}')
    return f'{proof.made["floating"]}: {here.splitlines()[0]}'


def _page(proof: Proof, machine: str | None, seconds: int, path: str = '/') -> str:
    """What the guest answers; empty if nothing comes."""
    url = f'http://{proof.made["floating"]}{path}'
    if machine is not None:
        ask = f'curl --silent --show-error --fail --max-time {seconds} {url}'
        try:
            return proof.juju.exec(ask, machine=machine).stdout
        except jubilant.TaskError:
            return ''
    return cloud_.page(url, seconds)


def volume(proof: Proof) -> str:
    """A volume of 1 GiB, attached to the server that runs."""
    client = proof.client
    with blamed('cinder', 'making a volume'):
        made = client.block_storage.create_volume(name=NAME, size=1)
        proof.made['volume'] = made.id
        until(lambda: _volume_is(proof, 'available'), 'the volume was not available', SETTLE_S)
    before = set(_page(proof, None, 10, '/cgi-bin/disk').split())
    with blamed('compute', 'attaching the volume'):
        client.compute.create_volume_attachment(proof.made['server'], volume_id=made.id)
        until(lambda: _volume_is(proof, 'in-use'), 'the volume was not attached', SETTLE_S)
        new = until(
            lambda: set(_page(proof, None, 10, '/cgi-bin/disk').split()) - before,
            'the guest saw no new disk',
            SETTLE_S,
        )
        disk, text = sorted(new)[0], made.id.replace('-', '')
        proof.made |= {'disk': disk, 'text': text}
        _page(proof, None, 20, f'/cgi-bin/disk?write/{disk}/{text}')
        back = _page(proof, None, 20, f'/cgi-bin/disk?read/{disk}')
        if text not in back:
            raise RuntimeError(f'{disk} gave back {back!r}, and {text} was written')
    return f'1 GiB as {disk}, {len(text)} characters written and read back'


def _volume_is(proof: Proof, status: str) -> bool:
    now = proof.client.block_storage.get_volume(proof.made['volume']).status
    if now.startswith('error'):
        raise RuntimeError(f'the volume is {now}')
    return now == status


def deleted(proof: Proof) -> str:
    """Everything that was made is gone, from placement, too."""
    removed = sweep(proof.client)
    with blamed('nova', 'looking for what is left'):
        left = until(lambda: nothing_left(proof.client), 'something was left', SETTLE_S, pause=2)
    return f'{removed}; {left}'
