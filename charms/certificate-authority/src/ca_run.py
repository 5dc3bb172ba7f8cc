"""One run of the charm: who asks, what each gets, what is published of it; and the actions. Pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

import authority
import charmkit
import policy
from charmkit import state, x509
from charmkit.relations import Databag, certificates, wire
from charmkit.why import action

ROOT, ISSUER = 'root', 'issuer'
"""Labels of the two secrets, and where their URIs stand in the application's peer data."""
REVOKED = 'revoked'
"""In the application's peer data: serials that were revoked, each with when, and when it would have ended."""
CERTIFICATES, TRANSFER = 'certificates', 'send-ca-cert'
_LOOKS = ('get-ca', 'get-crl', 'list-certificates')
_ROOT_WARNING_DAYS = 365


def run(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    """What follows from *why* this run is and from *inputs*."""
    if why.removing:
        return charmkit.Desired()
    if isinstance(why, charmkit.Action) and not inputs.site.leader and why.name != 'get-ca':
        return charmkit.Desired(
            failure='Only the leader can: `juju status` shows which unit it is'
        )
    kept = _kept(inputs)
    if kept is None and not (inputs.site.leader and _first(inputs)):
        if isinstance(why, charmkit.Action):
            return charmkit.Desired(failure='There is no certificate authority yet')
        return charmkit.Desired(
            status=(charmkit.Status('waiting', 'waiting for the secret of the authority'),)
        )
    now = kept or authority.make(_called(inputs), inputs.fresh, inputs.now)
    if not inputs.site.leader:
        return _looked(why, now, {}, {}) if action(why, 'get-ca') else charmkit.Desired()
    if _is_due(why, now, inputs):
        fresh = authority.intermediate(now.root, _called(inputs), inputs.fresh, inputs.now)
        now = dataclasses.replace(now, issuer=fresh)
    return _led(why, inputs, now, changed=now != kept)


def _kept(inputs: charmkit.Inputs) -> authority.Authority | None:
    found: list[authority.Pair] = []
    for label in (ROOT, ISSUER):
        content = inputs.secrets.get(inputs.peers.get(label, ''), {})
        if not content.get('key'):
            return None
        found.append(authority.Pair(certificate=content['certificate'], key=content['key']))
    return authority.Authority(root=found[0], issuer=found[1])


def _first(inputs: charmkit.Inputs) -> bool:
    """There never was an authority. Before there is a peer relation its URI could not be kept."""
    return bool(inputs.my_peer_data) and not inputs.peers.get(ROOT)


def _called(inputs: charmkit.Inputs) -> str:
    return str(inputs.options.get('common-name') or inputs.site.app)[:40]


def _days(inputs: charmkit.Inputs) -> int:
    return int(inputs.options.get('certificate-days', 90))


def _is_due(why: charmkit.Why, now: authority.Authority, inputs: charmkit.Inputs) -> bool:
    """The intermediate must outlive what it signs, or the operator wants another."""
    if renewal := action(why, 'renew'):
        return renewal.params.get('what') == 'issuer'
    (issuer,) = x509.certificates(now.issuer.certificate)
    return issuer.not_after - inputs.now < (_days(inputs) + 30) * authority.DAY_S


# What is asked for, and what each gets.


@dataclasses.dataclass
class _Ledger:
    """What one run gives to whom."""

    inputs: charmkit.Inputs
    now: authority.Authority
    policy: policy.Policy
    revoked: Mapping[str, Any]
    held: dict[str, str]
    """The application that has a certificate for a name."""
    again: frozenset[str]
    """Applications whose certificates are all to be new ones."""


def _led(
    why: charmkit.Why, inputs: charmkit.Inputs, now: authority.Authority, *, changed: bool
) -> charmkit.Desired:
    before = {
        r.id: certificates.issued(inputs.app_data.get(r.id, {})) for r in inputs.of(CERTIFICATES)
    }
    revoked = _revoked(inputs)
    if revoke := action(why, 'revoke'):
        problem, revoked = _revoke(str(revoke.params['serial']), before, revoked, inputs.now)
        if problem:
            return charmkit.Desired(failure=problem)
    if isinstance(why, charmkit.Action) and why.name in _LOOKS:
        return _looked(why, now, _rows(inputs, before, revoked), revoked, inputs.now)
    again = frozenset(
        r.app
        for r in inputs.of(CERTIFICATES)
        if (renewal := action(why, 'renew'))
        and (renewal.params.get('application') or r.app) == r.app
    )
    ledger = _Ledger(
        inputs=inputs,
        now=now,
        policy=_policy(inputs),
        revoked=revoked,
        held=_held(inputs, before, revoked),
        again=again,
    )
    app_data: dict[str | int, Databag] = {}
    refused: list[str] = []
    every = 0
    for relation in inputs.of(CERTIFICATES):
        good, bad = _responses(relation, before[relation.id], ledger)
        every += sum(not i.revoked for i in good)
        app_data[relation.id] = certificates.provide(good, (r for _, r in bad))
        refused += [f'refused {who}: {r.reason}' for who, r in bad]
    return charmkit.Desired(
        app_data={
            **app_data,
            TRANSFER: certificates.transfer([now.trusted]),
            'peers': {
                label: inputs.peers.get(label) or state.secret_uri(label)
                for label in (ROOT, ISSUER)
            }
            | {REVOKED: wire.dump(revoked)},
        },
        secrets=_secrets(now) if changed else {},
        status=(
            *(charmkit.Status('blocked', r) for r in dict.fromkeys(refused)),
            *_ageing(now, inputs.now),
            charmkit.Status('active', f'{every} certificate{"" if every == 1 else "s"}'),
        ),
        results=_done(why, now, every),
    )


def _secrets(now: authority.Authority) -> dict[str, state.Secret]:
    return {
        label: state.Secret(
            content={'certificate': pair.certificate, 'key': pair.key},
            description=f'the {label} of the certificate authority',
        )
        for label, pair in ((ROOT, now.root), (ISSUER, now.issuer))
    }


def _policy(inputs: charmkit.Inputs) -> policy.Policy:
    return policy.Policy(
        domains=tuple(str(inputs.options.get('allowed-domains', '')).lower().split()),
        networks=tuple(str(inputs.options.get('allowed-networks', '')).split()),
    )


def _held(
    inputs: charmkit.Inputs,
    before: Mapping[int, tuple[certificates.Issued, ...]],
    revoked: Mapping[str, Any],
) -> dict[str, str]:
    """Who has a certificate for which name: as long as it asks for it, and it is good."""
    out: dict[str, str] = {}
    for relation in inputs.of(CERTIFICATES):
        asked = {a.csr for a in certificates.asked(relation)}
        for given in before[relation.id]:
            one = _read(given)
            if given.csr in asked and one.serial not in revoked and one.not_after > inputs.now:
                for name in one.names.all:
                    out.setdefault(name, relation.app)
    return out


def _read(given: certificates.Issued) -> x509.Certificate:
    (one,) = x509.certificates(given.certificate)  # Our own leader wrote it.
    return one


def _responses(
    relation: charmkit.Relation, before: tuple[certificates.Issued, ...], ledger: _Ledger
) -> tuple[list[certificates.Issued], list[tuple[str, certificates.Refused]]]:
    good: list[certificates.Issued] = []
    bad: list[tuple[str, certificates.Refused]] = []
    kept = {i.csr: i for i in before}
    for asked in certificates.asked(relation):
        given = kept.get(asked.csr)
        if given and _read(given).serial in ledger.revoked:
            good.append(dataclasses.replace(given, revoked=True))
            continue
        if given and relation.app not in ledger.again and not _ends(_read(given), ledger):
            good.append(given)
            continue
        try:
            made = _issued(asked, relation.app, ledger)
        except policy.RefusedError as e:
            if given and _read(given).not_after > ledger.inputs.now:
                good.append(given)  # What it has stays good; it gets no other.
            bad.append((asked.who, certificates.Refused(asked.csr, str(e), e.name)))
            continue
        good.append(made)
    return good, bad


def _ends(one: x509.Certificate, ledger: _Ledger) -> bool:
    """Less than a third of its time is left: who asked gets another, without asking."""
    return one.not_after - ledger.inputs.now < (one.not_after - one.not_before) / 3


def _issued(asked: certificates.Asked, app: str, ledger: _Ledger) -> certificates.Issued:
    request, names = policy.admitted(asked, app, ledger.policy, ledger.held)
    for name in names.all:
        ledger.held.setdefault(name, app)
    now, inputs = ledger.now, ledger.inputs
    made = authority.issue(now, request, names, inputs.fresh, inputs.now, _days(inputs))
    return certificates.Issued(
        csr=asked.csr,
        certificate=made,
        ca=now.trusted,
        chain=(made, now.issuer.certificate, now.trusted),
    )


# Revocation.


def _revoked(inputs: charmkit.Inputs) -> dict[str, Any]:
    """What was revoked and would still be good."""
    kept = wire.objects(wire.load_object(inputs.peers.get(REVOKED, '')))
    return {serial: dict(x) for serial, x in kept if x.get('until', 0) > inputs.now}


def _revoke(
    serial: str,
    before: Mapping[int, tuple[certificates.Issued, ...]],
    revoked: dict[str, Any],
    now: float,
) -> tuple[str, dict[str, Any]]:
    serial = serial.lower().removeprefix('0x').replace(':', '').lstrip('0')
    if serial in revoked:
        return '', revoked
    for given in before.values():
        for one in map(_read, given):
            if one.serial == serial:
                return '', {**revoked, serial: {'at': int(now), 'until': int(one.not_after)}}
    return f'No certificate has the serial {serial[:60]}: list-certificates shows them', revoked


# What is published.


def _ageing(now: authority.Authority, at: float) -> Iterator[charmkit.Status]:
    (root,) = x509.certificates(now.root.certificate)
    if root.not_after - at < _ROOT_WARNING_DAYS * authority.DAY_S:
        yield charmkit.Status('active', f'the root ends on {x509.day(root.not_after)}')


def _rows(
    inputs: charmkit.Inputs,
    before: Mapping[int, tuple[certificates.Issued, ...]],
    revoked: Mapping[str, Any],
) -> dict[str, dict[str, str]]:
    out: dict[str, dict[str, str]] = {}
    for relation in inputs.of(CERTIFICATES):
        for one in map(_read, before[relation.id]):
            out[one.serial] = {
                'application': relation.app,
                'names': ' '.join(one.names.all),
                'ends': x509.day(one.not_after),
                'revoked': 'yes' if one.serial in revoked else 'no',
            }
    return out


def _looked(
    why: charmkit.Why,
    now: authority.Authority,
    rows: Mapping[str, Any],
    revoked: Mapping[str, Any],
    at: float = 0.0,
) -> charmkit.Desired:
    match why:
        case charmkit.Action(name='get-ca'):
            (root,) = x509.certificates(now.root.certificate)
            results = {
                'ca-certificate': now.trusted,
                'issuer-certificate': now.issuer.certificate,
                'ends': x509.day(root.not_after),
            }
        case charmkit.Action(name='get-crl'):
            gone = {serial: float(x['at']) for serial, x in revoked.items()}
            results = {'crl': authority.revocations(now, gone, at)}
        case _:
            results = {'certificates': json.dumps(rows, sort_keys=True)}
    return charmkit.Desired(results=results, read_only=True)


def _done(why: charmkit.Why, now: authority.Authority, every: int) -> dict[str, str]:
    if action(why, 'renew'):
        (issuer,) = x509.certificates(now.issuer.certificate)
        return {'certificates': str(every), 'issuer-ends': x509.day(issuer.not_after)}
    if revoke := action(why, 'revoke'):
        return {'revoked': str(revoke.params['serial'])}
    return {}
