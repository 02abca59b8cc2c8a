"""What is odd about a list of rules, and rules as sentences."""

from datetime import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.models import AnswerRule, Retention, StreamingProfile
from calls.policy.deciding import open_at
from calls.policy.review import oddities
from calls.policy.words import profile_words, summary, told
from tests.policy.rules import rule

NIGHT = {"starts_at": time(22), "ends_at": time(6)}
WINDOWS: st.SearchStrategy[dict[str, time]] = st.one_of(
    st.just({}),
    st.tuples(st.integers(0, 11), st.integers(12, 23)).map(
        lambda pair: {"starts_at": time(pair[0]), "ends_at": time(pair[1])}
    ),
    st.tuples(st.integers(12, 23), st.integers(0, 11)).map(
        lambda pair: {"starts_at": time(pair[0]), "ends_at": time(pair[1])}
    ),
)
DAYS = st.sets(st.sampled_from("1234567")).map(lambda days: "".join(sorted(days)))


def odd(*rules: AnswerRule) -> dict[str, list[str]]:
    for number, each in enumerate(rules):
        each.pk = number
    return {rules[number].name: words for number, words in oddities(rules).items()}


def test_says_what_is_never_reached_and_why() -> None:
    found = odd(rule("Wide", called="+1*"), rule("Narrow", called="+1206*"))

    assert found == {
        "Narrow": ["Never reached: “Wide” before it takes all of its calls."]
    }


def test_says_what_is_there_twice() -> None:
    found = odd(rule("One", called="+1206*"), rule("Two", called="4:+1206*"))

    assert found == {"Two": ["Never reached: “One” before it takes the same calls."]}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"share": 99}, {}),
        ({"enabled": False}, {}),
        ({"called": "206"}, {"called": "+1206*"}),
        ({"called": "+1206*"}, {"called": "+1*"}),
        ({"calling": "+1206*"}, {"called": "+1206*"}),
        (NIGHT, {}),
        (NIGHT | {"time_zone": "UTC"}, NIGHT | {"time_zone": "Europe/Berlin"}),
        ({"weekdays": "12345"}, {"weekdays": "56"}),
    ],
)
def test_says_nothing_of_what_may_be_reached(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    assert "Two" not in odd(rule("One", **first), rule("Two", **second))


def test_a_shorter_night_within_a_longer_one_is_never_reached() -> None:
    short = {"starts_at": time(23), "ends_at": time(1), "weekdays": "1"}

    assert "Two" in odd(rule("One", **NIGHT), rule("Two", **short))


@given(WINDOWS, DAYS, WINDOWS, DAYS, st.integers(1, 7), st.times())
def test_what_is_never_reached_is_open_only_with_the_other(
    one: dict[str, time],
    days: str,
    two: dict[str, time],
    more: str,
    day: int,
    now: time,
) -> None:
    wide, narrow = rule("W", weekdays=days, **one), rule("N", weekdays=more, **two)

    if "N" in odd(wide, narrow) and open_at(narrow, day, now):
        assert open_at(wide, day, now)


def test_shows_faults_of_rules_that_are_off_too() -> None:
    [words] = odd(rule("Off", enabled=False, called="206"))["Off"]

    assert words.startswith("Not applied: “206” would match nothing")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Every call → answer with “Profile”"),
        (
            {
                "called": "+1800*,+1888*",
                "weekdays": "12345",
                "action": "reject",
                "reject_reason": "busy",
                "time_zone": "Europe/Berlin",
            }
            | NIGHT,
            "Calls to +1800* or +1888* on weekdays 22:00–06:00 (Europe/Berlin)"
            " → reject as busy",
        ),
        (
            {"calling": "4:anonymous", "share": 5, "action": "ignore"},
            "Calls from 4:anonymous in 5 % of cases → ignore",
        ),
        (
            {"weekdays": "67", "action": "redirect", "target": "4:+12065550100"},
            "Every call on weekends (UTC) → redirect to +1 206 555 0100",
        ),
        (
            {"weekdays": "2345", "action": "reject"},
            "Every call on Tuesday–Friday (UTC) → reject",
        ),
        (
            {"weekdays": "13", "action": "ignore"},
            "Every call on Monday, Wednesday (UTC) → ignore",
        ),
    ],
)
def test_a_rule_is_one_sentence(fields: dict[str, Any], words: str) -> None:
    assert summary(rule(**fields)) == words


@pytest.mark.parametrize(
    "fields", [{"weekdays": "x8"}, {"action": "dance"}, {"called": ",,"}]
)
def test_a_rule_with_a_fault_still_has_a_sentence(fields: dict[str, Any]) -> None:
    assert summary(rule(**fields))


def test_says_all_that_acs_is_told_of_an_answer() -> None:
    profile = StreamingProfile(
        name="All",
        channels="mixed",
        sample_rate=24_000,
        start_at_answer=False,
        bidirectional=True,
        dtmf_tones=True,
        media_url="wss://media.example.com/far",
        transcription="on_demand",
        locale="de-DE",
        retention=Retention.LONG,
    )

    assert profile_words(profile) == [
        "Stream audio when somebody starts it: all voices in one stream, 24 kHz.",
        "Send it to wss://media.example.com.",
        "Audio may be sent into the call.",
        "Send DTMF tones.",
        "Transcribe de-DE when somebody starts it.",
    ]
    assert told(None, profile)[0] == "Answer the call."
    assert told(rule(action="reject", reject_reason="busy"), profile) == [
        "Reject the call; reason: Busy."
    ]
    assert len(told(rule(action="ignore"), profile)) == 1
