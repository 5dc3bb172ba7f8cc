"""Keys, certificate signing requests and certificates, by the library ``cryptography``. Pure.

Keys are made of a seed that somebody drew (:attr:`charmkit.state.Inputs.fresh`), and signatures draw nothing either
(RFC 6979): the same input gives the same bytes. A charm that uses this module names ``cryptography`` in its
``pyproject.toml``; it takes 60 ms to load, so import it where there is something new to look at.

All that is read here may come from anybody: what is not what it may be raises :class:`InvalidError`.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, types
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_MOST_PEM = 64 * 1024
_MOST_NAMES = 100
_MOST_CERTIFICATES = 10
_LEAST_RSA_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve P-256 (NIST SP 800-186)."""
_PEM = re.compile(r'-----BEGIN ([A-Z0-9 ]{1,40})-----[A-Za-z0-9+/=\s]{1,65536}-----END \1-----')
PrivateKey = ec.EllipticCurvePrivateKey


class InvalidError(ValueError):
    """Something is not what it may be; the message is one sentence, and safe to show."""


@dataclasses.dataclass(frozen=True)
class Names:
    """What a certificate is for."""

    hosts: tuple[str, ...] = ()
    """Host names, in lower case."""
    addresses: tuple[str, ...] = ()
    """IP addresses."""

    @property
    def all(self) -> tuple[str, ...]:
        """Both."""
        return (*self.hosts, *self.addresses)

    @staticmethod
    def of(every: Iterable[str]) -> Names:
        """Told apart, each once, in order."""
        hosts: dict[str, None] = {}
        addresses: dict[str, None] = {}
        for name in every:
            try:
                addresses[str(ipaddress.ip_address(name))] = None
            except ValueError:
                hosts[name.lower()] = None
        return Names(tuple(hosts), tuple(addresses))

    def covers(self, name: str) -> bool:
        """Whether a client that asks for *name* takes it; a wildcard stands for one label (RFC 9525)."""
        wanted = Names.of([name])
        if wanted.addresses:
            return wanted.addresses[0] in self.addresses
        host = wanted.hosts[0]
        return host in self.hosts or f'*.{host.partition(".")[2]}' in self.hosts


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """A certificate signing request that was read, and whose signature holds."""

    names: Names
    common_name: str
    key: types.CertificatePublicKeyTypes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate that was read."""

    pem: str = dataclasses.field(repr=False)
    serial: str
    """In hexadecimal digits, as OpenSSL shows it."""
    fingerprint: str
    """SHA-1 of the whole, in hexadecimal digits, as haproxy shows it."""
    names: Names
    not_before: float
    """Seconds since the epoch, as the next."""
    not_after: float
    subject: str
    issuer: str

    @property
    def is_root(self) -> bool:
        """It names itself as its issuer."""
        return self.subject == self.issuer


def new_key(seed: str, name: str) -> str:
    """A private key on the curve P-256, as PEM (PKCS 8), made of *seed*, at least 256 random bits, and *name*."""
    mac = hmac.new(seed.encode(), f'private key {name}'.encode(), hashlib.sha512)
    # 512 bits, so that no remainder is likelier than another (FIPS 186-5, A.2.1).
    number = int.from_bytes(mac.digest()) % (_ORDER - 1) + 1
    return pem_of(ec.derive_private_key(number, ec.SECP256R1()))


def pem_of(key: PrivateKey) -> str:
    """As PEM (PKCS 8)."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def private_key(pem: str) -> types.PrivateKeyTypes:
    """Read a private key.

    Raises:
        InvalidError: when it is none, or has a password.
    """
    try:
        return serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidError('the private key is not PEM, or has a password') from None


def own_key(pem: str) -> PrivateKey:
    """A key that :func:`new_key` made.

    Raises:
        InvalidError: when it is none.
    """
    key = private_key(pem)
    if not isinstance(key, PrivateKey):
        raise InvalidError('the private key is of another kind')
    return key


def request(key: str, names: Names, *, unique: str) -> str:
    """A certificate signing request for *names*, as PEM; *unique* tells it from others for the same."""
    subject = [x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, unique)]
    first = next((n for n in names.all if len(n) <= 64), '')
    if first:
        subject.insert(0, x509.NameAttribute(NameOID.COMMON_NAME, first))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    builder = builder.add_extension(alternative_names(names), critical=False)
    made = builder.sign(own_key(key), hashes.SHA256(), ecdsa_deterministic=True)
    return made.public_bytes(serialization.Encoding.PEM).decode()


def alternative_names(names: Names) -> x509.SubjectAlternativeName:
    """As an extension."""
    return x509.SubjectAlternativeName(
        [
            *(x509.DNSName(n) for n in names.hosts),
            *(x509.IPAddress(ipaddress.ip_address(a)) for a in names.addresses),
        ]
    )


def read_request(pem: str) -> Request:
    """Read a request of anybody's.

    Raises:
        InvalidError: when it is none, is not signed by its own key, or has a key or names that no certificate may have.
    """
    (one,) = blocks(pem, 'CERTIFICATE REQUEST', most=1) or ('',)
    if not one:
        raise InvalidError('it is not a certificate signing request in PEM')
    try:
        found = x509.load_pem_x509_csr(one.encode())
        signed = found.is_signature_valid
        key = found.public_key()
        common = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = _names(found.extensions)
    except InvalidError:
        raise
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        InvalidSignature,
        x509.DuplicateExtension,
    ):
        raise InvalidError('it cannot be read as a certificate signing request') from None
    if not signed:
        raise InvalidError('its signature is not that of its key')
    return Request(names=names, common_name=str(common[0].value) if common else '', key=good(key))


def good(key: types.CertificatePublicKeyTypes) -> types.CertificatePublicKeyTypes:
    """*key* itself.

    Raises:
        InvalidError: when it is too small, or of a kind that servers and clients do not take.
    """
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        raise InvalidError(
            f'its RSA key has {key.key_size} bits, at least {_LEAST_RSA_BITS} are wanted'
        )
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, _CURVES):
        raise InvalidError(
            f'its key is on the curve {key.curve.name}; P-256, P-384 or P-521 are wanted'
        )
    if not isinstance(
        key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
    ):
        raise InvalidError('its key is neither RSA nor ECDSA nor Ed25519')
    return key


def _names(extensions: x509.Extensions, *, others: bool = False) -> Names:
    """Host names and addresses; a certificate may have *others*, which say nothing of a server."""
    try:
        found = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Names()
    if len(found) > _MOST_NAMES:
        raise InvalidError(f'it has {len(found)} names, at most {_MOST_NAMES} are allowed')
    known = (x509.DNSName, x509.IPAddress, x509.RegisteredID)
    if not others and not all(isinstance(n, known) for n in found):
        raise InvalidError('it has a name that is neither a host name nor an IP address')
    hosts = found.get_values_for_type(x509.DNSName)
    addresses = found.get_values_for_type(x509.IPAddress)
    return Names.of([*hosts, *(str(a) for a in addresses)])


def blocks(text: str, kind: str, *, most: int = _MOST_CERTIFICATES) -> tuple[str, ...]:
    """The PEM blocks of *kind* in *text*, in order.

    Raises:
        InvalidError: when it is too long, or has more than *most*.
    """
    if len(text) > _MOST_PEM:
        raise InvalidError(f'it is longer than {_MOST_PEM} characters')
    # Blank lines within, which some programs write, no library reads.
    found = tuple(
        '\n'.join(line for line in m.group(0).splitlines() if line.strip())
        for m in _PEM.finditer(text)
        if m.group(1) == kind
    )
    if len(found) > most:
        raise InvalidError(f'it holds {len(found)} blocks of {kind}, at most {most} are allowed')
    return found


def certificates(text: str) -> tuple[Certificate, ...]:
    """Every certificate in *text*, in order.

    Raises:
        InvalidError: when one cannot be read, or there are too many.
    """
    return tuple(_certificate(pem) for pem in blocks(text, 'CERTIFICATE'))


def _certificate(pem: str) -> Certificate:
    try:
        found = x509.load_pem_x509_certificate(pem.encode())
        return Certificate(
            pem=found.public_bytes(serialization.Encoding.PEM).decode().strip(),
            serial=f'{found.serial_number:x}',
            fingerprint=found.fingerprint(hashes.SHA1()).hex(),  # noqa: S303 -- a name, no proof
            names=_names(found.extensions, others=True),
            not_before=found.not_valid_before_utc.timestamp(),
            not_after=found.not_valid_after_utc.timestamp(),
            subject=found.subject.rfc4514_string(),
            issuer=found.issuer.rfc4514_string(),
        )
    except InvalidError:
        raise
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
        raise InvalidError('it holds a certificate that cannot be read') from None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Details:
    """What TLS asks of a certificate beside its names and its time."""

    key: types.CertificatePublicKeyTypes = dataclasses.field(repr=False)
    hashed: str
    """The digest that its issuer has signed, such as SHA256; '' where the kind of signature has one of its own."""
    hash_bytes: int
    signs: bool
    """Its key may make signatures."""
    serves: bool
    """It may be shown by a server."""
    unknown: str
    """A critical extension that is not known, as a dotted number; '' for none."""


def details(pem: str) -> Details:
    """Of one certificate.

    Raises:
        InvalidError: when it cannot be read.
    """
    try:
        found = x509.load_pem_x509_certificate(pem.encode())
        key, hashed, extensions = (
            found.public_key(),
            found.signature_hash_algorithm,
            found.extensions,
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
        raise InvalidError('it cannot be read') from None
    usages = [e.value for e in extensions]
    unknown = (
        e.oid for e in extensions if isinstance(e.value, x509.UnrecognizedExtension) and e.critical
    )
    return Details(
        key=key,
        hashed=hashed.name.upper() if hashed else '',
        hash_bytes=hashed.digest_size if hashed else 0,
        signs=all(u.digital_signature for u in usages if isinstance(u, x509.KeyUsage)),
        serves=all({*u} & _SERVERS for u in usages if isinstance(u, x509.ExtendedKeyUsage)),
        unknown=next((oid.dotted_string for oid in unknown), ''),
    )


_SERVERS = frozenset({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})


def chain(text: str) -> tuple[Certificate, ...]:
    """What a server sends of the certificates in *text*: the first, then who issued it, and so on, roots left out.

    Raises:
        InvalidError: when there is none, or one cannot be read.
    """
    every = certificates(text)
    if not every:
        raise InvalidError('it holds no certificate in PEM')
    found = [every[0]]
    while not found[-1].is_root:
        above = (
            c
            for c in every
            if c.subject == found[-1].issuer and c not in found and _signed(c, found[-1])
        )
        upper = next(above, None)
        if upper is None or upper.is_root:
            break
        found.append(upper)
    return tuple(found)


def _signed(upper: Certificate, lower: Certificate) -> bool:
    """Whether *upper* signed *lower*."""
    try:
        x509.load_pem_x509_certificate(lower.pem.encode()).verify_directly_issued_by(
            x509.load_pem_x509_certificate(upper.pem.encode())
        )
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def belong_together(certificate: str, key: str) -> bool:
    """Whether *certificate* is for the private *key*; both PEM.

    Raises:
        InvalidError: when one of them cannot be read.
    """
    private = private_key(key)
    try:
        theirs = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        ours = private.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidError('the certificate cannot be read') from None
    return _public(theirs) == _public(ours)


def _public(key: types.PublicKeyTypes) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def moment(seconds: float) -> datetime.datetime:
    """Of seconds since the epoch."""
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)


def day(seconds: float) -> str:
    """The day of a moment, as people read it."""
    return moment(seconds).strftime('%Y-%m-%d')
