# ruff: noqa: E501  # a table is read by its lines
"""What operators change and undo: options, charms, relations, actions; each proven, healed, and undone after a kill."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest
from faultstage import FakeLink, run
from hypothesis import given
from hypothesis import strategies as st

from matrix.faults import changes, changing, fault, find, heal, inject, settled
from matrix.history import journal, notes
from matrix.juju import link
from matrix.plans import plan, snapshot

_OPTIONS: dict[str, dict[str, Any]] = {
    'debug': {'type': 'boolean', 'value': False, 'default': False, 'source': 'default'},
    'workers': {'type': 'int', 'value': 4, 'default': 2, 'source': 'user'},
    'region': {'type': 'string', 'value': 'one', 'source': 'user'},
    'key-size': {'type': 'int', 'value': 1, 'source': 'user'},
}


@dataclasses.dataclass
class Juju(FakeLink):
    """An application `web` that is related to `db`, as far as `juju` shows it. `deaf`: it takes commands, and does nothing."""

    options: dict[str, dict[str, Any]] = dataclasses.field(
        default_factory=lambda: json.loads(json.dumps(_OPTIONS))
    )
    revision: int = 3
    related: bool = True
    deaf: bool = False

    async def fresh(self) -> snapshot.Model:
        return self.now()

    def now(self) -> snapshot.Model:
        ends = (('db', 'db'),) if self.related else ()
        back = (('clients', 'web'),) if self.related else ()
        units = tuple(snapshot.Unit(f'web/{n}', str(n)) for n in range(2))
        return snapshot.Model(
            (
                snapshot.Application('web', units, relations=ends, revision=self.revision),
                snapshot.Application('db', (snapshot.Unit('db/0', '2'),), relations=back),
            ),
            tuple(snapshot.Machine(str(n)) for n in range(3)),
        )

    async def run_action(
        self, unit: str, action: str, params: Mapping[str, object], *, within: float
    ) -> Mapping[str, object]:
        self.asked.append(f'run {unit} {action}')
        return {'outcome': 'done'}

    async def cli(self, *args: str, within: float = 60.0) -> str:
        if args[-1] == 'json':
            settings = self.options if args[1] == 'web' else {}
            known = {'pause': '', 'resume': ''} if args[1] == 'web' else {}
            return json.dumps({'settings': settings} if args[0] == 'config' else known)
        self.asked.append(' '.join(args))
        if not self.deaf:
            self.take(args)
        return ''

    def take(self, args: tuple[str, ...]) -> None:
        match args:
            case ('config', _, '--reset', name):
                self.options[name]['value'] = _OPTIONS[name].get('default')
            case ('config', _, said):
                name, _, value = said.partition('=')
                kind = self.options[name]['type']
                self.options[name]['value'] = (
                    value == 'true'
                    if kind == 'boolean'
                    else int(value)
                    if kind == 'int'
                    else value
                )
            case ('refresh', *_):
                self.revision += 1
            case ('remove-relation', *_):
                self.related = False
            case ('integrate', *_):
                self.related = True
            case _:
                raise AssertionError(args)


def drive(
    one: fault.Fault, at: Juju, target: str = 'web', **parameters: Any
) -> tuple[inject.FaultResult, list[journal.What]]:
    """What one event comes to."""
    written: list[journal.What] = []
    event = plan.FaultEvent('e1', one.kind.name, 0, 0, (), (target,), tuple(parameters.items()))
    quick = dataclasses.replace(one, within=(0.1, 0.1))
    return run(inject.drive(quick, event, at, written.append, pause=0.01)), written


@dataclasses.dataclass
class Failing(Juju):
    """A charm whose hook fails once it is changed: for so many looks, or for ever."""

    looks: int = 1_000_000

    def now(self) -> snapshot.Model:
        model = super().now()
        if not self.asked or self.looks <= 0:
            return model
        self.looks -= 1
        web, db = model.applications
        bad = dataclasses.replace(
            web.units[1], workload_status='error', message='hook failed: "config-changed"'
        )
        web = dataclasses.replace(web, units=(web.units[0], bad))
        return dataclasses.replace(model, applications=(web, db))


@pytest.mark.parametrize('one', [changes.CONFIG, changes.UNRELATE])
def test_a_hook_that_fails_again_and_again_is_not_waited_for(
    one: fault.Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled, 'FAILING', 0.05)

    def ended(at: Juju) -> list[str]:
        event = plan.FaultEvent('e1', one.kind.name, 0, 0, (), ('web',), ())
        patient = dataclasses.replace(one, within=(5.0, 600.0))
        written: list[journal.What] = []
        run(inject.drive(patient, event, at, written.append, pause=0.01))
        return [
            str(entry.value) if isinstance(entry, journal.Note) else entry.phase
            for entry in written
            if isinstance(entry, journal.Fault)
            or (isinstance(entry, journal.Note) and entry.kind == notes.REFUSED)
        ]

    *_, landed, said = ended(Failing())
    assert landed == 'landed'
    assert 'it fails again and again: web/1: hook failed: "config-changed"' in said
    # One that Juju tried again with success is waited for.
    monkeypatch.setattr(settled, 'FAILING', 600.0)
    assert ended(Failing(looks=3))[-1] == 'healed'


CASES: dict[str, tuple[fault.Fault, str, dict[str, Any], list[str], str]] = {
    'an option': (
        changes.CONFIG, 'web', {}, ['config web debug=true', 'config web --reset debug'],
        'option debug of web was false, is true',
    ),
    'an option by its name': (
        changes.CONFIG, 'web', {'option': 'workers'}, ['config web workers=5', 'config web workers=4'],
        'option workers of web was 4, is 5',
    ),
    'an option with a value': (
        changes.CONFIG, 'web', {'option': 'region', 'value': 'two'}, ['config web region=two', 'config web region=one'],
        'option region of web was one, is two',
    ),
    'the same charm': (
        changes.REFRESH, 'web', {'path': '/web'}, ['refresh web --path /web'], 'web ran revision 3 of its charm, and runs 4',
    ),
    'another charm': (
        changes.REFRESH, 'web', {'path': '/web', 'replacement': '/new'}, ['refresh web --path /new', 'refresh web --path /web'],
        'web ran revision 3 of its charm, and runs 4',
    ),
    'a relation': (
        changes.UNRELATE, 'web', {}, ['remove-relation web:db db:clients', 'integrate web:db db:clients'],
        'web:db and db:clients are not related any more',
    ),
    'an action': (
        changes.ACTION, 'web/0', {}, ['run web/0 pause', 'run web/0 resume'], 'pause on web/0 has run (outcome: done)',
    ),
}  # fmt: skip


@pytest.mark.parametrize('name', CASES)
def test_it_is_done_seen_undone_and_seen_undone(name: str) -> None:
    one, target, parameters, asked, proof = CASES[name]
    at = Juju()
    driven, written = drive(one, at, target, **parameters)
    assert (driven.outcome, driven.sentence, at.asked) == ('healed', proof, asked)
    assert at.related
    values = {key: value['value'] for key, value in at.options.items()}
    assert values == {key: value['value'] for key, value in _OPTIONS.items()}
    phases = [one.phase for one in written if isinstance(one, journal.Fault)]
    assert phases == ['armed', 'landed', 'healed']


@pytest.mark.parametrize('name', [one for one in CASES if one != 'an action'])
def test_a_juju_that_only_says_yes_is_not_believed(name: str) -> None:
    one, target, parameters, _, _ = CASES[name]
    assert drive(one, Juju(deaf=True), target, **parameters)[0].outcome == 'unproven'


@pytest.mark.parametrize(
    ('one', 'parameters', 'said'),
    [
        (changes.CONFIG, {'option': 'colour'}, "web has no option 'colour'"),
        (changes.REFRESH, {}, 'web has no charm of its own here; say its path or revision'),
        (changes.UNRELATE, {'with': 'cache'}, 'web has no relation with cache that can be told apart'),
        (changes.ACTION, {'action': 'dance'}, 'web has no action dance'),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_touches_nothing(
    one: fault.Fault, parameters: dict[str, Any], said: str
) -> None:
    at = Juju()
    driven, _ = drive(one, at, 'web/0' if one is changes.ACTION else 'web', **parameters)
    assert (driven.outcome, driven.sentence, at.asked) == ('refused', said, [])


@pytest.mark.parametrize('name', CASES)
def test_what_a_killed_runner_left_is_undone_from_its_journal(name: str) -> None:
    one, target, parameters, asked, _ = CASES[name]
    _, written = drive(one, Juju(), target, **parameters)
    left = [
        what
        for what in written
        if not (isinstance(what, journal.Fault) and what.phase == 'healed')
    ]
    entries = [journal.Entry(n, n, '', what) for n, what in enumerate(left, 1)]
    found = [' '.join(command) for _, command in heal.undo(entries)]
    assert found == asked[1:]
    assert heal.undo([journal.Entry(n, n, '', what) for n, what in enumerate(written, 1)]) == ()
    if found and one is not changes.ACTION:
        at = Juju(related=False)
        assert run(heal.amends(at, entries)).failed == ()
        assert at.asked == asked[1:]


def test_a_machine_knows_what_can_be_done_to_its_application() -> None:
    found = run(changes.words(Juju(), frozenset({'web'})))
    assert found['0'] == {'option', 'pause', 'relation', 'local-charm'}
    assert found['2'] == {'relation'}


@given(
    st.dictionaries(
        st.text('abc-', min_size=1, max_size=8)
        | st.sampled_from(['debug', 'password', 'api-key']),
        st.fixed_dictionaries(
            {
                'type': st.sampled_from(['boolean', 'int', 'float', 'string', 'secret']),
                'value': st.booleans() | st.integers() | st.text(max_size=3) | st.none(),
                'source': st.sampled_from(['default', 'user', 'unset']),
            }
        ),
        max_size=6,
    ),
    st.integers(0, 10**6),
)
def test_what_is_chosen_by_chance_is_another_value_and_never_a_secret(
    settings: dict[str, dict[str, Any]], number: int
) -> None:
    found = changing.option(settings, number)
    if found is not None:
        assert found.old != found.new
        assert settings[found.name]['type'] in {'boolean', 'int', 'float'}
        assert found.name not in {'password', 'api-key'}
        assert (
            'debug' not in settings
            or found.name == 'debug'
            or (changing.option({'debug': settings['debug']}, 0) is None)
        )


@pytest.mark.parametrize('value', ['--reset', 'a\nb', 'x;y', '$(id)', ''])
def test_a_parameter_that_is_no_word_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match='cannot be a word'):
        changing.word(value)


def test_what_changes_the_meaning_of_a_bundle_is_done_only_where_a_suite_names_it() -> None:
    known = find.faults()
    asked = {name for name, one in known.items() if one.asked}
    squeezes = {
        'memory-squeeze',
        'descriptors-squeeze',
        'restart-storm',
        'disk-slow',
        'certificate-expired',
    }
    assert asked == {'refresh', 'unrelate', 'action', *squeezes}
    assert 'certificate-expired' not in {one.kind.name for one in find.by_chance(known.values())}
    assert notes.UNDO == 'undo'


def test_a_wrong_word_of_a_plan_is_refused() -> None:
    driven, _ = drive(changes.CONFIG, Juju(), option='debug', value='$(reboot)')
    assert (driven.outcome, 'cannot be a word' in driven.sentence) == ('refused', True)
    assert issubclass(fault.HopelessError, link.LinkError)
