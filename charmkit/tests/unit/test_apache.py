"""How large an API is made, and what Apache is told of it."""

from __future__ import annotations

import dataclasses
import re

import hypothesis
import pytest
from charmkit import apache, host, limits
from hypothesis import strategies as st

SITE = apache.VirtualHost(
    name='demo-api',
    script='/usr/bin/demo',
    port=8778,
    addresses=('127.0.0.1', '2001:db8::2'),
    user='demo',
    size=apache.Size(2, 8),
)


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, pattern
    return int(found[1])


def vhost(site: apache.VirtualHost) -> str:
    files = apache.desired([site], running=True).files
    return next(f.content for f in files if f.path.endswith(f'{site.name}.conf'))


@pytest.mark.parametrize(
    ('cpus', 'memory_mib', 'one_thread', 'size'),
    [
        (2, 8192, False, (2, 8)),
        (8, 32768, False, (8, 8)),
        (64, 262144, False, (16, 8)),
        (2, 8192, True, (4, 1)),
        (8, 1024, False, (2, 8)),
        (1, 256, False, (1, 8)),
    ],
)
def test_processes_follow_the_machine(
    cpus: int, memory_mib: int, one_thread: bool, size: tuple[int, int]
):
    got = apache.size(cpus, memory_mib, one_thread=one_thread)
    assert (got.processes, got.threads) == size


@hypothesis.given(st.integers(1, 512), st.integers(128, 10**6), st.booleans())
def test_there_is_always_a_process_and_never_more_than_memory_bears(
    cpus: int, memory_mib: int, one_thread: bool
):
    got = apache.size(cpus, memory_mib, one_thread=one_thread)
    assert 1 <= got.processes <= 16
    assert got.processes == 1 or got.processes * 140 <= memory_mib // 3


def test_options_override_the_size_but_not_eventlets_single_thread():
    assert apache.size(2, 8192, one_thread=False, processes=5, threads=3) == apache.Size(5, 3)
    assert apache.size(2, 8192, one_thread=True, processes=5, threads=3) == apache.Size(5, 1)


def test_it_listens_on_literal_addresses_only():
    text = vhost(SITE)
    assert 'Listen 127.0.0.1:8778\nListen [2001:db8::2]:8778\n' in text
    listens = [line for line in text.splitlines() if line.startswith('Listen')]
    assert len(listens) == 2


def test_transfers_get_more_threads():
    assert apache.size(2, 8192, one_thread=False, bulk=True) == apache.Size(2, 32)
    assert apache.size(2, 8192, one_thread=False, bulk=True).requests == 64


def test_bodies_may_come_in_chunks_and_in_any_length_unless_the_service_says_otherwise():
    assert 'WSGIChunkedRequest On' in vhost(SITE)
    assert 'LimitRequestBody 0\n' in vhost(SITE)
    assert 'LimitRequestBody 114688\n' in vhost(dataclasses.replace(SITE, body_limit=114688))


def test_each_layer_waits_longer_than_the_one_before_it():
    """Else a transfer that pauses is cut here, while the load balancer still waits."""
    for silence in (limits.ORDINARY, limits.SLOW, limits.BULK):
        text = vhost(dataclasses.replace(SITE, silence=silence))
        longest = max(silence.client_s, silence.server_s)
        assert number(r'^ *Timeout (\d+)', text) > silence.client_s
        assert number(r' socket-timeout=(\d+) response', text) > longest
        assert number(r'response-socket-timeout=(\d+)', text) > silence.client_s
        assert number(r'queue-timeout=(\d+) ', text) > limits.QUEUE_S
        stuck = number(r'request-timeout=(\d+)', text)
        body = number(r'body=(\d+)', text)
        if silence is limits.BULK:
            assert stuck == body == 0, 'an hour is not long for a transfer'
        else:
            assert stuck > limits.behind(silence.server_s)
            assert body > silence.client_s
    server = next(
        f for f in apache.desired([SITE], running=True).files if 'conf-enabled' in f.path
    )
    assert number(r'KeepAliveTimeout (\d+)', server.content) > limits.KEEP_ALIVE_S


def test_health_is_answered_by_a_process_of_its_own():
    text = vhost(dataclasses.replace(SITE, health='/'))
    assert f'WSGIScriptAlias /.health {apache.HEALTH} process-group={apache.HEALTH_GROUP} ' in text
    assert text.index('WSGIScriptAlias /.health') < text.index('WSGIScriptAlias / ')
    assert r'RewriteRule ^/\.alive$ / [PT' in text
    server = next(
        f for f in apache.desired([SITE], running=True).files if 'conf-enabled' in f.path
    )
    assert f'WSGIDaemonProcess {apache.HEALTH_GROUP} user=nobody' in server.content


def test_a_new_configuration_is_tried_before_it_replaces_the_old_one():
    services = apache.desired([dataclasses.replace(SITE, health='/')], running=True).services
    (group,) = [s for s in services if s.part_of]
    assert group.trial
    assert group.trial.argv == ('python3', apache.TRIAL, '/usr/bin/demo', '/', '/var/lib/demo')
    assert group.trial.user == 'demo'


def test_processes_work_in_a_directory_that_is_there_whatever_their_account_is():
    sites = [dataclasses.replace(SITE, name=n, user='www-data') for n in ('one-api', 'two-api')]
    wanted = apache.desired(sites, running=True)
    (home,) = (d.path for d in wanted.directories if d.kept)
    assert all(f'home={home} ' in vhost(site) for site in sites)


def test_a_clients_address_is_taken_from_trusted_proxies_alone():
    assert 'RemoteIP' not in vhost(SITE)
    text = vhost(dataclasses.replace(SITE, trusted=('10.0.0.5/32', 'fd00::5/128')))
    assert 'RemoteIPHeader X-Forwarded-For\n' in text
    assert re.findall(r'RemoteIPInternalProxy (\S+)', text) == ['10.0.0.5/32', 'fd00::5/128']


def test_each_part_of_the_configuration_is_checked_before_it_is_put_in_place():
    files = apache.desired([SITE], running=True).files
    checked = {f.path for f in files if f.check}
    assert checked == {
        '/etc/apache2/conf-enabled/openstack.conf',
        '/etc/apache2/sites-enabled/demo-api.conf',
    }
    for file in files:
        if file.check:
            assert file.check == (apache.CHECK, '{path}', file.path)
    assert files[0].path == apache.CHECK, 'what checks comes before what is checked'


def test_what_the_packages_leave_and_an_api_must_not_have_is_gone():
    gone = {a.path for a in apache.desired([SITE], running=True).absent}
    for path in (
        'mods-enabled/status.load',
        'mods-enabled/status.conf',
        'mods-enabled/alias.load',
        'mods-enabled/reqtimeout.conf',
        'conf-enabled/security.conf',
        'conf-enabled/serve-cgi-bin.conf',
        'sites-enabled/000-default.conf',
    ):
        assert f'/etc/apache2/{path}' in gone
    assert '/etc/logrotate.d/apache2' in gone


def test_the_healthcheck_is_drained_before_it_is_answered():
    text = vhost(dataclasses.replace(SITE, health='/'))
    drain, answer = '[R=503,L]', 'RewriteRule ^/healthcheck$ /.health [PT,L'
    assert text.index(drain) < text.index(answer)


def test_applications_are_loaded_when_their_processes_start():
    assert 'process-group=demo-api application-group=%{GLOBAL}' in vhost(SITE)


def test_files_are_handed_out_by_apache_and_only_from_their_directory():
    site = dataclasses.replace(SITE, static=(('/static', '/var/lib/demo/static'),))
    (rule,) = (
        line.split() for line in vhost(site).splitlines() if '/var/lib/demo/static/' in line
    )
    assert rule[2] == '/var/lib/demo/static/$1'
    assert re.match(rule[1], '/static/css/a.css')
    assert not re.match(rule[1], '/static/../../etc/passwd')
    assert not re.match(rule[1], '/statics/a.css')
    assert '<Directory /var/lib/demo/static>\n        Require all granted\n' in vhost(site)


def test_another_path_leads_to_the_application_as_well():
    text = vhost(dataclasses.replace(SITE, aliases=('/demo',)))
    (pattern,) = re.findall(r'RewriteRule (\S+) /\$1 \[PT,L\]', text)
    assert [bool(re.match(pattern, p)) for p in ('/demo', '/demo/', '/demo/a', '/demos', '/')] == [
        *(True, True, True),
        *(False, False),
    ]


def test_everything_of_apaches_is_where_it_belongs_and_is_taken_up():
    want = apache.desired([SITE], running=True, version='1:2', linger_s=7)
    assert want.packages == {'apache2', 'libapache2-mod-wsgi-py3', 'logrotate'}
    assert want.directories == (
        host.Directory(path='/var/log/openstack-apache', owner='root', group='adm', mode=0o750),
        host.Directory(path='/var/lib/demo', owner='demo', group='demo', kept=True),
    )
    assert [(f.path, f.mode, f.notify) for f in want.files] == [
        ('/usr/local/lib/charmkit/apache-check', 0o755, ()),
        ('/usr/local/lib/charmkit/health.wsgi', 0o644, ('apache2',)),
        ('/usr/local/lib/charmkit/policy_wsgi.py', 0o644, ('apache2',)),
        ('/usr/local/lib/charmkit/trial_wsgi.py', 0o644, ()),
        ('/etc/apache2/ports.conf', 0o644, ('apache2',)),
        ('/etc/apache2/conf-enabled/openstack.conf', 0o644, ('apache2',)),
        ('/etc/logrotate.d/openstack-apache', 0o644, ()),
        ('/etc/systemd/system/apache2.service.d/openstack.conf', 0o644, ()),
        ('/etc/apache2/sites-enabled/demo-api.conf', 0o644, ('apache2',)),
    ]
    assert [(x.path, x.target, x.notify) for x in want.links] == [
        (f'/etc/apache2/mods-enabled/{m}.load', f'../mods-available/{m}.load', ('apache2',))
        for m in ('rewrite', 'remoteip', 'reqtimeout', 'wsgi')
    ]
    notified = {a.path for a in want.absent if a.notify == ('apache2',)}
    assert {a.path for a in want.absent} - notified == {'/etc/logrotate.d/apache2'}
    assert len(notified) == 1 + 5 + 2 * 5 + 1
    server, group = want.services
    assert server == host.SystemdService(
        'apache2', 'running', 'reload', linger_s=7, configured_by=apache.DROP_IN
    )
    trial = host.Command(
        name='trial of demo-api',
        argv=('python3', apache.TRIAL, '/usr/bin/demo', '/healthcheck', '/var/lib/demo'),
        key='',
        user='demo',
        timeout_s=60,
    )
    assert group == host.SystemdService(
        'wsgi:demo-api', 'running', part_of='apache2', version='1:2', trial=trial
    )
    stopped = apache.desired([SITE], running=False).services
    assert [(s.state, s.version, s.linger_s) for s in stopped] == [('stopped', '', 0)] * 2


def test_sites_of_one_port_listen_on_the_addresses_of_both_and_others_on_their_own():
    two = dataclasses.replace(SITE, name='two', addresses=('10.0.0.2',))
    three = dataclasses.replace(SITE, name='three', port=9, addresses=('10.0.0.3', '10.0.0.2'))
    files = {f.path: f.content for f in apache.desired([SITE, two, three], running=True).files}

    def listens(name: str) -> list[str]:
        text = files[f'/etc/apache2/sites-enabled/{name}.conf']
        return re.findall('^Listen (.*)$', text, re.MULTILINE)

    assert listens('two') == ['10.0.0.2:8778', '127.0.0.1:8778', '[2001:db8::2]:8778']
    assert listens('three') == ['10.0.0.2:9', '10.0.0.3:9']


def test_a_drain_is_a_file_that_is_there_or_not():
    assert apache.drain(True) == host.Host(
        files=(host.File(path='/run/openstack-drain', content='going out of service\n'),)
    )
    assert apache.drain(False) == host.Host(absent=(host.Absent(path='/run/openstack-drain'),))


@pytest.mark.parametrize(
    ('cpus', 'memory_mib', 'processes'),
    [(1, 8192, 2), (3, 8192, 3), (8, 3 * 280, 2), (8, 3 * 280 - 1, 1), (8, 3 * 420, 3), (99, 10**6, 16)],
)  # fmt: skip
def test_a_process_has_a_processor_and_a_third_of_the_memory(
    cpus: int, memory_mib: int, processes: int
):
    assert apache.size(cpus, memory_mib, one_thread=False) == apache.Size(processes, 8)
    assert apache.size(cpus, memory_mib, one_thread=False, threads=1).threads == 1
    assert apache.size(cpus, memory_mib, one_thread=True, bulk=True).threads == 1


def test_a_process_shows_as_much_of_its_name_as_fits():
    assert apache.shown('0123456789abcdefg') == '0123456789abcdef'
    assert apache.group('demo') == 'wsgi:demo'
