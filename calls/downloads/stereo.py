"""Two channels of one call: who is heard left, who right."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile

from calls.alignment import BLOCK, aligned, interleaved, summed
from calls.audio.pcm import Samples, us_to_samples
from calls.models import Call, Recording
from calls.storage import recording_open

REST = "rest"
# Channels of such a file.
STEREO = 2


class NoStereoError(Exception):
    """There are no two such channels; says why."""


@dataclass(frozen=True, slots=True)
class Stereo:
    """What is heard on each side, on the call's clock whose zero is `origin_us`."""

    left: Sequence[Recording]
    right: Sequence[Recording]
    origin_us: int
    rate: int
    samples: int

    def frames(self) -> Iterator[npt.NDArray[np.int16]]:
        """Yield the frames; each file is open only while it is read."""
        return interleaved(
            self._channel(self.left), self._channel(self.right), self.samples
        )

    def _channel(self, recordings: Sequence[Recording]) -> Iterator[Samples]:
        return summed([self._aligned(one) for one in recordings])

    def _aligned(self, recording: Recording) -> Iterator[Samples]:
        return aligned(
            decoded(recording),
            lead=us_to_samples(recording.origin_us - self.origin_us, self.rate),
            source=recording.sample_rate,
            rate=self.rate,
        )


def stereo_of(
    call: Call, tracks: Sequence[Recording], origin_us: int, left: str, right: str
) -> Stereo:
    """Return a call's audio with `left` and `right` on their sides.

    A side is the id of a recording, `REST` for everybody who is not on the other side,
    or empty for the usual: the caller left, everybody else right. Raises
    `NoStereoError`.
    """
    if len(tracks) < 2:
        raise NoStereoError("The call has no two speakers with audio of their own.")
    left = left or _usual_left(call, tracks)
    right = right or REST
    sides = _side(tracks, left, right), _side(tracks, right, left)
    if {one.pk for one in sides[0]} & {one.pk for one in sides[1]}:
        raise NoStereoError("One and the same speaker cannot be left and right.")
    rate = max(one.sample_rate for one in tracks)
    # All of the call, whoever is chosen: every download of it has one length.
    samples = max(_end(one, origin_us, rate) for one in tracks)
    return Stereo(*sides, origin_us, rate, samples)


def _usual_left(call: Call, tracks: Sequence[Recording]) -> str:
    for one in tracks:
        if one.track and one.track.participant.raw_id == call.from_raw_id:
            return str(one.pk)
    return str(tracks[0].pk)


def _side(tracks: Sequence[Recording], side: str, other: str) -> list[Recording]:
    if side == REST:
        if other == REST:
            raise NoStereoError("Choose a speaker for at least one side.")
        return [one for one in tracks if str(one.pk) != other]
    chosen = [one for one in tracks if str(one.pk) == side]
    if not chosen:
        raise NoStereoError("There is no such speaker in the call.")
    return chosen


def _end(recording: Recording, origin_us: int, rate: int) -> int:
    """Return where a recording ends on the call's clock, in samples at `rate`."""
    lead = us_to_samples(recording.origin_us - origin_us, rate)
    return lead - (-recording.samples * rate // recording.sample_rate)


def decoded(recording: Recording) -> Iterator[Samples]:
    """Yield a recording's samples from storage."""
    with recording_open(recording.audio) as file, soundfile.SoundFile(file) as flac:
        for block in flac.blocks(BLOCK, dtype="int16"):
            yield np.asarray(block, dtype=np.int16)
