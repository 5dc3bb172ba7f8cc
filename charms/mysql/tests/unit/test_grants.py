"""Grants: what is wanted, what is there, and the statements in between."""

from __future__ import annotations

import dataclasses
import re

import grants
import pytest
from charmkit.relations import mysql
from hypothesis import given
from hypothesis import strategies as st

SEED = 's' * 64


def hash_of(user: str) -> str:
    return grants.hashed(grants.password(SEED, user))


def applied(want: grants.Desired, seen: grants.Observed) -> grants.Observed:
    """A perfect server: every statement of the plan has taken effect."""
    databases, accounts, held = set(seen.databases), dict(seen.accounts), set(seen.grants)
    partial = set(seen.partial)
    for s in grants.plan(want, seen, hash_of):
        words = s.summary.replace('@', ' ').split()
        match words:
            case ['create', 'database', name]:
                databases.add(name)
            case ['create' | 'alter', 'user', user, host]:
                accounts[grants.Account(user, host)] = hash_of(user)
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
        databases=frozenset(databases),
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
    kept = {a: draw(st.sampled_from([hash_of(a.user), '*THEIRS'])) for a in known}
    grant = st.builds(grants.Grant, st.sampled_from(known), names) if known else st.nothing()
    held = draw(st.frozensets(grant)) if known else frozenset[grants.Grant]()
    partial = frozenset(g for g in held if draw(st.booleans()))
    return grants.Observed(
        databases=draw(st.frozensets(names)), accounts=kept, grants=held, partial=partial
    )


@given(wanted, servers())
def test_one_pass_converges(want: grants.Desired, seen: grants.Observed):
    assert grants.plan(want, applied(want, seen), hash_of) == ()


@given(wanted, servers())
def test_what_an_operator_made_is_left_alone(want: grants.Desired, seen: grants.Observed):
    theirs = {a for a, kept in seen.accounts.items() if kept == '*THEIRS'} - want.accounts
    after = applied(want, seen)
    assert theirs <= after.accounts.keys()
    assert {g for g in seen.grants if g.account in theirs} <= after.grants
    assert seen.databases <= after.databases


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
    (left,) = grants.plan(want, half, hash_of)
    assert left.summary == 'grant nova to nova@10.0.0.1'


def test_passwords_are_in_no_summary_and_in_sql_as_hashes_only():
    want = grants.desired([mysql.Request('a/0', '', 'nova', 'nova', ('10.0.0.1',))])
    statements = grants.plan(want, grants.Observed(), hash_of)
    assert grants.password(SEED, 'nova') not in ''.join(s.sql for s in statements)
    assert hash_of('nova') not in repr(statements)


def test_the_hash_is_mariadbs():
    # SELECT PASSWORD('pw') on MariaDB 10.11.
    assert grants.hashed('pw') == '*D821809F681A40A6E379B50D0463EFAE20BDD122'


def test_underscores_in_a_grant_stand_for_themselves():
    want = grants.desired([mysql.Request('a/0', '', 'nova_api', 'nova', ('::1',))])
    sql = grants.plan(want, grants.Observed(), hash_of)[-1].sql
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
    (statement,) = grants.plan(want, grants.Observed(), hash_of)
    assert re.match(r"CREATE USER IF NOT EXISTS 'o''neil\\\\'@'10.0.0.1' ", statement.sql)
    assert statement.sql.endswith(';')
