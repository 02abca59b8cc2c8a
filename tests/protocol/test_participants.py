"""Raw ids: kinds and names."""

import pytest

from streaming.protocol import MIXED, US, ParticipantKind, display, participant_kind

GUID = "0000001b-3f5c-6b1a-28c5-593a0d00b1f2"
RESOURCE = "3d20e1de-0f28-41c5-84a0-96960dd7eb7a"


@pytest.mark.parametrize(
    ("raw_id", "kind", "name"),
    [
        ("4:+15551234567", "phone", "+15551234567"),
        ("4:15551234567", "phone", "15551234567"),
        ("4:+15551234567_asserted", "phone", "+15551234567"),
        ("4:anonymous", "anonymous", "Withheld number"),
        (f"8:acs:{RESOURCE}_{GUID}", "acs_user", "ACS user 0000001b-3f5c…"),
        (f"8:dod-acs:{RESOURCE}_{GUID}", "acs_user", "ACS user 0000001b-3f5c…"),
        (f"8:gcch-acs:{RESOURCE}_{GUID}", "acs_user", "ACS user 0000001b-3f5c…"),
        (f"8:spool:{GUID}", "acs_user", "ACS user 0000001b-3f5c…"),
        (f"8:orgid:{GUID}", "teams_user", "Teams user 0000001b-3f5c…"),
        (f"8:dod:{GUID}", "teams_user", "Teams user 0000001b-3f5c…"),
        (f"8:gcch:{GUID}", "teams_user", "Teams user 0000001b-3f5c…"),
        ("8:teamsvisitor:abc", "teams_user", "Teams user abc"),
        (f"28:{GUID}", "bot", "Bot 0000001b-3f5c…"),
        (f"28:orgid:{GUID}", "bot", "Bot 0000001b-3f5c…"),
        ("28:dod:echo", "bot", "Bot echo"),
        ("28:gcch:echo", "bot", "Bot echo"),
        ("48:conference", "unknown", "Unknown conference"),
        ("8:later:x", "unknown", "Unknown x"),
        ("just a text, but long", "unknown", "Unknown just a text, …"),
        (MIXED, "mixed", "Mixed audio"),
        (US, "us", "Spoken by us"),
        ("", "mixed", "Mixed audio"),
        (None, "mixed", "Mixed audio"),
    ],
)
def test_a_raw_id_has_a_kind_and_a_name(
    raw_id: str | None, kind: str, name: str
) -> None:
    assert participant_kind(raw_id) is ParticipantKind(kind)
    assert display(raw_id) == name
