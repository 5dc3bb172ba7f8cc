"""Rules that the operator overrides: names that the release does not know are named, and the last good ones stay."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys

import pytest
from charmkit import options, policy, policy_registry, relations, state
from charmkit.machine import Finished
from charmkit.testing import FakeMachine
from charmkit.why import Hook, Why

GOOD, OTHER, BAD = 'demo:list: "@"', 'demo:list: "!"', 'demo:lost: "!"'
HOOK = Hook('config-changed')
SITE = relations.Site(unit='demo/0', leader=True, address='10.0.0.2')
WORDS = 'there is no rule demo:lost (is demo:list meant?)'


def given(text: str, **more: object) -> state.Inputs:
    return dataclasses.replace(
        state.Inputs(site=SITE, options={policy.OPTION: text}, versions={'demo': '1'}), **more
    )


def run(_: Why, inputs: state.Inputs) -> state.Desired:
    """A service that says which rules are in force."""
    return state.Desired(version=str(inputs.options.get(policy.OPTION)))


def lived(inputs: state.Inputs) -> tuple[list[str], state.Desired]:
    """The rules that are in force one after the other, as a run goes, and what comes of it."""
    in_force: list[str] = []
    desired = state.Desired()
    for _ in range(3):
        desired = policy.judged(run, HOOK, inputs)
        in_force.append(desired.version)
        if not desired.tasks:
            break
        (task,) = desired.tasks
        assert isinstance(task, policy.Judge)
        found = policy.Judged(task.key, WORDS if 'lost' in task.text else '')
        if inputs.seen.get(policy.NAME) == found:
            break
        inputs = dataclasses.replace(inputs, seen={policy.NAME: found})
    return in_force, desired


def test_rules_are_judged_before_they_are_in_force():
    in_force, desired = lived(given(OTHER, memory={policy.IN_FORCE: GOOD}))
    assert in_force == [GOOD, OTHER]
    assert (desired.status, desired.memory[policy.IN_FORCE]) == ((), OTHER)


def test_a_rule_that_there_is_not_is_named_and_the_last_good_ones_stay():
    in_force, desired = lived(given(BAD, memory={policy.IN_FORCE: GOOD}))
    assert in_force == [GOOD, GOOD]
    assert desired.memory[policy.IN_FORCE] == GOOD
    assert [s.message for s in desired.status] == [
        f'option policy-overrides: {WORDS}; its last good value is in force'
    ]


def test_what_an_older_revision_took_stays_in_force_and_is_named():
    older = {options.MEMORY: {policy.OPTION: BAD}}
    in_force, desired = lived(given(BAD, memory=older))
    assert in_force == [BAD, BAD]
    assert [s.message for s in desired.status] == [
        f'option policy-overrides: {WORDS}; it is in force'
    ]
    later, _ = lived(given(f'{BAD}\n{GOOD}', memory={**older, **desired.memory}))
    assert later == [BAD, BAD], 'set anew it is refused'


def test_the_first_ones_of_a_unit_that_had_none_are_judged_too():
    in_force, _ = lived(given(BAD, memory={options.MEMORY: {policy.OPTION: ''}}))
    assert in_force == ['', '']


def test_a_new_unit_does_not_enforce_what_nobody_has_judged():
    in_force, desired = lived(given(BAD))
    assert in_force == ['', '']
    assert desired.status == (
        state.Status(
            'blocked', f"option policy-overrides: {WORDS}; the release's own rules are in force"
        ),
    )
    assert desired.memory[policy.IN_FORCE] == ''
    in_force, desired = lived(given(GOOD))
    assert (in_force, desired.status) == (['', GOOD], ())


def test_a_new_unit_has_the_rules_that_its_application_has_until_it_knows_better():
    peers = {policy.AGREED: OTHER}
    in_force, desired = lived(given(BAD, peers=peers))
    assert in_force == [OTHER, OTHER]
    assert [s.message for s in desired.status] == [
        f'option policy-overrides: {WORDS}; its last good value is in force'
    ]
    assert lived(given(GOOD, peers=peers))[0] == [OTHER, GOOD]
    assert lived(given('', peers=peers))[0] == [''], 'none are wanted'
    own = {policy.IN_FORCE: GOOD}
    assert lived(given(BAD, peers=peers, memory=own))[0] == [GOOD, GOOD], 'its own come first'


def test_a_unit_that_served_before_anything_was_noted_goes_on_with_what_it_has():
    assert lived(given(BAD, memory={state.SERVED: True}))[0] == [BAD, BAD]


@pytest.mark.parametrize(('text', 'said'), [(GOOD, GOOD), (BAD, OTHER), ('', None)])
def test_the_application_says_which_rules_it_has_in_force(text: str, said: str | None):
    def speaking(why: Why, inputs: state.Inputs) -> state.Desired:
        return dataclasses.replace(
            run(why, inputs), app_data={'peers': {'x': 'y', policy.AGREED: 'before'}}
        )

    inputs = given(text, memory={policy.IN_FORCE: OTHER})
    (task,) = policy.judged(speaking, HOOK, inputs).tasks or (None,)
    if isinstance(task, policy.Judge):
        found = policy.Judged(task.key, WORDS if text == BAD else '')
        inputs = dataclasses.replace(inputs, seen={policy.NAME: found})
    peers = policy.judged(speaking, HOOK, inputs).app_data['peers']
    assert (peers.get(policy.AGREED), peers['x']) == (said, 'y')
    assert policy.judged(run, HOOK, inputs).app_data == {}, 'what is not known yet says nothing'


def test_they_are_judged_once_and_again_with_another_release():
    _, desired = lived(given(GOOD))
    known = desired.memory
    assert policy.judged(run, HOOK, given(GOOD, memory=known)).tasks == ()
    again = policy.judged(run, HOOK, given(GOOD, memory=known, versions={'demo': '2'}))
    assert [t.name for t in again.tasks] == [policy.NAME]
    assert again.version == GOOD, 'they are in force meanwhile'
    _, bad = lived(given(BAD, memory={policy.IN_FORCE: GOOD}))
    later = policy.judged(run, HOOK, given(BAD, memory=bad.memory))
    assert (later.version, later.tasks) == (GOOD, ())
    assert [WORDS in s.message for s in later.status] == [True]


def test_what_could_not_be_asked_is_asked_again_in_the_next_run():
    first = policy.judged(run, HOOK, given(BAD, memory={policy.IN_FORCE: GOOD}))
    (task,) = first.tasks
    assert isinstance(task, policy.Judge)
    unknown = {policy.NAME: policy.Judged(task.key, '', asked=False)}
    desired = policy.judged(run, HOOK, given(BAD, memory={policy.IN_FORCE: GOOD}, seen=unknown))
    assert policy.JUDGED not in desired.memory
    again = policy.judged(run, HOOK, given(BAD, memory=desired.memory))
    assert [t.name for t in again.tasks] == [policy.NAME]


def test_none_are_none():
    desired = policy.judged(run, HOOK, given('', memory={policy.IN_FORCE: GOOD}))
    assert (desired.version, desired.tasks, desired.memory) == ('', (), {policy.IN_FORCE: ''})
    assert policy.judged(run, HOOK, given('')) == run(HOOK, given(''))


def test_rules_that_only_others_refer_to_are_the_operators_own():
    text = 'a: "rule:mine or (rule:yours)"\nmine: "not rule:default"\ndefault: "!"\n'
    assert policy.names(text) == ({'a'}, {'yours'})


def asked_of(text: str, answer: dict[str, str] | None, status: int = 0) -> policy.Judged:
    said = 'a warning\n' + ('Traceback' if answer is None else json.dumps(answer)) + '\n'
    machine = FakeMachine()
    machine.shell = lambda argv, stdin: Finished(status, said)
    return policy.Judge(text, 'key').carry_out(machine)


def judged(text: str, answer: dict[str, str]) -> str:
    found = asked_of(text, answer)
    assert found.asked
    return found.wrong


def test_what_is_wrong_is_told_in_words():
    assert judged(BAD, {'demo:lost': 'demo:list'}) == WORDS
    assert judged('a: "rule:b"', {'b': ''}) == 'a check refers to b, and there is no such rule'
    many = '\n'.join(f'a{n}: "@"' for n in range(5))
    assert judged(many, {f'a{n}': '' for n in range(5)}).endswith(
        'there is no rule a2, and 2 more like this'
    )
    assert judged(GOOD, {}) == ''


def test_what_cannot_be_asked_is_not_judged():
    unknown = policy.Judged('key', '', asked=False)
    assert asked_of(BAD, None, 1) == asked_of(BAD, {'demo:lost': ''}, 1) == unknown
    assert asked_of(BAD, None) == unknown


REGISTRY = """
class Rule:
    def __init__(self, name, deprecated_rule=None):
        self.name, self.deprecated_rule = name, deprecated_rule
def rules():
    return [Rule('demo:list', Rule('demo:get_all')), Rule('create_port')]
def broken():
    raise ImportError('no')
"""


@pytest.fixture
def services(tmp_path: pathlib.Path) -> pathlib.Path:
    info = tmp_path / 'demo-1.dist-info'
    info.mkdir()
    info.joinpath('METADATA').write_text('Metadata-Version: 2.1\nName: demo\nVersion: 1\n')
    tmp_path.joinpath('demo_policies.py').write_text(REGISTRY)
    return info / 'entry_points.txt'


def asked(services: pathlib.Path, *names: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, '-c', pathlib.Path(policy_registry.__file__).read_text()],
        input=json.dumps(names),
        env={'PYTHONPATH': str(services.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip()


def test_the_registry_on_the_machine_says_which_there_are(services: pathlib.Path):
    services.write_text('[oslo.policy.policies]\ndemo = demo_policies:rules\n')
    names = ('demo:list', 'demo:get_all', 'create_port:mac_address', 'demo:lost', 'other')
    code, said = asked(services, *names)
    assert (code, json.loads(said)) == (0, {'demo:lost': 'demo:list', 'other': ''})


@pytest.mark.parametrize('entry', ['broken', 'nothing'])
def test_a_registry_that_cannot_be_read_says_nothing(services: pathlib.Path, entry: str):
    services.write_text(f'[oslo.policy.policies]\ndemo = demo_policies:{entry}\n')
    assert asked(services, 'x') == (1, '')
    services.unlink()
    assert asked(services, 'x') == (1, '')
