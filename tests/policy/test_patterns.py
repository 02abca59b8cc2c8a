"""Patterns: what they match, and what is refused instead of matching nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.policy.patterns import PatternError, covers, matching, patterns_of

DIGITS = st.text("0123456789", min_size=1, max_size=5)
PARTS = st.lists(st.one_of(DIGITS, st.sampled_from("*?")), min_size=1, max_size=5)
PATTERNS = PARTS.map(lambda parts: "+" + "".join(parts))


@pytest.mark.parametrize(
    ("field", "raw_id"),
    [
        ("+12065550100", "4:+12065550100"),
        ("4:+12065550100", "4:+12065550100"),
        ("+12065550100", "4:+12065550100_c2a1"),
        ("+1 (206) 555-0100", "4:+12065550100"),
        ("+1206*", "4:+12065550100"),
        ("*0100", "4:+12065550100"),
        ("+1206555????", "4:+12065550100"),
        ("+1800*, +1206*", "4:+12065550100"),
        ("8:ACS:19ae*", "8:acs:19AE37ff_00000026"),
        ("8:acs:19ae37ff-1a44_00000026", "8:acs:19ae37ff-1a44_00000026"),
        ("4:anonymous", "4:anonymous"),
        ("*", ""),
    ],
)
def test_matches(field: str, raw_id: str) -> None:
    assert matching(patterns_of(field), raw_id)


@pytest.mark.parametrize(
    ("field", "raw_id"),
    [
        ("+1206555010", "4:+12065550100"),
        ("+1206*", "4:+4412065550100"),
        ("+1206555???", "4:+12065550100"),
        ("+1206*", "8:acs:+1206"),
        ("+1206*", ""),
        ("8:orgid:*", "8:acs:x"),
    ],
)
def test_matches_not(field: str, raw_id: str) -> None:
    assert not matching(patterns_of(field), raw_id)


@pytest.mark.parametrize("field", ["", "  "])
def test_an_empty_field_has_no_patterns(field: str) -> None:
    assert patterns_of(field) == ()


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("1206*", "begins with +"),
        ("(206) 555-0100", "begins with +"),
        ("0049 30 *", "begins with +"),
        ("+1206*,", "nothing between two commas"),
        (",", "nothing between two commas"),
        ("[0-9]*", "characters"),
        ("8:acs:x y", "characters"),
        ("+1206;+1800", "characters"),
    ],
)
def test_says_what_is_wrong(field: str, words: str) -> None:
    with pytest.raises(PatternError, match=words.replace("+", r"\+")):
        patterns_of(field)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_patterns_or_refused(field: str, raw_id: str) -> None:
    try:
        patterns = patterns_of(field)
    except PatternError:
        return
    matching(patterns, raw_id)


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("", "+1206*", True),
        ("+1*", "+1206*", True),
        ("+1206*", "+12065550100", True),
        ("+1206*", "4:+1206*", True),
        ("4:*", "+1206*", True),
        ("+1206*, +1800*", "+18005550100, +12065550100", True),
        ("+1206*", "+1*", False),
        ("+1206*", "", False),
        ("+1206*", "+1206*, +1800*", False),
        ("+1206?", "+1206*", False),
    ],
)
def test_knows_which_patterns_cover_others(
    wide: str, narrow: str, expected: bool
) -> None:
    assert covers(patterns_of(wide), patterns_of(narrow)) is expected


@given(PATTERNS, PATTERNS, st.lists(DIGITS, min_size=5, max_size=5))
def test_what_is_said_to_be_covered_is(
    wide: str, narrow: str, fills: list[str]
) -> None:
    if not covers((wide,), (narrow,)):
        return
    number = narrow
    for digits in fills:
        number = number.replace("*", digits, 1).replace("?", digits[0], 1)
    number = number.replace("*", "").replace("?", "0")

    assert matching((narrow,), f"4:{number}")
    assert matching((wide,), f"4:{number}")
