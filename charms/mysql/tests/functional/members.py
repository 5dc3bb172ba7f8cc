"""Real members in containers, and an application of them: hooks run as Juju runs them, on databags kept here."""

from __future__ import annotations

import dataclasses
import datetime
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any, cast

import charmkit
import cluster_run
import mariadb
import mysql_run
from charmkit import clients, drive, host, run
from charmkit.machine import Facts, Finished, HttpRequest, HttpResponse, Sink
from charmkit.relations import Relation, Site, mysql

from tools import systems

SEED = 'secret:seed'
TIME = charmkit.Hook('update-status')
APP = 'mysql'


@dataclasses.dataclass
class Member:
    """A container, as the charm's own code sees a machine."""

    name: str
    address: str
    unit: str
    started_with: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    paths: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    pid: str = ''
    """Of the container's first process: what runs beside it by ``nsenter`` starts ten times as fast as by podman."""
    versions: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    version: str = '1:10.11.6-0'
    """Of its MariaDB's package."""

    def facts(self) -> Facts:
        return Facts(base='debian@12', memory_mib=1024)

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def unit_secret(self, unit: str) -> str:
        return unit

    def within(self, *argv: str) -> tuple[str, ...]:
        self.pid = self.pid or systems.podman('inspect', '--format', '{{.State.Pid}}', self.name)
        enters = ('nsenter', '--target', self.pid, '--mount', '--uts', '--ipc', '--net', '--pid')
        return (*enters, '--wdns=/', '--', *argv)

    def stream(
        self, *argv: str, source: Iterable[bytes] = (), sink: Sink | None = None
    ) -> Finished:
        return run.streamed(self.within(*argv), source, sink)

    def progress(self, line: str) -> None:
        print(line)

    def program(
        self,
        *argv: str,
        stdin: str = '',
        environment: Mapping[str, str] | None = None,
        user: str = 'root',
        timeout_s: float = 60.0,
    ) -> Finished:
        who = () if user == 'root' else ('runuser', '-u', user, '--')
        try:
            done = subprocess.run(
                self.within(*who, *argv),
                input=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors='replace',
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Finished(-1)
        return Finished(done.returncode, done.stdout)

    def sh(self, script: str) -> str:
        done = self.program('sh', '-c', script, timeout_s=300)
        assert done.status == 0, done.output
        return done.output.strip()

    def root(self, sql: str) -> str:
        return self.sh(f'mariadb --batch --skip-column-names <<"EOF"\n{sql}\nEOF')

    def http(self, request: HttpRequest) -> HttpResponse:
        """From this machine's network: what it cannot reach does not answer."""
        ask = 'import sys; from charmkit import clients, machine as m; r = clients.http_response'
        ask += '(m.HttpRequest(url=sys.argv[1], timeout_s=float(sys.argv[2]))); print(r.status, r.body or r.reason)'
        where = ('nsenter', '--target', self.pid, '--net', '--', sys.executable, '-c', ask)
        done = subprocess.run(
            (*where, request.url, str(request.timeout_s)),
            capture_output=True,
            text=True,
            check=True,
        )
        status, _, body = done.stdout.partition(' ')
        return HttpResponse(int(status), body=body)

    def read(self, path: str) -> str | None:
        done = self.program('cat', path)
        return done.output if done.status == 0 else None

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        self._write(host.File(path=path, content=text, mode=mode))

    def names(self, directory: str) -> tuple[str, ...]:
        done = self.program('ls', '-1A', directory)
        return tuple(sorted(done.output.splitlines())) if done.status == 0 else ()

    def observe(self, desired: host.Host) -> host.Observed:
        active = self.program('systemctl', 'is-active', *(s.name for s in desired.services))
        there = self.program(
            'sh', '-c', 'for f; do [ ! -e "$f" ] || echo "$f"; done', 'sh', *self.paths
        ).output.splitlines()
        states = dict(zip((s.name for s in desired.services), active.output.split(), strict=False))
        return host.Observed(
            packages=dict.fromkeys(desired.packages, self.version),
            paths={k: v for k, v in self.paths.items() if k in there},
            active=frozenset(n for n, state in states.items() if state == 'active'),
            started_with=self.started_with,
        )

    def carry_out(self, step: host.Step, desired: host.Host) -> str:
        match step.verb:
            case 'write':
                return self._write(next(f for f in desired.files if f.path == step.target))
            case 'make':
                folder = next(d for d in desired.directories if d.path == step.target)
                self.sh(f'mkdir -p {folder.path} && chmod {folder.mode:o} {folder.path}')
                self.paths[folder.path] = folder.stamp
            case 'remove':
                self.sh(f'rm -f {step.target}')
                self.paths.pop(step.target, None)
            case 'run':
                for command in desired.commands:
                    assert self.program(*command.argv, timeout_s=900).status == 0
            case 'daemon-reload':
                self.sh('systemctl daemon-reload')
            case 'stop':
                self.sh(f'systemctl disable --now --quiet {step.target}')
            case 'start' | 'restart':
                done = self.program(
                    'sh',
                    '-c',
                    f'systemctl enable -q {step.target}; systemctl {step.verb} {step.target}',
                    timeout_s=900,
                )
                if done.status:
                    return done.output
                self.started_with[step.target] = desired.config_digest(step.target)
            case _:
                raise AssertionError(step)
        return ''

    def _write(self, file: host.File) -> str:
        put = 'mkdir -p "$(dirname "$0")" && cat > "$0.new" && chown "$1" "$0.new" && chmod "$2" "$0.new"'
        rights = (f'{file.owner}:{file.group}', f'{file.mode:o}')
        done = self.program('sh', '-c', put, file.path, *rights, stdin=file.content)
        assert done.status == 0, done.output
        if file.check:
            checked = self.program(*(w.replace('{path}', f'{file.path}.new') for w in file.check))
            if checked.status:
                return checked.output
        self.sh(f'mv {file.path}.new {file.path}')
        self.paths[file.path] = file.stamp
        return ''

    def state(self) -> str:
        """What its health says: ``ok``, or why not."""
        answer = clients.http_response(
            HttpRequest(url=f'http://{self.address}:9200/', timeout_s=6)
        )
        return f'{answer.status} {answer.body or answer.reason}'


@dataclasses.dataclass
class Application:
    """Units, and what they and their leader have said."""

    members: dict[str, Member]
    leader: str
    bags: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict[str, dict[str, str]])
    app: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    answers: dict[str, dict[str, str]] = dataclasses.field(
        default_factory=dict[str, dict[str, str]]
    )
    memory: dict[str, dict[str, Any]] = dataclasses.field(
        default_factory=dict[str, dict[str, Any]]
    )
    asks: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The databag of a client."""
    status: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    secrets: dict[str, dict[str, str]] = dataclasses.field(
        default_factory=dict[str, dict[str, str]]
    )

    def __post_init__(self) -> None:
        self.app = {mariadb.SERVER: self.leader, mariadb.SEED: SEED}
        self.secrets = {SEED: {'seed': 's' * 64}}

    def inputs(self, unit: str) -> charmkit.Inputs:
        here = self.members[unit]
        everywhere = {name: here.address for name in ('peers', 'shared-db', 'internal-backend')}
        client = Relation(id=1, name='shared-db', app='nova', units={'nova/0': self.asks})
        return charmkit.Inputs(
            site=Site(
                unit=unit, leader=unit == self.leader, address=here.address, addresses=everywhere
            ),
            facts=here.facts(),
            relations={'shared-db': (client,)} if self.asks else {},
            peers=self.app,
            my_peer_data=self.bags.get(unit, {}),
            peer_units={
                u: {**self.bags.get(u, {}), 'ingress-address': m.address}
                for u, m in self.members.items()
                if u != unit
            },
            secrets=self.secrets,
            memory=self.memory.get(unit, {}),
            versions={'mariadb-server': here.version},
            now=here.now(),
            fresh=f'{time.time_ns():064d}',
        )

    def hook(self, unit: str, why: charmkit.Why = TIME) -> charmkit.Desired:
        """Run one, to its end; what it says is kept."""
        machine = cast('charmkit.Machine', self.members[unit])
        driven = drive.drive(machine, mysql_run.run, why, self.inputs(unit))
        desired = driven.desired
        if desired.failure or desired.read_only or why.removing:
            return desired
        words = charmkit.state.summary(
            [*desired.status, *charmkit.state.troubles(driven.inputs, desired.status)]
        )
        self.status[unit] = f'{words.kind}: {words.message}'
        print(
            f'{time.strftime("%H:%M:%S")} {unit} {getattr(why, "name", "")}: {self.status[unit]}',
            flush=True,
        )
        self.memory[unit] = {**self.memory.get(unit, {}), **desired.memory}
        if 'peers' in desired.unit_data:
            self.bags[unit] = dict(desired.unit_data['peers'])
        if 1 in desired.unit_data:
            self.answers[unit] = dict(desired.unit_data[1])
        if unit == self.leader:
            for label, secret in desired.secrets.items():
                self.secrets[f'secret:{label}'] = dict(secret.content)
            said = {
                k: re.sub(r'\{(secret:.*)\}', r'\1', v)
                for k, v in desired.app_data['peers'].items()
            }
            self.app = said
        return desired

    def hooks(self, rounds: int = 1) -> None:
        """Time passes on all units."""
        for _ in range(rounds):
            for unit in sorted(self.members):
                self.hook(unit)

    def until_whole(self, rounds: int = 8) -> None:
        """Run hooks until all units are members that serve."""
        for _ in range(rounds):
            self.hooks()
            if all(m.state().startswith('200') for m in self.members.values()):
                return
        raise AssertionError({u: (self.status.get(u), m.state()) for u, m in self.members.items()})

    def action(self, unit: str, name: str, **params: object) -> charmkit.Desired:
        return self.hook(unit, charmkit.Action(name, params))

    def database(self, unit: str = 'nova/0') -> mysql.Database | None:
        """What the client makes of all answers."""
        relation = Relation(id=1, name='shared-db', app=APP, units=self.answers)
        return mysql.need('nova').read((relation,), Site(unit=unit, leader=True, address=''))

    @property
    def writer(self) -> str:
        """Whom clients are sent to."""
        return cluster_run.galera.read_writer(self.app.get(mariadb.WRITER, '')).unit


def time_of_day() -> datetime.datetime:
    """Now."""
    return datetime.datetime.now(datetime.UTC)


def start(base: str, number: int, name: str) -> Member:
    """A container with the packages in it; its server runs, as the package has it."""
    image = f'localhost/rambla-galera-test:{base}'
    systems.build(
        image,
        f'FROM {systems.base(base)}\n'
        'RUN export DEBIAN_FRONTEND=noninteractive; apt-get update -q; '
        'apt-get install -y -q --no-install-recommends mariadb-server mariadb-backup socat python3 haproxy '
        'nftables python3-sqlalchemy python3-pymysql; '
        'systemctl disable mariadb haproxy\n',
    )
    found = Member(name, systems.start(name, image), f'{APP}/{number}')
    found.version = found.sh("dpkg-query -W -f '${Version}' mariadb-server")
    found.sh('systemctl enable -q mariadb; systemctl start mariadb')
    return found
