"""Faults on the media socket: what arrives, and that the hash still is the truth."""

import asyncio
import base64
import itertools
import json
from datetime import datetime
from typing import Any

import numpy as np
from aiohttp import WSCloseCode

from tests.emulator.app import FRAME, timeline_hash
from tests.emulator.conftest import Bench
from tests.emulator.test_media import check_hashes, played


async def with_faults(bench: Bench, **faults: Any) -> Any:
    plan = {"duration": 3, "faults": faults}
    return await played(bench, plan, channels="mixed")


async def test_spoilt_packets_are_no_packets(bench: Bench) -> None:
    report = await with_faults(bench, bad_base64=10, odd_bytes=15, truncated=14)

    [sent], [socket] = report["participants"], bench.app.sockets
    good = []
    for packet in socket.audio:
        try:
            whole = len(base64.b64decode(packet["data"], validate=True)) == 640
        except ValueError:
            whole = False
        if whole:
            good.append(packet)
    digest, _, count = timeline_hash(good, 640)
    assert (sent["sent_sha256"], sent["sent_packets"]) == (digest, count)
    assert sent["spoilt_packets"] > 0
    assert len(socket.raw) == 1 + sent["sent_packets"] + sent["spoilt_packets"]


async def test_a_gap_is_zeros_on_the_time_line(bench: Bench) -> None:
    report = await with_faults(bench, gap=50, gap_packets=7)

    check_hashes(bench.app, report)
    moments = [
        datetime.fromisoformat(each["timestamp"]) for each in bench.app.sockets[0].audio
    ]
    steps = [after - before for before, after in itertools.pairwise(moments)]
    assert sorted(set(steps)) == [FRAME, 8 * FRAME]


async def test_nothing_is_sent_while_the_stream_is_stalled(bench: Bench) -> None:
    report = await with_faults(bench, stall_from=1, stall_seconds=1)

    check_hashes(bench.app, report)
    [socket] = bench.app.sockets
    moments = [datetime.fromisoformat(each["timestamp"]) for each in socket.audio]
    steps = [after - before for before, after in itertools.pairwise(moments)]
    assert sorted(set(steps)) == [FRAME, 51 * FRAME]


def longest_silence(audio: list[dict[str, Any]]) -> int:
    """Return the most silent packets in a row of who speaks there."""
    silent = [each["silent"] for each in audio if each["participantRawID"][:2] == "4:"]
    return max(len(list(run)) for value, run in itertools.groupby(silent) if value)


async def test_nobody_says_a_word_while_the_air_is_dead(bench: Bench) -> None:
    # From here on the caller speaks for four seconds.
    plan: dict[str, Any] = {"duration": 3, "script": {"offset": 4}}
    await played(bench, plan)
    faults = {"dead_from": 1, "dead_seconds": 1}
    report = await played(bench, plan | {"faults": faults})

    check_hashes(bench.app, report)
    usual, dead = (longest_silence(socket.audio) for socket in bench.app.sockets)
    assert usual < 40
    assert 50 <= dead < 90


async def test_who_is_unheard_sends_nothing_but_silence(bench: Bench) -> None:
    plan = {"duration": 3, "script": {"offset": 3}, "faults": {"unheard": 1}}
    report = await played(bench, plan)

    check_hashes(bench.app, report)
    unheard, heard = report["participants"]
    assert heard["silent_packets"] < heard["sent_packets"]
    assert unheard["silent_packets"] == unheard["sent_packets"] > 0


async def test_voices_can_be_louder_and_quieter(bench: Bench) -> None:
    peaks = []
    for faults in ({}, {"quieter_db": 20}, {"louder_db": 60}):
        plan = {"duration": 3, "script": {"offset": 4}, "faults": faults}
        report = await played(bench, plan, channels="mixed")
        check_hashes(bench.app, report)
        peaks.append(max(map(peak, bench.app.sockets.pop().audio)))

    usual, quiet, loud = peaks
    assert abs(quiet - usual / 10) <= 1
    assert loud >= 32_767


def peak(packet: dict[str, Any]) -> int:
    samples = np.frombuffer(base64.b64decode(packet["data"]), dtype="<i2")
    return int(np.abs(samples.astype(np.int32)).max())


async def test_packets_can_change_places(bench: Bench) -> None:
    report = await with_faults(bench, swap=10)

    stamps = [each["timestamp"] for each in bench.app.sockets[0].audio]
    assert stamps != sorted(stamps)
    assert len(set(stamps)) == len(stamps)
    check_hashes(bench.app, report)


async def test_duplicates_count_once(bench: Bench) -> None:
    report = await with_faults(bench, duplicate=10)

    audio = bench.app.sockets[0].audio
    unique = {each["timestamp"]: each for each in audio}
    [sent] = report["participants"]
    assert len(audio) - len(unique) == report["media"]["extra_messages"] > 0
    digest, _, count = timeline_hash(list(unique.values()), 640)
    assert (sent["sent_sha256"], sent["sent_packets"]) == (digest, count)


async def test_sends_what_nobody_expects(bench: Bench) -> None:
    report = await with_faults(
        bench,
        unknown_kind=20,
        not_json=21,
        binary=22,
        oversize=50,
        oversize_bytes=200_000,
        repeat_metadata=30,
    )

    [socket] = bench.app.sockets
    binary = [each for each in socket.raw if isinstance(each, bytes)]
    kinds = {each["kind"] for each in socket.messages}
    assert binary
    assert kinds == {"AudioMetadata", "AudioData", "WeatherData", "Filler"}
    assert max(len(each) for each in socket.raw) >= 200_000 - 100
    assert "Connection authenticated." in socket.raw
    assert len(socket.of_kind("AudioMetadata")) > 2
    check_hashes(bench.app, report)


async def test_metadata_can_be_missing_or_late(bench: Bench) -> None:
    await with_faults(bench, metadata="missing")
    await with_faults(bench, metadata="late")

    missing, late = bench.app.sockets
    assert {each["kind"] for each in missing.messages} == {"AudioData"}
    assert late.messages[0]["kind"] == "AudioData"
    assert len(late.of_kind("AudioMetadata")) == 1


async def test_members_can_be_misspelt_or_missing(bench: Bench) -> None:
    faults = {"participant_spelling": "participantRawId", "silent_member": "missing"}
    report = await played(bench, {"duration": 10, "faults": faults})

    for packet in bench.app.sockets[0].audio:
        assert packet.keys() == {"timestamp", "participantRawId", "data"}
        packet["participantRawID"] = packet["participantRawId"]
    assert [each["silent_packets"] for each in report["participants"]] == [0, 0]
    check_hashes(bench.app, report)


async def test_bursts_and_jitter_keep_order_and_time(bench: Bench) -> None:
    report = await with_faults(bench, burst=5, jitter_ms=60)

    stamps = [each["timestamp"] for each in bench.app.sockets[0].audio]
    assert stamps == sorted(stamps)
    assert report["media"]["ticks"] < len(stamps) / 2
    check_hashes(bench.app, report)


async def test_a_call_can_end_in_mid_stream_without_a_goodbye(bench: Bench) -> None:
    actions = [{"at": 10, "do": "redial", "abrupt": True, "delay": 5}]
    await played(bench, {"duration": 12, "actions": actions})

    [socket] = bench.app.sockets
    assert socket.close_code == WSCloseCode.ABNORMAL_CLOSURE


async def test_reads_slowly_when_asked_to(bench: Bench) -> None:
    call = await bench.ring(faults={"slow_reader_ms": 3_600_000})
    await bench.answer(call, enable_bidirectional=True)
    app = bench.app
    await app.until(lambda: app.sockets and app.sockets[0].audio)
    socket = app.sockets[0].socket
    assert socket is not None
    for _ in range(3):
        await socket.send_str(json.dumps({"kind": "StopAudio", "stopAudio": {}}))
    await app.until(lambda: len(app.sockets[0].audio) > 100)

    assert (await bench.report(call))["outbound"]["messages"] == 0
    # And does not wait for itself at the end.
    async with asyncio.timeout(60):
        await bench.post(f"/emulator/calls/{call['id']}/hangup")
