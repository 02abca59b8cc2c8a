"""Whether what a recording's row names is in storage, and is what the row says."""

import gzip
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, cast

import soundfile

from calls.alignment import BLOCK
from calls.audio.ledger import Ledger, State
from calls.audio.pcm import Samples
from calls.audio.peaks import PeakBuilder
from calls.ingest_facts import track_draft
from calls.models import Recording, Track
from calls.storage import recording_exists, recording_open, recording_size
from calls.verification.findings import About, Finding

log = logging.getLogger(__name__)

READ = 1 << 20


def recording_verify(
    recording: Recording, track: Track | None, ledger: Ledger | None, *, is_quick: bool
) -> Iterator[Finding]:
    """Yield what is wrong with the files of a recording, whose `track` this is if any.

    Quick looks only whether they are there and how long the audio is. A file that
    cannot be read is a finding; streams, so that length costs no memory.
    """
    about = About(recording.call_id, "recording", str(recording.pk))
    present = set()
    for what in ("audio", "peaks", "manifest", "leftovers"):
        if what == "leftovers" and not recording.leftovers:
            continue
        found = guarded(about, what, partial(_exists, recording, what, about))
        yield from found
        if not found:
            present.add(what)
    if "audio" in present:
        yield from guarded(about, "audio", partial(_size, recording, about))
    if is_quick:
        return
    if "audio" in present:
        has_peaks = "peaks" in present
        hear = partial(_audio, recording, ledger, about, has_peaks=has_peaks)
        yield from guarded(about, "audio", hear)
    if "manifest" in present:
        read = partial(_manifest, recording, track, about)
        yield from guarded(about, "manifest", read)


def guarded(
    about: About, what: str, check: Callable[[], Iterable[Finding]]
) -> list[Finding]:
    """Run a check of a file; what keeps it from being read is a finding too."""
    try:
        return list(check())
    except Exception as exc:
        # An edge: every storage has errors of its own, and the next file may be well.
        log.debug("%s %s: %s", about.subject, about.subject_id, what, exc_info=True)
        reason = str(exc) or type(exc).__name__
        return [about.error("file-unreadable", f"its {what} cannot be read: {reason}")]


def _exists(recording: Recording, what: str, about: About) -> Iterator[Finding]:
    name: str = getattr(recording, what)
    if not name:
        yield about.error("file-missing", f"its row names no {what}")
    elif not recording_exists(name):
        yield about.error("file-missing", f"its {what} is not in storage: {name}")


def _size(recording: Recording, about: About) -> Iterator[Finding]:
    size = recording_size(recording.audio)
    if size != recording.audio_bytes:
        words = f"{recording.audio} has {size} bytes, not {recording.audio_bytes}"
        yield about.error("audio-size", words)


def _audio(
    recording: Recording, ledger: Ledger | None, about: About, *, has_peaks: bool
) -> Iterator[Finding]:
    """Compare a file's bytes, what they decode to, and its waveform with the row."""
    name = recording.audio
    digest = hashlib.sha256()
    with recording_open(name) as stored:
        while content := stored.read(READ):
            digest.update(content)
        if digest.hexdigest() != recording.audio_sha256:
            yield about.error("audio-sha256", f"{name} has other bytes than stored")
        stored.seek(0)
        try:
            heard = _hear(stored, recording.sample_rate, ledger)
        except soundfile.LibsndfileError as exc:
            yield about.error("audio-undecodable", f"{name} cannot be decoded: {exc}")
            return
    yield from _pcm(recording, heard, about)
    if has_peaks:
        compare = partial(_peaks, recording, heard, about)
        yield from guarded(about, "peaks", compare)


@dataclass(slots=True)
class Heard:
    """What an audio file decodes to."""

    rate: int
    samples: int
    pcm_sha256: str
    peaks: object
    # Samples that are no silence where the ledger has no audio, and the first of them.
    noise: int = 0
    noise_at: int = 0


def _hear(stored: Any, rate: int, ledger: Ledger | None) -> Heard:
    digest, peaks = hashlib.sha256(), PeakBuilder(rate)
    heard = Heard(rate, 0, "", None)
    with soundfile.SoundFile(stored) as sound:
        heard.rate = sound.samplerate
        for block in sound.blocks(BLOCK, dtype="int16"):
            samples = cast(Samples, block)
            digest.update(samples.tobytes())
            peaks.add(samples)
            if ledger:
                _note_noise(heard, ledger, samples)
            heard.samples += len(samples)
    heard.pcm_sha256, heard.peaks = digest.hexdigest(), peaks.finish().to_json()
    return heard


def _note_noise(heard: Heard, ledger: Ledger, block: Samples) -> None:
    """Count what sounds where nothing was received, or what came was silent."""
    start = heard.samples
    for run in ledger.runs_in(start, start + len(block)):
        if run.state is State.RECEIVED:
            continue
        loud = block[run.start - start : run.end - start].nonzero()[0]
        if len(loud) and not heard.noise:
            heard.noise_at = run.start + int(loud[0])
        heard.noise += len(loud)


def _pcm(recording: Recording, heard: Heard, about: About) -> Iterator[Finding]:
    name = recording.audio
    if heard.rate != recording.sample_rate:
        words = f"{name} is at {heard.rate} Hz, not {recording.sample_rate}"
        yield about.error("audio-rate", words)
    if heard.samples != recording.samples:
        words = f"{name} decodes to {heard.samples} samples, not {recording.samples}"
        yield about.error("audio-samples", words)
    if heard.pcm_sha256 != recording.pcm_sha256:
        yield about.error("audio-pcm", f"{name} decodes to other audio than stored")
    if heard.noise:
        words = (
            f"{heard.noise} samples sound where the ledger has no audio, the first of"
            f" them at {heard.noise_at}"
        )
        yield about.error("audio-noise", words)


def _peaks(recording: Recording, heard: Heard, about: About) -> Iterator[Finding]:
    with recording_open(recording.peaks) as stored:
        if json.load(stored) != heard.peaks:
            words = f"{recording.peaks} is not the waveform of the audio"
            yield about.error("peaks-differ", words)


def _manifest(
    recording: Recording, track: Track | None, about: About
) -> Iterator[Finding]:
    """Compare a manifest with the row and, if the track is final, with the track."""
    with recording_open(recording.manifest) as stored:
        manifest = json.load(stored)
    told: dict[str, object] = {
        "call": str(recording.call_id),
        "audio": recording.audio,
        "audio_bytes": recording.audio_bytes,
        "audio_sha256": recording.audio_sha256,
        "pcm_sha256": recording.pcm_sha256,
        "sample_rate": recording.sample_rate,
        "samples": recording.samples,
        "origin_us": recording.origin_us,
        "leftovers": recording.leftovers,
    }
    differing = [what for what in told if manifest.get(what) != told[what]]
    if track and track.is_final:
        facts = json.loads(json.dumps(asdict(track_draft(track)), default=str))
        of_track = manifest.get("track", {})
        differing += [f"track.{at}" for at in facts if of_track.get(at) != facts[at]]
    if differing:
        # Names only: one of the values is a phone number.
        words = f"{recording.manifest} differs in {', '.join(differing)}"
        yield about.error("manifest-differs", words)


def leftovers_verify(name: str, unplaced: int, about: About) -> list[Finding]:
    """Return what is wrong with the leftovers `name` of a call.

    They must have all of the `unplaced` packets: those received that are on no track.
    """
    return guarded(about, "leftovers", partial(_leftovers, name, unplaced, about))


def _leftovers(name: str, unplaced: int, about: About) -> Iterator[Finding]:
    packets = 0
    with recording_open(name) as stored, gzip.open(stored) as lines:
        for line in lines:
            packets += json.loads(line)["kind"] == "AUDIO"
    if packets != unplaced:
        words = (
            f"{unplaced} packets were received and are on no track,"
            f" {packets} are in {name}"
        )
        yield about.error("leftovers-differ", words)
