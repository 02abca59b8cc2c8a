"""What was seen, in one plain sentence with figures."""

from collections.abc import Callable
from typing import Final

from calls.alarms.kinds import Kind

Words = Callable[[float, float], str]


def span(seconds: float) -> str:
    """Return a length of time: 12 s, 2 min 5 s."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def percent(value: float) -> str:
    """Return a share as people write it: 2.4 %, 31 %."""
    return f"{value:.1f} %" if value < 10 else f"{value:.0f} %"


def messages(count: float) -> str:
    """Return a number of malformed messages: 1 malformed message."""
    return f"{count:.0f} malformed message{'' if count == 1 else 's'}"


def frames(count: float) -> str:
    """Return a number of packets as audio: 25 packets (0.5 s)."""
    return f"{count:.0f} packet{'' if count == 1 else 's'} ({count / 50:.1f} s)"


def _gaps(value: float, limit: float) -> str:
    return (
        f"{percent(value)} of the last minute is missing;"
        f" {percent(limit)} and more is an alarm."
    )


# By kind: from the value and the threshold to the sentence.
WORDS: Final[dict[Kind, Words]] = {
    Kind.DEAD_AIR: lambda value, _: f"Nobody has spoken for {span(value)}.",
    Kind.ONE_WAY: lambda value, _: (
        f"Nothing but silence has come from this side for {span(value)}, since it"
        " joined, while the other side talks."
    ),
    Kind.SILENT_FLOW: lambda value, _: (
        f"Packets come, but no voice has been in them for {span(value)}, while others"
        " talk."
    ),
    Kind.STALLED: lambda value, _: (
        f"No packet has come for {span(value)}, although streaming is wanted."
    ),
    Kind.GAPS: _gaps,
    Kind.CLIPPING: lambda value, _: (
        f"{percent(value)} of the samples of the last speech are at the limit: it is"
        " distorted."
    ),
    Kind.TOO_QUIET: lambda value, limit: (
        f"Speech is at {value:.0f} dBFS; below {limit:.0f} dBFS it is hard to"
        " understand."
    ),
    Kind.OVERTALK: lambda value, _: (
        f"In {percent(value)} of the last minute two or more talked at once."
    ),
    Kind.MALFORMED: lambda value, _: f"{messages(value)} came within a minute.",
    Kind.TRANSCRIPT: lambda value, _: (
        f"No text has come for {span(value)}, although people talk."
    ),
}
