"""A small model in the middle of its life, and a hook of one of its units."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import shutil
import threading
from collections.abc import Generator, Mapping
from typing import Any

from jujulet import tools, wire
from jujulet.core import charm as charm_
from jujulet.core import context as context_
from jujulet.core import environment, hooktools, lifecycle, model, operations

NOW = 1_763_805_600.0  # 2025-11-22 10:00:00 UTC
UUID = 'a1b2c3d4-0000-4000-8000-000000000001'
BASE = charm_.Base('debian', '12')

APP = charm_.Charm(
    url='local:app-0',
    name='app',
    revision=0,
    digest='d1',
    relations={
        'db': charm_.RelationMeta('db', 'requirer', 'mysql'),
        'web': charm_.RelationMeta('web', 'provider', 'http'),
        'peers': charm_.RelationMeta('peers', 'peer', 'app-peers'),
        'logs': charm_.RelationMeta('logs', 'provider', 'logs', scope='container'),
    },
    extra_bindings=('public',),
    options={
        'title': charm_.Option('title', 'string', 'hello'),
        'workers': charm_.Option('workers', 'int', 4),
        'ratio': charm_.Option('ratio', 'float', 0.5),
        'debug': charm_.Option('debug', 'boolean', False),
        'unset': charm_.Option('unset', 'string'),
    },
    actions={'backup': charm_.Action('backup')},
    storage={
        'data': charm_.StorageMeta('data', location='/srv/data'),
        'cache': charm_.StorageMeta('cache', minimum=0, maximum=3),
    },
    resources={'blob': charm_.ResourceMeta('blob', filename='blob.bin')},
)
MYSQL = charm_.Charm(
    url='local:mysql-0',
    name='mysql',
    revision=0,
    digest='d2',
    relations={'server': charm_.RelationMeta('server', 'provider', 'mysql')},
)
SYSLOG = charm_.Charm(
    url='local:syslog-0',
    name='syslog',
    revision=0,
    digest='d3',
    subordinate=True,
    relations={'logs': charm_.RelationMeta('logs', 'requirer', 'logs', scope='container')},
)
CHARMS = {c.url: c for c in (APP, MYSQL, SYSLOG)}

DB, PEERS, LOGS = 1, 2, 3


def build() -> model.Model:
    """Two units of app and two of mysql, related; a subordinate on each unit of app."""
    end = model.Endpoint
    joined = model.KnownRelation(created=True, members={'mysql/0': 1, 'mysql/1': 1})
    bags = {
        DB: {
            'app/0': {'ingress-address': '10.0.0.10', 'user': 'me'},
            'app/1': {'ingress-address': '10.0.0.11'},
            'mysql/0': {'host': '10.0.0.20', 'port': '3306'},
            'mysql/1': {'host': '10.0.0.21'},
        },
        PEERS: {'app/0': {'n': '0'}, 'app/1': {'n': '1'}},
        LOGS: {f'{a}/{n}': {'n': str(n)} for a in ('app', 'syslog') for n in (0, 1)},
    }
    apps = {
        DB: {'app': {'want': 'db'}, 'mysql': {'version': '8'}},
        PEERS: {'app': {'shared': 'yes'}},
        LOGS: {},
    }
    sides = {
        DB: (end('mysql', 'server', 'provider', 'mysql'), end('app', 'db', 'requirer', 'mysql')),
        PEERS: (end('app', 'peers', 'peer', 'app-peers'),),
        LOGS: (
            end('app', 'logs', 'provider', 'logs', 'container'),
            end('syslog', 'logs', 'requirer', 'logs', 'container'),
        ),
    }
    relations = {
        rid: model.Relation(
            rid,
            sides[rid],
            units={u: model.Databag(d, 1) for u, d in bags[rid].items()},
            applications={a: model.Databag(d, 1) for a, d in apps[rid].items()},
            ever_in_scope=True,
        )
        for rid in sides
    }
    known: dict[str, dict[int, model.KnownRelation]] = {}
    for n in (0, 1):
        other = {f'app/{1 - n}': 1}
        known[f'app/{n}'] = {
            DB: joined,
            PEERS: model.KnownRelation(created=True, members=other),
            LOGS: model.KnownRelation(created=True, members={f'syslog/{n}': 1}),
        }
    units = [_unit('app', n, str(n), known[f'app/{n}']) for n in (0, 1)]
    units += [_unit('mysql', n, str(2 + n), {}) for n in (0, 1)]
    for n in (0, 1):
        logs = {LOGS: model.KnownRelation(created=True, members={f'app/{n}': 1})}
        units.append(_unit('syslog', n, str(n), logs, principal=f'app/{n}'))
    hosts = ('10.0.0.10', '10.0.0.11', '10.0.0.20', '10.0.0.21')
    return model.Model(
        UUID,
        'test',
        created=NOW - 1000,
        spaces={
            'alpha': model.Space('alpha', '10.0.0.0/24', 'fd00::/64'),
            'dmz': model.Space('dmz', '10.1.0.0/24'),
        },
        charms=CHARMS,
        applications={
            'app': dataclasses.replace(
                _application('app', 'local:app-0', bindings={'': 'alpha', 'public': 'dmz'}),
                resources={'blob': model.Resource('blob', 'x.bin', 'digest', 3)},
            ),
            'mysql': _application('mysql', 'local:mysql-0'),
            'syslog': _application('syslog', 'local:syslog-0'),
        },
        units={u.name: u for u in units},
        machines={str(i): _machine(str(i), ip) for i, ip in enumerate(hosts)},
        relations=relations,
        storage={
            'data/0': model.Storage(
                'data/0', 'data', 'filesystem', 'app/0', '/srv/data', attached=True
            ),
            'data/1': model.Storage(
                'data/1', 'data', 'filesystem', 'app/1', '/srv/data', attached=True
            ),
        },
    )


def _unit(
    application: str,
    n: int,
    machine: str,
    known: Mapping[int, model.KnownRelation],
    principal: str = '',
) -> model.Unit:
    storage = frozenset({f'data/{n}'}) if application == 'app' else frozenset[str]()
    return model.Unit(
        f'{application}/{n}',
        application,
        machine,
        principal,
        workload=model.Status('active', '', NOW - 100),
        agent=model.Agent(
            deployed=f'local:{application}-0',
            installed=True,
            started=True,
            relations=known,
            storage_attached=storage,
        ),
    )


def _application(
    name: str, url: str, bindings: Mapping[str, str] | None = None
) -> model.Application:
    return model.Application(name, url, BASE, leader=f'{name}/0', bindings=bindings or {})


def _machine(number: str, ip: str) -> model.Machine:
    alpha = model.Address('alpha', ip, f'fd00::{ip.split(".")[-1]}', f'00:16:3e:00:00:0{number}')
    dmz = model.Address('dmz', ip.replace('10.0', '10.1'), '', f'00:16:3e:00:01:0{number}')
    return model.Machine(
        number, BASE, phase='started', addresses=(alpha, dmz), hostname=f'juju-test-{number}'
    )


@dataclasses.dataclass(frozen=True)
class Said:
    """What a tool answered."""

    out: str
    err: str
    code: int


class World:
    """The model, and the hook of one unit, as calls change them."""

    def __init__(self) -> None:
        self.model = build()
        self.unit = 'app/0'
        self.log: list[tuple[str, str]] = []
        self.calls: list[context_.Call] = []
        self.now = NOW
        self.runs = 0
        self.context = self.hook(model.Hook('config-changed'))

    def hook(self, hook: model.Hook, unit: str = '') -> context_.Context:
        """Begin another hook, as the controller does; what the one before has asked for is dropped."""
        self.unit = unit or self.unit
        self.runs += 1
        task = model.Task(hook.task, '1', self.unit, 'backup', {'n': {'a': 1}, 'to': 'x'})
        if hook.task:
            self.model = dataclasses.replace(self.model, tasks={hook.task: task})
        operation = operations.RunHook(self.unit, self.model.units[self.unit].machine, hook)
        self.model, self.context = lifecycle.begin(
            self.model, operation, f'{self.unit}-{self.runs}', self.now
        )
        return self.context

    def relation_hook(self, kind: str, remote_unit: str = 'mysql/0', **more: Any) -> None:
        """Begin a hook of the relation with mysql."""
        self.hook(
            model.Hook(
                f'relation-{kind}',
                relation=DB,
                endpoint='db',
                remote_app='mysql',
                remote_unit=remote_unit,
                **more,
            )
        )

    def succeed(self) -> None:
        """The hook exits 0; the next is a config-changed."""
        self.model = lifecycle.finish(self.model, self.context, context_.Outcome(0), self.now)
        self.hook(model.Hook('config-changed'))

    def result(self, call: context_.Call) -> context_.Result:
        """Make one call."""
        self.calls.append(call)
        result = hooktools.call(self.model, self.context, call, self.now)
        self.model, self.context = result.model, result.context
        self.log += result.log
        return result

    def run(
        self,
        *argv: str,
        stdin: bytes | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> Said:
        """Make one call, as text."""
        result = self.result(context_.Call(argv, stdin, files or {}))
        return Said(result.stdout.decode(), result.stderr.decode(), result.code)

    def out(self, *argv: str, stdin: bytes | None = None) -> str:
        """What a call that must succeed prints."""
        said = self.run(*argv, stdin=stdin)
        assert (said.err, said.code) == ('', 0), said
        return said.out


@contextlib.contextmanager
def served(world: World, folder: pathlib.Path) -> Generator[dict[str, str]]:
    """Serve a world's tools on a socket; yields the environment that its clients need."""
    bin_ = folder / 'tools'
    bin_.mkdir()
    client = pathlib.Path(tools.__file__).parent / 'hooktool'
    shutil.copy2(client, bin_ / 'hooktool')
    for name in (*hooktools.NAMES, 'jujud', *hooktools.MACHINE_NAMES):
        (bin_ / name).symlink_to('hooktool')
    (bin_ / 'jujud-version').write_text('3.6.12-ubuntu-amd64\n')
    loop = asyncio.new_event_loop()
    socket = folder / 'unit.socket'

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming = await wire.receive(reader, writer)
        if incoming is not None:
            if incoming.context_id == world.context.id:
                writer.write(wire.encode_result(world.result(incoming.call)))
            else:
                writer.write(wire.encode_error('unknown context id'))
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = loop.run_until_complete(asyncio.start_unix_server(serve, str(socket)))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    facts = environment.Facts()
    env = environment.hook_environment(world.model, world.context, facts)
    try:
        yield env | {
            'PATH': f'{bin_}:{os.environ["PATH"]}',
            'JUJU_AGENT_SOCKET_ADDRESS': str(socket),
        }
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
