"""What numbers look like to people."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls import formats

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("raw_id", "shown"),
    [
        ("4:+12065550100", "+1 206 555 0100"),
        ("4:12065550100", "+1 206 555 0100"),
        ("4:+442079460000", "+44 207 946 0000"),
        ("4:+353861234567", "+353 861 234 567"),
        ("4:+12065550100_abc", "+1 206 555 0100"),
        ("4:anonymous", "Withheld number"),
        ("4:", "4:"),
        ("mixed", "Mixed audio"),
        ("8:acs:9d7c_00000013-1a2b", "ACS user 00000013-1a2b"),
        ("8:dod-acs:9d7c_00000013-1a2b", "ACS user 00000013-1a2b"),
        ("8:gcch-acs:9d7c_00000013-1a2b", "ACS user 00000013-1a2b"),
        ("8:orgid:6f7a-99", "Teams user 6f7a-99"),
        ("28:bot", "Bot bot"),
        ("28:2065550100", "Bot 2065550100"),
        ("", ""),
        ("<b>x</b>", "Unknown <b>x</b>"),
    ],
)
def test_names_parties_as_people_do(raw_id: str, shown: str) -> None:
    assert formats.party(raw_id) == shown


@given(st.from_regex(r"[1-9][0-9]{5,14}", fullmatch=True))
def test_loses_no_digit_of_a_number(digits: str) -> None:
    shown = formats.phone(digits)
    assert shown.replace(" ", "") == f"+{digits}"
    assert all(2 <= len(group) <= 4 for group in shown.split()[2:])


@given(st.text())
def test_names_any_raw_id_without_failing(raw_id: str) -> None:
    assert isinstance(formats.party(raw_id), str)


@pytest.mark.parametrize(
    ("share", "shown"),
    [(None, "–"), (0, "0 %"), (1, "100 %"), (0.985, "98.5 %"), (0.99999, "99.9 %")],
)
def test_says_100_percent_of_the_whole_only(share: float | None, shown: str) -> None:
    assert formats.percent(share) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (0, "0:00"), (59.9, "0:59"), (3_661, "1:01:01")],
)
def test_shows_lengths_as_a_clock(seconds: float | None, shown: str) -> None:
    assert formats.clock(seconds) == shown


def test_takes_a_timedelta_for_a_length() -> None:
    assert formats.clock(timedelta(minutes=2, seconds=3)) == "2:03"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0"), (0.0021, "2 ms"), (1.25, "1.2 s"), (75, "1:15")]
)
def test_shows_short_lengths_with_the_precision_they_deserve(
    seconds: float, shown: str
) -> None:
    assert formats.brief(seconds) == shown


def test_shows_levels_with_a_real_minus() -> None:
    assert formats.dbfs(-27.44) == f"{MINUS}27.4 dBFS"
    assert formats.dbfs(None) == "–"


def test_groups_long_numbers() -> None:
    assert formats.count(1_234_567) == "1\u202f234\u202f567"


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 B"), (999, "999 B"), (3_840_000, "3.8 MB")]
)
def test_shows_sizes_in_the_unit_that_fits(number: int, shown: str) -> None:
    assert formats.size(number) == shown
