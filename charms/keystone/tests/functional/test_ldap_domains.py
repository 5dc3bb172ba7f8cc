"""Domains whose users are in a real LDAP directory: a slapd in the machine of a real keystone."""

from __future__ import annotations

import concurrent.futures
import json
import os
from collections.abc import Iterator
from typing import Any

import directories
import pytest

from tools import systems

from . import directory
from .test_keystone import Machine, removed, serving

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(1500)]

DOMAIN = 'staff'
FILE = f'/etc/keystone/domains/keystone.{DOMAIN}.conf'
URL = f'ldaps://{directory.HOST}'
SEARCH = """\
umask 077; cat >/root/patterns
find / -xdev -type f -perm -004 -size -8M ! -path '/root/*' -print0 | xargs -0 grep -lF -f /root/patterns
grep -lF -f /root/patterns /proc/[0-9]*/cmdline 2>/dev/null
grep -rlF -f /root/patterns /var/log
journalctl --no-pager | grep -F -f /root/patterns
rm /root/patterns
"""
"""Prints which files that everyone may read, arguments of programs, and logs hold one of some texts."""


def options(**more: Any) -> dict[str, str]:
    """The charm's option, with *more* in the domain's section."""
    section = {
        'url': URL,
        'tls_cacertfile': directory.CA,
        'user': directory.READER,
        'password': directory.READER_PASSWORD,
        'suffix': directory.SUFFIX,
        'user_tree_dn': directory.PEOPLE,
        'user_id_attribute': 'uid',
        'user_name_attribute': 'uid',
        **more,
    }
    given = {k: v for k, v in section.items() if v is not None}
    return {'ldap-domains': json.dumps({DOMAIN: given})}


@pytest.fixture(scope='module', params=systems.BASES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    name = f'rambla-ldap-test-{request.param}-{os.getpid()}'
    with removed(name):
        machine = serving(name, request.param)
        directory.install(machine.shell)
        machine.options = options() | {'debug': True}
        first = machine.run()
        assert first['status'] == []
        assert f'create domain {DOMAIN}' in first['done']
        grant(machine, 'ada')
        yield machine


@pytest.fixture(scope='module')
def admin_password(machine: Machine) -> str:
    return machine.action('get-admin-password')['results']['password']


def grant(machine: Machine, user: str) -> None:
    """Give *user* of the directory a role in the admin's project."""
    token = machine.admin()
    domain = machine.id_of('domains', DOMAIN)
    status, found, _ = machine.ask('GET', f'/users?domain_id={domain}&name={user}', token)
    assert status == 200, found
    project, role = machine.id_of('projects', 'admin'), machine.id_of('roles', 'admin')
    path = f'/projects/{project}/users/{found["users"][0]["id"]}/roles/{role}'
    assert machine.ask('PUT', path, token)[0] == 204


def login(machine: Machine, user: str, password: str = '') -> int:
    """The status of a login of somebody in the directory, to the admin's project."""
    password = password or directory.PASSWORDS[user]
    return machine.login(user, password, DOMAIN, 'admin', 'Default')[0]


def admin_login(machine: Machine, password: str) -> int:
    return machine.login('admin', password, 'Default', 'admin')[0]


def test_people_of_a_directory_log_in_by_verified_tls(machine: Machine, admin_password: str):
    assert login(machine, 'ada') == 201
    assert login(machine, 'ada', 'wrong') == 401
    assert login(machine, 'ben') == 401, 'ben has no role there'
    assert login(machine, 'nobody', 'x') == 401
    assert admin_login(machine, admin_password) == 201
    for package in ('python3-ldap', 'python3-ldappool'):
        assert 'ok installed' in machine.shell('dpkg-query', '-W', '-f', '${Status}', package)
    again = machine.run('update-status')
    assert (again['steps'], again['done'], again['status']) == ([], [], [])


def test_passwords_are_in_no_log_no_argument_and_no_file_that_others_read(machine: Machine):
    assert machine.shell('stat', '-c', '%a %U %G', FILE).split() == ['640', 'root', 'keystone']
    written = directory.READER_PASSWORD.replace('$', '$$')
    assert written in machine.shell('cat', FILE)
    typed = 'wrong-as-typed'
    assert login(machine, 'ada', typed) == 401
    secrets = (directory.READER_PASSWORD, written, directory.PASSWORDS['ada'], typed)
    assert machine.shell('sh', '-c', SEARCH, input='\n'.join(secrets)) == ''
    # The search finds what is there.
    machine.shell('chmod', '644', FILE)
    try:
        assert machine.shell('sh', '-c', SEARCH, input=written).split() == [FILE]
    finally:
        machine.shell('chmod', '640', FILE)


@pytest.mark.parametrize(
    ('more', 'said'),
    [
        ({'url': 'ldap//x'}, 'staff: url must be one such as ldaps://ldap.example'),
        ({'query_scope': 'bse'}, 'staff: query_scope must be one of one, sub'),
        ({'user_tre_dn': 'x'}, "no option of keystone's section ldap; user_tree_dn is one"),
        ({'use_tls': True}, 'staff: use_tls goes with ldap://, not with ldaps://'),
    ],
)
def test_a_value_that_is_none_is_named_and_the_last_good_one_serves(
    machine: Machine, more: dict[str, Any], said: str
):
    before, machine.options = machine.options, machine.options | options(**more)
    try:
        out = machine.run()
    finally:
        machine.options = before
    assert out['status'][0].startswith('blocked: option ldap-domains: this will not do')
    assert said in out['status'][0]
    assert out['steps'] == []
    assert login(machine, 'ada') == 201


def test_a_directory_that_is_away_takes_nobody_elses_login_away(
    machine: Machine, admin_password: str
):
    directory.stop(machine.shell)
    try:
        out = machine.run('update-status')
        [status] = out['status']
        assert status.startswith(
            f'waiting: option ldap-domains: staff: url: {URL} does not answer ('
        )
        assert out['steps'] == []
        assert login(machine, 'ada') >= 500
        assert admin_login(machine, admin_password) == 201
    finally:
        directory.start(machine.shell)
    assert machine.run('update-status')['status'] == []
    assert login(machine, 'ada') == 201


def test_a_directory_that_never_answers_holds_nobody_for_ever(
    machine: Machine, admin_password: str
):
    """Logins that wait for it end by themselves, and keystone's other threads serve meanwhile."""
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        directory.freeze(machine.shell)
        try:
            waiting = [pool.submit(login, machine, 'ada') for _ in range(6)]
            assert admin_login(machine, admin_password) == 201
            assert all(each.result() >= 500 for each in waiting)
        finally:
            directory.thaw(machine.shell)
    assert login(machine, 'ada') == 201


@pytest.mark.parametrize(
    ('more', 'said'),
    [
        (
            {'tls_cacertfile': None},
            f'tls_cacertfile: by it the certificate of {URL} is not trusted, or that is for another name',
        ),
        (
            {'user_tree_dn': 'ou=nowhere,dc=example,dc=org'},
            'user_tree_dn: the directory has no ou=nowhere,dc=example,dc=org that its user may see',
        ),
    ],
)
def test_what_only_the_directory_can_know_is_named(
    machine: Machine, admin_password: str, more: dict[str, Any], said: str
):
    machine.options |= options(**more)
    assert machine.run()['status'] == [f'blocked: option ldap-domains: staff: {said}']
    assert login(machine, 'ada') in (401, 500)
    assert admin_login(machine, admin_password) == 201
    assert machine.memory[directories.MEMORY]['found']


def test_it_serves_again_once_the_option_is_right(machine: Machine):
    machine.options |= options()
    assert machine.run()['status'] == []
    assert login(machine, 'ada') == 201
