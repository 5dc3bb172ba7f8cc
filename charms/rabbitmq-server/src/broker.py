"""The tasks that speak to RabbitMQ, by its own programs. Passwords go to it as hashes, and by standard input."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping

import amqp_users
import charmkit
import membership
from charmkit.machine import Finished

_log = logging.getLogger(__name__)

SERVICE = 'rabbitmq-server'
DATA = '/var/lib/rabbitmq/mnesia'
_BIN = '/usr/lib/rabbitmq/bin'
"""Where Debian has what its own wrappers call: those go through a shell once more."""
_USER = 'rabbitmq'
_TIMEOUT_S = 60.0
_JOIN_S = 600.0
_START_S = 660.0
_TRIES = 3
_MOST_STEPS = 40
_GONE_WITHIN_S = 30
_IMPORT = 'umask 077; f=$(mktemp) && cat > "$f" && "$0" -q import_definitions "$f"; s=$?; rm -f "$f"; exit $s'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """How the node, its cluster and its accounts are, after everything was done that could be done."""

    here: membership.ClusterStatus = dataclasses.field(default_factory=membership.ClusterStatus)
    member: bool = False
    lost: bool = False
    """Others count this unit in, and it has nothing of theirs."""
    accounts: amqp_users.Observed = dataclasses.field(default_factory=amqp_users.Observed)
    refused: str = ''
    """What could not be done, in RabbitMQ's own words."""
    done: tuple[str, ...] = ()
    """What had to change."""


CONVERGE = 'cluster'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Converge:
    """Take this unit into its cluster, keep that in order, and the accounts in it; the result is a :class:`Report`."""

    cluster: membership.Want
    accounts: amqp_users.Desired
    settings: Settings
    name: str = CONVERGE

    def carry_out(self, machine: charmkit.Machine) -> Report:
        """Do it, as far as it goes."""
        done: list[str] = []
        refused = ''
        here, theirs = _look(machine, self.cluster)
        for _ in range(_MOST_STEPS):
            step = membership.plan(self.cluster, here, theirs)
            if step is None:
                break
            _log.info('%s %s', step.verb, step.target)
            refused = _carry_out(machine, self.cluster, step)
            if refused:
                here, theirs = _look(machine, self.cluster)
                break
            done.append(f'{step.verb} {step.target}')
            here, theirs = _look(machine, self.cluster)
        report = Report(
            here=here,
            member=membership.member(self.cluster, here)
            or any(d.startswith('join') for d in done),
            lost=membership.lost(self.cluster, here, theirs),
            refused=refused,
            done=tuple(done),
        )
        return self._with_accounts(machine, report) if report.member else report

    def _with_accounts(self, machine: charmkit.Machine, report: Report) -> Report:
        refused = [report.refused, self.settings.put_in_force(machine)]
        change = amqp_users.Change()
        found, words = _accounts(machine)
        if found is not None:
            change = amqp_users.plan(self.accounts, found, leader=self.cluster.leader)
            refused += _change(machine, change)
            if change.summary:
                found, words = _accounts(machine)
        return dataclasses.replace(
            report,
            accounts=found or amqp_users.Observed(),
            refused='; '.join(dict.fromkeys(w for w in (*refused, words) if w)),
            done=(*report.done, *change.summary),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What takes effect without a restart: the whole cluster would restart at once."""

    memory_bytes: int
    """Above it, publishers wait."""
    disk_bytes: int
    """When less is left on the disk, publishers wait."""
    partitions: str
    """What a node does that has lost sight of others: ``autoheal`` or ``pause_minority``."""

    @property
    def erlang(self) -> str:
        """An expression that sees to it, and changes nothing where all is as it should be."""
        memory, disk = f'{{absolute, {self.memory_bytes}}}', self.disk_bytes
        return (
            f'case vm_memory_monitor:get_vm_memory_high_watermark() of {memory} -> ok; '
            f'_ -> vm_memory_monitor:set_vm_memory_high_watermark({memory}) end, '
            f'case rabbit_disk_monitor:get_disk_free_limit() of {disk} -> ok; '
            f'_ -> rabbit_disk_monitor:set_disk_free_limit({disk}) end, '
            f'ok = application:set_env(rabbit, cluster_partition_handling, {self.partitions}).'
        )

    def put_in_force(self, machine: charmkit.Machine) -> str:
        """'' when they are, else why not."""
        return evaluated(machine, self.erlang)


@dataclasses.dataclass(frozen=True)
class Ask:
    """Something that the operator wants to know or done: what one of RabbitMQ's programs says."""

    argv: tuple[str, ...]
    program: str = 'rabbitmqctl'
    timeout_s: float = _TIMEOUT_S
    name: str = 'ask'

    def carry_out(self, machine: charmkit.Machine) -> Finished:
        """Ask."""
        return _run(machine, self.program, *self.argv, timeout_s=self.timeout_s)


@dataclasses.dataclass(frozen=True)
class Drain:
    """Make ready for a stop: hand over the leadership of queues, and send clients to the other members."""

    force: bool = False
    name: str = 'drain'

    def carry_out(self, machine: charmkit.Machine) -> str:
        """'' when it may be stopped, else why not."""
        if not self.force:
            critical = _run(machine, 'rabbitmq-queues', '-q', 'check_if_node_is_quorum_critical')
            if critical.status:
                return _words(critical)
        done = _run(machine, 'rabbitmq-upgrade', '-q', 'drain', timeout_s=_JOIN_S)
        return '' if self.force else _words(done)


@dataclasses.dataclass(frozen=True)
class Forget:
    """Remove a member that does not run."""

    node: str
    name: str = 'forget'

    def carry_out(self, machine: charmkit.Machine) -> str:
        """'' when it is none any more, else why it is."""
        here = status(machine)
        if not here.is_reachable:
            return 'this unit does not answer: run it on another one'
        if self.node not in here.members:
            return f'{self.node} is no member: {" ".join(sorted(here.members))} are'
        if self.node in here.up:
            return f'{self.node} runs: pause it, or remove its unit'
        return _forget(machine, self.node)


@dataclasses.dataclass(frozen=True)
class LeaveCluster:
    """Leave the cluster, as a unit that is removed does; what cannot be done the others do (``forget``)."""

    me: str
    name: str = 'leave'

    def carry_out(self, machine: charmkit.Machine) -> str:
        """'' when it has left, else why not."""
        here = status(machine)
        if here.members <= frozenset({self.me}):
            return ''
        _run(machine, 'rabbitmq-queues', '-q', 'shrink', self.me, timeout_s=_JOIN_S)
        for command in ('stop_app', 'reset'):
            if words := _words(ctl(machine, command, timeout_s=_JOIN_S)):
                return words
        return ''


def status(machine: charmkit.Machine, node: str = '') -> membership.ClusterStatus:
    """What *node* says of its cluster; this unit's own where none is named."""
    where = ('-n', node) if node else ()
    output = ctl(machine, *where, 'cluster_status', '--formatter', 'json')
    return membership.ClusterStatus() if output.status else membership.parse_status(output.output)


def ctl(machine: charmkit.Machine, *argv: str, timeout_s: float = _TIMEOUT_S) -> Finished:
    """What ``rabbitmqctl`` says to *argv*, none of which may be secret."""
    return _run(machine, 'rabbitmqctl', '-q', *argv, timeout_s=timeout_s)


def evaluated(machine: charmkit.Machine, erlang: str) -> str:
    """'' when the node has evaluated *erlang*, which may hold nothing secret, else why not."""
    return _words(ctl(machine, 'eval', erlang))


def _run(
    machine: charmkit.Machine, program: str, *argv: str, timeout_s: float = _TIMEOUT_S
) -> Finished:
    return machine.program(f'{_BIN}/{program}', *argv, user=_USER, timeout_s=timeout_s)


def _words(done: Finished) -> str:
    """'' when it was done, else why not."""
    if not done.status:
        return ''
    if done.status < 0:
        return 'no answer in time'
    lines = [x.strip() for x in done.output.splitlines() if x.strip() not in ('', 'Error:')]
    # What comes after that is advice, of a page.
    said = ' '.join(lines[:3])[:400]
    return said or f'rabbitmqctl ended with {done.status}'


def _look(
    machine: charmkit.Machine, want: membership.Want
) -> tuple[membership.ClusterStatus, Mapping[str, membership.ClusterStatus]]:
    here = status(machine)
    theirs = (
        {seed: status(machine, seed) for seed in want.seeds}
        if membership.needs_seeds(want, here)
        else {}
    )
    return here, theirs


def _accounts(machine: charmkit.Machine) -> tuple[amqp_users.Observed | None, str]:
    output = ctl(machine, 'export_definitions', '-', '--format', 'json')
    if output.status:
        return None, _words(output)
    line = next((x for x in output.output.splitlines() if x.startswith('{')), '')
    return amqp_users.observed(line), ''


def _change(machine: charmkit.Machine, change: amqp_users.Change) -> list[str]:
    for line in change.summary:
        _log.info('%s', line)
    refused: list[str] = []
    if change.definitions:
        refused.append(import_definitions(machine, change.definitions))
    return refused + [_words(ctl(machine, *command)) for command in change.commands]


def import_definitions(machine: charmkit.Machine, definitions: str) -> str:
    """Add *definitions*, which may hold hashes of passwords, to what there is; '' when they are, else why not."""
    argv = ('sh', '-c', _IMPORT, f'{_BIN}/rabbitmqctl')
    return _words(machine.program(*argv, stdin=definitions, user=_USER, timeout_s=_TIMEOUT_S))


def _carry_out(machine: charmkit.Machine, want: membership.Want, step: membership.Step) -> str:
    match step.verb:
        case 'reset':
            return _reset(machine, want.me)
        case 'start':
            return _words(ctl(machine, 'start_app', timeout_s=_JOIN_S))
        case 'join':
            return _join(machine, want.me, step.target)
        case 'forget':
            return _forget(machine, step.target)
        case 'enable-flags':
            return _words(ctl(machine, 'enable_feature_flag', 'all', timeout_s=_JOIN_S))


def _reset(machine: charmkit.Machine, me: str) -> str:
    """Start anew beside what was there, which is kept once: the cluster has forgotten this node."""
    machine.program('systemctl', 'stop', SERVICE, timeout_s=_START_S)
    old = f'{DATA}/{me}'
    aside = 'rm -rf "$0.forgotten" && mv "$0" "$0.forgotten" && rm -f "$0-feature_flags"'
    machine.program('sh', '-c', aside, old, timeout_s=_TIMEOUT_S)
    machine.program('systemctl', 'reset-failed', SERVICE)
    started = machine.program('systemctl', 'start', SERVICE, timeout_s=_START_S)
    return _words(started)


def _join(machine: charmkit.Machine, me: str, seed: str) -> str:
    """Several units may join at once, and disturb each other: it is tried again."""
    words = ''
    for _ in range(_TRIES):
        words = _words(ctl(machine, 'stop_app', timeout_s=_JOIN_S))
        words = words or _words(ctl(machine, 'join_cluster', seed, timeout_s=_JOIN_S))
        started = _words(ctl(machine, 'start_app', timeout_s=_JOIN_S))
        if not (words or started):
            # Quorum queues and streams that there are get a replica here; classic ones live where they are.
            _run(machine, 'rabbitmq-queues', '-q', 'grow', me, 'all', timeout_s=_JOIN_S)
            return ''
        words = words or started
        machine.sleep(2)
    return words


def _forget(machine: charmkit.Machine, node: str) -> str:
    """A node that leaves may run for a little while yet."""
    _run(machine, 'rabbitmq-queues', '-q', 'shrink', node, timeout_s=_JOIN_S)
    done = ctl(machine, 'forget_cluster_node', node, timeout_s=_JOIN_S)
    for _ in range(_GONE_WITHIN_S):
        if 'must be stopped' not in done.output:
            break
        machine.sleep(1)
        done = ctl(machine, 'forget_cluster_node', node, timeout_s=_JOIN_S)
    return '' if 'not in the cluster' in done.output else _words(done)
