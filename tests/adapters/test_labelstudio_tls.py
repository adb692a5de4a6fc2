"""Certificates are verified, and nothing is sent to a server that cannot prove its name."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from curate.adapters.labelstudio import client
from curate.adapters.labelstudio.connection import Connection
from curate.errors import AnnotationToolError

KEY = "0123456789abcdef0123456789abcdef01234567"
requests: list[str] = []


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        requests.append(self.headers.get("Authorization", ""))
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"true")

    def log_message(self, *_: object) -> None: ...


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / f"{name}.pem", folder / f"{name}.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(*form))
    return public, private


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """Address of a server on loopback with a certificate that nobody knows, and that certificate."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    public, private = certificate(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as served:
        served.socket = context.wrap_socket(served.socket, server_side=True)
        thread = threading.Thread(target=served.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        requests.clear()
        yield f"https://127.0.0.1:{served.server_address[1]}", public
        served.shutdown()
        thread.join(10)


def ask(url: str) -> object:
    return client.Client(Connection(url, KEY, "a test"), timeout_s=10).get("/", action="reading")


def test_a_certificate_that_nobody_signed_is_refused_before_the_token_is_sent(
    server: tuple[str, Path],
) -> None:
    with pytest.raises(AnnotationToolError) as info:
        ask(server[0])
    assert str(info.value) == (
        f"the certificate of {server[0]} is not trusted "
        "(certificate verify failed: self-signed certificate): "
        "put the file of the authority that signed it into SSL_CERT_FILE"
    )
    assert not isinstance(info.value, client.TransientError)  # trying again changes nothing
    assert requests == []


def test_an_authority_of_ones_own_is_named_in_the_environment(
    server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(server[1]))
    assert ask(server[0]) is True
    assert requests == [f"Token {KEY}"]


def test_another_authority_does_not_help(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate(tmp_path, "another")[0]))
    with pytest.raises(AnnotationToolError, match="is not trusted"):
        ask(server[0])
    assert requests == []


def test_a_certificate_for_another_name_is_refused(
    server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(server[1]))
    with pytest.raises(AnnotationToolError, match=r"is not trusted .*localhost"):
        ask(server[0].replace("127.0.0.1", "localhost"))
    assert requests == []
