"""Instants as microseconds since 1970 UTC, as journals, tracks and tones have them."""

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(at: datetime) -> int:
    """Return an aware datetime as microseconds since 1970, exactly."""
    return (at - EPOCH) // _MICROSECOND


def instant(us: int) -> datetime:
    """Return microseconds since 1970 as an aware datetime.

    OverflowError if no year has such a number.
    """
    return EPOCH + timedelta(microseconds=us)
