"""Certificates for servers of the tests' own: good ones, and each kind of bad one."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

OWN_NAMES = ("localhost", "127.0.0.1", "127.0.0.2", "::1")


class Authority:
    """Signs certificates. `file` is what a client that trusts it is given."""

    def __init__(self, folder: Path, name: str = "the authority of the tests") -> None:
        self.folder = folder
        self.name = _name(name)
        self.key = ec.generate_private_key(ec.SECP256R1())
        itself = _builder(self.name, self.key.public_key(), days_left=9)
        itself = itself.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file = folder / "authority.pem"
        signed = itself.issuer_name(self.name).sign(self.key, hashes.SHA256())
        self.file.write_bytes(signed.public_bytes(Encoding.PEM))

    def server(self, *names: str, days_left: int = 1, self_signed: bool = False) -> ssl.SSLContext:
        """A server's context, with a certificate for these names or for all of this machine's."""
        names = names or OWN_NAMES
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(names[0]), key.public_key(), days_left)
        builder = builder.add_extension(x509.SubjectAlternativeName([*map(_general, names)]), critical=False)
        issuer, signing = (_name(names[0]), key) if self_signed else (self.name, self.key)
        return self._context(builder.issuer_name(issuer).sign(signing, hashes.SHA256()), key)

    def _context(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
        file = self.folder / f"{certificate.serial_number}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _builder(subject: x509.Name, key: ec.EllipticCurvePublicKey, days_left: int) -> x509.CertificateBuilder:
    ends = datetime.now(UTC) + timedelta(days=days_left)
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key)
    builder = builder.not_valid_before(ends - timedelta(days=10)).not_valid_after(ends)
    return builder.serial_number(x509.random_serial_number())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
