"""Certificates made here, good ones and bad ones, and a proxy that ends TLS."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass
class Authority:
    """Signs certificates; signed by another, or by itself."""

    name: str
    parent: "Authority | None" = None
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def __post_init__(self) -> None:
        signer = self.parent or self
        self.certificate = (
            signer.draft(self.name, self.key, days=100)
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .sign(signer.key, hashes.SHA256())
        )

    def draft(
        self, name: str, key: ec.EllipticCurvePrivateKey, *, days: float, since: int = 0
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        start = now + timedelta(days=since) - timedelta(days=50)
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(now + timedelta(days=days))
        )

    def issue(
        self, folder: Path, host: str, *, days: float = 90, since: int = 0
    ) -> Path:
        """Return a PEM file: a key, and a certificate for `host` good for `days`."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        made = (
            self.draft(host, key, days=days, since=since)
            .add_extension(names, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return written(folder, key, made)

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def self_signed(folder: Path, host: str) -> Path:
    """Return a PEM file of a certificate that only vouches for itself."""
    own = Authority(host)
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    made = (
        own.draft(host, own.key, days=90)
        .add_extension(names, critical=False)
        .sign(own.key, hashes.SHA256())
    )
    return written(folder, own.key, made)


def written(
    folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
) -> Path:
    file = folder / f"{certificate.serial_number}.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


class Proxy:
    """Ends TLS and passes bytes on to a port of this machine, both ways."""

    def __init__(self, certificate: Path, target: int) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._target = target
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, ready: threading.Event, end: asyncio.Event) -> None:
        server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=self._context
        )
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await end.wait()
        server.close()
        # Their peers have gone, so they end by themselves.
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            inner = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            await _closed(writer)
            return
        await asyncio.gather(_pump(reader, inner[1]), _pump(inner[0], writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while content := await reader.read(65_536):
            writer.write(content)
            await writer.drain()
    await _closed(writer)


async def _closed(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.close()
        await writer.wait_closed()


@contextmanager
def proxy(certificate: Path, target: int = 9) -> Iterator[int]:
    """Yield the port of a TLS proxy before `target`, where nothing need listen."""
    made, ready = Proxy(certificate, target), threading.Event()
    loop = asyncio.new_event_loop()
    end = asyncio.Event()
    # A peer that distrusts us hangs up in mid-handshake: that is what is tested.
    loop.set_exception_handler(lambda *_: None)
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(made.serve(ready, end))
    )
    thread.start()
    try:
        assert ready.wait(10)
        yield made.port
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()
