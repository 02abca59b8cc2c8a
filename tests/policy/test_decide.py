"""The decision: order, conditions, clocks that jump, shares, and its reasons."""

from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.models import AnswerRule
from calls.policy.deciding import DEFAULT_WORDS, Considered, decide, forecast, open_at
from tests.control.wire import CALLER
from tests.policy.rules import CALLED, ring, rule

IGNORE = AnswerRule.Action.IGNORE
BERLIN = ZoneInfo("Europe/Berlin")
TIMES = st.times()
MOMENTS = st.datetimes(
    min_value=datetime(2024, 1, 1),  # noqa: DTZ001 the strategy adds the zone
    max_value=datetime(2030, 1, 1),  # noqa: DTZ001 likewise
    timezones=st.just(UTC),
)


def why_not(asked: tuple[Considered, ...]) -> list[str]:
    return [each.why for each in asked if not each.matched]


def is_open(window: AnswerRule, local: datetime) -> bool:
    decision = decide(ring(at=local.astimezone(UTC)), [window])
    return decision.rule is not None


def test_without_rules_the_default_answers() -> None:
    decision = decide(ring(), [])

    assert decision.action == AnswerRule.Action.ANSWER
    assert (decision.rule, decision.profile) == (None, None)
    assert decision.reason == DEFAULT_WORDS


def test_the_first_that_matches_decides_and_the_rest_is_not_asked() -> None:
    other = rule("Other", called="+1206*")
    first = rule("First", called="+1800*", calling=CALLER)

    decision = decide(ring(), [other, first, rule("Never")])

    assert (decision.rule, decision.profile) == (first, first.profile)
    assert [each.rule.name for each in decision.considered] == ["Other", "First"]
    assert why_not(decision.considered) == [
        "The called party (+1 800 555 0199) is not +1206*."
    ]
    assert decision.reason == (
        "Rule “First”: The called party matches +1800*."
        f" The calling party matches {CALLER}."
    )


def test_only_an_answer_has_a_profile() -> None:
    assert decide(ring(), [rule(action=IGNORE)]).profile is None


def test_a_rule_that_is_off_is_not_asked() -> None:
    decision = decide(ring(), [rule(enabled=False)])

    assert decision.rule is None
    assert why_not(decision.considered) == ["It is switched off."]


@pytest.mark.parametrize(
    "fault",
    [
        {"called": "206"},
        {"calling": ","},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../etc/passwd"},
        {"time_zone": ""},
        {"weekdays": "8"},
        {"weekdays": "21"},
        {"starts_at": time(8)},
        {"starts_at": time(8), "ends_at": time(8)},
        {"share": 0},
        {"share": 101},
        {"action": "dance"},
        {"action": "reject", "reject_reason": "rude"},
        {"action": "redirect", "target": ""},
        {"action": "redirect", "target": "reception"},
        {"profile": None},
    ],
    ids=str,
)
def test_a_rule_with_a_fault_is_passed_over_with_the_reason(
    fault: dict[str, Any],
) -> None:
    decision = decide(ring(), [rule(**fault)])

    assert decision.rule is None
    [words] = why_not(decision.considered)
    assert words.startswith("It has a fault: ")


# --- time ---------------------------------------------------------------------------


def test_a_window_has_its_start_and_not_its_end() -> None:
    day = rule(starts_at=time(8), ends_at=time(17))

    assert [
        open_at(day, 1, at) for at in (time(7, 59, 59), time(8), time(16, 59), time(17))
    ] == [False, True, True, False]


def test_after_midnight_counts_as_the_day_before() -> None:
    friday = rule(starts_at=time(22), ends_at=time(6), weekdays="5")

    assert open_at(friday, 5, time(23))
    assert open_at(friday, 6, time(5, 59))
    assert not open_at(friday, 5, time(5))
    assert not open_at(friday, 6, time(22))
    # Sunday's night ends on Monday.
    assert open_at(rule(starts_at=time(22), ends_at=time(6), weekdays="7"), 1, time(1))


def test_days_alone_are_whole_days_of_the_rule_s_own_zone() -> None:
    monday = rule(weekdays="1", time_zone="Pacific/Auckland")
    at = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)

    decision = decide(ring(at=at), [monday])

    assert decision.reason == (
        "Rule “Rule”: Monday 12:00 in Pacific/Auckland is within Monday."
    )


@given(TIMES, TIMES, st.integers(1, 7), TIMES)
def test_a_window_and_the_one_from_its_end_to_its_start_share_the_day(
    start: time, end: time, day: int, now: time
) -> None:
    if start == end:
        return
    one = open_at(rule(starts_at=start, ends_at=end), day, now)
    other = open_at(rule(starts_at=end, ends_at=start), day, now)

    assert one != other


@given(MOMENTS, st.integers(1, 7))
def test_a_day_s_night_is_twelve_hours_by_the_clock(at: datetime, day: int) -> None:
    night = rule(
        starts_at=time(20), ends_at=time(8), weekdays=str(day), time_zone="UTC"
    )
    begins = at.replace(hour=20, minute=0, second=0, microsecond=0)
    begins += timedelta(days=(day - begins.isoweekday()) % 7)

    expected = begins <= at < begins + timedelta(hours=12) or (
        begins - timedelta(days=7) <= at < begins - timedelta(days=6, hours=12)
    )
    assert is_open(night, at) == expected


def test_in_spring_the_hour_that_is_skipped_is_never_open() -> None:
    # On 29 March 2026 the clocks of Berlin go from 02:00 to 03:00.
    skipped = rule(starts_at=time(2), ends_at=time(3), time_zone="Europe/Berlin")
    start = datetime(2026, 3, 29, 0, 0, tzinfo=BERLIN).astimezone(UTC)
    minutes = [start + timedelta(minutes=minute) for minute in range(6 * 60)]

    assert not any(is_open(skipped, at) for at in minutes)


def test_in_autumn_the_hour_that_comes_twice_is_open_twice() -> None:
    # On 25 October 2026 the clocks of Berlin go from 03:00 back to 02:00.
    twice = rule(starts_at=time(2), ends_at=time(3), time_zone="Europe/Berlin")
    start = datetime(2026, 10, 25, 0, 0, tzinfo=BERLIN).astimezone(UTC)
    minutes = [start + timedelta(minutes=minute) for minute in range(6 * 60)]

    assert sum(is_open(twice, at) for at in minutes) == 120


def test_office_hours_keep_to_the_wall_clock_all_year() -> None:
    office = rule(starts_at=time(9), ends_at=time(17), time_zone="Europe/Berlin")

    for month in (1, 7):
        local = datetime(2026, month, 7, 9, 0, tzinfo=BERLIN)
        assert is_open(office, local)
        assert not is_open(office, local - timedelta(minutes=1))


# --- share ----------------------------------------------------------------------------


@given(st.text(max_size=40), st.integers(1, 100))
def test_one_call_always_draws_the_same(key: str, share: int) -> None:
    part = rule(share=share)

    assert decide(ring(key=key), [part]) == decide(ring(key=key), [part])


@pytest.mark.parametrize("share", [1, 30, 50, 99])
def test_in_the_long_run_a_share_is_what_it_says(share: int) -> None:
    part = rule(share=share)
    number = 20_000

    taken = sum(
        decide(ring(key=f"call {each}"), [part]).rule is part for each in range(number)
    )

    # Five standard deviations of a fair draw; the keys are fixed, so it holds or not.
    deviation = (number * share / 100 * (1 - share / 100)) ** 0.5
    assert abs(taken - number * share / 100) < 5 * deviation


def test_the_second_half_gets_half_of_what_the_first_left() -> None:
    first, second = rule(share=50, pk=1), rule(share=50, pk=2)

    won = [decide(ring(key=f"{each}"), [first, second]).rule for each in range(4_000)]

    assert abs(won.count(second) - 1_000) < 150
    assert abs(won.count(None) - 1_000) < 150


def test_says_what_a_call_drew() -> None:
    decision = decide(ring(), [rule(share=1), rule("All")])

    [words] = why_not(decision.considered)
    assert words.startswith("It takes every call. It drew ")
    assert words.endswith(" of 100, and the share is 1 %.")


# --- forecast ----------------------------------------------------------------------


def test_a_forecast_gives_each_outcome_its_chance() -> None:
    rules = [
        rule("Not", called="+44*"),
        rule("Third", share=30),
        rule("Half", share=50, action=IGNORE),
    ]

    found = forecast(ring(), rules)

    names = [each.rule.name if each.rule else None for each in found.outcomes]
    assert names == ["Third", "Half", None]
    assert [int(each.chance) for each in found.outcomes] == [30, 35, 35]


def test_a_forecast_stops_where_the_call_is_surely_taken() -> None:
    found = forecast(ring(), [rule("All"), rule("Never")])

    assert [each.chance for each in found.outcomes] == [100]
    assert len(found.considered) == 1


@given(st.lists(st.integers(1, 100), max_size=6))
def test_chances_add_up_to_a_hundred(shares: list[int]) -> None:
    found = forecast(ring(), [rule(share=share) for share in shares])

    assert sum((each.chance for each in found.outcomes), Fraction()) == 100


@given(st.booleans(), st.integers(1, 100), st.text(max_size=10))
def test_what_is_decided_was_forecast(matches: bool, share: int, key: str) -> None:
    rules = [
        rule("One", called="+1800*" if matches else "+44*", share=share, pk=1),
        rule("Two", calling="+1206*", share=share, pk=2),
    ]

    decision = decide(ring(to_raw_id=CALLED, key=key), rules)

    outcomes = forecast(ring(to_raw_id=CALLED), rules).outcomes
    assert decision.rule in [each.rule for each in outcomes]
