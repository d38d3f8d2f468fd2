"""`python -m tests.emulators.element --folder DIR`: prints its port once it listens."""

from __future__ import annotations

import argparse
import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.emulators.element import access, jobs, policies, reads, volumes
from tests.emulators.element.cluster import Cluster
from tests.emulators.element.export import TgtExport, serve_portal
from tests.emulators.element.server import Server

NOUNS = (access, jobs, policies, reads, volumes)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for this machine's loopback, as a fresh cluster has, and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cluster")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cluster.crt", folder / "cluster.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(prog="element")
    parser.add_argument("--folder", type=Path, required=True, help="for the certificate and the volumes")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password", default="element-password")
    parser.add_argument("--svip", default="127.0.0.1")
    parser.add_argument("--tgt-control", type=int, help="tgtd's control port: serve the volumes over iSCSI")
    parser.add_argument("--tgt-portal", help="where that tgtd listens, as address:port")
    given = parser.parse_args()
    cluster = Cluster(svip=given.svip)
    if given.tgt_control is not None:
        cluster.on_change = TgtExport(cluster, given.tgt_control, given.folder)
        address, _, port = given.tgt_portal.rpartition(":")
        serve_portal(given.svip, (address, int(port)))
    server = Server(cluster, given.port, *make_certificate(given.folder), given.user, given.password)
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
