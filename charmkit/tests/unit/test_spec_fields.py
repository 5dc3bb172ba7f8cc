"""What a declaration cannot say: each mistake that Python takes for something else is one sentence where it is made."""

from __future__ import annotations

from typing import Any

import charmkit
import pytest
from charmkit import apache, migration, mysql, spec
from charmkit.relations import Need

DB = mysql.need('demo')
APP: dict[str, Any] = {'name': 'demo-api', 'script': '/usr/bin/demo-api', 'port': 9797}


def application(**more: Any) -> charmkit.WsgiApp:
    """An application that has *more* than the least."""
    given: dict[str, Any] = {**APP, **more}
    return charmkit.WsgiApp(**given)


def nothing(*_: Any) -> Any:
    """What a function gives that is never called."""
    return {}


def declared(**more: Any) -> charmkit.ServiceSpec:
    """A service that has *more* than the least."""
    given: dict[str, Any] = {
        'name': 'demo',
        'user': 'demo',
        'packages': ('demo',),
        'needs': (DB,),
        'apps': (application(type='demo'),),
    }
    given.update(more)
    return charmkit.ServiceSpec(**given)


@pytest.mark.parametrize(
    ('field', 'value', 'said'),
    [
        (
            'packages',
            'demo',
            "packages holds several, and has one alone: write packages=('demo',)",
        ),
        ('masked', 'demo-api', "write masked=('demo-api',)"),
        ('steady', 'ovs', "write steady=('ovs',)"),
        ('chosen', 'secret', "write chosen=('secret',)"),
        ('needs', DB, 'needs holds several, and has one alone: write needs=(Need(…),)'),
        ('sections', DB, 'write sections=(Need(…),)'),
        ('apps', charmkit.WsgiApp(**APP), 'write apps=(WsgiApp(…),)'),
        ('daemons', charmkit.Daemon('d'), 'write daemons=(Daemon(…),)'),
        ('offers', charmkit.Offer('o', nothing), 'write offers=(Offer(…),)'),
        ('options', None, 'write options=(NoneType(…),)'),
        ('name', 'My Service', "name='My Service': it has letters, digits, dots and dashes"),
        ('name', '', "name='': it has letters"),
        ('name', None, 'name=None: it has letters'),
        ('user', '', "user='' is no name of an account"),
        ('user', 'my service', "user='my service' is no name of an account"),
        ('user', 'a\nb', r"user='a\nb' is no name of an account"),
        ('user', None, 'user=None is no name of an account'),
        ('user', 'root', 'Apache starts no process as root'),
        ('config', {'demo.conf': None}, "config 'demo.conf' is no path from / on"),
        ('config', {'/etc/my demo.conf': None}, "config '/etc/my demo.conf' is no path"),
    ],
)
def test_a_service_says_what_is_wrong(field: str, value: object, said: str):
    with pytest.raises(ValueError) as raised:
        declared(**{field: value})
    assert said in str(raised.value)
    assert '\n' not in str(raised.value)
    assert len(str(raised.value)) < 250


@pytest.mark.parametrize(
    ('field', 'value', 'said'),
    [
        ('port', '9797', "port='9797' is no number from 1 to 55535 (10000 above it is its port for TLS)"),
        ('port', 0, 'port=0 is no number'),
        ('port', True, 'port=True is no number'),
        ('port', 55536, 'port=55536 is no number'),
        ('port', 97.5, 'port=97.5 is no number'),
        ('script', 'usr/bin/demo', "script 'usr/bin/demo' is no path from / on, without blanks"),
        ('script', '/usr/bin/demo api', "script '/usr/bin/demo api' is no path"),
        ('script', '/usr/bin/demo\nUser root', 'is no path'),
        ('script', '', "script '' is no path"),
        ('name', 'demo api', "name='demo api': it has"),
        ('aliases', '/demo', "write aliases=('/demo',)"),
        ('types', 'public', "write types=('public',)"),
        ('config', {'x.conf': None}, "config 'x.conf' is no path"),
    ],
)  # fmt: skip
def test_so_does_an_application(field: str, value: object, said: str):
    with pytest.raises(ValueError, match=r'^WsgiApp ') as raised:
        application(**{'type': 'demo', field: value})
    assert said in str(raised.value)


@pytest.mark.parametrize('step', ['sync', 'expand', 'online', 'contract'])
def test_so_do_migrations(step: str):
    with pytest.raises(
        ValueError, match=f'migrations: {step} holds several, .*=..demo-manage sync'
    ):
        migration.Commands(**{step: 'demo-manage sync'})
    assert migration.Commands(**{step: ['demo-manage sync']})
    assert migration.Commands(**{step: nothing})


def test_so_does_what_a_daemon_serves():
    with pytest.raises(
        ValueError, match=r"Served 'proxy': port='6080' is no number from 1 to 65535$"
    ):
        spec.Served('proxy', 'novnc', '6080')  # type: ignore[arg-type]
    assert spec.Served('proxy', 'novnc', 65535)


def test_what_is_well_is_taken():
    needs: list[Need[Any]] = [DB]
    assert declared(needs=needs, user='www-data', masked=()).needs == [DB]
    assert declared(apps=(), user='root').user == 'root'  # An agent's.
    last = 65535 - apache.TLS_OFFSET
    assert application(type='demo', port=last).port == last
    assert application(port=65535).port == 65535  # No load balancer has it.


def test_what_differs_by_release_is_looked_at_too():
    with pytest.raises(ValueError, match=r'packages holds several'):
        _ = declared(by_release={'zed': {'packages': 'demo'}}).every_release
