"""What a stored event says: its result in words, and the code as it came."""

from dataclasses import dataclass
from typing import Any

from calls.envelopes import integer_of, part_of, text_of
from calls.words import ENDED, OK, SUCCESS, Code, Explanation, explain_event

# Where an event of media says how it went: the part, its detail, how it stands.
UPDATES = (
    (
        "mediaStreamingUpdate",
        "mediaStreamingStatusDetails",
        "mediaStreamingStatus",
    ),
    ("transcriptionUpdate", "transcriptionStatusDetails", "transcriptionStatus"),
)
MOST_LETTERS = 80


@dataclass(frozen=True, slots=True)
class Told:
    """A result in words. `code` is as ACS gave it, such as 400/8581."""

    words: Explanation
    code: str
    is_failure: bool


def told_by(kind: str, body: object) -> Told | None:
    """Return what an event's body says of a result, None if nothing worth telling.

    `body` is what was stored, so anything.
    """
    data = part_of(body, "data") if isinstance(body, dict) else {}
    given = _code(data)
    if given == Code() or (given == Code(OK, SUCCESS) and kind != ENDED):
        return None
    words = explain_event(
        code=given.code,
        subcode=given.subcode,
        detail=given.detail,
        message=text_of(part_of(data, "resultInformation"), "message"),
        kind=kind,
    )
    return Told(words, str(given), is_failure=kind.endswith("Failed"))


def numbered(words: Explanation, kind: str, body: object) -> str:
    """Return words as text, with the code that an event gave in brackets."""
    told = told_by(kind, body)
    if told is None or told.code in str(words):
        return str(words)
    return f"{words} ({told.code})"


def _code(data: dict[str, Any]) -> Code:
    result = part_of(data, "resultInformation")
    code, subcode = integer_of(result, "code"), integer_of(result, "subCode")
    return Code(code, subcode, _detail(data)[:MOST_LETTERS])


def _detail(data: dict[str, Any]) -> str:
    for part, detail, standing in UPDATES:
        update = part_of(data, part)
        if said := text_of(update, detail) or text_of(update, standing):
            return said
    return ""
