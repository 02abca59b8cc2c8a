"""Raw ids: who a participant is, and how to call them on a screen.

The prefixes are those of Microsoft's SDKs (`identifier_from_raw_id` in each of them).
"""

import enum

# The pseudo-participant of a mixed stream, whose packets name nobody.
MIXED = "mixed"
# The pseudo-participant that we are: what is sent into the call is a track as well.
US = "us"
# Tracks that are of nobody in the call.
NOBODY = frozenset({MIXED, US})

_WITHHELD_NUMBER = "4:anonymous"
# Enough of an id to tell participants of one call apart: ids of ACS users that were
# made in the same hour share their first eight characters.
_SHORT = 13


class ParticipantKind(enum.StrEnum):
    """What a raw id says about its participant."""

    PHONE = "phone"
    ANONYMOUS = "anonymous"
    """A phone whose number is withheld."""
    ACS_USER = "acs_user"
    TEAMS_USER = "teams_user"
    """Also a visitor who joined a Teams meeting without an account."""
    BOT = "bot"
    """A bot or another Teams application."""
    MIXED = "mixed"
    US = "us"
    """This system, speaking into the call."""
    UNKNOWN = "unknown"


_PREFIXES = {
    "4:": ParticipantKind.PHONE,
    "8:acs:": ParticipantKind.ACS_USER,
    "8:dod-acs:": ParticipantKind.ACS_USER,
    "8:gcch-acs:": ParticipantKind.ACS_USER,
    "8:spool:": ParticipantKind.ACS_USER,
    "8:orgid:": ParticipantKind.TEAMS_USER,
    "8:dod:": ParticipantKind.TEAMS_USER,
    "8:gcch:": ParticipantKind.TEAMS_USER,
    "8:teamsvisitor:": ParticipantKind.TEAMS_USER,
    "28:": ParticipantKind.BOT,
}
_NAMES = {
    ParticipantKind.ACS_USER: "ACS user",
    ParticipantKind.TEAMS_USER: "Teams user",
    ParticipantKind.BOT: "Bot",
    ParticipantKind.UNKNOWN: "Unknown",
}


def participant_kind(raw_id: str | None) -> ParticipantKind:
    """What the raw id says; none, an empty one and MIXED are the mixed stream."""
    if not raw_id or raw_id == MIXED:
        return ParticipantKind.MIXED
    if raw_id == US:
        return ParticipantKind.US
    if raw_id == _WITHHELD_NUMBER:
        return ParticipantKind.ANONYMOUS
    for prefix, kind in _PREFIXES.items():
        if raw_id.startswith(prefix):
            return kind
    return ParticipantKind.UNKNOWN


def display(raw_id: str | None) -> str:
    """A short name for people: the phone number, or the kind and the start of the id.

    Personal data, for screens and never for logs. Not unique: never a key.
    """
    kind = participant_kind(raw_id)
    if raw_id is None or kind is ParticipantKind.MIXED:
        return "Mixed audio"
    if kind is ParticipantKind.US:
        return "Spoken by us"
    if kind is ParticipantKind.ANONYMOUS:
        return "Withheld number"
    if kind is ParticipantKind.PHONE:
        # One number can have several connections: 4:+15551234567_<asserted id>.
        return raw_id.removeprefix("4:").partition("_")[0]
    # 8:acs:<resource>_<user>: the resource is the same for all.
    own = raw_id.rpartition(":")[2].rpartition("_")[2]
    short = own if len(own) <= _SHORT else f"{own[:_SHORT]}…"
    return f"{_NAMES[kind]} {short}"
