"""Keys that are computed, not drawn.

Ingest, a recovery run and a finishing worker must name the same row without asking
each other or the database: a track's key follows from its call and its participant.
Writing a thing twice then writes one row.
"""

from datetime import UTC, datetime
from uuid import UUID, uuid5

# The root of all computed keys. Never change it: stored keys follow from it.
NAMESPACE = UUID("6a3bbf2c-5b0f-4d0a-9f3e-0d7e2f5f9a10")


def call_id(call_connection_id: str) -> UUID:
    """Return the key of a call that is known only by ACS's `callConnectionId`."""
    return uuid5(NAMESPACE, f"call/{call_connection_id}")


def participant_id(call: UUID, raw_id: str) -> UUID:
    """Return the key of the participant `raw_id` of `call`."""
    return uuid5(call, f"participant/{raw_id}")


def subscription_id(call: UUID, acs_subscription_id: str) -> UUID:
    """Return the key of a subscription, by the id its AudioMetadata carried."""
    return uuid5(call, f"subscription/{acs_subscription_id}")


def track_id(call: UUID, raw_id: str, sample_rate: int) -> UUID:
    """Return the key of the track of `raw_id` in `call`.

    The rate is part of it: audio is never resampled to fit an older track.
    """
    return uuid5(call, f"track/{raw_id}/{sample_rate}")


def tone_id(connection: UUID, arrival_us: int, before: int) -> UUID:
    """Return the key of a DTMF tone by the socket it came over and its arrival.

    `before`: how many tones arrived in that same microsecond before it.
    """
    return uuid5(connection, f"tone/{arrival_us}/{before}")


def told_tone_id(call: UUID, event_id: str) -> UUID:
    """Return the key of a tone of a call that only a callback told."""
    return uuid5(call, f"tone/{event_id}")


def segment_id(connection: UUID, number: int) -> UUID:
    """Return the key of the `number`-th piece of text that came over a socket."""
    return uuid5(connection, f"segment/{number}")


def told_id(call: UUID, raw_id: str, offset: int, text: str, before: int) -> UUID:
    """Return the key of a piece of text by what ACS said of it.

    Told again, over whichever socket and to whichever process, it is the same piece.
    `before`: how many such pieces began at another time, before it.
    """
    return uuid5(call, f"told/{raw_id}/{offset}/{before}/{text}")


def speaking_id(connection: UUID, raw_id: str) -> UUID:
    """Return the key of what somebody is saying just now, while it is unfinished."""
    return uuid5(connection, f"speaking/{raw_id}")


def alarm_id(key: str, raised_at: datetime) -> UUID:
    """Return the key of the alarm that the condition `key` raised at that time."""
    return uuid5(NAMESPACE, f"alarm/{key}/{raised_at.astimezone(UTC).isoformat()}")


def ring_id(ring: str, number: int) -> UUID:
    """Return the key of the call that rang as `ring`, for the `number`-th time.

    `ring` is what the events of one ring have in common. Rung again is another call.
    """
    return uuid5(NAMESPACE, f"ring/{number}/{ring}")
