"""Hooks that ask for nothing end before `ops` is loaded: a charm is held to it by being there."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import time

import pytest
from charmkit import idle, relations
from charmkit.relations import drains, loadbalancer
from hypothesis import given
from hypothesis import strategies as st

CHARMS = sorted((pathlib.Path(__file__).parents[2] / 'charms').glob('*/src/charm.py'))


def run(program: pathlib.Path, hook: str, charm_dir: pathlib.Path) -> tuple[int, bool]:
    """Run a charm as Juju would: its exit code, and whether it has loaded ops."""
    given = {'JUJU_DISPATCH_PATH': f'hooks/{hook}', 'JUJU_CHARM_DIR': str(charm_dir)}
    done = subprocess.run(
        [sys.executable, '-X', 'importtime', str(program)],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, bool(re.search(r'\|\s+ops$', done.stderr, re.M))


@pytest.mark.parametrize('program', CHARMS, ids=lambda p: p.parents[1].name)
def test_a_hook_that_asks_for_nothing_does_not_load_ops(
    program: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    assert run(program, 'peers-relation-joined', tmp_path) == (0, False)
    assert run(program, 'peers-relation-created', tmp_path) == (0, False)


def test_it_would_be_seen(tmp_path: pathlib.Path) -> None:
    late = tmp_path / 'charm.py'
    late.write_text('import ops\nimport charmkit\n')
    assert run(late, 'peers-relation-joined', tmp_path) == (0, True)


def test_a_hook_that_asks_for_something_goes_on(tmp_path: pathlib.Path) -> None:
    assert run(CHARMS[0], 'peers-relation-changed', tmp_path)[1]


@pytest.mark.parametrize(
    ('path', 'before', 'after'),
    [
        ('hooks/shared-db-relation-joined', True, True),
        ('hooks/shared-db-relation-created', True, False),
        ('hooks/leader-elected', True, False),
        ('hooks/leader-settings-changed', True, False),
        ('hooks/start', False, False),
        ('hooks/shared-db-relation-changed', False, False),
        ('hooks/shared-db-relation-departed', False, False),
        ('hooks/shared-db-relation-broken', False, False),
        ('hooks/config-changed', False, False),
        ('actions/pause', False, False),
        ('actions/tell-relation-joined', False, False),
        ('', False, False),
    ],
)
def test_which_hooks_ask_for_nothing_before_and_after_the_first_config_changed(
    path: str, before: bool, after: bool, tmp_path: pathlib.Path
) -> None:
    given = {'JUJU_DISPATCH_PATH': path, 'JUJU_CHARM_DIR': str(tmp_path)}
    assert idle.asks_for_nothing(given) is before
    idle.remember(tmp_path, {})
    assert idle.asks_for_nothing(given) is after


ACKS = '{"api/0": {"state": "ready"}, "api/1": {"state": "ready"}}'
TO_ANOTHER = '{"api/0": {"state": "ready"}, "api/1": {"state": "drained"}}'
TO_ME = '{"api/0": {"state": "drained"}, "api/1": {"state": "ready"}}'


class Juju:
    """What relation-get answers, and a charm's directory."""

    def __init__(self, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
        self.charm_dir = folder / 'charm'
        self.charm_dir.mkdir()
        self.answer, self.asked, self.tool = (
            folder / n for n in ('answer', 'asked', 'relation-get')
        )
        self.tool.write_text(f'#!/bin/sh\necho "$@" >{self.asked}\nexec cat {self.answer}\n')
        self.tool.chmod(0o755)
        monkeypatch.setenv('PATH', f'{folder}:{os.environ["PATH"]}')

    def changed(
        self, bag: dict[str, str], relation: str = 'public-backend', who: str = 'lb/0'
    ) -> bool:
        """Whether relation-changed asks for nothing when the databag is *bag*."""
        self.answer.write_text(json.dumps(bag))
        return idle.asks_for_nothing(
            {
                'JUJU_DISPATCH_PATH': f'hooks/{relation}-relation-changed',
                'JUJU_CHARM_DIR': str(self.charm_dir),
                'JUJU_RELATION_ID': f'{relation}:7',
                'JUJU_REMOTE_UNIT': who if '/' in who else '',
                'JUJU_REMOTE_APP': who.partition('/')[0],
                'JUJU_UNIT_NAME': 'api/0',
            }
        )

    def heard(
        self,
        bag: dict[str, str],
        relation: str = 'public-backend',
        who: str = 'lb/0',
        unheeded: frozenset[str] = frozenset(),
    ) -> None:
        """A run found *bag*, and had nothing to do."""
        digest = idle.digest(relation, 'api/0', bag, unheeded)
        idle.remember(self.charm_dir, {idle.key(7, who): digest}, {relation: unheeded})


@pytest.fixture
def juju(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Juju:
    return Juju(tmp_path, monkeypatch)


def test_what_a_run_has_found_already_asks_for_nothing(juju: Juju) -> None:
    assert not juju.changed({'acks': ACKS})
    juju.heard({'acks': ACKS})
    assert juju.changed({'acks': ACKS})
    assert juju.asked.read_text() == '--format=json - lb/0\n'


@pytest.mark.parametrize(
    'bag',
    [{}, {'acks': TO_ME}, {'acks': ACKS, 'port': '1'}, {'acks': 'x'}, {'acks': '[]'}],
    ids=str,
)
def test_what_is_new_asks_for_something(juju: Juju, bag: dict[str, str]) -> None:
    juju.heard({'acks': ACKS})
    assert not juju.changed(bag)


def test_what_is_said_to_another_unit_by_name_asks_for_nothing(juju: Juju) -> None:
    juju.heard({'acks': ACKS})
    assert juju.changed({'acks': TO_ANOTHER})


def test_what_a_run_does_not_heed_asks_for_nothing(juju: Juju) -> None:
    juju.heard({'acks': ACKS, 'port': '1'}, unheeded=frozenset({'acks'}))
    assert juju.changed({'acks': TO_ME, 'port': '1'})
    assert juju.changed({'port': '1'})
    assert not juju.changed({'acks': ACKS, 'port': '2'})
    juju.heard({'acks': ACKS}, relation='peers', unheeded=frozenset({'acks'}))
    assert juju.changed({'acks': TO_ANOTHER}, relation='peers')
    assert not juju.changed(
        {'acks': ACKS}, relation='peers', who='lb/1'
    )  # Of whom nothing was heard.


@pytest.mark.parametrize(
    'memory', ['', '[]', '{}', '{"7 lb/0": "x"}', '{"heard": 1, "unheeded": {}}', 'null']
)
def test_a_memory_of_another_revision_counts_for_nothing(juju: Juju, memory: str) -> None:
    juju.heard({'acks': ACKS})
    (file,) = juju.charm_dir.iterdir()
    file.write_text(memory)
    assert not juju.changed({'acks': ACKS})


def test_the_relations_with_load_balancers_are_those_of_their_interface() -> None:
    """Named twice, since to import the interface would cost what is to be saved."""
    assert set(loadbalancer.ENDPOINTS) == idle.BACKENDS


def test_between_load_balancers_every_word_counts(juju: Juju) -> None:
    """Their peers' acks are of units of other applications: none is said to them by name."""
    juju.heard({'acks': ACKS}, relation='peers')
    assert juju.changed({'acks': ACKS}, relation='peers')
    assert not juju.changed({'acks': TO_ANOTHER}, relation='peers')


def test_what_an_application_says_is_asked_of_the_application(juju: Juju) -> None:
    juju.heard({'grants': ACKS}, who='lb')
    assert juju.changed({'grants': TO_ANOTHER}, who='lb')
    assert juju.asked.read_text() == '--format=json - lb --app\n'
    assert not juju.changed({'grants': TO_ANOTHER}, who='lb/0')  # Of whom nothing was heard.


def test_a_run_counts_for_a_moment(juju: Juju) -> None:
    juju.heard({'acks': ACKS})
    (memory,) = juju.charm_dir.iterdir()
    long_ago = time.time() - idle.FRESH_S - 1
    os.utime(memory, (long_ago, long_ago))
    assert not juju.changed({'acks': ACKS})


def test_a_run_that_broke_off_counts_for_nothing(juju: Juju) -> None:
    juju.heard({'acks': ACKS})
    idle.forget(juju.charm_dir)
    assert not juju.changed({'acks': ACKS})


def test_when_juju_does_not_answer_the_charm_finds_out(juju: Juju) -> None:
    juju.heard({'acks': ACKS})
    juju.tool.write_text('#!/bin/sh\nexit 1\n')
    assert not juju.changed({'acks': ACKS})


_STATES = st.sampled_from(
    ['ready', 'drained', 'forced', 'timeout', 'granted', 'queued', 'refused']
)
_SAID = st.fixed_dictionaries(
    {'token': st.sampled_from('ab'), 'state': _STATES, 'sessions': st.integers(0, 2)}
)
_BY_UNIT = st.dictionaries(st.sampled_from(['api/0', 'api/1']), _SAID)


@given(_BY_UNIT, _BY_UNIT, _SAID, st.sampled_from('ab'))
def test_what_is_said_to_others_changes_nothing_for_a_unit(
    acks: dict[str, object], grants: dict[str, object], other: object, token: str
) -> None:
    def seen(acks: dict[str, object], grants: dict[str, object]) -> object:
        app = {'interface-versions': '[2]', 'lb-units': '["lb/0"]', 'grants': json.dumps(grants)}
        unit = {'acks': json.dumps(acks)}
        relation = relations.Relation(
            id=7, name='public-backend', app='lb', app_data=app, units={'lb/0': unit}, my_data={}
        )
        wish = loadbalancer.Lifecycle(state='drain', token=token)
        return (
            [idle.digest('public-backend', 'api/0', bag) for bag in (app, unit)],
            drains.drain([relation], 'api/0', wish),
            drains.in_rotation([relation], 'api/0', wish),
        )

    assert seen(acks, grants) == seen({**acks, 'api/1': other}, {**grants, 'api/1': other})
