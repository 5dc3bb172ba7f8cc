"""An authority that denies one address refuses the whole request: what a unit asks for then, and what stays."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit import unit_certificate as own
from charmkit import x509 as certs
from charmkit.relations import certificates

from .test_unit_certificate import NOW, inputs, issue, messages

A, B, C, NEW = '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.9'
NAME = 'demo-0.internal'
DAY_S = 86_400.0


@dataclasses.dataclass
class World:
    """A unit at the address *A*, and an authority that denies some addresses."""

    denied: set[str] = dataclasses.field(default_factory=set[str])
    drops: bool = False
    """It certifies no address, and does not say so."""
    own: str = A
    every: tuple[str, ...] = (A, B, C)
    found: own.UnitCertificate | None = None
    edition: float = 2.0
    now: float = NOW
    runs: int = 0
    certified: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    asked: list[set[str]] = dataclasses.field(default_factory=list[set[str]])
    """The addresses of each run's newest request."""

    def bag(self) -> dict[str, str]:
        bag = self.found.request if self.found else {certificates.REQUESTS: '[]'}
        rows = json.loads(bag[certificates.REQUESTS])
        yes: list[certificates.Issued] = []
        no: list[certificates.Refused] = []
        for row in rows:
            csr = row['certificate_signing_request']
            bad = sorted({*certs.read_request(csr).names.addresses} & self.denied)
            if bad:
                no.append(certificates.Refused(csr, f'{bad[0]} is not allowed', 'ip_not_allowed'))
                continue
            names = certs.Names((NAME,)) if self.drops else None
            pem = self.certified.setdefault(csr, issue(csr, names=names, days=self.edition))
            yes.append(certificates.Issued(csr=csr, certificate=pem, ca=''))
        return dict(certificates.provide(yes, no))

    def run(self, times: int = 1) -> own.UnitCertificate:
        for _ in range(times):
            self.runs += 1
            fresh = f'{self.runs:064d}'
            found = inputs(self.bag(), self.found, now=self.now, fresh=fresh)
            self.found = own.read(found, self.every, self.own)
            rows = json.loads(self.found.request[certificates.REQUESTS])
            newest = certs.read_request(rows[0]['certificate_signing_request'])
            self.asked.append({*newest.names.addresses})
        assert self.found
        return self.found

    def renew(self) -> None:
        """The authority gives others for the same requests, and all that it gives from now on ends a day later."""
        self.edition += 1
        self.certified.clear()


def joined() -> World:
    """All three addresses are certified; then a member comes whose address another application has."""
    made = World()
    before = made.run(3)
    assert before.names == (NAME, A, B, C) and before.status == ()
    made.denied, made.every = {NEW}, (A, B, C, NEW)
    return made


def test_a_new_member_whose_address_is_denied_takes_nothing_from_the_others():
    made = joined()
    before = made.found
    after = made.run(6)
    assert before and after.pem == before.pem and after.names == (NAME, A, B, C)
    assert made.asked[-6:] == [{A, B, C, NEW}] + [{A, B, C}] * 5
    assert messages(after) == [
        f"active: this unit's certificate is not for {NEW} (ca: {NEW} is not allowed)"
    ]


def test_it_is_renewed_all_the_same():
    made = joined()
    made.run(4)
    for _ in range(3):
        made.renew()
        made.now += DAY_S
        before = made.found
        after = made.run(4)
        assert before and after.pem != before.pem and after.names == (NAME, A, B, C)
        assert after.not_after - before.not_after == DAY_S


def test_where_the_authority_does_not_renew_it_it_is_asked_for_anew():
    made = joined()
    before = made.run(4)
    made.now += 1.6 * DAY_S
    made.edition = 4.0
    after = made.run(5)
    assert after.not_after > before.not_after and after.names == (NAME, A, B, C)
    assert made.asked[-5:] == [{A, B, C, NEW}] + [{A, B, C}] * 4


def test_all_is_asked_for_again_when_it_is_renewed_and_when_the_member_goes():
    made = joined()
    made.run(4)
    made.denied.clear()
    made.renew()
    assert made.run(4).names == (NAME, A, B, C, NEW) and made.found and made.found.status == ()
    made = joined()
    before = made.run(4)
    made.every = (A, B, C)
    after = made.run(3)
    assert (after.pem, after.status) == (before.pem, ()) and made.asked[-1] == {A, B, C}


def test_a_first_certificate_is_for_the_units_own_address_where_others_are_denied():
    made = World(denied={B})
    assert made.run(4).names == (NAME, A)
    assert made.asked == [{A, B, C}, {A}, {A}, {A}]
    alone = World(denied={A})
    assert alone.run(5).names == (NAME,)
    assert alone.asked == [{A, B, C}, {A}, set(), set(), set()]


def test_where_the_own_address_is_denied_the_one_before_stays_and_its_end_is_told():
    made = joined()
    before = made.run(4)
    made.denied |= {A}
    made.every = (A, B, C)
    after = made.run(6)
    assert after.pem == before.pem and after.names == (NAME, A, B, C)
    assert messages(after)[0] == (
        f'blocked: ca refuses a certificate for this unit: {A} is not allowed; '
        'the one before is good until 2026-02-05'
    )
    # Nobody asks on and on.
    assert made.run(3).request == after.request and made.asked[-1] == {A}
    made.denied.clear()
    made.edition = 9.0
    assert A in made.run(2).names and made.found and made.found.not_after > before.not_after


def test_an_answer_without_the_own_address_is_not_taken():
    made = joined()
    before = made.run(4)
    made.drops = True
    made.renew()
    after = made.run(4)
    assert after.pem == before.pem and after.names == (NAME, A, B, C)
    assert messages(after)[0] == (
        f'blocked: the certificate that ca gives is not taken: it is not for {A}; '
        'the one before is good until 2026-02-05'
    )
    # Its end is that of what is in force.
    made.now += 1.9 * DAY_S
    assert "active: this unit's certificate ends in 0 days" in messages(made.run())
    # Who is known by its name alone takes it.
    made.own = ''
    assert made.run(2).names == (NAME,)


def test_for_those_who_verify_the_name_the_addresses_before_are_kept_too():
    made = World(own='')
    made.run(3)
    made.denied, made.every = {NEW}, (A, B, C, NEW)
    assert made.run(4).names == (NAME, A, B, C)
    made.denied |= {A}
    made.renew()
    assert made.run(5).names == (NAME,)


@pytest.mark.parametrize('address', [A, ''])
def test_a_deployment_of_before_goes_on(address: str):
    """It has a certificate for its name alone, and remembers no more than that all was denied."""
    made = World(denied={A, B, C, NEW}, own=address, every=(A, B, C, NEW))
    before = made.run(6)
    assert before.names == (NAME,)
    memory: Any = dict(before.memory)
    memory[own.MEMORY] = {k: v for k, v in memory[own.MEMORY].items() if k != 'denials'}
    made.found = dataclasses.replace(before, memory=memory)
    made.denied = {NEW}
    after = made.run(4)
    assert after.names == ((NAME, A) if address else (NAME,))
    assert {A, B, C, NEW} not in made.asked[-4:], 'it was refused already'


def test_what_is_in_force_is_asked_for_until_the_next_is_there():
    """The authority would give its addresses to another application otherwise."""
    made = joined()
    for _ in range(4):
        found = made.run()
        rows = json.loads(found.request[certificates.REQUESTS])
        every = [certs.read_request(r['certificate_signing_request']).names for r in rows]
        assert any({*n.addresses} == {A, B, C} for n in every)


def test_asking_for_the_name_at_once_is_seen(monkeypatch: pytest.MonkeyPatch):
    """The twin: the order of before."""

    def at_once(every: tuple[str, ...], *_: object) -> tuple[tuple[str, ...], ...]:
        return every, every[:1]

    monkeypatch.setattr(own, '_less', at_once)
    with pytest.raises(AssertionError):
        test_a_new_member_whose_address_is_denied_takes_nothing_from_the_others()
