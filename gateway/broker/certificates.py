"""The household's own certificate authority, and the broker's certificate. Pure: bytes in PEM, and the time, go in.

ECDSA on P-256 with SHA-256 (RFC 5480): the boards' mbedTLS has no Ed25519, and RSA is slow there.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.errors import HearthgateError

CA_YEARS = 20
SERVER_DAYS = 730
_YEAR = timedelta(days=365.25)
_SLACK = timedelta(days=1)  # a clock may be a little behind ours
_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")


class CertificateError(HearthgateError):
    """A name cannot stand in a certificate, or a file does not hold one."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both in PEM."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Pair(…)"  # the key stays out of logs


def make_ca(now: datetime) -> Pair:
    """A new authority, good for 20 years. Its name is its own: a board may trust it beside an older one."""
    key = ec.generate_private_key(ec.SECP256R1())
    mark = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Hearthgate household {mark.digest[:4].hex()}")])
    builder = (
        _begin(name, name, key, now - _SLACK, now + CA_YEARS * _YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(mark, critical=False)
    )
    return Pair(_pem(builder.sign(key, hashes.SHA256())), _key_pem(key))


def make_server(ca: Pair, hosts: Sequence[str], now: datetime) -> Pair:
    """A certificate for the broker under these names and addresses, good for two years from now, and as far back as the
    authority: a board that cannot ask what time it is knows from that one how late it is at least. Raises
    CertificateError."""
    authority, ca_key = _certificate(ca.certificate), _private(ca.key)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hearthgate broker")])
    builder = (
        _begin(
            name,
            authority.subject,
            key,
            min(now - _SLACK, authority.not_valid_before_utc),
            min(now + timedelta(days=SERVER_DAYS), authority.not_valid_after_utc),
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    return Pair(_pem(builder.sign(ca_key, hashes.SHA256())), _key_pem(key))


def hosts_of(certificate: bytes) -> list[str]:
    """The names and addresses that a server's certificate is for. Raises CertificateError."""
    names = _certificate(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def expiry(certificate: bytes) -> datetime:
    """Until when it is good (UTC). Raises CertificateError."""
    return _certificate(certificate).not_valid_after_utc


def issued(ca_certificate: bytes, certificate: bytes) -> bool:
    """Whether the authority signed the certificate. Raises CertificateError."""
    try:
        _certificate(certificate).verify_directly_issued_by(_certificate(ca_certificate))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def belongs(pair: Pair) -> bool:
    """Whether the key is that of the certificate. Raises CertificateError."""
    return bool(_certificate(pair.certificate).public_key() == _private(pair.key).public_key())


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, since: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    if not _NAME.fullmatch(host):
        raise CertificateError(
            f"{host!r:.80} is neither a host name nor an address; for example pi.local or 192.168.1.5"
        )
    return x509.DNSName(host)


def _certificate(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as why:
        raise CertificateError(f"not a certificate in PEM: {why}") from why


def _private(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError) as why:
        raise CertificateError(f"not a private key in PEM: {why}") from why
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError("not a key of an elliptic curve")
    return key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
