"""Audio files of tracks and mixes: written, encoded, stored, read back, compared.

A recording is FLAC, 16-bit mono, at the rate the audio came in. Its name carries the
start of the PCM's SHA-256, and nothing in its files tells when they were made: a second
run of the same work ends in the same files.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast
from uuid import UUID, uuid5

import numpy as np
import soundfile
from django.utils import timezone

from calls.alignment import BLOCK, aligned, summed
from calls.audio.ledger import Ledger, State
from calls.audio.pcm import BYTES_PER_SAMPLE, Samples
from calls.audio.peaks import PeakBuilder
from calls.audio.track import TrackAudio
from calls.drafts import TrackDraft
from calls.instants import instant
from calls.journals.replay import PacketRef
from calls.models import Recording, RecordingState, Track
from calls.storage import recording_delete, recording_open, recording_save
from streaming.protocol import US

GATHER = 1 << 18  # bytes of neighbouring packets that are written at once
MANIFEST_FORMAT = 1


class RecordingError(Exception):
    """What was read back from storage is not what was written."""


class TrackFile:
    """A track's PCM in a sparse scratch file: what is never written is silence."""

    def __init__(self, path: Path, raw_id: str, rate: int) -> None:
        self.path = path
        self.raw_id = raw_id
        self.rate = rate
        self._audio: TrackAudio[PacketRef] | None = None
        self._file = path.open("w+b", buffering=0)
        self._start = 0
        self._gathered = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @classmethod
    def restore(cls, scratch: Path, recording: Recording) -> Self:
        """Return the file of a stored recording, ready to be gone on with.

        Raises `RecordingError` if it is not what was recorded: what is made of it would
        be taken for whole.
        """
        track = recording.track
        if track is None:
            raise AssertionError("only tracks are gone on with")
        file = cls(
            scratch / f"{track.id}.pcm", track.participant.raw_id, track.sample_rate
        )
        try:
            file._go_on(recording, track)
        except BaseException:
            file._file.close()
            raise
        return file

    def _go_on(self, recording: Recording, track: Track) -> None:
        with recording_open(recording.manifest) as content:
            state = json.load(content)["state"]
        audio: TrackAudio[PacketRef] = TrackAudio.restore(
            self.rate, state, is_ours=self.raw_id == US
        )
        ledger = Ledger.from_json(track.ledger)
        start = 0
        with recording_open(recording.audio) as stored:
            for block in _decoded(
                recording.audio,
                stored,
                pcm_sha256=recording.pcm_sha256,
                samples=recording.samples,
            ):
                self.write(start, block.tobytes())
                _measure(audio, ledger, start, block)
                start += len(block)
        self._audio = audio

    def restored_audio(self) -> TrackAudio[PacketRef]:
        """Return the track's figures as they were when the recording was made."""
        if self._audio is None:
            raise AssertionError("this file was not restored")
        return self._audio

    def write(self, start: int, pcm: bytes) -> None:
        """Put samples at `start`. Packets that follow each other are gathered."""
        offset = start * BYTES_PER_SAMPLE
        if offset != self._start + len(self._gathered) or len(self._gathered) > GATHER:
            self._write_out()
            self._start = offset
        self._gathered += pcm

    def blocks(self, samples: int) -> Iterator[Samples]:
        """Yield exactly `samples` samples from the start, silence where none are."""
        self._write_out()
        self._file.seek(0)
        left = samples * BYTES_PER_SAMPLE
        while left:
            wanted = min(left, BLOCK * BYTES_PER_SAMPLE)
            content = self._file.read(wanted) or b""
            while 0 < len(content) < wanted:
                more = self._file.read(wanted - len(content))
                if not more:
                    break
                content += more
            yield np.frombuffer(content.ljust(wanted, b"\0"), dtype="<i2")
            left -= wanted

    def _write_out(self) -> None:
        content = memoryview(bytes(self._gathered))
        self._gathered.clear()
        self._file.seek(self._start)
        while content:
            content = content[self._file.write(content) :]


def _measure(
    audio: TrackAudio[PacketRef], ledger: Ledger, start: int, block: Samples
) -> None:
    """Let the meter hear again what it had heard: received and not silent."""
    for run in ledger.runs_in(start, start + len(block)):
        if run.state is State.RECEIVED:
            audio.meter.add(block[run.start - start : run.end - start].tobytes())
    audio.meter.take()


def _decoded(
    name: str, stored: IO[bytes], *, pcm_sha256: str, samples: int
) -> Iterator[Samples]:
    """Yield what a stored recording decodes to.

    Raises `RecordingError`, at its end at the latest, if that is not exactly the PCM
    that was encoded.
    """
    digest, read = hashlib.sha256(), 0
    try:
        with soundfile.SoundFile(stored) as sound:
            for block in sound.blocks(BLOCK, dtype="int16"):
                digest.update(block.data)
                read += len(block)
                yield cast(Samples, block)
    except soundfile.LibsndfileError as exc:
        raise RecordingError(f"{name} cannot be decoded: {exc}") from exc
    if read != samples or digest.hexdigest() != pcm_sha256:
        raise RecordingError(f"{name} was read back as {read} samples of other audio")


@dataclass(frozen=True, slots=True)
class Encoded:
    """An encoded file on the scratch disk and what it must decode to."""

    path: Path
    samples: int
    pcm_sha256: str
    peaks: bytes


def encode(path: Path, rate: int, blocks: Iterator[Samples]) -> Encoded:
    """Write `blocks` as FLAC to `path`; hash the PCM and find its peaks on the way."""
    digest, peaks, samples = hashlib.sha256(), PeakBuilder(rate), 0
    with soundfile.SoundFile(
        path, "w", samplerate=rate, channels=1, format="FLAC", subtype="PCM_16"
    ) as sound:
        for block in blocks:
            sound.write(block)
            digest.update(block.data)
            peaks.add(block)
            samples += len(block)
    shown = json.dumps(peaks.finish().to_json()).encode()
    return Encoded(path, samples, digest.hexdigest(), shown)


def verify(name: str, *, pcm_sha256: str, samples: int) -> tuple[int, str]:
    """Read a stored recording back; return the file's size and SHA-256.

    Raises `RecordingError` if it does not decode to exactly the PCM that was encoded.
    """
    file_digest, size = hashlib.sha256(), 0
    # Opened once: a remote storage sends the file each time it is.
    with recording_open(name) as stored:
        while content := stored.read(1 << 20):
            file_digest.update(content)
            size += len(content)
        stored.seek(0)
        for _ in _decoded(name, stored, pcm_sha256=pcm_sha256, samples=samples):
            pass
    return size, file_digest.hexdigest()


def folder_of(call_id: UUID, at: datetime) -> str:
    """Return the storage folder of a call's recordings."""
    return f"{at:%Y/%m/%d}/{call_id}"


def slug(raw_id: str) -> str:
    """Return a file-name part that tells participants apart and no phone number.

    File names travel (downloads, storage listings, logs); numbers must not.
    """
    return hashlib.sha256(raw_id.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def track_store(
    file: TrackFile, draft: TrackDraft, state: dict[str, Any], leftovers: str
) -> Recording:
    """Encode, store and verify a track; return its row, which is not saved yet."""
    encoded = encode(
        file.path.with_suffix(".flac"), file.rate, file.blocks(draft.samples)
    )
    facts = {"track": _jsonable(asdict(draft)), "state": state}
    folder = folder_of(draft.call_id, instant(draft.origin_us))
    recording = Recording(
        id=uuid5(draft.id, "recording"),
        call_id=draft.call_id,
        track_id=draft.id,
        sample_rate=file.rate,
        origin_us=draft.origin_us,
        leftovers=leftovers,
    )
    return _store(recording, encoded, f"{folder}/{slug(draft.raw_id)}", facts)


def _jsonable(facts: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(facts, default=str))  # type: ignore[no-any-return] # an object stays one


def _store(
    recording: Recording, encoded: Encoded, stem: str, facts: dict[str, Any]
) -> Recording:
    stem = f"{stem}-{encoded.pcm_sha256[:12]}"
    with encoded.path.open("rb") as content:
        recording.audio = recording_save(f"{stem}.flac", content)
    recording.audio_bytes, recording.audio_sha256 = _verified(recording.audio, encoded)
    recording.state = RecordingState.VERIFIED
    recording.verified_at = timezone.now()
    recording.samples = encoded.samples
    recording.pcm_sha256 = encoded.pcm_sha256
    recording.peaks = recording_save(f"{stem}.peaks.json", BytesIO(encoded.peaks))
    manifest = {
        "format": MANIFEST_FORMAT,
        "call": str(recording.call_id),
        "audio": recording.audio,
        "audio_bytes": recording.audio_bytes,
        "audio_sha256": recording.audio_sha256,
        "pcm_sha256": recording.pcm_sha256,
        "pcm": "16-bit signed little-endian, mono",
        "sample_rate": recording.sample_rate,
        "samples": recording.samples,
        "origin_us": recording.origin_us,
        "leftovers": recording.leftovers,
        **facts,
    }
    shown = json.dumps(manifest, indent=1).encode()
    recording.manifest = recording_save(f"{stem}.manifest.json", BytesIO(shown))
    return recording


def _verified(name: str, encoded: Encoded) -> tuple[int, str]:
    try:
        return verify(name, pcm_sha256=encoded.pcm_sha256, samples=encoded.samples)
    except RecordingError:
        # Never remove what a row names: reading it may have been at fault.
        if not Recording.objects.filter(audio=name).exists():
            recording_delete(name)
        raise


def mix_store(
    call_id: UUID, recordings: Sequence[Recording], files: Sequence[TrackFile]
) -> Recording | None:
    """Mix the tracks of a call, aligned by capture time; None if there is one or none.

    Raises as `track_store` does. The mix has the highest rate of its tracks.
    """
    if len(recordings) < 2:
        return None
    rate = max(recording.sample_rate for recording in recordings)
    origin = min(recording.origin_us for recording in recordings)
    sources = [
        _aligned(file, recording, origin, rate)
        for recording, file in zip(recordings, files, strict=True)
    ]
    path = files[0].path.with_name("mix.flac")
    encoded = encode(path, rate, summed(sources))
    mixed = Recording(
        id=uuid5(call_id, "mix"),
        call_id=call_id,
        sample_rate=rate,
        origin_us=origin,
    )
    folder = folder_of(call_id, instant(origin))
    facts = {"mix_of": [str(recording.id) for recording in recordings]}
    return _store(mixed, encoded, f"{folder}/mix", facts)


def _aligned(
    file: TrackFile, recording: Recording, origin: int, rate: int
) -> Iterator[Samples]:
    """Yield a track's audio at `rate`, silence before its first packet."""
    lead = round((recording.origin_us - origin) * rate / 1_000_000)
    blocks = file.blocks(recording.samples)
    return aligned(blocks, lead=lead, source=recording.sample_rate, rate=rate)
