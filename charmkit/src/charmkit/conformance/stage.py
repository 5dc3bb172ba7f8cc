"""The program that tries a charm out: ``python -m charmkit.conformance.stage FOLDER``. Prints what it found, as JSON.

It executes the charm's code, on a machine that is only remembered, with passwords that can be recognized. See
:mod:`charmkit.conformance.trial`, which starts it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import pathlib
import re
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from ops import testing

from .. import generate, host, releases
from .. import testing as machines
from ..api import AgentCharm, ApiCharm
from ..related import broker, database, identity, networks
from ..relations import Site
from ..service import ServiceSpec
from . import reading
from .view import View

SECRETS = ('db-pw', 'account-pw', 'mq-pw', 'unit-secret-of-')
"""What :mod:`charmkit.related` and :class:`charmkit.testing.FakeMachine` have for passwords."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a charm did."""

    out: testing.State
    machine: machines.FakeMachine
    log: str

    @property
    def sites(self) -> str:
        """Apache's virtual hosts."""
        files = self.machine.desired.files
        return '\n'.join(f.content for f in files if '/sites-enabled/' in f.path)


class Stage:
    """A charm, and what it is given."""

    def __init__(self, charm: type[ApiCharm | AgentCharm], view: View):
        self.charm, self.view = charm, view

    def play(self, base: str, *, pause: bool = False) -> Seen:
        """The leader with all that it requires on *base*: its hooks, and pause behind a load balancer if asked for."""
        machine = machines.FakeMachine(base=base)
        self.charm.machine = machine
        context = testing.Context(self.charm, app_name=self.view.name)
        bindings = {*self.view.table('extra-bindings'), *(e.name for e in self.view.endpoints)}
        state = testing.State(
            leader=True,
            relations=self._relations(pause),
            networks={n for n in networks() if n.binding_name in bindings},
        )
        out = context.run(context.on.install(), state)
        out = context.run(context.on.config_changed(), out)
        out = context.run(
            context.on.update_status(), out
        )  # What the leader shares is kept between hooks.
        if pause:
            out = context.run(context.on.action('pause', params={'reason': 'a rule'}), out)
        return Seen(out, machine, '\n'.join(line.message for line in context.juju_log))

    def _relations(self, balanced: bool) -> set[testing.RelationBase]:
        found: set[testing.RelationBase] = set()
        known = {
            'mysql-shared': database(f'{self.view.name}/0', *_prefixes(self.charm)),
            'keystone': identity(self.view.name),
            'rabbitmq': broker(),
        }
        optional = {
            name
            for role in ('requires', 'provides')
            for name, said in self.view.entries(role).items()
            if said.get('optional') is True
        }
        for e in self.view.endpoints:
            if e.role == 'peers':
                found.add(testing.PeerRelation(e.name))
            elif e.role == 'requires' and e.name not in optional and e.interface in known:
                found.add(dataclasses.replace(known[e.interface], endpoint=e.name))
            elif balanced and e.name == 'internal-backend':
                data = {'interface-versions': json.dumps([1, 2])}
                found.add(testing.Relation(e.name, remote_app_name='lb', remote_app_data=data))
        return found


def _prefixes(charm: type[ApiCharm | AgentCharm]) -> list[str]:
    """What it has before the keys of each database that it asks for, where it asks for several."""
    site = Site(unit='x/0', leader=True, address='10.0.0.2')
    asked = [key for n in charm.spec.needs if n.relation == 'shared-db' for key in n.request(site)]
    return [key.removesuffix('_database') for key in asked if key.endswith('_database')]


def findings(folder: pathlib.Path) -> dict[str, list[str]]:
    """What is found, by rule."""
    found: dict[str, list[str]] = {}
    view = reading.read(str(folder))
    sys.path.insert(0, str(folder / 'src'))
    # It stays loaded: ops.testing looks for the charm's folder by its module.
    charm = getattr(
        importlib.import_module('charm'), view.classes[0][0] if view.classes else '', None
    )
    if not (isinstance(charm, type) and issubclass(charm, ApiCharm | AgentCharm)):
        return {}
    stage = Stage(charm, view)
    found['generated'] = [f'{path.name} is not up to date' for path in generate.stale([folder])]
    for base, release in releases.OF_BASE.items():
        try:
            seen = stage.play(base)
        except Exception as e:  # Whatever the charm raises.
            found.setdefault('runs', []).append(f'{base}: {_cause(e, folder)}')
            continue
        found.setdefault('runs-quietly', []).extend(f'{base}: {text}' for text in _leaked(seen))
        if issubclass(charm, ApiCharm):
            spec = charm.spec.on(release)
            found.setdefault('runs-mod-wsgi', []).extend(
                f'{base}: {t}' for t in _served(spec, seen)
            )
            found.setdefault('runs-memcached', []).extend(f'{base}: {t}' for t in _cached(seen))
    if issubclass(charm, ApiCharm) and 'runs' not in found:
        found['runs-drain'] = list(_drained(stage.play(next(iter(releases.OF_BASE)), pause=True)))
    return found


def _cause(error: BaseException, folder: pathlib.Path) -> str:
    """What was raised, and the last place in the charm's own code on the way there."""
    while error.__cause__ is not None:
        error = error.__cause__
    source = folder.absolute() / 'src'
    places = [
        f' ({pathlib.Path(frame.filename).relative_to(folder.absolute())}, line {frame.lineno})'
        for frame in traceback.extract_tb(error.__traceback__)
        if pathlib.Path(frame.filename).is_relative_to(source)
    ]
    return f'{type(error).__name__}: {error}{places[-1] if places else ""}'


def _leaked(seen: Seen) -> Iterator[str]:
    where = {
        'a log': seen.log,
        'the status': seen.out.unit_status.message,
        'an argument of a program': '\n'.join(
            [*seen.machine.steps, *(' '.join(argv) for argv in seen.machine.programs)]
        ),
        **{
            f'{f.path}, which everybody can read': f.content
            for f in seen.machine.desired.files
            if f.mode & 0o004
        },
    }
    for place, text in where.items():
        yield from (f'{secret} is in {place}' for secret in SECRETS if secret in text)


def _served(spec: ServiceSpec, seen: Seen) -> Iterator[str]:
    if not {'libapache2-mod-wsgi-py3', 'apache2'} <= {*seen.machine.desired.packages}:
        yield 'Apache and mod_wsgi are not installed'
    if _state(seen, 'apache2') != 'running':
        yield f'Apache does not run; the unit says: {seen.out.unit_status.message}'
        return
    for app in spec.apps:
        alias = rf'^ *WSGIScriptAlias / {re.escape(app.script)} process-group={app.name}\b'
        if not re.search(alias, seen.sites, re.MULTILINE):
            yield f'{app.name} is not served by mod_wsgi'


def _cached(seen: Seen) -> Iterator[str]:
    if _state(seen, 'memcached') != 'running':
        yield 'memcached does not run'
        return
    conf = next((f for f in seen.machine.desired.files if f.path == '/etc/memcached.conf'), None)
    if conf is None or '-l 127.0.0.1\n' not in conf.content:
        yield 'memcached does not listen on loopback alone'


def _drained(seen: Seen) -> Iterator[str]:
    (balancer,) = seen.out.get_relations('internal-backend')
    said: Any = json.loads(balancer.local_unit_data.get('lifecycle', '{}'))
    if said.get('state') != 'drain' or said.get('reason') != 'a rule':
        yield f'the load balancer is not asked to drain: what is published is {said.get("state")}'
    if _state(seen, 'apache2') != 'running':
        yield 'it stops before it is drained'


def _state(seen: Seen, name: str) -> str:
    services: tuple[host.SystemdService, ...] = seen.machine.desired.services
    return next((s.state for s in services if s.name == name), 'not wanted')


def main(argv: list[str]) -> int:
    """The program."""
    with contextlib.redirect_stdout(sys.stderr):
        try:
            found = findings(pathlib.Path(argv[0]))
        except Exception as e:  # Whatever the charm raises while it is loaded.
            found = {'runs': [_cause(e, pathlib.Path(argv[0]))]}
    print(json.dumps({name: texts for name, texts in found.items() if texts}))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
