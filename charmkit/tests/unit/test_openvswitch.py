"""Which bridges a unit has, from its bindings and options, and what it takes to make them."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
from typing import Any

import pytest
from charmkit import facts, host, openvswitch, options, relations, state
from charmkit.machine import Facts

BINDINGS = {'br-ex': 'external', 'br-data': 'data'}
CARDS = {'10.0.0.2': 'eth0', '192.0.2.2': 'eth1', '10.8.0.2': 'eth2', '127.0.0.1': 'lo'}
MAPPINGS = openvswitch.mappings('').kind
LINKS = {'eth0': '02:00:00:00:00:00', 'eth1': '02:00:00:00:00:01', 'eth2': '02:00:00:00:00:02'}
ADDRESSES = {'external': '192.0.2.2', 'data': '10.8.0.2', 'amqp': '10.0.0.2'}


def inputs(
    *,
    ports: str = '',
    mappings: str = 'physnet1:br-ex physnet2:br-data',
    addresses: dict[str, str] = ADDRESSES,
    **about: Any,
) -> state.Inputs:
    known: dict[str, Any] = {'interfaces': CARDS, 'links': LINKS, **about}
    return state.Inputs(
        site=relations.Site(unit='gw/0', leader=True, address='10.0.0.2', addresses=addresses),
        facts=Facts(base='debian@12', **known),
        options={'data-port': ports, 'bridge-mappings': mappings},
    )


def decide(given: state.Inputs, **more: Any) -> openvswitch.Bridges:
    return openvswitch.decide(given, BINDINGS, **{'reached_by': ('amqp',), **more})


def test_each_binding_has_a_bridge_with_the_card_that_has_its_address():
    found = decide(inputs())
    assert found.made == (
        openvswitch.Bridge('br-ex', address='192.0.2.2'),
        openvswitch.Bridge('br-data', address='10.8.0.2'),
    )
    assert found.mappings == ('physnet1:br-ex', 'physnet2:br-data')
    assert not found.troubles


def test_nothing_changes_once_the_address_is_on_the_bridge():
    before = decide(inputs())
    moved = {**CARDS, '192.0.2.2': 'br-ex', '10.8.0.2': 'br-data'}
    assert decide(inputs(interfaces=moved)) == before


@pytest.mark.parametrize('address', ['2001:db8::2', '192.0.2.2'])
def test_an_address_may_be_of_either_family(address: str):
    found = decide(
        inputs(
            addresses={**ADDRESSES, 'external': address},
            interfaces={**CARDS, address: 'eth1'},
        )
    )
    assert found.made[0] == openvswitch.Bridge('br-ex', address=address)
    assert f'bridge br-ex system address:{address}\n' in script(
        dataclasses.replace(found, userspace=False)
    )


@pytest.mark.parametrize('shared', ['10.0.0.2', '10.0.0.3'])
def test_the_card_by_which_the_unit_is_reached_is_never_taken(shared: str):
    """Its own address, or another one on the same card."""
    given = inputs(
        addresses={**ADDRESSES, 'external': shared}, interfaces={**CARDS, '10.0.0.3': 'eth0'}
    )
    found = decide(given)
    assert [b.name for b in found.made] == ['br-data']
    assert found.mappings == ('physnet2:br-data',)
    assert found.troubles == (
        'br-ex: eth0 has the address 10.0.0.2, by which this unit is reached: bind it to another '
        'space, or say which network card it has in data-port',
    )


def test_it_is_taken_where_nobody_says_by_what_the_unit_is_reached():
    """The twin of the test above: without what it looks at, the check finds nothing."""
    given = inputs(addresses={**ADDRESSES, 'external': '10.0.0.2'})
    assert not decide(given, reached_by=()).troubles


def test_no_option_takes_the_card_by_which_the_unit_is_reached():
    found = decide(inputs(ports='br-ex:eth0'))
    assert [b.name for b in found.made] == ['br-data']
    assert 'by which this unit is reached' in found.troubles[0]


def test_one_card_is_in_one_bridge():
    found = decide(inputs(addresses={**ADDRESSES, 'data': '192.0.2.2'}))
    assert [b.name for b in found.made] == ['br-ex']
    assert found.troubles == ('br-data: eth1 is in br-ex already',)


def test_an_address_that_is_away_is_told_and_the_bridge_stays():
    found = decide(inputs(interfaces={'10.0.0.2': 'eth0', '10.8.0.2': 'eth2'}))
    assert found.made == decide(inputs()).made
    assert found.troubles == ('br-ex: no interface has 192.0.2.2, its address on external',)


@pytest.mark.parametrize('card', ['eth2', '02:00:00:00:00:02', '02:00:00:00:00:02'.upper()])
def test_a_card_can_be_named(card: str):
    found = decide(inputs(ports=f'br-ex:{card}', mappings='physnet1:br-ex'))
    assert found.made == (openvswitch.Bridge('br-ex', card='eth2'),)


def test_a_bridge_is_not_taken_for_the_card_whose_mac_it_has():
    links = {'br-ex': LINKS['eth2'], **LINKS}
    found = decide(inputs(ports=f'br-ex:{LINKS["eth2"]}', mappings='physnet1:br-ex', links=links))
    assert found.made == (openvswitch.Bridge('br-ex', card='eth2'),)


def test_a_named_card_that_is_away_is_told_and_the_bridge_stays():
    found = decide(inputs(ports='br-ex:eth9', mappings='physnet1:br-ex'))
    assert found.made == (openvswitch.Bridge('br-ex', card='eth9'),)
    assert found.troubles == (
        'br-ex: there is no network card eth9, named in data-port (there are: eth0, eth1, eth2)',
    )


def test_a_mac_that_nobody_has_makes_no_bridge():
    found = decide(inputs(ports='br-ex:02:00:00:00:00:99', mappings='physnet1:br-ex'))
    assert not found.made
    assert 'there is no network card 02:00:00:00:00:99' in found.troubles[0]


def test_a_bridge_without_a_card_is_not_made():
    found = decide(inputs(mappings='physnet1:br-ex physnet9:br-nine'))
    assert found.mappings == ('physnet1:br-ex',)
    assert found.troubles == ('br-nine: say which network card it has in data-port',)


def test_a_bridge_that_no_network_is_on_is_made_only_when_asked_for():
    given = inputs(mappings='physnet1:br-ex')
    assert [b.name for b in decide(given).made] == ['br-ex']
    assert [b.name for b in decide(given, extra=('br-data',)).made] == ['br-ex', 'br-data']


def test_two_bridges_whose_cards_are_away_both_stay():
    found = decide(inputs(interfaces={'10.0.0.2': 'eth0'}))
    assert [b.name for b in found.made] == ['br-ex', 'br-data']
    assert len(found.troubles) == 2
    assert not [words for words in found.troubles if 'already' in words]


def test_two_networks_may_be_on_one_bridge():
    found = decide(inputs(mappings='physnet1:br-ex physnet2:br-ex'))
    assert [b.name for b in found.made] == ['br-ex']
    assert found.mappings == ('physnet1:br-ex', 'physnet2:br-ex')


def script(found: openvswitch.Bridges) -> str:
    (file,) = (
        f for f in openvswitch.desired(found, ('an-agent',)).files if f.path == openvswitch.SCRIPT
    )
    return file.content


@pytest.mark.parametrize('kernel', [True, False])
def test_the_kernel_carries_packets_where_it_can(kernel: bool):
    found = decide(inputs(kernel_openvswitch=kernel))
    assert found.datapath == ('system' if kernel else 'netdev')
    assert f'    bridge br-ex {found.datapath} address:192.0.2.2\n' in script(found)
    commands = openvswitch.desired(found, ()).commands
    assert [c.argv for c in commands] == ([] if kernel else [(openvswitch.SCRIPT, 'tso')])


def test_what_the_switch_must_start_with_is_set_before_bridges_and_agents_and_once():
    wanted = host.merge(
        openvswitch.desired(decide(inputs()), ('an-agent',)),
        host.Host(
            services=(host.SystemdService(openvswitch.SERVICE), host.SystemdService('an-agent'))
        ),
    )
    steps = [str(s) for s in host.plan(wanted, host.Observed())]
    assert steps.index('run userspace-tso') < steps.index(f'start {openvswitch.SERVICE}')
    assert steps.index(f'start {openvswitch.SERVICE}') < steps.index('start an-agent')
    again = host.Observed(commands={'userspace-tso': '1'})
    assert 'run userspace-tso' not in [str(s) for s in host.plan(wanted, again)]


def test_no_change_of_bridges_ever_restarts_the_switch():
    wanted = openvswitch.desired(decide(inputs()), ('an-agent',))
    assert not [s for s in wanted.services if 'switch' in s.name]
    assert {n for f in wanted.files for n in f.notify} == {openvswitch.SERVICE}
    up = script(decide(inputs())).partition('marked()')[2]
    assert 'systemctl' not in up


def test_bridges_come_back_before_the_agents_whenever_the_switch_starts():
    (unit,) = (
        f.content
        for f in openvswitch.desired(decide(inputs()), ('an-agent', 'another')).files
        if f.path.endswith('.service')
    )
    assert 'Before=an-agent.service another.service\n' in unit
    assert 'PartOf=openvswitch-switch.service\n' in unit
    assert 'WantedBy=multi-user.target\n' in unit


@pytest.mark.parametrize('found', [decide(inputs()), decide(inputs(mappings=''))])
def test_the_script_is_one_that_a_shell_reads(found: openvswitch.Bridges):
    done = subprocess.run(
        ['sh', '-n'], input=script(found), text=True, capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, '')


@pytest.mark.parametrize(
    ('text', 'good'),
    [
        ('br-ex:eth1', True),
        ('br-ex:eth1 br-data:02:00:00:00:00:0a', True),
        ('br-ex', False),
        ('br-ex:', False),
        (':eth1', False),
        ('br-ex:eth1;reboot', False),
        ('br-ex:$(reboot)', False),
        ('br-ex:a-name-with-more-than-fifteen', False),
        ('br-ex:02:00:00:00:00', False),
    ],
)
def test_ports_are_bridges_with_a_card(text: str, good: bool):
    assert openvswitch.PORTS.kind.good(text) is good


@pytest.mark.parametrize(
    ('text', 'good'),
    [
        ('', True),
        ('physnet1:br-ex physnet2:br-data', True),
        ('physnet1', False),
        ('physnet1:br ex', False),
        ('physnet1:br-ex,physnet2:br-data', False),
    ],
)
def test_mappings_are_networks_with_a_bridge(text: str, good: bool):
    assert openvswitch.mappings('').kind.good(text) is good


SEEN: list[dict[str, Any]] = [
    {'ifname': 'lo', 'link_type': 'loopback', 'address': '00:00:00:00:00:00',
     'addr_info': [{'local': '127.0.0.1'}]},
    {'ifname': 'eth1', 'link_type': 'ether', 'address': '02:00:00:00:00:01',
     'addr_info': [{'local': '192.0.2.2'}, {'local': '2001:db8::2'}]},
    {'ifname': 'tun0', 'link_type': 'none', 'addr_info': []},
]  # fmt: skip


def test_interfaces_are_known_by_their_addresses_and_cards_by_their_mac():
    assert facts.interfaces(SEEN) == {
        '127.0.0.1': 'lo', '192.0.2.2': 'eth1', '2001:db8::2': 'eth1',
    }  # fmt: skip
    assert facts.links(SEEN) == {'eth1': '02:00:00:00:00:01'}


def machine(root: Any, **files: str) -> Any:
    texts = {
        'etc/os-release': 'ID=debian\nVERSION_ID="12"\n',
        'proc/meminfo': 'MemTotal: 4194304 kB\n',
        'proc/sys/kernel/osrelease': '6.1.0\n',
        **{path.replace('__', '/'): text for path, text in files.items()},
    }
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.parametrize(
    ('files', 'has'),
    [
        ({}, False),
        ({'sys__module__openvswitch__refcnt': '0'}, True),
        ({'lib__modules__6.1.0__modules.dep': 'kernel/net/openvswitch/openvswitch.ko.xz:'}, True),
        (
            {'lib__modules__6.1.0__modules.builtin': 'kernel/net/openvswitch/openvswitch.ko\n'},
            True,
        ),
        ({'lib__modules__6.1.0__modules.dep': 'kernel/net/vport-openvswitch.ko:'}, False),
        ({'lib__modules__5.10__modules.dep': 'kernel/net/openvswitch/openvswitch.ko:'}, False),
    ],
)
def test_a_kernel_has_the_module_that_is_in_it_or_that_it_would_load(
    tmp_path: Any, files: dict[str, str], has: bool
):
    assert facts.read(machine(tmp_path, **files)).kernel_openvswitch is has


SYSTEMCTL = """#!/bin/sh
echo "$*" >> {here}/said
case "$1" in start|restart) : > {here}/running ;; esac
"""
VSCTL = """#!/bin/sh
if [ ! -e {here}/running ]; then echo 'database connection failed' >&2; exit 1; fi
"""


def test_a_switch_that_does_not_run_yet_is_started_before_it_is_told_anything(
    tmp_path: pathlib.Path,
):
    for name, text in {'systemctl': SYSTEMCTL, 'ovs-vsctl': VSCTL}.items():
        (tmp_path / name).write_text(text.format(here=tmp_path))
        (tmp_path / name).chmod(0o755)
    script = tmp_path / 'script'
    wanted = openvswitch.desired(decide(inputs()), ('agent',))
    script.write_text(next(f.content for f in wanted.files if f.path == openvswitch.SCRIPT))
    environment = {'PATH': f'{tmp_path}:{os.environ["PATH"]}'}
    subprocess.run(['sh', script, 'tso'], env=environment, check=True, timeout=30)
    said = (tmp_path / 'said').read_text().splitlines()
    assert said == ['start openvswitch-switch', 'restart openvswitch-switch']


IP = r"""#!/bin/sh
case "$*" in
'-o address show dev eth1 scope global') echo '3: eth1 inet 10.0.1.9/24 brd 10.0.1.255 scope global eth1' ;;
'-4 -o route show dev eth1') printf '%s\n' \
    '10.0.1.0/24 proto kernel scope link' 'default via 10.0.1.1 proto static linkdown' ;;
'-4 -o route show') printf '%s\n' 'default via 10.0.9.1 dev eth0' 'default via 10.0.1.1 dev eth1 linkdown' ;;
'-6 -o route show dev eth1') printf '%s\n' \
    'fd00::/64 proto kernel metric 256 pref medium' {shown}\
    'fd01::/64 via fd00::2 metric 1024 pref medium' \
    'default via fe80::1 proto ra metric 1024 expires 9sec pref medium' ;;
'-6 -o route show') printf '%s\n' 'fd09::/64 via fd00::2 dev eth0 metric 1024 pref medium' {way} ;;
*) exit 1 ;;
esac
"""


WAY = r"""'default proto static metric 9 pref medium\	nexthop via fd00:0::1 dev eth0 weight 1 \'\
'	nexthop via fd00::1 dev eth1 weight 1 ' """


@pytest.mark.parametrize('base', ['debian@12', 'debian@13'])
def test_ways_by_the_card_alone_go_with_it_to_the_bridge(tmp_path: pathlib.Path, base: str):
    """Those that have another card beside it for the same place are told apart; Debian 12 shows them for no card."""
    shown = {'debian@12': '', 'debian@13': WAY}[base]
    (tmp_path / 'ip').write_text(IP.replace('{shown}', shown).replace('{way}', WAY))
    (tmp_path / 'ip').chmod(0o755)
    functions = script(decide(inputs())).rpartition('"$1"')[0]
    functions = functions.replace('kept=/run/ovs-bridges', f'kept={tmp_path}')
    environment = {'PATH': f'{tmp_path}:{os.environ["PATH"]}'}
    argv = ['sh', '-c', f'{functions}\nremember br-ex eth1']
    subprocess.run(argv, env=environment, check=True, timeout=30)
    assert (tmp_path / 'br-ex.addresses').read_text() == '10.0.1.9/24\n'
    routes = (tmp_path / 'br-ex.routes').read_text().splitlines()
    assert [' '.join(route.split()) for route in routes] == [
        '-4 route append default via 10.0.1.1 proto static',
        '-6 route append fd01::/64 via fd00::2 metric 1024 pref medium',
        '-6 route append default via fd00::1 proto static metric 9 pref medium',
    ]


@pytest.mark.parametrize(
    ('kind', 'text', 'why'),
    [
        (MAPPINGS, 'physnet1:br-ex physnet1:br-data', 'network physnet1 is there twice'),
        (MAPPINGS, 'physnet1:br-ex physnet2:br-ex', 'bridge br-ex is there twice'),
        (MAPPINGS, 'physnet1:br-int', "br-int is the agent's own"),
        (openvswitch.PORTS.kind, 'br-ex:eth1 br-ex:eth2', 'bridge br-ex is there twice'),
        (openvswitch.PORTS.kind, 'br-ex:eth1 br-data:eth1', 'card eth1 is there twice'),
        (openvswitch.PORTS.kind, 'br-tun:eth1', "br-tun is the agent's own"),
    ],
)
def test_what_would_end_the_agent_is_refused_in_words(kind: options.Kind, text: str, why: str):
    with pytest.raises(ValueError, match=f'^{why}$'):
        kind.good(text)


def test_a_network_may_be_called_as_its_bridge_is():
    assert MAPPINGS.good('br-ex:br-ex')
