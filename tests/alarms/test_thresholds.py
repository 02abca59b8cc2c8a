"""Thresholds of an installation and of a profile: strict where they are written."""

from dataclasses import asdict
from typing import Any

import pytest
from django.conf import settings

from acsstream.env import Env
from calls.alarms.thresholds import (
    LIMITS,
    NAMES,
    ThresholdError,
    Thresholds,
    profile_thresholds,
)
from calls.models import AlarmKind


def test_every_threshold_is_a_setting_with_its_default() -> None:
    assert asdict(Thresholds()) == {limit.name: limit.default for limit in LIMITS}
    assert set(settings.ALARM_THRESHOLDS) == set(NAMES)


def test_a_profile_has_its_own_and_otherwise_the_installations() -> None:
    found = Thresholds.of({"dead_air_seconds": 8}, {"gaps_percent": 5})

    assert (found.dead_air_seconds, found.gaps_percent) == (8, 5)
    assert found.one_way_seconds == 20


@pytest.mark.parametrize(
    "odd",
    [
        [],
        "10",
        {"dead_air_seconds": "10"},
        {"dead_air_seconds": -1},
        {"dead_air_seconds": True},
        {"dead_air": 3},
        # A profile's calls share their node with others'.
        {"node_percent": 3},
    ],
)
def test_odd_rows_cost_no_call_and_are_refused_where_they_are_written(
    odd: Any,
) -> None:
    assert Thresholds.of({}, odd) == Thresholds()
    with pytest.raises(ThresholdError):
        profile_thresholds(odd)


def test_says_what_is_wrong_with_each() -> None:
    with pytest.raises(ThresholdError) as caught:
        profile_thresholds({"quiet_dbfs": 3, "loud": 1, "gaps_percent": float("nan")})

    assert caught.value.faults == {
        "quiet_dbfs": "must be from -60 to 0 dBFS",
        "loud": "there is no such threshold",
        "gaps_percent": "must be from 0 to 100 %",
    }


def test_a_setting_beyond_its_most_is_refused() -> None:
    env = Env({"SHARE": "101", "LEVEL": "-70"})

    env.number("SHARE", 2, most=100, purpose="")
    env.number("LEVEL", -45, least=-60, most=0, purpose="")

    assert env.problems == [
        "SHARE: 101 is more than 100",
        "LEVEL: -70 is less than -60 or not finite",
    ]


def test_the_page_of_alarms_names_every_kind_and_setting() -> None:
    page = (settings.BASE_DIR / "docs" / "alarms.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]

    assert [row.split("`")[1] for row in rows] == AlarmKind.values
    # A storage that refuses is told whatever is set.
    named = {
        f"ACSSTREAM_ALARM_{row.split('`')[-2]}" for row in rows if "| – |" not in row
    }
    known = {f"ACSSTREAM_ALARM_{limit.name.upper()}" for limit in LIMITS}
    assert named == known | {"ACSSTREAM_ALARM_COMMANDS"}
