"""The store's charm: who the replicas are is settled by the service; the leader only says who is wanted."""

from __future__ import annotations

import asyncio
import os
import pathlib
import time
import uuid

import hooktools
import wire

HOME = pathlib.Path('/var/lib/store')
PORT = 7000
SETTLE = (
    'config-changed',
    'leader-elected',
    'peers-relation-changed',
    'peers-relation-departed',
    'start',
    'update-status',
    'upgrade-charm',
)


def main() -> None:
    """Any hook."""
    if hooktools.HOOK == 'stop':
        leave()
        hooktools.remove('store')
        return
    settings = {'name': hooktools.UNIT, 'bug': hooktools.option('bug')}
    hooktools.service('store', settings)
    here = hooktools.address()
    if hooktools.HOOK == 'start':
        # Clients hear by it that this unit came back, and may have to connect anew.
        hooktools.put(HOME / 'session', uuid.uuid4().hex)
    session = HOME / 'session'
    hooktools.say('peers', address=here)
    if session.exists():
        hooktools.say('store', address=here, session=session.read_text())
    if os.environ.get('JUJU_DEPARTING_UNIT') == hooktools.UNIT:
        # It sees the others go, one after another: but it is this one that goes.
        hooktools.put(HOME / 'leaving', '')
    if hooktools.HOOK in SETTLE and not (HOME / 'leaving').exists():
        settle(here)


def settle(here: str) -> None:
    """Have the replicas be those units that there are; the leader does it."""
    want = {
        unit: bag['address'] for unit, bag in hooktools.bags('peers').items() if 'address' in bag
    }
    want[hooktools.UNIT] = here
    if hooktools.leader():
        # The first members wait for one another; after that, one comes and goes at a time.
        begun = hooktools.app_bag('peers').get('begun')
        planned = len(hooktools.ask('goal-state').get('units') or {})
        if not begun and len(want) < planned:
            hooktools.status('waiting', f'{len(want)} of {planned} units are here')
            return
        body = {'units': want, 'begin': not begun}
        if asked(want, 'POST', body, tries=20) is None:
            hooktools.status('waiting', 'no majority of the units answers')
            return
        hooktools.say('peers', app=True, begun='yes', units=' '.join(sorted(want)))
    found = asked({}, 'GET', None, tries=3)
    if not found or hooktools.UNIT not in found['units']:
        hooktools.status('waiting', 'for the leader to let this unit vote')
        return
    hooktools.status('active', f'one of {len(want)}')


def leave() -> None:
    """Be no member any more, while the others still need this unit's vote for it."""
    found = asked({}, 'GET', None, tries=1)
    units: dict[str, str] = found['units'] if found else {}
    rest = {unit: host for unit, host in units.items() if unit != hooktools.UNIT}
    if rest and len(rest) < len(units):
        asked(rest, 'POST', {'units': rest, 'begin': False}, tries=20)


def asked(hosts: dict[str, str], method: str, body: object, *, tries: int):
    """What the first of these replicas (this unit's first) answers; None when none does."""
    for _ in range(tries):
        for host in ('127.0.0.1', *hosts.values()):
            try:
                status, said = asyncio.run(
                    wire.call(host, PORT, method, '/members', body, within=30.0)
                )
            except wire.NoAnswerError as error:
                said = str(error)
            else:
                if status == 200:
                    return said
            print(f'{host}: {said}')
        time.sleep(1)
    return None


main()
