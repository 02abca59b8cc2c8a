"""What we said into a call, as its journals tell it: each utterance as far as it got.

Ingest notes each change of an utterance in the journal, without its name. An utterance
whose end is in none was cut off with the process that said it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from calls.drafts import UtteranceDraft
from calls.instants import instant
from calls.journals.reading import Record
from calls.journals.walk import JournalCount

EVENT: Final = "utterance"
OVER: Final = frozenset({"played", "stopped", "failed"})
CUT_OFF: Final = "the ingest process died"


def remark_of(draft: UtteranceDraft) -> dict[str, Any]:
    """Return what a journal notes of an utterance: no name, which may be a person's."""
    return {
        "event": EVENT,
        "id": str(draft.id),
        "kind": draft.kind,
        "state": draft.state,
        "start_us": draft.start_us,
        "sent_ms": draft.sent_ms,
        "played_ms": draft.played_ms,
        "underruns": draft.underruns,
    }


@dataclass(slots=True)
class _Begun:
    draft: UtteranceDraft
    count: JournalCount
    # Of what was heard since it began, in samples.
    heard: int = 0


class Said:
    """Gathers a call's utterances while its journals are walked."""

    def __init__(self, call_id: UUID) -> None:
        self._call_id = call_id
        self._begun: dict[UUID, _Begun] = {}

    def note(self, count: JournalCount, record: Record) -> None:
        """Take a NOTE, which may be about something else."""
        remark = json.loads(record.text)
        if remark.get("event") != EVENT:
            return
        key = UUID(remark["id"])
        begun = self._begun.get(key)
        at = instant(count.opened_us + record.arrival_us)
        draft = UtteranceDraft(
            id=key,
            call_id=self._call_id,
            kind=remark["kind"],
            state=remark["state"],
            name="",
            queued_at=begun.draft.queued_at if begun else at,
            start_us=remark["start_us"],
            sent_ms=remark["sent_ms"],
            played_ms=remark["played_ms"],
            underruns=remark["underruns"],
        )
        if begun is None:
            begun = self._begun[key] = _Begun(draft, count)
        begun.draft, begun.count = draft, count

    def hear(self, count: JournalCount, samples: int) -> None:
        """Take audio of ours: it is of the first utterance that is not over."""
        for begun in self._begun.values():
            if begun.draft.state == "playing":
                begun.heard += samples
                begun.count = count
                return

    def drafts(self) -> list[UtteranceDraft]:
        """Return every utterance; what was cut off with its process is stopped.

        Of one that is not over, as much was heard as its journal has of it.
        """
        return list(self._ended())

    def _ended(self) -> Iterable[UtteranceDraft]:
        for begun in self._begun.values():
            draft, count = begun.draft, begun.count
            if draft.state in OVER:
                yield draft
                continue
            heard = begun.heard * 1000 // count.rate if count.rate else 0
            draft = replace(draft, played_ms=heard, sent_ms=heard)
            if not count.is_sealed:
                draft = replace(draft, state="stopped", reason=CUT_OFF)
            yield draft
