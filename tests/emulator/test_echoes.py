"""How long an echo takes: frames are found again by their samples."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from emulator.echoes import Echoes

FRAME = 320
SENT_AFTER = 0.001


class Line:
    """A call that sends noise, each frame 1 ms after it was captured."""

    def __init__(self, voices: int = 1) -> None:
        self.now = 0.0
        self.echoes = Echoes(2 * FRAME, lambda: self.now)
        self.said = np.zeros(0)
        self._voices = voices
        self._noise = np.random.default_rng(4)

    def speak(self, slot: int) -> None:
        self.now = (slot + 1) * 0.02 + SENT_AFTER
        total = np.zeros(FRAME)
        for _ in range(self._voices):
            voice = self._noise.integers(-5000, 5000, FRAME, dtype=np.int16)
            self.echoes.sent(slot, voice.tobytes())
            total = total + voice
        self.said = np.concatenate([self.said, total])

    def hear(self, slot: int, start: int, gain: float = 0.5) -> None:
        """Play what was said from sample `start` on."""
        samples = np.trunc(self.said[start : start + FRAME] * gain)
        self.echoes.heard(slot, samples.astype("<i2").tobytes())

    def slots(self, count: int) -> Iterator[int]:
        for slot in range(count):
            self.speak(slot)
            yield slot


def figures(line: Line) -> dict[str, Any]:
    return line.echoes.report()


@pytest.mark.parametrize("voices", [1, 2])
def test_an_echo_at_another_volume_is_timed_from_sending_to_playing(
    voices: int,
) -> None:
    line = Line(voices)

    for slot in line.slots(150):
        if slot >= 3:
            line.hear(slot + 1, (slot - 3) * FRAME)

    # Sent 1 ms after its slot, and played three slots later.
    expected = {"p50": 59, "p95": 59, "worst": 59, "frames": 147, "unmatched": 0}
    assert figures(line) == expected


def test_an_echo_that_comes_later_for_a_while_is_in_the_worst_figures() -> None:
    line = Line()

    for slot in line.slots(100):
        behind = 8 if 60 <= slot < 70 else 1
        if slot >= behind:
            line.hear(slot + 1, (slot - behind) * FRAME)

    found = figures(line)
    assert (found["p50"], found["p95"], found["worst"]) == (19, 159, 159)


def test_frames_that_are_cut_otherwise_count_from_when_ours_began() -> None:
    line = Line()

    for slot in line.slots(20):
        if slot >= 2:
            line.hear(slot + 1, (slot - 2) * FRAME + FRAME // 2)

    # Ten of its twenty milliseconds had been heard with the frame before.
    assert figures(line)["worst"] == 39 - 10


def test_what_is_no_echo_and_what_could_be_any_is_not_timed() -> None:
    line = Line()
    other = np.random.default_rng(5).integers(-5000, 5000, FRAME, dtype=np.int16)
    tone = np.sin(np.arange(FRAME) * 2 * np.pi * 500 / 16_000) * 5000

    for slot in line.slots(10):
        line.echoes.heard(slot + 1, other.tobytes())
        line.echoes.heard(slot + 1, bytes(2 * FRAME))
    for slot in range(10, 20):
        line.now += 0.02
        line.echoes.sent(slot, tone.astype("<i2").tobytes())
    line.echoes.heard(21, tone.astype("<i2").tobytes())

    assert figures(line) == {
        "p50": None,
        "p95": None,
        "worst": None,
        "frames": 0,
        "unmatched": 11,
    }
