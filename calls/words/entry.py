"""What an entry of the table is: which code, which words, and how sure we are."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Explanation:
    """What happened and what to do about it; `advice` is empty when nothing is."""

    sentence: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.sentence} {self.advice}".strip()


@dataclass(frozen=True, slots=True)
class Code:
    """What ACS gave: a status, a number of its own below it, or a detail's name.

    In the table None and "" stand for "any".
    """

    code: int | None = None
    subcode: int | None = None
    detail: str = ""

    def __str__(self) -> str:
        given = [str(each) for each in (self.code, self.subcode) if each is not None]
        return " ".join(filter(None, ["/".join(given), self.detail]))


class Said(StrEnum):
    """Where a code comes from; the same number means another thing elsewhere."""

    ANYWHERE = "in callbacks and in answers to requests"
    EVENT = "in callbacks"
    STREAMING = "in callbacks on media streaming"
    TRANSCRIPTION = "in callbacks on transcription"
    CALL_END = "in callbacks on the end of a call"
    ANSWER = "in answers to requests"


class Proof(StrEnum):
    """How sure the meaning is."""

    RECORDED = "recorded traffic"
    DOCUMENTED = "documented by Microsoft"
    REPORTED = "reported from the field"
    NAMED = "a name in Microsoft's list, without an explanation"
    STANDARD = "the meaning of the status in SIP or HTTP"


@dataclass(frozen=True, slots=True)
class Block:
    """Entries that come from one source. `source` names it for who wants to check."""

    title: str
    said: Said
    proof: Proof
    source: str
    entries: Mapping[Code, Explanation]


def of(code: int | None, subcode: int) -> Code:
    """Return the key of a subcode; with a status where that changes its meaning."""
    return Code(code, subcode)


def status(code: int) -> Code:
    """Return the key of a status alone."""
    return Code(code)


def named(detail: str) -> Code:
    """Return the key of a detail."""
    return Code(detail=detail)
