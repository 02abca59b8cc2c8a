"""The same over TLS, with a certificate that is made here."""

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.websocket.applications import (
    Message,
    Receive,
    Send,
    Witness,
    accepted,
    echo,
    eventually,
)
from tests.websocket.client import BINARY, PING, PONG, TEXT, Client, fin, frame
from tests.websocket.conftest import open_socket
from tests.websocket.dialects import Dialect
from tests.websocket.server import Server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a PEM file: a key, and a certificate for 127.0.0.1 signed with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture(scope="module")
def tls_server(dialect: Dialect, certificate: Path) -> Iterator[Server]:
    # Not ingest's own loop: under a burst, aiofastnet's TLS forgets what OpenSSL has
    # read already, until more comes. Ingest speaks no TLS: a proxy ends it.
    server = Server(dialect, ssl_certfile=str(certificate), loop="asyncio").start()
    with server.log:
        yield server
        eventually(server.quiet)
        assert server.log.lines == []
    server.end()


Dials = Callable[..., Client]


@pytest.fixture
def dial(
    tls_server: Server, connect: Callable[..., Client], certificate: Path
) -> Dials:
    trusting = ssl.create_default_context(cafile=str(certificate))

    def dial(application: Witness | None = None) -> Client:
        return open_socket(connect, tls_server, application, tls=trusting)

    return dial


def test_messages_of_every_size_come_back(tls_server: Server, dial: Dials) -> None:
    tls_server.application = echo
    client = dial()

    for size in (0, 1, 125, 126, 65535, 65536, 1024 * 1024):
        client.write(frame(BINARY, bytes(size)))
        assert client.frame() == (fin(BINARY), bytes(size))


def test_a_frame_may_be_cut_into_records(tls_server: Server, dial: Dials) -> None:
    tls_server.application = echo
    client = dial()

    for byte in frame(TEXT, b"one byte in a record") + frame(PING, b"?"):
        client.write(bytes([byte]))
        tls_server.settle()

    assert client.message() == "one byte in a record"
    assert client.frame() == (fin(PONG), b"?")


def test_the_scheme_is_wss(tls_server: Server, dial: Dials) -> None:
    schemes: list[str] = []

    async def looks(scope: Message, receive: Receive, send: Send) -> None:
        schemes.append(scope["scheme"])
        await accepted(receive, send)

    tls_server.application = looks
    dial()

    assert schemes == ["wss"]


def test_a_close_is_answered(dial: Dials) -> None:
    witness = Witness()
    client = dial(witness)

    client.close(1001, b"bye")

    assert client.closed()[0] == 1001
    assert client.rest() == b""
    assert witness.disconnect() == (1001, "bye")


def test_a_fault_is_told(dial: Dials) -> None:
    witness = Witness()
    client = dial(witness)

    client.write(frame(0x3))

    assert client.closed()[0] == 1002
    assert client.rest() == b""
    assert witness.disconnect()[0] == 1002


def test_who_vanishes_is_noticed(dial: Dials, dialect: Dialect) -> None:
    witness = Witness()
    client = dial(witness)
    client.text("last words")
    eventually(lambda: witness.messages)

    client.vanish()

    assert witness.disconnect()[0] == dialect.code_of_the_vanished


def test_every_message_of_many_arrives(dial: Dials) -> None:
    witness = Witness()
    client = dial(witness)
    texts = [f"packet {number} " + "x" * 1_700 for number in range(2_000)]

    client.send(*(frame(TEXT, text.encode()) for text in texts))
    client.close(1000)

    assert client.closed()[0] == 1000
    assert witness.disconnect()[0] == 1000
    assert witness.messages == texts
