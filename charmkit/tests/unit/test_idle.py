"""Which hooks end before anything is loaded: of a unit that is being removed and only waits for its stop."""

from __future__ import annotations

import itertools
import pathlib

import pytest
from charmkit import idle

ME, OTHER = 'demo/3', 'demo/1'


def environment(folder: pathlib.Path, hook: str, departing: str = '') -> dict[str, str]:
    """What Juju sets for *hook*."""
    said = {'JUJU_DEPARTING_UNIT': departing} if departing else {}
    return {
        'JUJU_DISPATCH_PATH': f'hooks/{hook}',
        'JUJU_CHARM_DIR': str(folder),
        'JUJU_UNIT_NAME': ME,
        **said,
    }


OWN = [('db-relation-departed', ME), ('peers-relation-departed', ME), ('db-relation-broken', '')]
NOT_OWN = [('db-relation-departed', OTHER), ('db-relation-departed', ''), ('stop', ''), ('remove', ''),
           ('update-status', ''), ('config-changed', ''), ('upgrade-charm', '')]  # fmt: skip


@pytest.mark.parametrize(('hook', 'departing'), OWN)
@pytest.mark.parametrize('ready', [True, False])
def test_a_unit_that_only_waits_for_its_stop_leaves_its_relations_at_once(
    tmp_path: pathlib.Path, hook: str, departing: str, ready: bool
):
    idle.remember(tmp_path, {}, ready_to_stop=ready)
    assert idle.asks_for_nothing(environment(tmp_path, hook, departing)) is ready


@pytest.mark.parametrize(('hook', 'departing'), NOT_OWN)
def test_all_else_it_does(tmp_path: pathlib.Path, hook: str, departing: str):
    idle.remember(tmp_path, {}, ready_to_stop=True)
    assert not idle.asks_for_nothing(environment(tmp_path, hook, departing))


def test_what_begins_or_was_never_remembered_or_is_of_an_earlier_revision_is_not_ready(
    tmp_path: pathlib.Path,
):
    memory = tmp_path / '.heard'
    spoilt = ['', '{}', '[]', 'null', '{"heard": {}, "unheeded": {}}', '{"ready-to-stop": "yes"}']
    for text, (hook, departing) in itertools.product(spoilt, OWN):
        memory.write_text(text)
        assert not idle.asks_for_nothing(environment(tmp_path, hook, departing))
    idle.remember(tmp_path, {}, ready_to_stop=True)
    idle.forget(tmp_path)
    assert not idle.asks_for_nothing(environment(tmp_path, *OWN[0]))
    memory.unlink()
    assert not idle.asks_for_nothing(environment(tmp_path, *OWN[0]))
