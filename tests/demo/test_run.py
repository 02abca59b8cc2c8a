"""The demo as a newcomer runs it: real processes, from the command line."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen
from uuid import UUID

import numpy as np
import pytest
import soundfile
from django.core.management import CommandError, call_command
from django.test import override_settings
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from acsstream.settings import BASE_DIR
from calls.doors.capability import call_secret
from calls.probe import PROBE_HEADER, PROBE_PATH, probe_proof
from demo.loopback import Operator
from tests.demo.leaks import (
    contexts_kept,
    environment_of,
    leaks_in,
    pages_of,
    personal_of,
)
from tests.e2e.terminal import demo_on_terminal
from tests.operating.collector import Collector, collecting, way_of

COMMAND = [sys.executable, str(BASE_DIR / "manage.py"), "demo"]
PARTS = {"redis", "web", "ingest", "worker", "beat", "emulator", "realtime"}
# Of a machine that is busy with other tests; less than pytest's own.
PATIENCE = 110.0
# An operator's last order comes at 0.6 of a call, and is tried for five seconds.
CALL_SECONDS = 14


def processes_of(folder: Path) -> list[int]:
    """Return the pids of everything that runs in the environment of a demo."""
    mark = f"ACSSTREAM_DATA_DIR={folder}\0".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and mark in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def ports_of(folder: Path) -> set[int]:
    """Return the loopback ports in the environment of a running demo."""
    [pid, *_] = processes_of(folder)
    text = Path(f"/proc/{pid}/environ").read_text(encoding="utf-8")
    return {int(port) for port in re.findall(r"://127\.0\.0\.1:(\d+)", text)}


def is_taken(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def running(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*COMMAND, "--port=0", "--data", str(folder), *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        try:
            yield demo
        finally:
            demo.kill()


def read_until(demo: "subprocess.Popen[str]", words: str) -> str:
    """Read what the demo says until it says `words`; return all of it."""
    assert demo.stdout
    said = ""
    for line in demo.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it never said {words!r}:\n{said}")


def assert_keys_were_pressed(folder: Path) -> None:
    """The caller's keys came over the socket, as rows, once and in order."""
    with closing(sqlite3.connect(folder / "acsstream.sqlite3")) as database:
        rows = database.execute("select tone from calls_tone order by at_us")
        assert "".join(tone for (tone,) in rows) == "4711#"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as server:
        yield server


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    """One stereo file without any silence in it."""
    folder = tmp_path / "audio"
    folder.mkdir()
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (48_000 * 5, 2))
    soundfile.write(folder / "talk.wav", noise, 48_000)
    return folder


def assert_calls_are_traces(spans: list[Span]) -> None:
    """An incoming call is one trace, over four processes; nobody is named in it."""
    by_id = {span.span_id: span for span in spans}
    dialled = [span for span in spans if span.name == "media socket" and span.links]
    ways = [(span, way_of(span, spans)) for span in dialled]
    inward = ["media socket", "ACS answer", "calls.send_command", "POST webhook"]
    whole = [span for span, way in ways if way == inward]
    assert whole, ways
    for span in whole:
        [link] = span.links
        assert by_id[link.span_id].name == "ACS answer"
    # The demo's people have numbers that begin so.
    assert "+1" not in str(spans)


def test_records_every_kind_of_call_and_finds_nothing_missing(
    tmp_path: Path,
    audio: Path,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    to = f"http://127.0.0.1:{collector.server_port}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", to)
    folder, file = tmp_path / "data", tmp_path / "report.json"
    options = ["--once", "--seconds", str(CALL_SECONDS), "--audio", str(audio)]

    with running(folder, *options, "--report", str(file)) as demo:
        [address] = re.findall(r"http://\S+(?=/admin/)", read_until(demo, "console:"))
        secrets = environment_of(processes_of(folder)[0])
        pages = pages_of(address, secrets["ACSSTREAM_EVENTGRID_SECRET"])
        said, _ = demo.communicate(timeout=PATIENCE)

    assert demo.returncode == 0, said
    assert_nothing_leaked(folder, pages, secrets)
    assert "OK: all 10 calls 100 % complete" in said
    report = json.loads(file.read_text(encoding="utf-8"))
    assert report["ok"]
    assert len({call["kind"] for call in report["calls"]}) == 10
    assert_calls_are_traces(collector.spans)
    participants = [each for call in report["calls"] for each in call["participants"]]
    assert len(participants) == 18
    for each in participants:
        assert each["stored_packets"] == each["sent_packets"] > 100
        assert each["stored_sha256"] == each["sent_sha256"]
        assert each["silent_packets"] == 0
    assert_kinds_happened(report["calls"])
    assert_conversations(report["calls"])
    assert_keys_were_pressed(folder)
    assert processes_of(folder) == []


def assert_nothing_leaked(
    folder: Path, pages: dict[str, str], secrets: dict[str, str]
) -> None:
    """No secret, number, name or word is in a log or a page, no context anywhere."""
    database = folder / "acsstream.sqlite3"
    planted = secrets | personal_of(database)
    assert {name.split()[0] for name in planted} >= {"SECRET_KEY", "number", "name"}
    logs = {path.name: path.read_text() for path in (folder / "logs").glob("*.log")}
    leaks = {
        where: found
        for where, text in (logs | pages).items()
        if (found := leaks_in(text, planted))
    }
    assert leaks == {}
    assert contexts_kept(database) == []


def assert_kinds_happened(calls: list[Any]) -> None:
    """A stop and a redial leave their traces; nothing else may."""
    stopped = [call["participants"][0]["stopped_ms"] for call in calls]
    gaps = [call["participants"][0]["gap_ms"] for call in calls]
    assert [bool(each) for each in stopped] == [False] * 4 + [True] + [False] * 5
    assert [bool(each) for each in gaps] == [False] * 5 + [True] + [False] * 4


def assert_conversations(calls: list[Any]) -> None:
    """What we said was heard and is recorded: a prompt and an echo.

    In noise without a pause there are no words, and the service is never let speak.
    """
    heard = "We were heard for"
    spoken = [any(heard in note for note in call["notes"]) for call in calls]
    assert spoken == [False] * 6 + [True, True, False, False]
    echoes = [call["echo_round_trip_ms"] for call in calls]
    assert [bool(echo) for echo in echoes] == [False] * 7 + [True] + [False] * 2
    assert_echo_was_timed(echoes[7], calls[7]["notes"])


def assert_echo_was_timed(echo: Any, notes: list[str]) -> None:
    """In noise what comes back is found; how soon is the affair of the machine."""
    [heard] = re.findall(r"of (\d+) frames are in our recording", " ".join(notes))
    assert int(heard) / 2 < echo["frames"] <= int(heard)
    assert 0 < echo["p50"] <= echo["p95"] <= echo["worst"]


def test_has_a_console_that_works_and_leaves_nothing_after_ctrl_c(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    with running(folder, "--seconds", "600") as demo:
        said = read_until(demo, "calls of 600 s")
        ports = ports_of(folder)
        assert len(ports) == 5
        assert_console_works(said)
        assert_doors_are_shut(folder)

        demo.send_signal(signal.SIGINT)
        said, _ = demo.communicate(timeout=PATIENCE)

    assert demo.returncode == 128 + signal.SIGINT
    assert "All parts have ended" in said
    assert processes_of(folder) == []
    assert not any(map(is_taken, ports))
    assert {path.stem for path in (folder / "logs").glob("*.log")} == PARTS | {"demo"}


def connected(folder: Path) -> list[UUID]:
    """Return the calls of a demo that were ever connected."""
    with closing(sqlite3.connect(folder / "acsstream.sqlite3")) as database:
        rows = database.execute("select id from calls_call where connected_at not null")
        return [UUID(call_id) for (call_id,) in rows]


def assert_doors_are_shut(folder: Path) -> None:
    """The running processes verify what the emulator signs, and take nothing else."""
    until(lambda: bool(connected(folder)))
    call_id, *_ = connected(folder)
    [pid, *_] = processes_of(folder)
    words = Path(f"/proc/{pid}/environ").read_text(encoding="utf-8").split("\0")
    given = dict(word.split("=", 1) for word in words if "=" in word)
    refused = "".join(
        line
        for name in ("web", "ingest")
        for line in (folder / "logs" / f"{name}.log").read_text().splitlines()
        if "refused (" in line
    )
    with override_settings(SECRET_KEY=given["SECRET_KEY"]):
        secret, proof = call_secret(call_id), probe_proof()
    media, console = given["ACSSTREAM_MEDIA_URL"], given["ACSSTREAM_PUBLIC_URL"]

    # Callbacks came and sockets opened, all with tokens that were verified.
    assert not refused
    with connect(
        f"{media}/media/{PROBE_PATH}", additional_headers={PROBE_HEADER: proof}
    ) as probe:
        assert json.loads(probe.recv(PATIENCE))["media_auth"] == "required"
    for door in ("media", "transcription"):
        with pytest.raises(InvalidStatus) as socket_refused:
            connect(f"{media}/{door}/{secret}")
        assert socket_refused.value.response.status_code == 401
    for hook in (f"calls/{secret}", "eventgrid", "eventgrid?secret=guess"):
        with pytest.raises(HTTPError) as hook_refused:
            urlopen(f"{console}/webhooks/{hook}", b"[]", PATIENCE)  # noqa: S310 http
        with hook_refused.value:
            assert hook_refused.value.code == 401


def assert_console_works(said: str) -> None:
    """Sign in with what was printed; the page's styles and scripts are there."""
    [address] = re.findall(r"The console: (http://127\.0\.0\.1:\d+)/admin/", said)
    [(name, password)] = re.findall(r"sign in as (\w+), password (\S+)", said)
    operator = Operator(address)
    page = operator.sign_in(name, password)
    files = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page))
    assert any(file.endswith(".css") for file in files)
    for file in files:
        assert operator.get(file)


def test_stays_on_a_terminal_with_calls_in_it_until_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    options = ["--port=0", "--calls", "1", "--seconds", "8"]
    with demo_on_terminal(folder, *options) as demo:
        demo.await_line("OK: all 1 calls 100 % complete", PATIENCE)
        demo.await_line("The console stays up", PATIENCE)
        demo.await_line(r" 2  mixed, 16 kHz +streaming", PATIENCE)

    # Leaving it pressed Ctrl-C: what was verified is still the verdict.
    assert demo.process.returncode == 0
    assert processes_of(folder) == []


def test_leaves_nothing_when_it_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running(folder, "--seconds", "600") as demo:
        read_until(demo, "calls of 600 s")
        ports = ports_of(folder)

        demo.kill()
        demo.wait()
        until(lambda: not processes_of(folder))

    assert not any(map(is_taken, ports))


def test_tells_the_truth_about_a_recorder_that_was_killed(tmp_path: Path) -> None:
    folder, file = tmp_path / "data", tmp_path / "report.json"
    # ACS dials six times; the last time 13.5 seconds after the kill.
    options = ["--once", "--calls", "1", "--seconds", "24", "--report", str(file)]
    with running(folder, *options) as demo:
        read_until(demo, "1 streaming")
        os.kill(pid_of_ingest(folder), signal.SIGKILL)
        said, _ = demo.communicate(timeout=PATIENCE)

    assert "ingest was killed by signal 9 and was started again" in said
    report = json.loads(file.read_text(encoding="utf-8"))
    [call] = report["calls"]
    for each in call["participants"]:
        lost = each["sent_packets"] - each["stored_packets"]
        # A quarter of a second unwritten, as much on the way; more on a busy machine.
        assert 0 <= lost <= 50
        assert each["gap_ms"] == (each["unsent_packets"] + lost) * 20 > 0
        assert each["completeness"] < 1
        assert bool(each["problems"]) == bool(lost)
    assert demo.returncode == int(not report["ok"])


def pid_of_ingest(folder: Path) -> int:
    [pid] = [
        pid
        for pid in processes_of(folder)
        if b"\0ingest\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return pid


def test_names_the_part_that_fails_and_ends_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin" / "redis-server"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho out of luck\nexit 3\n", encoding="ascii")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    folder = tmp_path / "data"

    with running(folder, "--once") as demo:
        said, _ = demo.communicate(timeout=PATIENCE)

    assert demo.returncode == 1
    assert "FAILED: redis ended with code 3." in said
    assert f"{folder}/logs/redis.log" in said
    assert "out of luck" in said
    assert processes_of(folder) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--calls", "0"], "--calls: must be a whole number"),
        (["--port", "99999"], "--port: must be a whole number"),
        (["--seconds", "2"], "--seconds: must be a number, 8 or more"),
        (["--audio", "/nowhere"], "/nowhere: not a folder"),
        (["--audio", str(BASE_DIR / "docs")], "no .wav or .flac file in it"),
        (["--report", "/nowhere/report.json"], "no file that can be written"),
        (["--data", str(BASE_DIR)], "is not empty"),
    ],
)
def test_says_what_is_wrong_before_anything_starts(
    options: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object) -> None:
        raise AssertionError("the demo went on")

    monkeypatch.setattr(os, "execve", started)

    with pytest.raises(CommandError, match=re.escape(message)):
        call_command("demo", "--port=0", *options)
