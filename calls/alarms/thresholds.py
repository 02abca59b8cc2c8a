"""From where on a condition is an alarm. No Django.

Installations set thresholds by environment variables, profiles set those that differ
for their calls. 0 turns an alarm off. Why the defaults are what they are:

- Dead air: 10 s is what monitoring tools for voice agents call it, and longer than the
  pauses of somebody who looks something up and says so.
- One-way: who has said nothing in 20 s, not even "hello", is not heard. A recorded
  notice at a call's beginning is shorter.
- Silent: in a call of two, one listens often, and for a minute. In 90 s of listening
  people say "mhm"; who does not is muted, gone, or not heard any more.
- Stalled: packets come every 20 ms, and jitter is below a second.
- Gaps: telephony guides call 1 to 2 % loss noticeable and 3 % bad. Of a minute, 2 % are
  more than the second that is lost when a socket is dialled again.
- Level: speech in telephony is meant to be at -26 dBov (ITU-T P.56 measures it so). 20
  dB less is hard to understand beside any noise.
- Clipping: loud speech touches the limit now and then; one sample in a hundred there
  is distortion everybody hears.
- Handler: half a second of audio that a handler never hears is words it never hears.
- Transcript: text comes within seconds of what was said. A minute in which people talk
  without any is no long word.
- Overtalk: lively talk overlaps by 5 to 10 %.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self

from calls.alarms.kinds import Kind


class ThresholdError(Exception):
    """Thresholds that cannot be used; `faults` says what is wrong with which."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.faults = dict(faults)
        super().__init__("; ".join(f"{name}: {why}" for name, why in faults.items()))


@dataclass(frozen=True, slots=True)
class Limit:
    """One threshold: which alarm it is for, and which values it takes beside 0."""

    name: str
    kind: Kind
    default: float
    unit: str
    purpose: str
    least: float = 0.0
    most: float = 100_000.0
    # Whether a profile may have its own: nodes carry calls of all profiles.
    is_of_calls: bool = True

    def fault(self, value: Any) -> str:
        """Return what is wrong with a value; empty if nothing is."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{value!r} is not a number"
        # NaN is not within anything.
        if not self.least <= value <= self.most:
            return f"must be from {self.least:g} to {self.most:g} {self.unit}"
        return ""


LIMITS: Final = (
    Limit("dead_air_seconds", Kind.DEAD_AIR, 10, "s", "Nobody speaks for so long."),
    Limit(
        "one_way_seconds",
        Kind.ONE_WAY,
        20,
        "s",
        "One of two sends nothing but silence since the beginning, for so long, while"
        " the other talks.",
    ),
    Limit(
        "silent_seconds",
        Kind.SILENT_FLOW,
        90,
        "s",
        "Packets of a participant come and are silent for so long, while others talk.",
    ),
    Limit(
        "stalled_seconds",
        Kind.STALLED,
        3,
        "s",
        "No packet comes for so long although streaming is wanted.",
    ),
    Limit(
        "gaps_percent",
        Kind.GAPS,
        2,
        "%",
        "So much of a minute of a participant is missing.",
        most=100,
    ),
    Limit(
        "clipping_percent",
        Kind.CLIPPING,
        1,
        "%",
        "So many samples of the last 10 s of speech are at the limit.",
        most=100,
    ),
    Limit(
        "quiet_dbfs",
        Kind.TOO_QUIET,
        -45,
        "dBFS",
        "Speech is quieter than this.",
        least=-60,
        most=0,
    ),
    Limit(
        "overtalk_percent",
        Kind.OVERTALK,
        30,
        "%",
        "In so much of the last minute two or more talk at once.",
        most=100,
    ),
    Limit(
        "malformed_count",
        Kind.MALFORMED,
        5,
        "per minute",
        "So many malformed messages come within a minute.",
    ),
    Limit(
        "handler_drops",
        Kind.HANDLER,
        25,
        "packets",
        "A handler is too slow for so many packets within a minute. That it failed is"
        " told unless this is 0.",
    ),
    Limit(
        "transcript_seconds",
        Kind.TRANSCRIPT,
        60,
        "s",
        "Transcription is wanted, people talk, and no text comes for so long.",
    ),
    Limit(
        "complete_percent",
        Kind.INCOMPLETE,
        100,
        "%",
        "Less than this of a finished call's audio is there. What failed to be"
        " finished is told unless this is 0.",
        most=100,
    ),
    Limit(
        "node_percent",
        Kind.NODE_FULL,
        80,
        "%",
        "An ingest process holds so much of what it can.",
        most=100,
        is_of_calls=False,
    ),
    Limit(
        "disk_days",
        Kind.DISK_LOW,
        1,
        "days",
        "At this rate the journal disk is full in so many days.",
        is_of_calls=False,
    ),
)
BY_NAME: Final = {limit.name: limit for limit in LIMITS}
OF_CALLS: Final = tuple(limit for limit in LIMITS if limit.is_of_calls)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """All thresholds, each in the unit its name says. 0: no such alarm."""

    dead_air_seconds: float = BY_NAME["dead_air_seconds"].default
    one_way_seconds: float = BY_NAME["one_way_seconds"].default
    silent_seconds: float = BY_NAME["silent_seconds"].default
    stalled_seconds: float = BY_NAME["stalled_seconds"].default
    gaps_percent: float = BY_NAME["gaps_percent"].default
    clipping_percent: float = BY_NAME["clipping_percent"].default
    quiet_dbfs: float = BY_NAME["quiet_dbfs"].default
    overtalk_percent: float = BY_NAME["overtalk_percent"].default
    malformed_count: float = BY_NAME["malformed_count"].default
    handler_drops: float = BY_NAME["handler_drops"].default
    transcript_seconds: float = BY_NAME["transcript_seconds"].default
    complete_percent: float = BY_NAME["complete_percent"].default
    node_percent: float = BY_NAME["node_percent"].default
    disk_days: float = BY_NAME["disk_days"].default

    @classmethod
    def of(
        cls, installation: Mapping[str, float], profile: Mapping[str, Any] | None = None
    ) -> Self:
        """Return the installation's thresholds with a profile's in their place.

        What a profile's row holds and this release does not understand is passed over:
        a call must be recorded whatever is written there.
        """
        own = profile if isinstance(profile, Mapping) else {}
        usable = {
            limit.name: own[limit.name]
            for limit in OF_CALLS
            if limit.name in own and not limit.fault(own[limit.name])
        }
        return cls(**{**installation, **usable})


NAMES: Final = tuple(field.name for field in fields(Thresholds))


def profile_thresholds(
    given: Any, limits: Iterable[Limit] = OF_CALLS
) -> dict[str, float]:
    """Return what a profile sets of its own. Raises `ThresholdError`.

    Names nobody knows are refused: a misspelt threshold would do nothing.
    """
    if not isinstance(given, Mapping):
        raise ThresholdError({"": "must be an object of names and numbers"})
    known = {limit.name: limit for limit in limits}
    faults = {}
    for name, value in given.items():
        why = (
            known[name].fault(value) if name in known else "there is no such threshold"
        )
        if why:
            faults[str(name)] = why
    if faults:
        raise ThresholdError(faults)
    return {name: float(value) for name, value in given.items()}
