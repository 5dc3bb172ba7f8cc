"""When a machine may start from what another unit's install hook left."""

from __future__ import annotations

import dataclasses
import json

import toolworld

from jujulet import codec
from jujulet.core import context as context_
from jujulet.core import layers, model

CALLS = (
    context_.Call(('juju-log', 'installing')),
    context_.Call(('config-get', '--format=json', 'workers')),
    context_.Call(('is-leader', '--format=json')),
    context_.Call(('state-set', '--file', '-'), b'{"installed": "yes"}'),
    context_.Call(('status-set', 'maintenance', 'installed')),
)


def recording(*calls: context_.Call, unit: str = 'app/0') -> layers.Recording:
    world = toolworld.World()
    world.hook(model.Hook('install'), unit)
    out = layers.Recording()
    for call in calls:
        out = layers.recorded(out, call, world.result(call))
    return out


def replayed(
    found: layers.Recording, world: toolworld.World
) -> tuple[model.Model, context_.Context] | None:
    context = world.hook(model.Hook('install'))
    return layers.replay(world.model, context, found, toolworld.NOW)


def configured(world: toolworld.World, **options: object) -> toolworld.World:
    application = dataclasses.replace(world.model.applications['app'], options=options)
    applications = {**world.model.applications, 'app': application}
    world.model = dataclasses.replace(world.model, applications=applications)
    return world


def test_the_same_answers_are_the_same_hook() -> None:
    found = replayed(recording(*CALLS), toolworld.World())
    assert found is not None
    after, context = found
    assert context.writes.state == {'installed': 'yes'}
    assert after.units['app/0'].workload.message == 'installed'


def test_an_option_that_the_hook_read_makes_it_another() -> None:
    assert replayed(recording(*CALLS), configured(toolworld.World(), workers=9)) is None


def test_an_option_that_it_did_not_read_does_not() -> None:
    assert replayed(recording(*CALLS), configured(toolworld.World(), title='x')) is not None


def test_a_hook_that_asked_who_leads_is_for_leaders_alone() -> None:
    world = toolworld.World()
    world.unit = 'app/1'
    assert replayed(recording(*CALLS), world) is None
    assert replayed(recording(*CALLS, unit='app/1'), world) is not None


def test_a_hook_that_speaks_of_its_own_unit_is_for_none_other() -> None:
    for call in (
        context_.Call(('state-set', 'me=app/0')),
        context_.Call(('state-set', '--file', '-'), b'{"ip": "10.0.0.10"}'),
        context_.Call(('status-set', 'active', 'on juju-test-0')),
    ):
        assert recording(call).personal
        assert replayed(recording(call), toolworld.World()) is None


def test_what_it_logs_of_itself_does_not_matter() -> None:
    found = recording(context_.Call(('juju-log', 'I am app/0')), *CALLS)
    assert not found.personal
    assert replayed(found, toolworld.World()) is not None


def test_the_question_with_which_ops_ends_each_hook_does_not_matter() -> None:
    asked = context_.Call(('is-leader', '--format=json'))
    world = toolworld.World()
    world.unit = 'app/1'
    assert replayed(recording(CALLS[3], asked), world) is not None
    # The twin: with a call behind it, it may have.
    assert replayed(recording(asked, CALLS[3]), world) is None


def test_secrets_and_reboots_are_not_replayed() -> None:
    for argv in (('secret-add', 'key=value'), ('juju-reboot',)):
        assert replayed(recording(context_.Call(argv)), toolworld.World()) is None


def test_a_family_shares_all_that_an_environment_tells() -> None:
    world = toolworld.World()
    family = layers.family(world.model, 'app/0')
    assert layers.family(world.model, 'app/1') == family
    charm = dataclasses.replace(world.model.charms['local:app-0'], digest='other')
    resource = model.Resource('blob', 'x.bin', 'other', 3)
    application = dataclasses.replace(
        world.model.applications['app'], resources={'blob': resource}
    )
    others = (
        dataclasses.replace(world.model, charms={**world.model.charms, charm.url: charm}),
        dataclasses.replace(
            world.model, applications={**world.model.applications, 'app': application}
        ),
        dataclasses.replace(world.model, config={'http-proxy': 'http://p'}),
        dataclasses.replace(world.model, juju_version='4.0.1'),
    )
    assert family not in {layers.family(m, 'app/0') for m in others}
    renamed = dataclasses.replace(world.model, name='another', uuid='b' * 36)
    assert layers.family(renamed, 'app/0') == family


def test_a_recording_can_be_kept_as_json() -> None:
    found = recording(*CALLS, context_.Call(('juju-log', '\udcff'), None))
    text = json.dumps(codec.encode(found))
    assert codec.decode(layers.Recording, json.loads(text)) == found
