"""The proof of a cloud that runs servers: each check is one that can fail, and names who is to blame."""

from __future__ import annotations

import contextlib
import pathlib
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

sys.path.insert(
    0, str(pathlib.Path(__file__).parents[2] / 'tools')
)  # Its modules import each other so.


from tools import servers

UUID = '0d8f6a52-1111-4222-8333-444455556666'


def named(*names: str) -> Callable[..., Iterator[Any]]:

    def every(**_: Any) -> Iterator[Any]:
        return iter([types.SimpleNamespace(id=name, name=name) for name in names])

    return every


def answering(value: Any) -> Callable[..., Any]:
    """A call that gives *value*, whatever it is asked."""

    def answer(*_: Any, **__: Any) -> Any:
        return value

    return answer


def saying(text: str) -> Callable[[str, float], str]:
    """A web that holds one page."""
    return answering(text)


def client(**parts: Any) -> Any:
    """A cloud that holds nothing, but for what *parts* say."""
    nothing = named()
    found: dict[str, Any] = {
        'compute': types.SimpleNamespace(servers=nothing, flavors=nothing),
        'network': types.SimpleNamespace(
            ips=nothing, routers=nothing, networks=nothing, security_groups=nothing, ports=nothing
        ),
        'image': types.SimpleNamespace(images=nothing),
        'block_storage': types.SimpleNamespace(volumes=nothing),
        'placement': types.SimpleNamespace(resource_providers=nothing),
        'has_service': answering(True),
    }
    for path, value in parts.items():
        service, _, name = path.partition('__')
        setattr(found[service], name, value)
    return types.SimpleNamespace(**found)


def proof(said: str = '', **parts: Any) -> servers.Proof:
    made = {'server': UUID, 'floating': '10.0.0.9', 'external': 'e', 'group': 'g'}
    output = {'output': said}
    cloud = client(compute__get_server_console_output=answering(output), **parts)
    return servers.Proof(types.SimpleNamespace(), cloud, made)  # type: ignore[arg-type]


UP = 'GUEST 4.1s up, http on 80\n'


def test_a_guest_that_read_its_own_metadata_is_believed():
    said = f'GUEST 3.0s metadata by service uuid={UUID} name=x\n{UP}'
    assert (
        servers.booted(proof(f'SeaBIOS\n{said}')) == f'3.0s metadata by service uuid={UUID} name=x'
    )


@pytest.mark.parametrize(
    'said',
    [
        'GUEST 3.0s metadata failed: neither its service nor a config drive has any\n',
        f'GUEST 3.0s metadata by drive uuid={UUID} name=x\n',
        'GUEST 3.0s metadata by service uuid=another name=x\n',
    ],
)
def test_a_guest_without_metadata_of_its_own_is_not(said: str):
    with pytest.raises(servers.Failed, match=r'no metadata of its own.*neutron-gateway/0'):
        servers.booted(proof(said + UP))


def test_with_ovn_the_chassis_are_to_blame():
    one = proof(f'GUEST 3.0s metadata failed\n{UP}')
    one.made['carrier'] = 'ovn'
    with pytest.raises(servers.Failed, match=r'juju ssh ovn-chassis/0 .*/var/log/ovn'):
        servers.booted(one)


def test_a_failure_names_the_service_its_words_and_its_log():
    with pytest.raises(servers.Failed) as caught, servers.blamed('placement', 'looking'):
        raise RuntimeError('looking: 503')
    assert (
        str(caught.value) == 'looking: 503 [placement: juju ssh placement/0 '
        "sudo find /var/log/apache2 -name '*.log' -exec tail -v -n 50 {} +]"
    )


def test_what_is_left_is_noticed():
    assert servers.nothing_left(client()) == 'no allocation in placement'
    assert servers.nothing_left(client(compute__servers=named(servers.NAME))) == ''
    assert servers.nothing_left(client(compute__servers=named('somebody-elses'))) != ''
    assert servers.nothing_left(client(network__networks=named(f'{servers.NAME}-inner'))) == ''
    assert servers.nothing_left(client(block_storage__volumes=named(servers.NAME))) == ''


def test_an_allocation_in_placement_is_noticed():
    answer = types.SimpleNamespace(json=lambda: {'usages': {'VCPU': 1, 'MEMORY_MB': 0}})
    held = client(placement__resource_providers=named('host'), placement__get=answering(answer))
    assert servers.nothing_left(held) == ''


def test_a_guest_that_answers_before_it_is_allowed_fails_the_proof(
    monkeypatch: pytest.MonkeyPatch,
):
    floating = types.SimpleNamespace(floating_ip_address='10.0.0.9')
    ready = proof(network__ports=named('port'), network__create_ip=answering(floating))
    monkeypatch.setattr(servers.cloud_, 'page', saying('hello from x'))
    with pytest.raises(servers.Failed, match='no rule allows it'):
        servers.refused(ready)
    monkeypatch.setattr(servers.cloud_, 'page', saying(''))
    assert servers.refused(ready) == '10.0.0.9 does not answer'


def test_only_what_carries_the_proofs_name_is_removed():
    gone: list[str] = []
    there = [servers.NAME, 'mine', f'{servers.NAME}-inner']

    def delete(each: Any) -> None:
        gone.append(each.name)
        there.remove(each.name)

    cloud = client(network__networks=lambda: named(*there)(), network__delete_network=delete)
    assert servers.sweep(cloud) == '2 networks removed'
    assert gone == [servers.NAME, f'{servers.NAME}-inner']
    assert there == ['mine']


def test_waiting_ends_and_says_what_was_waited_for():
    with pytest.raises(TimeoutError, match='no answer came within 0 s'):
        servers.until(lambda: None, 'no answer came', 0)


def hypervisor(host: str, state: str = 'up') -> Any:
    return types.SimpleNamespace(state=state, service_details={'host': host})


def a_cloud(*hypervisors: Any) -> servers.Proof:
    """One compute node whose service is up, and all that networks need."""
    agents = [
        types.SimpleNamespace(agent_type=kind, is_alive=True)
        for kind in ('DHCP agent', 'L3 agent', 'Metadata agent', *['Open vSwitch agent'] * 2)
    ]
    service = types.SimpleNamespace(binary='nova-compute', state='up', host='node-1')
    found = proof(
        compute__services=answering([service]),
        compute__hypervisors=answering(list(hypervisors)),
        network__agents=answering(agents),
        placement__resource_providers=answering(['node-1']),
    )
    status = types.SimpleNamespace(get_units=answering({'nova-compute/0': None}), apps={})
    found.juju.status = answering(status)  # type: ignore[method-assign]
    return found


def test_a_compute_host_takes_servers_once_nova_shows_its_hypervisor():
    said = servers.host(a_cloud(hypervisor('node-1')))
    assert said.startswith('node-1; 1 in placement; DHCP agent')


def test_who_carries_networks_is_known_once_the_hosts_are():
    one = a_cloud(hypervisor('node-1'))
    servers.host(one)
    assert one.made['carrier'] == 'agents'


@pytest.mark.parametrize('shown', [(), (hypervisor('node-1', 'down'),)])
def test_a_service_that_is_up_on_a_host_that_is_not_mapped_is_waited_for_in_vain(
    shown: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(servers, 'SETTLE_S', 0.0)
    with pytest.raises(servers.Failed, match='1 nova-compute have not all been mapped to a cell'):
        servers.host(a_cloud(*shown))


def reached(here: str, in_the_dmz: str, monkeypatch: pytest.MonkeyPatch) -> servers.Proof:
    """A guest that answers this host, and a machine in the DMZ, in these words; none: nobody gets through."""
    monkeypatch.setattr(servers, 'SETTLE_S', 0.0)
    monkeypatch.setattr(servers.cloud_, 'page', saying(here))
    monkeypatch.setattr(servers.machines, 'borrowed', answering(contextlib.nullcontext('7')))
    ready = proof(network__create_security_group_rule=answering(None))
    gateway = types.SimpleNamespace(endpoint_bindings={'': 'alpha', 'external': 'dmz'})
    status = types.SimpleNamespace(apps={'neutron-gateway': gateway})
    ready.juju.status = answering(status)  # type: ignore[method-assign]
    done = types.SimpleNamespace(stdout=in_the_dmz)
    ready.juju.exec = answering(done)  # type: ignore[method-assign]
    return ready


PAGE = f'hello from x\nmetadata by service uuid={UUID}\n'


def test_a_guest_that_answers_this_host_and_the_dmz_is_believed(monkeypatch: pytest.MonkeyPatch):
    assert servers.responds(reached(PAGE, PAGE, monkeypatch)) == '10.0.0.9: hello from x'


@pytest.mark.parametrize(
    ('here', 'in_the_dmz', 'words'),
    [
        ('', PAGE, 'the guest did not answer this host'),
        (PAGE, '', 'the guest did not answer in the DMZ'),
        (PAGE, 'hello from another', 'another guest answered'),
    ],
)
def test_a_guest_that_cannot_be_reached_fails_the_proof(
    here: str, in_the_dmz: str, words: str, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(servers.Failed, match=words):
        servers.responds(reached(here, in_the_dmz, monkeypatch))


@pytest.mark.parametrize('back', ['', 'another text'])
def test_a_volume_that_does_not_give_back_what_was_written_fails_the_proof(
    back: str, monkeypatch: pytest.MonkeyPatch
):
    states = iter(['available', 'in-use'])
    disks = iter(['vda', 'vda vdb'])
    pages = {'write': '', 'read': back}

    def shown(_: str) -> Any:
        return types.SimpleNamespace(status=next(states))

    def page(url: str, seconds: float) -> str:
        asked = url.partition('?')[2].partition('/')[0]
        return pages[asked] if asked else next(disks)

    monkeypatch.setattr(servers.cloud_, 'page', page)
    made = types.SimpleNamespace(id='a-volume')
    ready = proof(
        block_storage__create_volume=answering(made),
        block_storage__get_volume=shown,
        compute__create_volume_attachment=answering(None),
    )
    with pytest.raises(servers.Failed, match=r'vdb gave back .*avolume was written'):
        servers.volume(ready)
    pages['read'] = 'avolume'
    states, disks = iter(['available', 'in-use']), iter(['vda', 'vda vdb'])
    assert '7 characters written and read back' in servers.volume(ready)


def test_the_whole_guest_is_uploaded(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path):
    guest = tmp_path / 'guest.raw'
    guest.write_bytes(b'x' * (2 << 20))
    sent: list[bytes] = []

    def upload(_: str, *, data: bytes, **__: Any) -> Any:
        sent.append(data)
        return types.SimpleNamespace(id='an-image')

    monkeypatch.setattr(servers.build, 'ensure', answering(guest))
    flavor = types.SimpleNamespace(id='a-flavor')
    ready = proof(image__create_image=upload, compute__create_flavor=answering(flavor))
    assert servers.image(ready) == '2 MiB'
    assert ready.made['image'] == 'an-image'
    assert sent == [guest.read_bytes()]
