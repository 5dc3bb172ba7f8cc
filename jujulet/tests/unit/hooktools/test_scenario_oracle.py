"""The same calls of the ``ops`` backend, on ops-scenario and on ours, answer the same.

Where the two are known to differ, Juju wins and the calls are not drawn: ``status-get`` and
``secret-info-get`` of what only the leader may see, removing a secret's newest revision, ports in ranges.
"""

from __future__ import annotations

import dataclasses
import logging
import pathlib
from collections.abc import Generator
from typing import Any

import ops
import pytest
import scenario
import toolworld
from hypothesis import given, settings
from hypothesis import strategies as st
from ops import hookcmds
from ops import model as ops_model
from scenario import mocking

from jujulet.core import hooktools, model
from jujulet.core.hooktools.tool import Ask, Reply
from tests.examples import examples

META = {
    'name': 'app',
    'requires': {'db': {'interface': 'mysql'}},
    'provides': {'web': {'interface': 'http'}},
    'peers': {'peers': {'interface': 'app-peers'}},
}
CONFIG = {
    'options': {
        'title': {'type': 'string', 'default': 'hello'},
        'workers': {'type': 'int', 'default': 4},
        'ratio': {'type': 'float', 'default': 0.5},
        'debug': {'type': 'boolean', 'default': False},
        'unset': {'type': 'string'},
    }
}

Step = tuple[Any, ...]

KEYS = st.sampled_from(['user', 'n', 'a-b', 'long_key'])
VALUES = st.text(st.characters(exclude_categories=['Cs', 'Cc']), max_size=6)
SETTINGS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=3)
CONTENT = st.dictionaries(
    st.sampled_from(['password', 'user', 'key-2']), VALUES.filter(bool), min_size=1, max_size=2
)
WHO = st.sampled_from(['app/0', 'mysql/0', 'mysql/1'])
RELATION = st.sampled_from([1, 1, 1, 2, 9])
NTH = st.integers(0, 2)

STEPS = st.one_of(
    st.tuples(st.just('relation_ids'), st.sampled_from(['db', 'web', 'peers'])),
    st.tuples(st.just('relation_list'), RELATION),
    st.tuples(st.just('relation_remote_app_name'), RELATION),
    st.tuples(st.just('relation_get'), st.just(1), WHO, st.just(False)),
    st.tuples(st.just('relation_get'), st.sampled_from([2, 9]), st.just('app/0'), st.just(False)),
    st.tuples(st.just('relation_get'), RELATION, st.just('app'), st.just(True)),
    st.tuples(st.just('relation_get'), st.just(1), st.just('mysql'), st.just(True)),
    st.tuples(st.just('relation_set'), RELATION, SETTINGS, st.booleans()),
    st.tuples(
        st.just('status_set'),
        st.sampled_from(['active', 'blocked', 'waiting', 'maintenance']),
        VALUES,
    ),
    st.tuples(st.just('status_get')),
    st.tuples(st.just('is_leader')),
    st.tuples(st.just('config_get')),
    st.tuples(st.just('planned_units')),
    st.tuples(st.just('open_port'), st.just('tcp'), st.sampled_from([80, 443])),
    st.tuples(st.just('close_port'), st.just('tcp'), st.sampled_from([80, 443])),
    st.tuples(st.just('open_port'), st.just('icmp')),
    st.tuples(st.just('opened_ports')),
    st.tuples(st.just('secret_add'), CONTENT, st.sampled_from([None, 'l1', 'l2'])),
    st.tuples(st.just('secret_get'), NTH, st.sampled_from(['', 'peek', 'refresh'])),
    st.tuples(st.just('secret_set'), NTH, CONTENT),
    st.tuples(st.just('secret_info_get'), NTH),
    st.tuples(st.just('secret_remove'), NTH),
)


@pytest.fixture(autouse=True, scope='module')
def quiet() -> Generator[None]:
    """Scenario logs every start of a charm."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Player:
    """Plays steps on one backend; secrets go by the order in which they were made."""

    def __init__(self, backend: Any):
        self.backend = backend
        self.secrets: list[str] = []
        self.labels: set[str] = set()
        self.changed: set[int] = set()
        self.removed: set[int] = set()

    def play(self, step: Step) -> Any:
        try:
            return self._play(*step)
        except ops.ModelError as error:
            return type(error).__name__

    def _play(self, verb: str, *args: Any) -> Any:
        if verb == 'secret_add':
            return self._add(*args)
        if verb.startswith('secret_'):
            if args[0] >= len(self.secrets):
                return None
            return getattr(self, f'_{verb}')(*args)
        found = getattr(self.backend, verb)(*args)
        if verb == 'status_get':
            return found['status'], found['message']
        return sorted(found) if verb.endswith(('_ids', '_list')) else found

    def _add(self, content: dict[str, str], label: str | None) -> None:
        if label in self.labels:  # Scenario lets labels be taken twice.
            return
        if label:
            self.labels.add(label)
        found = self.backend.secret_add(content, label=label, owner='application')
        self.secrets.append(found)

    def _secret_get(self, nth: int, how: str) -> Any:
        if nth in self.changed and not how:
            return None  # Of a secret made in this hook Scenario keeps the first content apart.
        flags = {how: True} if how else {}
        return self.backend.secret_get(id=self.secrets[nth], **flags)

    def _secret_set(self, nth: int, content: dict[str, str]) -> None:
        if nth in self.removed:
            return  # Juju says nothing, Scenario that there is no such secret.
        self.changed.add(nth)
        self.backend.secret_set(self.secrets[nth], content=content)

    def _secret_info_get(self, nth: int) -> Any:
        found = self.backend.secret_info_get(id=self.secrets[nth])
        return (found.label or '', found.rotation or ops.SecretRotate.NEVER, found.expires)

    def _secret_remove(self, nth: int) -> None:
        if nth in self.removed:
            return
        self.removed.add(nth)
        self.backend.secret_remove(self.secrets[nth])


def oracle(leader: bool) -> Player:
    """Scenario's backend, in the state of the test world."""
    relation = scenario.Relation(
        'db',
        id=1,
        remote_app_name='mysql',
        local_app_data={'want': 'db'},
        remote_app_data={'version': '8'},
        local_unit_data={'ingress-address': '10.0.0.10', 'user': 'me'},
        remote_units_data={0: {'host': '10.0.0.20', 'port': '3306'}, 1: {'host': '10.0.0.21'}},
    )
    peers = scenario.PeerRelation(
        'peers',
        id=2,
        local_app_data={'shared': 'yes'},
        local_unit_data={'n': '0'},
        peers_data={1: {'n': '1'}},
    )
    state = scenario.State(
        relations={relation, peers},
        leader=leader,
        planned_units=2,
        unit_status=ops.ActiveStatus(),
    )
    context = scenario.Context(ops.CharmBase, meta=META, config=CONFIG, juju_version='3.6.12')
    with context(context.on.config_changed(), state) as run:
        found = run.charm.model._backend  # pyright: ignore[reportPrivateUsage]
        assert isinstance(found, mocking._MockModelBackend)  # pyright: ignore[reportPrivateUsage]
        return Player(found)


def started(leader: bool) -> toolworld.World:
    world = toolworld.World()
    if not leader:
        application = dataclasses.replace(world.model.applications['app'], leader='app/1')
        applications = {**world.model.applications, 'app': application}
        world.model = dataclasses.replace(world.model, applications=applications)
        world.hook(model.Hook('config-changed'))
    return world


def ours(world: toolworld.World, patch: pytest.MonkeyPatch) -> Player:
    """The real backend, its tools answered in this process instead of by the client: the same words go in."""

    def run(*args: str, input: str | None = None, redacted_cmd: Any = None) -> str:  # noqa: A002
        stdin, files = hooktools.wants(args)
        said = world.run(
            *args,
            stdin=(input or '').encode() if stdin else None,
            files={path: pathlib.Path(path).read_bytes() for path in files},
        )
        if said.code:
            raise hookcmds.Error(
                returncode=said.code, cmd=list(args), stdout=said.out, stderr=said.err
            )
        return said.out

    for name in ('_action', '_other', '_port', '_relation', '_secret', '_status', '_storage'):
        patch.setattr(getattr(hookcmds, name), 'run', run)
    patch.setenv('JUJU_UNIT_NAME', 'app/0')
    patch.setenv('JUJU_VERSION', '3.6.12')
    patch.setenv('JUJU_MODEL_NAME', 'test')
    patch.setenv('JUJU_MODEL_UUID', toolworld.UUID)
    return Player(ops_model._ModelBackend())  # pyright: ignore[reportPrivateUsage]


@pytest.mark.filterwarnings('ignore:JujuLogHandler is not set up')
@settings(max_examples=examples(40), deadline=None)
@given(st.lists(STEPS, max_size=14))
def test_the_leaders_calls_answer_as_scenarios_do(steps: list[Step]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        here, there = ours(started(True), patch), oracle(True)
        for step in steps:
            assert here.play(step) == there.play(step), step


FOLLOWER = STEPS.filter(
    lambda s: (
        not s[0].startswith('secret_')
        and not (s[0] == 'relation_set' and s[3])
        and not (s[0] == 'relation_get' and s[2] == 'app' and s[1] == 1)
    )
)


@pytest.mark.filterwarnings('ignore:JujuLogHandler is not set up')
@settings(max_examples=examples(25), deadline=None)
@given(st.lists(FOLLOWER, max_size=14))
def test_a_followers_calls_answer_as_scenarios_do(steps: list[Step]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        here, there = ours(started(False), patch), oracle(False)
        for step in steps:
            assert here.play(step) == there.play(step), step


def forgets(ask: Ask) -> Reply:
    return ask.changes(ask.model)


def test_the_comparison_would_see_a_tool_that_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sabotaged twin: a relation-set that does nothing is found by a write and a read."""
    tool = hooktools.TOOLS['relation-set']
    broken = dataclasses.replace(tool, run=forgets)
    monkeypatch.setitem(hooktools.TOOLS, 'relation-set', broken)
    with pytest.MonkeyPatch.context() as patch:
        here, there = ours(started(True), patch), oracle(True)
        for step in (('relation_set', 1, {'a': 'b'}, False), ('relation_get', 1, 'app/0', False)):
            results = here.play(step), there.play(step)
    assert results[0] != results[1]
