"""Secrets: what is taken, what is refused, who sees what. Source: secret-*.go in Juju's runner/jujuc."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import toolworld

from jujulet.core import model


def get(world: toolworld.World, *argv: str) -> Any:
    return json.loads(world.out(*argv, '--format=json'))


def add(world: toolworld.World, *argv: str) -> str:
    """A secret that is there when the hook has succeeded."""
    found = world.out('secret-add', *argv).strip()
    world.succeed()
    return found


def as_(world: toolworld.World, unit: str) -> None:
    world.hook(model.Hook('config-changed'), unit)


def test_content_comes_in_every_form(world: toolworld.World) -> None:
    uri = add(world, 'plain=a=b', 'coded#base64=aGVsbG8=', 'multi-word-key=1')
    expected = {'plain': 'a=b', 'coded': 'hello', 'multi-word-key': '1'}
    assert get(world, 'secret-get', uri) == expected
    assert get(world, 'secret-get', uri, 'coded') == 'hello'
    assert get(world, 'secret-get', uri, 'plain#base64') == 'YT1i'
    assert world.out('secret-get', uri, 'coded') == 'hello\n'
    assert world.run('secret-get', uri, 'nope').code == 1


def test_content_may_come_from_a_file_of_settings(world: toolworld.World) -> None:
    files = {'f': b'user: me\nkey#base64: /w==\n'}
    said = world.run('secret-add', '--file', 'f', 'more=1', files=files)
    assert said.code == 0
    assert get(world, 'secret-get', said.out.strip(), 'key#base64') == '/w=='


@pytest.mark.parametrize(
    ('argv', 'text'),
    [
        ((), 'missing secret value or filename'),
        (('ab=x',), 'key "ab" not valid'),
        (('Key=x',), 'key "Key" not valid'),
        (('1key=x',), 'key "1key" not valid'),
        (('key-=x',), 'key "key-" not valid'),
        (('key#hex=00',), 'key "key#hex" not valid'),
        (('key#base64=!',), 'base64 value of key "key" not valid'),
        (('novalue',), 'key value "novalue" not valid'),
        (('key=x', '--rotate', 'often'), 'rotate policy "often" not valid'),
        (('key=x', '--owner', 'me'), 'secret owner "me" not valid'),
        (('key=x', '--expire', 'soon'), 'expire time or duration "soon" not valid'),
        (('key=x', '--expire', '-1h'), 'negative expire duration "-1h" not valid'),
        (('key=' + 'x' * 1024 * 1024 + 'x',), 'secret content too large: 1048577 bytes'),
    ],
)
def test_what_cannot_be_a_secret_is_refused(
    world: toolworld.World, argv: tuple[str, ...], text: str
) -> None:
    said = world.run('secret-add', *argv)
    assert said == toolworld.Said('', f'ERROR {text}\n', 2)
    assert not world.context.writes.secrets


@pytest.mark.parametrize(
    ('text', 'expires'),
    [
        ('2020-01-01T00:00:00', 1577836800.0),
        ('2020-01-01T00:00:00Z', 1577836800.0),
        ('2020-01-01T01:00:00+01:00', 1577836800.0),
        ('24h', toolworld.NOW + 86400),
        ('1h30m', toolworld.NOW + 5400),
    ],
)
def test_an_expiry_is_a_time_or_a_duration(
    world: toolworld.World, text: str, expires: float
) -> None:
    world.out('secret-add', 'key=x', '--expire', text)
    assert world.context.writes.secrets[0].expires == expires


def test_every_form_of_an_identifier_is_accepted(world: toolworld.World) -> None:
    uri = add(world, 'key=x')
    bare = uri.removeprefix('secret:')
    for form in (bare, uri, f'secret://{toolworld.UUID}/{bare}'):
        assert get(world, 'secret-get', form) == {'key': 'x'}
    for form in ('secret:x', 'SECRET:' + bare, bare + 'x', bare.replace(bare[0], 'z')):
        assert world.run('secret-get', form).code == 2


def test_two_secrets_have_two_ids_and_a_label_only_one(world: toolworld.World) -> None:
    first = world.out('secret-add', 'key=x', '--label', 'l')
    assert world.out('secret-add', 'key=x') != first
    said = world.run('secret-add', 'key=x', '--label', 'l')
    assert said.err == 'ERROR secret with label "l" already exists\n'
    world.out('secret-add', 'key=x', '--label', 'l', '--owner', 'unit')


def test_an_owner_sees_what_it_has_asked_for(world: toolworld.World) -> None:
    argv = ('key=x', '--label', 'l', '--description', 'd', '--rotate', 'daily', '--expire', '1h')
    uri = world.out('secret-add', *argv).strip()
    bare = uri.removeprefix('secret:')
    world.out('secret-grant', uri, '-r', 'db:1', '--unit', 'mysql/0')
    info = {
        'revision': 1,
        'label': 'l',
        'owner': 'application',
        'description': 'd',
        'rotation': 'daily',
        'expiry': '2025-11-22T11:00:00Z',
        'access': [
            {'target': 'unit-mysql-0', 'scope': 'relation-app.db#mysql.server', 'role': 'view'}
        ],
    }
    assert get(world, 'secret-info-get', uri) == {bare: info}
    assert get(world, 'secret-info-get', '--label', 'l') == {bare: info}
    assert get(world, 'secret-ids') == [bare]
    world.succeed()
    later = get(world, 'secret-info-get', uri)[bare]
    assert later == {**info, 'rotates': '2025-11-23T10:00:00Z'}
    world.out('secret-set', uri, 'key=y', '--description', 'e')
    assert get(world, 'secret-info-get', uri)[bare]['revision'] == 2
    assert get(world, 'secret-info-get', uri)[bare]['description'] == 'e'
    world.out('secret-remove', uri)
    assert get(world, 'secret-ids') == []
    assert world.run('secret-info-get', uri).code == 1
    assert bare in world.model.secrets


def test_the_same_content_makes_no_revision(world: toolworld.World) -> None:
    uri = add(world, 'key=x')
    world.out('secret-set', uri, 'key=x')
    world.succeed()
    secret = world.model.secrets[uri.removeprefix('secret:')]
    assert secret.latest == 1
    world.out('secret-set', uri, 'key=y')
    world.out('secret-set', uri, 'key=z')
    world.succeed()
    assert world.model.secrets[secret.id].latest == 2
    assert world.model.secrets[secret.id].revisions[2].content == {'key': 'z'}


def test_strangers_read_nothing(world: toolworld.World) -> None:
    uri = add(world, 'key=x')
    as_(world, 'mysql/0')
    assert world.run('secret-get', uri) == toolworld.Said('', 'ERROR permission denied\n', 1)
    assert world.run('secret-info-get', uri).code == 1
    assert world.run('secret-grant', uri, '-r', '1').code == 1
    assert world.out('secret-set', uri, 'key=stolen') == ''
    assert world.out('secret-remove', uri) == ''
    assert world.context.writes.secrets == ()
    assert get(world, 'secret-ids') == []


def test_a_grant_to_one_unit_is_for_that_unit(world: toolworld.World) -> None:
    uri = world.out('secret-add', 'key=x').strip()
    world.out('secret-grant', uri, '--relation', '1', '--unit', 'mysql/0')
    world.succeed()
    as_(world, 'mysql/0')
    assert get(world, 'secret-get', uri) == {'key': 'x'}
    as_(world, 'mysql/1')
    assert world.run('secret-get', uri).code == 1
    as_(world, 'app/0')
    said = world.run('secret-grant', uri, '-r', '1')
    assert 'any unit level grants need to be revoked' in said.err
    world.out('secret-revoke', uri, '-r', '1', '--unit', 'mysql/0')
    world.out('secret-grant', uri, '-r', '1')
    world.out('secret-grant', uri, '-r', '1', '--unit', 'mysql/0')  # Has it already.
    world.succeed()
    as_(world, 'mysql/1')
    assert get(world, 'secret-get', uri) == {'key': 'x'}
    as_(world, 'app/0')
    said = world.run('secret-grant', uri, '-r', '1', '--unit', 'app/1')
    assert 'cannot specify unit "app/1" in relation to application "mysql"' in said.err


def test_peers_read_what_their_application_owns(world: toolworld.World) -> None:
    uri = add(world, 'key=x', '--label', 'ours')
    as_(world, 'app/1')
    assert get(world, 'secret-get', '--label', 'ours') == {'key': 'x'}
    assert get(world, 'secret-get', uri, '--label', 'mine') == {'key': 'x'}
    assert get(world, 'secret-get', '--label', 'mine') == {'key': 'x'}
    assert get(world, 'secret-ids') == []
    for tool in ('secret-remove', 'secret-revoke', 'secret-grant'):
        more = () if tool == 'secret-remove' else ('-r', '1')
        assert world.run(tool, uri, *more).err == 'ERROR this unit is not the leader\n'
    as_(world, 'app/0')
    assert get(world, 'secret-get', '--label', 'ours') == {'key': 'x'}
    assert world.run('secret-get', '--label', 'mine').code == 1


def test_a_units_own_secret_is_not_its_peers(world: toolworld.World) -> None:
    as_(world, 'app/1')
    uri = add(world, 'key=x', '--owner', 'unit')
    as_(world, 'app/1')
    assert get(world, 'secret-ids') == [uri.removeprefix('secret:')]
    as_(world, 'app/0')
    assert world.run('secret-get', uri).err == 'ERROR permission denied\n'


def test_a_consumer_follows_what_it_first_read(world: toolworld.World) -> None:
    uri = world.out('secret-add', 'key=1').strip()
    world.out('secret-grant', uri, '-r', '1')
    world.succeed()
    as_(world, 'mysql/0')
    assert get(world, 'secret-get', uri, '--label', 'l') == {'key': '1'}
    as_(world, 'app/0')
    world.out('secret-set', uri, 'key=2')
    world.succeed()
    as_(world, 'mysql/0')
    assert get(world, 'secret-get', uri) == {'key': '1'}
    assert get(world, 'secret-get', uri, '--peek') == {'key': '2'}
    assert get(world, 'secret-get', uri) == {'key': '1'}
    assert get(world, 'secret-get', '--label', 'l', '--refresh') == {'key': '2'}
    assert get(world, 'secret-get', uri) == {'key': '2'}
    assert world.run('secret-get', uri, '--peek', '--refresh').code == 2


def test_an_owner_follows_too_and_moves_when_the_hook_succeeds(world: toolworld.World) -> None:
    uri = add(world, 'key=1')
    assert get(world, 'secret-get', uri) == {'key': '1'}
    world.out('secret-set', uri, 'key=2')
    assert get(world, 'secret-get', uri) == {'key': '1'}
    assert get(world, 'secret-get', uri, '--refresh') == {'key': '2'}
    assert get(world, 'secret-get', uri) == {'key': '2'}
    secret = world.model.secrets[uri.removeprefix('secret:')]
    assert secret.consumers['app/0'].revision == 1
    world.succeed()
    assert world.model.secrets[secret.id].consumers['app/0'].revision == 2


def test_a_granted_user_secret_is_read_by_the_application(world: toolworld.World) -> None:
    sid = 'u' * 20
    secret = model.Secret(
        sid,
        '',
        {1: model.SecretRevision(1, {'key': 'v'})},
        name='mine',
        access=(model.SecretAccess('app'),),
    )
    world.model = dataclasses.replace(world.model, secrets={sid: secret})
    for unit in ('app/0', 'app/1'):
        as_(world, unit)
        assert get(world, 'secret-get', sid) == {'key': 'v'}
        assert world.run('secret-info-get', sid).code == 1
    as_(world, 'mysql/0')
    assert world.run('secret-get', sid).err == 'ERROR permission denied\n'


def test_content_is_in_no_repr_and_no_log(world: toolworld.World) -> None:
    uri = add(world, 'key=do-not-show')
    world.out('secret-set', uri, 'key=do-not-show-either')
    assert 'do-not-show' not in repr(world.context) + repr(world.model) + repr(world.log)


def followed(world: toolworld.World, uri: str, unit: str) -> int:
    """The revision that a unit follows; 0: none."""
    consumer = world.model.secrets[uri.removeprefix('secret:')].consumers.get(unit)
    return consumer.revision if consumer else 0


def renewed(world: toolworld.World) -> str:
    """A secret of the application in its second revision, of which its units have read none."""
    uri = add(world, 'key=1')
    world.out('secret-set', uri, 'key=2')
    world.succeed()
    return uri


@pytest.mark.parametrize('unit', ['app/0', 'app/1'])
def test_an_owner_s_first_read_follows_the_newest_from_then_on(
    world: toolworld.World, unit: str
) -> None:
    uri = renewed(world)
    as_(world, unit)
    assert get(world, 'secret-get', uri) == {'key': '2'}
    world.succeed()
    assert followed(world, uri, unit) == 2
    as_(world, 'app/0')
    world.out('secret-set', uri, 'key=3')
    world.succeed()
    as_(world, unit)
    assert get(world, 'secret-get', uri) == {'key': '2'}


@pytest.mark.parametrize('unit', ['app/0', 'app/1'])
def test_an_owner_s_peek_looks_and_does_not_move(world: toolworld.World, unit: str) -> None:
    uri = add(world, 'key=1')
    as_(world, unit)
    get(world, 'secret-get', uri)
    world.succeed()
    as_(world, 'app/0')
    world.out('secret-set', uri, 'key=2')
    world.succeed()
    as_(world, unit)
    assert get(world, 'secret-get', uri, '--peek') == {'key': '2'}
    assert get(world, 'secret-get', uri) == {'key': '1'}
    world.succeed()
    assert followed(world, uri, unit) == 1


@pytest.mark.parametrize('unit', ['app/0', 'app/1'])
def test_an_owner_s_refresh_moves_when_the_hook_has_succeeded_and_not_when_it_failed(
    world: toolworld.World, unit: str
) -> None:
    uri = add(world, 'key=1')
    as_(world, unit)
    get(world, 'secret-get', uri)
    world.succeed()
    as_(world, 'app/0')
    world.out('secret-set', uri, 'key=2')
    world.succeed()
    as_(world, unit)
    assert get(world, 'secret-get', uri, '--refresh') == {'key': '2'}
    as_(world, unit)  # The hook failed; it begins anew.
    assert followed(world, uri, unit) == 1
    assert get(world, 'secret-get', uri) == {'key': '1'}
    assert get(world, 'secret-get', uri, '--refresh') == {'key': '2'}
    world.succeed()
    assert followed(world, uri, unit) == 2


def test_an_owner_follows_the_newest_where_the_revision_that_it_followed_is_gone(
    world: toolworld.World,
) -> None:
    uri = add(world, 'key=1')
    get(world, 'secret-get', uri)
    world.out('secret-set', uri, 'key=2')
    world.succeed()
    world.out('secret-remove', uri, '--revision', '1')
    world.succeed()
    assert get(world, 'secret-get', uri) == {'key': '2'}


def test_what_an_owner_reads_of_a_secret_that_this_hook_made_is_what_it_gave_it(
    world: toolworld.World,
) -> None:
    uri = world.out('secret-add', 'key=1', 'other=x').strip()
    assert get(world, 'secret-get', uri) == {'key': '1', 'other': 'x'}
    assert get(world, 'secret-get', uri, 'other') == 'x'
    assert get(world, 'secret-get', uri, 'other#base64') == 'eA=='
    said = world.run('secret-get', uri, 'third')
    assert (said.err, said.code) == ('ERROR secret key value "third" not found\n', 1)


def test_the_label_that_an_owner_gives_is_everyones_and_a_followers_its_own(
    world: toolworld.World,
) -> None:
    uri = add(world, 'key=1')
    bare = uri.removeprefix('secret:')
    assert get(world, 'secret-get', uri, '--label', 'ours') == {'key': '1'}
    world.succeed()
    assert world.model.secrets[bare].label == 'ours'
    assert world.model.secrets[bare].consumers['app/0'].label == ''
    as_(world, 'app/1')
    assert get(world, 'secret-get', '--label', 'ours') == {'key': '1'}
    assert get(world, 'secret-get', uri, '--label', 'mine') == {'key': '1'}
    world.succeed()
    assert world.model.secrets[bare].label == 'ours'
    assert world.model.secrets[bare].consumers['app/1'].label == 'mine'
    assert get(world, 'secret-get', '--label', 'mine') == {'key': '1'}
    assert get(world, 'secret-get', uri) == {'key': '1'}
    assert world.model.secrets[bare].consumers['app/1'].label == 'mine'
    as_(world, 'app/0')
    said = world.run('secret-get', '--label', 'mine')
    assert (said.err, said.code) == ('ERROR secret "mine" not found\n', 1)


def test_a_label_is_of_one_secret_for_each_who_reads(world: toolworld.World) -> None:
    first, second = add(world, 'key=1'), add(world, 'key=2')
    for uri in (first, second):
        world.out('secret-grant', uri, '-r', '1')
    world.succeed()
    as_(world, 'mysql/0')
    assert get(world, 'secret-get', first, '--label', 'l') == {'key': '1'}
    said = world.run('secret-get', second, '--label', 'l')
    assert (said.err, said.code) == ('ERROR secret label "l" already exists\n', 1)
    assert get(world, 'secret-get', first, '--label', 'l') == {'key': '1'}
    assert get(world, 'secret-get', first, '--label', 'm') == {'key': '1'}
    assert get(world, 'secret-get', second, '--label', 'l') == {'key': '2'}
    as_(world, 'mysql/1')
    assert get(world, 'secret-get', second, '--label', 'm') == {'key': '2'}


def test_what_is_not_there_or_not_asked_for_right_is_said(world: toolworld.World) -> None:
    said = world.run('secret-get')
    assert (said.err.splitlines()[0], said.code) == (
        'ERROR require either a secret URI or label',
        2,
    )
    said = world.run('secret-get', 'secret:9m4e2mr0ui3e8a215n4g')
    assert (said.err, said.code) == ('ERROR secret "9m4e2mr0ui3e8a215n4g" not found\n', 1)
    uri = add(world, 'key=1')
    said = world.run('secret-get', uri, '--peek', '--refresh')
    assert said.err.splitlines()[0] == 'ERROR specify one of --peek or --refresh but not both'
