"""What the participants say: audio files cut into frames, alone or mixed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from emulator.clock import FRAME_MS
from emulator.lines import Line, LinesError, lines_beside

BUILT_IN = Path(__file__).parent / "audio"
"""The conversation that `scripts/synthesise_conversation.py` makes."""
KNOWN_SUFFIXES = {".wav", ".flac"}

Samples = npt.NDArray[np.int16]


Part = tuple[int, int]
"""A party and by how many frames its speaker is ahead of it."""


class AudioError(Exception):
    """The audio to speak cannot be used; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One party's audio at one sample rate: 16-bit mono PCM in whole frames.

    `silent` has one byte per frame, 1 where the frame counts as silence.
    """

    pcm: bytes
    silent: bytes
    frame_bytes: int

    @property
    def frames(self) -> int:
        """Return how many frames of 20 ms there are."""
        return len(self.silent)

    def frame(self, position: int) -> bytes:
        """Return the PCM of one frame."""
        start = position * self.frame_bytes
        return self.pcm[start : start + self.frame_bytes]


class Speech:
    """The parties of one conversation, as loaded, and as voices at a sample rate."""

    def __init__(
        self,
        parties: Sequence[tuple[npt.NDArray[np.float32], int]],
        lines: Sequence[tuple[Line, ...]] = (),
    ) -> None:
        """Take each party's float samples, their rate in Hz, and what is said."""
        self._parties = parties
        self.lines = [*lines, *((),) * (len(parties) - len(lines))]
        self.voices = cache(self._voices)
        self.mixed = cache(self._mixed)

    @property
    def parties(self) -> int:
        """Return how many parties there are."""
        return len(self._parties)

    @property
    def seconds(self) -> float:
        """Return how long the longest party speaks."""
        return max(len(samples) / rate for samples, rate in self._parties)

    def _samples(self, rate: int) -> list[Samples]:
        """Return every party at a rate, all equally long, in whole frames."""
        frame = rate * FRAME_MS // 1000
        converted = [_converted(samples, own, rate) for samples, own in self._parties]
        longest = max(len(samples) for samples in converted)
        length = -(-longest // frame) * frame
        return [np.pad(samples, (0, length - len(samples))) for samples in converted]

    def _voices(self, rate: int, threshold: int) -> tuple[Voice, ...]:
        return tuple(_voice(each, rate, threshold) for each in self._samples(rate))

    def _mixed(self, rate: int, threshold: int, parts: tuple[Part, ...]) -> Voice:
        """Return the sum of some parts, saturated."""
        samples = self._samples(rate)
        frame = rate * FRAME_MS // 1000
        total = np.zeros(len(samples[0]), dtype=np.int32)
        for party, shift in parts:
            total += np.roll(samples[party], -shift * frame)
        return _voice(np.clip(total, -32768, 32767).astype(np.int16), rate, threshold)

    def part(self, number: int, *, again: int) -> Part:
        """Return what a participant speaks: a party and by how many frames it leads.

        Numbers beyond the parties begin with the first again. Who speaks a party
        `again` in the same call is at another place in the conversation.
        """
        frames = int(self.seconds * 1000 / FRAME_MS)
        return number % self.parties, again * 7 * frames // 16


def _converted(
    samples: npt.NDArray[np.float32], own_rate: int, rate: int
) -> npt.NDArray[np.int16]:
    # As floats: the 16-bit resampler dithers, and silence would not stay zero.
    resampled = soxr.resample(samples, own_rate, rate) if own_rate != rate else samples
    scaled: Samples = np.clip(np.rint(resampled * 32767), -32768, 32767).astype("<i2")
    return scaled


def _voice(samples: Samples, rate: int, threshold: int) -> Voice:
    frame = rate * FRAME_MS // 1000
    loudest = np.abs(samples.astype(np.int32)).reshape(-1, frame).max(axis=1)
    silent = (loudest <= threshold).astype(np.uint8).tobytes()
    return Voice(samples.astype("<i2").tobytes(), silent, frame * 2)


def saturated_sum(one: bytes, other: bytes) -> bytes:
    """Return the sum of two pieces of 16-bit PCM of the same length."""
    samples = [np.frombuffer(pcm, dtype="<i2").astype(np.int32) for pcm in (one, other)]
    return np.clip(sum(samples), -32768, 32767).astype("<i2").tobytes()


def amplified(pcm: bytes, gain_db: float) -> bytes:
    """Return a piece of 16-bit PCM louder by so many dB, saturated."""
    samples = np.frombuffer(pcm, dtype="<i2") * 10 ** (gain_db / 20)
    return np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()


def load(folder: Path | None) -> Speech:
    """Return the speech in a folder of WAV and FLAC files; None is the built-in one.

    One file is one party, in file-name order. A stereo file is two parties when it is
    alone and is mixed down otherwise. What is said in a file stands beside it, see
    `lines_beside`. Raises `AudioError`.
    """
    folder = folder or BUILT_IN
    if not folder.is_dir():
        raise AudioError(f"{folder}: not a folder")
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    paths = [path for path in paths if not path.name.startswith(".")]
    audio = [path for path in paths if path.suffix.lower() in KNOWN_SUFFIXES]
    if not audio:
        raise AudioError(f"{folder}: no .wav or .flac file in it")
    read = [_read(path) for path in audio]
    if len(read) == 1:
        [(channels, rate)] = read
        return Speech([(channel, rate) for channel in channels.T])
    try:
        lines = [lines_beside(path) for path in audio]
    except LinesError as exc:
        raise AudioError(str(exc)) from exc
    return Speech([(channels.mean(axis=1), rate) for channels, rate in read], lines)


def _read(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    """Return a file's samples (frames, channels) and its rate."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as exc:
        raise AudioError(f"{path}: not an audio file that can be read") from exc
    if not len(samples):
        raise AudioError(f"{path}: no audio in it")
    # A float file may hold anything; what is not a number is silence.
    return np.nan_to_num(samples, posinf=1.0, neginf=-1.0), int(rate)
