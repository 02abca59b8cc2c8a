"""Rules that are in no database."""

from typing import Any

from calls.models import AnswerRule, StreamingProfile
from calls.policy.deciding import Ring
from tests.control.wire import CALLER, START

CALLED = "4:+18005550199"


def rule(name: str = "Rule", **fields: Any) -> AnswerRule:
    """Return a rule that takes every call and answers it, but for `fields`."""
    profile = StreamingProfile(pk=1, name="Profile")
    defaults: dict[str, Any] = {
        "name": name,
        "profile": profile,
        "time_zone": "UTC",
        "pk": 1,
    }
    return AnswerRule(**defaults | fields)


def ring(**fields: Any) -> Ring:
    """Return a ring at 16:31 UTC on a Tuesday in May."""
    defaults: dict[str, Any] = {
        "from_raw_id": CALLER,
        "to_raw_id": CALLED,
        "at": START,
        "key": "call",
    }
    return Ring(**defaults | fields)
