"""A charm's YAML becomes a charm, or one line for each fault: file, place, what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from jujulet.core import bases, charm, charmcraft, charmparse

META: dict[str, Any] = {
    'name': 'app',
    'summary': 's',
    'requires': {'db': {'interface': 'mysql', 'limit': 1}, 'short': 'http'},
    'provides': {'web': {'interface': 'http', 'scope': 'container'}},
    'peers': {'ring': {'interface': 'app-ring'}},
    'extra-bindings': {'public': None},
    'storage': {
        'data': {'type': 'filesystem', 'location': '/srv', 'minimum-size': '1G'},
        'many': {'type': 'block', 'multiple': {'range': '2-'}},
    },
    'resources': {'blob': {'type': 'file', 'filename': 'b.bin', 'description': 'd'}},
    'assumes': ['juju >= 3.1'],
    'series': ['jammy', 'bookworm', 'unheard-of'],
}


def parsed(metadata: Any = None, config: Any = None, actions: Any = None) -> charm.Charm:
    return charmparse.parse(
        charmparse.Files(META if metadata is None else metadata, config, actions)
    )


def refusal(**files: Any) -> str:
    with pytest.raises(charm.Invalid) as caught:
        parsed(**files)
    return str(caught.value)


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    'an endpoint up': ({'provides': {'../x': 'i'}}, "provides: '../x' is not a name"),
    'an endpoint of two lines': ({'peers': {'a\nb': 'i'}}, r"peers: 'a\nb' is not a name"),
    'a binding': ({'extra-bindings': {'a b': None}}, "extra-bindings: 'a b' is not a name"),
    'storage up': (
        {'storage': {'../s': {'type': 'filesystem'}}},
        "storage: '../s' is not a name",
    ),
    'a place up': (
        {'storage': {'s': {'type': 'filesystem', 'location': '/srv/../../etc'}}},
        "storage.s.location: '/srv/../../etc' is not the absolute path of a folder",
    ),
    'a place that is relative': (
        {'storage': {'s': {'type': 'filesystem', 'location': 'etc'}}},
        "storage.s.location: 'etc' is not the absolute path of a folder",
    ),
    'the root': (
        {'storage': {'s': {'type': 'filesystem', 'location': '/'}}},
        "storage.s.location: '/' is not the absolute path of a folder",
    ),
    'a place with NUL': (
        {'storage': {'s': {'type': 'filesystem', 'location': '/a\0b'}}},
        r"storage.s.location: '/a\x00b' is not the absolute path of a folder",
    ),
    'a flood of storage': (
        {'storage': {'s': {'type': 'filesystem', 'multiple': {'range': '9' * 5000}}}},
        'storage.s.multiple.range: at least 999999999 are wanted, at most 1000 can be',
    ),
    'a size beyond numbers': (
        {'storage': {'s': {'type': 'filesystem', 'minimum-size': '9' * 400 + 'P'}}},
        'is not a size such as 512M or 1G',
    ),
    'a resource up': (
        {'resources': {'../r': {'type': 'file', 'filename': 'x'}}},
        "resources: '../r' is not a name",
    ),
    'a file of two lines': (
        {'resources': {'r': {'type': 'file', 'filename': 'a\nb'}}},
        r"resources.r.filename: 'a\nb' is not a file name",
    ),
    'an endless name': ({'name': 'a' * 10_000}, 'is not a charm name'),
}


@pytest.mark.parametrize('what', HOSTILE)
def test_names_that_would_be_paths_or_lines_of_their_own_are_refused(what: str):
    fields, said = HOSTILE[what]
    assert said in refusal(metadata={**META, **fields})


@pytest.mark.parametrize('location', ['/srv', '/srv/a.b/..c/', '/var/run/x', '/a b'])
def test_a_place_for_storage_is_any_absolute_path(location: str):
    fields = {'storage': {'s': {'type': 'filesystem', 'location': location}}}
    assert parsed(metadata={**META, **fields}).storage['s'].location == location


def test_a_range_without_an_end_worth_naming_is_read():
    fields = {'storage': {'s': {'type': 'filesystem', 'multiple': {'range': '0-' + '9' * 5000}}}}
    assert parsed(metadata={**META, **fields}).storage['s'].maximum == 999_999_999


def test_a_whole_charm():
    found = parsed()
    assert found.relations['db'] == charm.RelationMeta('db', 'requirer', 'mysql', limit=1)
    assert found.relations['short'].interface == 'http'
    assert found.relations['web'].scope == 'container'
    assert found.relations['ring'].role == 'peer'
    assert found.extra_bindings == ('public',)
    assert found.storage['data'].minimum_size == 1024
    assert (found.storage['many'].minimum, found.storage['many'].maximum) == (2, -1)
    assert found.resources['blob'].filename == 'b.bin'
    assert [str(b) for b in found.bases] == ['ubuntu@22.04', 'debian@12']


def test_options_have_their_type():
    options = {
        's': {'type': 'string', 'default': ''}, 'n': {'type': 'int', 'default': 3}, 'none': {'type': 'string'},
        'f': {'type': 'float', 'default': 1}, 'b': {'type': 'boolean', 'default': False}, 'x': {'type': 'secret'},
    }  # fmt: skip
    found = parsed(config={'options': options}).options
    assert found['f'].default == 1.0
    assert isinstance(found['f'].default, float)
    assert found['b'].default is False
    assert found['none'].default is None


def test_actions_have_their_schema():
    actions = {
        'do-it': {
            'params': {'n': {'type': 'integer'}},
            'required': ['n'],
            'additionalProperties': False,
        }
    }
    found = parsed(actions=actions).actions['do-it']
    assert found.parameters == {'n': {'type': 'integer'}}
    assert (found.required, found.additional_properties) == (('n',), False)
    assert parsed(actions={'plain': None}).actions['plain'].additional_properties


@pytest.mark.parametrize(
    ('files', 'says'),
    [
        ({'metadata': {'summary': 'x'}}, 'metadata.yaml: a charm needs a "name"'),
        ({'metadata': {'name': 'My_App'}}, 'metadata.yaml: name: "My_App" is not a charm name'),
        ({'metadata': []}, 'metadata.yaml: must be a mapping, not a list'),
        ({'metadata': {'name': 'a', 'requires': ['db']}}, 'metadata.yaml: requires: must be a mapping'),
        ({'metadata': {'name': 'a', 'requires': {'db': {}}}}, 'requires.db: an endpoint needs an "interface"'),
        (
            {'metadata': {'name': 'a', 'requires': {'db': 'x'}, 'provides': {'db': 'x'}}},
            'cannot use one endpoint name twice',
        ),
        (
            {'metadata': {'name': 'a', 'requires': {'db': {'interface': 'x', 'scope': 'contianer'}}}},
            'did you mean "container"?',
        ),
        ({'metadata': {'name': 'a', 'subordinate': True}}, 'at least one endpoint with "scope: container"'),
        ({'metadata': {'name': 'a', 'storage': {'d': {'type': 'tape'}}}}, 'storage.d.type: "tape" is not one of'),
        ({'metadata': {'name': 'a', 'resources': {'r': {}}}}, 'a file resource needs a "filename"'),
        ({'metadata': {'name': 'a', 'resources': {'r': {'filename': '../x'}}}}, 'without a folder'),
        ({'metadata': {'name': 'a', 'assumes': ['k8s-api']}}, 'Kubernetes'),
        ({'config': {'port': {'type': 'int'}}}, 'options belong under "options:"'),
        ({'config': {'options': {'p': {'type': 'integer'}}}}, 'options.p.type: "integer" is not one of'),
        ({'config': {'options': {'p': {'type': 'int', 'default': '3'}}}}, "'3' is not of type int"),
        ({'config': {'options': {'p': {'type': 'int', 'default': True}}}}, 'True is not of type int'),
        ({'actions': {'Do It': {}}}, 'actions.yaml: Do It: not an action name'),
        ({'actions': {'juju-run': {}}}, 'are reserved'),
        ({'actions': {'a': {'params': {'n': {'type': 'int'}}}}}, 'did you mean "integer"?'),
        ({'actions': {'a': {'required': 'n'}}}, 'must be a list of parameter names'),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(files: dict[str, Any], says: str):
    assert says in refusal(**files)


def test_all_faults_are_told_at_once():
    told = refusal(
        metadata={'name': 'A', 'requires': {'x': {}}}, config={'options': {'p': {'type': 'no'}}}
    )
    assert len(told.splitlines()) == 3


CRAFT: dict[str, Any] = {
    'name': 'app', 'type': 'charm', 'title': 'App', 'summary': 's', 'base': 'ubuntu@24.04',
    'platforms': {'amd64': None}, 'config': {'options': {'a': {}}}, 'actions': {'go': {}},
    'links': {'documentation': 'https://d'}, 'requires': {'db': {'interface': 'x'}},
    'parts': {'charm': {'plugin': 'uv', 'source': '../..', 'source-subdir': 'charms/app', 'build-snaps': ['x']}},
}  # fmt: skip


def test_charmcraft_yaml_is_taken_apart():
    found = charmcraft.split(CRAFT)
    assert found.metadata == {
        'name': 'app', 'summary': 's', 'requires': {'db': {'interface': 'x'}}, 'display-name': 'App', 'docs': 'https://d',
    }  # fmt: skip
    assert found.config == {'options': {'a': {}}}
    assert found.actions == {'go': {}}
    assert [str(b) for b in found.bases] == ['ubuntu@24.04']
    assert (found.parts[0].source, found.parts[0].subdir) == ('../..', 'charms/app')


@pytest.mark.parametrize(
    ('more', 'expected'),
    [
        ({'platforms': {'ubuntu@22.04:amd64': None, 'ubuntu@24.04:amd64': None}}, ['ubuntu@22.04', 'ubuntu@24.04']),
        (
            {'platforms': {'jammy': {'build-on': ['ubuntu@22.04:amd64'], 'build-for': ['ubuntu@22.04:amd64']}}},
            ['ubuntu@22.04'],
        ),
        ({'platforms': {}, 'bases': [{'name': 'ubuntu', 'channel': '22.04'}]}, ['ubuntu@22.04']),
        (
            {'platforms': {}, 'bases': [{'build-on': [], 'run-on': [{'name': 'ubuntu', 'channel': '20.04/stable'}]}]},
            ['ubuntu@20.04'],
        ),
    ],
)  # fmt: skip
def test_bases_are_found_wherever_they_are_named(more: dict[str, Any], expected: list[str]):
    data = {**CRAFT, **more}
    del data['base']
    assert [str(b) for b in charmcraft.split(data).bases] == expected


@pytest.mark.parametrize(
    ('more', 'says'),
    [
        ({'require': {}}, 'unknown key "require"; did you mean "requires"?'),
        ({'type': 'bundle'}, 'type: must be "charm"'),
        ({'parts': {'charm': {'plugin': 'poetry'}}}, 'use plugin "uv"'),
        ({'parts': {'charm': {'plugin': 'reactive'}}}, 'pack the charm with charmcraft'),
        ({'parts': {'x': {'plugin': 'rust'}}}, 'plugin "rust" is not supported'),
        ({'parts': {'x': {'plugin': 'dump', 'source': 'https://x/y'}}}, 'not a local folder'),
    ],
)
def test_what_cannot_be_built_is_refused(more: dict[str, Any], says: str):
    with pytest.raises(charm.Invalid) as caught:
        charmcraft.split({**CRAFT, **more})
    assert says in str(caught.value)


@pytest.mark.parametrize('text', ['debian@12', 'ubuntu@24.04/stable', 'noble', 'bookworm'])
def test_bases_are_read_in_every_form(text: str):
    assert bases.python_of(bases.parse(text)) in ('3.11', '3.12')


@pytest.mark.parametrize('text', ['', 'debian', '@12', 'debian@', 'Debian 12', 'ubuntu@24.04/a/b'])
def test_what_is_no_base_is_refused(text: str):
    with pytest.raises(charm.Invalid, match='such as debian@12'):
        bases.parse(text)


def test_the_base_is_chosen_in_jujus_order():
    one, two, other = (bases.parse(t) for t in ('ubuntu@22.04', 'ubuntu@24.04', 'ubuntu@20.04'))
    found = charm.Charm('', 'c', 0, '', bases=(one, two))
    assert bases.choose(found) == one
    assert bases.choose(found, None, two) == two
    assert bases.choose(found, None, other) == one
    assert bases.choose(found, two, one) == two
    assert bases.choose(found, other, None, force=True) == other
    old, new = bases.parse('debian@12'), bases.parse('debian@13')
    assert bases.choose(found, None, new) == new
    packed = charm.Charm('', 'c', 0, '', bases=(old,))
    assert bases.choose(packed, None, new) == old
    assert bases.choose(packed, new, old) == new
    with pytest.raises(charm.Invalid, match='not supported by charm "c"'):
        bases.choose(found, other)


@pytest.mark.parametrize('key', ['summary', 'description'])
def test_what_is_no_text_is_named(key: str):
    assert f'metadata.yaml: {key}: must be text' in refusal(metadata={**META, key: ['x']})
