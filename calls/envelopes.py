"""Bytes that ACS or Event Grid posted → events, made fit for any database.

Callbacks are CloudEvents, Event Grid has an envelope of its own; both come as arrays.
Nothing here trusts the sender: `Unreadable` is the only exception.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

MAX_BYTES = 1_048_576
MAX_DEPTH = 64
PREFIX = "Microsoft.Communication."
# Event Grid's handshake is the one kind of another family.
GRID_PREFIX = "Microsoft.EventGrid."
VALIDATION = "SubscriptionValidationEvent"
LARGEST_INTEGER = 2**31 - 1
# PostgreSQL's jsonb and text take neither NUL nor halves of surrogate pairs.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Unreadable(Exception):  # noqa: N818 the peer's fault, answered with 400
    """A body that is no array of events; the message says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `kind` is without its family; `body` is all of it, as received."""

    id: str
    kind: str
    happened_at: datetime | None
    data: dict[str, Any]
    body: dict[str, Any]

    def named_anew(self) -> "Event":
        """Return it with the id that its body, which was changed, gives it."""
        return replace(self, id=_identity(self.body))

    def text(self, name: str, limit: int = 255) -> str:
        """Return a string of `data`, empty if there is none."""
        return text_of(self.data, name)[:limit]

    def part(self, name: str) -> dict[str, Any]:
        """Return an object of `data`, empty if there is none."""
        return part_of(self.data, name)

    def number(self, part: str, name: str) -> int | None:
        """Return an integer of an object of `data` that a database column can hold."""
        return integer_of(self.part(part), name)


FIRST_YEAR, LAST_YEAR = 2000, 2100


def events_of(raw: bytes) -> list[Event]:
    """Return the events of a posted body, whatever its Content-Type. See `Unreadable`.

    NUL and lone surrogates in strings become U+FFFD: the only change to what is stored.
    """
    if len(raw) > MAX_BYTES:
        raise Unreadable(f"the body is larger than {MAX_BYTES} bytes")
    try:
        body = json.loads(raw, parse_constant=_not_a_number, parse_float=_finite)
        body = _storable(body, MAX_DEPTH)
    except (ValueError, RecursionError) as exc:
        raise Unreadable("the body is not JSON, or too deep") from exc
    if not isinstance(body, list):
        raise Unreadable("the body is not an array")
    return [_event(each) for each in body]


def _event(body: Any) -> Event:
    if not isinstance(body, dict):
        raise Unreadable("an entry of the array is not an object")
    kind = text_of(body, "type") or text_of(body, "eventType")
    when = text_of(body, "time") or text_of(body, "eventTime")
    return Event(
        id=_identity(body),
        kind=kind.removeprefix(PREFIX).removeprefix(GRID_PREFIX)[:128],
        happened_at=instant_of_text(when),
        data=part_of(body, "data"),
        body=body,
    )


def _identity(body: dict[str, Any]) -> str:
    """Return the event's id, or one made of its content: a copy is still a copy."""
    given = text_of(body, "id")
    if given and len(given) <= 255:
        return given
    content = json.dumps(body, sort_keys=True).encode()
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def instant_of_text(text: str) -> datetime | None:
    """Return an aware time. ACS writes 0 to 7 fraction digits; 6 of them are kept.

    A time that cannot be an event's is none: year 1 has no local time in New York, and
    would break every page that shows it.
    """
    try:
        parsed = datetime.fromisoformat(text)
        aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        at = aware.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if FIRST_YEAR <= at.year <= LAST_YEAR else None


def text_of(part: dict[str, Any], name: str) -> str:
    """Return a string member, empty if it is missing or something else."""
    value = part.get(name)
    return value if isinstance(value, str) else ""


def part_of(part: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an object member, empty if it is missing or something else."""
    value = part.get(name)
    return value if isinstance(value, dict) else {}


def integer_of(part: dict[str, Any], name: str) -> int | None:
    """Return an integer member of at most 32 bits, None if there is none."""
    value = part.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if abs(value) <= LARGEST_INTEGER else None


def _storable(value: Any, depth: int) -> Any:
    if depth == 0:
        raise ValueError("too deep")
    if isinstance(value, str):
        return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_storable(each, depth - 1) for each in value]
    if isinstance(value, dict):
        return {
            _storable(key, depth): _storable(each, depth - 1)
            for key, each in value.items()
        }
    return value


def _not_a_number(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number
