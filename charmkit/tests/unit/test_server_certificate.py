"""Which certificate a server shows where clients could not verify the next one, and until when."""

from __future__ import annotations

from typing import Any

import pytest
from charmkit import server_certificate
from charmkit.unit_certificate import UnitCertificate

HERE, NOW = '10.0.0.2', 1_770_000_000.0  # 2026-02-02
BEFORE: dict[str, Any] = {
    'published': 'root', 'root': 'root', 'digest': 'a', 'since': 0.0, 'names': [HERE], 'not_after': NOW + 86_400,
}  # fmt: skip


def certificate(**more: Any) -> UnitCertificate:
    fields: dict[str, Any] = {'ca': 'root', 'names': (HERE,), 'not_after': NOW + 9e6, **more}
    return UnitCertificate(name='demo-0.internal', chain='chain', key='key', **fields)


def decided(
    found: UnitCertificate, before: dict[str, Any], now: float = NOW
) -> tuple[Any, list[str]]:
    why_not = server_certificate.unfit(found, HERE)
    shown = server_certificate.decide(found, 'b', before, (), now, why_not)
    offered = bool(before.get('published'))
    said = server_certificate.statuses(shown, why_not, now, offered=offered)
    return shown, [f'{s.kind}: {s.message}' for s in said]


def test_one_that_is_right_is_shown_and_remembered_once_it_is_in_force():
    shown, said = decided(certificate(), {**BEFORE, 'root': 'root\n'})
    assert (shown.pem, shown.digest, said) == ('chainkey', 'b', [])
    after = server_certificate.in_force(shown, BEFORE, taken_up=True)
    assert (after['digest'], after['names'], after['not_after']) == ('b', [HERE], NOW + 9e6)
    still = server_certificate.in_force(shown, BEFORE, taken_up=False)
    assert (still['digest'], still['not_after']) == ('a', NOW + 86_400)


@pytest.mark.parametrize(
    ('more', 'why'),
    [
        ({'names': ('demo-0.internal',)}, f'its certificate is not for {HERE}'),
        ({'ca': ''}, 'nobody says whom clients are to trust'),
    ],
)
def test_one_that_clients_could_not_verify_is_not_shown_to_those_who_do(more: Any, why: str):
    shown, said = decided(certificate(**more), BEFORE)
    assert (shown.pem, shown.digest, shown.held, shown.names) == ('', 'a', True, (HERE,))
    assert said == [f'blocked: the certificate before stays in force until 2026-02-03: {why}']
    _, said = decided(certificate(**more), BEFORE, NOW + 2 * 86_400)
    assert said == [f'blocked: the certificate before has ended on 2026-02-03: {why}']
    again = server_certificate.in_force(shown, BEFORE, taken_up=True)
    assert again['not_after'] == BEFORE['not_after'] and again['names'] == [HERE]
    # Where nobody is told of TLS yet, it may be shown, and is not told of.
    shown, said = decided(certificate(**more), {**BEFORE, 'published': ''})
    assert shown.pem and said == [f'active: TLS is not published to clients: {why}']


def test_what_was_written_before_this_was_remembered_is_read():
    old = {k: v for k, v in BEFORE.items() if k not in ('names', 'not_after')}
    shown, said = decided(certificate(names=()), old)
    assert shown.digest == 'a' and shown.not_after == 0.0
    why = f'its certificate is not for {HERE}'
    assert said == [f'blocked: the certificate before stays in force: {why}']
    after = server_certificate.in_force(shown, old, taken_up=False)
    assert after['digest'] == 'a'


def test_while_clients_hear_of_another_authority_what_is_told_is_of_the_one_in_force():
    shown, _ = decided(certificate(ca='other'), {**BEFORE, 'root': 'root\n'})
    assert shown.digest == 'b', 'nobody verifies'
    why = server_certificate.decide(
        certificate(ca='other'), 'b', {**BEFORE, 'root': 'root\n'}, ('x',), NOW
    )
    assert (why.held, why.digest, why.not_after) == (True, 'a', BEFORE['not_after'])
    assert 'other' in why.trusted and 'root' in why.trusted and why.memory['since'] == NOW
