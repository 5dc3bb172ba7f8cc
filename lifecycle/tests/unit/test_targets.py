"""Other targets than a base: charms that lie in a folder, and several targets one after the other."""

from __future__ import annotations

import itertools
import pathlib

import pytest
import simulated
from hypothesis import given
from test_engine import IN_PLACE, KILLS, cloud

from lifecycle import charms, engine, sequence, upgrade_lock, upgrade_request
from lifecycle.journal import JournalEntry
from lifecycle.problem import ProblemError
from lifecycle.step import Target

_numbers = itertools.count(9000)
CHARMS = Target(
    charms='/c', digest='1', paths={'keystone': '/c/keystone', 'glance': '/c/glance_1.charm'}
)
BASE = Target(base='debian@13')
ARCHIVE = IN_PLACE.target


def upgraded(model: simulated.Model, *targets: Target, until: str = '') -> list[JournalEntry]:
    model.begin(f'ann@here process {next(_numbers)}')
    said: list[JournalEntry] = []
    wish = upgrade_request.UpgradeRequest(target=targets[0], until=until)
    turned = sequence.in_turn(targets, upgrade_lock.read(model))
    sequence.run(model, wish, turned, f'n{next(_numbers)}', said.append)
    return said


def of_refreshes() -> simulated.Model:
    model = cloud(keystone=2, glance=1)
    model.least = dict.fromkeys(model.apps, 0)  # A refresh is all units' at once.
    return model


# --- Charms.


def test_charms_are_refreshed_one_after_the_other_each_once_the_one_before_is_well():
    model = of_refreshes()
    said = upgraded(model, CHARMS)
    assert model.asked == ['refresh keystone /c/keystone', 'refresh glance /c/glance_1.charm']
    order = [(one.kind, one.step) for one in said if one.kind in ('step', 'done')]
    assert order.index(('done', 'keystone.healthy')) < order.index(('step', 'glance.refresh'))


@given(kills=KILLS)
def test_killed_anywhere_every_application_has_its_charm_in_the_end(kills: list[tuple[int, bool]]):
    model = of_refreshes()
    for at, after in kills:
        model.begin(f'ann@here process {next(_numbers)}')
        model.kill_at, model.kill_after = at, after
        try:
            sequence.run(
                model,
                upgrade_request.UpgradeRequest(target=CHARMS),
                [CHARMS],
                f'k{at}',
                lambda _: None,
            )
        except simulated.KilledError:
            continue
    upgraded(model, CHARMS)
    assert {line.split()[1] for line in model.asked} == {'keystone', 'glance'}
    assert all(unit.state == 'ready' for app in model.apps.values() for unit in app.units)


def test_a_charm_that_makes_its_units_ill_is_the_last_that_is_refreshed():
    model = of_refreshes()
    model.spoilt = {'keystone'}
    with pytest.raises(engine.StoppedError, match=r'keystone/0 is in error'):
        upgraded(model, CHARMS)
    assert model.asked == ['refresh keystone /c/keystone']


def test_other_charms_in_the_folder_are_another_target():
    model = of_refreshes()
    upgraded(model, CHARMS)
    upgraded(model, CHARMS)
    assert len(model.asked) == 2
    upgraded(model, Target(charms='/c', digest='2', paths=CHARMS.paths))
    assert len(model.asked) == 4


def test_an_application_whose_charm_does_not_lie_there_keeps_its_own():
    model = of_refreshes()
    wish = upgrade_request.UpgradeRequest(
        target=Target(charms='/c', digest='1', paths={'glance': '/c/glance'})
    )
    plan = upgrade_request.survey(model, wish).plan
    assert plan.applications == ('glance',)
    assert ('keystone', '/c has no charm keystone') in [(o.application, o.why) for o in plan.left]


def test_there_is_no_way_back_from_charms_but_other_charms():
    model = of_refreshes()
    upgraded(model, CHARMS)
    with pytest.raises(ProblemError, match='charms were refreshed'):
        upgraded(model, Target(digest='1', back=True))


def test_charms_lie_packed_or_as_they_are_written(tmp_path: pathlib.Path):
    (tmp_path / 'keystone').mkdir()
    (tmp_path / 'keystone' / 'charmcraft.yaml').write_text('name: keystone')
    (tmp_path / 'glance_ubuntu-24.04-amd64.charm').write_bytes(b'PK')
    (tmp_path / 'docs').mkdir()
    found = charms.find(tmp_path)
    assert found.paths == {
        'keystone': str(tmp_path / 'keystone'),
        'glance': str(tmp_path / 'glance_ubuntu-24.04-amd64.charm'),
    }
    (tmp_path / 'keystone' / 'src.py').write_text('x')
    assert charms.find(tmp_path).digest != found.digest


@pytest.mark.parametrize(
    ('files', 'says'),
    [
        (None, 'is no folder'),
        ((), 'has neither NAME_….charm nor NAME/charmcraft.yaml'),
        (('a_1.charm', 'a_2.charm'), 'a_1.charm and a_2.charm are of one charm'),
    ],
)
def test_a_folder_without_charms_or_with_two_of_one_is_refused(
    tmp_path: pathlib.Path, files: tuple[str, ...] | None, says: str
):
    for name in files or ():
        (tmp_path / name).touch()
    with pytest.raises(ProblemError, match=says):
        charms.find(tmp_path if files is not None else tmp_path / 'nowhere')


# --- Several targets.


def test_the_base_is_everywhere_before_the_release_is_changed_anywhere():
    model = cloud(keystone=1, glance=1)
    upgraded(model, BASE, ARCHIVE)
    archive = [n for n, line in enumerate(model.asked) if line.startswith('openstack-origin')]
    bases = [n for n, line in enumerate(model.asked) if line.startswith('base')]
    assert len(archive) == len(bases) == 2
    assert max(bases) < min(archive)
    assert model.wrong == []
    units = [unit for app in model.apps.values() for unit in app.units]
    assert {(unit.base, unit.packages) for unit in units} == {('debian@13', ARCHIVE.origin)}


@given(kills=KILLS)
def test_killed_in_either_of_two_targets_both_are_reached(kills: list[tuple[int, bool]]):
    model = cloud(keystone=1)
    for at, after in kills:
        model.begin(f'ann@here process {next(_numbers)}')
        model.kill_at, model.kill_after = at, after
        try:
            turned = sequence.in_turn((BASE, ARCHIVE), upgrade_lock.read(model))
            model.kill_at = model.calls + at
            wish = upgrade_request.UpgradeRequest(target=BASE)
            sequence.run(model, wish, turned, f'k{next(_numbers)}', lambda _: None)
        except simulated.KilledError:
            continue
    upgraded(model, BASE, ARCHIVE)
    assert model.wrong == []
    units = [unit for app in model.apps.values() for unit in app.units]
    assert [(unit.base, unit.packages) for unit in units] == [('debian@13', ARCHIVE.origin)]


def test_a_step_at_which_to_stop_must_be_one_of_some_target():
    model = cloud(keystone=1)
    with pytest.raises(ProblemError, match=r'--until nova\.add\.1: no such step'):
        upgraded(model, BASE, ARCHIVE, until='nova.add.1')
    assert model.asked == []
    upgraded(model, BASE, ARCHIVE, until='keystone.base')
    assert model.asked == ['base keystone debian@13']


def test_what_is_not_moved_yet_says_what_its_charm_says_of_mixing():
    model = cloud(rabbitmq=1)
    model.apps[
        'rabbitmq'
    ].declared = 'version: 1\nway: own\nmay-not-mix: [4.0 does not start on what 3.10 has left]\n'
    plan = upgrade_request.survey(model, upgrade_request.UpgradeRequest(target=BASE)).plan
    assert {one.application: one.why for one in plan.left}['rabbitmq'] == (
        'its way is own, and its charm names no action for switch and drain; 4.0 does not start on what 3.10 has left'
    )
