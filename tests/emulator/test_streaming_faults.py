"""Streaming that does not do what it was accepted for."""

from typing import Any

from tests.emulator.conftest import Bench


async def connected(bench: Bench, *, start: bool = True, **plan: Any) -> Any:
    call = await bench.ring(**plan)
    await bench.answer(call, start=start)
    await bench.app.callback("CallConnected")
    return call, bench.client.get_call_connection(call["call_connection_id"])


async def state(connection: Any) -> str:
    """Return the subscription's state as the REST API shows it."""
    properties = await connection.get_call_properties()
    return str(properties.media_streaming_subscription.state)


async def test_a_start_can_be_accepted_and_never_happen(bench: Bench) -> None:
    call, connection = await connected(bench, faults={"streaming": "never"})

    await connection.start_media_streaming(operation_context="start")

    assert await state(connection) == "inactive"
    report = await bench.post(f"/emulator/calls/{call['id']}/hangup")
    assert report["requests"]["startMediaStreaming"] == {"202": 1}
    assert [each["operation"] for each in report["effects"]] == ["answer"]
    assert report["sockets"] == bench.app.sockets == []
    assert not [each for each in bench.app.kinds() if each.startswith("Media")]


async def test_a_stream_can_be_without_audio(bench: Bench) -> None:
    call, connection = await connected(bench, faults={"streaming": "silent"})

    await bench.app.callback("MediaStreamingStarted")
    assert await state(connection) == "active"
    report = await bench.post(f"/emulator/calls/{call['id']}/hangup")
    await bench.app.sockets[0].over.wait()

    kinds = [each["kind"] for each in bench.app.sockets[0].messages]
    assert kinds == ["AudioMetadata"]
    assert [each["packets"] for each in report["sockets"]] == [0]


async def test_a_silent_stream_stops_and_starts(bench: Bench) -> None:
    _, connection = await connected(
        bench, faults={"streaming": "silent"}, options={"on_stop": "keep"}
    )
    await bench.app.callback("MediaStreamingStarted")

    await connection.stop_media_streaming()
    await bench.app.callback("MediaStreamingStopped")
    await connection.start_media_streaming(operation_context="again")

    again = await bench.app.callback("MediaStreamingStarted", 2)
    assert again["operationContext"] == "again"
    assert len(bench.app.sockets) == 1


async def test_a_stop_can_be_accepted_and_never_happen(bench: Bench) -> None:
    call, connection = await connected(bench, faults={"stop": "never"})
    await bench.app.callback("MediaStreamingStarted")

    await connection.stop_media_streaming()

    assert await state(connection) == "active"
    socket = bench.app.sockets[0]
    seen = len(socket.audio)
    await bench.app.until(lambda: len(socket.audio) > seen + 100)
    report = await bench.post(f"/emulator/calls/{call['id']}/hangup")
    assert report["requests"]["stopMediaStreaming"] == {"202": 1}
    assert [each["operation"] for each in report["effects"]] == ["answer"]
    assert "MediaStreamingStopped" not in bench.app.kinds()


async def test_a_double_start_is_counted_and_redials(bench: Bench) -> None:
    call, connection = await connected(bench)
    await bench.app.callback("MediaStreamingStarted")

    await connection.start_media_streaming(operation_context="again")

    await bench.app.callback("MediaStreamingStarted", 2)
    report = await bench.report(call)
    assert report["media"]["double_starts"] == 1
    assert len(bench.app.sockets) == 2


async def test_audio_can_be_sparse(bench: Bench) -> None:
    options = {"packets": "sparse"}
    call, _ = await connected(bench, duration=10, options=options)
    report = await bench.finished(call)

    for sent in report["participants"]:
        assert 2 <= sent["sent_packets"] <= 11
        assert sent["timeline_packets"] == (sent["sent_packets"] - 1) * 50 + 1


async def test_audio_can_be_none(bench: Bench) -> None:
    call, _ = await connected(bench, duration=5, options={"packets": "none"})
    report = await bench.finished(call)

    assert report["media"]["state"] == "inactive"
    assert [each["packets"] for each in report["sockets"]] == [0]
    assert "MediaStreamingStarted" in bench.app.kinds()
