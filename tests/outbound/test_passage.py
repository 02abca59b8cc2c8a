"""Our side is kept where ACS played it. Time as we say; ACS is the emulator's queue."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from emulator.outbound import OutboundAudio
from streaming.capture_clock import WHOLE_US, WINDOW, CaptureClock
from streaming.consumers import _Intake
from streaming.outbound import Item, ItemKind
from streaming.outbound import speaker as speaker_module
from streaming.outbound.voice import SpeechNews, Voice
from streaming.protocol import US
from tests.streaming.desk import OPENED, Desk
from tests.streaming.wire import audio, metadata, microseconds

RATE, FRAME, MS = 16_000, 640, 1_000
# Both ways, and how far ACS's clock is from ours.
OUT_US, BACK_US, BEHIND = 17_300, 8_900, timedelta(seconds=7.013)


class World:
    """A call and ACS at the other end, in steps of 1 ms."""

    def __init__(self, desk: Desk, off_us: int = 0) -> None:
        """`off_us`: by how much pings are slower than audio."""
        self.now_us = self.began_us = 5_000_000
        desk.call.now(OPENED, self.now_us / 1_000_000)
        self.session = desk.socket()
        self.session.ping = lambda take: take(OUT_US + BACK_US + off_us)
        self.acs = OutboundAudio(FRAME, enabled=True, keep=600)
        self.captured = OPENED - BEHIND
        self.packets = 0
        self.kept: list[tuple[int, bytes]] = []
        tap: Any = self
        desk.call.tap = tap
        self.voice = Voice(desk.call, RATE, SpeechNews())
        self.speaker = self.voice.speaker
        self.session.take(metadata(), 0)
        self.voice.attach(self.session, self.send)

    def take(
        self, _: UUID, raw_id: str, __: int, ___: int, stamp_us: int, *kept: Any
    ) -> None:
        """Be told of all audio that is kept."""
        if raw_id == US:
            self.kept.append((stamp_us, kept[0]))

    def send(self, text: str) -> bool:
        arrives = self.now_us + OUT_US - self.began_us
        self.acs.take(text, arrives / 1_000_000, limit=1 << 16)
        return True

    def go_on(self, milliseconds: int) -> None:
        """Let time pass; packets come, some later than others."""
        for _ in range(milliseconds):
            self.now_us += MS
            since_us = self.now_us - self.began_us
            late_us = self.packets % 7 * 400
            if since_us >= (self.packets + 1) * WHOLE_US + BACK_US + late_us:
                frame = audio(self.packets, start=self.captured)
                assert self.session.take(frame, since_us) is None
                self.packets += 1
            # Nothing but another turn.
            self.speaker.attach(self.send)

    def say(self, frames: int) -> Item:
        """Say something that is like nothing else."""
        noise = np.random.default_rng(self.now_us)
        pcm = noise.integers(1, 8000, frames * FRAME // 2, np.int16).tobytes()
        return self.speaker.say(pcm, kind=ItemKind.PROMPT, name="noise")

    def heard(self) -> tuple[int, bytes]:
        """Return when the call heard the first of us, and what it heard."""
        self.acs.advance((self.now_us + OUT_US - self.began_us) / 1_000_000)
        first_ms = self.acs.report()["utterances"][0]["at_ms"]
        return microseconds(self.captured) + first_ms * MS, self.acs.heard()

    def archived(self) -> tuple[int, bytes]:
        """Return the same as it is kept."""
        origin_us, timeline = self.kept[0][0], bytearray()
        for stamp_us, pcm in self.kept:
            start = (stamp_us - origin_us) * RATE // 1_000_000 * 2
            assert start >= len(timeline)
            timeline[len(timeline) :] = bytes(start - len(timeline)) + pcm
        return origin_us, bytes(timeline)


@pytest.fixture
async def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[World]:
    with Desk(tmp_path) as desk:
        world = World(desk, getattr(request, "param", 0))
        monkeypatch.setattr(speaker_module, "_now_us", lambda: world.now_us)
        world.go_on(150)
        yield world


@pytest.mark.parametrize("world", [-2_900, 0, 900], indirect=True)
async def test_whenever_it_is_said_it_is_kept_in_the_frames_in_which_it_was_heard(
    world: World,
) -> None:
    for _ in range(40):
        world.say(3)
        # At another millisecond of a frame each time.
        world.go_on(141)

    assert world.archived() == world.heard()
    assert world.speaker.playout.underruns == 0


async def test_an_echo_lies_where_the_caller_heard_it(world: World) -> None:
    echo = world.speaker.begin(kind=ItemKind.HANDLER, name="echo")

    for number in range(100):
        # Some take long; once one is late for the next frame, and it is not the last.
        world.go_on({30: 33, 31: 7}.get(number, 20))
        world.speaker.write(echo, bytes([number + 1]) * FRAME)
    world.go_on(100)

    assert world.archived() == world.heard()
    assert world.speaker.playout.underruns == 1


@pytest.mark.parametrize("after_ms", range(60, 80))
async def test_a_stop_keeps_the_frames_that_were_heard_and_no_other(
    world: World, after_ms: int
) -> None:
    prompt = world.say(50)
    world.go_on(after_ms)

    world.speaker.stop("enough")
    world.say(2)
    world.go_on(100)

    assert world.archived() == world.heard()
    assert prompt.played == (len(world.heard()[1]) // FRAME - 2) * FRAME // 2


async def test_what_is_said_before_the_first_packet_is_kept_by_the_clock_it_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Desk(tmp_path) as desk:
        world = World(desk)
        monkeypatch.setattr(speaker_module, "_now_us", lambda: world.now_us)

        world.say(5)
        world.go_on(300)

        assert world.archived() == world.heard()


def taught(*stamps: int, turns: int = 0) -> CaptureClock:
    """Return a clock that was shown these stamps, of packets that took no time."""
    clock = CaptureClock()
    for stamp in stamps:
        clock.stamp_us = stamp
        clock.note(WHOLE_US)
        clock.turn()
    for _ in range(turns):
        clock.turn()
    return clock


def test_frames_begin_where_stamps_say_until_stamps_disagree() -> None:
    noon = 1_772_366_400_000_000
    agreed = taught(noon + 7_000, noon + 1_027_400)

    assert agreed.next_frame(noon + 8_000) == noon + 27_400
    assert agreed.next_frame(noon + 27_400) == noon + 47_400
    # Whole seconds are of every grid, and here two participants have one each.
    for clock in (taught(noon, noon + 1_000_000), taught(noon + 7_000, noon + 12_000)):
        assert not clock.has_frames
        assert clock.next_frame(noon + 8_000) == noon + 8_000


def test_frames_that_agree_for_a_minute_are_believed_again() -> None:
    clock = taught(7_000, 12_000, turns=2 * WINDOW - 1)
    assert not clock.has_frames

    clock.turn()

    assert clock.has_frames


def test_the_least_round_trip_counts_until_it_is_a_minute_old() -> None:
    clock = taught(7_000)
    for trip in (40_000, 30_000, 35_000, 3_000_000):
        clock.note_round_trip(trip)
    assert clock.round_trip_us == 30_000

    for _ in range(2 * WINDOW):
        clock.note(WHOLE_US)
        clock.note_round_trip(50_000)
        clock.turn()

    assert clock.round_trip_us == 50_000


async def test_what_was_done_to_open_a_socket_is_no_part_of_how_long_a_packet_took(
    tmp_path: Path,
) -> None:
    with Desk(tmp_path) as desk:
        desk.call.now(OPENED, time.monotonic() - 3)
        session = desk.socket()

        _Intake(session)(metadata())
        _Intake(session)(audio(0))

        assert session.counts.last_packet_us >= 3_000_000
