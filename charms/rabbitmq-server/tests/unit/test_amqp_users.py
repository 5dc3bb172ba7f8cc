"""The plan of accounts: one pass is enough, and nothing of others is touched."""

from __future__ import annotations

import json
from typing import Any

import amqp_users
from charmkit.relations import rabbitmq
from hypothesis import given
from hypothesis import strategies as st

SEED = 's' * 64
names = st.sampled_from(['nova', 'cinder', 'heat'])
requests = st.lists(
    st.builds(
        rabbitmq.Request,
        st.just('a/0'),
        st.just(''),
        names,
        st.sampled_from(['x', 'y']),
        st.booleans(),
    )
)
held = st.builds(
    amqp_users.Keys, st.just(SEED), st.dictionaries(names, st.integers(1, 3)), st.frozensets(names)
)


def done(seen: dict[str, Any], change: amqp_users.Change) -> dict[str, Any]:
    """The definitions after *change*."""
    told = json.loads(change.definitions or '{}')
    keys = {
        'users': ('name',),
        'vhosts': ('name',),
        'permissions': ('user', 'vhost'),
        'policies': ('vhost', 'name'),
    }
    out: dict[str, Any] = {}
    for kind, by in keys.items():
        every = {tuple(x[k] for k in by): x for x in (*seen.get(kind, []), *told.get(kind, []))}
        for command in change.commands:
            match command:
                case ('delete_user', user):
                    gone = [k for k, x in every.items() if kind == 'users' and x['name'] == user]
                    gone += [
                        k for k, x in every.items() if kind == 'permissions' and x['user'] == user
                    ]
                case ('clear_permissions', '-p', vhost, user):
                    gone = [(user, vhost)] if kind == 'permissions' else []
                case _:
                    gone = [(command[2], command[3])] if kind == 'policies' else []
            every = {k: x for k, x in every.items() if k not in gone}
        out[kind] = [*every.values()]
    return out


THEIRS = {
    'users': [{'name': 'operator', 'password_hash': 'x', 'tags': ['administrator']}],
    'vhosts': [{'name': '/'}],
    'permissions': [{'user': 'operator', 'vhost': '/', 'configure': '', 'write': '', 'read': ''}],
}


@given(st.lists(st.tuples(requests, held, st.sampled_from([0, 5000])), min_size=1, max_size=3))
def test_one_pass_is_enough_whatever_was_there(states: list[Any]):
    seen: dict[str, Any] = THEIRS
    for every, keys, ttl in states:
        want = amqp_users.desired(every, keys, ttl)
        observed = amqp_users.observed(json.dumps(seen))
        seen = done(seen, amqp_users.plan(want, observed, leader=True))
        observed = amqp_users.observed(json.dumps(seen))
        assert amqp_users.plan(want, observed, leader=True) == amqp_users.Change()
        assert amqp_users.plan(want, observed, leader=False) == amqp_users.Change()
        assert all(amqp_users.holds(r, keys, observed) for r in every)
        assert observed.users.keys() == want.passwords.keys() | {'operator'}
        assert '/' in observed.vhosts


@given(requests, held, requests, held)
def test_who_does_not_lead_takes_nothing_away(
    before: list[rabbitmq.Request],
    old: amqp_users.Keys,
    after: list[rabbitmq.Request],
    new: amqp_users.Keys,
):
    seen = done(
        THEIRS,
        amqp_users.plan(amqp_users.desired(before, old), amqp_users.Observed(), leader=True),
    )
    change = amqp_users.plan(
        amqp_users.desired(after, new), amqp_users.observed(json.dumps(seen)), leader=False
    )
    now = amqp_users.observed(json.dumps(done(seen, change)))
    assert change.commands == ()
    assert all(amqp_users.holds(r, old, now) for r in before)


@given(held, st.booleans(), names)
def test_a_rotation_changes_what_is_answered_and_with_an_overlap_the_former_lets_in(
    keys: amqp_users.Keys, takes: bool, user: str
):
    request = rabbitmq.Request('a/0', '', user, 'x', takes)
    before = keys.account(request)
    turns = {**keys.turns, user: keys.turns.get(user, 0) + 1}
    during = amqp_users.Keys(SEED, turns, keys.overlapping | {user})
    after = amqp_users.Keys(SEED, turns, keys.overlapping - {user})
    if takes:
        assert during.account(request).name != before.name
        assert during.accounts(user)[before.name] == before.password
        assert during.account(request) == after.account(request)
    assert before.password not in after.accounts(user).values()
    assert before.password != after.account(request).password


def test_no_password_is_in_a_change_or_seen():
    request = rabbitmq.Request('a/0', '', 'nova', 'x')
    keys = amqp_users.Keys(SEED)
    want = amqp_users.desired([request], keys)
    change = amqp_users.plan(want, amqp_users.Observed(), leader=True)
    password = keys.accounts('nova')['nova']
    assert password not in change.definitions
    assert password not in f'{change} {want} {keys} {keys.account(request)}'
    assert SEED not in f'{keys}'


def test_a_hash_is_as_rabbitmq_makes_it():
    # Of RabbitMQ's documentation of passwords: salt 908D C60A, password test12.
    salt = bytes.fromhex('908DC60A')
    assert amqp_users.hashed('test12', salt) == 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR'
