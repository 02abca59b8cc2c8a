"""Reading a sound file that somebody sent, in portions, believing nothing it says.

WAV, FLAC, MP3 and Ogg (Vorbis, Opus), by libsndfile. What its header claims is checked
before anything is decoded, and what comes out is counted: no file makes more audio than
the limit, whatever its header says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
import soxr

from calls.prompts.levelling import Sound

BLOCK: Final = 16_384
FORMATS: Final = {
    "WAV": "WAV",
    "WAVEX": "WAV",
    "RF64": "WAV",
    "FLAC": "FLAC",
    "OGG": "Ogg",
    "MP3": "MP3",
}
MOST_CHANNELS: Final = 8
LEAST_RATE, MOST_RATE = 8_000, 192_000
# A stream that was written to a pipe does not say how long it is.
UNKNOWN_FRAMES: Final = 1 << 48
UNKNOWN_BYTES: Final = 0x7FFF_0000
# MP3 only estimates how long it is.
SHORT: Final = 0.98
_WAV_CUT = re.compile(r"^data\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_OGG_CUT = re.compile("ended unexpectedly|lacks an end-of-stream bit")


class Fault(StrEnum):
    """Why a file cannot be a prompt."""

    EMPTY = "empty"
    NOT_AUDIO = "not_audio"
    FORMAT = "format"
    SHAPE = "shape"
    TOO_LONG = "too_long"
    CORRUPT = "corrupt"
    SILENT = "silent"


class NotAPromptError(Exception):
    """A file that cannot be a prompt, and why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Source:
    """A sound file's audio, mono, at the rates that were asked for."""

    format: str
    sounds: dict[int, Sound]


def source_read(path: Path, rates: tuple[int, ...], most_seconds: float) -> Source:
    """Read a file. Raises `NotAPromptError`."""
    if not path.stat().st_size:
        raise NotAPromptError(Fault.EMPTY)
    try:
        opened = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as exc:
        raise NotAPromptError(_unopened(exc)) from exc
    with opened as sound:
        _check(sound, most_seconds)
        converters = {
            rate: soxr.ResampleStream(sound.samplerate, rate, 1, dtype="float32")
            for rate in rates
        }
        parts: dict[int, list[Sound]] = {rate: [] for rate in rates}
        for block in _blocks(sound, most_seconds):
            for rate, converter in converters.items():
                parts[rate].append(converter.resample_chunk(block))
        for rate, converter in converters.items():
            rest = np.zeros(0, np.float32)
            parts[rate].append(converter.resample_chunk(rest, last=True))
        return Source(
            _words(sound), {rate: np.concatenate(each) for rate, each in parts.items()}
        )


def _unopened(exc: Any) -> Fault:
    # Of a format that it knows libsndfile says that the file is malformed.
    return Fault.CORRUPT if "malformed" in str(exc) else Fault.NOT_AUDIO


def _check(sound: Any, most_seconds: float) -> None:
    """Refuse what a header already says to be no prompt."""
    if sound.format not in FORMATS:
        raise NotAPromptError(Fault.FORMAT)
    fits = LEAST_RATE <= sound.samplerate <= MOST_RATE
    if not fits or not 1 <= sound.channels <= MOST_CHANNELS:
        raise NotAPromptError(Fault.SHAPE)
    if most_seconds * sound.samplerate < sound.frames < UNKNOWN_FRAMES:
        raise NotAPromptError(Fault.TOO_LONG)


def _blocks(sound: Any, most_seconds: float) -> Iterator[Sound]:
    """Yield a file's audio as mono: the mean of its channels, which never clips."""
    most = int(most_seconds * sound.samplerate)
    frames = 0
    while True:
        try:
            block = sound.read(BLOCK, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError) as exc:
            raise NotAPromptError(Fault.CORRUPT) from exc
        if not len(block):
            break
        frames += len(block)
        if frames > most:
            raise NotAPromptError(Fault.TOO_LONG)
        # Floating-point files may hold what is no number.
        yield np.nan_to_num(block.mean(axis=1), posinf=1.0, neginf=-1.0).clip(-4, 4)
    if _is_cut(sound, frames):
        raise NotAPromptError(Fault.CORRUPT)
    if not frames:
        raise NotAPromptError(Fault.EMPTY)


def _is_cut(sound: Any, frames: int) -> bool:
    """Say whether a file ends before its end, as after a download that broke off."""
    told = sound.extra_info
    if found := _WAV_CUT.search(told):
        told_bytes, there = int(found[1]), int(found[2])
        return there < told_bytes < UNKNOWN_BYTES
    if _OGG_CUT.search(told):
        return True
    claimed = int(sound.frames)
    return claimed < UNKNOWN_FRAMES and frames < SHORT * claimed


def _words(sound: Any) -> str:
    """Return what it is, for people: "WAV, 44.1 kHz, stereo"."""
    channels = {1: "mono", 2: "stereo"}.get(
        sound.channels, f"{sound.channels} channels"
    )
    return f"{FORMATS[sound.format]}, {sound.samplerate / 1000:g} kHz, {channels}"
