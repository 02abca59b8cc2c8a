"""The container's health check, against a real server."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from demo.ports import free_port

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "healthcheck.py"


class Console(BaseHTTPRequestHandler):
    """Answers /healthz, as Django does: for the host it knows, else with 400."""

    def do_GET(self) -> None:
        known = self.headers["Host"] == "console.example.com"
        self.send_response(200 if known and self.path == "/healthz" else 400)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Console) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def status(port: int, allowed_hosts: str) -> int:
    return subprocess.run(
        [sys.executable, SCRIPT, str(port)],
        env={"ALLOWED_HOSTS": allowed_hosts},
        stderr=subprocess.DEVNULL,
        check=False,
    ).returncode


@pytest.mark.parametrize(
    "allowed_hosts", ["console.example.com,localhost", ".console.example.com"]
)
def test_is_healthy_under_a_name_that_django_allows(
    port: int, allowed_hosts: str
) -> None:
    assert status(port, allowed_hosts) == 0


def test_is_ill_when_the_answer_is_no(port: int) -> None:
    assert status(port, "other.example.com") == 1


def test_is_ill_when_nobody_answers() -> None:
    assert status(free_port(), "") == 1
