"""The API's charm: a key that all units share, and where store and cache are."""

from __future__ import annotations

import json
import pathlib
import secrets

import hooktools

HOME = pathlib.Path('/var/lib/api')


def main() -> None:
    """Any hook."""
    if hooktools.HOOK == 'stop':
        hooktools.remove('api')
        return
    bug = hooktools.option('bug')
    key = hooktools.app_bag('peers').get('key', '')
    needed = not key or (bug == 'new-key' and hooktools.HOOK == 'leader-elected')
    if needed and hooktools.leader() and hooktools.ask('relation-ids', 'peers'):
        key = secrets.token_hex(32)
        hooktools.say('peers', app=True, key=key)
    stores = hooktools.bags('store')
    settings = {
        'key': key,
        'stores': sorted(bag['address'] for bag in stores.values() if 'address' in bag),
        'caches': sorted(
            bag['address'] for bag in hooktools.bags('cache').values() if 'address' in bag
        ),
        'bug': bug,
    }
    if bug == 'config-twice' and hooktools.HOOK == 'config-changed':
        (HOME.parent / 'api-prepared').mkdir()  # The planted bug: as if options changed but once.
    if bug == 'refresh-stale' and hooktools.HOOK == 'upgrade-charm':
        settings['refreshed'] = secrets.token_hex(4)
    elif bug == 'refresh-stale' and (old := pathlib.Path('/etc/api.json')).exists():
        settings['refreshed'] = json.loads(old.read_text()).get('refreshed', '')
    hooktools.service('api', settings)
    sessions(stores, bug)
    missing = [what for what in ('key', 'stores', 'caches') if not settings[what]]
    if missing:
        hooktools.status('waiting', f'for {missing[0]}')
        return
    hooktools.say('backend', address=hooktools.address())
    hooktools.status('active', f'uses {len(settings["stores"])} stores')


def sessions(stores: dict[str, dict[str, str]], bug: str) -> None:
    """Note which store units came back, for whoever reads the unit's log."""
    place = HOME / 'sessions'
    known = json.loads(place.read_text()) if place.exists() else {}
    for unit, bag in stores.items():
        if unit in known and 'session' in bag and known[unit] != bag['session']:
            if bug == 'hook-crash':
                # The planted bug: nobody has ever run this line, so nobody saw that it is a string by now.
                known[unit]['seen'] += 1
            print(f'{unit} came back')
    now = {unit: bag['session'] for unit, bag in stores.items() if 'session' in bag}
    hooktools.put(place, json.dumps(now))


main()
