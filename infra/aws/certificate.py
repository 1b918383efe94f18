"""The certificate by which the nodes of a cluster encrypt what they tell each other: one for all clusters, self-signed.

EMR wants a zip of `privateKey.pem`, `certificateChain.pem` and `trustedCertificates.pem` in S3, and hands its content
to every node at start. The names in it are those that EC2 gives nodes inside a VPC.
"""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

VALID: Final = timedelta(days=397)
RENEW_BEFORE: Final = timedelta(days=60)
CHAIN: Final = "certificateChain.pem"


def make(region: str, now: datetime) -> bytes:
    """The zip's bytes."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"*.{domain}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"*.{domain}")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, body in ((CHAIN, chain), ("trustedCertificates.pem", chain), ("privateKey.pem", private)):
            archive.writestr(member, body)
    return out.getvalue()


def expires(archive: bytes) -> datetime:
    """Raises ValueError, KeyError or zipfile.BadZipFile for what is no such zip."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return x509.load_pem_x509_certificate(file.read(CHAIN)).not_valid_after_utc


def is_due(archive: bytes | None, now: datetime) -> bool:
    """Must a new one be made?"""
    try:
        return archive is None or expires(archive) < now + RENEW_BEFORE
    except (ValueError, KeyError, zipfile.BadZipFile):
        return True


def utc_now() -> datetime:
    return datetime.now(UTC)
