"""Migrations on a copy of the databases: what is asked for, and what is told."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest
from charmkit import (
    api,
    drive,
    host,
    migration,
    rehearsal,
    relations,
    service,
    state,
    testing,
)
from charmkit.machine import Facts, Finished
from charmkit.relations import mysql
from charmkit.why import Action, Hook

DB, CELLS = mysql.need('demo'), mysql.need('cells', prefix='cells')
WAITS = migration.Migration(
    argv=('demo', 'expand'), environment={'TOKEN': 'hush'}, accepted=(0, 3), repeat_on=(1,)
)
SPEC = service.ServiceSpec(
    name='demo',
    user='demo',
    packages=('demo',),
    needs=(DB, CELLS),
    migrations=migration.Commands(
        sync=('demo sync',), expand=(WAITS,), online=('demo online',), contract=('demo contract',)
    ),
)
WHY = Action(rehearsal.ACTION, id='7')
BAG = {
    'db_host': '10.0.0.9',
    **{f'{p}{k}': v for p in ('', 'cells_') for k, v in (('password', 'pw'), ('allowed_units', 'demo/2'))},
}  # fmt: skip


def inputs(**more: Any) -> state.Inputs:
    """A unit that has its databases."""
    database = relations.Relation(id=1, name='shared-db', app='mysql', units={'mysql/0': BAG})
    known: Mapping[str, Any] = {
        'site': relations.Site(
            unit='demo/2', leader=True, address='10.0.0.2', addresses={'shared-db': '10.0.0.2'}
        ),
        'facts': Facts(base='debian@13'),
        'relations': {'shared-db': (database,)},
        'versions': {'demo': '31.0-1'},
        **more,
    }
    return state.Inputs(**known)


def step(kind: str, **more: Any) -> dict[str, Any]:
    """One line of what the program says of a step."""
    return {
        'kind': kind,
        'name': f'demo {kind}',
        'seconds': 2.5,
        'status': 0,
        'well': True,
        'said': '',
        **more,
    }


SAID = (
    'Traceback\n2026-11-30 12:00:00 CRITICAL demo demo.exc.OperationalError: no such column: x\n'
    '[SQL: …]\n(Background on this error)'
)
FAILED = step('online', status=1, well=False, said=SAID)


@dataclasses.dataclass
class Unit(testing.FakeMachine):
    """A machine on which packages come, and the program says something."""

    says: str = ''
    given: str = ''
    """What the program was told."""
    meanwhile: tuple[str, ...] = ()
    """Packages that somebody else installs while it runs."""
    simulated: str = ''
    """What apt says of what it would do."""
    there: tuple[str, ...] = ('base', 'demo')

    def program(self, *argv: str, stdin: str = '', **more: Any) -> Finished:
        super().program(*argv, stdin=stdin, **more)
        if argv[0] == 'dpkg-query':
            new = (
                rehearsal.PACKAGES
                if 'install mariadb-client mariadb-server-core' in self.steps
                else ()
            )
            return Finished(0, '\n'.join((*self.there, *new)))
        if argv[0] == 'apt-get':
            return Finished(0, self.simulated)
        if argv[0] == 'systemd-run':
            self.given = stdin
            self.there += self.meanwhile
            return Finished(0, self.says)
        return Finished(0)


def rehearsed(says: str, unit: Unit | None = None) -> state.Desired:
    """What the action comes to when the program *says* that."""
    machine = unit or Unit()
    machine.says = says

    def run(why: Any, known: state.Inputs) -> state.Desired:
        return api.run(SPEC, why, known)

    return drive.drive(machine, run, WHY, inputs()).desired


def outcome(*steps: Mapping[str, Any]) -> str:
    begun = json.dumps({'begins': 'demo expand'})
    return f'{begun}\n{json.dumps({"bytes": 3 << 20, "copied": 1.25, "steps": steps})}\n'


def test_what_is_run_is_what_the_charm_runs():
    unit = Unit()
    rehearsed(outcome(step('expand')), unit)
    told = json.loads(unit.given)
    assert [(s['kind'], s['argv']) for s in told['steps']] == [
        ('expand', ['demo', 'expand']),
        ('online', ['demo', 'online']),
        ('contract', ['demo', 'contract']),
    ]
    first = told['steps'][0]
    assert (first['accepted'], first['repeat_on']) == ([0, 3], [1])
    assert first['environment'] == {'OS_DEFAULT__USE_STDERR': 'true', 'TOKEN': 'hush'}
    assert [(d['name'], d['host'], d['user']) for d in told['databases']] == [
        ('demo', '10.0.0.9', 'demo'),
        ('cells', '10.0.0.9', 'cells'),
    ]
    assert told['user'] == 'demo'


def test_without_an_expansion_all_at_once_is_rehearsed():
    spec = dataclasses.replace(SPEC, migrations=migration.Commands(sync=('demo sync',)))
    task = api.run(spec, WHY, inputs()).tasks[0]
    assert isinstance(task, rehearsal.Rehearse)
    assert [(kind, c.name) for kind, c in task.steps] == [('expand', 'demo sync')]


def test_no_secret_is_in_an_argument_or_a_text():
    unit = Unit()
    desired = rehearsed(outcome(FAILED), unit)
    said = repr((unit.programs, unit.steps, desired))
    assert 'pw' not in said
    assert 'hush' not in said


def test_nothing_else_is_done_whatever_a_hook_would_do_now():
    """A leader would migrate the database itself; not by this action, which is to come before that."""
    hook = api.run(SPEC, Hook('config-changed'), inputs())
    assert [c.name for c in hook.host.commands] == ['demo sync']  # What there would be to do.
    desired = api.run(SPEC, WHY, inputs())
    assert desired.read_only
    assert desired.host == host.Host()
    assert [t.name for t in desired.tasks] == [rehearsal.ACTION]


def test_each_migration_is_told_with_its_seconds():
    desired = rehearsed(outcome(step('expand'), step('expand'), step('contract', seconds=0.25)))
    assert desired.failure == ''
    assert desired.results['rehearsed'] == (
        'demo and cells (3.0 MiB) copied in 1.2 s; expand 5.0 s, contract 0.2 s'
    )
    assert desired.results['steps'].splitlines()[2].split() == (
        ['contract', '0.2', 's', 'done', 'demo', 'contract']
    )


def test_a_migration_that_fails_is_named_with_its_last_lines():
    desired = rehearsed(outcome(step('expand'), FAILED))
    assert desired.failure == (
        'Nothing was changed in the database: on a copy of demo and cells, online (demo online) ended with 1 '
        'after 2.5 s: demo.exc.OperationalError: no such column: x'
    )
    assert desired.results['output'] == SAID
    assert 'ended with 1' in desired.results['steps']


def test_an_address_in_what_is_said_is_shown_without_its_password():
    said = "ArgumentError: cannot parse 'mysql+pymysql://demo:hush@10.0.0.9/demo'"
    for says in (
        outcome(step('expand', status=1, well=False, said=said)),
        json.dumps({'refused': said}),
        said,
    ):
        desired = rehearsed(says)
        assert 'mysql+pymysql://…@10.0.0.9/demo' in desired.failure
        assert 'hush' not in repr(desired)


def test_one_that_takes_too_long_is_told_so():
    desired = rehearsed(outcome(step('expand', status=-1, well=False)))
    assert 'expand (demo expand) was stopped at its time limit after 2.5 s' in desired.failure


@pytest.mark.parametrize(
    ('says', 'why'),
    [
        (json.dumps({'refused': 'no room'}), 'no room'),
        ('Killed', 'the rehearsal was ended before its outcome: Killed'),
        ('', 'the rehearsal was ended before its outcome: it does not say why'),
        (json.dumps({'begins': 'demo expand'}), 'the rehearsal was ended before its outcome'),
        ('[]', 'the rehearsal was ended before its outcome: []'),
    ],
)
def test_where_there_was_no_copy_one_sentence_says_why(says: str, why: str):
    desired = rehearsed(says)
    assert desired.failure.startswith(f'Nothing was changed in the database: {why}')
    assert desired.results == {}


def test_a_server_that_does_not_answer_is_no_verdict():
    """`juju lifecycle` does not try again what says that nothing was changed."""
    failure = rehearsed(json.dumps({'refused': 'it does not answer', 'passes': True})).failure
    assert failure == 'Not rehearsed yet: it does not answer'
    assert 'Nothing was ' not in failure


def test_neither_the_copy_nor_its_packages_stay():
    unit = Unit()
    rehearsed(outcome(FAILED), unit)
    stop, purge = unit.programs[-2:]
    assert stop == ('systemctl', 'stop', 'demo-rehearse-migrations.service')
    assert purge == ('dpkg', '--purge', 'mariadb-client', 'mariadb-server-core')
    argv = next(p for p in unit.programs if p[0] == 'systemd-run')
    assert (
        '--property=PrivateTmp=yes' in argv
    )  # With it systemd removes the copy, however that ends.
    assert f'--unit={stop[2]}' in argv


def test_packages_that_others_install_meanwhile_stay():
    unit = Unit(meanwhile=('tool',))
    rehearsed(outcome(), unit)
    assert unit.programs[-1] == ('dpkg', '--purge', *rehearsal.PACKAGES)


def test_where_packages_would_go_for_those_of_the_copy_none_is_installed():
    said = 'Remv mysql-client-core-8.0 [8.0.36]\nInst mariadb-client (11.8)\n'
    unit = Unit(simulated=said)
    failure = rehearsed(outcome(), unit).failure
    assert failure.startswith(
        'Nothing was changed in the database: mariadb-client and mariadb-server-core would displace '
        'mysql-client-core-8.0, which this machine has: '
    )
    assert not any(one.startswith('install') for one in unit.steps)
    assert not any(p[0] in ('dpkg', 'systemd-run') for p in unit.programs)


def test_packages_that_were_there_stay():
    unit = Unit(there=('base', 'demo', *rehearsal.PACKAGES))
    rehearsed(outcome(), unit)
    assert not any(p[0] == 'dpkg' for p in unit.programs)


def test_a_unit_without_a_database_says_so():
    assert api.run(SPEC, WHY, inputs(relations={})).failure == 'there is no database yet'
    nothing = dataclasses.replace(SPEC, migrations=migration.Commands())
    assert api.run(nothing, WHY, inputs()).results == {'rehearsed': 'there is nothing to migrate'}
