"""A real Azurite: Microsoft's own stand-in for Azure Blob Storage, from npm."""

import http.client
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from azure.storage.blob import ContainerClient
from django.conf import settings

from demo.ports import free_port

# Published in Azurite's documentation: it takes no other.
ACCOUNT = "devstoreaccount1"
KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
    "K1SZFPTOtr/KBHBeksoGMGw=="
)
PATIENCE = 60.0


class Azurite:
    """One on one port, that can go and come again with all it had."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Azurite":
        """Start it and wait until it answers."""
        program = Path(settings.BASE_DIR) / "node_modules" / ".bin" / "azurite-blob"
        node = shutil.which("node")
        assert node, "no node here: apt-get install nodejs npm"
        assert program.exists(), "no Azurite here: make test installs it, or npm ci"
        words = ["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--loose"]
        where = ["--location", str(self.folder), "--blobPort", str(self.port)]
        with (self.folder.parent / "azurite.log").open("ab") as log:
            self._process = subprocess.Popen(
                [node, str(program.resolve()), *words, *where],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, "Azurite ended"
            assert time.monotonic() < deadline, "Azurite does not answer"
            time.sleep(0.05)
        return self

    def _answers(self) -> bool:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            line.request("GET", "/")
            return line.getresponse().status > 0
        except OSError:
            return False
        finally:
            line.close()

    def stop(self) -> None:
        """End it; what it has is on disk."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)
            self._process = None

    def connection_string(self, port: int | None = None) -> str:
        """Return how to reach it, or a relay before it."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint=http://127.0.0.1:{port or self.port}/{ACCOUNT};"
        )

    def container(self) -> ContainerClient:
        """Make a container that nobody else has, and return its client."""
        client = ContainerClient.from_connection_string(
            self.connection_string(), f"recordings-{uuid4().hex[:12]}"
        )
        client.create_container()
        return client


@contextmanager
def azurite_server(folder: Path) -> Iterator[Azurite]:
    """Run an Azurite in a folder."""
    place = folder / "azurite"
    place.mkdir()
    server = Azurite(place)
    try:
        yield server.start()
    finally:
        server.stop()
