"""The unit's own certificate, for TLS between load balancers and the unit. Pure.

It is asked for over ``certificates`` (interface ``tls-certificates``, version 1), for the unit's name and addresses.
The key is derived from the unit's own secret each time that it is wanted: it is in one file of the machine, and goes
nowhere else. A request is made anew when what it is for has changed, when its certificate was revoked, and when the
provider has let three quarters of its time go by; the certificate before it stays in force until the new one is there.
Where the provider denies one of the addresses (another application on the same machine may have it), it refuses the
whole request. So it is asked for less, step by step: without what is new, for the unit's own address, for the name
alone; and for all again when it gives the next certificate. A server's clients verify its own address: what is not for
that never takes the place of a certificate that is.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from . import server_pair, state
from .relations import Databag, certificates

RELATION = 'certificates'
MEMORY = 'certificate'
"""The name in the unit's memory of what was asked for, and of the certificate in force."""
SOON_S = 21 * 86_400
"""So long before its end the status says so."""
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve P-256 (NIST SP 800-186)."""
_PKCS8 = bytes.fromhex(
    '304102010030'  # PrivateKeyInfo, version 0 (RFC 5208)
    '1306072a8648ce3d020106082a8648ce3d030107'  # of an elliptic curve, P-256 (RFC 5480)
    '0427302502010104'  # ECPrivateKey, version 1 (RFC 5915)
    '20'  # 32 bytes
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnitCertificate:
    """What the unit has, and what it asks for."""

    name: str
    """The host name that the certificate is for, which is in no name service."""
    chain: str = ''
    """The certificate and who issued it, PEM; '' while there is none."""
    key: str = dataclasses.field(default='', repr=False)
    """Its private key, PEM."""
    ca: str = ''
    """Whom clients are to trust, PEM; '' where that is not known."""
    names: tuple[str, ...] = ()
    """What the certificate is for; its own name among them."""
    not_after: float = 0.0
    """When it ends; seconds since the epoch."""
    related: bool = False
    """The operator wants one."""
    request: Databag = dataclasses.field(default_factory=dict[str, str])
    """For the relation."""
    memory: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    status: tuple[state.Status, ...] = ()

    @property
    def pem(self) -> str:
        """The content of its file; '' while there is none."""
        return f'{self.chain}{self.key}' if self.chain else ''


@dataclasses.dataclass(frozen=True)
class _Request:
    id: str
    """Its key is made of it."""
    csr: str
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Good:
    """A certificate that was found to be right."""

    id: str
    """Of its request."""
    digest: str
    """Stands for what was given."""
    chain: str
    not_before: float
    """Seconds since the epoch, as the next."""
    not_after: float
    ca: str = ''
    names: tuple[str, ...] = ()


def host_name(unit: str) -> str:
    """The name by which others know the certificate of *unit*; ``internal`` is kept for private use by ICANN."""
    return f'{unit.replace("/", "-")}.internal'


def read(inputs: state.Inputs, addresses: Iterable[str], own: str = '') -> UnitCertificate:
    """What there is, and what is to be asked for; *addresses* are those that the unit is reached at.

    *own* is the one of them that clients verify this unit by; '' where the name is enough for those who come.
    """
    name = host_name(inputs.site.unit)
    kept = cast('Mapping[str, Any]', inputs.memory.get(MEMORY) or {})
    related = inputs.of(RELATION)
    every = (name, *sorted(a for a in set(addresses) if not a.startswith('127.')))
    rows = cast('list[Mapping[str, Any]]', kept.get('requests') or [])
    asked = [_Request(str(r['id']), str(r['csr']), tuple(r['names'])) for r in rows]
    good = _kept_good(kept)
    if not related:
        # Whoever comes by TLS yet is served, with what there was.
        return UnitCertificate(
            name=name,
            **_shown(good, inputs),
            memory={MEMORY: {'requests': [], 'good': kept['good']}} if kept else {},
        )
    no = _denied(inputs)
    denials = _denials(every, asked, kept, no)
    steps = _less(every, good, own)
    names = next((n for n in steps if n not in denials), steps[-1])
    before = [r for r in asked if r.names == names or r.csr.strip() not in no]
    given = {
        i.csr: (relation.app, i)
        for relation in related
        for i in certificates.issued(relation.app_data)
    }
    found, problems = _newest(before, given, good, inputs, own)
    late = found is not None and _is_late(found, inputs.now)
    newest = before[0] if before else None
    # The provider has given another one for the same request.
    renewed = found and good and found.id == good.id and found.digest != good.digest
    over = newest is not None and (
        newest.names != names
        or _is_revoked(newest, given)
        or (late and found is not None and found.id == newest.id)
        or bool(renewed and denials)
    )
    requests = _current(before, given)
    if newest is None or over:
        # What was denied just now is not asked for again at once.
        if newest is not None and newest.names == names and before == asked:
            names, denials = every, {}
        answered = [r for r in requests if r.csr.strip() in given]
        requests = [_fresh(inputs, names), *(answered or requests)][:2]
    status = [*problems, *_refusals(inputs, requests, found)]
    if found is None and not status:
        apps = ', '.join(sorted({r.app for r in related}))
        status.append(state.Status('waiting', f'waiting for a certificate from {apps}'))
    return UnitCertificate(
        name=name,
        **_shown(found, inputs),
        related=True,
        request=certificates.request(r.csr for r in requests),
        memory={
            MEMORY: {
                'requests': [dataclasses.asdict(r) for r in requests],
                'good': dataclasses.asdict(found) if found else None,
                **_remembered(denials, every),
            }
        },
        status=(
            *status,
            *_without(every, found.names if found else names, denials),
            *_ageing(found, inputs.now),
        ),
    )


def _kept_good(kept: Mapping[str, Any]) -> _Good | None:
    found = cast('dict[str, Any]', kept.get('good') or {})
    if not found:
        return None
    fields: dict[str, Any] = {**found, 'names': tuple(found.get('names', ()))}
    return _Good(**fields)


def _denied(inputs: state.Inputs) -> dict[str, str]:
    """The requests that are refused for their addresses, and why."""
    return {
        no.csr: f'{relation.app}: {no.reason}'
        for relation in inputs.of(RELATION)
        for no in certificates.refused(relation.app_data)
        if no.name == 'ip_not_allowed'
    }


def _denials(
    every: tuple[str, ...],
    asked: Iterable[_Request],
    kept: Mapping[str, Any],
    no: Mapping[str, str],
) -> dict[tuple[str, ...], str]:
    """What was denied of *every*, and why: all of it first, the newest last."""
    out: dict[tuple[str, ...], str] = {}
    words = cast('list[str]', kept.get('denied') or [])
    if words and tuple(words[1:]) == every:
        # Who wrote no more than this had all denied.
        sets = cast('list[list[str]]', kept.get('denials') or [every])
        out = {tuple(names): words[0] for names in sets}
    for request in asked:
        reason = no.get(request.csr.strip())
        if reason is not None and len(request.names) > 1 and {*request.names} <= {*every}:
            out[request.names] = reason
    return out


def _remembered(denials: Mapping[tuple[str, ...], str], every: tuple[str, ...]) -> dict[str, Any]:
    if not denials:
        return {}
    return {
        'denied': [[*denials.values()][-1], *every],
        'denials': [[*names] for names in denials],
    }


def _less(every: tuple[str, ...], good: _Good | None, own: str) -> tuple[tuple[str, ...], ...]:
    """All that is wanted, then less and less: what is asked for where the one before is denied."""
    had, name = {*(good.names if good else ()), own}, every[:1]
    without_new = (*name, *(a for a in every[1:] if a in had))
    own_alone = (*name, *(a for a in every[1:] if a == own))
    steps = [every, without_new, own_alone, *(() if _is_for(own, good) else (name,))]
    return tuple(dict.fromkeys(steps))


def _is_for(own: str, good: _Good | None) -> bool:
    """Whether clients that verify the address *own* accept *good*."""
    return bool(own) and good is not None and own in good.names


def _without(
    every: tuple[str, ...], names: Iterable[str], denials: Mapping[tuple[str, ...], str]
) -> Iterator[state.Status]:
    missing = {*every[1:]} - {*names}
    if denials and missing:
        which = ', '.join(sorted(missing)) if len(missing) < len(every) - 1 else 'its addresses'
        text = f"this unit's certificate is not for {which} ({[*denials.values()][-1]})"
        yield state.Status('active', text)


def placeholder(inputs: state.Inputs) -> str:
    """A certificate that nobody trusts and its key, PEM: for a server that takes up another one while it runs."""
    from cryptography import x509 as library  # 60 ms, and seldom needed.
    from cryptography.hazmat.primitives import hashes, serialization

    from . import x509

    key = _key(inputs.unit_secret, 'placeholder')
    own = x509.own_key(key)
    name = host_name(inputs.site.unit)
    subject = library.Name([library.NameAttribute(library.NameOID.COMMON_NAME, name)])
    builder = (
        library.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(own.public_key())
        .serial_number(1)
        .not_valid_before(x509.moment(0))
        .not_valid_after(x509.moment(253402214400))  # 9999-12-31: no end (RFC 5280)
        .add_extension(x509.alternative_names(x509.Names((name,))), critical=False)
    )
    made = builder.sign(own, hashes.SHA256(), ecdsa_deterministic=True)
    return made.public_bytes(serialization.Encoding.PEM).decode() + key


def _shown(good: _Good | None, inputs: state.Inputs) -> dict[str, Any]:
    if good is None:
        return {}
    return {
        'chain': good.chain,
        'key': _key(inputs.unit_secret, good.id),
        'ca': good.ca,
        'names': tuple(good.names),
        'not_after': good.not_after,
    }


def _newest(
    requests: Iterable[_Request],
    given: Mapping[str, tuple[str, certificates.Issued]],
    kept: _Good | None,
    inputs: state.Inputs,
    own: str,
) -> tuple[_Good | None, list[state.Status]]:
    """The newest certificate that is right, or the one before; and what is wrong with those that are not."""
    problems: list[state.Status] = []
    for request in requests:
        if request.csr.strip() not in given or _is_revoked(request, given):
            continue
        app, issued = given[request.csr.strip()]
        text = '\n'.join((issued.certificate, *issued.chain, issued.ca))
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        if kept and (kept.id, kept.digest) == (request.id, digest):
            return kept, problems
        found = _validated(issued, text, request, inputs, digest)
        if isinstance(found, _Good):
            if not _is_for(own, kept) or _is_for(own, found):
                return found, problems
            found = f'it is not for {own}'
        text = f'the certificate that {app} gives is not taken: {found}{_until(kept)}'
        problems.append(state.Status('blocked', text))
    return kept, problems


def _validated(
    issued: certificates.Issued, text: str, request: _Request, inputs: state.Inputs, digest: str
) -> _Good | str:
    from . import x509  # 60 ms, and seldom needed.

    try:
        pair = server_pair.read(text, _key(inputs.unit_secret, request.id))
    except x509.InvalidError as e:
        return str(e)
    first = pair.chain[0]
    if first.not_after <= inputs.now:
        return f'it ended on {x509.day(first.not_after)}'
    if first.not_before > inputs.now:
        return f'it is good from {x509.day(first.not_before)} only'
    if not first.names.covers(request.names[0]):
        return f'it is not for {request.names[0]}'
    return _Good(
        id=request.id,
        digest=digest,
        chain=pair.shown,
        not_before=first.not_before,
        not_after=first.not_after,
        ca=certificates.readable(issued.ca),
        names=first.names.all,
    )


def _is_revoked(request: _Request, given: Mapping[str, tuple[str, certificates.Issued]]) -> bool:
    found = given.get(request.csr.strip())
    return found is not None and found[1].revoked


def _is_late(good: _Good, now: float) -> bool:
    return good.not_after - now < (good.not_after - good.not_before) / 4


def _current(
    requests: Iterable[_Request], given: Mapping[str, tuple[str, certificates.Issued]]
) -> list[_Request]:
    """Those up to the newest that was answered: what is older has been replaced."""
    out: list[_Request] = []
    for request in requests:
        if _is_revoked(request, given):
            continue
        out.append(request)
        if request.csr.strip() in given:
            break
    return out


def _fresh(inputs: state.Inputs, names: tuple[str, ...]) -> _Request:
    from . import x509  # 60 ms, and seldom needed.

    mark = state.password(inputs, f'certificate {names}')
    csr = x509.request(_key(inputs.unit_secret, mark), x509.Names.of(names), unique=mark)
    return _Request(mark, csr.strip(), names)


def _key(secret: str, id_: str) -> str:
    """A private key on the curve P-256, as PEM (PKCS 8): without the library that takes its time to load."""
    mac = hmac.new(secret.encode(), f'private key {id_}'.encode(), hashlib.sha512)
    # 512 bits, so that no remainder is likelier than another (FIPS 186-5, A.2.1).
    number = int.from_bytes(mac.digest()) % (_ORDER - 1) + 1
    body = base64.b64encode(_PKCS8 + number.to_bytes(32)).decode()
    return f'-----BEGIN PRIVATE KEY-----\n{textwrap.fill(body, 64)}\n-----END PRIVATE KEY-----\n'


def _until(kept: _Good | None) -> str:
    if kept is None:
        return ''
    from . import x509  # 60 ms, and seldom needed.

    return f'; the one before is good until {x509.day(kept.not_after)}'


def _refusals(
    inputs: state.Inputs, requests: list[_Request], found: _Good | None
) -> Iterator[state.Status]:
    newest = requests[0].csr.strip() if requests else ''
    for relation in inputs.of(RELATION):
        for no in certificates.refused(relation.app_data):
            if no.csr == newest:
                text = f'{relation.app} refuses a certificate for this unit: {no.reason}'
                yield state.Status('blocked', f'{text}{_until(found)}')


def _ageing(found: _Good | None, now: float) -> Iterator[state.Status]:
    if found is None:
        return
    left = found.not_after - now
    if left <= 0:
        yield state.Status('blocked', "this unit's certificate has ended")
    elif left < min(SOON_S, (found.not_after - found.not_before) / 5):
        yield state.Status('active', f"this unit's certificate ends in {int(left // 86_400)} days")
