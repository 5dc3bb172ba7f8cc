"""The front's charm: which API units there are, and which address to hold."""

from __future__ import annotations

import ipaddress
import json
import os
import pathlib

import hooktools

SETTINGS = pathlib.Path('/etc/front.json')


def main() -> None:
    """Any hook."""
    if hooktools.HOOK == 'stop':
        hooktools.remove('front')
        return
    bug = hooktools.option('bug')
    if bug == 'departed-crash' and hooktools.HOOK == 'backend-relation-departed':
        # The planted bug: whoever leaves has no settings any more, and is asked for them.
        departing = hooktools.bags('backend')[os.environ['JUJU_DEPARTING_UNIT']]
        print(f'{departing["address"]} leaves')
    backends = {
        unit: bag['address'] for unit, bag in hooktools.bags('backend').items() if 'address' in bag
    }
    if bug == 'leak-on-remove' and SETTINGS.exists():
        backends = json.loads(SETTINGS.read_text())['backends'] | backends  # The planted bug.
    interface, vip = place(hooktools.option('vip'))
    settings = {
        'name': hooktools.UNIT,
        'backends': backends,
        'stores': sorted(
            bag['address'] for bag in hooktools.bags('store').values() if 'address' in bag
        ),
        'vip': vip,
        'interface': interface,
        'bug': bug,
    }
    hooktools.service('front', settings, 'CAP_NET_ADMIN CAP_NET_RAW')
    hooktools.run('open-port', '8080')
    if not backends or not settings['stores']:
        hooktools.status('waiting', f'for {"stores" if backends else "backends"}')
        return
    hooktools.status('active', f'{vip}, {len(backends)} backends')


def place(vip: str) -> tuple[str, str]:
    """The interface that the address belongs on, and the address."""
    here = hooktools.address()
    for link in json.loads(hooktools.run('ip', '-json', '-4', 'address')):
        for one in link['addr_info']:
            net = ipaddress.ip_interface(f'{one["local"]}/{one["prefixlen"]}').network
            if one['local'] == here and vip == 'auto':
                return link['ifname'], str(net.broadcast_address - 5)
            if vip != 'auto' and one['prefixlen'] < 32 and ipaddress.ip_address(vip) in net:
                return link['ifname'], vip
    raise RuntimeError(f'no interface of this unit has a network for {vip}')


main()
