"""What is asked of whoever issues certificates: one for each endpoint type, for all its names. Pure.

All units serve the same names, so they share a key: the leader makes it, it is in a Juju secret of the application,
and it goes nowhere else. Each request has a key of its own. A request is made anew when names have changed, when the
certificate was revoked, and when the provider has let three quarters of its time go by; the one before stays until
the new one is answered.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping

from charmkit import Inputs
from charmkit.relations import ENDPOINT_TYPES, Databag, certificates, wire
from charmkit.state import Secret, secret_uri

REQUESTS, KEYS = 'certificate-requests', 'certificate-keys'
"""In the application's peer data: the requests, and the URI of the secret with their keys."""
RELATION = 'certificates'
_MOST = 2


@dataclasses.dataclass(frozen=True)
class Request:
    """A request for one endpoint type."""

    id: str
    """Names its key in the secret."""
    csr: str
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Desired:
    """What the leader asks for now."""

    relation: Databag
    """For the relation."""
    peers: Databag
    """For the peers."""
    secrets: Mapping[str, Secret]


NOTHING = Desired(relation={}, peers={}, secrets={})


def requests(inputs: Inputs) -> dict[str, tuple[Request, ...]]:
    """Those that were made, by endpoint type, the newest first."""
    out: dict[str, tuple[Request, ...]] = {}
    for t, found in wire.load_object(inputs.peers.get(REQUESTS, '')).items():
        rows = (wire.load_object(wire.dump(r)) for r in wire.items(found))
        out[t] = tuple(
            Request(wire.text(r.get('id')), wire.text(r.get('csr')), wire.texts(r.get('names')))
            for r in rows
        )
    return out


def issued(inputs: Inputs, t: str) -> Iterator[tuple[str, str, str, str, str]]:
    """What was issued for *t*, the newest first: certificates, key, by whom, what to trust, and for which request."""
    keys = inputs.secrets.get(inputs.peers.get(KEYS, ''), {})
    given = _issued(inputs)
    for request in requests(inputs).get(t, ()):
        found = given.get(request.csr.strip())
        if found and not found[1].revoked and request.id in keys:
            app, one = found
            chain = '\n'.join((one.certificate, *one.chain, one.ca))
            yield chain, keys[request.id], app, one.ca, request.id


def refused(inputs: Inputs) -> Iterator[str]:
    """What was refused of the newest requests, and by whom."""
    newest = {r[0].csr.strip(): t for t, r in requests(inputs).items() if r}
    for relation in inputs.of(RELATION):
        for no in certificates.refused(relation.app_data):
            if no.csr in newest:
                yield f'{relation.app} refuses a certificate for {newest[no.csr]}: {no.reason}'


def _issued(inputs: Inputs) -> dict[str, tuple[str, certificates.Issued]]:
    return {
        i.csr: (relation.app, i)
        for relation in inputs.of(RELATION)
        for i in certificates.issued(relation.app_data)
    }


def desired(inputs: Inputs, names: Mapping[str, tuple[str, ...]], late: frozenset[str]) -> Desired:
    """What is to be asked: for each type its *names*; types that are *late* get another certificate all the same."""
    before = requests(inputs) if inputs.of(RELATION) else {}
    kept_keys = inputs.secrets.get(inputs.peers.get(KEYS, ''), {})
    if inputs.peers.get(KEYS) and not kept_keys:
        before_bag = {k: inputs.peers[k] for k in (REQUESTS, KEYS) if k in inputs.peers}
        said = [r.csr for found in before.values() for r in found]
        return Desired(relation=certificates.request(said), peers=before_bag, secrets={})
    given = _issued(inputs)
    keys: dict[str, str] = {}
    after: dict[str, tuple[Request, ...]] = {}
    for t in ENDPOINT_TYPES:
        wanted = names.get(t, ())
        if not (wanted and inputs.of(RELATION)):
            continue
        found = _current(before.get(t, ()), given, kept_keys)
        if not found or found[0].names != wanted or _is_over(found[0], given, t in late):
            found = (_fresh(inputs, t, wanted, keys), *found)[:_MOST]
        after[t] = found
    every = [r for found in after.values() for r in found]
    keys |= {r.id: kept_keys[r.id] for r in every if r.id in kept_keys}
    if not after and KEYS not in inputs.peers:
        return NOTHING
    shown = {t: [dataclasses.asdict(r) for r in found] for t, found in after.items()}
    secret = Secret(content=keys or {'none': 'none'}, description='keys of certificates')
    return Desired(
        relation=certificates.request(r.csr for r in every),
        peers={REQUESTS: wire.dump(shown), KEYS: inputs.peers.get(KEYS) or secret_uri(KEYS)},
        secrets={KEYS: secret} if keys != dict(kept_keys) else {},
    )


def _current(
    found: tuple[Request, ...],
    given: Mapping[str, tuple[str, certificates.Issued]],
    keys: Mapping[str, str],
) -> tuple[Request, ...]:
    """Those up to the newest that was answered: what is older has been replaced."""
    out: list[Request] = []
    for request in found:
        if request.id in keys:
            out.append(request)
            reply = given.get(request.csr.strip())
            if reply and not reply[1].revoked:
                break
    return tuple(out)


def _is_over(
    request: Request, given: Mapping[str, tuple[str, certificates.Issued]], late: bool
) -> bool:
    reply = given.get(request.csr.strip())
    return reply is not None and (reply[1].revoked or late)


def _fresh(inputs: Inputs, t: str, names: tuple[str, ...], keys: dict[str, str]) -> Request:
    from charmkit import x509  # 60 ms, and seldom needed.

    mark = hashlib.sha256(f'{inputs.fresh} {t} {names}'.encode()).hexdigest()
    name = f'{t}-{mark[:12]}'
    keys[name] = x509.new_key(inputs.fresh, f'certificate {name}')
    csr = x509.request(keys[name], x509.Names.of(names), unique=mark[:32])
    return Request(name, csr, names)
