"""ACS's codes in words: one sentence on what happened, one on what to do.

The table is in blocks, each with its source and with how sure it is; docs/codes.md is
made of it. What is not in the table is shown as it came, and wherever a code is put
into words its number stands beside them.
"""

from collections.abc import Iterable

from calls.words import automation, ends, requests, streaming
from calls.words.entry import Block, Code, Explanation, Proof, Said

__all__ = [
    "DETAILS",
    "TABLE",
    "Block",
    "Code",
    "Explanation",
    "Proof",
    "Said",
    "explain_event",
    "explain_refusal",
]

# Among blocks that are said in the same place, an earlier one wins.
TABLE: tuple[Block, ...] = (
    streaming.STREAMING_DETAILS,
    streaming.TRANSCRIPTION_DETAILS,
    streaming.STATUSES,
    streaming.STREAMING_NUMBERS,
    streaming.TRANSCRIPTION_NUMBERS,
    ends.CALL_ENDS,
    ends.ENDS,
    ends.TELEPHONE,
    automation.EXPLAINED,
    automation.LISTED_RIGHTS,
    automation.LISTED_CALLS,
    automation.LISTED_MEDIA,
    ends.SIP,
    requests.REQUESTS,
)
DETAILS: dict[str, Explanation] = {
    code.detail: words for code, words in streaming.STREAMING_DETAILS.entries.items()
}
OK = 200
SUCCESS = 0
ENDED = "CallDisconnected"


def explain_event(
    *,
    code: int | None,
    subcode: int | None,
    detail: str = "",
    message: str = "",
    kind: str = "",
) -> Explanation:
    """Explain the result that a callback carries.

    `kind` is the event's type without its prefix. Without it, what has no detail is
    taken for the end of a call, and a detail for one of media streaming.
    """
    places = _places(kind, detail)
    known = _known(Code(code, subcode, detail), places)
    if known is not None:
        return known
    if code == OK and subcode == SUCCESS:
        return Explanation("It was done.")
    raw = " ".join(filter(None, [str(Code(code, subcode, detail)), message]))
    return Explanation(f"ACS says: {raw}" if raw else "ACS gave no reason.")


def explain_refusal(
    *, code: int | None, subcode: int | None, message: str
) -> Explanation:
    """Explain why ACS did not take an order. `message` is what was said or seen."""
    places = (Said.ANSWER, Said.ANYWHERE)
    if subcode is not None and (numbered := _known(Code(code, subcode), places[1:])):
        return numbered
    known = _known(Code(code), places)
    if known is None:
        return Explanation(message)
    return Explanation(f"{known.sentence} ({message})", known.advice)


def _places(kind: str, detail: str) -> tuple[Said, ...]:
    """Return whose words count for an event, the nearest first."""
    if kind.startswith("Transcription"):
        return Said.TRANSCRIPTION, Said.EVENT, Said.ANYWHERE
    if detail or kind.startswith("MediaStreaming"):
        return Said.STREAMING, Said.EVENT, Said.ANYWHERE
    if kind in (ENDED, ""):
        return Said.CALL_END, Said.EVENT, Said.ANYWHERE
    return Said.EVENT, Said.ANYWHERE


def _index(table: Iterable[Block]) -> dict[tuple[Said, Code], Explanation]:
    index: dict[tuple[Said, Code], Explanation] = {}
    for block in table:
        for code, words in block.entries.items():
            index.setdefault((block.said, code), words)
    return index


_INDEX = _index(TABLE)


def _known(given: Code, places: Iterable[Said]) -> Explanation | None:
    """Return the words of the most telling part of a code that is in the table.

    A number of ACS's own says more than a detail, and a detail more than a status.
    """
    places = tuple(places)
    for wanted in _keys(given):
        for place in places:
            if (place, wanted) in _INDEX:
                return _INDEX[place, wanted]
    return None


def _keys(given: Code) -> list[Code]:
    keys = []
    if given.subcode is not None:
        keys += [Code(given.code, given.subcode), Code(None, given.subcode)]
    if given.detail:
        keys.append(Code(detail=given.detail))
    if given.code is not None:
        keys.append(Code(given.code))
    return keys
