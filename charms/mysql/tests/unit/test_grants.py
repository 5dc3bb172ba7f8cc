"""Grants: what is wanted, what is there, and the statements in between."""

from __future__ import annotations

import dataclasses
import re

import generations
import grants
import pytest
from charmkit import passwords
from charmkit.relations import mysql
from hypothesis import given
from hypothesis import strategies as st

SEED = 's' * 64


KEYS = grants.Keys(SEED, {'nova': 2, 'glance': 1}, frozenset({'glance'}))
HAVE = generations.Database()


def applied(want: grants.Desired, seen: grants.Observed) -> grants.Observed:
    """A perfect server: every statement of the plan has taken effect."""
    databases, accounts, held = dict(seen.databases), dict(seen.accounts), set(seen.grants)
    partial = set(seen.partial)
    for s in grants.plan(want, seen, KEYS):
        words = s.summary.replace('@', ' ').split()
        match words:
            case ['create', 'database', name]:
                databases[name] = HAVE
            case ['create' | 'alter', 'user', user, host]:
                accounts[grants.Account(user, host)] = KEYS.hashes(user)
            case ['grant', name, 'to', user, host]:
                held.add(grants.Grant(grants.Account(user, host), name))
                partial.discard(grants.Grant(grants.Account(user, host), name))
            case ['revoke', name, 'from', user, host]:
                held.discard(grants.Grant(grants.Account(user, host), name))
            case ['drop', 'user', user, host]:
                gone = grants.Account(user, host)
                del accounts[gone]
                held = {g for g in held if g.account != gone}
            case _:
                pytest.fail(s.summary)
    return grants.Observed(
        databases=databases,
        accounts=accounts,
        grants=frozenset(held),
        partial=frozenset(partial),
    )


names = st.sampled_from(['nova', 'nova_api', 'glance'])
hosts = st.sampled_from(['10.0.0.1', '10.0.0.2', '2001:db8::1'])
requests = st.lists(
    st.builds(
        mysql.Request,
        unit=st.just('a/0'),
        prefix=st.just(''),
        database=names,
        user=names,
        hosts=st.lists(hosts, min_size=1).map(tuple),
    )
)
wanted = requests.map(grants.desired)
accounts = st.builds(grants.Account, names | st.just('operator'), hosts | st.just('%'))


@st.composite
def servers(draw: st.DrawFn) -> grants.Observed:
    known = draw(st.lists(accounts, unique=True))
    kept = {
        a: draw(st.sampled_from([KEYS.hashes(a.user), KEYS.hashes(a.user)[-1:], ('*THEIRS',)]))
        for a in known
    }
    grant = st.builds(grants.Grant, st.sampled_from(known), names) if known else st.nothing()
    held = draw(st.frozensets(grant)) if known else frozenset[grants.Grant]()
    partial = frozenset(g for g in held if draw(st.booleans()))
    return grants.Observed(
        databases=dict.fromkeys(draw(st.frozensets(names)), HAVE),
        accounts=kept,
        grants=held,
        partial=partial,
    )


@given(wanted, servers())
def test_one_pass_converges(want: grants.Desired, seen: grants.Observed):
    assert grants.plan(want, applied(want, seen), KEYS) == ()


@given(wanted, servers())
def test_what_an_operator_made_is_left_alone(want: grants.Desired, seen: grants.Observed):
    theirs = {a for a, kept in seen.accounts.items() if kept == ('*THEIRS',)} - want.accounts
    after = applied(want, seen)
    assert theirs <= after.accounts.keys()
    assert {g for g in seen.grants if g.account in theirs} <= after.grants
    assert seen.databases.keys() <= after.databases.keys()


@given(wanted, wanted, servers())
def test_what_is_no_longer_asked_for_can_log_in_no_more(
    first: grants.Desired, second: grants.Desired, seen: grants.Observed
):
    after = applied(second, applied(first, seen))
    for account in first.accounts - second.accounts:
        assert account not in after.accounts


def test_a_hook_that_died_half_way_is_finished_by_the_next():
    want = grants.desired([mysql.Request('a/0', '', 'nova', 'nova', ('10.0.0.1',))])
    whole = applied(want, grants.Observed())
    half = dataclasses.replace(whole, grants=frozenset[grants.Grant]())
    (left,) = grants.plan(want, half, KEYS)
    assert left.summary == 'grant nova to nova@10.0.0.1'


def test_passwords_are_in_no_summary_and_in_sql_as_hashes_only():
    want = grants.desired([mysql.Request('a/0', '', 'nova', 'nova', ('10.0.0.1',))])
    statements = grants.plan(want, grants.Observed(), KEYS)
    assert KEYS.password('nova') not in ''.join(s.sql for s in statements)
    assert KEYS.hashes('nova')[0] not in repr(statements)
    assert SEED not in repr(KEYS)


def test_the_hash_is_mariadbs():
    # SELECT PASSWORD('pw') on MariaDB 10.11.
    assert grants.hashed('pw') == '*D821809F681A40A6E379B50D0463EFAE20BDD122'


def test_underscores_in_a_grant_stand_for_themselves():
    want = grants.desired([mysql.Request('a/0', '', 'nova_api', 'nova', ('::1',))])
    sql = grants.plan(want, grants.Observed(), KEYS)[-1].sql
    assert sql == "GRANT ALL PRIVILEGES ON `nova\\_api`.* TO 'nova'@'::1';"


def test_a_partial_grant_counts_as_one_to_make_again():
    row = {'Host': 'h', 'Db': 'nova\\_api', 'User': 'u', 'Select_priv': 'Y', 'Grant_priv': 'N'}
    whole = grants.observed([], [], [row])
    part = grants.observed([], [], [{**row, 'Drop_priv': 'N'}])
    grant = grants.Grant(grants.Account('u', 'h'), 'nova_api')
    assert (whole.grants, whole.partial) == ({grant}, frozenset())
    assert part.partial == {grant}


def test_every_statement_ends_and_quotes():
    account = grants.Account("o'neil\\", '10.0.0.1')
    want = grants.Desired(accounts=frozenset({account}))
    (statement,) = grants.plan(want, grants.Observed(), KEYS)
    assert re.match(r"CREATE USER IF NOT EXISTS 'o''neil\\\\'@'10.0.0.1' ", statement.sql)
    assert statement.sql.endswith(';')


REQUEST = mysql.Request('a/0', '', 'nova', 'nova', ('10.0.0.1',))
ACCOUNT = grants.Account('nova', '10.0.0.1')


def test_a_partial_grant_is_made_whole_and_is_not_taken_for_whole():
    want = grants.desired([REQUEST])
    whole = applied(want, grants.Observed())
    partial = dataclasses.replace(whole, partial=want.grants)
    assert grants.holds(REQUEST, whole, KEYS)
    assert not grants.holds(REQUEST, partial, KEYS)
    (statement,) = grants.plan(want, partial, KEYS)
    assert statement.summary == 'grant nova to nova@10.0.0.1'


@pytest.mark.parametrize(
    'ways', [('*THEIRS',), (), (*KEYS.hashes('nova'), '*THEIRS'), ('ed25519:x',)]
)
def test_an_account_that_lets_in_by_anything_else_does_not_hold(ways: tuple[str, ...]):
    whole = applied(grants.desired([REQUEST]), grants.Observed())
    other = dataclasses.replace(whole, accounts={ACCOUNT: ways})
    assert not grants.holds(REQUEST, other, KEYS)
    (statement,) = grants.plan(grants.desired([REQUEST]), other, KEYS)
    assert statement.summary == 'alter user nova@10.0.0.1'


def test_a_rotated_password_is_another_one_and_the_first_is_what_it_always_was():
    turns = [grants.Keys(SEED, {'nova': n}).password('nova') for n in range(3)]
    assert len(set(turns)) == 3
    assert turns[0] == passwords.derive(SEED, 'mysql-user', 'nova')
    overlap = grants.Keys(SEED, {'nova': 2}, frozenset({'nova'}))
    assert overlap.hashes('nova') == tuple(grants.hashed(p) for p in (turns[2], turns[1]))
    assert overlap.known('nova') == {grants.hashed(p) for p in turns}


def test_accounts_are_understood_as_the_server_keeps_them():
    # SELECT User, Host, Priv FROM mysql.global_priv on MariaDB 10.11, shortened.
    priv = (
        '{"access":0,"plugin":"mysql_native_password","authentication_string":"*NEW",'
        '"auth_or":[{},{"plugin":"mysql_native_password","authentication_string":"*OLD"}]}'
    )
    socket = (
        '{"plugin":"mysql_native_password","authentication_string":"invalid",'
        '"auth_or":[{},{"plugin":"unix_socket"}]}'
    )
    rows = [{'User': 'u', 'Host': 'h', 'Priv': p} for p in (priv, socket)]
    one, other = (grants.observed([], [r], []).accounts for r in rows)
    assert one == {grants.Account('u', 'h'): ('*NEW', '*OLD')}
    assert other == {grants.Account('u', 'h'): ('invalid', 'unix_socket:')}


def test_databases_are_made_for_every_character():
    sql = grants.plan(grants.desired([REQUEST]), grants.Observed(), KEYS)[0].sql
    assert 'CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci' in sql
