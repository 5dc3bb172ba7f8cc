"""User secrets: added, listed, shown, updated, granted, removed; and read by a charm that was granted."""

from __future__ import annotations

import jubilant
import pytest

from .conftest import CHARMS


@pytest.fixture(scope='module', autouse=True)
def deployed(juju: jubilant.Juju) -> None:
    juju.deploy(CHARMS / 'testdb', config={'testoption': 'on'})
    juju.wait(jubilant.all_active, delay=0.2)


def test_no_secrets_at_first(juju: jubilant.Juju):
    assert juju.secrets() == []


def test_a_secret_is_added_shown_and_updated(juju: jubilant.Juju):
    uri = juju.add_secret('one', {'user': 'me', 'word': 'xyz'}, info='for tests')
    assert uri.startswith('secret:')
    (found,) = juju.secrets()
    assert (found.uri, found.name, found.revision, found.owner) == (uri, 'one', 1, '<model>')
    assert found.created == found.updated
    assert juju.show_secret('one', reveal=True).content == {'user': 'me', 'word': 'xyz'}
    juju.update_secret(uri, {'user': 'me', 'word': 'new'}, info='changed')
    shown = juju.show_secret(uri, reveal=True)
    assert (shown.revision, shown.content['word'], shown.description) == (2, 'new', 'changed')


def test_revisions_are_listed_in_order(juju: jubilant.Juju):
    shown = juju.show_secret('one', revisions=True)
    assert [r.revision for r in shown.revisions or []] == [1, 2]
    old = juju.show_secret('one', revision=1, reveal=True)
    assert old.content['word'] == 'xyz'


def test_a_charm_reads_what_it_is_granted_and_nothing_else(juju: jubilant.Juju):
    uri = juju.add_secret('account', {'word': 'for-testdb'})
    juju.config('testdb', {'account': str(uri)})
    with pytest.raises(jubilant.TaskError) as caught:
        juju.run('testdb/0', 'show-account')
    assert 'permission denied' in caught.value.task.stderr
    juju.grant_secret('account', 'testdb')
    assert juju.run('testdb/0', 'show-account').results == {'word': 'for-testdb'}


def test_a_name_is_taken_once(juju: jubilant.Juju):
    with pytest.raises(jubilant.CLIError) as caught:
        juju.add_secret('one', {'word': 'b'})
    assert 'already exists' in caught.value.stderr


def test_a_secret_is_removed(juju: jubilant.Juju):
    juju.remove_secret('one')
    assert 'one' not in [s.name for s in juju.secrets()]
    with pytest.raises(jubilant.CLIError, match='not found'):
        juju.show_secret('one')


def test_secrets_are_in_no_log(juju: jubilant.Juju):
    assert 'for-testdb' not in juju.debug_log()
