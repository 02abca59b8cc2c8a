"""What is said into a call: heard as it was sent, kept as it was heard."""

import asyncio
from typing import Any

from tests.outbound.conftest import RATE, MakeStage, noise, sha256
from tests.streaming.house import eventually

FRAME = 640
# What is sent ahead of what is heard, at most.
LEAD_FRAMES = 11
# One turn of ours may be interrupted for as long, by what no sample of the loop meets.
INTERRUPTED_MS = 100
# Three seconds, with a ping in each: one of them was quick.
TELLING_PACKETS = 150


async def test_a_prompt_is_heard_as_it_is_and_kept_as_it_was_heard(
    make_stage: MakeStage,
) -> None:
    stage = await make_stage()
    # Not a whole number of frames: the last is filled up with silence.
    first, second = noise(1.01), noise(0.5, seed=2)
    padded = first + bytes(320) + second

    stage.play(first)
    stage.play(second)
    report = await stage.until_heard(1.52)
    assert report["heard_sha256"] == sha256(padded)
    await eventually(lambda: stage.states() == ["played", "played"])
    await stage.hang_up()

    stage.house.recover()
    kept, track = stage.archived()
    assert b"".join(kept) == first + second
    assert (track["completeness"], track["gap_samples"]) == (1.0, 0)
    verified = stage.house.manage("verify_archive", "--json")
    assert verified.returncode == 0, verified.stdout


def beginnings(report: dict[str, Any]) -> list[int]:
    """Return when noises of 0.3 s were begun, ms, be they cut by a busy machine."""
    begun, heard_ms = [], 0
    for each in report["outbound"]["utterances"]:
        if heard_ms % 300 == 0:
            begun.append(each["at_ms"])
        heard_ms += each["ms"]
    return begun


async def test_our_side_lies_where_acs_played_it(make_stage: MakeStage) -> None:
    stage = await make_stage()
    packets = "select 1 from calls_connection where packets >= ?"
    await eventually(lambda: stage.house.rows(packets, TELLING_PACKETS))
    stage.play(noise(0.3))
    await stage.until_heard(0.3)
    await asyncio.sleep(1.0)
    stage.play(noise(0.3, seed=2))
    await stage.until_heard(0.6)
    await eventually(lambda: stage.states() == ["played", "played"])
    # What it says of itself excuses no more than a busy machine may do.
    lag_ms = min(stage.house.get("/healthz")[1]["load"]["loop_lag_p99_ms"], 100)
    report = await stage.hang_up()

    stage.house.recover()
    kept, track = stage.archived()
    begun = [report["began_us"] + at_ms * 1000 for at_ms in beginnings(report)]
    assert b"".join(kept) == noise(0.3) + noise(0.3, seed=2)
    rows = stage.house.rows("select * from calls_utterance order by queued_at")
    ours = [row["start_us"] for row in rows]
    assert ours[0] == track["origin_us"]
    off_ms = [(theirs - our) / 1000 for theirs, our in zip(begun, ours, strict=True)]
    # To the frame and never between two, however busy the machine is. Which frame, we
    # know but for what we cannot see: how late the emulator came to read, which it
    # tells of itself, how late our own loop was, and a turn of ours that another
    # process interrupted. And where no ping was quick, the way seems longer than it is.
    assert all(each % 20 == 0 for each in off_ms), off_ms
    late_ms = report["media"]["worst_lateness_ms"] + lag_ms + INTERRUPTED_MS
    assert all(-40 <= each <= late_ms for each in off_ms), (off_ms, late_ms)


async def test_a_stop_bites_at_once_and_cuts_what_is_kept(
    make_stage: MakeStage,
) -> None:
    stage = await make_stage()
    long, after = noise(30), noise(0.2, seed=2)
    stage.play(long)
    stage.play(noise(1, seed=3))
    await stage.until_heard(0.5)

    stage.stop()
    await eventually(lambda: stage.states() == ["stopped", "stopped"])
    stage.play(after)
    await eventually(lambda: "played" in stage.states())
    report = await stage.outbound()
    await stage.hang_up()

    *cut, last = report["utterances"]
    assert report["stops"] == 1
    assert report["stop_to_silence_ms"] <= 20
    assert report["flushed_ms"] > 0
    assert last["sha256"] == sha256(after)
    stage.house.recover()
    kept = b"".join(stage.archived()[0])
    assert kept.endswith(after)
    before = kept.removesuffix(after)
    assert long.startswith(before)
    # To the frame, but for how long our word is on its way.
    heard_ms = sum(each["ms"] for each in cut)
    assert abs(len(before) / FRAME - heard_ms / 20) <= LEAD_FRAMES


async def test_a_prompt_goes_on_after_a_redial_where_it_was_heard_last(
    make_stage: MakeStage,
) -> None:
    stage = await make_stage()
    pcm = noise(3)
    stage.play(pcm)
    await stage.until_heard(0.6)

    await stage.act("redial")
    await eventually(lambda: stage.states() == ["played"])

    # A busy machine may have cut it elsewhere, too.
    begins, pieces = b"", await stage.heard(pcm[-FRAME // 2 :])
    while pieces and pcm.startswith(begins + pieces[0]):
        begins += pieces.pop(0)
    # The socket went in the middle of a frame, so the last one is not full.
    rest = b"".join(pieces).rstrip(b"\0")
    assert begins
    assert pcm.rstrip(b"\0").endswith(rest)
    # What was on its way when the socket went may be heard twice, or is missing: it
    # went on, and not from the start.
    overlap = len(begins) + len(rest) - len(pcm)
    assert abs(overlap) <= LEAD_FRAMES * FRAME


async def test_what_a_dead_process_was_saying_is_kept_as_far_as_it_was_heard(
    make_stage: MakeStage,
) -> None:
    stage = await make_stage()
    pcm = noise(30)
    stage.play(pcm)
    await stage.until_heard(1.0)
    await eventually(lambda: stage.states() == ["playing"])

    stage.house.kill()
    await stage.hang_up()
    stage.house.recover()

    runs, track = stage.archived()
    kept = b"".join(runs)
    assert pcm.startswith(kept)
    assert len(kept) >= 0.5 * RATE * 2
    assert track["completeness"] == 1.0
    [row] = stage.house.rows("select * from calls_utterance")
    assert (row["state"], row["reason"]) == ("stopped", "the ingest process died")
    assert row["played_ms"] == len(kept) * 1000 // 2 // RATE


async def test_what_cannot_be_said_fails_and_says_why(make_stage: MakeStage) -> None:
    stage = await make_stage(bidirectional=False)
    stage.play(noise(1), audio={RATE: "prompts/gone.flac"})
    stage.play(noise(1), audio={24_000: "prompts/other.flac"})

    await eventually(lambda: stage.states() == ["failed", "failed"])

    rows = stage.house.rows("select reason from calls_utterance order by queued_at")
    assert [row["reason"] for row in rows] == [
        "its audio cannot be read (FileNotFoundError)",
        "there is no audio of it at 16000 Hz",
    ]
