"""The planner: pure, so tested with plain values."""

from __future__ import annotations

import dataclasses
from typing import Literal

import hypothesis
import pytest
from charmkit import host, testing
from hypothesis import strategies as st

CONF = host.File(path='/etc/a.conf', content='x = 1\n', notify=('a',))
WANT = host.Host(
    packages=frozenset({'a', 'b'}),
    directories=(host.Directory(path='/etc/a.d'),),
    files=(CONF,),
    services=(host.SystemdService('a-own', 'masked'), host.SystemdService('a')),
)


def steps(want: host.Host, seen: host.Observed) -> list[str]:
    return [str(step) for step in host.plan(want, seen)]


def applied(want: host.Host, seen: host.Observed | None = None) -> host.Observed:
    """A perfect machine: everything in the plan has happened."""
    state = seen or host.Observed()
    for step in host.plan(want, state):
        state = testing.after(step, want, state)
    return state


def test_a_bare_machine_masks_before_it_installs_and_starts_last():
    assert steps(WANT, host.Observed()) == [
        'mask a-own',
        'install a b',
        'make /etc/a.d',
        'write /etc/a.conf',
        'start a',
    ]


def test_a_machine_as_desired_is_left_alone():
    assert steps(WANT, applied(WANT)) == []


def test_restart_survives_a_hook_that_died_after_writing():
    changed = dataclasses.replace(WANT, files=(dataclasses.replace(CONF, content='x = 2\n'),))
    seen = applied(WANT)
    died = dataclasses.replace(seen, paths=applied(changed).paths)
    assert steps(changed, died) == ['restart a']


@pytest.mark.parametrize('stamp', ['0 root:root 0644', f'{CONF.digest} root:root 0666'])
def test_drift_of_content_or_mode_is_repaired(stamp: str):
    seen = applied(WANT)
    drifted = dataclasses.replace(seen, paths={**seen.paths, CONF.path: stamp})
    assert steps(WANT, drifted) == ['write /etc/a.conf']


def test_a_service_that_died_is_started():
    seen = dataclasses.replace(applied(WANT), active=frozenset())
    assert steps(WANT, seen) == ['start a']


def test_a_masked_service_that_runs_is_stopped_before_another_takes_its_port():
    want = host.Host(services=(host.SystemdService('new'), host.SystemdService('old', 'masked')))
    seen = host.Observed(active=frozenset({'old'}))
    assert steps(want, seen) == ['mask old', 'stop old', 'start new']


@pytest.mark.parametrize('active', [True, False])
@pytest.mark.parametrize('name', ['clear.timer', 'agent'])
def test_what_is_stopped_still_has_its_file_then(name: str, active: bool):
    """Also one that does not run: stopped means disabled."""
    file = f'/etc/systemd/system/{name if "." in name else f"{name}.service"}'
    want = host.Host(
        absent=(host.Absent(path=file),), services=(host.SystemdService(name, 'stopped'),)
    )
    running = frozenset({name} if active else ())
    seen = host.Observed(active=running, paths={file: 'any'})
    assert steps(want, seen) == [f'stop {name}', f'remove {file}', 'daemon-reload systemd']
    assert steps(want, applied(want, seen)) == []


def test_a_command_runs_once_for_each_key():
    migrate = host.Command(name='migrate', argv=('true',), key='1')
    want = host.Host(commands=(migrate,))
    assert steps(want, host.Observed()) == ['run migrate']
    assert steps(want, applied(want)) == []
    newer = host.Host(commands=(dataclasses.replace(migrate, key='2'),))
    assert steps(newer, applied(want)) == ['run migrate']


APACHE = host.Host(
    files=(
        host.File(path='/vhost', content='', notify=('apache2',)),
        host.File(path='/conf', content='1', notify=('wsgi:a',)),
        host.File(path='/other', content='1', notify=('wsgi:b',)),
    ),
    services=(
        host.SystemdService('apache2', on_change='reload'),
        host.SystemdService('wsgi:a', part_of='apache2'),
        host.SystemdService('wsgi:b', part_of='apache2'),
    ),
)


def changed(path: str) -> host.Host:
    files = tuple(
        dataclasses.replace(f, content='changed') if f.path == path else f for f in APACHE.files
    )
    return dataclasses.replace(APACHE, files=files)


def test_one_process_group_is_recycled_without_its_neighbours():
    assert steps(changed('/conf'), applied(APACHE)) == ['write /conf', 'recycle wsgi:a']


def test_process_groups_are_not_recycled_when_their_server_is_reloaded_anyway():
    both = dataclasses.replace(
        APACHE, files=(*changed('/conf').files[1:], *changed('/vhost').files[:1])
    )
    assert steps(both, applied(APACHE)) == ['write /conf', 'write /vhost', 'reload apache2']


TRIED = dataclasses.replace(
    APACHE,
    services=tuple(
        dataclasses.replace(s, trial=host.Command(name='trial', argv=('true',), key=''))
        if s.part_of
        else s
        for s in APACHE.services
    ),
)


@pytest.mark.parametrize('on_change', ['reload', 'restart'])
def test_what_takes_up_new_files_with_its_server_is_tried_before(
    on_change: Literal['reload', 'restart'],
):
    server = host.SystemdService('apache2', on_change=on_change)
    old = dataclasses.replace(TRIED, services=(server, *TRIED.services[1:]))
    both = dataclasses.replace(
        old, files=(*changed('/vhost').files[:1], *changed('/conf').files[1:])
    )
    assert steps(both, applied(old)) == [
        *('write /vhost', 'write /conf', 'try wsgi:a'),
        f'{on_change} apache2',
    ]
    vhost = dataclasses.replace(old, files=changed('/vhost').files)
    assert steps(vhost, applied(old)) == ['write /vhost', f'{on_change} apache2']


def test_what_has_changed_while_its_server_was_stopped_is_tried_before_it_starts():
    stopped = dataclasses.replace(applied(TRIED), active=frozenset[str]())
    bad = dataclasses.replace(TRIED, files=changed('/conf').files)
    assert steps(bad, stopped) == ['write /conf', 'try wsgi:a', 'start apache2']
    assert steps(TRIED, stopped) == ['start apache2']


def test_nothing_is_tried_before_its_server_starts_for_the_first_time():
    assert [s for s in steps(TRIED, host.Observed()) if s.startswith(('try', 'start'))] == [
        'start apache2'
    ]


def test_process_groups_of_a_stopped_server_are_left_alone():
    want = dataclasses.replace(
        changed('/conf'),
        services=(host.SystemdService('apache2', 'stopped'), *APACHE.services[1:]),
    )
    assert steps(want, applied(APACHE)) == ['write /conf', 'stop apache2']


def test_secrets_in_files_do_not_show():
    assert 'x = 1' not in repr(WANT)


names = st.sampled_from(['a', 'b', 'c'])
hosts = st.builds(
    host.Host,
    packages=st.frozensets(names),
    files=st.lists(
        st.builds(
            host.File,
            path=names,
            content=st.text(max_size=3),
            mode=st.sampled_from([0o600, 0o644]),
            notify=st.tuples(names),
        ),
        unique_by=lambda f: f.path,
    ).map(tuple),
    absent=st.just((host.Absent(path='d', notify=('a',)),)),
    commands=st.lists(
        st.builds(
            host.Command,
            name=names,
            argv=st.just(('true',)),
            key=names,
            when=st.sampled_from(['before', 'after']),
        ),
        unique_by=lambda c: c.name,
    ).map(tuple),
    services=st.lists(
        st.builds(
            host.SystemdService,
            names,
            st.sampled_from(['running', 'stopped', 'masked']),
            st.sampled_from(['restart', 'reload']),
        ),
        unique_by=lambda s: s.name,
    ).map(tuple),
)


@hypothesis.given(hosts, hosts)
def test_one_pass_converges_from_any_earlier_state(before: host.Host, want: host.Host):
    assert host.plan(want, applied(want, applied(before))) == ()


@hypothesis.given(hosts, hosts, st.integers(0, 20))
def test_a_run_that_died_anywhere_is_finished_by_the_next(
    before: host.Host, want: host.Host, died_after: int
):
    seen = applied(before)
    for step in host.plan(want, seen)[:died_after]:
        seen = testing.after(step, want, seen)
    whole = applied(want, applied(before))
    finished = applied(want, seen)
    assert finished == whole


@hypothesis.given(hosts, hosts)
def test_a_restart_forgotten_by_a_crash_would_be_seen(before: host.Host, want: host.Host):
    """The sabotaged twin: without the digest that a service was started with, it is missed."""
    seen = applied(before)
    forgetful = dataclasses.replace(applied(want, seen), started_with=applied(before).started_with)
    stale = {
        s.name
        for s in want.services
        if s.state == 'running'
        and forgetful.started_with.get(s.name) != want.config_digest(s.name)
    }
    assert {step.target for step in host.plan(want, forgetful)} == stale


def test_what_is_written_for_systemd_is_read_by_it_before_anything_starts():
    drop_in = host.File(path='/etc/systemd/system/a.service.d/x.conf', content='[Service]\n')
    want = host.Host(files=(drop_in,), services=(host.SystemdService('a'),))
    steps = [str(s) for s in host.plan(want, host.Observed())]
    assert steps == [f'write {drop_in.path}', 'daemon-reload systemd', 'start a']


def test_it_is_read_though_nothing_is_started_and_after_a_hook_that_died_before_that():
    want = host.Host(services=(host.SystemdService('a'),))
    running = host.Observed(active=frozenset({'a'}), started_with={'a': want.config_digest('a')})
    assert host.plan(want, running) == ()
    stale = dataclasses.replace(running, stale=frozenset({'a'}))
    assert [str(s) for s in host.plan(want, stale)] == ['daemon-reload systemd']


def test_a_directory_is_purged_of_what_nobody_wants_and_of_nothing_else():
    want = host.Host(
        directories=(host.Directory(path='/d', purge=r'\d+'), host.Directory(path='/e')),
        files=(host.File(path='/d/1', content='x'),),
        links=(host.Link(path='/d/2', target='1'),),
    )
    there = ('/d/1', '/d/2', '/d/9', '/d/10', '/d/5a', '/d/e/6', '/e/7', '/8')
    seen = host.Observed(paths=dict.fromkeys(there, 'some'))
    steps = [str(s) for s in host.plan(want, seen)]
    assert [s for s in steps if s.startswith('remove')] == ['remove /d/9', 'remove /d/10']
    assert steps.index('write /d/1') < steps.index('remove /d/9')
    assert host.plan(want, applied(want, seen)) == ()


def test_what_a_package_brings_and_must_not_be_there_goes_in_the_same_pass():
    """It is not there yet when the pass is planned."""
    want = host.Host(packages=frozenset({'p'}), absent=(host.Absent(path='/etc/p/default'),))
    assert [str(s) for s in host.plan(want, host.Observed())] == [
        'install p',
        'remove /etc/p/default',
    ]
    assert host.plan(want, host.Observed(packages={'p': '1'})) == ()


@pytest.mark.parametrize('there', ['directory demo:demo 0750', 'link /srv/demo'])
def test_a_directory_that_may_stay_is_made_where_it_is_not(there: str):
    want = host.Host(directories=(host.Directory(path='/d', kept=True),))
    assert [str(s) for s in host.plan(want, host.Observed())] == ['make /d']
    assert host.plan(want, host.Observed(paths={'/d': there})) == ()
    certain = host.Host(directories=(host.Directory(path='/d'),))
    assert [str(s) for s in host.plan(certain, host.Observed(paths={'/d': there}))] == ['make /d']


def test_it_gives_way_to_one_that_somebody_wants_in_a_certain_way():
    may, must = (
        host.Host(directories=(host.Directory(path='/d', kept=k),)) for k in (True, False)
    )
    assert host.merge(may, must) == host.merge(must, may) == must
    assert host.merge(may, may) == may


# Stamps and digests.


def test_a_stamp_is_all_that_can_drift():
    file = host.File(path='/x', content='a', owner='o', group='g', mode=0o600)
    assert file.digest == host.digest('a') == host.digest(b'a') == 'ca978112ca1bbdca'
    assert file.stamp == 'ca978112ca1bbdca o:g 0600'
    assert host.File(path='/x', content='a').stamp == 'ca978112ca1bbdca root:root 0644'
    assert host.Directory(path='/x').stamp == 'directory root:root 0755'
    assert host.Directory(path='/x', owner='o', group='g', mode=0o7).stamp == 'directory o:g 0007'
    assert host.Link(path='/x', target='/y').stamp == 'link /y'
    assert host.digest('é') == host.digest('é'.encode())


NOTIFY = ('a',)
ALL = host.Host(
    directories=(host.Directory(path='/d'),),
    files=(
        host.File(path='/f', content='1', notify=NOTIFY),
        host.File(path='/g', content='1', notify=('b',)),
        host.File(path='/r', content='1', revision='r1', notify=('b', 'a')),
    ),
    links=(host.Link(path='/l', target='/t', notify=NOTIFY),),
    absent=(host.Absent(path='/n', notify=NOTIFY), host.Absent(path='/m')),
    services=(host.SystemdService('a', version='v1'), host.SystemdService('b', version='v2')),
)


def test_what_a_service_is_started_with_is_what_notifies_it_and_its_version():
    assert list(ALL.paths()) == ['/d', '/f', '/g', '/r', '/l', '/n', '/m']
    assert ALL.configuration_of('a') == {'/f', '/r', '/l', '/n'}
    assert ALL.configuration_of('c') == frozenset()
    lines = sorted([f'/f:{host.digest("1")}', '/r:r1', '/l:link /t', '/n:-', 'version:v1'])
    assert ALL.config_digest('a') == host.digest('\n'.join(lines))
    assert ALL.config_digest('c') == host.digest('')
    plain = dataclasses.replace(ALL, services=(host.SystemdService('a'),))
    assert plain.config_digest('a') != ALL.config_digest('a')
    turned = dataclasses.replace(ALL, files=ALL.files[::-1])
    assert turned.config_digest('a') == ALL.config_digest('a')


# Several hosts as one.


def test_what_several_want_alike_is_wanted_once_and_the_rest_in_order():
    command = host.Command(name='c', argv=('true',), key='1')
    first = host.Host(packages=frozenset({'p'}), commands=(command,), upgrade=None)
    upgrade = host.Upgrade(packages=('p',), key='1')
    other = dataclasses.replace(
        ALL,
        packages=frozenset({'q'}),
        commands=(command, dataclasses.replace(command, name='d')),
        upgrade=upgrade,
    )
    late = host.Host(upgrade=host.Upgrade(packages=('x',), key='2'))
    assert host.merge(first, other, ALL, late) == dataclasses.replace(
        other, packages=frozenset({'p', 'q'})
    )
    assert host.merge() == host.Host()


@pytest.mark.parametrize(
    ('more', 'named'),
    [
        (host.Host(files=(host.File(path='/f', content='2'),)), '/f'),
        (host.Host(links=(host.Link(path='/f', target='/x'),)), '/f'),
        (host.Host(absent=(host.Absent(path='/d'), host.Absent(path='/l'))), '/d, /l'),
        (host.Host(services=(host.SystemdService('a', 'stopped'),)), 'a'),
    ],
)
def test_what_is_wanted_in_two_ways_is_refused_by_name(more: host.Host, named: str):
    with pytest.raises(ValueError, match=f'^wanted in two ways: {named}$'):
        host.merge(ALL, more)


# Steps.


def test_an_upgrade_is_done_once_for_each_key_after_what_is_missing():
    want = host.Host(
        packages=frozenset({'b', 'a'}), upgrade=host.Upgrade(packages=('b', 'a'), key='1')
    )
    assert steps(want, host.Observed(packages={'a': '1'})) == ['install b', 'upgrade b a']
    there = {'a': '1', 'b': '1'}
    done = host.Observed(packages=there, commands={'upgrade': '1'})
    assert steps(want, done) == []
    assert steps(want, host.Observed(packages=there, commands={'upgrade': '0'})) == ['upgrade b a']


def test_what_says_where_packages_come_from_is_written_before_them_and_once():
    early = host.File(path='/etc/apt/x.list', content='deb', before_packages=True)
    want = host.Host(packages=frozenset({'a'}), files=(early, host.File(path='/f', content='')))
    assert steps(want, host.Observed()) == ['write /etc/apt/x.list', 'install a', 'write /f']
    seen = host.Observed(
        packages={'a': '1'}, paths={early.path: early.stamp, '/f': want.files[1].stamp}
    )
    assert steps(want, seen) == []


def test_a_mask_is_lifted_when_the_service_is_wanted():
    want = host.Host(
        services=(host.SystemdService('a', 'stopped'), host.SystemdService('b', 'masked'))
    )
    seen = host.Observed(masked=frozenset({'a', 'b', 'c'}), active=frozenset({'a'}))
    assert steps(want, seen) == ['unmask a', 'stop a']


def test_commands_run_before_and_after_services_as_they_say():
    before = host.Command(name='x', argv=('true',), key='1')
    after = host.Command(name='y', argv=('true',), key='1', when='after')
    want = host.Host(commands=(after, before), services=(host.SystemdService('a'),))
    assert steps(want, host.Observed()) == ['run x', 'start a', 'run y']


def test_only_what_is_written_for_systemd_is_read_by_it():
    want = host.Host(
        files=(host.File(path='/etc/systemd/system.conf', content=''),),
        absent=(host.Absent(path='/etc/systemd/system/x.timer'),),
    )
    assert steps(want, host.Observed()) == ['write /etc/systemd/system.conf']
    seen = host.Observed(
        paths={'/etc/systemd/system/x.timer': '-', '/etc/systemd/system.conf': want.files[0].stamp}
    )
    assert steps(want, seen) == ['remove /etc/systemd/system/x.timer', 'daemon-reload systemd']
