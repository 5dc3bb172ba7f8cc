"""Which faults there are, whose they are, and where a plan may use them."""

from __future__ import annotations

import contextlib
import importlib.metadata
import pathlib
import re
import subprocess
from collections.abc import Mapping

import pytest
from faultstage import MODEL, FakeLink, run

from matrix.faults import facts, fault, find, inject, kinds, units
from matrix.grammar import problem
from matrix.juju import link
from matrix.plans import chaosplan, plan, selectors, snapshot, streams, translate

REFERENCE = (
    pathlib.Path(__file__).parents[3] / 'docs' / 'reference' / 'matrix-faults.md'
).read_text()
EVERYTHING = frozenset(word for one in find.BUILT_IN for word in one.needs)
OWN = """
import dataclasses
from matrix.faults import kinds, units
FAULTS = [dataclasses.replace(units.SLEEP, kind=kinds.unit('{name}'))]
"""


def test_every_fault_of_the_issue_is_there_once() -> None:
    names = [one.kind.name for one in find.BUILT_IN]
    assert len(names) == len({*names})
    assert {*names} >= {
        *('kill', 'freeze', 'stop', 'reboot', 'hard-stop', 'add-unit', 'remove-unit'),
        *('kill-agent', 'depose-leader', 'sever-controller', 'netsplit', 'netsplit-minority'),
        *('netsplit-deaf', 'loss', 'latency', 'resets', 'dns-loss', 'disk-full', 'clock-skew'),
        *('memcached-flush', 'memcached-stop', 'memcached-freeze', 'database-stop'),
        *('database-freeze', 'loadbalancer-stop', 'vip-loss'),
    }


def test_every_action_of_the_first_format_is_a_fault() -> None:
    actions = tuple(chaosplan.Action(name, ()) for name in chaosplan.ACTIONS)
    events = translate.events(chaosplan.Plan(actions), 1).events
    assert {event.fault for event in events} <= {*find.faults()}


def test_the_reference_has_every_fault_and_no_other() -> None:
    rows = [line for line in REFERENCE.splitlines() if line.count('|') == 5]
    named = {name for row in rows[2:] for name in re.findall('`([^`]+)`', row.split('|')[1])}
    assert named == {one.kind.name for one in find.BUILT_IN}


def test_the_example_of_the_reference_is_a_fault(tmp_path: pathlib.Path) -> None:
    example = REFERENCE.partition('```python\n')[2].partition('```')[0]
    _write(tmp_path, 'own.py', example)
    own = find.faults(tmp_path)['drain-queue']
    at = FakeLink()
    injection = inject.injection(plan.FaultEvent('e1', 'drain-queue', 0, 5, (), ('db/0',)), at)
    for step in (own.unable, own.arm, own.inject, own.landed, own.heal, own.healed):
        with contextlib.suppress(link.LinkError):
            run(step(injection))
    for _, text, _ in at.ran:
        said = subprocess.run(['sh', '-n'], input=text, text=True, capture_output=True)
        assert not said.stderr


def test_what_a_plan_alone_may_name_is_never_chosen_by_chance() -> None:
    chosen = {one.kind.name for one in find.by_chance(find.faults().values())}
    assert chosen.isdisjoint({'remove-machine', 'sleep'})


def test_every_fault_says_whom_it_strikes_and_has_a_colour() -> None:
    for one in find.faults().values():
        assert '{target}' in one.sentence
        assert one.colour.startswith('#')


def test_a_bundles_tests_may_bring_faults(tmp_path: pathlib.Path) -> None:
    _write(tmp_path, 'own.py', OWN.format(name='my-fault'))
    _write(tmp_path, 'other.py', 'raise RuntimeError("not for us, so not run")')
    assert 'my-fault' in find.faults(tmp_path)
    (tmp_path / 'bundle.yaml').touch()
    assert 'my-fault' in find.faults(tmp_path / 'bundle.yaml')


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('\nFAULTS = [1 / 0]', '2: error: its faults cannot be loaded: ZeroDivisionError'),
        ('FAULTS = (\n\n', '1: error: its faults cannot be loaded: SyntaxError'),
        ('FAULTS = [1]', '1: error: FAULTS is a list of'),
        ('import nowhere\nFAULTS = []', "1: error: its faults cannot be loaded: ModuleNotFound"),
        (OWN.format(name='freeze'), "1: error: there is another fault called 'freeze'"),
    ],
)  # fmt: skip
def test_what_does_not_load_is_one_error_with_file_and_line(
    tmp_path: pathlib.Path, text: str, said: str
) -> None:
    path = _write(tmp_path, 'own.py', text)
    with pytest.raises(problem.RefusedError) as refused:
        find.faults(tmp_path)
    assert str(refused.value.problems[0]).startswith(f'{path}:{said}')


def test_installed_packages_may_bring_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        importlib.metadata.EntryPoint('good', 'matrix.faults.units:SLEEP', find.GROUP),
        importlib.metadata.EntryPoint('bad', 'no.such:thing', find.GROUP),
    ]

    def offered(*, group: str) -> list[importlib.metadata.EntryPoint]:
        return points if group == find.GROUP else []

    monkeypatch.setattr(importlib.metadata, 'entry_points', offered)
    with pytest.raises(problem.RefusedError) as refused:
        find.faults()
    said = [str(one) for one in refused.value.problems]
    assert len(said) == 2
    assert 'no.such:thing' in said[0]
    assert "another fault called 'sleep'" in said[1]


def _write(folder: pathlib.Path, name: str, text: str) -> pathlib.Path:
    (folder / 'tests').mkdir(exist_ok=True)
    path = folder / 'tests' / name
    path.write_text(text)
    return path


# Where a fault suits.


def _suitable(
    told: facts.Facts, *, redundant: bool = False
) -> dict[str, tuple[selectors.Selector, ...]]:
    found = facts.suitable(find.BUILT_IN, MODEL, told, redundant=redundant)
    return {one.name: one.selectors for one in found}


def test_where_machines_have_everything_all_faults_suit_that_leave_enough_units() -> None:
    found = _suitable(dict.fromkeys('012', EVERYTHING))
    missing = {one.kind.name for one in find.BUILT_IN} - {*found}
    assert missing == {'netsplit-minority'}  # No application has three units.
    assert found['freeze'] == (kinds.UNITS, kinds.ONE)
    spared = selectors.Selector('of', (('applications', 'db'),))
    assert found['remove-unit'] == (kinds.UNITS, spared, kinds.ONE)


def test_a_fault_that_no_machine_is_made_for_suits_nowhere() -> None:
    told = dict.fromkeys('012', EVERYTHING - {'memcached', 'nft'})
    assert {*_suitable(told)}.isdisjoint({'memcached-flush', 'netsplit', 'sever-controller'})
    assert _suitable({}) .keys() <= {'add-unit', 'remove-unit'}  # fmt: skip


def test_a_fault_is_kept_to_the_applications_whose_machines_can() -> None:
    told = {'0': EVERYTHING, '1': EVERYTHING, '2': EVERYTHING - {'memcached'}}
    steps = _suitable(told)['memcached-freeze']
    stream = streams.stream(1, 'x')
    chosen = {selectors.select(steps, MODEL, stream)[0].name for _ in range(20)}
    assert chosen == {'db/0', 'db/1'}


def test_where_asked_only_applications_with_a_second_unit_are_struck() -> None:
    steps = _suitable(dict.fromkeys('012', EVERYTHING), redundant=True)['freeze']
    assert steps[1] == selectors.Selector('of', (('applications', 'db'),))


def test_what_suits_makes_plans_that_a_file_can_hold() -> None:
    suited = facts.suitable(find.BUILT_IN, MODEL, dict.fromkeys('012', EVERYTHING), redundant=True)
    made = plan.generate(7, suited, MODEL, count=40)
    assert {target.partition('/')[0] for one in made.events for target in one.targets} == {'db'}


def test_a_minority_is_less_than_half_of_one_application() -> None:
    five = tuple(snapshot.Unit(f'a/{number}') for number in range(5))
    two = tuple(snapshot.Unit(f'b/{number}') for number in range(2))
    model = snapshot.Model((snapshot.Application('a', five), snapshot.Application('b', two)))
    steps = (kinds.UNITS, kinds.MINORITY)
    for seed in range(10):
        chosen = selectors.select(steps, model, streams.stream(seed))
        assert [one.name[0] for one in chosen] == ['a', 'a']
    assert selectors.select(steps, MODEL, streams.stream(1)) == ()


def test_machines_are_asked_once_each_and_one_that_cannot_be_asked_has_nothing() -> None:
    def answer(target: str, _text: str, env: Mapping[str, str]) -> link.ScriptResult:
        if target == '1':
            raise link.LinkError('gone')
        assert '10.0.0.1' in env['PEERS']
        return link.ScriptResult(0, 'fact nft\nnoise\nfact systemd\n')

    at = FakeLink(answer)
    told = run(facts.look(at))
    words = frozenset({'nft', 'systemd'})
    assert told == {'0': words, '1': frozenset(), '2': words}
    assert sorted(target for target, *_ in at.ran) == ['0', '1', '2']


def test_what_changes_units_goes_through_juju_and_makes_up_for_it() -> None:
    at = FakeLink()
    event = plan.FaultEvent('e1', 'remove-unit', 0, 1, (), ('db/0',))
    injection = fault.Injection(event, ('db/0',), (), at, {})
    run(units.REMOVE.arm(injection))
    run(units.REMOVE.inject(injection))
    assert run(units.REMOVE.landed(injection)) == ''
    at.state = snapshot.Model((snapshot.Application('db', (snapshot.Unit('db/1', '1'),)),))
    assert run(units.REMOVE.landed(injection)) == 'db/0 gone from the model'
    run(units.REMOVE.heal(injection))
    assert run(units.REMOVE.healed(injection)) == ''
    two = (snapshot.Unit('db/1', '1'), snapshot.Unit('db/2', '3'))
    at.state = snapshot.Model((snapshot.Application('db', two),))
    run(units.REMOVE.heal(injection))
    assert run(units.REMOVE.healed(injection)) == 'db has 2 unit(s) again'
    assert at.asked == ['remove db/0', 'add db 1']


def test_a_plan_that_wants_no_amends_gets_none() -> None:
    at = FakeLink()
    event = plan.FaultEvent('e1', 'add-unit', 0, 1, (), ('db',))
    injection = fault.Injection(event, ('db',), (), at, {'for_good': True, 'count': 2})
    run(units.ADD.arm(injection))
    run(units.ADD.inject(injection))
    three = tuple(snapshot.Unit(f'db/{number}') for number in range(3))
    at.state = snapshot.Model((snapshot.Application('db', three),))
    run(units.ADD.heal(injection))
    assert run(units.ADD.landed(injection)) == 'db/2 joined db'
    assert run(units.ADD.healed(injection)) == 'it stays so, as the plan has it'
    assert at.asked == ['add db 2']
