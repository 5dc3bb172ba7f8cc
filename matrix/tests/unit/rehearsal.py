"""A run that never happened, for tests of what reads journals: seeded, lifelike, of any size.

A bundle like bundles/dmz.yaml is deployed, loaded, broken with eight faults (two of them matter) and brought back.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from random import Random

from matrix.grammar import located
from matrix.history import journal
from matrix.judge import verdict
from matrix.plans import streams

UNITS = (
    'glance/0', 'keystone/0', 'keystone/1', 'lb-internal/0', 'lb-internal/1', 'lb-public/0', 'lb-public/1', 'mysql/0',
    'placement/0', 'placement/1',
)  # fmt: skip
KINDS = (
    ('issue token', 0.045, 0.30),
    ('validate token', 0.012, 0.34),
    ('list catalogue', 0.020, 0.16),
    ('create image', 0.140, 0.08),
    ('read image', 0.030, 0.12),
)
_BEGAN = datetime.datetime(2026, 11, 22, 9, 30, tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True)
class Bad:
    """A fault of the rehearsal: what it does to operations while it bites."""

    id: str
    kind: str
    targets: tuple[str, ...]
    start: float
    hold: float
    errors: float = 0.0
    slower: float = 1.0
    error: str = ''
    proven: bool = True


def faults(start: float, seconds: float) -> tuple[Bad, ...]:
    """Eight faults over so many seconds; e3 and e6 make operations fail."""
    step = seconds / 8
    plans: tuple[tuple[str, str, float, float, str], ...] = (
        ('kill', 'keystone/1', 0.002, 1.4, '503 no server is available'),
        ('latency', 'lb-public/0', 0.0, 6.0, ''),
        ('freeze', 'mysql/0', 0.35, 30.0, 'no answer in 10 s'),
        ('memcached.flush', 'keystone/0', 0.0, 2.2, ''),
        ('loss', 'placement/1', 0.004, 2.0, 'connection reset'),
        ('netsplit', 'keystone/0 keystone/1', 0.22, 4.0, '503 no server is available'),
        ('disk.full', 'glance/0', 0.03, 1.5, '507 no space left on device'),
        ('vip.lost', 'lb-public/0', 0.05, 1.2, 'connection refused'),
    )
    return tuple(
        Bad(
            f'e{n}',
            kind,
            tuple(targets.split()),
            round(start + (n - 1) * step + step * 0.25, 1),
            round(step * (0.75 if n == 5 else 0.4), 1),
            errors,
            slower,
            error,
            proven=kind != 'loss',
        )
        for n, (kind, targets, errors, slower, error) in enumerate(plans, start=1)
    )


def run(
    operations: int = 2000, *, seed: int = 7, seconds: float = 600.0, hostile: str = ''
) -> journal.Journal:
    """The journal of the whole run. `hostile` is put wherever a model's own words stand."""
    chance = streams.stream(seed, 'rehearsal')
    settled, control = 95.0, 60.0
    bad = faults(settled + control, seconds - control - 60)
    over = settled + seconds
    line: list[tuple[float, journal.What]] = [
        (0.0, _run(seed, hostile)),
        (0.01, _note('test.start', 'deployment')),
        *_rules(0.02, 'deploy', 'health'),
        *_deployment(chance, settled, hostile),
        (settled - 2, _note('rule.done', {'task': 'matrix.tasks.deploy', 'phase': 'complete'})),
        (settled - 1, _note('rule.done', {'task': 'matrix.tasks.health', 'phase': 'complete'})),
        (settled - 0.6, _note('test.complete', 'deployment')),
        (settled - 0.5, _note('test.start', 'end_to_end')),
        *_rules(settled - 0.4, 'deploy', 'health', 'end_to_end', 'chaos'),
        (settled - 0.3, _note('state.change', {'name': 'end_to_end', 'value': 'running'})),
        (settled - 0.2, _note('state.change', {'name': 'chaos', 'value': 'running'})),
        *_phases(settled, control, over),
        (settled, _note('load', _LOAD)),
        (settled + control, _note('plan', plan(seed, bad, settled + control))),
        *_struck(chance, bad, hostile),
        *_owners(bad, settled),
        *_logs(chance, bad, hostile),
        *_load(chance, operations, settled, over, bad),
        (over + 1, _done('chaos', 'complete', '')),
        (over + 1, _done('end_to_end', 'failed', f'the load lost writes {hostile}')),
        (over + 2, _note('test.complete', 'end_to_end')),
        (over + 3, _note('run.end', {'ending': 'failed', 'code': 101})),
    ]
    line.sort(key=lambda one: one[0])
    return journal.Journal(
        tuple(
            journal.Entry(n, round(at, 6), _wall(at), what)
            for n, (at, what) in enumerate(line, start=1)
        )
    )


def verdicts(read: journal.Journal) -> tuple[verdict.Verdict, ...]:
    """What a panel might say of it."""
    done = journal.operations(read.entries)
    bad = tuple(one.seq for one in done if one.how != 'ok')
    level = verdict.Verdict(
        'service level',
        verdict.Outcome.FAIL,
        f"{len(bad)} of {len(done)} not ok during the faults (most: 'create image', no answer in 10 s), allowed 0.10%",
        bad,
        verdict.Signature('service level', 'create image', 'no answer in 10 s'),
    )
    return (
        verdict.Verdict('load', verdict.Outcome.PASS, 'five kinds ran in every period'),
        level,
        verdict.Verdict('faults', verdict.Outcome.UNKNOWN, 'e5 (loss) was not seen to land'),
        verdict.Verdict('acknowledged writes', verdict.Outcome.PASS, 'all writes were read back'),
    )


_LOAD: located.Plain = {
    'kinds': [name for name, _, _ in KINDS],
    'rate': 10,
    'sentence': 'tokens issued and validated, images created and read back, the catalogue listed',
}


def plan(seed: int, bad: Sequence[Bad], start: float) -> dict[str, located.Plain]:
    """The plan of the rehearsal, as a file of the second format holds it."""
    events: list[located.Plain] = [
        {
            'id': one.id,
            'fault': one.kind,
            'at': round(one.start - start, 1),
            'hold': one.hold,
            'selectors': [
                {'selector': 'units', 'application': one.targets[0].partition('/')[0]},
                {'selector': 'one'},
            ],
            'targets': list(one.targets),
            'with': {},
        }
        for one in bad
    ]
    return {'format': 'v2', 'seed': seed, 'bundle': 'sha256:4be1f00d', 'events': events}


def _note(kind: str, value: located.Plain) -> journal.Note:
    return journal.Note(kind, value)


def _done(task: str, phase: str, message: str) -> journal.Note:
    value: located.Plain = {
        'task': f'matrix.tasks.{task}',
        'phase': phase,
        'message': message.strip(),
    }
    return _note('rule.done', value)


def _wall(at: float) -> str:
    return (_BEGAN + datetime.timedelta(seconds=at)).isoformat(timespec='milliseconds')


def _run(seed: int, hostile: str) -> journal.Note:
    return _note(
        'run',
        {
            'bundle': f'bundles/dmz.yaml{hostile}',
            'digest': 'sha256:4be1f00d',
            'seed': seed,
            'model': 'matrix-crane',
            'version': '0.1.0',
            'options': {'ha': True, 'chaos_num': 8},
            'juju': '3.6.0 (jujulet 0.1.0)',
        },
    )


def _rules(at: float, *tasks: str) -> list[tuple[float, journal.What]]:
    return [(at, _note('rule.create', f'matrix.tasks.{task}')) for task in tasks]


def _phases(settled: float, control: float, over: float) -> list[tuple[float, journal.What]]:
    told = (
        ('settled', settled - 0.1),
        ('control', settled),
        ('chaos', settled + control),
        ('recovery', over - 60),
        ('readback', over - 15),
    )
    return [(at, _note('phase', name)) for name, at in told]


def _deployment(chance: Random, settled: float, hostile: str) -> list[tuple[float, journal.What]]:
    found: list[tuple[float, journal.What]] = []
    for unit in UNITS:
        at = 2 + chance.random() * 6
        found.append((at, journal.Status(unit, 'waiting', f'waiting for machine{hostile}')))
        for hook in ('install', 'config-changed', 'start', 'shared-db-relation-changed'):
            at += 1 + chance.random() * 8
            found.append((at, journal.Hook(unit, hook, 'started')))
            if hook == 'install':
                found.append((at, journal.Status(unit, 'maintenance', 'installing packages')))
            at += 0.5 + chance.random() * 6
            found.append((at, journal.Hook(unit, hook, 'ended', 0)))
        found.append((min(at, settled - 12), journal.Status(unit, 'blocked', 'mysql is missing')))
        found.append((settled - 10 + chance.random() * 5, journal.Status(unit, 'active')))
    return found


def _struck(chance: Random, bad: Sequence[Bad], hostile: str) -> list[tuple[float, journal.What]]:
    found: list[tuple[float, journal.What]] = []
    for one in bad:
        told = (one.id, one.kind)
        end = one.start + one.hold
        found.append((one.start, journal.Fault(*told, 'armed', one.targets)))
        if one.proven:
            proof = f'{one.targets[0]}: was seen to be struck{hostile}'
            found.append((one.start + 0.4, journal.Fault(*told, 'landed', one.targets, proof)))
        found.append((end, journal.Fault(*told, 'healed', one.targets, 'answers as before')))
        if one.errors > 0.1:
            for unit in ('glance/0', *one.targets):
                late = one.start + 4 + chance.random() * 3
                said = f'the database does not answer{hostile}'
                found.append((late, journal.Status(unit, 'blocked', said)))
                found.append((end + 4, journal.Status(unit, 'active')))
            hook = 'update-status'
            found.append((one.start + 6, journal.Hook('glance/0', hook, 'started')))
            found.append((one.start + 9, journal.Hook('glance/0', hook, 'ended', 1)))
    return found


def _owners(bad: Sequence[Bad], settled: float) -> list[tuple[float, journal.What]]:
    lost = next(one for one in bad if one.kind == 'vip.lost')
    told = (
        (settled, 'lb-public/0'),
        (lost.start + 2, 'lb-public/1'),
        (lost.start + lost.hold, 'lb-public/0'),
    )
    return [
        (at, _note('owners', {'address': '10.180.10.250', 'units': [unit]})) for at, unit in told
    ]


def _logs(chance: Random, bad: Sequence[Bad], hostile: str) -> list[tuple[float, journal.What]]:
    found: list[tuple[float, journal.What]] = []
    for one in bad:
        if one.errors < 0.1:
            continue
        taken = one.start + one.hold
        for unit in ('glance/0', *one.targets):
            lines: list[located.Plain] = []
            at = one.start - 4
            while at < taken:
                lines.append(
                    f'{_wall(at)} {unit.replace("/", "-")} {_saying(chance, at > one.start)}{hostile}'
                )
                at += 0.3 + chance.random() * 1.4
            found.append((taken, _note('log', {'unit': unit, 'lines': lines})))
    return found


def _saying(chance: Random, struck: bool) -> str:
    good = (
        'apache2[812]: GET /v3/auth/tokens 201',
        'apache2[815]: GET /v2/images 200',
        'haproxy[99]: backend up',
    )
    ills = (
        "glance-api[640]: (pymysql.err.OperationalError) (2013, 'Lost connection to MySQL server during query')",
        'keystone[702]: ERROR sqlalchemy.pool QueuePool limit of size 5 overflow 50 reached',
        'haproxy[99]: Server keystone/keystone-1 is DOWN, reason: Layer7 timeout',
    )
    return chance.choice(ills if struck and chance.random() < 0.5 else good)


def _load(
    chance: Random, count: int, start: float, end: float, bad: Sequence[Bad]
) -> list[tuple[float, journal.What]]:
    found: list[tuple[float, journal.What]] = []
    weights = [weight for _, _, weight in KINDS]
    for number in range(count):
        at = start + (end - start) * number / count
        kind, usual, _ = chance.choices(KINDS, weights)[0]
        biting = [one for one in bad if one.start <= at <= one.start + one.hold]
        slower = max((one.slower for one in biting), default=1.0)
        took = usual * chance.lognormvariate(0, 0.35) * (slower if chance.random() < 0.7 else 1)
        culprit = next((one for one in biting if chance.random() < one.errors), None)
        how, error = ('ok', '')
        if culprit is not None:
            error = culprit.error
            how = 'info' if 'answer' in error or 'reset' in error else 'fail'
            took = 10.0 if 'answer' in error else took
        took = min(took, 10.0)
        name = f'o{number}'
        endpoint = f'http://10.180.{chance.choice((10, 20))}.250:5000'
        found.append(
            (at, journal.Operation(name, kind, 'invoke', str(number % 8), f'image-{number}'))
        )
        phase = 'ok' if how == 'ok' else 'info' if how == 'info' else 'fail'
        request = f'req-{chance.getrandbits(48):012x}'
        ended = journal.Operation(
            name, kind, phase, str(number % 8), endpoint=endpoint, request=request, error=error
        )
        found.append((at + took, ended))
    return found
