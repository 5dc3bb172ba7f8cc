"""The real ``ops`` backend, calling the real client, answered by the real tools: what charms will see."""

from __future__ import annotations

import datetime
import subprocess
from typing import Any

import ops
import pytest
import toolworld
from ops import hookcmds
from ops import model as ops_model

from jujulet.core import model

Backend = ops_model._ModelBackend  # pyright: ignore[reportPrivateUsage]

pytestmark = pytest.mark.filterwarnings('ignore:JujuLogHandler is not set up')


@pytest.fixture
def backend(served: toolworld.World) -> Backend:
    return Backend()


def test_relations(backend: Backend, served: toolworld.World) -> None:
    assert backend.relation_ids('db') == [1]
    assert backend.relation_list(1) == ['mysql/0', 'mysql/1']
    assert backend.relation_remote_app_name(1) == 'mysql'
    assert backend.relation_get(1, 'mysql/0', False)['port'] == '3306'
    assert backend.relation_get(1, 'mysql', True) == {'version': '8'}
    backend.relation_set(1, {'emoji': '🚀 "quoted"\nline', 'user': ''}, False)
    mine = backend.relation_get(1, 'app/0', False)
    assert mine == {'ingress-address': '10.0.0.10', 'emoji': '🚀 "quoted"\nline'}
    backend.relation_set(1, {'a': 'b'}, True)
    assert backend.relation_get(1, 'app', True) == {'want': 'db', 'a': 'b'}
    assert backend.relation_model_get(1) == {'uuid': toolworld.UUID}
    for call in (
        lambda: backend.relation_list(9),
        lambda: backend.relation_get(9, 'mysql/0', False),
        lambda: backend.relation_set(9, {'a': 'b'}, False),
        lambda: backend.network_get('db', 9),
    ):
        with pytest.raises(ops.RelationNotFoundError):
            call()


def test_a_databag_of_a_mebibyte_goes_through(backend: Backend) -> None:
    backend.relation_set(1, {'big': 'x' * 1024 * 1024}, False)
    assert len(backend.relation_get(1, 'app/0', False)['big']) == 1024 * 1024


def test_a_follower_is_denied_its_applications_databag(
    backend: Backend,
    served: toolworld.World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = served.hook(model.Hook('config-changed'), 'app/1')
    monkeypatch.setenv('JUJU_CONTEXT_ID', context.id)
    assert backend.is_leader() is False
    with pytest.raises(ops.ModelError, match='permission denied'):
        backend.relation_get(1, 'app', True)
    with pytest.raises(ops.ModelError, match='cannot write relation settings'):
        backend.relation_set(1, {'a': 'b'}, True)
    with pytest.raises(ops.ModelError, match='this unit is not the leader'):
        backend.status_set('active', is_app=True)


def test_the_unit_itself(backend: Backend, served: toolworld.World) -> None:
    assert backend.is_leader() is True
    assert backend.config_get() == {
        'title': 'hello',
        'workers': 4,
        'ratio': 0.5,
        'debug': False,
    }
    backend.status_set('blocked', '-- no disc --')
    assert backend.status_get()['message'] == '-- no disc --'
    backend.status_set('waiting', '', is_app=True)
    assert backend.status_get(is_app=True)['status'] == 'waiting'
    backend.application_version_set('2025.1')
    backend.juju_log('WARNING', 'x' * 200_000)
    assert backend.planned_units() == 2
    assert backend.resource_get('blob').endswith('/resources/blob/blob.bin')
    assert served.model.units['app/0'].workload_version == '2025.1'
    assert served.model.applications['app'].status is not None
    assert sum(len(message) for _, message in served.log) >= 200_000  # In several parts.


def test_network(backend: Backend) -> None:
    found: Any = ops.Network(backend.network_get('public'))
    assert str(found.bind_address) == '10.1.0.10'
    assert str(found.ingress_address) == '10.1.0.10'
    assert [str(n) for n in found.egress_subnets] == ['10.1.0.10/32']
    assert str(found.interfaces[0].subnet) == '10.1.0.0/24'


def test_ports_and_storage(backend: Backend) -> None:
    backend.open_port('tcp', 443)
    backend.open_port('icmp')
    backend.close_port('tcp', 80)
    assert backend.opened_ports() == {ops.Port('tcp', 443), ops.Port('icmp', None)}
    assert backend.storage_list('data') == [0]
    assert str(backend.storage_get('data/0', 'location')) == '/srv/data'
    backend.storage_add('cache', 2)
    with pytest.raises(ops.ModelError, match='at most 3 instances'):
        backend.storage_add('cache', 2)


def test_an_action(
    backend: Backend,
    served: toolworld.World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ops.ModelError, match='not running an action'):
        backend.action_log('x')
    context = served.hook(model.Hook('action', task='3'))
    monkeypatch.setenv('JUJU_CONTEXT_ID', context.id)
    assert backend.action_get() == {'n': {'a': 1}, 'to': 'x'}
    backend.action_set({'a': {'b': 1, 'c': '--x'}, 'd': 'e f\ng'})
    backend.action_log('half')
    backend.action_fail('because')
    assert served.context.action.results == {'a': {'b': '1', 'c': '--x'}, 'd': 'e f\ng'}
    assert served.context.action.message == 'because'


def test_an_owners_secret(backend: Backend, served: toolworld.World) -> None:
    expire = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    uri = backend.secret_add(
        {'password': 'x=y\n', 'user': 'é'},
        label='db',
        description='of the db',
        expire=expire,
        rotate=ops.SecretRotate.MONTHLY,
        owner='application',
    )
    assert uri.startswith('secret:')
    assert backend.secret_get(label='db') == {'password': 'x=y\n', 'user': 'é'}
    info = backend.secret_info_get(label='db')
    assert (info.revision, info.rotation, info.expires) == (1, ops.SecretRotate.MONTHLY, expire)
    backend.secret_grant(uri, 1)
    assert served.model.secrets == {}
    served.succeed()


def test_a_secrets_life_over_several_hooks(
    backend: Backend,
    served: toolworld.World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def next_hook(unit: str = 'app/0') -> None:
        served.succeed()
        monkeypatch.setenv('JUJU_CONTEXT_ID', served.hook(model.Hook('config-changed'), unit).id)

    uri = backend.secret_add({'password': 'one'}, label='mine', owner='application')
    backend.secret_grant(uri, 1)
    next_hook('mysql/0')
    assert backend.secret_get(id=uri, label='theirs') == {'password': 'one'}
    assert backend.secret_get(label='theirs') == {'password': 'one'}
    with pytest.raises(ops.SecretNotFoundError):
        backend.secret_info_get(id=uri)
    next_hook()
    assert backend.secret_get(label='mine') == {'password': 'one'}
    backend.secret_set(uri, content={'password': 'two'})
    assert backend.secret_get(id=uri) == {'password': 'one'}
    assert backend.secret_get(id=uri, peek=True) == {'password': 'two'}
    assert backend.secret_info_get(id=uri).revision == 2
    next_hook('mysql/0')
    full = f'secret://{toolworld.UUID}/{uri.removeprefix("secret:")}'
    assert backend.secret_get(id=full) == {'password': 'one'}
    assert backend.secret_get(id=full, peek=True) == {'password': 'two'}
    assert backend.secret_get(id=full, refresh=True) == {'password': 'two'}
    assert backend.secret_get(label='theirs') == {'password': 'two'}
    next_hook('mysql/1')
    assert backend.secret_get(id=uri) == {'password': 'two'}
    next_hook()
    backend.secret_revoke(uri, 1)
    next_hook('mysql/0')
    with pytest.raises(ops.ModelError, match='permission denied'):
        backend.secret_get(id=uri)
    next_hook()
    backend.secret_remove(uri)
    next_hook()
    with pytest.raises(ops.SecretNotFoundError):
        backend.secret_get(id=uri)


def test_every_command_of_hookcmds(served: toolworld.World) -> None:
    assert hookcmds.state_get('nope') == ''
    hookcmds.state_set({'k': 'v', 'n': ''})
    assert hookcmds.state_get(None) == {'k': 'v', 'n': ''}
    hookcmds.state_delete('k')
    assert hookcmds.state_get(None) == {'n': ''}
    assert set(hookcmds.goal_state().relations['db']) == {'mysql', 'mysql/0', 'mysql/1'}
    hookcmds.open_port('tcp', 80, to_port=90, endpoints=['web'])
    assert hookcmds.opened_ports(endpoints=True) == [
        hookcmds.Port('tcp', 80, 90, endpoints=['web'])
    ]
    assert hookcmds.storage_get('data/0').kind == 'filesystem'
    assert hookcmds.network_get('db').egress_subnets == ['10.0.0.10/32']
    uri = hookcmds.secret_add({'key': 'v' * 100_000}, owner='unit', expire='24h')
    assert hookcmds.secret_ids() == [uri.removeprefix('secret:')]
    assert hookcmds.secret_get(id=uri) == {'key': 'v' * 100_000}
    hookcmds.secret_revoke(uri, relation_id=None, app='mysql')
    hookcmds.secret_remove(uri, revision=1)
    hookcmds.juju_reboot()
    assert served.context.writes.reboot == 'after'
    with pytest.raises(hookcmds.Error) as caught:
        hookcmds.credential_get()
    assert caught.value.returncode == 1
    assert caught.value.stderr == 'ERROR cannot access cloud credentials: permission denied\n'


def test_secret_content_is_in_no_argument(served: toolworld.World) -> None:
    hookcmds.secret_add({'key': 'do-not-show'})
    assert all('do-not-show' not in word for call in served.calls for word in call.argv)
    assert 'do-not-show' not in repr(served.context)


def test_the_tools_that_are_programs_of_their_own(served: toolworld.World) -> None:
    found = subprocess.run(['jujud', 'version'], capture_output=True, text=True, check=True)
    assert found.stdout == '3.6.12-ubuntu-amd64\n'
