"""What the token cache is worth, mod_wsgi beside uwsgi, and how soon a cache that was killed is back.

On real units, one each of mysql, keystone and the API asked, sized as the charm sizes them. Four clients on the host
ask with one token. The ways compared take turns, so that a machine that slows down slows both.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import statistics
import time
from collections.abc import Generator, Iterator

import jubilant

from tools import cloud

from . import clients, controlplane, local
from .figure import Figure, spread

ROUNDS = 3
WARM_S = 3.0
ROUND_S = 8.0
UWSGI_PORT = 18778
MOST_RECOVERY_S = 20.0
_LOG = '/var/log/openstack-apache/keystone-access.log'
_UWSGI = (
    "sed 's/^processes = .*/processes = {processes}/; /^logto/d' "
    '/etc/placement/placement-api-uwsgi.ini > /run/bench-uwsgi.ini && '
    'systemd-run --quiet --unit=bench-uwsgi '
    '/usr/bin/uwsgi_python3 --http-socket 0.0.0.0:{port} --ini /run/bench-uwsgi.ini'
)


@dataclasses.dataclass(frozen=True)
class Api:
    """A unit that serves an API, and what is asked of it."""

    juju: jubilant.Juju
    unit: str
    address: str
    port: int
    path: str
    token: str

    def run(self, script: str, unit: str = '') -> str:
        """What a shell script says, on this unit's machine or another's."""
        return self.juju.exec(script, unit=unit or self.unit).stdout.strip()

    def rate(self, port: int = 0, *, keep: bool = True) -> Round:
        """One round: requests a second once it is warm, and what keystone was asked meanwhile."""
        with clients.asking(
            self.address, port or self.port, self.path, self.token, keep=keep
        ) as seen:
            time.sleep(WARM_S)
            before, began = self.validations(), time.monotonic()
            time.sleep(ROUND_S)
            ended, after = time.monotonic(), self.validations()
        if seen.failed:
            raise RuntimeError(f'{len(seen.failed)} requests failed: {seen.failed[:3]}')
        rate = seen.rate(began, ended)
        return Round(rate, seen.median_ms(began), after - before, rate * (ended - began))

    def validations(self) -> int:
        """How often keystone was asked about a token until now."""
        count = f'grep -c "GET /v3/auth/tokens" {_LOG} || true'
        return int(self.run(count, 'keystone/0'))


@dataclasses.dataclass(frozen=True)
class Round:
    """What one round gave."""

    rate: float
    median_ms: float
    validations: int
    answers: float


def token_cache() -> Iterator[Figure]:
    """Authenticated GETs with the charm's token cache, and with none."""
    with _deployed('placement', 'glance') as apis:
        for api in apis:
            name = api.unit.partition('/')[0]
            rounds: dict[bool, list[Round]] = {True: [], False: []}
            for _ in range(ROUNDS):
                for cached in (True, False):
                    _set_cache(api, name, on=cached)
                    rounds[cached].append(api.rate())
            _set_cache(api, name, on=True)
            on, off = rounds[True], rounds[False]
            yield Figure(
                f'{name}: requests with the token cache, of those without',
                _rate(on) / _rate(off), '', 2.5, True,
                f'{_rate(on):.0f} and {_rate(off):.0f} a second, median {on[0].median_ms:.0f} and '
                f'{off[0].median_ms:.0f} ms; {ROUNDS} rounds each of {ROUND_S:.0f} s',
            )  # fmt: skip
            asked = sum(r.answers for r in on)
            yield Figure(
                f'{name}: validations at keystone', sum(r.validations for r in on), '', 0,
                how=f'in its access log, during {asked:.0f} requests',
            )  # fmt: skip
            yield Figure(
                f'{name}: validations for each request without the cache',
                sum(r.validations for r in off) / sum(r.answers for r in off), '', 0.9, True,
                'the control: they would be seen',
            )  # fmt: skip


def mod_wsgi() -> Iterator[Figure]:
    """mod_wsgi beside uwsgi with the distribution's own settings and as many processes, both with the cache."""
    with _deployed('placement') as (api,):
        site = api.run('cat /etc/apache2/sites-enabled/placement-api.conf')
        processes = re.findall(r'processes=(\d+)', site)[0]
        api.run(_UWSGI.format(processes=processes, port=UWSGI_PORT))
        _wait_for(api, UWSGI_PORT)
        ours: list[float] = []
        ours_closed: list[float] = []
        theirs: list[float] = []
        for _ in range(ROUNDS):
            ours.append(api.rate().rate)
            theirs.append(api.rate(UWSGI_PORT).rate)
            ours_closed.append(api.rate(keep=False).rate)
        middle = statistics.median(theirs)
        yield Figure(
            'requests under mod_wsgi, of those under uwsgi', statistics.median(ours) / middle,
            '', 0.95, True,
            f'{spread(ours, digits=0)} and {spread(theirs, digits=0)} a second, {processes} '
            f'processes each; with a new connection for each request, as uwsgi asks for, '
            f'{statistics.median(ours_closed) / middle:.2f}',
        )  # fmt: skip


def memcached_killed() -> Iterator[Figure]:
    """memcached killed under load: how long until the rate is back; and with it gone for good, as the control."""
    with _deployed('placement') as (api,):
        with clients.asking(api.address, api.port, api.path, api.token) as seen:
            time.sleep(WARM_S)
            began = time.monotonic()
            time.sleep(ROUND_S)
            before = seen.rate(began, time.monotonic())
            old = api.run('pidof memcached')
            killed = time.monotonic()
            api.run(f'kill -KILL {old}')
            time.sleep(2 * MOST_RECOVERY_S)
            ended = time.monotonic()
            new = api.run('pidof memcached')
            if new == old:
                raise RuntimeError('memcached was not killed')
            found = recovery_s(seen, killed, ended, 0.8 * before)
            low = min(seen.rate(killed + s, killed + s + 1) for s in range(20))
            after = seen.rate(ended - ROUND_S, ended) / before
            api.run('systemctl mask --quiet --now memcached')
            gone = time.monotonic()
            time.sleep(ROUND_S)
            without = seen.rate(gone, time.monotonic()) / before
            api.run('systemctl unmask --quiet memcached; systemctl start memcached')
        yield Figure(
            'memcached killed: back to 0.8 of the rate', found, 's', MOST_RECOVERY_S,
            how=f'{before:.0f} a second before, {low:.0f} in the worst second, {after:.2f} of the '
            f'rate at the end; {len(seen.failed)} requests failed',
        )  # fmt: skip
        yield Figure(
            'rate while memcached stays away, of the rate before', without, '', 0.7,
            how=f'the control: {ROUND_S:.0f} s with memcached masked',
        )  # fmt: skip


def recovery_s(seen: clients.Seen, since: float, until: float, enough: float) -> float:
    """How long after *since* the rate was *enough* again: for a second, for three, and on the whole until the end.

    Infinite when it never was.
    """
    at = since
    while at + 3 <= until:
        if all(seen.rate(at, end) >= enough for end in (at + 1, at + 3, until)):
            return at - since
        at += 0.25
    return float('inf')


def _rate(rounds: list[Round]) -> float:
    return statistics.median(r.rate for r in rounds)


_ASKED = {'placement': (8778, '/resource_providers'), 'glance': (9292, '/v2/images')}


@contextlib.contextmanager
def _deployed(*names: str) -> Generator[tuple[Api, ...]]:
    """The APIs called *names*, and what they need."""
    with local.kept():
        juju = local.model('tokens')
        local.run('model-config', '--model', 'tokens', 'update-status-hook-interval=60m')
        bundle = controlplane.write_bundle(('mysql', 'keystone', *names))
        local.run('deploy', '--model', 'tokens', str(bundle))
        local.seconds_until_active(juju, 'mysql', 'keystone', *names)
        apps = juju.status().apps
        password = str(juju.run('keystone/0', 'get-admin-password').results['password'])
        url = f'http://{apps["keystone"].units["keystone/0"].public_address}:5000'
        held = cloud.token(cloud.Cloud({'keystone': {'public': url}}, password))
        yield tuple(
            Api(juju, f'{n}/0', apps[n].units[f'{n}/0'].public_address, *_ASKED[n], held)
            for n in names
        )
        local.run('destroy-model', '--no-prompt', '--force', 'tokens')


def _set_cache(api: Api, name: str, *, on: bool) -> None:
    """Have the service cache tokens as the charm has it, or not at all: an empty cache that nothing is put into."""
    conf = f'/etc/{name}/{"glance-api" if name == "glance" else name}.conf'
    seconds = 300 if on else -1
    done = api.run(
        f"sed -i 's/^token_cache_time = .*/token_cache_time = {seconds}/' {conf} && "
        f"grep -c '^token_cache_time = {seconds}$' {conf} && systemctl restart memcached apache2"
    )
    if done != '1':
        raise RuntimeError(f'{conf} has no token_cache_time')
    _wait_for(api, api.port)


def _wait_for(api: Api, port: int) -> None:
    """Until it has answered for five seconds without a failure, so that each process has loaded."""
    end, last = time.monotonic() + 60, ''
    while time.monotonic() < end:
        with clients.asking(api.address, port, api.path, api.token) as seen:
            time.sleep(5)
        if seen.answers and not seen.failed:
            return
        last = (seen.failed or ['no answer'])[-1]
    raise RuntimeError(f'{api.unit} does not answer on port {port}: {last}')
