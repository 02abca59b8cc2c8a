"""Journals of calls that never were, as ingest would have written them."""

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import soundfile
from django.conf import settings

from calls.finishing import call_finish
from calls.journals.format import decode_header, encode_record
from calls.journals.reading import JournalHeader, Kind
from calls.models import Call, Recording
from calls.storage import recording_open
from streaming.call_audio import CallAudio
from streaming.ingest import MediaSession
from streaming.journal import JournalWriter
from streaming.socket_rows import Opening
from tests.streaming.wire import (
    RATE,
    SAMPLES,
    START,
    audio,
    metadata,
    microseconds,
    voice,
)

OPENED = START + timedelta(milliseconds=50)


def journal(
    call_id: UUID,
    frames: Iterable[str | bytes],
    *,
    after: float = 0.0,
    code: int | None = 1000,
    is_sealed: bool = True,
    rate: int = RATE,
    masks_tones: bool = False,
    header: Mapping[str, Any] | None = None,
    ours: int = 0,
) -> Path:
    """Write the journal of one socket that opened so many seconds after `START`.

    `ours`: packets that we said from `START` on.
    """
    opened_at = OPENED + timedelta(seconds=after)
    about: dict[str, Any] = {
        "call_id": call_id,
        "connection_id": uuid4(),
        "call_connection_id": f"acs-{call_id}",
        "correlation_id": "correlation",
        "opened_at": opened_at,
        "node": settings.NODE,
        "pid": 1,
        "software": "tests",
    } | dict(header or {})
    head = JournalHeader(**about)
    with writer() as journals:
        call = CallAudio(call_id)
        call.mask(masks_tones=masks_tones)
        session = MediaSession(
            call,
            head.connection_id,
            journals.open(head),
            Opening(head.call_connection_id, "correlation", "", opened_at),
        )
        session.take(metadata(rate), 1_000)
        for number, frame in enumerate(frames):
            session.take(frame, 2_000 + number * 20_000)
        call.now(opened_at, time.monotonic())
        for number in range(ours):
            session.spoke(rate, voice(number), microseconds(START) + number * 20_000)
        if is_sealed:
            session.close(code, "the end", opened_at)
    return Path(settings.JOURNAL_DIR) / f"{head.connection_id}.journal"


def append(path: Path, kind: Kind, payload: bytes, arrival_us: int = 9_000_000) -> None:
    """Write one more record into a journal that nobody sealed."""
    _, _, seed = decode_header(path.read_bytes())
    with path.open("ab") as file:
        file.writelines(encode_record(seed, kind, payload, arrival_us=arrival_us))


@contextmanager
def writer() -> Iterator[JournalWriter]:
    journals = JournalWriter(settings.JOURNAL_DIR, flush_interval=0.01)
    try:
        yield journals
    finally:
        journals.close()


def call_ended(at: datetime = START) -> Call:
    """Return a call that is over, as ACS told."""
    return Call.objects.create(
        connection_id=f"acs-{uuid4()}", state="ended", ended_at=at + timedelta(hours=1)
    )


def timeline(numbers: Iterable[int], length: int, samples: int = SAMPLES) -> bytes:
    """Return the PCM of a track that received these packets, silence elsewhere."""
    pcm = bytearray(length * samples * 2)
    for number in numbers:
        start = number * samples * 2
        pcm[start : start + samples * 2] = voice(number, samples)
    return bytes(pcm)


def sha256(pcm: bytes) -> str:
    return hashlib.sha256(pcm).hexdigest()


def stored_pcm(recording: Recording) -> bytes:
    """Return what the stored file decodes to."""
    with recording_open(recording.audio) as content:
        samples, _ = soundfile.read(content, dtype="int16")
    return bytes(samples.astype("<i2").tobytes())


def the_track(call_id: UUID, raw_id: str) -> Recording:
    return Recording.objects.get(call_id=call_id, track__participant__raw_id=raw_id)


def stored_files() -> set[str]:
    root = Path(settings.RECORDINGS_DIR)
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def recorded_from_half(call: Call) -> Path:
    """Return a journal of which half is in a recording already, as of a lost node."""
    path = journal(call.id, [audio(n) for n in range(10)])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    call_finish(call.id)
    path.write_bytes(whole)
    return path
