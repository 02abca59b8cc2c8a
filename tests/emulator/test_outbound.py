"""What the app says into a call: spellings, play-out in real time, and its faults."""

import base64
import hashlib
import io
import json
from typing import Any

import pytest
import soundfile

from emulator.outbound import OutboundAudio
from tests.emulator.conftest import Bench, MakeBench

FRAME = bytes(range(256)) * 2 + bytes(128)
DATA = base64.b64encode(FRAME).decode()
SPELLINGS = {
    "docs": (
        {"Kind": "AudioData", "AudioData": {"Data": DATA}, "StopAudio": None},
        {"Kind": "StopAudio", "AudioData": None, "StopAudio": {}},
    ),
    "dotnet": (
        {
            "Kind": "AudioData",
            "AudioData": {
                "Data": DATA,
                "Timestamp": "0001-01-01T00:00:00+00:00",
                "Participant": None,
                "IsSilent": False,
            },
            "StopAudio": None,
        },
        {"Kind": "StopAudio", "AudioData": None, "StopAudio": {}},
    ),
    "java": (
        {
            "kind": "AudioData",
            "audioData": {"data": DATA, "timestamp": None, "isSilent": False},
            "stopAudio": None,
        },
        {"kind": "StopAudio", "stopAudio": {}},
    ),
    "javascript": (
        {
            "kind": "audioData",
            "audioData": {"data": DATA, "isSilent": False},
            "stopAudio": {},
        },
        {"kind": "stopAudio", "stopAudio": {}},
    ),
}


def queue(*, enabled: bool = True, keep: float = 60) -> OutboundAudio:
    return OutboundAudio(640, enabled=enabled, keep=keep)


def audio(pcm: bytes) -> str:
    data = base64.b64encode(pcm).decode()
    return json.dumps({"kind": "AudioData", "audioData": {"data": data}})


STOP = json.dumps({"kind": "StopAudio", "stopAudio": {}})


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_understands_every_sdk(spelling: str) -> None:
    speak, stop = (json.dumps(each) for each in SPELLINGS[spelling])
    outbound = queue()

    for _ in range(10):
        outbound.take(speak, 0.0, limit=65536)
    outbound.take(stop, 0.1, limit=65536)

    # From 0.02 to 0.10 s five slots begin; the other five frames are flushed. The stop
    # comes in the moment in which the fifth begins.
    heard = hashlib.sha256(FRAME * 5).hexdigest()
    assert outbound.report() == {
        "messages": 11,
        "audio_messages": 10,
        "audio_bytes": 6400,
        "discarded_bytes": 0,
        "played_packets": 5,
        "queued_ms": 0,
        "max_queued_ms": 200,
        "underruns": 0,
        "stops": 1,
        "flushed_ms": 100,
        "lost_ms": 0,
        "stop_to_silence_ms": 20,
        "echo_round_trip_ms": None,
        "heard_sha256": heard,
        "utterances": [{"at_ms": 20, "ms": 100, "sha256": heard}],
    }
    assert outbound.heard() == FRAME * 5
    assert not outbound.lint


def test_plays_in_real_time_however_fast_it_is_fed() -> None:
    outbound = queue()
    outbound.take(audio(FRAME * 100), 1.0, limit=1 << 20)

    outbound.advance(2.0)
    assert outbound.report()["played_packets"] == 50
    outbound.advance(60.0)
    assert outbound.heard() == FRAME * 100


def test_frames_are_cut_wherever_messages_end() -> None:
    outbound = queue()
    for start in range(0, 640 * 3, 100):
        outbound.take(audio((FRAME * 3)[start : start + 100]), 0.0, limit=65536)

    outbound.advance(10.0)

    assert outbound.heard() == FRAME * 3


def test_a_pause_within_speech_is_an_underrun() -> None:
    outbound = queue()
    outbound.take(audio(FRAME * 5), 0.0, limit=65536)
    outbound.take(audio(FRAME * 5), 0.3, limit=65536)
    assert outbound.report()["underruns"] == 1

    # A long pause separates utterances, and so does a stop.
    outbound.take(audio(FRAME * 5), 5.0, limit=65536)
    outbound.take(STOP, 5.05, limit=65536)
    outbound.take(audio(FRAME * 5), 5.1, limit=65536)
    assert outbound.report()["underruns"] == 1


def test_tells_utterances_apart_by_pauses_and_stops() -> None:
    outbound = queue()
    outbound.take(audio(FRAME * 2), 0.0, limit=65536)
    outbound.take(audio(FRAME * 50), 1.0, limit=65536)
    outbound.take(STOP, 1.1, limit=65536)
    outbound.take(audio(FRAME), 1.1, limit=65536)
    outbound.advance(9.0)

    told = outbound.report()["utterances"]
    assert [(each["at_ms"], each["ms"]) for each in told] == [
        (20, 40),
        (1020, 100),
        (1120, 20),
    ]


def test_what_is_queued_goes_with_its_socket() -> None:
    outbound = queue()
    outbound.take(audio(FRAME * 10), 0.0, limit=65536)
    outbound.lose_socket(0.06)
    outbound.advance(9.0)

    assert outbound.report()["lost_ms"] == 140
    assert outbound.heard() == FRAME * 3


def test_what_is_heard_has_zeros_where_nothing_was_said() -> None:
    outbound = queue()
    outbound.take(audio(FRAME), 0.0, limit=65536)
    outbound.take(audio(FRAME), 0.1, limit=65536)
    outbound.advance(1.0)

    assert outbound.heard() == FRAME + bytes(640 * 4) + FRAME


def test_keeps_no_more_than_it_may() -> None:
    outbound = queue(keep=0.1)
    outbound.take(audio(FRAME * 50), 0.0, limit=65536)
    outbound.advance(5.0)

    assert len(outbound.heard()) == 640 * 5
    assert outbound.report()["played_packets"] == 50


def test_without_bidirectional_audio_is_discarded() -> None:
    outbound = queue(enabled=False)
    outbound.take(audio(FRAME), 0.0, limit=65536)
    outbound.advance(1.0)

    assert outbound.report()["discarded_bytes"] == 640
    assert outbound.heard() == b""
    assert not outbound.lint


LINT = {
    "hello": "malformed",
    "[1]": "malformed",
    "[" * 60_000: "malformed",
    '{"kind":"StartAudio"}': "unknown_kind",
    '{"kind":7}': "unknown_kind",
    '{"audioData":{"data":""}}': "unknown_kind",
    '{"kind":"AudioData"}': "without_data",
    '{"kind":"AudioData","audioData":{"data":7}}': "without_data",
    '{"kind":"AudioData","audioData":{"data":"%%%%"}}': "bad_base64",
    '{"kind":"AudioData","audioData":{"data":"\u00e4bcd"}}': "bad_base64",
    '{"kind":"AudioData","audioData":{"data":"AAAA"}}': "odd_bytes",
    "x" * 70_000: "oversized",
}


@pytest.mark.parametrize("text", LINT, ids=range(len(LINT)))
def test_says_what_is_wrong_with_a_message(text: str) -> None:
    outbound = queue()
    outbound.take(text, 0.0, limit=65536)

    assert outbound.lint == {LINT[text]: 1}
    assert outbound.report()["queued_ms"] == 0


async def test_hears_what_the_app_says(bench: Bench) -> None:
    app = bench.app
    call = await bench.ring()
    await bench.answer(call, enable_bidirectional=True)
    await app.until(lambda: app.sockets and app.sockets[0].audio)
    socket = app.sockets[0].socket
    assert socket is not None

    for spelling in SPELLINGS.values():
        await socket.send_str(json.dumps(spelling[0]))
    await socket.send_bytes(b"no")
    while (await bench.report(call))["outbound"]["messages"] < 5:
        pass
    while (await bench.report(call))["outbound"]["queued_ms"]:
        pass
    report = await bench.post(f"/emulator/calls/{call['id']}/hangup")

    assert report["lint"] == {"binary": 1}
    assert report["outbound"]["audio_bytes"] == 4 * 640
    url = f"{bench.emulator.url}/emulator/calls/{call['id']}/heard.wav"
    async with bench.session.get(url) as response:
        wave = io.BytesIO(await response.read())
    samples, rate = soundfile.read(wave, dtype="int16")
    assert rate == 16_000
    assert samples.tobytes().startswith(FRAME)


async def test_own_audio_can_be_in_the_mix(make_bench: MakeBench) -> None:
    bench = await make_bench(own_audio="mixed")
    app = bench.app
    call = await bench.ring(participants=["8:acs:quiet"], script={"loop": False})
    await bench.answer(call, channels="mixed", enable_bidirectional=True)
    await app.until(lambda: app.sockets and app.sockets[0].audio)
    socket = app.sockets[0].socket
    assert socket is not None

    await socket.send_str(audio(FRAME * 50))

    def heard(packet: dict[str, Any]) -> bool:
        return base64.b64decode(packet["data"]) == FRAME

    await app.until(lambda: any(heard(each) for each in app.sockets[0].audio))
