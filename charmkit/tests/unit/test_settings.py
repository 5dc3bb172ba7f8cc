"""Text that the operator writes as YAML or as sections: what is there twice is told, with its line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from charmkit import host, options, relations, service, settings, state
from charmkit.why import Hook


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('a: 1\nb: 2\na: 3\n', "line 3: 'a' is in line 1 already"),
        ('a: 1\n"a": 3\n', "line 2: 'a' is in line 1 already"),
        ('x:\n  a: 1\n  a: 1\n', "line 3: 'a' is in line 2 already"),
        ('x: {a: 1, a: 2}\n', "line 1: 'a' is in line 1 already"),
        ('x:\n- b: 1\n- c: {d: [{e: 1,\n   e: 2}]}\n', "line 4: 'e' is in line 3 already"),
        ('1: x\n1: y\n', "line 2: '1' is in line 1 already"),
        (f'{"n" * 50}: 1\n{"n" * 50}: 2', f"line 2: '{'n' * 40}' is in line 1 already"),
    ],
)
def test_a_name_that_is_there_twice_is_told_with_its_line(text: str, said: str):
    with pytest.raises(ValueError, match='already') as e:
        settings.yaml_map(text)
    assert str(e.value) == said


@pytest.mark.parametrize(
    ('text', 'data', 'lines'),
    [
        ('', {}, {}),
        ('# nothing\n\n', None, None),
        ('a: {x: 1}\nb: {x: 1}\n', {'a': {'x': 1}, 'b': {'x': 1}}, {'a': 1, 'b': 2}),
        ('\n\na: [{x: 1}, {x: 2}]\n1: y', {'a': [{'x': 1}, {'x': 2}], '1': 'y'}, {'a': 3, '1': 4}),
        ('{"a": null}', {'a': None}, {'a': 1}),
    ],
)
def test_what_is_there_once_is_read_with_its_line(text: str, data: object, lines: object):
    if data is None:
        with pytest.raises(ValueError, match='it is no map'):
            settings.yaml_lines(text)
    else:
        assert settings.yaml_lines(text) == (data, lines)
        assert settings.yaml_map(text) == data


def test_a_long_text_is_not_taken_for_a_deep_one():
    text = ''.join(f'rule_{n}: [a, [b]]\n' for n in range(100))
    assert len(settings.yaml_lines(text)[0]) == 100
    deep = 'a: ' + '[' * 17 + ']' * 17
    with pytest.raises(ValueError, match='nested too deeply'):
        settings.yaml_lines(deep)


def test_rules_and_sections_that_are_there_twice_are_told():
    with pytest.raises(ValueError, match="line 2: 'get_image' is in line 1 already"):
        settings.rules('get_image: "@"\nget_image: "!"\n')
    twice = '[DEFAULT]\na = 1\n[b]\na = 1\n[DEFAULT]\na = 2\n'
    with pytest.raises(ValueError, match=r'line 6: a is in \[DEFAULT\] already'):
        settings.sections(twice)
    assert settings.sections('[DEFAULT]\na = 1\n[b]\na = 1\n[DEFAULT]\nc = 2\n') == {
        'DEFAULT': {'a': '1', 'c': '2'},
        'b': {'a': '1'},
    }


@pytest.mark.parametrize(
    ('name', 'good', 'twice', 'said'),
    [
        ('policy-overrides', 'x: "@"', 'x: "@"\nx: "!"', "line 2: 'x' is in line 1 already"),
        ('config-flags', '[a]\nb = 1', '[a]\nb = 1\nb = 2', 'line 3: b is in [a] already'),
    ],
)
def test_the_last_good_value_stays_and_the_option_is_named(
    name: str, good: str, twice: str, said: str
):
    found = options.read(options.declared(), {name: twice}, {name: good})
    assert found.values[name] == good
    assert found.good[name] == good
    refused = found.refused[name]
    assert refused.startswith(f'option {name}: ')
    assert 'stays in force' in refused
    assert f'({said})' in refused


def machine(**chosen: Any) -> host.Host:
    """What a service that needs nobody wants of its machine."""
    spec = service.ServiceSpec(
        name='demo', user='demo', packages=('demo-api',), needs=(),
        apps=(service.WsgiApp('demo-api', '/usr/bin/demo', 8778, type='demo'),), config={},
    )  # fmt: skip
    site = relations.Site(unit='demo/0', leader=True, address='10.0.0.2')
    inputs = state.Inputs(site=site, options=chosen, versions={'demo-api': '1.0-1'})
    return service.desired_state(spec, Hook('config-changed'), inputs).host


def test_rules_of_the_operator_are_a_file_that_only_the_service_can_read():
    (file,) = [
        f
        for f in machine(**{'policy-overrides': 'get_images: "@"'}).files
        if json.dumps('get_images') in f.content
    ]
    assert json.loads(file.content) == {'get_images': '@'}
    assert (file.path, file.group, file.mode) == ('/etc/demo/policy.d/charm.yaml', 'demo', 0o640)
    assert file.path in {absent.path for absent in machine().absent}
