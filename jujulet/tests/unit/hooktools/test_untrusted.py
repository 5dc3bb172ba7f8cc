"""Whatever a charm sends, its tools answer, and reach only what is its own."""

from __future__ import annotations

import dataclasses

import pytest
import toolworld
from hypothesis import given, settings
from hypothesis import strategies as st

from jujulet import codec
from jujulet.core import context as context_
from jujulet.core import edit, hooktools, model
from jujulet.core.hooktools import action
from jujulet.core.hooktools import settings as settings_
from tests.examples import examples

SECRET = 'a' * 20
PLAIN = """
    -r -s -o -l -a -h --app --application --application=false --file --format --format=json
    --label --peek --refresh --owner --unit --relation --revision --endpoints
    --rotate --expire --include-data --now --all --output --strict --
    db db:1 db:2 9 app/0 app/1 mysql mysql/0 syslog/1 data/0 data/1 cache=1
    k=v k= key=value key#base64=eA== key#file=f key#file=- a.b=c stdout=x
    active blocked 80/tcp 80-90/udp icmp peers unit application - x
    json yaml 1 -1 99999999999999999999999 24h 2026-01-01T00:00:00Z monthly
"""
WORDS = st.one_of(
    st.sampled_from(
        [*PLAIN.split(), SECRET, f'secret:{SECRET}', f'secret://{toolworld.UUID}/{SECRET}']
    ),
    st.text(max_size=6),
)
RAW = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [b'{"a": "b"}', b'a: b', b'{"a": "\\ud800"}', b'a: \xff', b'{{{{', b'- a', b'key: dg==']
    ),
)
CALLS = st.builds(
    context_.Call,
    st.tuples(st.sampled_from([*hooktools.NAMES, 'nope', ''])).flatmap(
        lambda name: st.lists(WORDS, max_size=5).map(lambda words: (*name, *words))
    ),
    st.none() | RAW,
    st.dictionaries(st.sampled_from(['f', '-', 'x']), RAW, max_size=2),
)
HOOKS = st.sampled_from(
    [
        model.Hook('config-changed'),
        model.Hook('relation-changed', 1, 'db', 'mysql', 'mysql/0'),
        model.Hook('relation-broken', 1, 'db', 'mysql'),
        model.Hook('action', task='7'),
        model.Hook('exec', task='7'),
        model.Hook('storage-attached', storage='data/0'),
    ]
)


def with_secret(world: toolworld.World) -> None:
    """A secret of mysql's that app may read."""
    secret = model.Secret(
        SECRET,
        'mysql',
        {1: model.SecretRevision(1, {'key': 'v'}, toolworld.NOW)},
        access=(model.SecretAccess('app', 1),),
    )
    world.model = dataclasses.replace(world.model, secrets={SECRET: secret})


def foreign(found: model.Model, unit: str, leads: bool) -> model.Model:
    """A model without what calls of *unit* may change at once."""
    application = unit.partition('/')[0]
    mine = dataclasses.replace(
        found.units[unit],
        workload=model.Status(''),
        status_set=False,
        history=(),
        workload_version='',
        agent=model.Agent(),
    )
    applications = dict(found.applications)
    if leads:
        applications[application] = dataclasses.replace(
            applications[application],
            status=None,
            leader_settings={},
            leader_settings_version=0,
        )
    secrets = {
        key: dataclasses.replace(s, consumers={k: v for k, v in s.consumers.items() if k != unit})
        for key, s in found.secrets.items()
    }
    tasks = {key: dataclasses.replace(task, log=()) for key, task in found.tasks.items()}
    return dataclasses.replace(
        found,
        units={**found.units, unit: mine},
        applications=applications,
        secrets=secrets,
        tasks=tasks,
    )


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(CALLS, max_size=6), HOOKS, st.sampled_from(['app/0', 'app/1', 'syslog/0']))
def test_any_calls_are_answered_and_touch_only_what_is_the_units_own(
    calls: list[context_.Call], hook: model.Hook, unit: str
) -> None:
    world = toolworld.World()
    with_secret(world)
    world.hook(hook, unit)
    leads = world.model.applications[unit.partition('/')[0]].leader == unit
    before = foreign(world.model, unit, leads)
    for call in calls:
        result = world.result(call)
        assert result.code in (0, 1, 2)
        assert (result.code == 0) == (not result.stderr.startswith(b'ERROR '))
        result.stdout.decode()
        result.stderr.decode()
    assert foreign(world.model, unit, leads) == before
    assert codec.decode(model.Model, codec.encode(world.model)) == world.model


def test_the_comparison_would_see_a_tool_that_reaches_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sabotaged twin: a status-set that sets everybody's status."""
    from jujulet.core import edit
    from jujulet.core.hooktools.tool import Ask, Reply

    def reaches(ask: Ask) -> Reply:
        return ask.changes(edit.unit(ask.model, 'mysql/0', workload=model.Status('blocked')))

    broken = dataclasses.replace(hooktools.TOOLS['status-set'], run=reaches)
    monkeypatch.setitem(hooktools.TOOLS, 'status-set', broken)
    world = toolworld.World()
    before = foreign(world.model, 'app/0', True)
    world.run('status-set', 'active')
    assert foreign(world.model, 'app/0', True) != before


def test_words_of_another_encoding_become_text(world: toolworld.World) -> None:
    world.out('status-set', 'active', 'caf\udce9')
    assert world.model.units['app/0'].workload.message == 'caf\ufffd'
    world.out('relation-set', '-r', '1', '--file', '-', stdin=b'{"k": "\\ud800x"}')
    assert world.context.writes.unit_settings[1] == {'k': '\ufffdx'}


@pytest.mark.parametrize('depth', [10, 100_000])
def test_deep_nesting_is_refused(world: toolworld.World, depth: int) -> None:
    for raw in (b'[' * depth, b'{"a":' * depth, b'- ' * min(depth, 3000)):
        said = world.run('relation-set', '-r', '1', '--file', '-', stdin=raw)
        assert said.code == 1
        assert said.err.startswith('ERROR ')


def test_results_of_an_action_nest_only_so_deep(world: toolworld.World) -> None:
    world.hook(model.Hook('action', task='7'), 'app/0')
    world.out('action-set', '.'.join(['a'] * 100) + '=x')
    said = world.run('action-set', '.'.join(['b'] * 101) + '=x')
    assert said.code == 2
    assert said.err.endswith('has 101 levels, at most 100 are taken\n')
    assert set(world.context.action.results) == {'a'}
    codec.encode(dict(world.context.action.results))


def test_an_action_that_never_stops_talking_keeps_its_newest_lines(world: toolworld.World) -> None:
    world.hook(model.Hook('action', task='7'), 'app/0')
    most = action.MOST_LINES
    full = tuple((0.0, str(n)) for n in range(most))
    world.model = edit.task(world.model, '7', log=full)
    world.out('action-log', 'last')
    log = world.model.tasks['7'].log
    assert (len(log), log[0][1], log[-1][1]) == (most, '1', 'last')


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (('status-set', 'active'), 'status message of 65537 letters: at most 65536 are taken'),
        (('application-version-set',), 'version of 65537 letters: at most 65536 are taken'),
    ],
)
def test_what_is_kept_many_times_is_not_as_long_as_one_likes(
    world: toolworld.World, words: tuple[str, ...], said: str
) -> None:
    world.out(*words, 'x' * 65536)
    refused = world.run(*words, 'x' * 65537)
    assert (refused.code, refused.err) == (2, f'ERROR {said}\n')


def test_yaml_that_takes_long_to_read_is_refused_and_json_is_read(world: toolworld.World) -> None:
    long = 'x' * (settings_.MOST_YAML + 1)
    said = world.run('relation-set', '-r', '1', '--file', '-', stdin=f'k: {long}'.encode())
    assert said.err == 'ERROR yaml: more than 4 MiB at once: hand it over as JSON\n'
    world.out('relation-set', '-r', '1', '--file', '-', stdin=f'{{"k": "{long}"}}'.encode())
    assert world.context.writes.unit_settings[1] == {'k': long}
