"""Every call that ops 3.x and charmhelpers make is read, and answered as Juju does."""

from __future__ import annotations

import json
from typing import Any

import pytest
import toolworld

from jujulet.core import hooktools, model

APP, OTHER = 'app/0', 'app/1'

PRINTED: list[tuple[tuple[str, ...], str | None]] = [
    # ops.hookcmds
    (('is-leader', '--format=json'), 'true\n'),
    (
        ('config-get', '--format=json'),
        '{"debug":false,"ratio":0.5,"title":"hello","workers":4}\n',
    ),
    (('config-get', '--format=json', 'title'), '"hello"\n'),
    (('config-get', '--format=json', 'nope'), 'null\n'),
    (('relation-ids', 'db', '--format=json'), '["db:1"]\n'),
    (('relation-ids', 'web', '--format=json'), '[]\n'),
    (('relation-list', '--format=json', '-r', 'db:1'), '["mysql/0","mysql/1"]\n'),
    (('relation-list', '--format=json', '--app', '-r', 'db:1'), '"mysql"\n'),
    (('relation-list', '--format=json', '--app', '-r', '2'), '"app"\n'),
    (
        ('relation-get', '--format=json', '-r', 'db:1', '-', 'mysql/0'),
        '{"host":"10.0.0.20","port":"3306"}\n',
    ),
    (
        ('relation-get', '--format=json', '-r', 'db:1', 'port', 'mysql/0'),
        '"3306"\n',
    ),
    (('relation-get', '--format=json', '-r', 'db:1', 'nope', 'mysql/0'), 'null\n'),
    (
        ('relation-get', '--format=json', '-r', 'db:1', '--app', '-', 'mysql'),
        '{"version":"8"}\n',
    ),
    (('relation-get', '--format=json', '-r', '1', '--app', '-', 'mysql/1'), '{"version":"8"}\n'),
    (('relation-get', '--format=json', '-r', 'db:1', '--app', '-', 'app'), '{"want":"db"}\n'),
    (('relation-model-get', '--format=json', '-r', 'db:1'), f'{{"uuid":"{toolworld.UUID}"}}\n'),
    (
        ('status-get', '--include-data', '--format=json', '--application=false'),
        '{"message":"","status":"active","status-data":{}}\n',
    ),
    (('storage-list', '--format=json', 'data'), '["data/0"]\n'),
    (('storage-list', '--format=json'), '["data/0"]\n'),
    (
        ('storage-get', '--format=json', '-s', 'data/0'),
        '{"kind":"filesystem","location":"/srv/data"}\n',
    ),
    (('resource-get', 'blob'), '/var/lib/juju/agents/unit-app-0/resources/blob/blob.bin'),
    (('opened-ports', '--format=json'), '[]\n'),
    (('opened-ports', '--endpoints', '--format=json'), '[]\n'),
    (('secret-ids', '--format=json'), '[]\n'),
    (('state-get', '--format=json'), '{}\n'),
    # charmhelpers.core.hookenv
    (('relation-ids', '--format=json', 'db'), '["db:1"]\n'),
    (('relation-list', '--format=json', '-r', 'db:1', '--app'), '"mysql"\n'),
    (('relation-get', '--format=json', '-r', 'db:1', '-', 'mysql/0'), None),
    (('unit-get', '--format=json', 'private-address'), '"10.0.0.10"\n'),
    (('unit-get', '--format=json', 'public-address'), '"10.0.0.10"\n'),
    (('leader-get', '--format=json', '-'), '{}\n'),
    (('leader-get', '--format=json', 'k'), 'null\n'),
    (('network-get', '--primary-address', 'db'), '10.0.0.10\n'),
    (('network-get', 'public', '--ingress-address', '--format', 'json'), '"10.1.0.10"\n'),
    (('status-get', '--format=json', '--include-data'), None),
    # gnuflag's freedoms
    (('relation-get', '-r', 'db:1', 'port', '--format', 'json', 'mysql/0'), '"3306"\n'),
    (('relation-get', '--relation=db:1', '--', 'port', 'mysql/0'), '3306\n'),
    (('relation-get', '-rdb:1', '-', 'mysql/1'), 'host: 10.0.0.21\n'),
    (('config-get', '-a', '--format=json'), None),
    # smart and yaml
    (('is-leader',), 'True\n'),
    (('config-get', 'debug'), 'False\n'),
    (('config-get', 'workers'), '4\n'),
    (('config-get', 'ratio'), '0.5\n'),
    (('config-get', 'nope'), ''),
    (('config-get',), 'debug: false\nratio: 0.5\ntitle: hello\nworkers: 4\n'),
    (('relation-list', '-r', 'db:1'), 'mysql/0\nmysql/1\n'),
    (('relation-list', '-r', 'db:1', '--format', 'yaml'), '- mysql/0\n- mysql/1\n'),
    (('relation-get', '-r', 'db:1', '-', 'mysql/0'), 'host: 10.0.0.20\nport: "3306"\n'),
    (('status-get',), 'active\n'),
    (('storage-get', '-s', 'data/0', 'location'), '/srv/data\n'),
    (('goal-state', '--format=yaml'), None),
]


# No line break in a name: mutmut collects twice in a process, and pytest escapes it anew each time.
@pytest.mark.parametrize(
    ('argv', 'printed'),
    PRINTED,
    ids=lambda v: ' '.join((v if isinstance(v, str) else ' '.join(v or ())).split()),
)
def test_a_reading_call_prints_what_juju_prints(
    world: toolworld.World, argv: tuple[str, ...], printed: str | None
) -> None:
    said = world.run(*argv)
    assert (said.code, said.err) == (0, '')
    if printed is not None:
        assert said.out == printed


SILENT: list[tuple[tuple[str, ...], bytes | None]] = [
    (('juju-log', '--log-level', 'DEBUG', '--', '-- odd message'), None),
    (('juju-log', '-l', 'nonsense', 'message'), None),
    (('juju-log', '--debug', 'message'), None),
    (('status-set', '--application=False', 'active', '--', '-ready-'), None),
    (('status-set', '--application', 'blocked'), None),
    (('status-set', '--application=True', 'blocked', '--', ''), None),
    (('status-set', 'maintenance', 'busy'), None),
    (('application-version-set', '--', '1.2'), None),
    (('relation-set', '-r', 'db:1', '--file', '-'), b'{"a": "1"}'),
    (('relation-set', '-r', 'db:1', '--app', '--file', '-'), b'{"a": "1"}'),
    (('relation-set', '-r', 'db:1', 'a=b', 'c=', 'd=e=f'), None),
    (('open-port', '80/tcp'), None),
    (('open-port', '--endpoints', 'db,web', '80-90/udp'), None),
    (('open-port', 'icmp'), None),
    (('close-port', '80/tcp'), None),
    (('close-port', '--endpoints', 'web', '80/tcp'), None),
    (('state-set', '--file', '-'), b'{"k": "v"}'),
    (('state-set', 'k=v'), None),
    (('state-delete', 'k'), None),
    (('storage-add', 'cache=1'), None),
    (('leader-set', 'a=1', 'b='), None),
    (('juju-reboot',), None),
    (('juju-reboot', '--now'), None),
]


@pytest.mark.parametrize(('argv', 'stdin'), SILENT, ids=lambda v: ' '.join(map(str, v or '')))
def test_a_writing_call_says_nothing(
    world: toolworld.World, argv: tuple[str, ...], stdin: bytes | None
) -> None:
    assert world.run(*argv, stdin=stdin) == toolworld.Said('', '', 0)


REFUSED: list[tuple[tuple[str, ...], int, str]] = [
    (('relation-list', '-r', 'db:9'), 2, 'invalid value "db:9" for option -r: relation not found'),
    (
        ('relation-get', '--relation', '9', '-', 'a/0'),
        2,
        'invalid value "9" for option --relation: relation not found',
    ),
    (('relation-list', '-r', 'x'), 2, 'invalid value "x" for option -r: invalid relation id'),
    (('relation-list',), 2, 'no relation id specified'),
    (('relation-get', '-', 'mysql/0'), 2, 'no relation id specified'),
    (('relation-get', '-r', '1'), 2, 'no unit or application specified'),
    (
        ('relation-get', '-r', '1', '-', 'mysql'),
        2,
        'expected unit name, got application name "mysql"',
    ),
    (('relation-get', '-r', '1', '-', '9x'), 2, 'invalid unit name "9x"'),
    (('relation-get', '-r', '1', '-', 'mysql/0', 'x'), 2, 'unrecognized args: ["x"]'),
    (('relation-ids',), 2, 'no endpoint name specified'),
    (('relation-set', '-r', '1', 'a'), 2, 'expected "key=value", got "a"'),
    (('relation-set', '-r', '1', '--nope'), 2, 'option provided but not defined: --nope'),
    (('relation-set', '-r'), 2, 'option needs an argument: -r'),
    (
        ('status-set', 'nope'),
        2,
        'invalid status "nope", expected one of [maintenance blocked waiting active]',
    ),
    (('status-set',), 2, 'invalid args, require <status> [message]'),
    (('network-get', 'nope'), 1, 'no network config found for binding "nope"'),
    (
        ('network-get', '-r', 'db:9', 'db'),
        2,
        'invalid value "db:9" for option -r: relation not found',
    ),
    (('action-get',), 1, 'not running an action'),
    (('action-set', 'a=b'), 1, 'not running an action'),
    (('action-log', 'x'), 1, 'not running an action'),
    (('action-fail', 'x'), 1, 'not running an action'),
    (('secret-get',), 2, 'require either a secret URI or label'),
    (('secret-get', '--label', 'x'), 1, 'secret "x" not found'),
    (('secret-get', 'c' * 20), 1, f'secret "{"c" * 20}" not found'),
    (('secret-info-get', 'c' * 20), 1, f'secret "{"c" * 20}" not found'),
    (('secret-grant', 'c' * 20, '-r', '1'), 1, f'secret "{"c" * 20}" not found'),
    (('resource-get', 'nope'), 1, 'could not download resource'),
    (('credential-get',), 1, 'cannot access cloud credentials: permission denied'),
    (('storage-get', '-s', 'data/9'), 2, 'storage not found'),
    (('storage-get', '-s', 'data/1'), 2, 'storage not found'),  # another unit's
    (('storage-add', 'data=1'), 1, 'at most 1 instances supported, 2 specified'),
    (('config-get', '--format', 'xml'), 2, 'unknown format "xml"'),
    (('payload-register', 'a', 'b', 'c'), 1, 'payload-register is not provided by jujulet'),
    (('add-metric', 'a=1'), 1, 'add-metric is not provided by jujulet'),
]


@pytest.mark.parametrize(('argv', 'code', 'text'), REFUSED, ids=lambda v: str(v)[:40])
def test_a_refused_call_has_jujus_text_and_exit_code(
    world: toolworld.World, argv: tuple[str, ...], code: int, text: str
) -> None:
    said = world.run(*argv)
    assert said.code == code
    assert said.err.startswith('ERROR ')
    assert text in said.err
    assert said.out == ''


def test_a_follower_is_told_what_only_the_leader_may(world: toolworld.World) -> None:
    world.hook(model.Hook('config-changed'), OTHER)
    told = {
        ('status-set', '--application', 'active'): 'this unit is not the leader',
        ('status-get', '--application'): 'finding application status: this unit is not the leader',
        ('relation-set', '-r', '1', '--app', 'a=b'): 'cannot write relation settings',
        ('relation-get', '-r', '1', '--app', '-', 'app'): 'permission denied',
        ('secret-add', 'key=value'): 'this unit is not the leader',
        ('leader-set', 'a=b'): 'cannot write leadership settings: '
        'cannot write settings: not the leader',
    }
    for argv, text in told.items():
        assert world.run(*argv) == toolworld.Said('', f'ERROR {text}\n', 1)
    assert world.out('is-leader', '--format=json') == 'false\n'
    assert world.out('relation-get', '-r', '2', '--app', '-', 'app') == 'shared: "yes"\n'


def test_help_lists_the_flags_for_which_charmhelpers_looks(world: toolworld.World) -> None:
    said = world.run('relation-set', '--help')
    assert said.code == 0
    assert '--file' in said.out
    assert '-r, --relation' in said.out


def test_no_function_tool_exists(world: toolworld.World) -> None:
    assert not [name for name in hooktools.NAMES if name.startswith('function-')]
    assert world.run('function-get').code == 1


def test_every_tool_has_help_and_refuses_an_unknown_flag(world: toolworld.World) -> None:
    for name in hooktools.TOOLS:
        assert f'Usage: {name}' in world.out(name, '--help')
        assert world.run(name, '--no-such-flag').code == 2


def test_status_get_of_the_application_lists_units(world: toolworld.World) -> None:
    world.out('status-set', '--application', 'waiting', 'for it')
    found = json.loads(
        world.out('status-get', '--include-data', '--format=json', '--application=true')
    )
    unit: dict[str, Any] = {'message': '', 'status': 'active', 'status-data': {}}
    assert found == {
        'application-status': {
            'message': 'for it',
            'status': 'waiting',
            'status-data': {},
            'units': {'app/0': unit, 'app/1': unit},
        }
    }


def test_a_log_line_says_which_relation_it_is_about(world: toolworld.World) -> None:
    world.relation_hook('changed')
    world.out('juju-log', '-l', 'WARNING', 'oh', 'no')
    world.out('juju-log', '-l', 'whatever', 'well')
    assert world.log == [('WARNING', 'db:1: oh no'), ('INFO', 'db:1: well')]


@pytest.mark.parametrize(
    ('argv', 'unit', 'command'),
    [
        (('juju-exec', 'app/0', 'echo hi; date'), 'app/0', 'echo hi; date'),
        (('juju-run', 'unit-my-app-12', 'date'), 'my-app/12', 'date'),
        (('juju-exec', '-u', 'app/0', 'ls', '-l', 'a b'), 'app/0', "ls -l 'a b'"),
        (('juju-exec', 'date'), '', 'date'),
        (('juju-exec', 'app/0'), '', 'app/0'),
    ],
)
def test_juju_exec_names_a_unit_and_a_command(
    argv: tuple[str, ...], unit: str, command: str
) -> None:
    assert hooktools.exec_words(argv) == (unit, command)


@pytest.mark.parametrize(
    'argv', [('juju-exec',), ('juju-exec', '--nope', 'x'), ('juju-run', '-u')]
)
def test_juju_exec_without_a_command_is_refused(argv: tuple[str, ...]) -> None:
    with pytest.raises(hooktools.Failure) as caught:
        hooktools.exec_words(argv)
    assert caught.value.code == 2
