"""What verification finds: one deviation, in words."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID


class Weight(StrEnum):
    """What a finding means."""

    ERROR = "error"
    """Rows and bytes disagree, or something is missing."""
    PENDING = "pending"
    """Not finished yet: nothing is wrong so far, and nothing can be said yet."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One deviation. Names things by id: neither numbers nor names of people.

    `code` is stable and for machines; `subject` is what `subject_id` is an id of.
    """

    code: str
    words: str
    call_id: UUID | None = None
    subject: str = ""
    subject_id: str = ""
    weight: Weight = Weight.ERROR

    def as_json(self) -> dict[str, Any]:
        """Return the finding as a JSON object."""
        return {
            "finding": self.code,
            "weight": self.weight.value,
            "call": str(self.call_id) if self.call_id else None,
            "subject": self.subject or None,
            "id": self.subject_id or None,
            "words": self.words,
        }

    def __str__(self) -> str:
        where = [f"call {self.call_id}"] if self.call_id else []
        if self.subject:
            where.append(f"{self.subject} {self.subject_id}")
        return f"{self.weight}: {', '.join(where)}: {self.words} [{self.code}]"


@dataclass(frozen=True, slots=True)
class About:
    """What findings are about; makes them."""

    call_id: UUID | None
    subject: str
    subject_id: str

    def error(self, code: str, words: str) -> Finding:
        """Return an error about it."""
        return Finding(code, words, self.call_id, self.subject, self.subject_id)

    def pending(self, code: str, words: str) -> Finding:
        """Return what is not finished about it."""
        return Finding(
            code, words, self.call_id, self.subject, self.subject_id, Weight.PENDING
        )
