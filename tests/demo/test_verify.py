"""A verdict must be able to be bad: each kind of damage is seen."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pytest_django import Settings

from calls.models import AudioChunk, Call, Recording, Track
from calls.models.states import ArchiveState
from calls.storage import recording_delete, recording_save
from demo.table import report_of
from demo.verify import CallCheck, call_check
from emulator.sent import SentTrack
from tests.factories import (
    CallFactory,
    ConnectionFactory,
    ParticipantFactory,
    RecordingFactory,
    TrackFactory,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db]

RATE = 16_000
SLOT = 320
CALLER = "4:+12065550100"
# A second of speech; its third packet was silent, its last ten came after a pause.
PACKETS = [*range(40), *range(60, 70)]
SILENT = {2}


@pytest.fixture(autouse=True)
def _own_storage(tmp_path: Path, settings: Settings) -> None:
    files = {"BACKEND": settings.STORAGE_BACKEND, "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "recordings": files}


def voice() -> Any:
    """Return the timeline of 70 packets: int16 samples."""
    sound = np.random.default_rng(7).integers(-9000, 9000, 70 * SLOT, dtype=np.int16)
    for slot in range(70):
        if slot in SILENT or slot not in PACKETS:
            sound[slot * SLOT : (slot + 1) * SLOT] = 0
    return sound


def flac(samples: Any) -> BytesIO:
    content = BytesIO()
    soundfile.write(content, samples, RATE, format="FLAC", subtype="PCM_16")
    content.seek(0)
    return content


@pytest.fixture
def report() -> dict[str, Any]:
    """What the emulator reports once it has sent the packets."""
    sent, sound = SentTrack(CALLER, 2 * SLOT), voice()
    for slot in PACKETS:
        pcm = sound[slot * SLOT : (slot + 1) * SLOT].astype("<i2").tobytes()
        sent.sent(slot, pcm, silent=slot in SILENT, timestamp=b"")
    return {
        "call_connection_id": "connection-1",
        "participants": [sent.report()],
        "sockets": [{}],
        "state": "disconnected",
    }


@pytest.fixture
def track() -> Track:
    """The same as rows and a recording, all of it as it should be."""
    call: Call = CallFactory.create(
        ended=True,
        connection_id="connection-1",
        archive_state=ArchiveState.FINISHED,
    )
    participant = ParticipantFactory.create(call=call, raw_id=CALLER)
    track: Track = TrackFactory.create(
        call=call,
        participant=participant,
        sample_rate=RATE,
        gap_samples=20 * SLOT,
        stopped_samples=0,
        completeness=50 / 70,
    )
    recording: Recording = RecordingFactory.create(call=call, track=track)
    recording_save(recording.audio, flac(voice()))
    AudioChunk.objects.create(
        track=track,
        connection=ConnectionFactory.create(call=call),
        number=0,
        start_sample=0,
        samples=len(PACKETS) * SLOT,
        packets=len(PACKETS),
        silent_packets=len(SILENT),
    )
    return track


def checked(report: dict[str, Any]) -> CallCheck:
    return call_check(kind="a call", report=report)


def only_problems(report: dict[str, Any]) -> list[str]:
    check = checked(report)
    assert not check.is_ok
    assert not report_of([check])["ok"]
    [participant] = check.participants
    return [*check.problems, *participant.problems]


def tamper(track: Track, content: BytesIO) -> None:
    """Put other bytes where the recording's are."""
    recording_delete(track.recording.audio)
    assert recording_save(track.recording.audio, content) == track.recording.audio


def test_finds_nothing_wrong_with_what_is_whole(
    track: Track, report: dict[str, Any]
) -> None:
    check = checked(report)

    assert check.is_ok
    [caller] = check.participants
    assert caller.stored_sha256 == caller.sent_sha256
    assert (caller.sent_packets, caller.stored_packets) == (50, 50)
    assert (caller.unsent_packets, caller.gap_ms) == (20, 400)


def test_sees_one_changed_sample_in_the_stored_audio(
    track: Track, report: dict[str, Any]
) -> None:
    sound = voice()
    sound[5000] += 1
    tamper(track, flac(sound))

    assert only_problems(report) == ["the recording is not the audio that was sent"]


def test_sees_audio_that_cannot_be_decoded(
    track: Track, report: dict[str, Any]
) -> None:
    tamper(track, BytesIO(b"no audio"))

    assert only_problems(report) == ["there is no recording that can be read"]


def test_sees_that_the_file_is_gone(track: Track, report: dict[str, Any]) -> None:
    recording_delete(track.recording.audio)

    assert only_problems(report) == ["there is no recording that can be read"]


def test_sees_one_packet_that_is_not_stored(
    track: Track, report: dict[str, Any]
) -> None:
    track.chunks.update(packets=len(PACKETS) - 1)

    problem = "1 of 50 packets that were sent are not stored: 20 ms are lost"
    assert only_problems(report) == [problem]


def test_sees_a_packet_too_many(track: Track, report: dict[str, Any]) -> None:
    track.chunks.update(packets=len(PACKETS) + 1)

    assert only_problems(report) == ["1 packets are stored that were not sent"]


def test_sees_a_silent_packet_that_is_stored_as_sound(
    track: Track, report: dict[str, Any]
) -> None:
    track.chunks.update(silent_packets=0)

    problem = "1 packets were sent as silent, 0 are stored as silent"
    assert only_problems(report) == [problem]


def test_sees_a_ledger_that_hides_a_gap(track: Track, report: dict[str, Any]) -> None:
    Track.objects.update(gap_samples=0, completeness=1)

    problem = "20 packets were not sent, and the ledger says so of 0"
    assert only_problems(report) == [problem]


def test_sees_that_recordings_are_not_finished(
    track: Track, report: dict[str, Any]
) -> None:
    Call.objects.update(archive_state=ArchiveState.FAILED, archive_error="disk full")

    assert only_problems(report) == ["its archive: Finishing failed disk full"]


def test_sees_a_participant_that_nobody_sent(
    track: Track, report: dict[str, Any]
) -> None:
    stranger = ParticipantFactory.create(call=track.call, raw_id="8:acs:stranger")
    TrackFactory.create(call=track.call, participant=stranger)

    assert only_problems(report) == ["8:acs:stranger was stored but never sent"]


def test_sees_that_the_call_is_unknown(report: dict[str, Any]) -> None:
    check = checked(report)

    assert not check.is_ok
    assert check.problems == ["the call is not in the database"]


def test_a_call_without_audio_is_no_success() -> None:
    check = checked({"call_connection_id": None, "state": "missed"})

    assert not check.is_ok
    assert "no audio was sent; the call was missed" in check.problems


def test_nothing_at_all_is_no_success() -> None:
    assert report_of([])["ok"] is False
