"""Commands in scripts of Juju's users: disabled commands, pools, spaces renamed, defaults of models, access.

Sources: cmd/juju/{block,storage,space,subnet,model,cloud} of Juju 3.6 and their tests.
"""

from __future__ import annotations

import pathlib

import fakes
import pytest
import yaml

from jujulet.core import change, debugging, refusal, requests

CHANGES_OFF = (
    '\nAll operations that change model have been disabled for the current model.\n'
    'To enable changes, run\n\n    juju enable-command all\n\n'
)
REMOVAL_OFF = (
    '\nAll operations that remove machines, applications, units or\n'
    'relations have been disabled for the current model.\n'
    'To enable removal, run\n\n    juju enable-command remove-object\n\n'
)


class TestDisabledCommands:
    def test_all_of_them_refuse_with_what_the_user_said_of_it(
        self, model: fakes.Juju, charm: pathlib.Path
    ):
        model('disable-command', 'all', 'nope')
        refused = model.run('deploy', str(charm))
        assert refused.code == 1
        assert refused.err.endswith(f'\nERROR nope\n{CHANGES_OFF}\n')
        assert model.run('add-space', 'x').err == f'ERROR nope\n{CHANGES_OFF}\n'
        model('enable-command', 'all')
        model('deploy', str(charm))

    def test_removal_is_refused_and_all_else_goes_on(self, model: fakes.Juju, charm: pathlib.Path):
        model('deploy', str(charm))
        model('disable-command', 'remove-object', 'ask', 'first')
        for words in (
            ('remove-unit', 'tiny/0'),
            ('remove-application', 'tiny'),
            ('remove-machine', '0', '--force'),
        ):
            refused = model.run(*words, '--no-prompt')
            assert refused.err == f'ERROR ask first\n{REMOVAL_OFF}\n', words
        model('config', 'tiny', 'greet=hi')
        model('add-unit', 'tiny')
        assert set(model.world().model.units) == {'tiny/0', 'tiny/1'}

    def test_what_is_said_below_belongs_to_the_command(
        self, model: fakes.Juju, charm: pathlib.Path
    ):
        model('deploy', str(charm))
        model('disable-command', 'all')
        refused = model.run('remove-unit', 'tiny/0', '--no-prompt')
        assert refused.err == f'ERROR \n{REMOVAL_OFF}\n'

    def test_a_model_whose_end_is_disabled_stays(self, model: fakes.Juju):
        model('disable-command', 'destroy-model', 'Check with SA before destruction.')
        refused = model.run('destroy-model', 't', '--no-prompt', '--force')
        assert refused.code == 1
        assert 'destroy-model operation has been disabled for the current model.' in refused.err
        assert 'Check with SA before destruction.' in refused.err
        assert model('models', '--format', 'json').json['models']

    def test_actions_run_all_the_same_and_commands_do_not(
        self, model: fakes.Juju, charm: pathlib.Path
    ):
        model('deploy', str(charm))
        model('disable-command', 'all', 'nope')
        model('run', 'tiny/0', 'do-thing')
        assert model.run('exec', '--unit', 'tiny/0', '--', 'true').code == 1

    def test_what_a_machine_asks_for_is_no_users_command(
        self, model: fakes.Juju, charm: pathlib.Path
    ):
        model('deploy', str(charm))
        model('disable-command', 'all')
        world = model.world()
        asked = requests.Exec(command='true', units=('tiny/0',))
        with pytest.raises(refusal.Refused):
            change.apply(world.model, asked, world.now)
        after, _ = change.apply(world.model, asked, world.now, by_user=False)
        assert len(after.tasks) == len(world.model.tasks) + 1

    def test_they_are_listed(self, model: fakes.Juju):
        assert model('disabled-commands').err == 'No commands are currently disabled.\n'
        assert model('disabled-commands', '--format', 'json').json == []
        model('disable-command', 'remove-object')
        model('disable-command', 'destroy-model', 'no')
        assert model('disabled-commands', '--format', 'json').json == [
            {'command-set': 'remove-object'},
            {'command-set': 'destroy-model', 'message': 'no'},
        ]
        assert [line.split() for line in model('list-disabled-commands').out.splitlines()] == [
            ['Disabled', 'commands', 'Message'],
            ['remove-object'],
            ['destroy-model', 'no'],
        ]
        (of_all,) = model('disabled-commands', '--all', '--format', 'json').json
        assert (of_all['name'], of_all['disabled-commands']) == (
            't',
            ['destroy-model', 'remove-object'],
        )
        assert 'destroy-model, remove-object' in model('disabled-commands', '--all').out

    @pytest.mark.parametrize('verb', ['disable-command', 'enable-command'])
    @pytest.mark.parametrize(
        ('words', 'said'),
        [
            ((), 'missing command set (all, destroy-model, remove-object)'),
            (
                ('frob',),
                'bad command set, valid options: all, destroy-model, remove-object',
            ),
        ],
    )
    def test_a_set_that_is_none_is_refused(
        self, model: fakes.Juju, verb: str, words: tuple[str, ...], said: str
    ):
        refused = model.run(verb, *words)
        assert (refused.code, refused.err) == (2, f'ERROR {said}\n')

    def test_what_is_so_already_is_refused(self, model: fakes.Juju):
        assert model.run('enable-command', 'all').err == 'ERROR block BlockChange is already OFF\n'
        model('disable-command', 'all')
        refused = model.run('disable-command', 'all', 'again')
        assert (refused.code, refused.err) == (1, 'ERROR block BlockChange is already ON\n')
        assert model.run('enable-command', 'all', 'x').err == 'ERROR unrecognized args: ["x"]\n'


class TestPools:
    def test_storage_goes_where_the_user_names_a_pool(
        self, model: fakes.Juju, charm: pathlib.Path
    ):
        model('create-storage-pool', 'fast', 'tmpfs', 'tier=one', 'persistent=true')
        model('deploy', str(charm), '--storage', 'files=fast,1')
        (found,) = model.world().model.storage.values()
        assert found.pool == 'fast'
        model('model-config', 'storage-default-filesystem-source=fast')
        model('add-storage', 'tiny/0', 'files')
        assert {s.pool for s in model.world().model.storage.values()} == {'fast'}

    def test_pools_are_listed_changed_and_removed(self, model: fakes.Juju):
        model('create-storage-pool', 'fast', 'tmpfs', 'tier=one', 'persistent=true')
        assert model('storage-pools', '--format', 'json').json == {
            'fast': {'provider': 'tmpfs', 'attrs': {'persistent': True, 'tier': 'one'}},
            'loop': {'provider': 'loop'},
            'rootfs': {'provider': 'rootfs'},
            'tmpfs': {'provider': 'tmpfs'},
        }
        table = model('storage-pools', '--name', 'fast').out.splitlines()
        assert [line.split() for line in table] == [
            ['Name', 'Provider', 'Attributes'],
            ['fast', 'tmpfs', 'persistent=true', 'tier=one'],
        ]
        model('update-storage-pool', 'fast', 'type=loop', 'tier=two')
        found = model('storage-pools', '--provider', 'loop', '--format', 'json').json
        assert found['fast'] == {'provider': 'loop', 'attrs': {'tier': 'two'}}
        assert set(found) == {'fast', 'loop'}
        model('remove-storage-pool', 'fast')
        said = model('storage-pools', '--name', 'fast')
        assert (said.out, said.err) == ('', 'No storage pools to display.\n')

    @pytest.mark.parametrize(
        ('words', 'code', 'said'),
        [
            (
                ('create-storage-pool', 'x'),
                2,
                'pool creation requires names, provider type and optional attributes for configuration',
            ),
            (
                ('create-storage-pool', 'x', 'a=b'),
                2,
                'pool creation requires names and provider type before optional attributes for configuration',
            ),
            (
                ('create-storage-pool', 'x', 'rootfs', 'a'),
                2,
                'expected "key=value", got "a"',
            ),
            (
                ('create-storage-pool', 'x', 'rootfs', 'a='),
                2,
                'expected "key=value", got "a="',
            ),
            (
                ('create-storage-pool', 'x', 'rootfs', 'a=1', 'a=2'),
                2,
                'key "a" specified more than once',
            ),
            (('create-storage-pool', 'x', 'ebs'), 1, 'storage provider "ebs" not found'),
            (
                ('create-storage-pool', 'mine', 'loop'),
                1,
                'creating pool "mine": cannot overwrite existing settings',
            ),
            (
                ('create-storage-pool', 'x', 'rootfs', 'persistent=x'),
                1,
                'invalid value for pool attribute "persistent": expected bool, got string("x")',
            ),
            (
                ('update-storage-pool', 'x'),
                2,
                'pool update requires name and configuration attributes',
            ),
            (('update-storage-pool', 'x', 'a=b'), 1, 'pool "x" not found'),
            (('remove-storage-pool',), 2, 'pool removal requires storage pool name'),
            (
                ('remove-storage-pool', 'x'),
                1,
                'removing storage pool x failed: storage pool "x" not found',
            ),
            (('remove-storage-pool', 'mine'), 1, 'storage pool "mine" in use'),
            (('storage-pools', '--provider', 'ebs'), 1, 'storage provider "ebs" not found'),
            (('storage', 'x'), 2, 'unrecognized args: ["x"]'),
        ],
    )
    def test_what_cannot_be_is_refused(
        self,
        model: fakes.Juju,
        charm: pathlib.Path,
        words: tuple[str, ...],
        code: int,
        said: str,
    ):
        model('create-storage-pool', 'mine', 'rootfs')
        model('deploy', str(charm), '--storage', 'files=mine,1')
        refused = model.run(*words)
        assert (refused.code, refused.err) == (code, f'ERROR {said}\n')


class TestSpaces:
    @pytest.fixture
    def spaces(self, model: fakes.Juju) -> fakes.Juju:
        model('add-space', 'db', '10.180.40.0/24', 'fd00:60::/64')
        return model

    def test_a_renamed_space_takes_along_all_that_is_in_it(
        self, spaces: fakes.Juju, charm: pathlib.Path
    ):
        spaces('model-config', 'default-space=db')
        spaces('deploy', str(charm), '--bind', 'db', '--constraints', 'spaces=db,^alpha')
        before = spaces.world().model.machines['0'].addresses
        said = spaces('rename-space', 'db', 'fe')
        assert said.err == 'renamed space "db" to "fe"\n'
        after = spaces.world().model
        assert after.spaces['fe'].subnet4 == '10.180.40.0/24'
        assert (
            after.spaces['fe'].network == 'db'
        )  # Machines are in it: it cannot have another name.
        assert [a.ipv4 for a in after.machines['0'].addresses] == [a.ipv4 for a in before]
        assert {a.space for a in after.machines['0'].addresses} == {'fe'}
        assert after.config['default-space'] == 'fe'
        assert 'spaces=fe,^alpha' in spaces('constraints', 'tiny').out
        spaces('add-unit', 'tiny')
        addresses = [m.addresses[0].ipv4 for m in spaces.world().model.machines.values()]
        assert len(set(addresses)) == 2

    def test_a_space_of_the_name_that_it_had_gets_a_network_of_its_own(self, spaces: fakes.Juju):
        spaces('rename-space', 'db', 'fe')
        spaces('add-space', 'db', '10.180.41.0/24')
        found = spaces.world().model.spaces
        networks = [s.network or s.name for s in found.values()]
        assert len(set(networks)) == len(networks) == 3
        spaces('rename-space', 'fe', 'be')
        assert spaces.world().model.spaces['be'].network == 'db'

    @pytest.mark.parametrize(
        ('words', 'code', 'said'),
        [
            ((), 2, 'invalid arguments specified: old-name is required'),
            (('db',), 2, 'invalid arguments specified: new-name is required'),
            (
                ('db', 'X'),
                2,
                'invalid arguments specified: "X" is not a valid space name',
            ),
            (
                ('db', 'db'),
                2,
                'invalid arguments specified: old-name and new-name are the same',
            ),
            (('db', 'a', 'b'), 2, 'unrecognized args: ["b"]'),
            (
                ('alpha', 'x'),
                1,
                'cannot rename space "alpha": the "alpha" space cannot be renamed',
            ),
            (('db', 'alpha'), 1, 'cannot rename space "db": space "alpha" already exists'),
            (('no', 'x'), 1, 'cannot rename space "no": space "no" not found'),
        ],
    )
    def test_what_cannot_be_renamed_is_refused(
        self, spaces: fakes.Juju, words: tuple[str, ...], code: int, said: str
    ):
        refused = spaces.run('rename-space', *words)
        assert (refused.code, refused.err) == (code, f'ERROR {said}\n')

    def test_subnets_are_listed_by_space(self, spaces: fakes.Juju):
        found = yaml.safe_load(spaces('subnets', '--space', 'db').out)
        assert found == {
            'subnets': {
                '10.180.40.0/24': {
                    'type': 'ipv4',
                    'status': 'in-use',
                    'space': 'db',
                    'zones': ['default'],
                },
                'fd00:60::/64': {
                    'type': 'ipv6',
                    'status': 'in-use',
                    'space': 'db',
                    'zones': ['default'],
                },
            }
        }
        assert len(spaces('list-subnets', '--format', 'json').json['subnets']) > 2
        nothing = 'No subnets found matching requested criteria.\n'
        assert spaces('subnets', '--space', 'other').err == nothing
        assert spaces('subnets', '--zone', 'other').err == nothing
        refused = spaces.run('subnets', '--space', 'X')
        assert (refused.code, refused.err) == (2, 'ERROR "X" is not a valid space name\n')

    def test_a_space_has_the_subnets_that_it_is_given(self, spaces: fakes.Juju):
        words = ('10.180.44.0/24', '10.180.45.0/24', 'fd00:44::/64')
        said = spaces('add-space', 'wide', *words)
        assert said.err == f'added space "wide" with subnets {", ".join(words)}\n'
        found = spaces('subnets', '--space', 'wide', '--format', 'json').json['subnets']
        assert set(found) == set(words)

    @pytest.mark.parametrize(
        ('form', 'said'),
        [
            ((), 'Subnet fd00:60::/64 moved from db to alpha\n'),
            (('--format', 'human'), 'Subnet fd00:60::/64 moved from db to alpha\n'),
            (('--format', 'json'), '[{"from":"db","to":"alpha","cidr":"fd00:60::/64"}]\n'),
            (('--format', 'yaml'), '- from: db\n  to: alpha\n  cidr: fd00:60::/64\n'),
        ],
    )
    def test_a_subnet_that_moves_is_told_as_juju_does(
        self, model: fakes.Juju, form: tuple[str, ...], said: str
    ):
        """Source: cmd/juju/space/move_test.go of Juju 3.6."""
        model('add-space', 'db', 'fd00:60::/64')
        moved = model('move-to-space', 'alpha', 'fd00:60::/64', *form)
        assert moved.out == said
        assert 'fd00:60::/64' in model('subnets', '--space', 'alpha').out

    def test_a_move_in_a_table(self, spaces: fakes.Juju):
        out = spaces('move-to-space', 'alpha', 'fd00:60::/64', '--format', 'tabular').out
        rows = [line.split() for line in out.splitlines()]
        assert rows == [
            ['Space', 'From', 'Space', 'To', 'CIDR'],
            ['db', 'alpha', '10.180.40.0/24'],
            ['db', 'alpha', 'fd00:60::/64'],
        ]

    @pytest.mark.parametrize(
        ('words', 'said'),
        [
            ((), 'space name is required'),
            (('%inv#alid',), '"%inv#alid" is not a valid space name'),
            (('db',), 'CIDRs required but not provided'),
            (('db', 'noCIDR'), '"noCIDR" is not a valid CIDR'),
        ],
    )
    def test_a_move_that_is_typed_wrongly(
        self, spaces: fakes.Juju, words: tuple[str, ...], said: str
    ):
        refused = spaces.run('move-to-space', *words)
        assert (refused.code, refused.err) == (2, f'ERROR invalid arguments specified: {said}\n')


class TestModelDefaults:
    def test_models_made_from_now_on_begin_with_them(self, juju: fakes.Juju):
        juju('add-model', 'before')
        juju('model-defaults', 'update-status-hook-interval=1m', 'test-mode=true')
        juju('add-model', 'after', '--config', 'test-mode=false')
        assert dict(juju.world('before').model.config) == {}
        shown = juju('model-config', '--format', 'json').json
        assert shown['update-status-hook-interval'] == {'Value': '1m', 'Source': 'controller'}
        assert shown['test-mode'] == {'Value': False, 'Source': 'model'}
        assert shown['mode']['Source'] == 'default'

    def test_what_is_reset_goes_back_to_the_default_of_models(self, juju: fakes.Juju):
        juju('model-defaults', 'update-status-hook-interval=1m')
        juju('add-model', 't', '--config', 'update-status-hook-interval=10s')
        juju('model-config', '--reset', 'update-status-hook-interval')
        assert juju('model-config', 'update-status-hook-interval').out == '1m\n'
        juju('model-defaults', '--reset', 'update-status-hook-interval')
        juju('model-config', '--reset', 'update-status-hook-interval')
        assert juju('model-config', 'update-status-hook-interval').out == '5m\n'

    def test_they_are_shown_with_what_juju_has(self, juju: fakes.Juju):
        juju('model-defaults', 'http-proxy=http://p', 'ftp-proxy=f', '--reset', 'mode')
        juju('model-defaults', 'localhost/localhost', 'http-proxy=http://q')
        found = juju('model-defaults', 'http-proxy', '--format', 'json').json
        assert found == {
            'http-proxy': {
                'default': '',
                'controller': 'http://p',
                'regions': [{'name': 'localhost', 'value': 'http://q'}],
            }
        }
        table = juju('model-default', 'http-proxy').out.splitlines()
        assert [line.split() for line in table] == [
            ['Attribute', 'Default', 'Controller'],
            ['http-proxy', '""', 'http://p'],
            ['localhost', 'http://q', '-'],
        ]
        juju('add-model', 't')
        shown = juju('model-config', '--format', 'json').json
        assert shown['http-proxy'] == {'Value': 'http://q', 'Source': 'region'}
        assert shown['ftp-proxy'] == {'Value': 'f', 'Source': 'controller'}

    def test_each_cloud_has_its_own(self, juju: fakes.Juju):
        juju('model-defaults', 'processes', 'ftp-proxy=p')
        juju('model-defaults', 'localhost', 'ftp-proxy=l')
        juju('add-model', 'a', 'processes')
        juju('add-model', 'b', 'localhost')
        assert juju('model-config', '-m', 'a', 'ftp-proxy').out == 'p\n'
        assert juju('model-config', '-m', 'b', 'ftp-proxy').out == 'l\n'

    def test_a_file_of_them_and_a_key_of_nobody_s(self, juju: fakes.Juju, tmp_path: pathlib.Path):
        file = tmp_path / 'defaults.yaml'
        file.write_text('test-mode: true\nmy-key: x\n')
        said = juju('model-defaults', str(file))
        assert said.err == (
            'WARNING key "my-key" is not defined in the known model configuration: possible misspelling\n'
        )
        assert juju('model-defaults', 'my-key', '--format', 'json').json == {
            'my-key': {'controller': 'x'}
        }

    @pytest.mark.parametrize(
        ('words', 'said'),
        [
            (('nope',), 'there are no default model values for "nope"'),
            (
                ('localhost/localhost', 'mode'),
                'there are no default model values for "mode" in region "localhost"',
            ),
            (
                ('localhost/localhost',),
                'there are no default model values in region "localhost"',
            ),
            (('aws/east', 'mode=x'), 'cloud "aws" not found'),
            (('aws', 'mode=x'), 'invalid cloud or region specified: "aws"'),
            (('mode=', 'mode'), 'cannot set and retrieve default values simultaneously'),
            (('mode', 'http-proxy'), 'can only retrieve defaults for one key or all'),
            (('--reset', 'agent-version'), '"agent-version" cannot be reset'),
            (
                ('--reset', 'a=b'),
                '--reset accepts a comma delimited set of keys "a,b,c", received: "a=b"',
            ),
            (('--reset', 'a', 'aws'), 'invalid region specified: "aws"'),
            (
                ('--reset', 'a', 'localhost/localhost', 'b'),
                'cannot retrieve defaults for a region and reset attributes at the same time',
            ),
            (
                ('--reset', 'mode', 'mode='),
                'key "mode" cannot be both set and unset in the same command',
            ),
            (('agent-version=3.6.1',), '"agent-version" must be set via "upgrade-model"'),
            (('test-mode=maybe',), 'test-mode: expected bool, got string("maybe")'),
            (('mode=x',), 'mode(s) "x" not valid'),
        ],
    )
    def test_what_cannot_be_is_refused_and_changes_nothing(
        self, juju: fakes.Juju, words: tuple[str, ...], said: str
    ):
        before = juju('model-defaults', '--format', 'json').json
        refused = juju.run('model-defaults', *words)
        assert (refused.code, refused.err) == (1, f'ERROR {said}\n')
        assert juju('model-defaults', '--format', 'json').json == before


class TestCredentials:
    def test_a_credential_is_shown_without_what_is_secret(
        self, juju: fakes.Juju, tmp_path: pathlib.Path
    ):
        file = tmp_path / 'c.yaml'
        file.write_text(
            'credentials: {c: {me: {auth-type: userpass, username: u, password: p}, you: {auth-type: empty}}}\n'
        )
        juju('add-credential', 'c', '--file', str(file))
        found = yaml.safe_load(juju('show-credential', 'c', 'me').out)
        assert found == {
            'client-credentials': {
                'c': {'me': {'content': {'auth-type': 'userpass', 'username': 'u'}}}
            }
        }
        assert 'password: p' in juju('show-credentials', '--show-secrets').out
        assert set(yaml.safe_load(juju('show-credentials').out)['client-credentials']['c']) == {
            'me',
            'you',
        }

    def test_what_is_not_there_is_said(self, juju: fakes.Juju):
        nothing = 'No credentials from this client or from a controller to display.\n'
        assert juju('show-credential').err == nothing
        assert juju('show-credential', 'c', 'x').err == (
            f'client credential content lookup failed: client credentials for cloud "c" not found\n{nothing}'
        )
        refused = juju.run('show-credential', 'c')
        assert (refused.code, refused.err) == (
            2,
            'ERROR both cloud and credential name are needed\n',
        )
        refused = juju.run('show-credential', 'c', 'd', 'e')
        assert refused.err == 'ERROR only cloud and credential names are supported\n'


class TestAccess:
    @pytest.mark.parametrize(
        ('words', 'code', 'said'),
        [
            (('grant',), 2, 'no user specified'),
            (('grant', 'joe'), 2, 'no permission level specified'),
            (('grant', 'joe', 'frob', 't'), 2, '"frob" model access not valid'),
            (('grant', 'joe', 'write', 'admin/t.db'), 2, '"write" offer access not valid'),
            (('grant', 'joe', 'read', 'T'), 2, 'model name "T" not valid'),
            (
                ('grant', 'joe', 'read', 't', 'admin/t.db'),
                2,
                'either specify model names or offer URLs but not both',
            ),
            (
                ('grant', 'joe', 'superuser', 't'),
                2,
                'You have specified a controller access permission "superuser".\n'
                'If you intended to change controller access, do not specify any model names or offer URLs.\n'
                "See 'juju help grant'.",
            ),
            (
                ('grant', 'joe', 'read'),
                2,
                'You have specified a model access permission "read".\n'
                'If you intended to change model access, you need to specify one or more model names.\n'
                "See 'juju help grant'.",
            ),
            (('grant', 'joe', 'read', 'other'), 1, 'model local:admin/other not found'),
            (
                ('grant', 'joe', 'read', 't'),
                1,
                'could not grant model access: user "joe" does not exist locally: user "joe" not found',
            ),
            (
                ('grant', 'joe', 'login'),
                1,
                'could not grant controller access: user "joe" does not exist locally: user "joe" not found',
            ),
            (
                ('grant', 'admin', 'write', 't'),
                1,
                'user already has "write" access or greater',
            ),
            (
                ('revoke', 'admin', 'write', 't'),
                1,
                'could not revoke model access: "admin" is the only user here, and may do everything',
            ),
            (
                ('revoke', 'joe', 'consume', 'admin/t.db'),
                1,
                'could not revoke offer access: user "joe" not found',
            ),
        ],
    )
    def test_what_is_asked_is_refused_as_juju_refuses_it(
        self, model: fakes.Juju, words: tuple[str, ...], code: int, said: str
    ):
        refused = model.run(*words)
        assert (refused.code, refused.err) == (code, f'ERROR {said}\n')


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (
            ('add-unit', 'tiny', '-n', '1000000000'),
            'cannot add 1000000000 units at once: at most 10000',
        ),
        (
            ('add-machine', '-n', '1000000000'),
            'cannot add 1000000000 machines at once: at most 10000',
        ),
    ],
)
def test_a_number_that_nobody_means_is_refused(
    model: fakes.Juju, charm: pathlib.Path, words: tuple[str, ...], said: str
):
    model('deploy', str(charm))
    refused = model.run(*words)
    assert (refused.code, refused.err.splitlines()[-1]) == (1, f'ERROR {said}')
    assert len(model.world().model.units) == 1


def test_a_bundle_that_asks_for_a_billion_units_is_refused(
    model: fakes.Juju, charm: pathlib.Path, tmp_path: pathlib.Path
):
    bundle = tmp_path / 'bundle.yaml'
    bundle.write_text(f'applications: {{tiny: {{charm: {charm}, num_units: 1000000000}}}}\n')
    refused = model.run('deploy', str(bundle))
    assert refused.code == 1
    assert 'at most 10000' in refused.err


class TestDebugging:
    @pytest.fixture
    def deployed(self, model: fakes.Juju, charm: pathlib.Path) -> fakes.Juju:
        model('deploy', str(charm))
        return model

    def test_names_are_checked_as_juju_does(self, deployed: fakes.Juju):
        charm = deployed.world().model.charm_of('tiny')
        names = ('config-changed', 'do-thing', 'db-relation-joined', 'files-storage-attached')
        assert debugging.session(charm, 'tiny/0', names).names == frozenset(names)
        assert debugging.session(charm, 'tiny/0', ('*', 'nope')) == debugging.Session()
        with pytest.raises(refusal.Refused) as refused:
            debugging.session(charm, 'tiny/leader', ('nope',))
        said = str(refused.value)
        assert said.startswith(
            'unit "tiny/leader" contains neither hook nor action "nope", valid actions are [do-thing] '
            'and valid hooks are [config-changed db-relation-broken '
        )
        assert said.endswith(' update-status upgrade-charm]')

    def test_a_session_wants_what_is_named_or_all(self):
        assert debugging.Session().wants('anything')
        assert debugging.Session(frozenset({'start'})).wants('start')
        assert not debugging.Session(frozenset({'start'})).wants('stop')

    @pytest.mark.parametrize('verb', ['debug-hooks', 'debug-code'])
    def test_the_command_becomes_the_session(
        self, deployed: fakes.Juju, verb: str, monkeypatch: pytest.MonkeyPatch
    ):
        asked: list[object] = []

        def debug(**args: object) -> list[list[str]]:
            asked.append(args)
            return [['podman', 'exec', 'x']]

        class BecameError(Exception):
            pass

        def become(program: str, argv: list[str]) -> None:
            raise BecameError(program, argv)

        monkeypatch.setattr(deployed.controller, '_debug', debug, raising=False)
        monkeypatch.setattr('os.execvp', become)
        with pytest.raises(BecameError) as became:
            deployed.run(verb, 'tiny/leader', 'start', 'do-thing')
        assert became.value.args == ('podman', ['podman', 'exec', 'x'])
        at = 'all' if verb == 'debug-code' else ''
        assert asked == [
            {
                'model': 'admin/t',
                'target': 'tiny/leader',
                'names': ['start', 'do-thing'],
                'at': at,
                'tty': False,
            }
        ]

    @pytest.mark.parametrize(
        ('words', 'said'),
        [((), 'no unit name specified'), (('tiny',), '"tiny" is not a valid unit name')],
    )
    def test_what_is_no_unit_is_refused(
        self, deployed: fakes.Juju, words: tuple[str, ...], said: str
    ):
        refused = deployed.run('debug-hooks', *words)
        assert (refused.code, refused.err) == (2, f'ERROR {said}\n')
