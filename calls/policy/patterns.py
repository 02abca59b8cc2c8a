"""Patterns for numbers and ids, as answering rules have them.

A field holds any number of patterns with commas between; one that matches is enough,
and an empty field matches everybody. In a pattern `*` is anything, `?` is one
character, and everything else is itself:

    +12065550100            that number
    +1206*                  every number that begins so
    +1800*, +1888*          these or those
    8:acs:19ae37ff*         an ACS resource's users, by raw id
    4:anonymous             whoever withholds the number

A pattern is compared with the raw id and, of a phone, with the bare number too.
"""

import re
from fnmatch import fnmatchcase

_ALLOWED = re.compile(r"[\w.:+*?-]+", re.ASCII)
_SPACING = re.compile(r"[\s()/]")
_PHONE_LIKE = re.compile(r"[+\d\s().*?/-]+", re.ASCII)
_NO_PLUS = re.compile(r"\(?\d\d[\d.*?()/\s-]*", re.ASCII)
_PHONE_PREFIX = "4:"


class PatternError(ValueError):
    """A pattern that cannot be meant; the message says why."""


def patterns_of(text: str) -> tuple[str, ...]:
    """Return the patterns of a field, none for an empty one. Raises `PatternError`.

    Spaces and brackets inside of a phone number are left out.

    >>> patterns_of("+1 (206) 555*, 8:acs:*")
    ('+1206555*', '8:acs:*')
    """
    if not text.strip():
        return ()
    return tuple(_pattern_of(each.strip()) for each in text.split(","))


def _pattern_of(given: str) -> str:
    if not given:
        raise PatternError("There is nothing between two commas, or after the last.")
    is_phone = given.startswith("+") and _PHONE_LIKE.fullmatch(given)
    # A hyphen is part of a raw id, but not of a number.
    pattern = _SPACING.sub("", given).replace("-", "") if is_phone else given
    if _NO_PLUS.fullmatch(given):
        raise PatternError(
            f"“{given}” would match nothing: a number begins with + and its country"
            " code, as in +1206*."
        )
    if not _ALLOWED.fullmatch(pattern):
        raise PatternError(
            f"“{given}” has characters that no number or raw id has. Use commas between"
            " patterns, * for anything and ? for one character."
        )
    return pattern.lower()


def names_of(raw_id: str) -> tuple[str, ...]:
    """Return what patterns are compared with: the raw id and, of a phone, its number.

    One number may have several connections: `4:+15551234567_<asserted id>`.
    """
    name = raw_id.lower()
    if not name.startswith(_PHONE_PREFIX):
        return (name,)
    own = name.partition("_")[0]
    return name, own, own.removeprefix(_PHONE_PREFIX)


def matching(patterns: tuple[str, ...], raw_id: str) -> str | None:
    """Return the first pattern that matches `raw_id`, None if there is none."""
    names = names_of(raw_id)
    return next(
        (each for each in patterns if any(fnmatchcase(name, each) for name in names)),
        None,
    )


def covers(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    """Say whether whoever matches `narrow` surely matches `wide` as well.

    False when in doubt: two patterns that cover a third only together are not seen.
    """
    if not wide:
        return True
    return bool(narrow) and all(
        any(_covers(one, other) for one in wide) for other in narrow
    )


def _covers(wide: str, narrow: str) -> bool:
    wide, narrow = _full(wide), _full(narrow)
    if wide == narrow:
        return True
    # A "?" is one character, the other's "*" may be none or many.
    if "?" in wide and "*" in narrow:
        return False
    return fnmatchcase(narrow, wide)


def _full(pattern: str) -> str:
    """Return a number's pattern as that of its raw id: both match the same."""
    return f"{_PHONE_PREFIX}{pattern}" if pattern.startswith("+") else pattern
