"""What is wrong with a call: each condition from real frames, raised and cleared."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streaming.live import call_snapshot
from tests.alarms.watched import (
    Watched,
    absent,
    distorted,
    hissing,
    losing,
    murmuring,
    noise,
    silent,
    talking,
)
from tests.streaming.wire import ALICE, BOB, START, audio, metadata, microseconds

CAROL = "8:orgid:carol"
Make = Callable[..., Watched]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Watched] = []

    def make(**thresholds: float) -> Watched:
        made.append(Watched(tmp_path, **thresholds))
        return made[-1]

    yield make
    for one in made:
        one.close()


def begun(seconds: float) -> int:
    """Return a moment of the call by capture time."""
    return microseconds(START) + round(seconds * 1_000_000)


def test_a_call_in_which_two_take_turns_has_no_alarm(make: Make) -> None:
    call = make()

    for _ in range(20):
        call.seconds(4, {ALICE: talking, BOB: silent})
        call.seconds(3, {ALICE: silent, BOB: silent})
        call.seconds(4, {ALICE: silent, BOB: talking})

    assert call.news == []


@pytest.mark.parametrize("quiet", [silent, hissing])
def test_dead_air_is_ten_seconds_without_a_voice(
    make: Make, quiet: Callable[[int, str], str | None]
) -> None:
    call = make()
    call.seconds(5, {ALICE: talking, BOB: talking})

    call.seconds(9, {ALICE: quiet, BOB: quiet})
    assert call.lasting == []
    call.seconds(3, {ALICE: quiet, BOB: quiet})

    alarm = call.alarm()
    assert (alarm.kind, alarm.raw_id, alarm.severity) == ("dead_air", "", 2)
    assert alarm.words == "Nobody has spoken for 12 s."
    assert (alarm.value, alarm.threshold) == (12, 10)
    assert alarm.at_us == begun(5)

    call.seconds(3, {ALICE: talking, BOB: silent})
    assert call.lasting == [("dead_air", "")]
    call.second({ALICE: talking, BOB: silent})
    assert call.lasting == []
    assert call.news[-1].cleared_at is not None
    assert call.news[-1].words == "Nobody has spoken for 12 s."


def test_what_we_say_is_heard_and_our_open_microphone_is_not(make: Make) -> None:
    call = make(one_way_seconds=0)

    call.seconds(40, {ALICE: silent, BOB: silent}, ours=noise(8_000))
    assert call.news == []
    call.seconds(11, {ALICE: silent, BOB: silent}, ours=noise(10))

    assert call.lasting == [("dead_air", "")]
    assert call.alarm().words == "Nobody has spoken for 11 s."


def test_dead_air_that_comes_back_soon_is_the_same_alarm_once_more(
    make: Make,
) -> None:
    call = make()
    for _ in range(2):
        call.seconds(11, {ALICE: silent})
        call.seconds(5, {ALICE: talking})

    first, _, again, _ = call.news
    assert (first.id, first.occurrences) == (again.id, 1)
    assert (again.occurrences, again.raised_at < again.since) == (2, True)
    assert again.at_us == begun(16)

    call.seconds(61, {ALICE: talking})
    call.seconds(11, {ALICE: silent})

    assert call.alarm().id != first.id
    assert call.alarm().occurrences == 1


def test_one_way_is_one_of_two_who_was_never_heard(make: Make) -> None:
    call = make()

    call.seconds(19, {ALICE: talking, BOB: silent})
    assert call.lasting == []
    call.seconds(2, {ALICE: talking, BOB: silent})

    alarm = call.alarm()
    assert (alarm.kind, alarm.raw_id, alarm.severity) == ("one_way", BOB, 3)
    assert "silence has come from this side for 21 s" in alarm.words
    assert alarm.at_us == begun(0)

    call.seconds(4, {ALICE: talking, BOB: talking})
    assert call.lasting == []


def test_a_call_in_which_nobody_talks_is_not_one_way(make: Make) -> None:
    call = make(dead_air_seconds=0)

    call.seconds(60, {ALICE: silent, BOB: silent})

    assert call.news == []


def test_of_three_one_may_just_listen(make: Make) -> None:
    call = make(overtalk_percent=0)

    call.seconds(80, {ALICE: talking, BOB: talking, CAROL: silent})

    assert call.news == []


def test_who_is_silent_for_long_while_others_talk_is_told_of(make: Make) -> None:
    call = make()
    call.seconds(5, {ALICE: talking, BOB: talking})

    call.seconds(89, {ALICE: talking, BOB: silent})
    assert call.lasting == []
    call.second({ALICE: talking, BOB: silent})

    alarm = call.alarm()
    assert (alarm.kind, alarm.raw_id, alarm.severity) == ("silent_flow", BOB, 1)
    assert "for 90 s, while others talk" in alarm.words
    assert alarm.at_us == begun(5)

    call.seconds(4, {ALICE: talking, BOB: talking})
    assert call.lasting == []


def test_who_has_nothing_to_answer_is_not_silent(make: Make) -> None:
    call = make(dead_air_seconds=0)
    call.seconds(5, {ALICE: talking, BOB: talking})

    call.seconds(200, {ALICE: silent, BOB: silent})

    assert call.news == []


def test_a_stall_is_three_seconds_without_packets_that_are_wanted(make: Make) -> None:
    call = make()
    call.seconds(5, {ALICE: talking, BOB: talking})

    call.seconds(2, {})
    assert call.watch.is_quiet
    call.watch.is_wanted = True
    call.seconds(2, {})

    alarm = call.alarm()
    assert (alarm.kind, alarm.severity) == ("stalled", 3)
    assert alarm.words == "No packet has come for 4 s, although streaming is wanted."
    assert alarm.at_us == begun(5)

    call.seconds(3, {ALICE: talking, BOB: talking})
    assert call.lasting == []


@pytest.mark.parametrize("wanted", [False, None])
def test_packets_that_nobody_wants_or_may_not_want_are_no_stall(
    make: Make, wanted: bool | None
) -> None:
    call = make()
    call.seconds(5, {ALICE: talking, BOB: talking})
    call.second({})

    call.watch.is_wanted = wanted
    call.seconds(100, {})

    assert call.news == []


def test_a_stop_that_was_ordered_ends_a_stall(make: Make) -> None:
    call = make()
    call.watch.is_wanted = True
    call.seconds(4, {})
    call.watch.is_wanted = True
    call.seconds(4, {})
    assert call.lasting == [("stalled", "")]

    call.watch.is_wanted = False
    call.seconds(3, {})

    assert call.lasting == []


def test_gaps_are_told_by_their_share_of_the_last_minute(make: Make) -> None:
    call = make()
    call.seconds(30, {ALICE: talking})

    call.seconds(9, {ALICE: losing(0.2)})
    call.seconds(7, {ALICE: talking})

    alarm = call.alarm()
    assert (alarm.kind, alarm.raw_id) == ("gaps", ALICE)
    assert alarm.value == pytest.approx(3.0, rel=0.01)
    assert alarm.words.startswith("3.0 % of the last minute is missing")
    assert alarm.at_us == begun(30.8)

    call.seconds(75, {ALICE: talking})
    assert call.lasting == []


def test_a_gap_of_a_few_packets_is_no_alarm(make: Make) -> None:
    call = make()

    call.seconds(3, {ALICE: talking, BOB: talking})
    call.second({ALICE: losing(0.4), BOB: talking})
    call.seconds(10, {ALICE: talking, BOB: silent})

    assert call.news == []


def test_distorted_speech_is_clipping(make: Make) -> None:
    call = make()
    call.seconds(10, {ALICE: talking})

    call.seconds(5, {ALICE: distorted})

    alarm = call.alarm()
    assert (alarm.kind, alarm.raw_id, alarm.value) == ("clipping", ALICE, 5)
    assert alarm.words.startswith("5.0 % of the samples of the last speech")

    call.seconds(16, {ALICE: talking})
    assert call.lasting == []


def test_speech_that_is_too_quiet_is_told_with_its_level(make: Make) -> None:
    call = make()

    call.seconds(6, {ALICE: murmuring, BOB: silent})
    # Pauses say nothing of how loud somebody speaks.
    call.seconds(8, {ALICE: silent, BOB: talking})

    alarm = call.alarm()
    assert (alarm.kind, alarm.raw_id) == ("too_quiet", ALICE)
    assert alarm.value == pytest.approx(-50.3, abs=0.1)
    assert alarm.words.startswith("Speech is at -50 dBFS; below -45 dBFS")

    call.seconds(16, {ALICE: talking, BOB: silent})
    assert call.lasting == []


def test_overtalk_is_told_by_its_share_of_the_last_minute(make: Make) -> None:
    call = make()
    call.seconds(20, {ALICE: talking, BOB: silent})
    call.seconds(10, {ALICE: silent, BOB: talking})

    call.seconds(17, {ALICE: talking, BOB: talking})

    alarm = call.alarm()
    assert (alarm.kind, alarm.raw_id) == ("overtalk", "")
    assert alarm.value == pytest.approx(100 * 17 / 47, rel=0.05)
    assert "two or more talked at once" in alarm.words

    call.seconds(60, {ALICE: talking, BOB: silent})
    assert ("overtalk", "") not in call.lasting


def test_malformed_messages_are_counted_within_a_minute(make: Make) -> None:
    call = make()
    call.second({ALICE: talking}, others=["{", "not JSON", '{"kind":"AudioData"}', "["])
    assert call.lasting == []

    call.second({ALICE: talking}, others=["{"])

    alarm = call.alarm()
    assert (alarm.kind, alarm.value) == ("malformed", 5)
    assert alarm.words == "5 malformed messages came within a minute."

    call.seconds(75, {ALICE: talking})
    assert call.lasting == []


def test_a_threshold_of_zero_is_no_alarm(make: Make) -> None:
    off = dict.fromkeys(
        (
            "dead_air_seconds",
            "one_way_seconds",
            "silent_seconds",
            "stalled_seconds",
            "gaps_percent",
            "clipping_percent",
            "quiet_dbfs",
            "overtalk_percent",
            "malformed_count",
        ),
        0.0,
    )
    call = make(**off)
    call.seconds(30, {ALICE: losing(0.5), BOB: silent}, others=["{"])
    call.seconds(10, {ALICE: distorted, BOB: murmuring})
    call.watch.is_wanted = True
    call.seconds(100, {})
    call.seconds(100, {ALICE: silent, BOB: silent})

    assert call.news == []


def test_who_has_left_has_no_alarms(make: Make) -> None:
    call = make()
    call.seconds(6, {ALICE: murmuring, BOB: talking})
    assert call.lasting == [("too_quiet", ALICE)]

    call.seconds(9, {ALICE: absent, BOB: talking})

    assert call.lasting == []


def test_the_end_of_the_last_socket_clears_everything(make: Make) -> None:
    call = make()
    call.seconds(12, {ALICE: silent})

    assert call.watch.end(call.now, call.news[-1].seen_at)

    [draft] = call.watch.drafts()
    assert draft.cleared_at is not None
    assert call.watch.drafts() == []
    assert call.lasting == []


def test_what_lasts_is_told_again_and_what_ceased_once(make: Make) -> None:
    call = make()
    call.seconds(12, {ALICE: silent})

    assert len(call.watch.drafts()) == len(call.watch.drafts()) == 1

    call.watch.thresholds = type(call.watch.thresholds)(dead_air_seconds=0)
    call.news.clear()
    call.seconds(5, {ALICE: silent})
    assert [draft.cleared_at is None for draft in call.news] == [False]
    assert call.watch.drafts() == []


def test_the_live_view_shows_what_lasts_the_worst_first(make: Make) -> None:
    call = make(one_way_seconds=9, dead_air_seconds=4)
    call.seconds(6, {ALICE: talking, BOB: silent})
    call.seconds(5, {ALICE: silent, BOB: silent})

    shown = call_snapshot(call.call)["alarms"]

    assert [(one["kind"], one["raw_id"], one["severity"]) for one in shown] == [
        ("one_way", BOB, 3),
        ("dead_air", "", 2),
    ]
    assert shown[1]["words"] == "Nobody has spoken for 5 s."
    assert shown[1]["at_us"] == begun(6)


def test_one_participant_at_two_rates_is_judged_as_heard_last(make: Make) -> None:
    call = make()
    call.seconds(6, {ALICE: murmuring, BOB: talking})
    call.session.take(metadata(24_000), call.number * 20_000)

    def at_24_khz(number: int, raw_id: str) -> str:
        return audio(number, raw_id, pcm=b"\x00\x40" * 480)

    call.seconds(10, {ALICE: at_24_khz, BOB: silent})

    assert call.lasting == []
