"""Calls from ringing to their end, driven by Microsoft's SDK."""

from tests.emulator.app import App, timeline_hash
from tests.emulator.conftest import Bench, MakeBench


async def test_a_call_streams_what_it_says_it_sent(bench: Bench) -> None:
    call = await bench.ring(duration=5)

    answered = await bench.answer(call)
    report = await bench.finished(call)

    assert answered.call_connection_id == report["call_connection_id"]
    [socket] = bench.app.sockets
    assert socket.messages[0]["kind"] == "AudioMetadata"
    assert len(report["participants"]) == 2
    for sent in report["participants"]:
        packets = [p for p in socket.audio if p["participantRawID"] == sent["raw_id"]]
        digest, slots, count = timeline_hash(packets, 640)
        assert (sent["sent_sha256"], sent["sent_packets"]) == (digest, count)
        assert sent["timeline_packets"] == slots
        assert slots == count > 50


async def test_rings_through_event_grid(make_bench: MakeBench, app: App) -> None:
    bench = await make_bench(eventgrid_url=app.url + "/events?code=secret")

    call = await bench.ring(**{"from": "4:+12065550177"})
    await app.until(lambda: len(app.events) == 2)

    validation, incoming = app.events
    assert validation["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent"
    assert incoming["eventType"] == "Microsoft.Communication.IncomingCall"
    assert incoming["data"]["from"]["phoneNumber"]["value"] == "+12065550177"
    assert incoming["data"]["incomingCallContext"] == call["incoming_call_context"]
    assert 7000 < len(call["incoming_call_context"]) < 9000


async def test_stops_and_starts_on_request(bench: Bench) -> None:
    app = bench.app
    call = await bench.ring()
    await bench.answer(call, start=False)
    await app.callback("CallConnected")
    connection = bench.client.get_call_connection(call["call_connection_id"])

    await connection.start_media_streaming(operation_context="one")
    assert (await app.callback("MediaStreamingStarted"))["operationContext"] == "one"
    await app.until(lambda: len(app.sockets[0].audio) > 50)
    await connection.stop_media_streaming(operation_context="two")
    assert (await app.callback("MediaStreamingStopped"))["operationContext"] == "two"
    await connection.start_media_streaming()
    await app.callback("MediaStreamingStarted", 2)
    await app.until(lambda: len(app.sockets[1].audio) > 50)
    await connection.hang_up(is_for_everyone=True)
    report = await bench.finished(call)

    assert [each["ended"] for each in report["sockets"]] == ["clean", "clean"]
    audio = app.sockets[0].audio + app.sockets[1].audio
    for sent in report["participants"]:
        packets = [p for p in audio if p["participantRawID"] == sent["raw_id"]]
        digest, slots, count = timeline_hash(packets, 640)
        assert sent["sent_sha256"] == digest
        assert slots > count == sent["sent_packets"]
