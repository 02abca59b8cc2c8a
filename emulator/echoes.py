"""How long it takes until the app lets a call hear what the call said."""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from emulator.clock import FRAME_SECONDS

Samples = npt.NDArray[np.float32]

KEPT = 2 * 50
"""Frames sent in which an echo is looked for: two seconds."""
LEAST_RMS = 50.0
"""Quieter frames (of 32,768) are not looked for: rounding is too much of them."""
ALIKE = 0.999
"""Correlation from which two pieces are the same, at whatever volume."""
APART_SECONDS = 0.002
"""Another piece that is alike, farther off than this, leaves open which it is."""


class Sent(NamedTuple):
    """One slot as it was sent: of everybody who spoke in it."""

    slot: int
    at: float
    samples: Samples


class Echoes:
    """Finds each frame that is heard among those that were sent, by its samples.

    Measured is the time from handing a frame to the socket until its first sample is
    played. Not in it: the 20 ms in which the frame was captured. In it: the wait for
    the slot of 20 ms in which it is played, and whatever is queued before it. Seconds
    are emulated ones since the call was connected.
    """

    def __init__(self, frame_bytes: int, elapsed: Callable[[], float]) -> None:
        """`elapsed` says what time it is."""
        self._elapsed = elapsed
        self._size = frame_bytes // 2
        self._rate = self._size / FRAME_SECONDS
        self._sent: deque[Sent] = deque(maxlen=KEPT)
        # Of all samples sent: how many are not kept, and which is next to be heard.
        self._forgotten = 0
        self._next = 0
        # By whole milliseconds: an hour of frames is no more memory than a minute.
        self._delays: Counter[int] = Counter()
        self._unmatched = 0

    def sent(self, slot: int, pcm: bytes) -> None:
        """Take note of what was sent of one participant in a slot."""
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
        if self._sent and self._sent[-1].slot == slot:
            samples = samples + self._sent.pop().samples
        elif len(self._sent) == KEPT:
            self._forgotten += self._size
        self._sent.append(Sent(slot, self._elapsed(), samples))

    def heard(self, slot: int, pcm: bytes) -> None:
        """Find again what is played in a slot."""
        frame = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
        if np.sqrt(np.mean(frame**2)) < LEAST_RMS:
            return
        began = slot * FRAME_SECONDS
        earlier = [each for each in self._sent if each.at <= began]
        place = self._place(frame, earlier)
        if place is None:
            self._unmatched += 1
            return
        self._next = self._forgotten + place + self._size
        number, offset = divmod(place, self._size)
        # Where frames are cut otherwise than ours, ours began to be heard before.
        delay = began - offset / self._rate - earlier[number].at
        self._delays[round(delay * 1000)] += 1

    def _place(self, frame: Samples, earlier: list[Sent]) -> int | None:
        """Return with which sample of what was sent a frame begins, if one is sure."""
        if not earlier:
            return None
        said = np.concatenate([each.samples for each in earlier])
        # Most echoes go on. To look there first is a hundred times cheaper.
        expected = self._next - self._forgotten
        if 0 <= expected <= said.size - frame.size and (
            _correlation(said[expected : expected + frame.size], frame)[0] >= ALIKE
        ):
            return expected
        alike = _correlation(said, frame)
        best = int(np.argmax(alike))
        apart = round(APART_SECONDS * self._rate)
        others = np.concatenate([alike[: max(best - apart, 0)], alike[best + apart :]])
        if alike[best] < ALIKE or (others.size and others.max() >= ALIKE):
            return None
        return best

    def report(self) -> dict[str, Any]:
        """Return the figures as the control API shows them."""
        return {
            "p50": self._quantile(0.5),
            "p95": self._quantile(0.95),
            "worst": max(self._delays, default=None),
            "frames": self._delays.total(),
            "unmatched": self._unmatched,
        }

    def _quantile(self, share: float) -> int | None:
        """Return what this share of the delays does not exceed."""
        left = share * self._delays.total()
        for delay in sorted(self._delays):
            left -= self._delays[delay]
            if left <= 0:
                return delay
        return None


def _correlation(said: Samples, frame: Samples) -> Samples:
    """Return how alike a frame is to each place of what was said: 1 is the same."""
    size = 1 << (said.size + frame.size - 1).bit_length()
    products = np.fft.irfft(
        np.fft.rfft(said, size) * np.conj(np.fft.rfft(frame, size)), size
    )[: said.size - frame.size + 1]
    sums = np.concatenate([[0.0], np.cumsum(said.astype(np.float64) ** 2)])
    power = sums[frame.size :] - sums[: -frame.size]
    # Where hardly anything was said, nothing is like it.
    least = frame.size * LEAST_RMS**2
    whole: Samples = products / np.sqrt(
        np.maximum(power, least) * np.sum(frame.astype(np.float64) ** 2)
    )
    return whole
