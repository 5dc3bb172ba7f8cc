"""Journals of simulated runs for tests of the gate: a service, its charm, and what can be worse in them."""

from __future__ import annotations

import dataclasses

from chronicle import Line, fault, note, of_parts, op

from matrix.history import journal
from matrix.judge import costs
from matrix.plans import streams


@dataclasses.dataclass(frozen=True)
class Service:
    """How a service behaves; a regression is one field that is another.

    Latencies and hooks in seconds; `lost`: share of operations lost without a fault; `drained`: share lost while the
    fault strikes; `leak`: connections that stay for each 100 operations;
    `flaky`: share of runs whose hook fails; `answers`: operations a second of each kind.
    """

    latency: float = 0.03
    tail: float = 0.4
    slow_reads: float = 1.0
    lost: float = 0.0
    drained: float = 0.03
    hook: float = 1.2
    more_hooks: int = 0
    settle: float = 40.0
    memory: float = 400e6
    leak: float = 0.0
    error_after: bool = False
    works: bool = True
    flaky: float = 0.0
    noise: float = 0.08
    answers: float = 5.0


def run(service: Service, seed: int) -> journal.Journal:
    """One run: 20 s at rest, 20 s of a fault, 20 s after it; two kinds of operation, five a second of each."""
    chance = streams.stream(seed, 'gate')
    # What one run has more or less than another, as a machine with neighbours has.
    luck = chance.lognormvariate(0, service.noise)
    start = service.settle * chance.lognormvariate(0, 0.1)
    begin, end = start + 20, start + 40
    parts: list[Line] = [
        note(0, 'test.start', 'end_to_end'),
        note(
            0.01, 'plan', {'format': 'v2', 'seed': 1, 'events': [{'id': 'e1', 'fault': 'freeze'}]}
        ),
        note(start, 'phase', 'settled'),
        note(
            start + 0.1,
            'load',
            {
                'kinds': ['get', 'put'],
                'weights': [1, 1],
                'rate': 2 * service.answers,
                'sentence': 'two kinds',
                'writes': [],
            },
        ),
        fault(begin, begin + 1, end),
        *hooks(service, start, chance.lognormvariate(0, service.noise)),
    ]
    for number in range(round(60 * service.answers)):
        for kind in ('get', 'put'):
            at = start + 0.2 + number / service.answers
            during = begin <= at <= end
            bad = chance.random() < (service.drained if during else service.lost)
            slow = service.slow_reads if kind == 'get' else 1.0
            took = service.latency * slow * luck * chance.lognormvariate(0, service.tail)
            how = 'ok' if service.works and not bad else 'fail'
            parts.append(op(at, kind, how, took=took, error='' if how == 'ok' else 'http 503'))
    last = start + 61
    if service.error_after or chance.random() < service.flaky:
        parts.append([(start + 5, journal.Hook('api/0', 'config-changed', 'ended', 1))])
    parts.extend(
        [(start, journal.Status(unit, 'active', '', 'idle'))] for unit in ('api/0', 'api/1')
    )
    connections = 12 + service.leak * 6 + chance.randrange(-2, 3)
    used = {
        'memory': int(service.memory * chance.lognormvariate(0, 0.03)),
        'connections': int(connections),
        'files': int(300 + service.leak * 6 + chance.randrange(-20, 21)),
        'processes': 20 + chance.randrange(0, 2),
    }
    parts.append(note(last, 'usage', {'api': {**used}}))
    done = {'task': 'matrix.tasks.chaos', 'phase': 'complete', 'message': '', 'gates': True}
    parts += [
        note(
            last + 0.1,
            'load.end',
            {'seconds': 60, 'tried': 600, 'worked': 590, 'not_sent': 0, 'gave_away': []},
        ),
        note(last + 0.2, 'rule.done', {**done}),
        note(last + 0.3, 'test.complete', 'end_to_end'),
        note(last + 0.4, 'run.end', {'ending': 'passed', 'code': 0}),
    ]
    return of_parts(*parts)


def hooks(service: Service, start: float, luck: float) -> list[Line]:
    """The hooks of a deployment."""
    names = ('install', 'config-changed', 'start', *(['config-changed'] * service.more_hooks))
    found: list[Line] = []
    for unit in ('api/0', 'api/1'):
        for number, name in enumerate(names):
            took = round(service.hook * luck * (3 if name == 'install' else 1), 3)
            found.append(
                [
                    (
                        1 + number * start / 10,
                        journal.Hook(unit, name, 'ended', 0, took if number else None),
                    )
                ]
            )
    return found


def several(service: Service, first: int, number: int = 5) -> list[costs.Costs]:
    """What so many runs cost, each with a seed of its own."""
    return [costs.of(run(service, first * 1000 + n)) for n in range(number)]
