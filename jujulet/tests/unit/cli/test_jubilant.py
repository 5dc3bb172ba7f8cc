"""jubilant, unmodified, gets from us what it gets from Juju."""

from __future__ import annotations

import pathlib
import uuid

import fakes
import jubilant
import pytest

from jujulet.core import context


@pytest.fixture
def client(model: fakes.Juju, monkeypatch: pytest.MonkeyPatch) -> jubilant.Juju:
    return model.jubilant(monkeypatch)


def test_deploy_returns_when_the_units_exist(client: jubilant.Juju, charm: pathlib.Path):
    client.deploy(charm, 'a', num_units=2, config={'greet': 'x=y z', 'flag': True})
    status = client.status()
    assert set(status.apps['a'].units) == {'a/0', 'a/1'}
    assert status.apps['a'].charm == 'local:tiny-0'
    assert status.model.name == 't'
    assert client.config('a')['greet'] == 'x=y z'
    assert client.config('a')['flag'] is True
    assert 'count' not in client.config('a')


def test_wait_sees_everything_at_rest(client: jubilant.Juju, charm: pathlib.Path):
    client.deploy(charm, 'a')
    status = client.wait(jubilant.all_agents_idle, delay=0)
    assert status.apps['a'].units['a/0'].workload_status.current == 'unknown'


def test_config_is_set_and_reset_in_one_call(client: jubilant.Juju, charm: pathlib.Path):
    client.deploy(charm, 'a')
    client.config('a', {'greet': 'one', 'count': 3})
    client.config('a', {'greet': 'a\nb'}, reset=['count'])
    assert client.config('a')['greet'] == 'a\nb'
    assert 'count' not in client.config('a')
    client.trust('a', scope='cluster')
    assert client.config('a', app_config=True)['trust'] is True
    client.trust('a', remove=True)
    assert client.config('a', app_config=True)['trust'] is False


def test_model_config_and_constraints_read_as_they_were_written(client: jubilant.Juju):
    assert client.model_config()['update-status-hook-interval'] == '5m'
    client.model_config({'update-status-hook-interval': '10s'})
    assert client.model_config()['update-status-hook-interval'] == '10s'
    client.model_config(reset='update-status-hook-interval')
    assert client.model_config()['update-status-hook-interval'] == '5m'
    assert client.model_constraints() == {}
    client.model_constraints({'mem': '1G', 'cores': 4})
    assert client.model_constraints() == {'mem': 1024, 'cores': 4}


def test_actions_answer_as_tasks(client: jubilant.Juju, charm: pathlib.Path):
    client.deploy(charm, 'a')
    task = client.run('a/leader', 'do-thing', {'name': 'y'})
    assert task.success
    assert (task.stdout, task.stderr, task.return_code) == ('OUT\n', 'ERR\n', 0)
    assert task.results == {'a': {'b': 'c'}}


def test_an_action_that_fails_and_one_that_dies_are_told_apart(
    model: fakes.Juju, client: jubilant.Juju, charm: pathlib.Path
):
    client.deploy(charm, 'a')

    def fails(*_: object) -> fakes.simulation.Done:
        return fakes.simulation.Done(action=context.ActionResult(failed=True, message='no luck'))

    def dies(*_: object) -> fakes.simulation.Done:
        return fakes.simulation.Done(outcome=context.Outcome(1, stderr=b'Traceback'))

    model.world().scripts['a'] = fails
    assert model.run('run', 'a/0', 'do-thing').code == 0
    with pytest.raises(jubilant.TaskError) as caught:
        client.run('a/0', 'do-thing')
    assert (caught.value.task.message, caught.value.task.return_code) == ('no luck', 0)

    model.world().scripts['a'] = dies
    with pytest.raises(jubilant.TaskError) as caught:
        client.run('a/0', 'do-thing')
    assert caught.value.task.return_code == 1
    assert caught.value.task.stderr == 'Traceback'


def test_a_result_that_does_not_come_is_a_timeout(
    model: fakes.Juju, client: jubilant.Juju, charm: pathlib.Path
):
    client.deploy(charm, 'a')
    model.controller.frozen = True
    with pytest.raises(TimeoutError):
        client.run('a/0', 'do-thing', wait=0.001)
    with pytest.raises(TimeoutError):
        client.exec('sleep 5', unit='a/0', wait=0.001)


def test_what_is_not_there_is_a_value_error(client: jubilant.Juju, charm: pathlib.Path):
    client.deploy(charm, 'a')
    with pytest.raises(ValueError, match='not defined'):
        client.run('a/0', 'nosuch')
    with pytest.raises(ValueError, match='not found'):
        client.run('a/7', 'do-thing')
    with pytest.raises(ValueError, match='not found'):
        client.exec('true', unit='a/7')


def test_exec_on_units_and_machines(client: jubilant.Juju, charm: pathlib.Path):
    client.deploy(charm, 'a')
    assert client.exec('echo foo', unit='a/0').stdout == 'foo\n'
    client.add_machine()
    assert '1' in client.status().machines


def test_relations_appear_and_go(client: jubilant.Juju, charm: pathlib.Path):
    client.deploy(charm, 'a')
    client.deploy(charm, 'b')
    client.integrate('a:db', 'b:sink')
    related = client.status().apps['a'].relations['db'][0]
    assert (related.related_app, related.interface, related.scope) == ('b', 'sql', 'global')
    info = client.show_unit('a/0')
    assert info.charm == 'local:tiny-0'
    assert info.leader
    assert info.relation_info[0].related_units['b/0'].in_scope
    assert info.relation_info[0].related_units['b/0'].data['ingress-address'] == '10.9.0.11'
    client.remove_relation('a:db', 'b:sink')
    assert client.status().apps['a'].relations == {}


def test_units_and_applications_come_and_go(client: jubilant.Juju, charm: pathlib.Path):
    client.deploy(charm, 'a')
    client.add_unit('a', num_units=2)
    assert len(client.status().apps['a'].units) == 3
    client.remove_unit('a/1', destroy_storage=True, force=True)
    assert set(client.status().apps['a'].units) == {'a/0', 'a/2'}
    client.remove_application('a', destroy_storage=True)
    assert client.status().apps == {}


def test_secrets_from_birth_to_end(client: jubilant.Juju, charm: pathlib.Path):
    client.deploy(charm, 'a')
    uri = client.add_secret(
        'sec1', {'username': 'usr', 'password': 'hunter2'}, info='A description.'
    )
    assert uri.startswith('secret:')
    (listed,) = client.secrets()
    assert (listed.uri, listed.name, listed.owner, listed.revision) == (uri, 'sec1', '<model>', 1)
    assert listed.created == listed.updated
    client.update_secret(uri, {'username': 'usr2'}, name='sec2', info='d2', auto_prune=False)
    assert client.show_secret('sec2').revision == 2
    assert client.show_secret(uri, reveal=True).content == {'username': 'usr2'}
    assert client.show_secret(uri, reveal=True, revision=1).content['password'] == 'hunter2'
    revisions = client.show_secret(uri.unique_identifier, revisions=True).revisions or []
    assert [r.revision for r in revisions] == [1, 2]
    client.grant_secret(uri, ['a'])
    access = client.show_secret('sec2').access or []
    assert access[0].target == 'application-a'
    client.remove_secret(uri, revision=1)
    client.remove_secret('sec2')
    assert client.secrets() == []


def test_secret_content_is_only_shown_when_revealed(model: fakes.Juju):
    model('add-secret', 'sec', 'password=hunter2')
    for argv in (('secrets',), ('show-secret', 'sec'), ('status',)):
        for form in ('json', 'yaml'):
            assert 'hunter2' not in model(*argv, '--format', form).out
    assert 'hunter2' in model('show-secret', 'sec', '--reveal').out


def test_show_model_in_all_three_ways_of_naming_it(client: jubilant.Juju):
    info = client.show_model()
    assert uuid.UUID(info.model_uuid)
    assert uuid.UUID(info.controller_uuid)
    assert info.status.current == 'available'
    assert client.show_model('t') == client.show_model('admin/t')
    assert client.show_model(f'{info.controller_name}:admin/t') == client.show_model('t')


def test_version_parses_and_is_the_same_both_ways(model: fakes.Juju, client: jubilant.Juju):
    assert client.version().tuple == (3, 6, 12)
    assert model('version').out.strip() == str(client.version())


def test_temporary_models_are_gone_afterwards(
    juju: fakes.Juju, monkeypatch: pytest.MonkeyPatch, charm: pathlib.Path
):
    client = juju.jubilant(monkeypatch, None)
    client.add_model('x', config={'automatically-retry-hooks': False})
    assert client.model == 'x'
    client.deploy(charm)
    with pytest.raises(jubilant.CLIError, match='already exists'):
        client.add_model('x')
    client.destroy_model('x', destroy_storage=True, force=True)
    assert juju.controller.worlds == {}


def test_clouds_and_credentials_are_kept_for_the_client(client: jubilant.Juju):
    def cloud(endpoint: str) -> dict[str, object]:
        regions = {'r': {'endpoint': endpoint}}
        return {
            'clouds': {'c': {'type': 'openstack', 'auth-types': ['userpass'], 'regions': regions}}
        }

    client.add_cloud('c', cloud('https://one'), client=True)
    assert 'https://one' in client.cli('show-cloud', '--client', 'c', include_model=False)
    client.update_cloud('c', cloud('https://two'), controller='local')
    assert 'https://two' in client.cli(
        'show-cloud', '--controller', 'local', 'c', include_model=False
    )
    client.cli('remove-cloud', '--client', 'c', include_model=False)
    credential = {
        'credentials': {'aws': {'cred1': {'auth-type': 'access-key', 'access-key': 'k'}}}
    }
    client.add_credential('aws', credential, client=True)
    kept = fakes.json.loads(client.cli('credentials', '--format', 'json', include_model=False))
    details = kept['client-credentials']['aws']['cloud-credentials']['cred1']['details']
    assert details == {'access-key': 'k'}


def test_offers_are_consumed_by_another_model(
    juju: fakes.Juju, monkeypatch: pytest.MonkeyPatch, charm: pathlib.Path
):
    juju('add-model', 'one')
    juju('add-model', 'two')
    one, two = juju.jubilant(monkeypatch, 'one'), juju.jubilant(monkeypatch, 'two')
    one.deploy(charm, 'a')
    one.offer('one.a', endpoint='db', name='db1')
    assert one.status().offers['db1'].endpoints['db'].role == 'provider'
    two.consume('one.db1', 'dbalias')
    assert two.status().app_endpoints['dbalias'].url == 'admin/one.db1'


def test_resources_are_read_before_the_command_returns(
    model: fakes.Juju, client: jubilant.Juju, charm: pathlib.Path, tmp_path: pathlib.Path
):
    file = tmp_path / 'r.txt'
    file.write_text('content')
    client.deploy(charm, 'a', resources={'data': str(file)})
    file.unlink()
    kept = model.world().model.applications['a'].resources['data']
    assert (tmp_path / 'data' / 'blobs' / kept.digest).read_text() == 'content'


def test_the_debug_log_is_whole_and_ends(client: jubilant.Juju):
    assert client.debug_log().splitlines() == [
        'unit-a-0: 00:16:40 INFO unit.a/0.juju-log hello',
        'unit-b-0: 00:16:41 ERROR unit.b/0.juju-log oh no',
    ]
    assert client.debug_log(limit=1).count('\n') == 1
