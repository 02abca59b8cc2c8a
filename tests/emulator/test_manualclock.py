"""The emulator on a clock that is moved by hand, beside an app in another thread."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from azure.communication.callautomation import (
    CallAutomationClient,
    CommunicationUserIdentifier,
    MediaStreamingOptions,
)
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from emulator.calls import NotPossibleError
from emulator.speech import Speech
from tests.emulator.manual import ManualEmulator


class Desk:
    """An app that takes down callbacks and media, and orders by the SDK."""

    def __init__(self, emulator: ManualEmulator, url: str, media: str) -> None:
        self.emulator = emulator
        self.url = url
        self.media = media
        self.client = CallAutomationClient(
            emulator.url, AzureKeyCredential(emulator.access_key), retry_total=0
        )
        self.callbacks: list[dict[str, Any]] = []

    def answer(self, call: str, *, start: bool = True) -> Any:
        return self.client.answer_call(
            self.emulator.context(call),
            self.url,
            media_streaming=MediaStreamingOptions(
                transport_url=self.media,
                transport_type="websocket",
                content_type="audio",
                audio_channel_type="mixed",
                start_media_streaming=start,
            ),
        )

    def kinds(self) -> list[str]:
        return [each["type"].rpartition(".")[2] for each in self.callbacks]


@contextmanager
def taking_down(callbacks: list[dict[str, Any]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            callbacks.extend(json.loads(self.rfile.read(length)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/callbacks"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def hearing(heard: "queue.Queue[str]") -> Iterator[str]:
    def listen(socket: ServerConnection) -> None:
        try:
            for message in socket:
                heard.put(str(message))
        except ConnectionClosed:
            pass

    with serve(listen, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def heard() -> "queue.Queue[str]":
    return queue.Queue()


@pytest.fixture
def desk(speech: Speech, heard: "queue.Queue[str]") -> Iterator[Desk]:
    callbacks: list[dict[str, Any]] = []
    with (
        taking_down(callbacks) as url,
        hearing(heard) as media,
        ManualEmulator(speech=speech) as emulator,
    ):
        desk = Desk(emulator, url, media)
        desk.callbacks = callbacks
        yield desk


def test_nothing_happens_until_time_is_moved(desk: Desk) -> None:
    call = desk.emulator.ring()
    desk.answer(call)
    assert desk.kinds() == []

    desk.emulator.advance(0.19)
    assert desk.kinds() == []
    assert desk.emulator.report(call)["state"] == "connecting"

    desk.emulator.advance(0.02)
    kinds = ["CallConnected", "ParticipantsUpdated", "MediaStreamingStarted"]
    assert desk.kinds() == kinds
    report = desk.emulator.report(call)
    assert report["state"] == "connected"
    assert report["media"]["state"] == "active"
    assert report["callbacks"]["pending"] == 0


def test_sleepers_wake_in_the_order_of_their_moments(desk: Desk) -> None:
    options = {"callbacks_late": "CallConnected:3,ParticipantsUpdated:2"}
    call = desk.emulator.ring(options=options)
    desk.answer(call, start=False)

    desk.emulator.advance(10)

    assert desk.kinds() == ["ParticipantsUpdated", "CallConnected"]
    assert desk.emulator.seconds() == 10


def test_a_call_rings_out_in_no_time(desk: Desk) -> None:
    call = desk.emulator.ring()

    desk.emulator.advance(29.9)
    assert desk.emulator.report(call)["state"] == "ringing"
    desk.emulator.advance(0.2)
    assert desk.emulator.report(call)["state"] == "missed"


def test_an_order_is_carried_out_at_once(desk: Desk) -> None:
    call = desk.emulator.ring()
    answered = desk.answer(call)
    desk.emulator.advance(1)
    connection = desk.client.get_call_connection(answered.call_connection_id)

    connection.stop_media_streaming(operation_context="stop")
    desk.emulator.advance(0)

    assert desk.kinds()[-1] == "MediaStreamingStopped"
    assert desk.emulator.report(call)["sockets"][0]["ended"] == "clean"
    [_, stopped] = desk.emulator.report(call)["effects"]
    assert (stopped["operation"], stopped["at"]) == ("stopMediaStreaming", 1.0)


def test_the_caller_hangs_up_when_the_test_says(desk: Desk) -> None:
    call = desk.emulator.ring()
    desk.answer(call)
    desk.emulator.advance(1)

    desk.emulator.act(call, "hangup")

    assert desk.kinds()[-1] == "CallDisconnected"
    assert desk.emulator.report(call)["finished"]
    with pytest.raises(NotPossibleError):
        desk.emulator.act(desk.emulator.ring(), "redial")


def test_sparse_audio_comes_once_a_second(
    desk: Desk, heard: "queue.Queue[str]"
) -> None:
    call = desk.emulator.ring(options={"packets": "sparse"})
    desk.answer(call)

    desk.emulator.advance(100.3)
    desk.emulator.act(call, "hangup")

    [sent] = desk.emulator.report(call)["participants"]
    # The slot at the start, and one after each second.
    assert sent["sent_packets"] == 101
    kinds = [json.loads(heard.get(timeout=60))["kind"] for _ in range(102)]
    assert kinds == ["AudioMetadata"] + ["AudioData"] * 101


def test_all_audio_comes_too(desk: Desk) -> None:
    call = desk.emulator.ring(options={"packets": "all"})
    desk.answer(call)

    desk.emulator.advance(10.31)

    report = desk.emulator.report(call)
    assert report["participants"][0]["sent_packets"] == 505
    assert report["media"]["late_ticks"] == 0


def test_a_slow_answer_moves_the_time_itself(desk: Desk) -> None:
    call = desk.emulator.ring()
    desk.emulator.fail_rest("answer", delay=4)

    desk.answer(call)

    assert desk.emulator.seconds() == pytest.approx(4, abs=0.001)
    assert desk.kinds()[0] == "CallConnected"


def test_call_connected_comes_first_without_the_tests_help(desk: Desk) -> None:
    call = desk.emulator.ring(options={"answer_response": "after_connected"})

    desk.answer(call)

    assert desk.kinds()[0] == "CallConnected"
    assert desk.emulator.seconds() < 1


def test_failures_of_rest_can_be_forgotten(desk: Desk) -> None:
    call = desk.emulator.ring()
    desk.emulator.fail_rest("*", status=503, times=100)
    with pytest.raises(HttpResponseError):
        desk.answer(call)

    desk.emulator.forget_rest_faults()

    desk.answer(call)
    assert [each["operation"] for each in desk.emulator.effects()] == ["answer"]


def test_a_refused_socket_is_dialled_again_when_time_moves(desk: Desk) -> None:
    call = desk.emulator.ring()
    desk.media = "ws://127.0.0.1:9"  # the discard port: nobody listens
    desk.answer(call)

    desk.emulator.advance(1)
    assert len(desk.emulator.report(call)["sockets"]) == 2
    desk.emulator.advance(5)

    assert len(desk.emulator.report(call)["sockets"]) == 3
    assert "MediaStreamingFailed" in desk.kinds()


def test_placed_calls_go_as_planned(desk: Desk) -> None:
    desk.emulator.plan_outgoing(faults={"unanswered": "*"})
    created = desk.client.create_call(
        CommunicationUserIdentifier("8:acs:r_callee"), desk.url
    )

    desk.emulator.advance(31)

    assert desk.kinds() == ["CreateCallFailed"]
    report = desk.emulator.report(created.call_connection_id or "")
    assert report["state"] == "failed"
    assert [each["id"] for each in desk.emulator.reports()] == [report["id"]]


def test_what_waits_for_time_is_over_when_the_emulator_stops(speech: Speech) -> None:
    callbacks: list[dict[str, Any]] = []
    with taking_down(callbacks) as url:
        with ManualEmulator(speech=speech) as emulator:
            desk = Desk(emulator, url, "ws://127.0.0.1:9")
            call = emulator.ring(options={"callbacks_late": "CallDisconnected:300"})
            desk.answer(call, start=False)
            emulator.advance(1)

        assert callbacks[-1]["type"].endswith("CallDisconnected")
