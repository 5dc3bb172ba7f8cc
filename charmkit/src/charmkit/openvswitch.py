"""Bridges of Open vSwitch with a network card in each, for agents of neutron. Pure.

Where the kernel has no datapath of Open vSwitch, the switch carries packets itself (``datapath_type=netdev``). Measured
with Open vSwitch 3.1 and 3.5; then three things more are needed:

* ``userspace-tso-enable``: guests hand over frames whose checksum is not yet made, and without it the switch forgets
  that: pings pass, TCP does not. It is taken up when the switch starts, which ends all that goes through it: so it is
  set before the first port is there, and never again;
* frames that come in by the card are seen by the kernel too, which is kept from answering them (table ``raw``);
* a restart of the machine, or of the switch, takes the bridge's address. So a unit of systemd brings all of it back,
  in the same words that made it.

An address that the card had is the bridge's then. So no card is taken by which the unit itself is reached.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping

from . import host, options, state

SERVICE = 'ovs-bridges'
"""The unit of systemd that makes the bridges."""
PACKAGES = ('openvswitch-switch', 'iptables')
SCRIPT = '/usr/local/sbin/ovs-bridges'
_NAME = re.compile(r'[A-Za-z][A-Za-z0-9._-]{0,14}')
"""Of a network interface: the kernel has room for 15 letters."""
_MAC = re.compile(r'[0-9a-f]{2}(:[0-9a-f]{2}){5}', re.IGNORECASE)
_NETWORK = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,63}')


_AGENTS_OWN = ('br-int', 'br-tun')
"""Bridges that the agent makes by itself, and in which nothing else may be."""


def _is_bridge(name: str) -> bool:
    if name in _AGENTS_OWN:
        raise ValueError(f"{name} is the agent's own")
    return bool(_NAME.fullmatch(name))


def _is_port(word: str) -> bool:
    bridge, card = _pair(word)
    return _is_bridge(bridge) and bool(_NAME.fullmatch(card) or _MAC.fullmatch(card))


def _is_mapping(word: str) -> bool:
    network, bridge = _pair(word)
    return bool(_NETWORK.fullmatch(network)) and _is_bridge(bridge)


def _pair(word: str) -> tuple[str, str]:
    first, _, second = word.partition(':')
    return first, second


def _named(*kinds: str) -> Callable[[str], tuple[str, ...]]:
    return lambda word: tuple(
        f'{kind} {part}' for kind, part in zip(kinds, _pair(word), strict=False)
    )


PORTS = options.Option(
    'data-port',
    options.words(
        'bridges with their network cards, such as br-ex:eth1',
        _is_port,
        parts=_named('bridge', 'card'),
    ),
    '',
    'Bridges whose network card is another one than that of their binding, by its name or its MAC. '
    'An address that the card has moves to the bridge.',
)


def mappings(default: str) -> options.Option:
    """Which physical networks there are on which bridges; *default* of a charm."""
    return options.Option(
        'bridge-mappings',
        # An agent ends at once that finds a network, or a bridge, twice.
        options.words(
            'physical networks with their bridges, such as physnet1:br-ex',
            _is_mapping,
            parts=_named('network', 'bridge'),
        ),
        default,
        'Physical networks, and the bridge that leads to each. A bridge that is not named here is not made.',
    )


@dataclasses.dataclass(frozen=True)
class Bridge:
    """One bridge, and what is in it."""

    name: str
    card: str = ''
    """The network card's name; '' for the one that has *address*."""
    address: str = ''


@dataclasses.dataclass(frozen=True)
class Bridges:
    """What :func:`decide` decides."""

    made: tuple[Bridge, ...]
    mappings: tuple[str, ...]
    """Those whose bridge is made: an agent does not start with another."""
    troubles: tuple[str, ...] = ()
    """Why others cannot be, and what one that is made lacks now, in words for the operator."""
    userspace: bool = False
    """The kernel has no datapath of Open vSwitch."""

    @property
    def datapath(self) -> str:
        """As Open vSwitch spells it."""
        return 'netdev' if self.userspace else 'system'


def decide(
    inputs: state.Inputs,
    bindings: Mapping[str, str],
    *,
    reached_by: Iterable[str],
    extra: Iterable[str] = (),
) -> Bridges:
    """The bridges of a unit.

    Args:
        inputs: with the options ``data-port`` and ``bridge-mappings``.
        bindings: by bridge, the binding in whose network its card is.
        reached_by: the bindings by which the unit is reached itself.
        extra: bridges that are to be made though no physical network is on them.
    """
    chosen = inputs.options
    mapped = str(chosen['bridge-mappings']).split()
    cards = dict(_pair(word) for word in str(chosen['data-port']).split())
    wanted = dict.fromkeys([*(_pair(word)[1] for word in mapped), *extra])
    own = _own_interfaces(inputs, reached_by)
    made: dict[str, Bridge] = {}
    taken: dict[str, str] = {}
    troubles: list[str] = []
    for bridge in wanted:
        found, interface, wrong = _card(inputs, bridge, cards, bindings, {*wanted, *cards})
        if interface in own:
            found, wrong = (
                None,
                (
                    f'{interface} has the address {own[interface]}, by which this unit is reached: '
                    'bind it to another space, or say which network card it has in data-port'
                ),
            )
        elif interface in taken:
            found, wrong = None, f'{interface} is in {taken[interface]} already'
        if wrong:
            troubles.append(f'{bridge}: {wrong}')
        if found:
            made[bridge] = found
        if found and interface:
            taken[interface] = bridge
    return Bridges(
        made=tuple(made.values()),
        mappings=tuple(word for word in mapped if _pair(word)[1] in made),
        troubles=tuple(troubles),
        userspace=not inputs.facts.kernel_openvswitch,
    )


def _own_interfaces(inputs: state.Inputs, reached_by: Iterable[str]) -> dict[str, str]:
    """The interfaces by which the unit is reached, each with its address."""
    addresses = {inputs.site.address_on(b) for b in reached_by}
    where = inputs.facts.interfaces
    return {where[a]: a for a in sorted(addresses) if a in where}


def _card(
    inputs: state.Inputs,
    bridge: str,
    cards: Mapping[str, str],
    bindings: Mapping[str, str],
    bridges: set[str],
) -> tuple[Bridge | None, str, str]:
    """The bridge, if it can be; the interface that has now what is to be in it; and what is wrong.

    One whose card or address is away now is made all the same: it may have been there before, and may come back.
    """
    if bridge in cards:
        there = {n: mac.lower() for n, mac in inputs.facts.links.items() if n not in bridges}
        card = cards[bridge]
        if _MAC.fullmatch(card):  # A bridge has the MAC of its card.
            card = next((n for n, mac in there.items() if mac == card.lower()), '')
        have = ', '.join(sorted(there)) or 'none'
        wrong = f'there is no network card {cards[bridge]}, named in data-port (there are: {have})'
        return Bridge(bridge, card=card) if card else None, card, '' if card in there else wrong
    if bridge not in bindings:
        return None, '', 'say which network card it has in data-port'
    address = inputs.site.address_on(bindings[bridge])
    interface = inputs.facts.interfaces.get(address, '')
    wrong = f'no interface has {address}, its address on {bindings[bridge]}'
    return Bridge(bridge, address=address), interface, '' if interface else wrong


def desired(bridges: Bridges, agents: Iterable[str]) -> host.Host:
    """What they want of the machine; *agents* start after them.

    The service is a daemon of the charm's spec, the first one. A bridge that is no longer wanted stays as it is.
    """
    calls = ''.join(
        f'    bridge {b.name} {bridges.datapath} {b.card or f"address:{b.address}"}\n'
        for b in bridges.made
    )
    before = ' '.join(f'{name}.service' for name in agents)
    return host.Host(
        packages=frozenset(PACKAGES),
        files=(
            host.File(
                path=SCRIPT,
                content=_SCRIPT.replace('    :\n', calls or '    :\n'),
                mode=0o755,
                notify=(SERVICE,),
            ),
            host.File(
                path=f'/etc/systemd/system/{SERVICE}.service',
                content=_UNIT.format(before=before, script=SCRIPT),
            ),
        ),
        commands=(host.Command(name='userspace-tso', argv=(SCRIPT, 'tso'), key='1'),)
        if bridges.userspace
        else (),
    )


_UNIT = """# Written by the charm: bridges, and the addresses that are on them. Again whenever the switch starts.
[Unit]
Description=Bridges of Open vSwitch
Wants=openvswitch-switch.service network-online.target
After=openvswitch-switch.service ovs-vswitchd.service network-online.target
PartOf=openvswitch-switch.service
Before={before}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={script} up

[Install]
WantedBy=multi-user.target
"""

_SCRIPT = r"""#!/bin/sh
# Written by the charm. ovs-bridges up: make the bridges, and put on them what their network cards had.
# ovs-bridges tso: frames without checksums may pass the switch. It may be run again at any time.
set -eu
kept=/run/ovs-bridges    # What the cards had; a restart of the machine gives it back to them.

tso() {
    systemctl start openvswitch-switch    # It was installed, and nothing has started it yet.
    if [ "$(ovs-vsctl --if-exists get Open_vSwitch . other_config:userspace-tso-enable)" = '"true"' ]; then return; fi
    ports=
    for bridge in $(ovs-vsctl list-br); do ports="$ports $(ovs-vsctl list-ports "$bridge")"; done
    ovs-vsctl set Open_vSwitch . other_config:userspace-tso-enable=true
    case "$ports" in
    *[!\ ]*) echo 'in force with the next start of the switch: there are ports in it' >&2 ;;
    *) systemctl restart openvswitch-switch ;;
    esac
}

marked() {  # BRIDGE: the cards that we have put into it
    ovs-vsctl --bare --columns=name find Port "external_ids:charm-bridge=$1"
}

card() {  # BRIDGE WHAT: the network card's name
    case "$2" in
    address:*)
        for at in $(ip -o address show to "${2#address:}" | awk '{ sub(/@.*/, "", $2); print $2 }'); do
            if [ "$at" != "$1" ]; then echo "$at"; return; fi
        done
        marked "$1"
        ;;
    *) echo "$2" ;;
    esac
}

remember() {  # BRIDGE CARD: what the card has, if it has an address
    ip -o address show dev "$2" scope global | awk '{ print $4 }' > "$kept/new"
    if [ -s "$kept/new" ]; then
        for family in 4 6; do
            # One line each; those of IPv6 to one place by several cards are one route with a nexthop for each, and
            # ip of Debian 12 shows such a route for no card.
            {
                ip -$family -o route show dev "$2" | awk '!/[ \t]nexthop /'
                ip -$family -o route show | awk '/[ \t]nexthop /'
            } | awk -v card="$2" -v words="-$family route append" '
                / proto ra / { next }
                { gsub(/ (linkdown|dead)/, "") }
                /[ \t]nexthop / {
                    n = split($0, part, /[\\ \t]+nexthop +/); to = $1; sub(/^[^ ]+/, "", part[1])
                    for (i = 2; i <= n; i++) if (part[i] " " ~ " dev " card " ") {
                        sub(/ dev .*/, "", part[i]); print words, to, part[i] part[1]
                    }
                    next
                }
                / via / { print words, $0 }'
        done > "$kept/$1.routes"
        mv "$kept/new" "$kept/$1.addresses"
    fi
}

move() {  # BRIDGE CARD
    if [ ! -e "$kept/$1.addresses" ]; then return; fi
    while read -r address; do
        case "$address" in
        *:*) ip address replace "$address" dev "$1" nodad ;;
        *) ip address replace "$address" dev "$1" ;;
        esac
    done < "$kept/$1.addresses"
    for address in $(ip -o address show dev "$2" scope global | awk '{ print $4 }'); do
        ip address del "$address" dev "$2"
    done
    # Those of IPv6 stay without an address. A flush of all would take those of other cards to the same place, too.
    if [ -e /proc/net/if_inet6 ]; then
        sed -n 's/^-6 route append/-6 route del/p' "$kept/$1.routes" | while read -r route; do
            # shellcheck disable=SC2086  # They are words.
            said=$(LC_ALL=C ip $route dev "$2" 2>&1) || case "$said" in
            *'No such process'*) ;;  # It is gone already.
            *) echo "$route: $said" >&2; exit 1 ;;
            esac
        done
        for from in ra kernel; do ip -6 route flush dev "$2" proto $from; done
    fi
    # Beside what other cards have: another default route, say, by which the unit is reached.
    while read -r route; do
        # shellcheck disable=SC2086  # They are words.
        said=$(LC_ALL=C ip $route dev "$1" 2>&1) || case "$said" in
        *'File exists'*) ;;
        *) echo "$route: $said" >&2; exit 1 ;;
        esac
    done < "$kept/$1.routes"
}

deaf() {  # CARD: the switch reads it, and the kernel does not
    for tables in iptables ip6tables; do
        if [ $tables = ip6tables ] && [ ! -e /proc/net/if_inet6 ]; then continue; fi
        if ! $tables -w -t raw -C PREROUTING -i "$1" -j DROP 2>/dev/null; then
            $tables -w -t raw -I PREROUTING -i "$1" -j DROP
        fi
    done
}

bridge() {  # NAME DATAPATH CARD
    card=$(card "$1" "$3")
    if [ -z "$card" ]; then echo "$1: no network card has $3" >&2; exit 1; fi
    mkdir -p "$kept"
    remember "$1" "$card"
    for old in $(marked "$1"); do
        if [ "$old" != "$card" ]; then ovs-vsctl --if-exists del-port "$1" "$old"; fi
    done
    # Neighbours know the address by the card's MAC; the switch itself takes none that is locally administered.
    mac=$(cat "/sys/class/net/$card/address")
    ovs-vsctl --may-exist add-br "$1" -- set bridge "$1" "datapath_type=$2" "other_config:hwaddr=\"$mac\"" \
        -- --may-exist add-port "$1" "$card" -- set port "$card" "external_ids:charm-bridge=$1"
    ip link set "$card" up
    ip link set "$1" up
    if [ "$2" = netdev ]; then deaf "$card"; fi
    move "$1" "$card"
}

up() {
    :
}

"$1"
"""
