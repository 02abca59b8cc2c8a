"""Text that does not come although people talk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alarms.watched import Watched, silent, talking
from tests.streaming.wire import ALICE, BOB, START, microseconds
from tests.transcription.scribe import Scribe
from tests.transcription.wire import metadata, said


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Watched]:
    call = Watched(tmp_path)
    call.watch.text.learn(0)
    yield call
    call.close()


def stalled(call: Watched) -> bool:
    return ("transcript", "") in call.lasting


def test_is_an_alarm_after_a_minute_with_the_socket_open_or_without(
    call: Watched,
) -> None:
    call.seconds(5, {ALICE: silent})

    call.seconds(59, {ALICE: talking})
    assert not stalled(call)
    call.seconds(2, {ALICE: talking})

    alarm = call.alarm()
    assert (alarm.kind, alarm.raw_id, alarm.severity) == ("transcript", "", 2)
    assert alarm.words == "No text has come for 61 s, although people talk."
    assert alarm.at_us is not None
    assert 0 <= alarm.at_us - microseconds(START) - 5_000_000 <= 1_000_000


def test_is_over_when_text_comes_over_the_socket(call: Watched) -> None:
    scribe = Scribe(call.desk)
    call.seconds(62, {ALICE: talking})
    assert stalled(call)

    scribe.hear(metadata(), 62)
    call.seconds(3, {ALICE: talking})
    assert stalled(call)
    scribe.hear(said("at last", status="Intermediate"), 65)
    call.seconds(4, {ALICE: talking})

    assert not stalled(call)


def test_is_over_when_another_process_has_written_text(call: Watched) -> None:
    call.seconds(62, {ALICE: talking})
    call.watch.text.learn(1)

    call.seconds(4, {ALICE: talking})

    assert not stalled(call)


def test_who_says_little_is_not_misunderstood(call: Watched) -> None:
    call.seconds(15, {ALICE: talking, BOB: silent})
    for _ in range(8):
        call.seconds(9, {ALICE: silent, BOB: silent})

    assert not stalled(call)


@pytest.mark.parametrize("newest", [None, 0])
def test_concerns_only_calls_that_are_to_be_transcribed(
    call: Watched, newest: int | None
) -> None:
    call.watch.text.learn(newest)
    call.seconds(70, {ALICE: talking})

    assert stalled(call) == (newest is not None)

    call.watch.text.learn(None)
    call.seconds(4, {ALICE: talking})
    assert not stalled(call)
