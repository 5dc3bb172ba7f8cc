"""Proof that a deployed bundle works: each step does what a client would, and says what it saw."""

from __future__ import annotations

import concurrent.futures
import hashlib
import re
import secrets
import shlex
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import cloud as cloud_
import jubilant
import leftovers
import machines
import servers
from steps import Step

if TYPE_CHECKING:
    import openstack.connection

IMAGE_BYTES = 8 * 1024 * 1024


class Unproven(Exception):  # noqa: N818 -- it is what was found
    """The cloud did not do what it must; the text says what it did."""


def steps(juju: jubilant.Juju, cloud: cloud_.Cloud) -> Iterator[Step]:
    """Everything to prove of the cloud in this model, in order."""
    client, where = cloud_.connect(cloud), cloud_.identity_url(cloud)
    yield Step('a token through the public endpoint', lambda: token(client, where))
    now = juju.status()
    if 'glance' in now.apps:
        yield Step('an image uploaded, and read back byte for byte', lambda: image(client))
    spaces = {b for app in now.apps.values() for b in app.endpoint_bindings.values()}
    if 'dmz' in spaces:
        yield Step(
            'admin endpoints refused from the public DMZ',
            lambda: admin_refused(juju, cloud),
            waits=True,
        )
    if servers.there(now):
        yield from servers.steps(juju, cloud)
    keystones = sorted(now.get_units('keystone'))
    if len(keystones) > 1:
        yield Step(
            'one keystone stopped, and nothing lost',
            lambda: stop_one(juju, cloud, keystones[-1]),
            waits=True,
        )


def put_back(juju: jubilant.Juju, cloud: cloud_.Cloud) -> None:
    """Remove from the cloud what an interrupted proof has left in it."""
    if servers.there(juju.status()):
        leftovers.sweep(cloud_.connect(cloud, servers.ASK_S))


def begun(todo: Iterable[Step], aside: concurrent.futures.Executor) -> list[Step]:
    """*todo* with those that wait begun at once, and at the end."""
    return sorted(
        (s._replace(prove=aside.submit(s.prove).result) if s.waits else s for s in todo),
        key=lambda s: s.waits,
    )


def token(client: openstack.connection.Connection, where: str) -> str:
    """Get a token, from the keystone that is *where*."""
    with cloud_.plainly(f'no token from {where}'):
        held = str(client.auth_token)
    return f'{len(held)} characters, from {where}'


def image(client: openstack.connection.Connection) -> str:
    """Upload random bytes as an image, read them back, remove it."""
    data = secrets.token_bytes(IMAGE_BYTES)
    with cloud_.plainly('an image uploaded and read back'):
        made = client.image.create_image(
            'proof', data=data, disk_format='raw', allow_duplicates=True
        )
        try:
            back = client.image.download_image(made.id).content
        finally:
            client.image.delete_image(made.id)
    if back != data:
        raise Unproven(f'{len(back)} other bytes came back than the {len(data)} sent')
    return f'{IMAGE_BYTES // 1024**2} MiB, sha256 {hashlib.sha256(data).hexdigest()[:12]}…'


def admin_refused(juju: jubilant.Juju, cloud: cloud_.Cloud) -> str:
    """From a machine that is in the DMZ alone: public endpoints answer, admin endpoints cannot be reached."""
    public = cloud.urls['keystone']['public']
    inner = [u[kind] for kind in ('admin', 'internal') for u in cloud.urls.values() if kind in u]
    with machines.borrowed(juju, '--constraints', 'spaces=dmz') as machine:
        codes = _curl(juju, machine, [public, *inner])
    if codes[public] not in ('200', '300'):
        raise Unproven(f'the public endpoint {public} gave {codes[public]} to a client in the DMZ')
    for url in inner:
        if codes[url] != '000':
            raise Unproven(f'{url} answered {codes[url]} to a client in the DMZ')
    return f'{len(inner)} admin and internal endpoints do not answer there, {public} does'


def _curl(juju: jubilant.Juju, machine: str, urls: Sequence[str]) -> dict[str, str]:
    """The status that a machine gets for each of *urls*, all at once; 000 where nothing answers."""
    lines = juju.exec(asking(urls), machine=machine).stdout.splitlines()
    return {urls[int(number)]: code for number, code in map(str.split, lines)}


def asking(urls: Sequence[str]) -> str:
    """A shell's script that prints a line for each of *urls*: its number, and the status that it answers, or 000.

    URLs are the catalogue's: what follows ``%(`` or ``$(``, where a client fills in its project, is not asked for.
    """
    # Who is reached is the question, not whether it is who it says: the proof's other steps verify that.
    ask = "curl --silent --insecure --globoff --max-time 5 --output /dev/null --write-out '%{http_code}'"
    asked = (
        f'(code=$({ask} {shlex.quote(re.split(r"[%$][(]", url, maxsplit=1)[0])}); echo {n} "$code") &'
        for n, url in enumerate(urls)
    )
    return '\n'.join((*asked, 'wait'))


def stop_one(juju: jubilant.Juju, cloud: cloud_.Cloud, unit: str) -> str:
    """Pause a keystone while tokens are validated without a break, and bring it back."""
    stop, tally = threading.Event(), cloud_.Tally()
    asking = threading.Thread(target=cloud_.ask_until, args=(stop, cloud, tally), daemon=True)
    asking.start()
    try:
        juju.run(unit, 'pause', wait=300)
        _until(juju, unit, 'maintenance', 'paused')
        stopped = juju.exec('systemctl is-active apache2 || true', unit=unit).stdout.strip()
        served_by_the_other = tally.asked
        stop.wait(1)
    finally:
        juju.run(unit, 'resume', wait=300)
        _until(juju, unit, 'active')
        stop.set()
        asking.join(60)
    if stopped == 'active':
        raise Unproven(f'{unit} was paused, and its Apache still runs')
    if tally.lost:
        raise Unproven(f'{len(tally.lost)} of {tally.asked} requests lost: {tally.lost[0]}')
    if tally.asked <= served_by_the_other:
        raise Unproven('no request was made while it was stopped')
    return f'{unit} paused and back, {tally.asked} requests, none lost, slowest {tally.slowest_s:.2f} s'


def _until(juju: jubilant.Juju, unit: str, workload: str, message: str = '') -> None:
    """Wait for a status; drained and drained-and-stopped differ by the beginning of their message alone."""
    app = unit.partition('/')[0]

    def there(status: jubilant.Status) -> bool:
        now = status.apps[app].units[unit].workload_status
        return now.current == workload and now.message.startswith(message)

    juju.wait(there, delay=0.3, successes=1, timeout=300)
