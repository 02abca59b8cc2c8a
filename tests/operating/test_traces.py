"""A call is one trace, from Event Grid's webhook to the socket that ACS dials."""

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.streaming.house import ROOT


class Collector(ThreadingHTTPServer):
    """Takes traces as a collector does, by OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taker)
        self.spans: list[Span] = []


class Taker(BaseHTTPRequestHandler):
    """Keeps every span."""

    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_call_is_one_trace_over_four_processes(
    tmp_path: Path, collector: Collector
) -> None:
    to = f"http://127.0.0.1:{collector.server_port}"
    words = ["demo", "--once", "--calls", "1", "--seconds", "8", "--port", "0"]

    done = subprocess.run(
        [sys.executable, "manage.py", *words, "--data", str(tmp_path / "demo")],
        cwd=ROOT,
        env=os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": to},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    [socket, *_] = [one for one in collector.spans if one.name == "media socket"]
    trace = [one for one in collector.spans if one.trace_id == socket.trace_id]
    by_id = {one.span_id: one for one in trace}
    way = [socket.name]
    parent = socket
    while parent := by_id.get(parent.parent_span_id):
        way.append(parent.name)
    assert way == ["media socket", "ACS answer", "calls.send_command", "POST webhook"]
    [link] = socket.links
    assert by_id[link.span_id].name == "ACS answer"
    # A person is nowhere in it: the demo's numbers begin so.
    assert "+" not in str(collector.spans)
