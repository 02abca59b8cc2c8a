"""What arrives on the media socket, and what the emulator says it sent."""

import asyncio
import base64
import itertools
from datetime import datetime
from typing import Any

import jwt
import pytest
from aiohttp import WSCloseCode

from emulator.options import DEVELOPMENT_RESOURCE
from emulator.tokens import ISSUER
from tests.emulator.app import FRAME, App, timeline_hash
from tests.emulator.conftest import Bench, MakeBench


def of(packets: list[dict[str, Any]], raw_id: str) -> list[dict[str, Any]]:
    """Return the packets of one participant; `mixed` have none."""
    wanted = None if raw_id == "mixed" else raw_id
    return [each for each in packets if each.get("participantRawID") == wanted]


def check_hashes(app: App, report: Any, frame_bytes: int = 640) -> None:
    """Recompute every participant's hash from what arrived on all sockets."""
    audio = [packet for socket in app.sockets for packet in socket.audio]
    assert report["participants"]
    for sent in report["participants"]:
        digest, slots, count = timeline_hash(of(audio, sent["raw_id"]), frame_bytes)
        assert sent["sent_packets"] == count
        assert sent["timeline_packets"] == slots
        assert sent["sent_sha256"] == digest


async def played(bench: Bench, plan: Any, **media: Any) -> Any:
    """Ring, answer and wait for the end; return the final report."""
    call = await bench.ring(**plan)
    await bench.answer(call, **media)
    return await bench.finished(call)


@pytest.mark.parametrize("channels", ["mixed", "unmixed"])
@pytest.mark.parametrize(("rate", "frame_bytes"), [(16_000, 640), (24_000, 960)])
async def test_sends_every_format(
    bench: Bench, channels: str, rate: int, frame_bytes: int
) -> None:
    report = await played(bench, {"duration": 4}, channels=channels, rate=rate)

    [socket] = bench.app.sockets
    assert socket.messages[0]["audioMetadata"] == {
        "subscriptionId": report["media"]["subscription_id"],
        "encoding": "PCM",
        "sampleRate": rate,
        "channels": 1,
        "length": frame_bytes,
    }
    assert len(report["participants"]) == (2 if channels == "unmixed" else 1)
    check_hashes(bench.app, report, frame_bytes)


async def test_time_stamps_are_a_grid_of_20_ms(bench: Bench) -> None:
    report = await played(bench, {"duration": 4}, channels="mixed")

    stamps = [each["timestamp"] for each in bench.app.sockets[0].audio]
    moments = [datetime.fromisoformat(each) for each in stamps]
    steps = {after - before for before, after in itertools.pairwise(moments)}
    assert steps == {FRAME}
    assert all(len(each) == len("2026-11-21T02:00:00.000Z") for each in stamps)
    assert report["media"]["dropped_packets"] == 0


async def test_pauses_are_flagged_and_speech_is_not(bench: Bench) -> None:
    report = await played(bench, {"duration": 10})

    for sent in report["participants"]:
        packets = of(bench.app.sockets[0].audio, sent["raw_id"])
        silent = [each for each in packets if each["silent"]]
        assert 0 < len(silent) == sent["silent_packets"] < len(packets)
        for packet in packets:
            assert packet["silent"] == (not any(base64.b64decode(packet["data"])))


async def test_proves_itself_at_the_handshake(bench: Bench) -> None:
    call = await bench.ring(duration=10)
    await bench.answer(call)
    await bench.finished(call)

    headers = bench.app.sockets[0].headers
    assert headers["x-ms-call-connection-id"] == call["call_connection_id"]
    assert headers["x-ms-call-correlation-id"] == call["correlation_id"]
    assert not {"Origin", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"} & set(
        headers
    )
    token = headers["Authorization"].removeprefix("Bearer ")
    claims = await verified(bench, token)
    assert claims["iss"] == ISSUER
    assert claims["exp"] - claims["iat"] == 24 * 3600


async def verified(bench: Bench, token: str) -> dict[str, Any]:
    """Return a token's claims, verified by way of the discovery document."""
    discovery = await bench.get("/calling/.well-known/acsopenidconfiguration")
    keys = jwt.PyJWKClient(discovery["jwks_uri"])
    key = await asyncio.to_thread(keys.get_signing_key_from_jwt, token)
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=discovery["id_token_signing_alg_values_supported"],
        audience=DEVELOPMENT_RESOURCE,
        issuer=discovery["issuer"],
    )
    return claims


async def test_calls_do_not_sound_alike(bench: Bench) -> None:
    calls = [await bench.ring() for _ in range(6)]
    for call in calls:
        await bench.answer(call, channels="mixed")
    sockets = bench.app.sockets
    await bench.app.until(
        lambda: len(sockets) == 6 and all(len(each.audio) >= 150 for each in sockets)
    )

    said = {tuple(packet["data"] for packet in each.audio[:150]) for each in sockets}
    assert len(said) == 6


@pytest.mark.parametrize("channels", ["mixed", "unmixed"])
async def test_a_redial_leaves_a_gap_and_no_doubt(bench: Bench, channels: str) -> None:
    actions = [{"at": 10, "do": "redial", "delay": 0.5}]
    report = await played(
        bench, {"duration": 13, "actions": actions}, channels=channels
    )

    first, second = bench.app.sockets
    assert first.close_code == WSCloseCode.GOING_AWAY
    assert first.messages[0] == second.messages[0]
    assert first.headers["Authorization"] != second.headers["Authorization"]
    assert [each["ended"] for each in report["sockets"]] == ["clean", "clean"]
    for sent in report["participants"]:
        # What was captured while no socket was open is lost.
        assert sent["timeline_packets"] - sent["sent_packets"] >= 25
    check_hashes(bench.app, report)
    assert bench.app.kinds().count("MediaStreamingStarted") == 1


async def test_after_a_redial_the_audio_is_where_the_call_is(bench: Bench) -> None:
    """A call with a redial and one without say the same thing at the same time."""
    script = {"offset": 0}
    actions = [{"at": 10, "do": "redial", "delay": 1}]
    plain = await bench.ring(script=script)
    redialled = await bench.ring(duration=15, script=script, actions=actions)
    for call in (plain, redialled):
        await bench.answer(call, channels="mixed")
    await bench.finished(redialled)
    await bench.post(f"/emulator/calls/{plain['id']}/hangup")

    def ending(call: Any) -> set[str]:
        sockets = [
            each
            for each in bench.app.sockets
            if each.headers["x-ms-call-connection-id"] == call["call_connection_id"]
        ]
        return {packet["data"] for packet in sockets[-1].audio}

    assert len(bench.app.sockets) == 3
    assert len(ending(redialled)) > 10
    assert ending(redialled) <= ending(plain)


async def test_an_abrupt_drop_has_no_close_frame(bench: Bench) -> None:
    actions = [{"at": 10, "do": "redial", "abrupt": True}]
    report = await played(bench, {"duration": 12, "actions": actions})

    assert bench.app.sockets[0].close_code == WSCloseCode.ABNORMAL_CLOSURE
    dropped, last = report["sockets"]
    assert (dropped["ended"], last["ended"]) == ("abrupt", "clean")
    # Two participants, one second.
    assert dropped["unconfirmed"]["packets"] == min(100, dropped["packets"])
    assert last["unconfirmed"] is None


async def test_dials_again_when_the_app_closes_the_socket(bench: Bench) -> None:
    call = await bench.ring()
    await bench.answer(call)
    app = bench.app
    await app.until(lambda: app.sockets and len(app.sockets[0].audio) > 50)
    assert app.sockets[0].socket is not None

    await app.sockets[0].socket.close(code=1011)
    await app.until(lambda: len(app.sockets) == 2 and app.sockets[1].audio)

    report = await bench.report(call)
    assert report["sockets"][0]["closed_by"] == "peer"
    assert report["sockets"][0]["close_code"] == 1011
    assert app.sockets[1].messages[0]["kind"] == "AudioMetadata"


async def test_a_refused_socket_is_8581(bench: Bench) -> None:
    bench.app.media_status = 401
    call = await bench.ring()
    await bench.answer(call)

    failed = await bench.app.callback("MediaStreamingFailed")

    assert failed["resultInformation"]["code"] == 400
    assert failed["resultInformation"]["subCode"] == 8581
    assert failed["mediaStreamingUpdate"] == {
        "contentType": "Audio",
        "mediaStreamingStatus": "mediaStreamingFailed",
        "mediaStreamingStatusDetails": "initialWebSocketConnectionFailed",
    }
    report = await bench.report(call)
    assert [each["ended"] for each in report["sockets"]] == ["refused"] * 3
    assert report["sockets"][0]["reason"] == "HTTP status 401"
    assert report["media"]["state"] == "inactive"


@pytest.mark.parametrize("code", [8581, 8603])
async def test_a_start_can_be_made_to_fail(bench: Bench, code: int) -> None:
    call = await bench.ring(faults={"streaming": str(code)})
    await bench.answer(call)

    failed = await bench.app.callback("MediaStreamingFailed")

    assert failed["resultInformation"]["subCode"] == code
    assert failed["operationContext"] == "answered"
    assert bench.app.sockets == []


async def test_even_a_failure_comes_after_call_connected(
    make_bench: MakeBench,
) -> None:
    bench = await make_bench(dial_attempts=1)
    bench.app.media_status = 503
    await bench.answer(await bench.ring())

    await bench.app.callback("MediaStreamingFailed")

    assert bench.app.kinds()[0] == "CallConnected"


async def test_a_socket_lost_for_good_is_8603(bench: Bench) -> None:
    app = bench.app
    call = await bench.ring()
    await bench.answer(call)
    await app.until(lambda: app.sockets and app.sockets[0].audio)

    app.media_status = 503
    await bench.post(f"/emulator/calls/{call['id']}/redial", delay=0)

    failed = await app.callback("MediaStreamingFailed")
    assert failed["resultInformation"]["subCode"] == 8603
    details = failed["mediaStreamingUpdate"]["mediaStreamingStatusDetails"]
    assert details == "streamConnectionUnsuccessful"


async def test_an_app_that_drops_every_socket_is_given_up(
    make_bench: MakeBench,
) -> None:
    bench = await make_bench(redial_limit=2, redial_delay=0)
    app = bench.app
    app.drop_sockets = True
    call = await bench.ring()
    await bench.answer(call)

    failed = await app.callback("MediaStreamingFailed")

    assert failed["resultInformation"]["subCode"] == 8603
    assert len(app.sockets) == 3
    assert (await bench.report(call))["media"]["state"] == "inactive"


async def test_a_second_start_drops_and_redials(bench: Bench) -> None:
    app = bench.app
    call = await bench.ring()
    await bench.answer(call)
    await app.callback("MediaStreamingStarted")
    connection = bench.client.get_call_connection(call["call_connection_id"])

    await connection.start_media_streaming(operation_context="again")
    started = await app.callback("MediaStreamingStarted", 2)

    assert started["operationContext"] == "again"
    assert app.sockets[0].over.is_set()
    assert len(app.sockets) == 2


async def test_a_kept_socket_is_used_again(make_bench: MakeBench) -> None:
    bench = await make_bench(on_stop="keep")
    app = bench.app
    call = await bench.ring()
    await bench.answer(call)
    await app.callback("MediaStreamingStarted")
    connection = bench.client.get_call_connection(call["call_connection_id"])

    await connection.stop_media_streaming()
    await connection.start_media_streaming()
    await connection.stop_media_streaming()
    await app.callback("MediaStreamingStopped", 2)
    await connection.start_media_streaming()
    await app.callback("MediaStreamingStarted", 3)
    await app.until(lambda: app.sockets[0].messages[-1]["kind"] == "AudioData")
    await connection.hang_up(is_for_everyone=True)
    report = await bench.finished(call)

    [socket] = app.sockets
    assert len(socket.of_kind("AudioMetadata")) == 3
    check_hashes(app, report)


async def test_stop_and_start_in_one_breath(bench: Bench) -> None:
    app = bench.app
    call = await bench.ring()
    await bench.answer(call)
    await app.callback("MediaStreamingStarted")
    connection = bench.client.get_call_connection(call["call_connection_id"])

    # The app does not read: the stop waits for its close frame, and meanwhile the
    # start is asked for.
    app.stall = asyncio.Event()
    await app.is_stalled.wait()
    await connection.stop_media_streaming(operation_context="stop")
    await connection.start_media_streaming(operation_context="start")
    assert "MediaStreamingStopped" not in app.kinds()
    app.stall.set()
    stopped = await app.callback("MediaStreamingStopped")
    assert stopped["operationContext"] == "stop"
    started = await app.callback("MediaStreamingStarted", 2)
    assert started["operationContext"] == "start"
    await app.until(lambda: len(app.sockets) == 2 and app.sockets[1].audio)
    await connection.hang_up(is_for_everyone=True)

    check_hashes(app, await bench.finished(call))


async def test_a_socket_can_open_before_it_is_needed(make_bench: MakeBench) -> None:
    bench = await make_bench(open_socket="at_answer")
    app = bench.app
    call = await bench.ring()
    await bench.answer(call, start=False)
    await app.callback("CallConnected")
    await app.until(lambda: app.sockets)
    assert app.sockets[0].messages == []

    connection = bench.client.get_call_connection(call["call_connection_id"])
    await connection.start_media_streaming()

    await app.until(lambda: app.sockets[0].audio)
    assert len(app.sockets) == 1


async def test_hanging_up_waits_for_the_socket(bench: Bench) -> None:
    call = await bench.ring()
    await bench.answer(call)
    app = bench.app
    await app.until(lambda: app.sockets and app.sockets[0].audio)

    report = await bench.post(f"/emulator/calls/{call['id']}/hangup")

    assert report["finished"] is True
    assert report["state"] == "disconnected"
    assert app.sockets[0].close_code == WSCloseCode.OK
    assert app.kinds()[-1] == "CallDisconnected"
    check_hashes(app, report)


async def test_no_more_than_four_speak_at_once(bench: Bench) -> None:
    raw_ids = [f"8:acs:r_{number}" for number in range(6)]
    report = await played(bench, {"duration": 10, "participants": raw_ids})

    audio = bench.app.sockets[0].audio
    by_stamp: dict[str, set[str]] = {}
    for packet in audio:
        by_stamp.setdefault(packet["timestamp"], set()).add(packet["participantRawID"])
    assert {len(each) for each in by_stamp.values()} == {4}
    assert len({packet["participantRawID"] for packet in audio}) > 4
    sent = [each for each in report["participants"] if each["sent_packets"]]
    check_hashes(bench.app, report | {"participants": sent})


@pytest.mark.parametrize("channels", ["mixed", "unmixed"])
async def test_participants_come_and_go(bench: Bench, channels: str) -> None:
    early, late = "4:+12065550101", "8:acs:late"
    plan = {
        "participants": [early, late],
        "duration": 6,
        "actions": [
            {"at": 2, "do": "join", "participant": late},
            {"at": 4, "do": "leave", "participant": early},
        ],
    }
    report = await played(bench, plan, channels=channels)

    updates = bench.app.callbacks_of("ParticipantsUpdated")
    rosters = [[p["identifier"]["rawId"] for p in u["participants"]] for u in updates]
    assert rosters == [[early], [early, late], [late]]
    assert [each["sequenceNumber"] for each in updates] == [1, 2, 3]
    if channels == "unmixed":
        first, second = report["participants"]
        assert first["first_timestamp"] < second["first_timestamp"]
        assert first["last_timestamp"] < second["last_timestamp"]
    check_hashes(bench.app, report)


async def test_keys_arrive_as_they_are_pressed(bench: Bench) -> None:
    app = bench.app
    call = await bench.ring()
    await bench.answer(call, enable_dtmf_tones=True)
    await app.until(lambda: app.sockets and app.sockets[0].audio)

    await bench.post(f"/emulator/calls/{call['id']}/dtmf", tones="1*#A")
    await app.until(lambda: len(app.sockets[0].of_kind("DtmfData")) == 4)

    tones = [each["dtmfData"] for each in app.sockets[0].of_kind("DtmfData")]
    assert tones == [{"data": "1"}, {"data": "*"}, {"data": "#"}, {"data": "A"}]


async def test_a_slow_reader_loses_what_it_does_not_take(
    make_bench: MakeBench,
) -> None:
    bench = await make_bench(backlog_seconds=1, speed=50)
    app = bench.app
    app.stall = asyncio.Event()
    call = await bench.ring(participants=["8:a", "8:b", "8:c", "8:d"])
    await bench.answer(call, rate=24_000)
    while True:
        last = (await bench.report(call))["participants"]
        now = datetime.fromisoformat((await bench.get("/emulator/health"))["now"])
        stamps = [each["last_timestamp"] for each in last if each["sent_packets"]]
        if stamps and (now - datetime.fromisoformat(stamps[0])).total_seconds() > 5:
            break

    app.stall.set()
    while not (await bench.report(call))["media"]["dropped_packets"]:
        pass
    await bench.post(f"/emulator/calls/{call['id']}/hangup")

    check_hashes(app, await bench.finished(call), frame_bytes=960)


OPTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"mixed_participant": "null"}, {"participantRawID": None}),
    ({"mixed_participant": "empty"}, {"participantRawID": ""}),
]


@pytest.mark.parametrize(("options", "expected"), OPTIONS)
async def test_mixed_audio_names_nobody(
    bench: Bench, options: Any, expected: Any
) -> None:
    await played(bench, {"duration": 10, "options": options}, channels="mixed")

    packet = bench.app.sockets[0].audio[0]
    assert packet.items() >= expected.items()


@pytest.mark.parametrize(("digits", "ending"), [(0, "Z"), (7, "0000Z")])
async def test_fractions_have_the_digits_asked_for(
    bench: Bench, digits: int, ending: str
) -> None:
    await played(bench, {"duration": 10, "options": {"timestamp_digits": digits}})

    stamp = bench.app.sockets[0].audio[0]["timestamp"]
    fraction = stamp.partition(".")[2].removesuffix("Z")
    assert (len(fraction), stamp.endswith(ending)) == (digits, True)


async def test_silence_can_be_noise_or_nothing(bench: Bench) -> None:
    noise = {"silent_buffer": "noise"}
    report = await played(bench, {"duration": 4, "options": noise})
    silent = [each for each in bench.app.sockets[0].audio if each["silent"]]
    assert all(any(base64.b64decode(each["data"])) for each in silent)
    check_hashes(bench.app, report)

    bench.app.sockets.clear()
    bench.app.callbacks.clear()
    omitted = {"silent_frames": "omitted"}
    report = await played(bench, {"duration": 10, "options": omitted})
    assert not any(each["silent"] for each in bench.app.sockets[0].audio)
    check_hashes(bench.app, report)
