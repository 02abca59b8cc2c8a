"""A call on a table and its watch: seconds pass when we say so."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from calls.alarms.thresholds import Thresholds
from calls.drafts import AlarmDraft
from streaming.alarms import CallWatch
from tests.streaming.desk import OPENED, Desk
from tests.streaming.wire import (
    RATE,
    SAMPLES,
    START,
    audio,
    metadata,
    microseconds,
)

# What a participant does in a second: from a packet's number to its frame, or None.
Frames = Callable[[int, str], str | None]


def talking(number: int, raw_id: str) -> str | None:
    """Speech at -12 dBFS."""
    return audio(number, raw_id, pcm=noise(8_000))


def silent(number: int, raw_id: str) -> str | None:
    return audio(number, raw_id, pcm=bytes(2 * SAMPLES), silent=True)


def hissing(number: int, raw_id: str) -> str | None:
    """A line's noise, not flagged as silent: -75 dBFS."""
    return audio(number, raw_id, pcm=noise(10))


def murmuring(number: int, raw_id: str) -> str | None:
    """Speech at -55 dBFS."""
    return audio(number, raw_id, pcm=noise(100))


def distorted(number: int, raw_id: str) -> str | None:
    """Speech of which one sample in ten is at the limit."""
    samples = np.full(SAMPLES, 12_000, dtype="<i2")
    samples[::10] = 32_767
    return audio(number, raw_id, pcm=samples.tobytes())


def losing(share: float) -> Frames:
    """Speech whose second half of each second is missing, so much of it."""
    lost = round(50 * share)

    def frames(number: int, raw_id: str) -> str | None:
        return None if number % 50 >= 50 - lost else talking(number, raw_id)

    return frames


def absent(number: int, raw_id: str) -> str | None:
    return None


def noise(amplitude: int) -> bytes:
    """A square wave: its level is its amplitude's."""
    wave = np.where(np.arange(SAMPLES) % 16 < 8, amplitude, -amplitude)
    return wave.astype("<i2").tobytes()


class Watched:
    """One live call and its alarms, second by second."""

    def __init__(self, folder: Path, **thresholds: float) -> None:
        self.desk = Desk(folder)
        self.call = self.desk.call
        self.call.watch.thresholds = Thresholds(**thresholds)
        self.session = self.desk.socket()
        self.session.take(metadata(), 0)
        self.call.now(OPENED, time.monotonic())
        self.number = 0
        self.now = 1_000.0
        self.news: list[AlarmDraft] = []

    @property
    def watch(self) -> CallWatch:
        return self.call.watch

    def second(
        self,
        doing: Mapping[str, Frames],
        others: Iterable[str | bytes] = (),
        ours: bytes = b"",
    ) -> None:
        """Let a second go by in which participants do this, then look.

        `ours`: what of us is heard in each 20 ms of it.
        """
        for number in range(self.number, self.number + 50):
            if ours:
                begun = microseconds(START) + number * 20_000
                self.session.spoke(RATE, ours, begun)
            at_us = (number + 1) * 20_000
            for raw_id, frames in doing.items():
                if (frame := frames(number, raw_id)) is not None:
                    self.session.take(frame, at_us)
        for other in others:
            self.session.take(other, (self.number + 50) * 20_000)
        self.number += 50
        self.now += 1.0
        self.call.measure()
        wall = OPENED + timedelta(seconds=self.now - 1_000)
        if self.watch.look(self.call, self.now, wall):
            self.news += self.watch.drafts()

    def seconds(self, count: int, doing: Mapping[str, Frames], **more: Any) -> None:
        for _ in range(count):
            self.second(doing, **more)

    @property
    def lasting(self) -> list[tuple[str, str]]:
        """Return kind and participant of what is an alarm now."""
        return [(one.kind.value, one.raw_id) for one in self.watch.lasting]

    def alarm(self) -> AlarmDraft:
        """Return the only alarm that lasts."""
        [draft] = [one for one in self.watch.drafts() if one.cleared_at is None]
        return draft

    def close(self) -> None:
        self.desk.journals.close()
