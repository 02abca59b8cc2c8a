"""Fuzzing itself, short: that nothing breaks, and that it would notice."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.fuzz_makers import Maker, media_frame, media_metadata, written
from benchmarks.fuzz_seen import JUDGED, Sample, Seen, Watched
from calls.envelopes import Unreadable, events_of
from tests.streaming.desk import Desk, feed


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path) as desk:
        yield desk


def test_hostile_frames_are_kept_or_refused_and_never_raise(desk: Desk) -> None:
    maker, taken = Maker(7, media_frame), 0
    first = written(media_metadata()).decode()

    for _ in range(20):
        session = desk.socket()
        frames = [maker.next().decode(errors="replace") for _ in range(300)]
        feed(session, [first, *frames])
        taken += session.messages
        desk.seal(session)

    assert taken > 3000


def test_what_is_made_is_hostile_in_many_ways() -> None:
    maker = Maker(1, lambda draw: [{"id": "1", "data": media_frame(draw)}])
    outcomes = {"read": 0, "refused": 0, "not UTF-8": 0}

    for _ in range(1500):
        raw = maker.next()
        try:
            raw.decode()
            events_of(raw)
            outcomes["read"] += 1
        except UnicodeDecodeError:
            outcomes["not UTF-8"] += 1
        except Unreadable:
            outcomes["refused"] += 1

    assert min(outcomes.values()) > 0


def test_notices_growth_death_and_tracebacks(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("Traceback (most recent call last):\n")
    seen = Seen("frames", JUDGED, taken=JUDGED)
    seen.samples = [Sample(n * 1000, n * 1_000_000, 10) for n in range(50)]
    with subprocess.Popen(["true"]) as done:
        watched = Watched(done.pid, log)
        done.wait()

        seen.judge(watched)

    assert [fault.split()[0] for fault in seen.faults] == ["the", "1", "memory"]
