"""The charm's work on a keystone that runs: how it logs in, and what it does about passwords."""

from __future__ import annotations

from typing import Any, cast

import catalogue
import keystone_run
import registration
import tasks
from charmkit import state
from charmkit.machine import HttpRequest, HttpResponse
from charmkit.relations import keystone
from fake_keystone import FakeKeystone

PASSWORD = 'p' * 32
URL = 'http://127.0.0.1:5000'


def run(server: FakeKeystone, *logins: tasks.Account, **more: Any) -> tasks.Outcome:
    values = {'urls': (URL,), 'password': PASSWORD, 'want': catalogue.Desired()} | more
    return tasks.Catalogue(logins=logins, **values).carry_out(server)  # pyright: ignore[reportArgumentType]


def account(name: str, password: str, **more: Any) -> tasks.Account:
    return tasks.Account(name, catalogue.DOMAIN, password, **more)


def test_the_charm_makes_its_own_account_and_no_other_way_in():
    server = FakeKeystone()
    assert run(server).failure == ''
    assert server.bootstraps == 1
    assert run(server).failure == ''
    assert server.bootstraps == 1


def test_an_account_that_is_refused_is_set_up_again():
    """Whoever changed its password; or a database that comes from elsewhere."""
    server = FakeKeystone()
    run(server)
    server.set_password(server.user(catalogue.CHARM), 'changed by hand')
    assert run(server).failure == ''
    assert server.bootstraps == 2


def test_a_token_of_the_second_of_a_bootstrap_is_not_relied_upon():
    """Keystone revokes in whole seconds: the login that follows at once is in vain."""
    server = FakeKeystone()
    assert run(server).failure == ''
    assert server.time == 1
    assert server.asked.count(('POST', '/auth/tokens')) == 3


def test_a_keystone_that_takes_no_token_is_words_after_a_while():
    server = FakeKeystone()
    server.takes_tokens = False
    failure = run(server).failure
    assert 'keystone takes no token of' in failure
    assert 'GET /auth/tokens: 401' in failure
    assert server.bootstraps == 1
    assert tasks.TOKEN not in server.files


def test_the_admins_password_is_none_of_its_business():
    server = FakeKeystone()
    run(server, want=catalogue.Desired(admin_password='first'))
    server.set_password(server.user('admin'), 'changed by hand')
    outcome = run(server, tasks.Account('admin', catalogue.ADMIN_DOMAIN, 'first', mend=False))
    assert outcome.failure == ''
    assert outcome.logins == {'admin': 'refused'}
    assert server.passwords[server.user('admin')] == 'changed by hand'


def test_another_password_of_its_own_is_in_force_at_once():
    server = FakeKeystone()
    run(server)
    assert run(server, password='q' * 32).failure == ''
    assert server.passwords[server.user(catalogue.CHARM)] == 'q' * 32


def test_a_login_is_kept_where_only_root_reads_it():
    server = FakeKeystone()
    run(server)
    server.asked.clear()
    run(server)
    assert ('POST', '/auth/tokens') not in server.asked
    assert server.files[tasks.TOKEN]
    assert PASSWORD not in server.files[tasks.TOKEN]


def test_a_password_that_was_changed_outside_is_set_again():
    server = FakeKeystone()
    want = catalogue.Desired(
        accounts=frozenset({catalogue.Account('glance', 'right', frozenset({'service'}))})
    )
    assert run(server, account('glance', 'right'), want=want).logins == {'glance': 'good'}
    server.set_password(server.user('glance'), 'changed by hand')
    assert run(server, account('glance', 'right'), want=want).logins == {'glance': 'mended'}
    assert server.passwords[server.user('glance')] == 'right'


def test_a_hash_that_keystone_cannot_read_is_replaced():
    server = FakeKeystone()
    want = catalogue.Desired(
        accounts=frozenset({catalogue.Account('glance', 'right', frozenset({'service'}))})
    )
    run(server, account('glance', 'right'), want=want)
    server.set_password(server.user('glance'), 'by hand, in the database')
    server.unreadable = ('by hand, in the database',)
    assert run(server, account('glance', 'right'), want=want).logins == {'glance': 'mended'}
    assert server.passwords[server.user('glance')] == 'right'
    server.unreadable = ('right',)
    outcome = run(server, account('glance', 'right'), want=want)
    assert ': 500 ' in outcome.failure, 'what is no better after it is told'


class Troubled(FakeKeystone):
    """A keystone whose next logins are 500: its database, say, is not there for a moment."""

    logins = 0

    def http(self, request: HttpRequest) -> HttpResponse:
        if request.method == 'POST' and request.url.endswith('?nocatalog') and self.logins:
            self.logins -= 1
            return HttpResponse(500, body='{"error": {"message": "no database"}}')
        return super().http(request)


def test_trouble_that_passes_sets_no_password():
    """It would end the tokens of the service."""
    want = catalogue.Desired(
        accounts=frozenset({catalogue.Account('glance', 'right', frozenset({'service'}))})
    )
    server = Troubled()
    run(server, account('glance', 'right'), want=want)
    for lasts in range(1, 6):
        server.logins = lasts
        server.asked.clear()
        outcome = run(server, account('glance', 'right'), want=want)
        assert 'PATCH' not in {method for method, _ in server.asked}
        if lasts == 1:
            assert (outcome.failure, outcome.logins) == ('', {'glance': 'good'})
        else:
            assert outcome.failure == 'POST /auth/tokens: 500 no database'


def test_nothing_is_tried_that_nobody_asks_for():
    server = FakeKeystone()
    run(server)
    server.asked.clear()
    assert run(server).logins == {}
    assert not [method for method, _ in server.asked if method != 'GET']


def test_what_does_not_answer_is_words_after_a_while():
    server = FakeKeystone()
    server.down = True
    outcome = run(server, patience_s=30.0)
    assert outcome.failure == 'POST /auth/tokens: no answer connection refused'
    assert server.time >= 30


def test_a_bootstrap_that_fails_shows_no_password():
    server = FakeKeystone()
    run(server)
    server.set_password(server.user(catalogue.CHARM), 'changed by hand')
    outcome = tasks.Catalogue(urls=(URL,), password=PASSWORD, want=catalogue.Desired()).carry_out(
        Broken(server)  # pyright: ignore[reportArgumentType]
    )
    assert outcome.failure.startswith('keystone-manage bootstrap: ')
    assert PASSWORD not in outcome.failure


class Broken:
    """A machine whose keystone answers, and whose keystone-manage does not work."""

    def __init__(self, server: FakeKeystone):
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def program(self, *argv: str, **more: Any) -> Any:
        self._server.down = True
        try:
            return self._server.program(*argv, **more)
        finally:
            self._server.down = False


class Strict(FakeKeystone):
    """A keystone that refuses what has *bad* in it, as what it cannot take."""

    def __init__(self, bad: str, status: int = 400) -> None:
        super().__init__()
        self.bad, self.status = bad, status

    def http(self, request: HttpRequest) -> HttpResponse:
        if request.method != 'GET' and self.bad in request.body:
            return HttpResponse(self.status, body='{"error": {"message": "no such substitution"}}')
        return super().http(request)


def wanted(*hosts: str) -> catalogue.Desired:
    """Services of one endpoint each, at these *hosts*."""
    services = (
        keystone.CatalogService(h, 'image', 'RegionOne', (('public', f'http://{h}'),))
        for h in hosts
    )
    return catalogue.Desired(services=frozenset(services))


def test_what_keystone_cannot_take_of_one_service_keeps_no_other_from_being_registered():
    server = Strict('http://bad')
    outcome = run(server, want=wanted('a-good', 'bad', 'good'))
    assert outcome.failure == ''
    assert {url for *_, url in server.urls()} == {'http://a-good', 'http://good'}
    assert len(outcome.refused) == 1
    assert outcome.refused[0].startswith('keystone does not take this: ')
    assert outcome.refused[0].endswith(': no such substitution')
    assert 'bad' in outcome.refused[0]
    shown = [*registration.statuses(cast('registration.Plan', None), outcome)]
    assert shown == [state.Status('blocked', outcome.refused[0])]
    assert not keystone_run.complete(outcome)


def test_a_refusal_that_is_not_of_what_was_asked_ends_it():
    outcome = run(Strict('http://bad', 403), want=wanted('bad'))
    assert '403' in outcome.failure
    assert outcome.refused == ()
